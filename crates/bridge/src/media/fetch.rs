//! A file is fetched while its lane waits: a customer's as the first step of its relay, an agent's as the first step of its
//! answer. Every try may be repeated without harm; what was fetched is kept before anything says so.

use std::io::Read;
use std::time::Duration;

use desk::words::{no_link, not_loaded, still_loading};
use desk::{Content, DeliveryState, Language, Millis, Reason, Shape};
use media::{FetchError, ObjectsError, TempFile};
use secrecy::SecretString;
use store::{Delivery, Error, Job, MediaRow, MediaState, Tx, faults};
use wechat::{CallError, Download, Fault};

use super::prepare::{Brought, Prepared, Sent};
use super::{Source, count, object_key, words_for};
use crate::breaker::Operation;
use crate::convert::wechat_answers;
use crate::worker::{Held, Step};
use crate::{Account, Bridge};

/// The most that `media/get` is read of into memory, in bytes; WeChat's own limits are lower.
const GET_BYTES: u64 = 32 * 1024 * 1024;
/// The account may not call `media/get`, or not at all.
const NO_PERMISSION: [i64; 3] = [48001, 48004, 40200];
/// A customer's file has one try of so long, however late it is. In milliseconds.
const FIRST_TRY: Millis = 5_000;
/// How long a video's still picture may take, beside the video.
const STILL: Duration = Duration::from_secs(5);
/// How long an agent's file is tried for, before the agent is asked to send it again.
const AGENT_PATIENCE: Millis = 600_000;
/// How long, if a page answers in its place: a proxy's passes soon, any other stays.
const PAGE_PATIENCE: Millis = 30_000;

/// Why a file is not there yet, or never will be.
#[derive(Debug)]
pub(super) struct Missing {
    /// For how long more tries make sense; 0 if another would end the same way.
    patience: Millis,
    pub(super) reason: Reason,
    /// For the log: no address, no name.
    pub(super) detail: String,
}

impl Missing {
    fn later(detail: impl Into<String>) -> Missing {
        Missing { patience: AGENT_PATIENCE, reason: Reason::FileUnavailable, detail: detail.into() }
    }

    fn never(reason: Reason, detail: impl Into<String>) -> Missing {
        Missing { patience: 0, reason, detail: detail.into() }
    }

    pub(super) fn is_final(&self) -> bool {
        self.patience == 0
    }
}

impl From<FetchError> for Missing {
    fn from(error: FetchError) -> Missing {
        let reason = match error {
            FetchError::TooLarge(_) => Reason::MediaTooLarge,
            _ => Reason::FileUnavailable,
        };
        let patience = if error.is_final() { 0 } else { AGENT_PATIENCE };
        Missing { patience, reason, detail: error.to_string() }
    }
}

impl From<std::io::Error> for Missing {
    fn from(error: std::io::Error) -> Missing {
        Missing::later(format!("a temporary file: {error}"))
    }
}

impl From<ObjectsError> for Missing {
    fn from(error: ObjectsError) -> Missing {
        Missing::later(error.to_string())
    }
}

impl Bridge {
    /// The first step of a relay whose delivery carries a file that has still to be fetched.
    pub(crate) async fn fetch_for_agent(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        media: &str,
    ) -> Result<Step, Error> {
        let Some(row) = self.media_row(media).await? else {
            return self.say_instead(held, delivery, None, not_loaded(account.language)).await;
        };
        let now = self.inner.clock.now();
        let patience = self.inner.library.settings.fetch_patience;
        // From the message's arrival: of nine pictures at once, the ninth does not wait for nine minutes.
        let left = job.since + patience - now;
        let left = if row.tries == 0 { left.max(FIRST_TRY.min(patience)) } else { left };
        let brought = if left > 0 {
            let limit =
                Duration::from_millis(left.unsigned_abs()).min(self.inner.library.settings.fetch_timeout);
            self.begin_fetch(held, media).await?;
            held.renewing(self, self.fetch(account, &row, limit)).await?
        } else {
            Err(Missing::later("out of patience"))
        };
        match brought {
            Ok(prepared) => self.keep_fetched(held, account, delivery, prepared, &row).await,
            Err(missing) if missing.is_final() => {
                self.missed(account, media, &missing);
                self.say_instead(held, delivery, Some(Lost(media.to_owned())), not_loaded(account.language))
                    .await
            }
            Err(missing) => {
                let waited = self.inner.clock.now() - job.since;
                if waited < patience {
                    return self.put_off(held, &job, backoff(row.tries, 10_000).min(patience - waited)).await;
                }
                // The lane goes on with words; the file follows beside it when it comes.
                tracing::warn!(
                    account = account.id,
                    media,
                    detail = missing.detail,
                    "a file does not come in time"
                );
                count(account, "fetch", "late", 0);
                self.postpone(held, account.language, delivery, media).await
            }
        }
    }

