//! A customer is erased, in IM and in the store: by the operator's command, or because the customer withdrew an
//! authorisation or closed the WeChat account.
//!
//! The ghosts are given up first; IM forgets next, while their UserIDs are still known here, so that whoever is interrupted
//! begins again; the store's rows go last. Every step may be repeated.

use crate::convert::im_outcome;
use crate::worker::{Held, Step};
use crate::{Account, Bridge};
use desk::Millis;
use std::time::{Duration, Instant};
use store::{Error, Job, Lane, Traces};
use wechat::Event;

/// IM's code for deletion that is not enabled, and for an account that it does not have.
const DELETION_NOT_ENABLED: i64 = 71000;
const NO_ACCOUNT: i64 = 70107;
/// IM's codes for a message that is gone already, or so old that it is not found.
const GONE: [i64; 3] = [20022, 20023, 90054];
/// How long IM may take to tell of a message that was taken back.
const ECHOES: Duration = Duration::from_secs(3);
/// Accounts in one call.
const CHUNK: usize = 100;
/// How often it begins again because the customer wrote meanwhile.
const ROUNDS: usize = 5;

/// What became of the customer in IM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtIm {
    /// There was nothing.
    Nothing,
    /// Messages were taken back, so many, and the accounts deleted.
    Deleted(usize),
    /// Messages were taken back, so many; the accounts stay, since the console does not allow to delete them.
    Kept(usize),
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Rows of each table.
    pub rows: Vec<(&'static str, u64)>,
    /// What became of the customer in IM.
    pub im: AtIm,
    /// Pushes of the account that nobody could read so far: some may be the customer's.
    pub unreadable: i64,
    /// The UserIDs that IM has forgotten.
    ghosts: Vec<String>,
    /// When it began.
    since: Millis,
}

/// Why a customer could not be erased. What was done stays done; it may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The database failed.
    #[error("{0}")]
    Store(#[from] Error),
    /// There is no such account in the configuration.
    #[error("the configuration has no account {0:?}")]
    NoAccount(String),
    /// IM did not do its part; the code, or what happened to the call.
    #[error("IM could not forget the customer ({0}); nothing was removed here")]
    Im(String),
    /// The media store does not answer; the log has its words.
    #[error(
        "the media store did not remove the customer's files; the rows of the database stay until it does"
    )]
    Media,
    /// The customer writes faster than can be erased.
    #[error("the customer goes on writing")]
    Busy,
}

/// The openid of a customer who withdrew an authorisation or closed the WeChat account, and so asks to be erased.
pub(crate) fn asked_by(event: &Event) -> Option<&str> {
    match event {
        Event::UserAuthorizationRevoke(whose) | Event::UserAuthorizationCancellation(whose) => {
            Some(whose.open_id.as_str()).filter(|openid| !openid.is_empty())
        }
        _ => None,
    }
}

impl Bridge {
    /// What there is of a customer.
    ///
    /// # Errors
    /// The database failed.
    pub async fn traces_of(&self, account: &str, openid: &str) -> Result<Traces, EraseError> {
        Ok(self.inner.store.traces_of(account, openid).await?)
    }

    /// Erases a customer.
    ///
    /// # Errors
    /// See [`EraseError`].
    pub async fn erase(&self, account: &str, openid: &str) -> Result<Erased, EraseError> {
        self.erase_from(None, account, openid).await
    }

