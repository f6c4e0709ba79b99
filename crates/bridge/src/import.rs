//! All followers of an account become customers with a ghost: `tsunagi accounts import`.
//!
//! WeChat names the followers in pages of 10,000; a round of them is planned in one transaction, imported a hundred
//! at a time, and marked as living in another. Where it stands is kept with each round, so whoever is killed goes on
//! with the page that was under way; who is found living there is not imported again. Memory holds one page.

use crate::intake::names;
use crate::limiter::Limiter;
use crate::{Account, Bridge};
use desk::Millis;
use futures_util::stream::{self, StreamExt};
use im::{NewAccount, Verdict};
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{ImportState, Planned, faults};

/// Followers in one transaction; at most so many are imported twice after a kill.
const ROUND: usize = 1_000;
/// `multiaccount_import` takes so many.
const CALL: usize = 100;
/// Calls under way at once: with 100 ms for each, as many as the limit allows.
const AT_ONCE: usize = ROUND / CALL;
/// How often a call is tried that may go better the next time.
const TRIES: u32 = 10;
/// UserIDs of one follower that are tried, where IM takes the earlier ones no more.
const GENERATIONS: u32 = 5;

const DELETED_RECENTLY: i64 = 70399;
const NO_MORE_ACCOUNTS: i64 = 70398;
/// What WeChat says of a page that begins with somebody who left.
const NO_FOLLOWER: i64 = 40003;

/// Why an import stopped. What was imported stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no access_token; the text holds a code.
    #[error("WeChat gives no access_token: {0}")]
    Token(String),
    /// WeChat does not name the followers.
    #[error("WeChat does not name the followers: {}", wechat_words(.0))]
    Followers(#[source] wechat::CallError),
    /// IM does not take our calls, or has no room.
    #[error("IM refused: {0}")]
    Im(#[source] im::ErrorCode),
    /// IM did not answer, again and again.
    #[error("IM did not answer for too long")]
    Unreachable(#[source] im::CallError),
}

fn wechat_words(error: &wechat::CallError) -> String {
    match error {
        wechat::CallError::Refused(errcode) => {
            format!("{} ({})", errcode.code, wechat::describe(errcode.code))
        }
        other => other.to_string(),
    }
}

/// A follower who could not be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotImported {
    /// The account.
    pub account: String,
    /// The follower. Not for logs.
    pub openid: String,
    /// IM's code.
    pub code: i64,
}

/// Whom an import tells how it goes.
pub trait ImportWatcher: Send {
    /// After each round.
    fn progress(&mut self, state: &ImportState);
    /// For each follower who could not be imported.
    fn not_imported(&mut self, who: &NotImported);
}

impl Bridge {
    /// Imports the followers of an account, from where the last run stood. True when all were seen, false when
    /// `stop` ended it earlier.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn import_followers(
        &self,
        account: &Account,
        watcher: &mut dyn ImportWatcher,
        stop: Arc<AtomicBool>,
    ) -> Result<bool, ImportError> {
        let import = Import {
            bridge: self,
            account,
            // A tenth below the limit, which IM counts in its own way; and the gateway's own calls go first.
            many: Limiter::own((self.inner.im_calls_per_second * 9 / 10).max(1), &self.inner.entropy),
            single: Limiter::own((self.inner.im_calls_per_second / 4).max(1), &self.inner.entropy),
        };
        import.run(watcher, &stop).await
    }
}

struct Import<'a> {
    bridge: &'a Bridge,
    account: &'a Account,
    many: Limiter,
    single: Limiter,
}

/// What became of some of a round.
#[derive(Default)]
struct Done {
    living: Vec<String>,
    not_imported: Vec<NotImported>,
}

