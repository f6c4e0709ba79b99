//! Media on their way, both ways: fetched (`fetch.rs`), made fit for the other side (`prepare.rs`), fetched late beside the
//! lane (`late.rs`), uploaded to WeChat (`upload.rs`), purged (`purge.rs`).
//!
//! A file has a row before it has bytes ([`store::MediaRow`]); its bytes are in the media store under the account and the
//! row's id. Links to it are signed with a key that the store keeps, so that all nodes make and take the same ones.

mod fetch;
mod late;
mod prepare;
mod purge;
mod upload;

pub(crate) use fetch::wanted;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use desk::{Content, Language, Millis, Shape};
use media::{Fetcher, Ffmpeg, LinkKey, Objects};
use serde::{Deserialize, Serialize};
use store::{Delivery, Error, Store};
use tokio::sync::Semaphore;

use crate::{Account, Bridge};

/// The name of the key that signs links, among the secrets that all nodes share.
const LINK_KEY: &str = "media_link_key";

/// What an operator may set of media.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Where files are kept.
    pub objects: Objects,
    /// Downloads from addresses that strangers chose.
    pub fetcher: Fetcher,
    /// For voices and covers, where it is found.
    pub ffmpeg: Option<Ffmpeg>,
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// How long one download may take.
    pub fetch_timeout: Duration,
    /// How long a lane waits for a customer's file before it goes on with words.
    pub fetch_patience: Millis,
    /// How many seconds a link is good for; 0 for as long as the file is kept.
    pub link_lifetime: u64,
}

/// Everything that deals with files. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Library {
    pub(crate) settings: MediaSettings,
    key: LinkKey,
    /// Pictures take much memory while they are decoded: one at a time.
    bench: Arc<Semaphore>,
    /// What links begin with; empty where the gateway has no public address.
    base: Arc<OnceLock<String>>,
}

/// Where a file is to be fetched, as the database keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub(crate) enum Source {
    /// A customer's message.
    Wechat {
        shape: Shape,
        media_id: String,
        /// A better variant of a voice.
        better: Option<String>,
        /// Where a picture can be had without a token.
        address: Option<String>,
        /// The media_id of a video's still picture.
        still: Option<String>,
    },
    /// An agent's message.
    Im {
        shape: Shape,
        address: String,
        /// Where a video's still picture is.
        still: Option<String>,
        name: String,
        seconds: Option<u64>,
    },
}

impl Library {
    /// Opens the key that signs links.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn open(
        settings: MediaSettings,
        store: &Store,
        entropy: &desk::Entropy,
    ) -> Result<Library, Error> {
        let fresh = hex::encode(entropy.bytes::<32>());
        let secret = store.shared_secret(LINK_KEY, fresh).await?;
        let mut key = [0; 32];
        hex::decode_to_slice(&secret, &mut key).map_err(|_| Error::Unknown("key of media links"))?;
        let (key, bench) = (LinkKey::new(key), Arc::new(Semaphore::new(1)));
        Ok(Library { settings, key, bench, base: Arc::default() })
    }

    /// The link to a file; none where the gateway has no public address.
    pub(crate) fn link(&self, id: &str, name: &str) -> Option<String> {
        let base = self.base.get().filter(|base| !base.is_empty())?;
        let token = self.key.token(id, self.until(id));
        let name: String = percent_encoded(name);
        Some(format!("{base}/media/{id}/{token}/{name}"))
    }

    /// The link under which anybody who has it can open what a delivery carries; none for words and places, while the file
    /// is still wanted, and where the gateway has no public address.
    pub(crate) fn link_of(&self, content: &Content) -> Option<String> {
        let (id, name) = content.file()?;
        self.link(id, &name)
    }

    /// A delivery as words alone, with the link to what it carries on a line of its own: for wherever nothing but text can
    /// go.
    pub(crate) fn as_words(&self, delivery: &Delivery) -> String {
        match delivery.content.as_ref().and_then(|content| self.link_of(content)) {
            Some(link) => format!("{}\n{link}", delivery.body),
            None => delivery.body.clone(),
        }
    }

    /// Until when a link to this file is good: the same each time that the link is made.
    fn until(&self, id: &str) -> u64 {
        match self.settings.link_lifetime {
            0 => 0,
            // An id begins with the millisecond in which it was made.
            lifetime => {
                let made = id.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
                (made / 1000 + lifetime).max(1)
            }
        }
    }
}

impl Bridge {
    /// What links to media begin with, without a slash at the end; the first call decides.
    pub fn set_public_url(&self, base: &str) {
        let _ = self.inner.library.base.set(base.trim_end_matches('/').to_owned());
    }

    /// Whether links to media can be made.
    pub(crate) fn has_links(&self) -> bool {
        self.inner.library.base.get().is_some_and(|base| !base.is_empty())
    }

    /// See [`Library::link_of`].
    pub(crate) fn link_of(&self, content: &Content) -> Option<String> {
        self.inner.library.link_of(content)
    }

    /// See [`Library::as_words`].
    pub(crate) fn as_words(&self, delivery: &Delivery) -> String {
        self.inner.library.as_words(delivery)
    }

    /// Whether a link is genuine and still good.
    pub fn knows_link(&self, id: &str, token: &str) -> bool {
        self.inner.library.key.verify(id, token, self.inner.clock.now_s())
    }

    /// Where files are kept.
    pub fn objects(&self) -> &Objects {
        &self.inner.library.settings.objects
    }
}

/// The key of a file's bytes in the media store.
pub fn object_key(account: &str, id: &str) -> String {
    format!("{account}/{id}")
}

/// The words that stand for a file.
pub(crate) fn words_for(language: Language, content: &Content) -> String {
    use desk::content::size_words;
    use desk::words::{Kind, kind};
    let length = |seconds: u64| if seconds > 0 { format!(" {seconds}″") } else { String::new() };
    let word = |shape: Shape| {
        kind(
            language,
            match shape {
                Shape::Image => Kind::Image,
                Shape::Voice => Kind::Voice,
                Shape::Video => Kind::Video,
                Shape::File => Kind::File,
            },
        )
    };
    match content {
        Content::Wanted { shape, .. } => word(*shape).to_owned(),
        Content::Image { .. } => word(Shape::Image).to_owned(),
        Content::Voice { seconds, .. } => format!("{}{}", word(Shape::Voice), length(*seconds)),
        Content::Video { seconds, .. } => format!("{}{}", word(Shape::Video), length(*seconds)),
        Content::File { shape: Shape::File, name, size, .. } => {
            format!("{} {name} ({})", word(Shape::File), size_words(*size))
        }
        Content::File { shape, size, .. } => format!("{} ({})", word(*shape), size_words(*size)),
        Content::Place { name, .. } => format!("{} {name}", kind(language, Kind::Location)).trim().to_owned(),
    }
}

fn percent_encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What happened to a file, for the metrics.
fn count(account: &Account, what: &'static str, outcome: &'static str, bytes: u64) {
    metrics::counter!("tsunagi_media_total", "account" => account.id.clone(), "what" => what, "outcome" => outcome)
        .increment(1);
    if bytes > 0 {
        metrics::counter!("tsunagi_media_bytes_total", "account" => account.id.clone(), "what" => what)
            .increment(bytes);
    }
}
