//! An agent recalls a message. WeChat cannot take back what was sent; what has not left yet is not sent any more.
//!
//! The recall's webhook is known by its dedup key as soon as it is stored, so that an answer that still waits sees it
//! before each try, although the recall's own job stands behind it on the lane.

use crate::worker::{Held, Step};
use crate::{Account, Bridge, notice};
use desk::words::{Notice, excerpt};
use desk::{DeliveryState, Reason};
use im::{MsgWithDraw, Webhook};
use store::{Error, Job, Tx};

/// Whether an agent took a message back that IM may have called by one of these keys.
pub(crate) async fn is_recalled(
    tx: &mut Tx<'_>,
    sdk_app_id: u64,
    keys: &[(String, String, String)],
) -> Result<bool, Error> {
    for (author, msg_key, ghost) in keys {
        if tx.is_keyed(&key(sdk_app_id, author, ghost, msg_key)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Bridge {
    /// Job `webhook` of a recall: tells the agent what became of it. Whatever the message still does has been done, for its
    /// own job stands before this one.
    pub(crate) async fn take_recall(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        recall: MsgWithDraw,
    ) -> Result<Step, Error> {
        if !account.agents.contains(&recall.from) {
            return self.finish(held, &job).await;
        }
        let (lane, account, now) = (held.lane.clone(), account.clone(), self.inner.clock.now());
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&lane.account, &lane.openid).await?;
                let found =
                    tx.message_by_key(&lane.account, &lane.openid, &recall.from, &recall.msg_key).await?;
                let parts = match found {
                    Some(message) => {
                        // Parked ones wait for the customer and not on this lane.
                        if let Some(body) = tx.withdraw(&message, now).await? {
                            let told = Notice::Failed { excerpt: &excerpt(&body), reason: Reason::Recalled };
                            notice::enqueue(tx, &clock, &entropy, &account, &lane.openid, &recall.from, told)
                                .await?;
                        }
                        tx.deliveries(&message).await?
                    }
                    None => Vec::new(),
                };
                let has = |state| parts.iter().find(|part| part.state == state);
                let gone = has(DeliveryState::Sent).map(|part| (part, true));
                let gone = gone.or_else(|| has(DeliveryState::Unsure).map(|part| (part, false)));
                if let Some((part, sent)) = gone {
                    let excerpt = &excerpt(&part.body);
                    let told = if sent {
                        Notice::RecallImpossible { excerpt }
                    } else {
                        Notice::RecallUnsure { excerpt }
                    };
                    notice::enqueue(tx, &clock, &entropy, &account, &lane.openid, &recall.from, told).await?;
                }
                tx.finish(&lane, &job).await
            })
        });
        let more = work.await?;
        self.wake();
        Ok(Step::after_finish(more))
    }
}

/// The dedup key of a recall's webhook.
pub(crate) fn key(sdk_app_id: u64, from: &str, to: &str, msg_key: &str) -> String {
    let recall = MsgWithDraw {
        from: from.to_owned(),
        to: to.to_owned(),
        msg_key: msg_key.to_owned(),
        ..MsgWithDraw::default()
    };
    format!("i:{}", Webhook::AfterMsgWithDraw(recall).dedup_key(sdk_app_id, &[]))
}