    /// Removes what IM has told meanwhile of the messages that were taken back, and a running gateway has stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn erase_echoes(&self, erased: &Erased) -> Result<u64, EraseError> {
        tokio::time::sleep(ECHOES).await;
        Ok(self.inner.store.erase_echoes(erased.ghosts.clone(), erased.since).await?)
    }

    async fn erase_from(
        &self,
        lane: Option<Lane>,
        account: &str,
        openid: &str,
    ) -> Result<Erased, EraseError> {
        let since = self.inner.clock.now();
        let owner = self.inner.accounts.get(account).cloned();
        let owner = owner.ok_or_else(|| EraseError::NoAccount(account.to_owned()))?;
        let mut im = AtIm::Nothing;
        for _ in 0..ROUNDS {
            let (id, who, now) = (account.to_owned(), openid.to_owned(), self.inner.clock.now());
            let retire = self
                .inner
                .store
                .write(move |tx| Box::pin(async move { tx.retire_ghosts(&id, &who, now).await }));
            retire.await?;
            let traces = self.inner.store.traces_of(account, openid).await?;
            let (unreadable, ghosts) = (traces.unreadable, traces.ghosts.clone());
            im = more(im, self.forget_in_im(&owner, &traces).await?);
            let files = self.erase_media(account, openid).await?;
            if self.has_media(account, openid).await? {
                return Err(EraseError::Media);
            }
            let now = self.inner.clock.now();
            let rows = self.inner.store.erase(account, openid, traces, lane.clone(), now).await?;
            if let Some(mut rows) = rows {
                let media = rows.iter_mut().find(|(table, _)| *table == "media");
                if let Some((_, count)) = media {
                    *count += files as u64;
                }
                metrics::counter!("tsunagi_erased_total", "account" => account.to_owned()).increment(1);
                tracing::info!(account, "a customer was erased");
                return Ok(Erased { rows, im, unreadable, ghosts, since });
            }
        }
        Err(EraseError::Busy)
    }

    /// Takes the messages back that agents can still see, then deletes the accounts.
    async fn forget_in_im(&self, account: &Account, traces: &Traces) -> Result<AtIm, EraseError> {
        if traces.ghosts.is_empty() {
            return Ok(AtIm::Nothing);
        }
        let mut agents = account.agents.clone();
        agents.extend(traces.agents.iter().filter(|agent| !account.agents.contains(agent)).cloned());
        let mut taken_back = 0;
        for ghost in &traces.ghosts {
            for agent in &agents {
                taken_back += self.take_back(account, ghost, agent).await?;
            }
        }
        for chunk in traces.ghosts.chunks(CHUNK) {
            let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
            let _ = self.inner.im_rate.wait("account_delete").await?;
            let started = Instant::now();
            let result =
                self.inner.im.account_delete(&ids, self.inner.entropy.u32(), self.inner.clock.now_s()).await;
            let told = im_outcome(&result);
            self.observe(&account.id, "account_delete", &told, started);
            let codes: Vec<i64> = match &result {
                Ok(items) => items.iter().map(|item| item.code).collect(),
                Err(im::CallError::Refused(code)) => vec![code.code],
                Err(_) => return Err(EraseError::Im(told.detail)),
            };
            if codes.contains(&DELETION_NOT_ENABLED) {
                metrics::counter!("tsunagi_alarms_total", "what" => "deletion_not_enabled").increment(1);
                return Ok(AtIm::Kept(taken_back));
            }
            if let Some(code) = codes.into_iter().find(|code| *code != 0 && *code != NO_ACCOUNT) {
                return Err(EraseError::Im(code.to_string()));
            }
        }
        Ok(AtIm::Deleted(taken_back))
    }

    /// Recalls everything that one chat holds.
    async fn take_back(&self, account: &Account, ghost: &str, agent: &str) -> Result<usize, EraseError> {
        let messages = self.whole_chat(&account.id, ghost, agent).await.map_err(EraseError::Im)?;
        let mut taken_back = 0;
        for message in messages.iter().filter(|message| !message.is_recalled()) {
            let _ = self.inner.im_rate.wait("admin_msgwithdraw").await?;
            let (random, now_s) = (self.inner.entropy.u32(), self.inner.clock.now_s());
            let started = Instant::now();
            let done =
                self.inner.im.recall(&message.from, &message.to, &message.msg_key, random, now_s).await;
            let told = im_outcome(&done);
            self.observe(&account.id, "admin_msgwithdraw", &told, started);
            match done {
                Ok(()) => taken_back += 1,
                Err(im::CallError::Refused(code)) if GONE.contains(&code.code) => {}
                Err(_) => return Err(EraseError::Im(told.detail)),
            }
        }
        Ok(taken_back)
    }

    /// Job `push` of an authorisation that was withdrawn, or of a WeChat account that was closed. It ends with the lane that
    /// it stands on.
    pub(crate) async fn erase_job(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
    ) -> Result<Step, Error> {
        held.before_call(self).await?;
        let (id, openid, lane) = (account.id.clone(), held.lane.openid.clone(), held.lane.clone());
        match held.renewing(self, self.erase_from(Some(lane), &id, &openid)).await? {
            Ok(erased) => {
                self.erase_echoes(&erased).await.map_err(|error| match error {
                    EraseError::Store(error) => error,
                    _ => Error::Closed,
                })?;
                // What is removed is overwritten at once; the log's old pages go with its next checkpoint.
                let _ = self.inner.store.compact(true).await;
                Ok(Step::Released)
            }
            Err(EraseError::Store(error)) => Err(error),
            Err(error) => {
                if self.inner.clock.now() - job.since > self.inner.patience.relay {
                    metrics::counter!("tsunagi_alarms_total", "what" => "erasure_failed").increment(1);
                    tracing::error!(account = id, %error, "a customer who asked for it could not be erased");
                    return self.finish(held, &job).await;
                }
                self.put_off(held, &job, self.pause(job.tries)).await
            }
        }
    }
}

/// What several rounds did together.
fn more(before: AtIm, now: AtIm) -> AtIm {
    match (before, now) {
        (AtIm::Nothing, now) => now,
        (before, AtIm::Nothing) => before,
        (AtIm::Deleted(a) | AtIm::Kept(a), AtIm::Deleted(b)) => AtIm::Deleted(a + b),
        (AtIm::Deleted(a) | AtIm::Kept(a), AtIm::Kept(b)) => AtIm::Kept(a + b),
    }
}
