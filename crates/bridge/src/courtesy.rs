//! Small courtesies that may fail and delay nothing: what an agent wrote is marked as read once it was handed to WeChat,
//! and a customer sees that the agent is typing.
//!
//! They gather in memory, one per chat, and are done in turn by one task; what does not fit is left out.

use crate::breaker::Operation;
use crate::convert::{im_answers, im_outcome, wechat_answers, wechat_outcome};
use crate::{Bridge, trace};
use desk::Millis;
use desk::ghost::is_marked;
use im::{C2cMessage, Element};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Error, GhostState};
use tokio::sync::Notify;
use wechat::Typing;

/// Chats that wait for a courtesy at most.
const MOST: usize = 10_000;
/// What gathers within so long is one call.
const PAUSE: Duration = Duration::from_millis(500);
/// A customer is shown once in so long that somebody types; WeChat shows it for about 15 s. In milliseconds.
const TYPING_AGAIN: Millis = 10_000;
/// WeChat shows it only after a message of the last 30 s, in milliseconds.
const TALKING: Millis = 30_000;
/// An account that may not do it is left alone for so long, in milliseconds.
const REST: Millis = 3_600_000;

/// What waits to be done.
#[derive(Debug, Default)]
pub(crate) struct Courtesies {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Account and customer → the newest message of an agent that went out.
    read: HashMap<(String, String), String>,
    /// Ghost → whether its customer is to see the agent typing.
    typing: HashMap<String, (String, bool)>,
    /// Customer → when they were last shown it.
    shown: HashMap<(String, String), Millis>,
    /// Account → until when it is left alone.
    resting: HashMap<String, Millis>,
}

