//! Media: one row per file, with what is known of it. The bytes are elsewhere, under the account and the row's id.
//!
//! A row comes before its bytes (`wanted`), and says `kept` only after them. What did not come in time is `late`: its
//! lane went on without it, and whoever claims the row fetches it beside the lane. WeChat's id of an upload is kept for as
//! long as it is good for, so that a file is uploaded once and sent often.

use crate::open::Store;
use crate::sql::{Error, Tx, execute, row, rows};
use desk::{Content, Millis, Reason};

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaState {
    /// To be fetched while its lane waits.
    Wanted,
    /// To be fetched beside its lane, which went on with words.
    Late,
    /// Its bytes are in the media store.
    Kept,
    /// It will not come.
    Lost,
}

impl MediaState {
    fn as_str(self) -> &'static str {
        match self {
            MediaState::Wanted => "wanted",
            MediaState::Late => "late",
            MediaState::Kept => "kept",
            MediaState::Lost => "lost",
        }
    }

    fn parse(word: &str) -> Option<MediaState> {
        use MediaState::*;
        [Wanted, Late, Kept, Lost].into_iter().find(|state| state.as_str() == word)
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRow {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The customer who sent it or is to get it.
    pub openid: String,
    /// The delivery that it came with.
    pub delivery: String,
    /// Where it stands.
    pub state: MediaState,
    /// Where it is to be fetched; the vocabulary is `bridge`'s.
    pub source: String,
    /// Tries of the fetch so far.
    pub tries: i64,
    /// When the first one began.
    pub first_try_at: Option<Millis>,
    /// When it was asked for.
    pub created_at: Millis,
    /// What is known of its bytes, once they are kept.
    pub file: MediaFile,
}

/// What is known of a file's bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaFile {
    /// Under which name it is offered.
    pub name: String,
    /// Under which type it is served.
    pub content_type: String,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Of pictures, in points.
    pub width: u32,
    /// Of pictures, in points.
    pub height: u32,
    /// Of sounds and videos.
    pub seconds: u64,
}

/// WeChat's id of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WechatMedia {
    /// `image`, `voice`, `video` or `thumb`.
    pub kind: String,
    /// The media_id.
    pub id: String,
    /// Until when it may be used.
    pub until: Millis,
}

type Row = (
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    i64,
    String,
    String,
    i64,
    String,
    i64,
    i64,
    i64,
);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, openid, delivery, state, source, tries, first_try_at, created_at, \
             name, content_type, size, sha256, width, height, seconds FROM media ",
            $rest
        )
    };
}

fn read(row: Row) -> Result<MediaRow, Error> {
    let (id, account, openid, delivery, state, source, tries, first_try_at, created_at, ..) = &row;
    let (.., name, content_type, size, sha256, width, height, seconds) = &row;
    let number = |value: &i64| u64::try_from(*value).unwrap_or(0);
    let points = |value: &i64| u32::try_from(*value).unwrap_or(0);
    Ok(MediaRow {
        id: id.clone(),
        account: account.clone(),
        openid: openid.clone(),
        delivery: delivery.clone(),
        state: MediaState::parse(state).ok_or(Error::Unknown("state of a file"))?,
        source: source.clone(),
        tries: *tries,
        first_try_at: *first_try_at,
        created_at: *created_at,
        file: MediaFile {
            name: name.clone(),
            content_type: content_type.clone(),
            size: number(size),
            sha256: sha256.clone(),
            width: points(width),
            height: points(height),
            seconds: number(seconds),
        },
    })
}

impl Store {
    /// A file that is kept.
    pub async fn kept_media(&self, id: &str) -> Result<Option<MediaRow>, Error> {
        let id = id.to_owned();
        let found = self.read(move |tx| Box::pin(async move { tx.media(&id).await })).await?;
        Ok(found.filter(|row| row.state == MediaState::Kept))
    }

