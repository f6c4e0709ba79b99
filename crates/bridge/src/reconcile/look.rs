//! Reads the history of a customer's chats with agents, and tells what is missing here. Writes nothing.

use crate::Bridge;
use crate::breaker::Operation;
use crate::convert::{im_answers, im_outcome};
use desk::Millis;
use desk::ghost::{is_marked, is_ours, marked_delivery};
use im::HistoryMessage;
use std::time::Instant;
use store::{Chat, Error, Said, Since};

/// How far back before the last look the next one begins, in seconds: both clouds' clocks differ, and a message may show
/// late in the history.
const OVERLAP_S: i64 = 120;
/// How far IM's clock may be ahead of ours, in seconds.
const AHEAD_S: i64 = 60;
/// IM keeps no longer history in its smaller editions, in milliseconds.
const HISTORY: Millis = 7 * 86_400_000;
/// What is nearly as old as what is purged counts as purged, in milliseconds: clocks differ.
const PURGED_SOON: Millis = 600_000;
/// What the largest edition can be told to keep, in seconds.
const LONGEST_HISTORY_S: i64 = 366 * 86_400;
/// A purge leaves what is younger than a day; a message of ours that is unknown here is proof only then.
const PROOF: Millis = 20 * 3_600_000;
/// Pages of one chat in one look; a page holds about 13 KB.
const PAGES: usize = 200;

/// Which messages of agents are missing here, and what else was seen.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// To go on as answers, in IM's order.
    pub(super) missing: Vec<HistoryMessage>,
    /// Too old to be sent on our own, in IM's order.
    pub(super) too_late: Vec<HistoryMessage>,
    /// Agents whose chats were read.
    pub(super) agents: Vec<String>,
    /// Up to when, by our clock.
    pub(super) until: Millis,
    /// This store sent a message that it knows nothing of.
    pub(super) went_back: bool,
}

/// Why a look was not carried to its end.
#[derive(Debug)]
pub(super) enum Blind {
    /// IM did not answer, or not clearly.
    Im(String),
    /// The database failed.
    Store(Error),
}

impl From<Error> for Blind {
    fn from(error: Error) -> Self {
        Blind::Store(error)
    }
}