    /// The first step of an answer: all files of its message, whichever part's turn it is, since an agent's links may be
    /// good for a short time only.
    pub(crate) async fn fetch_for_wechat(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        media: &str,
    ) -> Result<Step, Error> {
        let Some(row) = self.media_row(media).await? else {
            return self.spoil(held, delivery, Reason::FileUnavailable).await;
        };
        self.begin_fetch(held, media).await?;
        let limit = self.inner.library.settings.fetch_timeout;
        match held.renewing(self, self.fetch(account, &row, limit)).await? {
            Ok(prepared) => self.keep_fetched(held, account, delivery, prepared, &row).await,
            Err(missing) => {
                let waited = self.inner.clock.now() - job.since;
                if waited < missing.patience {
                    return self.put_off(held, &job, backoff(row.tries, 60_000)).await;
                }
                self.missed(account, media, &missing);
                self.spoil(held, delivery, missing.reason).await
            }
        }
    }

    async fn media_row(&self, media: &str) -> Result<Option<MediaRow>, Error> {
        let id = media.to_owned();
        self.inner.store.read(move |tx| Box::pin(async move { tx.media(&id).await })).await
    }

    async fn begin_fetch(&self, held: &Held, media: &str) -> Result<(), Error> {
        let (lane, id, now) = (held.lane.clone(), media.to_owned(), self.inner.clock.now());
        let begun = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                tx.try_media(&id, now).await
            })
        });
        begun.await
    }

    pub(super) fn missed(&self, account: &Account, media: &str, missing: &Missing) {
        tracing::warn!(account = account.id, media, detail = missing.detail, "a file will not come");
        count(account, "fetch", "lost", 0);
    }

    /// Fetches a file, makes it fit for the other side and keeps it in the media store.
    pub(super) async fn fetch(
        &self,
        account: &Account,
        row: &MediaRow,
        limit: Duration,
    ) -> Result<Prepared, Missing> {
        let source: Source = serde_json::from_str(&row.source)
            .map_err(|_| Missing::never(Reason::FileUnavailable, "its source cannot be read"))?;
        let begun = self.bring(account, source.clone(), limit);
        let brought = match tokio::time::timeout(limit + STILL + Duration::from_secs(1), begun).await {
            Ok(brought) => brought?,
            Err(_) => return Err(Missing::later("the download took too long")),
        };
        faults::point("media.after_download");
        if brought.sent.shape != Shape::File && is_page(&brought.file)? {
            let page = Missing::later("there is a page in place of the file");
            return Err(Missing { patience: PAGE_PATIENCE, ..page });
        }
        count(account, "fetch", "ok", brought.file.size());
        let prepared = match source {
            Source::Wechat { .. } => self.prepare_for_agent(&row.id, brought).await?,
            Source::Im { .. } => self.prepare_for_wechat(&row.id, brought).await?,
        };
        self.row_for_each(row, &prepared).await?;
        for made in &prepared.files {
            self.objects().put(&object_key(&account.id, &made.id), &made.file).await?;
        }
        faults::point("media.after_put");
        Ok(prepared)
    }

    /// What was made from the original has a row before it has bytes, so that nothing lies there of which nobody knows.
    async fn row_for_each(&self, row: &MediaRow, prepared: &Prepared) -> Result<(), Missing> {
        let made: Vec<String> = prepared.files.iter().skip(1).map(|made| made.id.clone()).collect();
        if made.is_empty() {
            return Ok(());
        }
        let (row, now) = (row.clone(), self.inner.clock.now());
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&row.account, &row.openid).await?;
                // Erased meanwhile.
                if tx.media(&row.id).await?.is_none() {
                    return Ok(());
                }
                for id in &made {
                    tx.want_media(id, &row.account, &row.openid, &row.delivery, "", now).await?;
                }
                Ok(())
            })
        });
        kept.await.map_err(|error| Missing::later(error.to_string()))
    }

    /// Takes bytes away whose rows were erased, or settled by somebody else, while they were fetched.
    pub(super) async fn drop_unknown(&self, account: &Account, ids: Vec<String>) {
        for id in ids {
            let known = self.media_row(&id).await;
            if known.is_ok_and(|row| row.is_none())
                && let Err(error) = self.objects().delete(&[object_key(&account.id, &id)]).await
            {
                tracing::warn!(account = account.id, media = id, %error, "bytes of an erased file stay");
            }
        }
    }

    async fn bring(&self, account: &Account, source: Source, limit: Duration) -> Result<Brought, Missing> {
        let most = self.inner.library.settings.max_bytes;
        match source {
            Source::Wechat { shape, media_id, better, address, still } => {
                let mut found = Err(Missing::never(Reason::FileUnavailable, "it has no media_id"));
                for id in better.iter().chain([&media_id]).filter(|id| !id.is_empty()) {
                    found = self.get_media(account, id, limit).await;
                    if found.is_ok() {
                        break;
                    }
                }
                // Accounts without this permission, and whatever else goes wrong there.
                if let (Err(first), Some(address)) = (&found, &address) {
                    tracing::debug!(
                        account = account.id,
                        detail = first.detail,
                        "media/get failed; trying PicUrl"
                    );
                    found = match self.ask_wechat(account, address, most, limit).await {
                        Ok(file) => Ok(file),
                        Err(second) if first.is_final() => Err(second),
                        Err(_) => found,
                    };
                }
                let file = found?;
                let still = match still.filter(|id| !id.is_empty()) {
                    Some(id) => {
                        let got = tokio::time::timeout(STILL, self.get_media(account, &id, STILL)).await;
                        got.ok().and_then(Result::ok).and_then(|file| file.bytes().ok())
                    }
                    None => None,
                };
                Ok(Brought { file, sent: Sent { still, shape, name: String::new(), seconds: None } })
            }
            Source::Im { shape, address, still, name, seconds } => {
                let fetcher = &self.inner.library.settings.fetcher;
                let file = fetcher.fetch(&address, most, limit).await?;
                let still = match still.filter(|address| !address.is_empty()) {
                    Some(address) => {
                        let still = fetcher.fetch(&address, GET_BYTES, STILL).await;
                        still.ok().and_then(|file| file.bytes().ok())
                    }
                    None => None,
                };
                let name = if shape == Shape::File { desk::content::file_name(&name) } else { String::new() };
                Ok(Brought { file, sent: Sent { still, shape, name, seconds } })
            }
        }
    }

    /// `media/get`; if WeChat refuses the token, once more with another.
    async fn get_media(
        &self,
        account: &Account,
        media_id: &str,
        limit: Duration,
    ) -> Result<TempFile, Missing> {
        let get = Operation::wechat(&account.id, "media/get");
        let pass = self.inner.breakers.ask(get, "", false);
        let pass = pass.map_err(|_| Missing::later("WeChat does not answer"))?;
        let token = self.inner.tokens.current(account).await;
        let token = token.map_err(|trouble| Missing::later(trouble.detail))?;
        let mut got = self.get_once(account, media_id, &token, limit).await;
        pass.end(wechat_answers(&got));
        if matches!(&got, Err(CallError::Refused(code)) if wechat::verdict(code.code) == wechat::Verdict::Token)
        {
            let token = self.inner.tokens.instead_of(account, &token).await;
            let token = token.map_err(|trouble| Missing::later(trouble.detail))?;
            got = self.get_once(account, media_id, &token, limit).await;
        }
        match got {
            Ok(Download::File(file)) => Ok(TempFile::of(&file.bytes)?),
            Ok(Download::Address(address)) => {
                self.ask_wechat(account, &address, self.inner.library.settings.max_bytes, limit).await
            }
            Err(CallError::Refused(code)) => {
                let detail = format!("media/get: {}", code.code);
                // A used quota and an address that is not listed pass; WeChat keeps the file for three days.
                let again = match wechat::verdict(code.code) {
                    wechat::Verdict::Retry | wechat::Verdict::Slow | wechat::Verdict::Token => true,
                    wechat::Verdict::Park | wechat::Verdict::Config => !NO_PERMISSION.contains(&code.code),
                    _ => false,
                };
                Err(if again {
                    Missing::later(detail)
                } else {
                    Missing::never(Reason::FileUnavailable, detail)
                })
            }
            Err(CallError::Unclear(Fault::TooLarge)) => {
                Err(Missing::never(Reason::MediaTooLarge, "media/get: the file is too large"))
            }
            Err(error) => Err(Missing::later(format!("media/get: {error}"))),
        }
    }

    async fn get_once(
        &self,
        account: &Account,
        media_id: &str,
        token: &SecretString,
        limit: Duration,
    ) -> Result<Download, CallError> {
        let most = GET_BYTES.min(self.inner.library.settings.max_bytes);
        let limit = limit.min(self.inner.library.settings.fetch_timeout);
        let client = account.client.clone().with_media_timeout(limit);
        client.get_media(token, media_id, usize::try_from(most).unwrap_or(usize::MAX)).await
    }

    /// An address that WeChat gave: on WeChat's own hosts alone, and through the guard all the same.
    async fn ask_wechat(
        &self,
        account: &Account,
        address: &str,
        most: u64,
        limit: Duration,
    ) -> Result<TempFile, Missing> {
        if !account.client.knows_address(address) {
            return Err(Missing::never(Reason::FileUnavailable, "the address is not WeChat's"));
        }
        Ok(self.inner.library.settings.fetcher.fetch(address, most, limit).await?)
    }

    /// Commits that a file is kept, and what the delivery carries from now on.
    async fn keep_fetched(
        &self,
        held: &Held,
        account: &Account,
        delivery: &Delivery,
        prepared: Prepared,
        row: &MediaRow,
    ) -> Result<Step, Error> {
        let (content, body) =
            self.say(account, &prepared.content, held.lane.direction == desk::Direction::In);
        let (lane, id, row) = (held.lane.clone(), delivery.id.clone(), row.clone());
        let files: Vec<_> = prepared.files.into_iter().map(|made| (made.id, made.about)).collect();
        let ids: Vec<String> = files.iter().map(|(id, _)| id.clone()).collect();
        faults::point("media.before_kept");
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                keep_files(tx, &row, &files).await?;
                tx.set_content(&id, content.as_ref(), &body).await
            })
        });
        if let Err(error) = kept.await {
            self.drop_unknown(account, ids).await;
            return Err(error);
        }
        faults::point("media.kept");
        Ok(Step::Again)
    }

    /// What a delivery carries, and the words that stand for it. Without a public address an agent's client could open
    /// nothing, and reads so.
    pub(super) fn say(
        &self,
        account: &Account,
        content: &Content,
        to_agent: bool,
    ) -> (Option<Content>, String) {
        let words = words_for(account.language, content);
        if to_agent && content.file().is_some() && !self.has_links() {
            return (None, format!("{words}{}", no_link(account.language)));
        }
        (Some(content.clone()), words)
    }

    /// The lane goes on with words in place of the file.
    async fn say_instead(
        &self,
        held: &Held,
        delivery: &Delivery,
        lost: Option<Lost>,
        why: &'static str,
    ) -> Result<Step, Error> {
        let body = format!("{}{why}", delivery.body);
        let (lane, id) = (held.lane.clone(), delivery.id.clone());
        let said = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                if let Some(Lost(media)) = &lost {
                    tx.lose_media(media).await?;
                }
                tx.set_content(&id, None, &body).await
            })
        });
        said.await?;
        Ok(Step::Again)
    }

    async fn postpone(
        &self,
        held: &Held,
        language: Language,
        delivery: &Delivery,
        media: &str,
    ) -> Result<Step, Error> {
        let body = format!("{}{}", delivery.body, still_loading(language));
        let (lane, id, media) = (held.lane.clone(), delivery.id.clone(), media.to_owned());
        let now = self.inner.clock.now();
        let said = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                tx.postpone_media(&media, now).await?;
                tx.set_content(&id, None, &body).await
            })
        });
        said.await?;
        faults::point("media.postponed");
        Ok(Step::Again)
    }

    /// The part fails when its turn comes, and the agent is told.
    async fn spoil(&self, held: &Held, delivery: &Delivery, reason: Reason) -> Result<Step, Error> {
        let (lane, id, now) = (held.lane.clone(), delivery.id.clone(), self.inner.clock.now());
        let spoiled = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                // What is wanted stays so: who has it sent again has it fetched again.
                tx.spoil_delivery(&id, reason, now).await
            })
        });
        spoiled.await?;
        Ok(Step::Again)
    }
}