    /// 32 random bytes that all nodes share, as hexadecimal: `fresh` if there are none yet.
    pub async fn shared_secret(&self, name: &'static str, fresh: String) -> Result<String, Error> {
        self.write(move |tx| {
            Box::pin(async move {
                let row = row!(
                    tx,
                    (String,),
                    "INSERT INTO meta (key, value) VALUES ($1, $2) \
                     ON CONFLICT (key) DO UPDATE SET value = meta.value RETURNING value",
                    name,
                    fresh.as_str()
                )?;
                row.map(|(secret,)| secret).ok_or(Error::Unknown("secret"))
            })
        })
        .await
    }
}

impl Tx<'_> {
    /// A file's row.
    pub async fn media(&mut self, id: &str) -> Result<Option<MediaRow>, Error> {
        row!(self, Row, select!("WHERE id = $1"), id)?.map(read).transpose()
    }

    /// Keeps that a file is wanted.
    pub async fn want_media(
        &mut self,
        id: &str,
        account: &str,
        openid: &str,
        delivery: &str,
        source: &str,
        now: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO media (id, account, openid, delivery, state, source, created_at) \
             VALUES ($1, $2, $3, $4, 'wanted', $5, $6)",
            id,
            account,
            openid,
            delivery,
            source,
            now
        )?;
        Ok(())
    }

    /// Keeps that another try of a fetch begins.
    pub async fn try_media(&mut self, id: &str, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE media SET tries = tries + 1, first_try_at = COALESCE(first_try_at, $2) WHERE id = $1",
            id,
            now
        )?;
        Ok(())
    }

    /// Its bytes are in the media store: false if somebody else has settled it.
    pub async fn keep_media(&mut self, id: &str, was: MediaState, file: &MediaFile) -> Result<bool, Error> {
        let changed = execute!(
            self,
            "UPDATE media SET state = 'kept', source = '', next_try_at = NULL, name = $3, content_type = $4, size = $5, \
             sha256 = $6, width = $7, height = $8, seconds = $9 WHERE id = $1 AND state = $2",
            id,
            was.as_str(),
            file.name.as_str(),
            file.content_type.as_str(),
            i64::try_from(file.size).unwrap_or(i64::MAX),
            file.sha256.as_str(),
            i64::from(file.width),
            i64::from(file.height),
            i64::try_from(file.seconds).unwrap_or(i64::MAX)
        )?;
        Ok(changed == 1)
    }

    /// It did not come in time: whoever claims it after `at` fetches it beside the lane.
    pub async fn postpone_media(&mut self, id: &str, at: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE media SET state = 'late', next_try_at = $2 WHERE id = $1 AND state IN ('wanted', 'late')",
            id,
            at
        )?;
        Ok(())
    }

    /// It will not come.
    pub async fn lose_media(&mut self, id: &str) -> Result<bool, Error> {
        let changed = execute!(
            self,
            "UPDATE media SET state = 'lost', source = '', next_try_at = NULL WHERE id = $1 AND state IN ('wanted', 'late')",
            id
        )?;
        Ok(changed == 1)
    }

    /// Whether there is a late file whose time has come.
    pub async fn is_media_late(&mut self, now: Millis) -> Result<bool, Error> {
        let sql = "SELECT id FROM media WHERE state = 'late' AND next_try_at <= $1 LIMIT 1";
        Ok(row!(self, (String,), sql, now)?.is_some())
    }

    /// Takes up to `most` late files whose time has come; nobody else gets them before `until`.
    pub async fn claim_late_media(
        &mut self,
        now: Millis,
        until: Millis,
        most: i64,
    ) -> Result<Vec<MediaRow>, Error> {
        // Two nodes may read the same rows; the condition is checked again on each before it is changed.
        let claimed = rows!(
            self,
            (String,),
            "UPDATE media SET next_try_at = $2, tries = tries + 1 WHERE state = 'late' AND next_try_at <= $1 AND id IN \
             (SELECT id FROM media WHERE state = 'late' AND next_try_at <= $1 ORDER BY next_try_at, id LIMIT $3) RETURNING id",
            now,
            until,
            most
        )?;
        let mut found = Vec::new();
        for (id,) in claimed {
            found.extend(self.media(&id).await?);
        }
        Ok(found)
    }

    /// What an upload gave.
    pub async fn uploaded_media(&mut self, id: &str, wechat: &WechatMedia) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE media SET wechat_kind = $2, wechat_id = $3, wechat_until = $4 WHERE id = $1",
            id,
            wechat.kind.as_str(),
            wechat.id.as_str(),
            wechat.until
        )?;
        Ok(())
    }

    /// The media_id of the same content in this account, uploaded as this kind, that is good beyond `now`.
    pub async fn upload_of(
        &mut self,
        account: &str,
        sha256: &str,
        kind: &str,
        now: Millis,
    ) -> Result<Option<WechatMedia>, Error> {
        let row = row!(
            self,
            (String, i64),
            "SELECT wechat_id, wechat_until FROM media WHERE account = $1 AND sha256 = $2 AND wechat_kind = $3 \
             AND wechat_id IS NOT NULL AND wechat_until > $4 ORDER BY wechat_until DESC LIMIT 1",
            account,
            sha256,
            kind,
            now
        )?;
        Ok(row.map(|(id, until)| WechatMedia { kind: kind.to_owned(), id, until }))
    }

    /// WeChat does not know the uploads of this content any more.
    pub async fn forget_uploads(&mut self, account: &str, sha256: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE media SET wechat_kind = NULL, wechat_id = NULL, wechat_until = NULL \
             WHERE account = $1 AND sha256 = $2 AND wechat_id IS NOT NULL",
            account,
            sha256
        )?;
        Ok(())
    }

    /// What a delivery carries beside its words, and those words.
    pub async fn set_content(
        &mut self,
        delivery: &str,
        content: Option<&Content>,
        body: &str,
    ) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET content = $2, body = $3 WHERE id = $1",
            delivery,
            content.map(Content::to_text),
            body
        )?;
        Ok(())
    }

    /// A part that cannot go out although its turn has not come: it fails when it comes.
    pub async fn spoil_delivery(&mut self, delivery: &str, reason: Reason, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE delivery SET state = 'failed', reason = $2, changed_at = $3 WHERE id = $1 AND state = 'waiting'",
            delivery,
            reason.as_str(),
            now
        )?;
        Ok(())
    }

    /// Up to `most` files of an account that were asked for before this time and that no delivery still needs, the
    /// oldest first. What is late is still to come, for the three days that WeChat keeps it.
    pub async fn old_media(
        &mut self,
        account: &str,
        before: Millis,
        most: i64,
    ) -> Result<Vec<String>, Error> {
        let found = rows!(
            self,
            (String,),
            "SELECT m.id FROM media m WHERE m.account = $1 AND m.created_at < $2 AND (m.state <> 'late' OR m.created_at < $2 - 259200000) AND NOT EXISTS \
             (SELECT 1 FROM delivery d WHERE d.id = m.delivery AND d.state NOT IN ('sent', 'failed', 'unsure')) \
             ORDER BY m.created_at, m.id LIMIT $3",
            account,
            before,
            most
        )?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// Up to `most` files of a customer.
    pub async fn media_of_customer(
        &mut self,
        account: &str,
        openid: &str,
        most: i64,
    ) -> Result<Vec<String>, Error> {
        let found = rows!(
            self,
            (String,),
            "SELECT id FROM media WHERE account = $1 AND openid = $2 ORDER BY id LIMIT $3",
            account,
            openid,
            most
        )?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// Forgets files whose bytes are gone.
    pub async fn remove_media(&mut self, ids: &[String]) -> Result<(), Error> {
        for id in ids {
            execute!(self, "DELETE FROM media WHERE id = $1", id.as_str())?;
        }
        Ok(())
    }

    /// Every account that has files.
    pub async fn accounts_with_media(&mut self) -> Result<Vec<String>, Error> {
        let mut accounts: Vec<String> = Vec::new();
        while let Some((Some(next),)) = row!(
            self,
            (Option<String>,),
            "SELECT MIN(account) FROM media WHERE account > $1",
            accounts.last().map_or("", String::as_str)
        )? {
            accounts.push(next);
        }
        Ok(accounts)
    }
}