impl Courtesies {
    fn with<T>(&self, work: impl FnOnce(&mut Waiting) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bridge {
    /// A message of an agent went out to the customer.
    pub(crate) fn was_handed_over(&self, account: &str, openid: &str, message: &str) {
        self.inner.courtesies.with(|waiting| {
            if waiting.read.len() < MOST {
                waiting.read.insert((account.to_owned(), openid.to_owned()), message.to_owned());
            }
        });
        self.inner.courtesies.bell.notify_one();
    }

    /// An agent began or stopped typing in a chat, if that is what this message says.
    pub fn hint(&self, message: &C2cMessage) {
        let marked = message.cloud_custom_data.as_deref().is_some_and(is_marked);
        let Some(begins) = typing(message).filter(|_| !marked) else { return };
        self.inner.courtesies.with(|waiting| {
            if waiting.typing.len() < MOST {
                waiting.typing.insert(message.to.clone(), (message.from.clone(), begins));
            }
        });
        self.inner.courtesies.bell.notify_one();
    }

    /// Waits for courtesies and does them.
    pub async fn be_courteous(&self) {
        self.inner.courtesies.bell.notified().await;
        tokio::time::sleep(PAUSE).await;
        let (read, typing) = self
            .inner
            .courtesies
            .with(|waiting| (std::mem::take(&mut waiting.read), std::mem::take(&mut waiting.typing)));
        for (ghost, (agent, begins)) in typing {
            if let Err(error) = self.show_typing(&ghost, &agent, begins).await {
                tracing::debug!(%error, "a typing hint was left out");
            }
        }
        for ((account, openid), message) in read {
            if let Err(error) = self.mark_read(account, openid, message).await {
                tracing::debug!(%error, "a read mark was left out");
            }
        }
    }

    async fn mark_read(&self, account: String, openid: String, message: String) -> Result<(), Error> {
        let id = account.clone();
        let (ghost, agent) = self
            .inner
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let ghost = tx.ghost_of(&id, &openid).await?;
                    Ok((ghost, tx.message(&message).await?.and_then(|message| message.author)))
                })
            })
            .await?;
        let (Some(ghost), Some(agent)) = (ghost.filter(|ghost| ghost.state == GhostState::Living), agent)
        else {
            return Ok(());
        };
        let Ok(pass) = self.inner.breakers.ask(Operation::im("admin_set_msg_read"), "", false) else {
            return Ok(());
        };
        let _ = self.inner.slow_rate.wait("admin_set_msg_read").await?;
        let _ = self.inner.im_rate.wait_behind("admin_set_msg_read").await?;
        let (random, now_s) = (self.inner.entropy.u32(), self.inner.clock.now_s());
        let started = Instant::now();
        let done = self.inner.im.set_read(&ghost.user_id, &agent, now_s, random, now_s).await;
        pass.end(im_answers(&done));
        let told = im_outcome(&done);
        self.observe(&account, "admin_set_msg_read", &told, started);
        Ok(())
    }

    async fn show_typing(&self, ghost: &str, agent: &str, begins: bool) -> Result<(), Error> {
        let (id, now) = (ghost.to_owned(), self.inner.clock.now());
        let found = self
            .inner
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let Some(ghost) = tx.ghost(&id).await? else { return Ok(None) };
                    let at = tx.last_exchange(&ghost.account, &ghost.openid).await?;
                    Ok(Some((ghost, at)))
                })
            })
            .await?;
        let Some((ghost, at)) = found else { return Ok(()) };
        let Some(account) = self.inner.accounts.get(&ghost.account) else { return Ok(()) };
        let talking = ghost.state == GhostState::Living && now - at <= TALKING;
        if !talking || !account.agents.iter().any(|known| known == agent) {
            return Ok(());
        }
        let who = (ghost.account.clone(), ghost.openid.clone());
        let due = self.inner.courtesies.with(|waiting| {
            let rests = waiting.resting.get(&ghost.account).is_some_and(|until| now < *until);
            let last = waiting.shown.get(&who).copied();
            if rests
                || (begins && last.is_some_and(|last| now - last < TYPING_AGAIN))
                || (!begins && last.is_none())
            {
                return false;
            }
            waiting.shown.retain(|_, last| now - *last < TYPING_AGAIN);
            if begins && waiting.shown.len() < MOST {
                waiting.shown.insert(who.clone(), now);
            } else {
                waiting.shown.remove(&who);
            }
            true
        });
        if !due {
            return Ok(());
        }
        let typing = Operation::wechat(&account.id, "custom/typing");
        let Ok(pass) = self.inner.breakers.ask(typing, "", false) else { return Ok(()) };
        let Ok(token) = self.inner.tokens.current(account).await else { return Ok(()) };
        let command = if begins { Typing::Start } else { Typing::Stop };
        let started = Instant::now();
        let done = account.client.typing(&token, &ghost.openid, command).await;
        pass.end(wechat_answers(&done));
        let told = wechat_outcome(&done);
        trace::call(
            &account.id,
            "custom/typing",
            if done.is_ok() { "ok" } else { "refused" },
            &told.detail,
            started.elapsed(),
        );
        if matches!(&done, Err(wechat::CallError::Refused(code)) if wechat::verdict(code.code) != wechat::Verdict::Ignore)
        {
            self.inner.courtesies.with(|waiting| waiting.resting.insert(account.id.clone(), now + REST));
        }
        Ok(())
    }
}

/// Whether a message says that somebody types (true), or does no longer (false); `None` for any other.
fn typing(message: &C2cMessage) -> Option<bool> {
    let data = message.body.iter().find_map(|element| match element {
        Element::Custom { data: Some(data), .. } => serde_json::from_str::<serde_json::Value>(data).ok(),
        _ => None,
    })?;
    let hint = data.get("businessID").and_then(serde_json::Value::as_str) == Some("user_typing_status");
    let begins = data.get("typingStatus").and_then(serde_json::Value::as_i64) != Some(0);
    (hint && message.online_only).then_some(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: &str, online_only: bool) -> C2cMessage {
        let element = serde_json::json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}});
        let body = vec![serde_json::from_value(element).unwrap()];
        C2cMessage { body, online_only, ..C2cMessage::default() }
    }

    #[test]
    fn f58_only_what_a_client_sends_as_a_typing_hint_is_one() {
        let hint = r#"{"businessID":"user_typing_status","typingStatus":1}"#;
        assert_eq!(typing(&message(hint, true)), Some(true));
        assert_eq!(typing(&message(&hint.replace(":1", ":0"), true)), Some(false));
        assert_eq!(typing(&message(hint, false)), None, "a stored message is no hint");
        assert_eq!(typing(&message(r#"{"businessID":"call"}"#, true)), None);
        assert_eq!(typing(&message("no JSON", true)), None);
    }
}
