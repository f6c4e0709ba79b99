//! access_tokens: two families that never touch each other (§6.2).

use crate::chance::Chance;

const LIFE_S: i64 = 7200;
const OVERLAP_S: i64 = 300;
/// A forced refresh sooner than this after the last one does nothing.
const FORCE_PAUSE_S: i64 = 30;
const FORCES_A_DAY: usize = 20;

#[derive(Clone, Debug)]
struct Token {
    value: String,
    expires_s: i64,
}

/// What a call's token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    /// 42001
    Expired,
    /// 40001
    Unknown,
}

/// The tokens of one account.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// Oldest first; the last one is current.
    classic: Vec<Token>,
    stable: Vec<Token>,
    forced_s: Vec<i64>,
}

impl Tokens {
    /// `/cgi-bin/token`: always a new one; its predecessor lives five more minutes, older ones die.
    pub(crate) fn mint(&mut self, now_s: i64, chance: &Chance) -> (String, i64) {
        let mut before = self.classic.pop();
        if let Some(token) = &mut before {
            token.expires_s = token.expires_s.min(now_s + OVERLAP_S);
        }
        self.classic = before.into_iter().collect();
        push_new(&mut self.classic, now_s, chance)
    }

    /// `/cgi-bin/stable_token`: the same one until five minutes before its end.
    pub(crate) fn stable(&mut self, force: bool, now_s: i64, chance: &Chance) -> (String, i64) {
        self.forced_s.retain(|at| now_s - at < 86_400);
        let may_force = self.forced_s.len() < FORCES_A_DAY
            && self.forced_s.last().is_none_or(|last| now_s - last >= FORCE_PAUSE_S);
        if force && may_force {
            self.forced_s.push(now_s);
            self.stable.clear();
        }
        if let Some(token) = self.stable.last()
            && token.expires_s - now_s > OVERLAP_S
        {
            return (token.value.clone(), token.expires_s - now_s);
        }
        push_new(&mut self.stable, now_s, chance)
    }

    pub(crate) fn standing(&self, value: &str, now_s: i64) -> Standing {
        match self.classic.iter().chain(&self.stable).find(|token| token.value == value) {
            Some(token) if token.expires_s > now_s => Standing::Good,
            Some(_) => Standing::Expired,
            None => Standing::Unknown,
        }
    }

    /// Makes every token invalid at once, as a leak or another deployment's forced refresh would.
    pub(crate) fn revoke(&mut self) {
        self.classic.clear();
        self.stable.clear();
    }
}

fn push_new(tokens: &mut Vec<Token>, now_s: i64, chance: &Chance) -> (String, i64) {
    let value = format!("sim_{}", chance.hex(128));
    tokens.push(Token { value: value.clone(), expires_s: now_s + LIFE_S });
    // Two days of old ones are enough to tell "expired" from "never seen".
    if tokens.len() > 32 {
        tokens.remove(0);
    }
    (value, LIFE_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_stays_the_same_until_five_minutes_before_its_end() {
        let (mut tokens, chance) = (Tokens::default(), Chance::new(1));
        let (first, life) = tokens.stable(false, 0, &chance);
        assert_eq!(life, 7200);
        assert_eq!(tokens.stable(false, 6899, &chance), (first.clone(), 301));
        let (second, life) = tokens.stable(false, 6900, &chance);
        assert!(second != first && life == 7200);
        assert_eq!(tokens.standing(&first, 7199), Standing::Good, "both live for five minutes");
        assert_eq!(tokens.standing(&first, 7200), Standing::Expired);
        assert_eq!(tokens.standing("sim_", 0), Standing::Unknown);
    }

    #[test]
    fn force_kills_the_old_one_at_once_but_not_twice_in_30_seconds() {
        let (mut tokens, chance) = (Tokens::default(), Chance::new(1));
        let (first, _) = tokens.stable(false, 0, &chance);
        let (second, _) = tokens.stable(true, 10, &chance);
        assert_eq!(tokens.standing(&first, 10), Standing::Unknown);
        assert_eq!(tokens.stable(true, 39, &chance).0, second);
        assert_ne!(tokens.stable(true, 40, &chance).0, second);
        for n in 0..30 {
            tokens.stable(true, 100 + n * 30, &chance);
        }
        assert_eq!(tokens.forced_s.len(), FORCES_A_DAY);
    }

    #[test]
    fn classic_mints_each_time_and_leaves_stable_alone() {
        let (mut tokens, chance) = (Tokens::default(), Chance::new(1));
        let (stable, _) = tokens.stable(false, 0, &chance);
        let (a, _) = tokens.mint(0, &chance);
        let (b, _) = tokens.mint(100, &chance);
        assert_eq!(tokens.standing(&a, 399), Standing::Good);
        assert_eq!(tokens.standing(&a, 400), Standing::Expired);
        let (c, _) = tokens.mint(101, &chance);
        assert_eq!(tokens.standing(&a, 102), Standing::Unknown);
        for token in [&b, &c, &stable] {
            assert_eq!(tokens.standing(token, 102), Standing::Good);
        }
        tokens.revoke();
        assert_eq!(tokens.standing(&stable, 102), Standing::Unknown);
    }
}
