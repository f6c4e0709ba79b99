//! A customer's file that did not come in time, and was replaced by words: it is fetched beside its lane, and follows as a
//! further message, marked with its age.

use std::time::Duration;

use desk::words::{late, not_loaded};
use desk::{Direction, Millis};
use store::{DeliveryId, Error, MediaRow, MessageId, NewJob, NewMessage, faults};

use super::fetch::{backoff, keep_files};
use super::prepare::Prepared;
use super::words_for;
use crate::intake::ghost_for;
use crate::{Account, Bridge, trace};

/// WeChat keeps a customer's file for three days.
const LIFE: Millis = 3 * 86_400_000;
/// How long a claimed file is nobody else's.
const CLAIM: Millis = 180_000;
/// The longest pause between two tries.
const PAUSE: Millis = 1_800_000;
/// Files that are taken up at a time.
const AT_A_TIME: i64 = 4;

impl Bridge {
    /// Takes up files that are late; gives how many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn fetch_late_media(&self) -> Result<usize, Error> {
        let now = self.inner.clock.now();
        if !self.inner.store.read(move |tx| Box::pin(async move { tx.is_media_late(now).await })).await? {
            return Ok(0);
        }
        let claimed = self
            .inner
            .store
            .write(move |tx| Box::pin(async move { tx.claim_late_media(now, now + CLAIM, AT_A_TIME).await }));
        let claimed = claimed.await?;
        let count = claimed.len();
        for row in claimed {
            let Some(account) = self.inner.accounts.get(&row.account).cloned() else { continue };
            self.fetch_late(&account, row).await?;
        }
        Ok(count)
    }

    async fn fetch_late(&self, account: &Account, row: MediaRow) -> Result<(), Error> {
        let limit = self.inner.library.settings.fetch_timeout.max(Duration::from_secs(30));
        match self.fetch(account, &row, limit).await {
            Ok(prepared) => self.follow_up(account, row, Some(prepared)).await,
            Err(missing) => {
                let now = self.inner.clock.now();
                if !missing.is_final() && now - row.created_at < LIFE {
                    let (id, next) = (row.id, now + backoff(row.tries, PAUSE));
                    let put_off = self
                        .inner
                        .store
                        .write(move |tx| Box::pin(async move { tx.postpone_media(&id, next).await }));
                    return put_off.await;
                }
                self.missed(account, &row.id, &missing);
                self.follow_up(account, row, None).await
            }
        }
    }

    /// The file as a further message, after a line that says how old it is; or, without it, that it will not come.
    async fn follow_up(
        &self,
        account: &Account,
        row: MediaRow,
        prepared: Option<Prepared>,
    ) -> Result<(), Error> {
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        let now = clock.now();
        let mark = late(account.language, now - row.created_at);
        let shape = serde_json::from_str(&row.source).ok().map(|source| match source {
            super::Source::Wechat { shape, .. } | super::Source::Im { shape, .. } => shape,
        });
        let shape = shape.unwrap_or(desk::Shape::File);
        let (parts, files) = match prepared {
            Some(prepared) => {
                let (content, body) = self.say(account, &prepared.content, true);
                let files: Vec<_> = prepared.files.into_iter().map(|made| (made.id, made.about)).collect();
                (vec![(None, mark), (content, body)], files)
            }
            None => {
                let wanted = desk::Content::Wanted { media: row.id.clone(), shape };
                let words = words_for(account.language, &wanted);
                (vec![(None, format!("{mark}\n{words}{}", not_loaded(account.language)))], Vec::new())
            }
        };
        let (account, desk) = (account.clone(), self.desk(account));
        let message = MessageId::new(&clock, &entropy);
        let ids: Vec<String> = files.iter().map(|(id, _)| id.clone()).collect();
        let of = account.clone();
        let done = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&row.account, &row.openid).await?;
                let settled = match files.is_empty() {
                    true => tx.lose_media(&row.id).await?,
                    false => keep_files(tx, &row, &files).await?,
                };
                let customer = tx.customer(&row.account, &row.openid).await?;
                let Some(customer) = customer.filter(|customer| settled && customer.subscribed) else {
                    return Ok(settled);
                };
                let conversation = customer.conversation;
                let agent = desk.agent_for(tx, &row.openid, conversation.as_deref(), now).await?;
                let ghost = ghost_for(tx, &account, &row.openid, now).await?;
                let first = tx.take_seqs(&row.account, &row.openid, parts.len() as i64).await?;
                tx.insert_message(NewMessage {
                    id: &message,
                    account: &row.account,
                    openid: &row.openid,
                    direction: Direction::In,
                    kind: shape.as_str(),
                    conversation: conversation.as_deref(),
                    author: None,
                    source_key: None,
                    said: None,
                    inbox: None,
                    created_at: now,
                })
                .await?;
                for ((at, (content, body)), seq) in parts.iter().enumerate().zip(first..) {
                    let id = DeliveryId::new(&clock, &entropy);
                    tx.insert_delivery(&id, &message, at as i64, body, &ghost, &agent, Some(seq), None, now)
                        .await?;
                    tx.set_content(id.as_str(), content.as_ref(), body).await?;
                }
                tx.enqueue(&[NewJob {
                    account: row.account.clone(),
                    openid: row.openid.clone(),
                    direction: Direction::In,
                    kind: "relay",
                    subject: message.as_str().to_owned(),
                    note: None,
                    since: now,
                    trace: trace::stored(),
                }])
                .await?;
                faults::point("media.late_before_commit");
                Ok(true)
            })
        });
        if !done.await? {
            self.drop_unknown(&of, ids).await;
        }
        self.wake();
        Ok(())
    }
}