/// No picture, sound or film begins as a proxy's page or a refusal does; but for drawings, which are documents.
fn is_page(file: &TempFile) -> std::io::Result<bool> {
    let mut start = [0; 64];
    let read = std::fs::File::open(file.path())?.read(&mut start)?;
    let start = start[..read].trim_ascii_start();
    let is_drawing = start.starts_with(b"<svg") || start.starts_with(b"<?xml");
    Ok(matches!(start.first(), Some(b'<' | b'{')) && !is_drawing)
}

/// The file that a part still waits for.
pub(crate) fn wanted(part: &Delivery) -> Option<&str> {
    match (part.state, &part.content) {
        (DeliveryState::Waiting, Some(Content::Wanted { media, .. })) => Some(media),
        _ => None,
    }
}

/// A file that will not come.
struct Lost(String);

/// The files of a fetch, the original first: false if somebody else has settled it.
pub(super) async fn keep_files(
    tx: &mut Tx<'_>,
    row: &MediaRow,
    files: &[(String, store::MediaFile)],
) -> Result<bool, Error> {
    let Some(((id, about), made)) = files.split_first() else { return Ok(false) };
    let was = if row.state == MediaState::Late { MediaState::Late } else { MediaState::Wanted };
    if !tx.keep_media(id, was, about).await? {
        return Ok(false);
    }
    for (id, about) in made {
        tx.keep_media(id, MediaState::Wanted, about).await?;
    }
    Ok(true)
}

/// Doubles from a second.
pub(super) fn backoff(tries: i64, most: Millis) -> Millis {
    (1_000_i64 << tries.clamp(0, 20)).min(most)
}
