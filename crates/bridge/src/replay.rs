//! A push that could not be read when it came, read again with the keys of today (`tsunagi jobs retry`).

use crate::operator::OperatorError;
use crate::{Bridge, Retried, act, erase, passive};
use store::{Arrival, ConversationId, Effect, InboxId, InboxRow, Replayed, Source, Work};
use wechat::{Credentials, Event, Push, PushBody, replay_document};

impl Bridge {
    /// Reads an unreadable push again and, if that succeeds, puts it on its customer's lane, once.
    ///
    /// # Errors
    /// [`OperatorError::StillUnreadable`], and what the store says.
    pub async fn replay(&self, id: &str, credentials: &Credentials) -> Result<Retried, OperatorError> {
        let inbox = id.to_owned();
        let row = self.inner.store.read(move |tx| Box::pin(async move { tx.inbox(&inbox).await })).await?;
        let row = row.filter(|row| row.kind == "unreadable").ok_or(OperatorError::NotFound)?;
        let query = row.query.as_deref().unwrap_or_default();
        let (push, document) =
            replay_document(credentials, query, &row.body).map_err(OperatorError::StillUnreadable)?;
        let arrival = self.late_arrival(&row, &push, document).await?;
        Ok(match self.inner.store.replay(id, arrival).await? {
            Replayed::Stored => Retried::Read,
            Replayed::Repeat => Retried::Repeat,
            Replayed::Gone => return Err(OperatorError::NotFound),
        })
    }

    /// What it asks for now. Nobody waits for a passive reply any more.
    async fn late_arrival(
        &self,
        row: &InboxRow,
        push: &Push,
        document: Vec<u8>,
    ) -> Result<Arrival, OperatorError> {
        let effect = match &push.body {
            PushBody::Message(message) if passive::tap_of(message).is_some() => Some(Effect::Act),
            PushBody::Message(_) => {
                let conversation = ConversationId::new(&self.inner.clock, &self.inner.entropy);
                Some(Effect::Write { conversation, waiting: None })
            }
            PushBody::Event(Event::Subscribe { .. }) => Some(Effect::Follow),
            PushBody::Event(Event::Unsubscribe) => Some(Effect::Unfollow),
            PushBody::Event(event) if act::is_act(event) || erase::asked_by(event).is_some() => {
                Some(Effect::Act)
            }
            PushBody::Event(_) => None,
        };
        let owner = match &push.body {
            PushBody::Event(event) => erase::asked_by(event).unwrap_or(&push.from),
            PushBody::Message(_) => &push.from,
        };
        let comes_or_goes = matches!(effect, Some(Effect::Follow | Effect::Unfollow));
        let store = &self.inner.store;
        let stale =
            comes_or_goes && store.customer_changed_since(&row.account, &push.from, row.received_at).await?;
        let work = match effect {
            // Whether they follow is known from what they did since.
            Some(effect) if !owner.is_empty() && !stale => {
                let said_at = push.create_time.unwrap_or(row.received_at);
                Work::Customer { openid: owner.to_owned(), said_at, effect }
            }
            _ => Work::Nothing,
        };
        Ok(Arrival {
            id: InboxId::new(&self.inner.clock, &self.inner.entropy),
            source: Source::Wechat,
            account: row.account.clone(),
            dedup_key: push.dedup_key(&row.account, &document),
            kind: "push",
            received_at: self.inner.clock.now(),
            query: None,
            body: document,
            reply: None,
            work,
            trace: None,
            may_wait: false,
        })
    }
}
