//! Job `push`, for what a customer does besides writing, coming and going: taps on menu items, scans.

use crate::intake::ghost_for;
use crate::window::When;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, convert};
use desk::Direction;
use desk::window::Action;
use store::{DeliveryId, Error, Job, MessageId, NewMessage};
use wechat::{Event, Message, MessageKind};

/// Whether an event is something that a follower did on purpose and that is worth a job: it may open a reply window, or
/// an agent may want to know of it. `VIEW`, `view_miniprogram` and `LOCATION` are not: they open nothing, and the last one
/// can come every five seconds.
pub(crate) fn is_act(event: &Event) -> bool {
    matches!(
        event,
        Event::Scan { .. }
            | Event::Click { .. }
            | Event::ScancodePush { .. }
            | Event::ScancodeWaitmsg { .. }
            | Event::PicSysphoto { .. }
            | Event::PicPhotoOrAlbum { .. }
            | Event::PicWeixin { .. }
            | Event::LocationSelect { .. }
    )
}

/// The window that an event opens, if any.
pub(crate) fn opened_by(event: &Event) -> Option<Action> {
    match event {
        Event::Click { .. } | Event::ScancodePush { .. } | Event::ScancodeWaitmsg { .. } => {
            Some(Action::Menu)
        }
        Event::Scan { .. } => Some(Action::Scan),
        Event::Subscribe { .. } => Some(Action::Follow),
        Event::Unsubscribe => Some(Action::Leave),
        _ => None,
    }
}

/// The window that a message opens.
pub(crate) fn opened_by_message(message: &Message) -> Action {
    match &message.kind {
        MessageKind::Text { menu_id: Some(_), .. } => Action::Tap,
        _ => Action::Write,
    }
}

impl Bridge {
    /// Keeps what an act allows, and tells the agent of an open conversation what the customer did. Without one it is kept
    /// for the next.
    pub(crate) async fn act(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        event: Event,
        when: When,
    ) -> Result<Step, Error> {
        let words = convert::line(&event, account.language);
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        let (lane, known, now) = (held.lane.clone(), self.known(), clock.now());
        let (account, desk) = (account.clone(), self.desk(account));
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&lane.account, &lane.openid).await?;
                if let Some(action) = opened_by(&event) {
                    known.act(tx, &lane, action, when).await?;
                }
                let customer = tx.customer(&lane.account, &lane.openid).await?;
                let (Some(words), Some(customer)) = (words, customer) else {
                    return tx.finish(&lane, &job).await;
                };
                let Some(conversation) = customer.conversation.filter(|_| customer.subscribed) else {
                    tx.set_last_act(&lane.account, &lane.openid, &words).await?;
                    return tx.finish(&lane, &job).await;
                };
                let seq = tx.take_seqs(&lane.account, &lane.openid, 1).await?;
                let agent = desk.agent_for(tx, &lane.openid, Some(&conversation), now).await?;
                let ghost = ghost_for(tx, &account, &lane.openid, now).await?;
                let message = MessageId::new(&clock, &entropy);
                tx.insert_message(NewMessage {
                    id: &message,
                    account: &lane.account,
                    openid: &lane.openid,
                    direction: Direction::In,
                    kind: "act",
                    conversation: Some(&conversation),
                    author: None,
                    source_key: None,
                    said: None,
                    inbox: Some(&job.subject),
                    created_at: now,
                })
                .await?;
                let part = DeliveryId::new(&clock, &entropy);
                tx.insert_delivery(&part, &message, 0, &words, &ghost, &agent, Some(seq), None, now).await?;
                tx.become_job(&lane, &job, "relay", message.as_str()).await?;
                Ok(true)
            })
        });
        Ok(Step::after_finish(work.await?))
    }
}
