//! What a file is, by its first bytes. Start at [`MediaFormat::of`].

/// The formats that WeChat takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaFormat {
    /// `image/png`.
    Png,
    /// `image/jpeg`.
    Jpeg,
    /// `image/gif`.
    Gif,
    /// `audio/amr`, narrow or wide band.
    Amr,
    /// `audio/mpeg`, layer III.
    Mp3,
    /// `video/mp4`.
    Mp4,
}

const AMR_NARROW: &[u8] = b"#!AMR\n";

impl MediaFormat {
    /// The format of a file, by its content. `None` for what WeChat does not take.
    pub fn of(bytes: &[u8]) -> Option<MediaFormat> {
        Some(match bytes {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => MediaFormat::Png,
            [0xff, 0xd8, 0xff, ..] => MediaFormat::Jpeg,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => MediaFormat::Gif,
            _ if bytes.starts_with(AMR_NARROW) || bytes.starts_with(b"#!AMR-WB\n") => MediaFormat::Amr,
            [b'I', b'D', b'3', ..] => MediaFormat::Mp3,
            // Frame sync of MPEG 1, 2 or 2.5 in layer III, with a bit rate and a sampling rate that exist.
            [0xff, kind, rate, ..]
                if kind & 0xe6 == 0xe2
                    && kind & 0x18 != 0x08
                    && rate & 0xf0 != 0xf0
                    && rate & 0x0c != 0x0c =>
            {
                MediaFormat::Mp3
            }
            // QuickTime looks the same but for its brand.
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if !brand.starts_with(b"qt  ") => {
                MediaFormat::Mp4
            }
            _ => return None,
        })
    }

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            MediaFormat::Png => "image/png",
            MediaFormat::Jpeg => "image/jpeg",
            MediaFormat::Gif => "image/gif",
            MediaFormat::Amr => "audio/amr",
            MediaFormat::Mp3 => "audio/mpeg",
            MediaFormat::Mp4 => "video/mp4",
        }
    }
}

/// The name of a format for people, also of some that WeChat does not take.
pub(super) fn name(bytes: &[u8]) -> &'static str {
    match MediaFormat::of(bytes) {
        Some(MediaFormat::Png) => "PNG",
        Some(MediaFormat::Jpeg) => "JPEG",
        Some(MediaFormat::Gif) => "GIF",
        Some(MediaFormat::Amr) => "AMR",
        Some(MediaFormat::Mp3) => "MP3",
        Some(MediaFormat::Mp4) => "MP4",
        None => match bytes {
            _ if bytes.strip_prefix(b"\x02").unwrap_or(bytes).starts_with(b"#!SILK") => "SILK",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "WebP",
            [b'R', b'I', b'F', b'F', ..] => "WAV or AVI",
            [b'B', b'M', ..] => "BMP",
            [b'O', b'g', b'g', b'S', ..] => "Ogg",
            [b'f', b'L', b'a', b'C', ..] => "FLAC",
            [0x1a, 0x45, 0xdf, 0xa3, ..] => "Matroska or WebM",
            [0xff, 0xf0..=0xff, ..] => "AAC",
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => "QuickTime",
            _ => "of an unknown format",
        },
    }
}

/// How long a narrow-band AMR file plays, in whole seconds, rounded up. `None` for other files.
pub(super) fn amr_seconds(bytes: &[u8]) -> Option<usize> {
    /// Bytes after the first of a frame of 20 ms, by its mode.
    const FRAME: [usize; 16] = [12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0];
    let mut rest = bytes.strip_prefix(AMR_NARROW)?;
    let mut frames = 0_usize;
    while let Some((head, after)) = rest.split_first() {
        frames += 1;
        rest = after.get(FRAME[usize::from(head >> 3 & 15)]..).unwrap_or_default();
    }
    Some(frames.div_ceil(50))
}
