//! Who of the agents can be reached now, as far as IM tells: asked every half minute, and soon after IM said that an
//! agent's device came or went; answered from memory.
//!
//! What is not known counts as reachable, so that a gateway that cannot ask (the edition lacks it, IM is away) works as
//! if everybody were there.

use crate::Bridge;
use crate::breaker::Operation;
use crate::convert::{im_answers, im_outcome};
use desk::{Millis, Tried};
use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::Notify;

/// What was asked longer ago is not known any more, in milliseconds.
const STALE: Millis = 300_000;

/// IM's code for an account that does not exist.
const NO_ACCOUNT: i64 = 70107;

/// What is known of the agents. Owned by the bridge; grows with the configuration only.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    known: RwLock<HashMap<String, Standing>>,
    stir: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    asked_at: Millis,
    reachable: bool,
    offline_since: Option<Millis>,
    /// IM has no such account and makes none.
    missing: bool,
}

impl Presence {
    fn get(&self, agent: &str, now: Millis) -> Option<Standing> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(agent).copied().filter(|standing| standing.missing || now - standing.asked_at <= STALE)
    }

    fn set(&self, agent: &str, reachable: bool, now: Millis) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(agent).and_then(|standing| standing.offline_since);
        let offline_since = if reachable { None } else { before.or(Some(now)) };
        known.insert(agent.to_owned(), Standing { asked_at: now, reachable, offline_since, missing: false });
    }

    /// IM has no account for this agent, and did not make one when asked.
    pub(crate) fn set_missing(&self, agent: &str, now: Millis) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let standing = Standing { asked_at: now, reachable: false, offline_since: Some(now), missing: true };
        known.insert(agent.to_owned(), standing);
    }

    pub(crate) fn is_missing(&self, agent: &str) -> bool {
        self.get(agent, 0).is_some_and(|standing| standing.missing)
    }

    pub(crate) fn is_reachable(&self, agent: &str, now: Millis) -> bool {
        self.get(agent, now).is_none_or(|standing| standing.reachable)
    }

    /// Since when an agent is known to be away.
    pub(crate) fn offline_since(&self, agent: &str, now: Millis) -> Option<Millis> {
        self.get(agent, now)?.offline_since
    }
}

impl Bridge {
    /// IM said that a device of this user came or went. The user may be on another one still, so IM is asked.
    pub fn came_or_went(&self, user: &str) {
        if self.inner.accounts.values().any(|account| account.agents.iter().any(|agent| agent == user)) {
            self.inner.presence.stir.notify_one();
        }
    }

    /// Waits until that was said of an agent, after the last time that this waited.
    pub async fn agents_stir(&self) {
        self.inner.presence.stir.notified().await;
    }

    /// Asks IM how the agents are. The accounts of those whom it does not know are made again.
    pub async fn ask_for_agents(&self) {
        let agents: BTreeSet<&str> =
            self.inner.accounts.values().flat_map(|account| &account.agents).map(String::as_str).collect();
        let agents: Vec<&str> = agents.into_iter().collect();
        for chunk in agents.chunks(im::MAX_STATUS) {
            let Ok(pass) = self.inner.breakers.ask(Operation::im("query_online_status"), "", false) else {
                return;
            };
            if self.inner.im_rate.wait("query_online_status").await.is_err() {
                return;
            }
            let started = Instant::now();
            let (random, now) = (self.inner.entropy.u32(), self.inner.clock.now());
            let answer = self.inner.im.online_status(chunk, random, self.inner.clock.now_s()).await;
            let told = im_outcome(&answer);
            pass.end(im_answers(&answer));
            self.observe("", "query_online_status", &told, started);
            let Ok(states) = answer else {
                tracing::debug!(
                    detail = told.detail,
                    "IM does not say who is online; all count as reachable"
                );
                // Whoever was found missing by a message would stay so for ever.
                for agent in chunk.iter().filter(|agent| self.inner.presence.is_missing(agent)) {
                    self.make_agent(agent).await;
                }
                continue;
            };
            for state in states {
                match state.presence {
                    Ok(im::Presence::Unknown) => {}
                    Ok(presence) => self.inner.presence.set(&state.user_id, presence.is_reachable(), now),
                    Err(NO_ACCOUNT) => self.make_agent(&state.user_id).await,
                    Err(_) => {}
                }
            }
        }
    }

    /// Makes an agent's account; an agent for whom IM makes none is missing from now on.
    pub(crate) async fn make_agent(&self, agent: &str) {
        let Some(account) = self.inner.accounts.values().find(|it| it.agents.iter().any(|a| a == agent))
        else {
            return;
        };
        let told = self.import_agent(account, agent).await;
        let was = self.inner.presence.is_missing(agent);
        match told.tried {
            Tried::Done if was => self.inner.presence.set(agent, true, self.inner.clock.now()),
            // Said by IM, not by the network.
            Tried::Never(_) | Tried::Setup(_) | Tried::Missing => {
                self.inner.presence.set_missing(agent, self.inner.clock.now());
                if !was {
                    tracing::error!(
                        account = account.id,
                        agent,
                        detail = told.detail,
                        "an agent has no account in IM and none can be made: others take the conversations over"
                    );
                    metrics::counter!("tsunagi_alarms_total", "what" => "agent_missing").increment(1);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f62_offline_counts_from_the_first_time_and_the_unknown_are_reachable() {
        let presence = Presence::default();
        assert!(presence.is_reachable("a", 0) && presence.offline_since("a", 0).is_none());
        presence.set("a", false, 1_000);
        presence.set("a", false, 31_000);
        assert!(!presence.is_reachable("a", 40_000));
        assert_eq!(presence.offline_since("a", 40_000), Some(1_000));
        presence.set("a", true, 61_000);
        assert!(presence.is_reachable("a", 61_000) && presence.offline_since("a", 61_000).is_none());
        presence.set("a", false, 91_000);
        assert!(presence.is_reachable("a", 91_000 + STALE + 1), "nobody could ask for long");
        presence.set_missing("a", 0);
        assert!(presence.is_missing("a") && !presence.is_reachable("a", STALE * 9), "missing stays");
        presence.set("a", true, 1);
        assert!(!presence.is_missing("a"), "until IM knows them again");
    }
}