impl Bridge {
    /// Reads the chats of a customer's ghost with these agents. `slowly`: as a round does, which leaves half of IM's rate to
    /// relays that look something up.
    pub(super) async fn look(
        &self,
        account: &str,
        openid: &str,
        chat: &Chat,
        since: Since,
        agents: &[String],
        slowly: bool,
    ) -> Result<Look, Blind> {
        let now = self.inner.clock.now();
        let mut look = Look { until: now, ..Look::default() };
        let known_for = self.inner.accounts.get(account).map_or(HISTORY, |account| account.known_for);
        let known_for = known_for.saturating_sub(PURGED_SOON).min(2 * HISTORY);
        let (mut found, mut ours) = (Vec::new(), Vec::new());
        for agent in agents {
            let from = chat.until(agent).unwrap_or(chat.known_since - self.inner.reconciling.max_age);
            // What was purged here is unknown, and yet it had come: nothing is found missing that far back.
            let from = from.max(now - HISTORY).div_euclid(1000) - OVERLAP_S;
            let from = from.max((now - known_for).div_euclid(1000));
            for message in self.chat_since(account, &chat.ghost, agent, from, Some(slowly)).await? {
                if message.from == *agent && message.to == chat.ghost {
                    found.push(message);
                } else if message.from == chat.ghost {
                    ours.push(message);
                }
            }
            look.agents.push(agent.clone());
        }
        found.retain(|message| {
            let marked = message.cloud_custom_data.as_deref().is_some_and(is_marked);
            !marked && !message.is_recalled() && !self.is_own(message)
        });
        found.sort_by_key(|message| (message.msg_time, message.msg_seq));
        let keys: Vec<String> = found.iter().map(|message| self.history_key(message)).collect();
        let proofs = self.proofs(&ours, now, since);
        let (id, who) = (account.to_owned(), openid.to_owned());
        let asked: Vec<(String, String, String, Said)> = found
            .iter()
            .zip(keys)
            .map(|(message, key)| (key, message.from.clone(), message.msg_key.clone(), said(message)))
            .collect();
        let (known, went_back) = self
            .inner
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let mut known = Vec::with_capacity(asked.len());
                    for (key, author, msg_key, said) in asked {
                        let (is_known, is_keyed, _) =
                            tx.heard(&id, &who, &author, &msg_key, said, &key).await?;
                        known.push(is_keyed || is_known);
                    }
                    let mut went_back = false;
                    for delivery in proofs {
                        went_back |= !tx.has_delivery(&delivery).await?;
                    }
                    Ok((known, went_back))
                })
            })
            .await?;
        look.went_back = went_back;
        for (message, _) in found.into_iter().zip(known).filter(|(_, known)| !known) {
            let late = self.is_too_late(message.msg_time, now, since);
            if late { look.too_late.push(message) } else { look.missing.push(message) }
        }
        Ok(look)
    }

    /// Whether a message that was found is too old to be sent on our own. IM tells whole seconds.
    fn is_too_late(&self, said_s: i64, now: Millis, since: Since) -> bool {
        let said = said_s.saturating_mul(1000);
        let oldest = (now - self.inner.reconciling.max_age).max(since.created);
        // In doubt it was said before the restore, and then the customer may have it.
        said.saturating_add(999) < oldest || said < since.restored + AHEAD_S * 1000
    }

    fn is_own(&self, message: &HistoryMessage) -> bool {
        is_ours(self.inner.store.id(), &message.from, message.msg_seq, message.msg_random)
    }

    /// Deliveries of messages that this very store sent since it was born, and cannot have purged.
    fn proofs(&self, ours: &[HistoryMessage], now: Millis, since: Since) -> Vec<String> {
        let fresh = |message: &&HistoryMessage| {
            let at = message.msg_time.saturating_mul(1000);
            at > since.created.max(since.restored) + 1_000 && at > now - PROOF && self.is_own(message)
        };
        let delivery =
            |message: &HistoryMessage| message.cloud_custom_data.as_deref().and_then(marked_delivery);
        ours.iter().filter(fresh).filter_map(delivery).collect()
    }

    /// The key of the webhook that should have brought this message.
    pub(super) fn history_key(&self, message: &HistoryMessage) -> String {
        format!("i:{}", message.dedup_key(self.inner.im.sdk_app_id()))
    }

    /// All that IM keeps of one chat; or why it does not tell.
    pub(crate) async fn whole_chat(
        &self,
        account: &str,
        ghost: &str,
        agent: &str,
    ) -> Result<Vec<HistoryMessage>, String> {
        let from = self.inner.clock.now_s() - LONGEST_HISTORY_S;
        self.chat_since(account, ghost, agent, from, None).await.map_err(|blind| match blind {
            Blind::Im(detail) => detail,
            Blind::Store(error) => error.to_string(),
        })
    }

    /// What was said in one chat since `from_s`, as IM tells it. `look`: behind everything else, or not, and not without
    /// an end; without it, whatever there is.
    async fn chat_since(
        &self,
        account: &str,
        ghost: &str,
        agent: &str,
        from_s: i64,
        look: Option<bool>,
    ) -> Result<Vec<HistoryMessage>, Blind> {
        let now_s = self.inner.clock.now_s();
        let mut query = im::HistoryQuery {
            operator: agent.to_owned(),
            peer: ghost.to_owned(),
            max_count: 100,
            min_time: from_s,
            max_time: now_s + AHEAD_S,
            last_msg_key: None,
        };
        let mut messages = Vec::new();
        for _ in 0..look.map_or(usize::MAX, |_| PAGES) {
            let pass = self.inner.breakers.ask(Operation::im("admin_getroammsg"), "", false);
            let pass = pass.map_err(|_| Blind::Im("IM does not answer".into()))?;
            let place = match look {
                Some(true) => {
                    let _ = self.inner.slow_rate.wait("admin_getroammsg").await.map_err(Blind::Store)?;
                    self.inner.im_rate.wait_behind("admin_getroammsg").await
                }
                _ => self.inner.im_rate.wait("admin_getroammsg").await,
            };
            let _ = place.map_err(Blind::Store)?;
            let started = Instant::now();
            let page = self.inner.im.history(&query, self.inner.entropy.u32(), now_s).await;
            pass.end(im_answers(&page));
            let told = im_outcome(&page);
            self.observe(account, "admin_getroammsg", &told, started);
            let page = match page {
                Ok(page) => page,
                // One of the two is not there (yet, or any more), so there is nothing to read.
                Err(im::CallError::Refused(code)) if NOBODY.contains(&code.code) => return Ok(messages),
                Err(_) => return Err(Blind::Im(told.detail)),
            };
            if page.unreadable > 0 {
                tracing::warn!(
                    account,
                    unreadable = page.unreadable,
                    "entries of IM's history cannot be read"
                );
            }
            let next = page.next(&query);
            messages.extend(page.messages);
            match next {
                Some(next) => query = next,
                None => return Ok(messages),
            }
        }
        Err(Blind::Im("the history does not end".into()))
    }
}

/// IM's codes for an account that does not exist.
const NOBODY: [i64; 4] = [90003, 90008, 90012, 90048];

/// What a message is known by besides its MsgKey.
pub(super) fn said(message: &HistoryMessage) -> Said {
    Said { at: message.msg_time.saturating_mul(1000), seq: message.msg_seq, random: message.msg_random }
}
