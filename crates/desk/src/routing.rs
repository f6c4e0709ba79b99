//! Who serves a conversation. Start at [`choose`].

use crate::Millis;

/// An agent who may be given a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// IM UserID.
    pub agent: &'a str,
    /// How many conversations are open with them, under this account.
    pub open: i64,
    /// The turn at which they were last given one; 0 if never.
    pub turn: i64,
    /// Whether a message gets their attention now, as far as is known.
    pub reachable: bool,
}

/// The agent for a new conversation: one who is reachable, if anybody is; of these the one with the fewest open
/// conversations; of these the one who has waited longest for one; of these the first in the configuration.
pub fn choose<'a>(candidates: &[Candidate<'a>]) -> Option<&'a str> {
    // `min_by_key` gives the first of equals.
    candidates.iter().min_by_key(|it| (!it.reachable, it.open, it.turn)).map(|it| it.agent)
}

/// The agent who takes over from `from`, who cannot be reached: nobody unless somebody else can, so that a
/// conversation does not wander among people who are all away.
pub fn choose_instead<'a>(candidates: &[Candidate<'a>], from: &str) -> Option<&'a str> {
    let others: Vec<Candidate<'a>> =
        candidates.iter().filter(|it| it.agent != from && it.reachable).copied().collect();
    choose(&others)
}

/// Whether a customer who has been waiting since `waiting_since` is given to somebody else: the agent has been
/// offline since `offline_since`, and both have lasted longer than `grace` ms (0: never).
pub fn is_left_alone(now: Millis, waiting_since: Millis, offline_since: Millis, grace: Millis) -> bool {
    grace > 0 && now - offline_since.max(waiting_since) >= grace
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agent(agent: &'static str, open: i64, turn: i64, reachable: bool) -> Candidate<'static> {
        Candidate { agent, open, turn, reachable }
    }

    #[test]
    fn fewest_open_then_longest_without_then_first() {
        let table: [(&[Candidate<'static>], Option<&str>); 6] = [
            (&[], None),
            (&[agent("a", 3, 9, true), agent("b", 2, 8, true)], Some("b")),
            (&[agent("a", 2, 9, true), agent("b", 2, 8, true)], Some("b")),
            (&[agent("a", 2, 0, true), agent("b", 2, 0, true)], Some("a")),
            (&[agent("a", 0, 0, false), agent("b", 9, 8, true)], Some("b")),
            (&[agent("a", 4, 1, false), agent("b", 3, 2, false)], Some("b")),
        ];
        for (candidates, chosen) in table {
            assert_eq!(choose(candidates), chosen, "{candidates:?}");
        }
    }

    #[test]
    fn f62_a_conversation_does_not_wander_among_people_who_are_away() {
        let away = [agent("a", 0, 0, false), agent("b", 0, 0, false)];
        assert_eq!(choose_instead(&away, "a"), None);
        let other = [agent("a", 0, 0, true), agent("b", 5, 0, true)];
        assert_eq!(choose_instead(&other, "a"), Some("b"), "never back to whom it is taken from");
    }

    #[test]
    fn f62_the_grace_begins_with_the_later_of_both() {
        let grace = 300_000;
        assert!(!is_left_alone(1_000_000, 900_000, 100_000, grace), "the customer has just written");
        assert!(!is_left_alone(1_000_000, 100_000, 900_000, grace), "the agent has just left");
        assert!(is_left_alone(1_200_000, 900_000, 100_000, grace));
        assert!(!is_left_alone(i64::MAX, 0, 0, 0), "switched off");
    }

    proptest! {
        #[test]
        fn nobody_reachable_is_passed_over_for_somebody_with_more(
            given in prop::collection::vec((0i64..50, 0i64..50, any::<bool>()), 1..12)
        ) {
            let names: Vec<String> = (0..given.len()).map(|n| format!("user{n}")).collect();
            let candidates: Vec<Candidate<'_>> = given
                .iter()
                .zip(&names)
                .map(|((open, turn, reachable), agent)| Candidate { agent, open: *open, turn: *turn, reachable: *reachable })
                .collect();
            let chosen = choose(&candidates).unwrap();
            let chosen = candidates.iter().find(|it| it.agent == chosen).unwrap();
            for other in &candidates {
                prop_assert!(chosen.reachable || !other.reachable);
                prop_assert!(chosen.reachable != other.reachable || chosen.open <= other.open);
            }
        }
    }
}
