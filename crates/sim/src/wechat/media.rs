//! The account's files: temporary ones for three days by the simulator's clock, permanent ones for good (§8).
//!
//! A file is known by its media_id to the API, and by a name of its own to whoever has its address: customers' pictures
//! (`PicUrl`), second downloads of videos and uploaded pictures need no token.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use super::formats::Format;
use crate::chance::Chance;

const LIFE_MS: i64 = 3 * 24 * 3_600_000;
/// How long the bytes stay behind addresses that were given out (the real time is not known).
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MediaKind {
    Image,
    Voice,
    Video,
    /// The small picture of a video or a card.
    Thumb,
    /// An article collection; permanent only.
    News,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    pub(crate) kind: MediaKind,
    pub(crate) format: Format,
    pub(crate) bytes: Bytes,
    /// Of permanent videos.
    pub(crate) title: String,
    pub(crate) introduction: String,
    /// Whether it was recorded in a web page, for `media/get/jssdk`.
    pub(crate) jssdk: bool,
    created_ms: i64,
    permanent: bool,
    address: String,
}

/// All files of one account.
#[derive(Debug, Default)]
pub(crate) struct MediaStore {
    files: BTreeMap<String, Media>,
    /// Address to media_id.
    addresses: BTreeMap<String, String>,
}

impl Media {
    pub(crate) fn new(kind: MediaKind, format: Format, bytes: Bytes) -> Media {
        Media {
            kind,
            format,
            bytes,
            title: String::new(),
            introduction: String::new(),
            jssdk: false,
            created_ms: 0,
            permanent: false,
            address: String::new(),
        }
    }

    /// The same, with the words of a permanent video.
    pub(crate) fn titled(self, title: String, introduction: String) -> Media {
        Media { title, introduction, ..self }
    }

    /// The same, permanent.
    pub(crate) fn permanent(self) -> Media {
        Media { permanent: true, ..self }
    }

    fn lives(&self, now_ms: i64) -> bool {
        self.permanent || now_ms < self.created_ms + LIFE_MS
    }

    /// Where the file can be fetched without a token, below the API's own address.
    pub(crate) fn path(&self) -> String {
        match self.kind {
            MediaKind::Video => format!("/video/{}", self.address),
            _ => format!("/mmbiz_{}/{}/0", self.format.extension(), self.address),
        }
    }
}

impl MediaStore {
    /// Keeps a file; its media_id.
    pub(crate) fn add(&mut self, media: Media, now_ms: i64, chance: &Chance) -> String {
        self.files.retain(|_, file| file.permanent || now_ms < file.created_ms + KEPT_MS);
        let files = &self.files;
        self.addresses.retain(|_, id| files.contains_key(id));
        let (media_id, address) = (chance.hex(64), chance.hex(48));
        self.addresses.insert(address.clone(), media_id.clone());
        self.files.insert(media_id.clone(), Media { created_ms: now_ms, address, ..media });
        media_id
    }

    /// A temporary file that has not expired.
    pub(crate) fn temporary(&self, media_id: &str, now_ms: i64) -> Option<&Media> {
        self.files.get(media_id).filter(|file| !file.permanent && file.lives(now_ms))
    }

    /// A permanent file.
    pub(crate) fn lasting(&self, media_id: &str) -> Option<&Media> {
        self.files.get(media_id).filter(|file| file.permanent)
    }

    /// Whether a message may use the file as one of these kinds.
    pub(crate) fn usable(&self, media_id: &str, kinds: &[MediaKind], now_ms: i64) -> bool {
        self.files.get(media_id).is_some_and(|file| file.lives(now_ms) && kinds.contains(&file.kind))
    }

    /// The file, whatever its age.
    pub(crate) fn file(&self, media_id: &str) -> Option<&Media> {
        self.files.get(media_id)
    }

    /// The file at an address of [`Media::path`].
    pub(crate) fn at(&self, path: &str) -> Option<&Media> {
        let address = path.split('/').nth(2)?;
        self.files.get(self.addresses.get(address)?).filter(|file| file.path() == path)
    }

    /// Deletes a permanent file; whether there was one.
    pub(crate) fn delete(&mut self, media_id: &str) -> bool {
        self.lasting(media_id).is_some() && self.files.remove(media_id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn f41_a_temporary_file_lives_three_days_and_a_permanent_one_until_it_is_deleted() {
        let (mut store, chance) = (MediaStore::default(), Chance::new(1));
        let picture = || Media::new(MediaKind::Image, Format::Jpeg, Bytes::from_static(b"x"));
        let temporary = store.add(picture(), 0, &chance);
        let lasting = store.add(picture().permanent(), 0, &chance);
        let image = [MediaKind::Image];
        for (at, lives) in [(3 * DAY - 1, true), (3 * DAY, false)] {
            assert_eq!(store.usable(&temporary, &image, at), lives);
            assert_eq!(store.temporary(&temporary, at).is_some(), lives);
            assert!(store.usable(&lasting, &image, at) && store.temporary(&lasting, at).is_none());
        }
        assert!(!store.usable(&temporary, &[MediaKind::Voice], 0), "another kind");
        let path = store.file(&temporary).unwrap().path();
        assert!(path.starts_with("/mmbiz_jpg/") && store.at(&path).is_some());
        assert!(store.at(&path.replace("jpg", "png")).is_none());
        assert!(store.delete(&lasting) && !store.delete(&lasting) && !store.delete(&temporary));
        store.add(picture(), 30 * DAY, &chance);
        assert!(store.at(&path).is_none(), "the bytes are gone");
    }
}
