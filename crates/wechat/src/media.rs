//! Media before their upload: what WeChat takes, by size and by content. Start at [`Media::new`].
//!
//! Vendor page: `/doc/service/api/material/temporary/api_uploadtempmedia`.

mod sniff;

use std::fmt;

pub use sniff::MediaFormat;

/// The kinds of media that can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture: PNG, JPEG or GIF, [`MAX_IMAGE`].
    Image,
    /// A voice message: AMR or MP3, [`MAX_VOICE`] and [`MAX_VOICE_SECONDS`].
    Voice,
    /// A video: MP4, [`MAX_VIDEO`].
    Video,
    /// The still picture of a video or of a piece of music: JPEG, [`MAX_THUMB`].
    Thumb,
}

/// Largest picture, in bytes: 10 MiB. The same page of WeChat's says 2 MB elsewhere, so [`SAFE_IMAGE`] is safer.
pub const MAX_IMAGE: usize = 10 * 1024 * 1024;
/// Size up to which both of WeChat's statements about pictures agree, in bytes: 2 MiB.
pub const SAFE_IMAGE: usize = 2 * 1024 * 1024;
/// Largest voice message, in bytes: 2 MiB.
pub const MAX_VOICE: usize = 2 * 1024 * 1024;
/// Longest voice message, in seconds; a longer one gets 45007. Checked for AMR alone, whose length shows.
pub const MAX_VOICE_SECONDS: usize = 60;
/// Largest video, in bytes: 10 MiB.
pub const MAX_VIDEO: usize = 10 * 1024 * 1024;
/// Largest still picture, in bytes: 64 KiB.
pub const MAX_THUMB: usize = 64 * 1024;
/// Sizes of pictures for articles stay below this, in bytes: 1 MiB.
pub const ARTICLE_IMAGE_LIMIT: usize = 1024 * 1024;

/// Why WeChat would refuse a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is nothing in it (44001).
    #[error("the file is empty")]
    Empty,
    /// It is too large (40006, 40009 to 40012, 45001).
    #[error("the file has {given} bytes, and at most {limit} are taken")]
    TooLarge {
        /// Its size in bytes.
        given: usize,
        /// The largest size in bytes.
        limit: usize,
    },
    /// It is of a format that this kind does not allow (40005).
    #[error("the file is {found}, and {kind} must be {allowed}")]
    Format {
        /// What it was to be.
        kind: &'static str,
        /// What its content says.
        found: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The voice message is longer than a minute (45007).
    #[error("the voice message has {0} seconds, and at most 60 are taken")]
    TooLong(usize),
}

/// A file that WeChat will take, as far as can be seen from here.
///
/// ```
/// use wechat::{Media, MediaError, MediaFormat, MediaKind};
///
/// let voice = Media::new(MediaKind::Voice, b"#!AMR\n\x3c0123456789abcdef0123456789abcde".to_vec())?;
/// assert_eq!(voice.format(), MediaFormat::Amr);
/// assert_eq!(voice.file_name(), "media.amr");
///
/// // Voice messages of other messengers are often SILK in a file called `.amr`: convert them first.
/// let silk = Media::new(MediaKind::Voice, b"\x02#!SILK_V3....".to_vec()).unwrap_err();
/// assert_eq!(silk.to_string(), "the file is SILK, and voice must be AMR or MP3");
/// # Ok::<(), MediaError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    kind: MediaKind,
    format: MediaFormat,
    bytes: Vec<u8>,
}

/// A picture for the inside of an article, for [`crate::Client::upload_article_image`].
#[derive(Clone, PartialEq, Eq)]
pub struct ArticleImage(pub(crate) Media);

impl MediaKind {
    /// WeChat's name of the kind, the parameter `type`.
    pub fn name(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Voice => "voice",
            MediaKind::Video => "video",
            MediaKind::Thumb => "thumb",
        }
    }

    /// Its largest size in bytes.
    pub fn max_bytes(self) -> usize {
        match self {
            MediaKind::Image => MAX_IMAGE,
            MediaKind::Voice => MAX_VOICE,
            MediaKind::Video => MAX_VIDEO,
            MediaKind::Thumb => MAX_THUMB,
        }
    }

    /// Its formats.
    pub fn formats(self) -> &'static [MediaFormat] {
        match self {
            MediaKind::Image => &[MediaFormat::Png, MediaFormat::Jpeg, MediaFormat::Gif],
            MediaKind::Voice => &[MediaFormat::Amr, MediaFormat::Mp3],
            MediaKind::Video => &[MediaFormat::Mp4],
            MediaKind::Thumb => &[MediaFormat::Jpeg],
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            MediaKind::Image => "PNG, JPEG or GIF",
            MediaKind::Voice => "AMR or MP3",
            MediaKind::Video => "MP4",
            MediaKind::Thumb => "JPEG",
        }
    }

    /// Whether WeChat would take this file for this kind. The format is that of the content: a file's name
    /// counts for nothing.
    ///
    /// # Errors
    ///
    /// See [`MediaError`].
    pub fn check(self, bytes: &[u8]) -> Result<MediaFormat, MediaError> {
        check(bytes, self.name(), self.max_bytes(), self.formats(), self.allowed())
    }
}

impl Media {
    /// Takes a file for an upload after [`MediaKind::check`].
    ///
    /// # Errors
    ///
    /// See [`MediaError`].
    pub fn new(kind: MediaKind, bytes: Vec<u8>) -> Result<Media, MediaError> {
        let format = kind.check(&bytes)?;
        Ok(Media { kind, format, bytes })
    }

    /// What it is.
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// What its content says that it is.
    pub fn format(&self) -> MediaFormat {
        self.format
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name that it is uploaded under: ASCII, with the extension of its format, because WeChat judges by
    /// that. The customer never sees it.
    pub fn file_name(&self) -> &'static str {
        match self.format {
            MediaFormat::Png => "media.png",
            MediaFormat::Jpeg => "media.jpg",
            MediaFormat::Gif => "media.gif",
            MediaFormat::Amr => "media.amr",
            MediaFormat::Mp3 => "media.mp3",
            MediaFormat::Mp4 => "media.mp4",
        }
    }
}

impl ArticleImage {
    /// Takes a PNG or JPEG of less than 1 MiB.
    ///
    /// # Errors
    ///
    /// See [`MediaError`].
    pub fn new(bytes: Vec<u8>) -> Result<ArticleImage, MediaError> {
        let formats = &[MediaFormat::Png, MediaFormat::Jpeg];
        let format = check(&bytes, "an article's image", ARTICLE_IMAGE_LIMIT - 1, formats, "PNG or JPEG")?;
        Ok(ArticleImage(Media { kind: MediaKind::Image, format, bytes }))
    }
}

fn check(
    bytes: &[u8],
    kind: &'static str,
    limit: usize,
    formats: &[MediaFormat],
    allowed: &'static str,
) -> Result<MediaFormat, MediaError> {
    if bytes.is_empty() {
        return Err(MediaError::Empty);
    }
    let format = MediaFormat::of(bytes)
        .filter(|format| formats.contains(format))
        .ok_or_else(|| MediaError::Format { kind, found: sniff::name(bytes), allowed })?;
    if bytes.len() > limit {
        return Err(MediaError::TooLarge { given: bytes.len(), limit });
    }
    match sniff::amr_seconds(bytes) {
        Some(seconds) if seconds > MAX_VOICE_SECONDS => Err(MediaError::TooLong(seconds)),
        _ => Ok(format),
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Media");
        debug
            .field("kind", &self.kind)
            .field("format", &self.format)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl fmt::Debug for ArticleImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArticleImage").field(&self.0).finish()
    }
}