impl Import<'_> {
    async fn run(&self, watcher: &mut dyn ImportWatcher, stop: &AtomicBool) -> Result<bool, ImportError> {
        let store = &self.bridge.inner.store;
        let begun = store.import_state(&self.account.id).await?.filter(|state| state.finished_at.is_none());
        let mut state =
            begun.unwrap_or_else(|| ImportState { started_at: self.now(), ..ImportState::default() });
        loop {
            let read_at = self.now();
            let page = self.page(&mut state).await?;
            state.followers = i64::try_from(page.total).unwrap_or(i64::MAX);
            // Kept as it was at the page's beginning: whoever goes on there counts the page anew.
            let at_page = state.clone();
            for openids in page.openids.chunks(ROUND) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                let kept = ImportState { followers: state.followers, ..at_page.clone() };
                self.round(openids, read_at, &mut state, kept, watcher).await?;
            }
            match page.next_openid {
                Some(next) => state.next_openid = next,
                None => state.finished_at = Some(self.now()),
            }
            store.ghosts_live(&self.account.id, Vec::new(), state.clone(), self.now()).await?;
            if state.finished_at.is_some() {
                watcher.progress(&state);
                return Ok(true);
            }
        }
    }

    async fn round(
        &self,
        openids: &[String],
        read_at: Millis,
        state: &mut ImportState,
        kept: ImportState,
        watcher: &mut dyn ImportWatcher,
    ) -> Result<(), ImportError> {
        let store = &self.bridge.inner.store;
        let planned = self.plan(openids.to_vec(), read_at).await?;
        state.present += planned.present + planned.left;
        faults::point("import.after_plan");
        let calls = planned.planned.chunks(CALL).map(|some| self.import(some));
        let mut calls = stream::iter(calls).buffer_unordered(AT_ONCE);
        let mut done = Done::default();
        let mut stopped = None;
        // All calls of the round come to their end, so that what was imported is known.
        while let Some(some) = calls.next().await {
            match some {
                Ok(some) => {
                    done.living.extend(some.living);
                    done.not_imported.extend(some.not_imported);
                }
                Err(error) => stopped = Some(error),
            }
        }
        drop(calls);
        faults::point("import.after_calls");
        state.imported += done.living.len() as i64;
        state.failed += done.not_imported.len() as i64;
        store.ghosts_live(&self.account.id, done.living, kept, self.now()).await?;
        for who in &done.not_imported {
            watcher.not_imported(who);
        }
        watcher.progress(state);
        stopped.map_or(Ok(()), Err)
    }

    async fn plan(&self, openids: Vec<String>, read_at: Millis) -> Result<store::Round, ImportError> {
        let account = self.account.clone();
        let names = move |openid: &str, generation| names(&account, openid, generation);
        Ok(self
            .bridge
            .inner
            .store
            .plan_followers(&self.account.id, openids, names, read_at, self.now())
            .await?)
    }

    /// A page of followers.
    async fn page(&self, state: &mut ImportState) -> Result<wechat::Followers, ImportError> {
        let mut token = self.token(None).await?;
        let mut renewed = false;
        let mut tries = 0;
        loop {
            let next = Some(state.next_openid.as_str()).filter(|next| !next.is_empty());
            let error = match self.account.client.followers(&token, next).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let code = match &error {
                wechat::CallError::Refused(errcode) => Some(errcode.code),
                _ => None,
            };
            match code.map(wechat::verdict) {
                Some(wechat::Verdict::Token) if !renewed => {
                    renewed = true;
                    token = self.token(Some(&token)).await?;
                }
                _ if code == Some(NO_FOLLOWER) && next.is_some() => {
                    // Whoever the page began with has left: from the beginning, past those who are there.
                    *state = ImportState { started_at: state.started_at, ..ImportState::default() };
                }
                Some(wechat::Verdict::Slow) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                None | Some(wechat::Verdict::Retry) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(pause(tries)).await;
                }
                _ => return Err(ImportError::Followers(error)),
            }
        }
    }

    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, ImportError> {
        let tokens = &self.bridge.inner.tokens;
        let token = match refused {
            None => tokens.current(self.account).await,
            Some(refused) => tokens.instead_of(self.account, refused).await,
        };
        token.map_err(|trouble| ImportError::Token(trouble.detail))
    }

    /// Imports at most a hundred. Those who fail are asked for one by one, because only so IM says why.
    async fn import(&self, some: &[Planned]) -> Result<Done, ImportError> {
        let accounts: Vec<NewAccount> = some
            .iter()
            .map(|one| NewAccount {
                user_id: one.user_id.clone(),
                nick: Some(self.nick(one)),
                face_url: None,
            })
            .collect();
        let mut tries = 0;
        let failed = loop {
            let _ = self.many.wait("multiaccount_import").await?;
            let _ = self.bridge.inner.im_rate.wait_behind("multiaccount_import").await?;
            let (random, now_s) = (self.bridge.inner.entropy.u32(), self.bridge.inner.clock.now_s());
            match self.bridge.inner.im.accounts_import(&accounts, random, now_s).await {
                Ok(failed) => break failed,
                // Somebody among them may be at fault.
                Err(error) => {
                    if self.again(error, &mut tries).await?.is_some() {
                        break accounts.iter().map(|account| account.user_id.clone()).collect();
                    }
                }
            }
        };
        let mut done = Done::default();
        for one in some {
            if failed.contains(&one.user_id) {
                match self.import_single(one).await? {
                    Ok(user_id) => done.living.push(user_id),
                    Err(who) => done.not_imported.push(who),
                }
            } else {
                done.living.push(one.user_id.clone());
            }
        }
        Ok(done)
    }

    /// Imports one; gives the UserID under which it lives.
    async fn import_single(&self, one: &Planned) -> Result<Result<String, NotImported>, ImportError> {
        let mut planned = one.clone();
        let (mut tries, mut generations) = (0, 1);
        let code = loop {
            let _ = self.single.wait("account_import").await?;
            let _ = self.bridge.inner.im_rate.wait_behind("account_import").await?;
            let (random, now_s) = (self.bridge.inner.entropy.u32(), self.bridge.inner.clock.now_s());
            let nick = self.nick(&planned);
            let call =
                self.bridge.inner.im.account_import(&planned.user_id, Some(&nick), None, random, now_s);
            let Err(error) = call.await else { return Ok(Ok(planned.user_id)) };
            match self.again(error, &mut tries).await? {
                Some(DELETED_RECENTLY) if generations < GENERATIONS => {
                    generations += 1;
                    self.bridge.inner.store.retire_ghost(&planned.user_id, self.now()).await?;
                    let mut round = self.plan(vec![planned.openid.clone()], self.now()).await?;
                    match round.planned.pop() {
                        Some(next) => planned = next,
                        None => break DELETED_RECENTLY,
                    }
                }
                Some(code) => break code,
                None => {}
            }
        };
        Ok(Err(NotImported { account: self.account.id.clone(), openid: planned.openid, code }))
    }

    /// After a failed call: waits where it may go better then, gives the code where this follower (or one of these)
    /// is at fault, and ends the import where nobody can be imported.
    async fn again(&self, error: im::CallError, tries: &mut u32) -> Result<Option<i64>, ImportError> {
        *tries += 1;
        let im::CallError::Refused(code) = error else {
            if *tries >= TRIES {
                return Err(ImportError::Unreachable(error));
            }
            tokio::time::sleep(pause(*tries)).await;
            return Ok(None);
        };
        match code.verdict() {
            _ if code.code == NO_MORE_ACCOUNTS => Err(ImportError::Im(code)),
            _ if code.code == DELETED_RECENTLY => Ok(Some(code.code)),
            Verdict::Slow if *tries < TRIES * 6 => {
                metrics::counter!("tsunagi_import_slowed_total", "account" => self.account.id.clone())
                    .increment(1);
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(None)
            }
            Verdict::Retry if *tries < TRIES => {
                tokio::time::sleep(pause(*tries)).await;
                Ok(None)
            }
            Verdict::Slow | Verdict::Retry | Verdict::Config => Err(ImportError::Im(code)),
            _ => Ok(Some(code.code)),
        }
    }

    fn nick(&self, one: &Planned) -> String {
        desk::ghost::nickname(&self.account.id, &one.openid)
    }

    fn now(&self) -> Millis {
        self.bridge.inner.clock.now()
    }
}

/// Half a second, then longer, at most half a minute.
fn pause(tries: u32) -> Duration {
    Duration::from_millis(500 << tries.saturating_sub(1).min(6)).min(Duration::from_secs(30))
}
