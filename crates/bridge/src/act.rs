//! Job `push`, for what a customer does besides writing, coming and going: taps on menu items, scans.

use crate::window::When;
use crate::worker::{Held, Step};
use crate::{Account, Bridge};
use desk::window::Action;
use store::{Error, Job};
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
    /// Keeps what an act allows.
    pub(crate) async fn act(
        &self,
        held: &Held,
        job: Job,
        _account: &Account,
        event: Event,
        when: When,
    ) -> Result<Step, Error> {
        let (lane, known) = (held.lane.clone(), self.known());
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                if let Some(action) = opened_by(&event) {
                    tx.lock_customer(&lane.account, &lane.openid).await?;
                    known.act(tx, &lane, action, when).await?;
                }
                tx.finish(&lane, &job).await
            })
        });
        Ok(Step::after_finish(work.await?))
    }
}
