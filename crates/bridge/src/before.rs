//! `C2C.CallbackBeforeSendMsg`: may an agent's message go? It is refused at once, with the reason in words, when no reply
//! can go out. Nothing is stored. When in doubt, or late, it is allowed: what becomes of it is told in the chat then.

use crate::Bridge;
use crate::convert::parts;
use desk::ghost::{is_marked, is_ours};
use desk::window::{Closed, Verdict};
use desk::words::reason_words;
use desk::{Direction, Reason};
use im::{Answer, C2cMessage};
use std::time::Duration;
use store::{Error, GhostState, lane_id};

/// IM waits 2 s for the answer.
const TIME: Duration = Duration::from_millis(1_200);

/// The code that the agent's client gets with the words, of the 10,001 that IM leaves to us.
/// <https://www.tencentcloud.com/document/product/1047/34364>
fn code(reason: Reason) -> i64 {
    match reason {
        Reason::Unsubscribed => 120_001,
        Reason::WindowClosed => 120_002,
        Reason::CountUsedUp => 120_003,
        Reason::TooFewLeft => 120_004,
        _ => 120_000 + 99,
    }
}

impl Bridge {
    /// What the webhook is answered with.
    pub async fn before(&self, message: &C2cMessage) -> Answer {
        let asked = tokio::time::timeout(TIME, self.why_not_now(message)).await;
        match asked {
            Ok(Ok(Some((account, language, reason)))) => {
                metrics::counter!("tsunagi_refused_before_total", "account" => account, "reason" => reason.as_str())
                    .increment(1);
                Answer::refuse(code(reason), reason_words(language, reason))
            }
            Ok(Ok(None)) => Answer::ok(),
            Ok(Err(error)) => {
                tracing::warn!(%error, "an agent's message was allowed unseen: the store did not answer");
                Answer::ok()
            }
            Err(_) => {
                tracing::warn!("an agent's message was allowed unseen: the store was too slow");
                Answer::ok()
            }
        }
    }

    /// Why no reply can go out to whom this message is for.
    async fn why_not_now(
        &self,
        message: &C2cMessage,
    ) -> Result<Option<(String, desk::Language, Reason)>, Error> {
        let ours = message.cloud_custom_data.as_deref().is_some_and(is_marked)
            || is_ours(self.inner.store.id(), &message.from, message.msg_seq, message.msg_random);
        if ours || message.online_only {
            return Ok(None);
        }
        let to = message.to.clone();
        let known = self.inner.store.read(move |tx| {
            Box::pin(async move {
                let Some(ghost) = tx.ghost(&to).await? else { return Ok(None) };
                let customer = tx.customer(&ghost.account, &ghost.openid).await?;
                // What has come and is not taken in yet may open a window.
                let lane = lane_id(&ghost.account, &ghost.openid, Direction::In);
                let busy = tx.lane_has_work(&lane).await?;
                Ok(Some((ghost, customer, busy)))
            })
        });
        let Some((ghost, Some(customer), busy)) = known.await? else { return Ok(None) };
        let Some(account) = self.inner.accounts.get(&ghost.account) else { return Ok(None) };
        if busy || !account.agents.contains(&message.from) {
            return Ok(None);
        }
        let refused = |reason| Ok(Some((account.id.clone(), account.language, reason)));
        if ghost.state == GhostState::Retired || !customer.subscribed {
            return refused(Reason::Unsubscribed);
        }
        if account.park || self.is_passive(account) {
            // It waits for the customer's next message then.
            return Ok(None);
        }
        let cost = u32::try_from(parts(&message.body, account.language).len()).unwrap_or(u32::MAX);
        let estimate = self.estimate(&account.id, &customer.openid).await?;
        match estimate.verdict(cost) {
            Verdict::Goes | Verdict::Doubtful => Ok(None),
            Verdict::Refused(Closed::Time) => refused(Reason::WindowClosed),
            Verdict::Refused(Closed::Count) if estimate.most == Some(0) => refused(Reason::CountUsedUp),
            Verdict::Refused(Closed::Count) => refused(Reason::TooFewLeft),
        }
    }
}
