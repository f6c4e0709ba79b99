//! What a file is, by its first bytes; its name counts for nothing. Start at [`Format::of`].

/// How much of a file is looked at, in bytes.
pub(crate) const HEAD: usize = 8_192;

/// What a file can be shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A still or moving picture without sound.
    Picture,
    /// Speech or music.
    Sound,
    /// A video.
    Film,
    /// Anything else: it is downloaded, never shown.
    Other,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What it can be shown as.
    pub family: Family,
    /// Under which type it may be served. Whatever a browser would run is `application/octet-stream`.
    pub content_type: &'static str,
    /// The ending of its name, without the dot.
    pub extension: &'static str,
}

const UNKNOWN: Format =
    Format { family: Family::Other, content_type: "application/octet-stream", extension: "bin" };

const fn format(family: Family, content_type: &'static str, extension: &'static str) -> Format {
    Format { family, content_type, extension }
}

/// Pictures, sounds and videos that clients show: the type that is served beside what the library calls them.
const SHOWN: &[(&str, Format)] = &[
    ("image/jpeg", format(Family::Picture, "image/jpeg", "jpg")),
    ("image/png", format(Family::Picture, "image/png", "png")),
    ("image/gif", format(Family::Picture, "image/gif", "gif")),
    ("image/webp", format(Family::Picture, "image/webp", "webp")),
    ("image/bmp", format(Family::Picture, "image/bmp", "bmp")),
    ("image/heif", format(Family::Picture, "image/heif", "heic")),
    ("image/avif", format(Family::Picture, "image/avif", "avif")),
    ("audio/mpeg", format(Family::Sound, "audio/mpeg", "mp3")),
    ("audio/m4a", format(Family::Sound, "audio/mp4", "m4a")),
    ("audio/aac", format(Family::Sound, "audio/aac", "aac")),
    ("audio/ogg", format(Family::Sound, "audio/ogg", "ogg")),
    ("audio/opus", format(Family::Sound, "audio/ogg", "ogg")),
    ("audio/x-wav", format(Family::Sound, "audio/wav", "wav")),
    ("audio/x-flac", format(Family::Sound, "audio/flac", "flac")),
    ("video/mp4", format(Family::Film, "video/mp4", "mp4")),
    ("video/x-m4v", format(Family::Film, "video/mp4", "mp4")),
    ("video/quicktime", format(Family::Film, "video/quicktime", "mov")),
    ("video/webm", format(Family::Film, "video/webm", "webm")),
];

impl Format {
    /// JPEG.
    pub const JPEG: Format = SHOWN[0].1;
    /// MP3.
    pub const MP3: Format = SHOWN[7].1;
    /// AMR, 8 kHz.
    pub const AMR: Format = format(Family::Sound, "audio/amr", "amr");
    /// AMR, 16 kHz.
    pub const AMR_WIDE: Format = format(Family::Sound, "audio/amr-wb", "awb");
    /// What many messengers record, often in a file called `.amr`; no player knows it.
    pub const SILK: Format = format(Family::Sound, "application/octet-stream", "silk");

    /// The format of a file, from its first bytes (8 KiB are enough).
    pub fn of(head: &[u8]) -> Format {
        if head.starts_with(b"#!AMR\n") {
            return Format::AMR;
        }
        if head.starts_with(b"#!AMR-WB\n") {
            return Format::AMR_WIDE;
        }
        if head.strip_prefix(b"\x02").unwrap_or(head).starts_with(b"#!SILK") {
            return Format::SILK;
        }
        if is_mp3_frame(head) {
            return Format::MP3;
        }
        if let Some(found) = infer::get(head) {
            let mime = found.mime_type();
            if let Some((_, shown)) = SHOWN.iter().find(|(name, _)| *name == mime) {
                return *shown;
            }
            // Texts, pages and scripts are whatever a browser makes of them.
            let inert = matches!(
                found.matcher_type(),
                infer::MatcherType::Archive | infer::MatcherType::Doc | infer::MatcherType::Book
            ) && mime.starts_with("application/");
            if inert {
                return format(Family::Other, mime, found.extension());
            }
        }
        // Whatever else begins like a video of this family, brands that the library does not know.
        match head {
            [_, _, _, _, b'f', b't', b'y', b'p', b'q', b't', ..] => {
                format(Family::Film, "video/quicktime", "mov")
            }
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
                if brand.starts_with(b"M4A") || brand.starts_with(b"M4B") =>
            {
                format(Family::Sound, "audio/mp4", "m4a")
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => format(Family::Film, "video/mp4", "mp4"),
            _ => UNKNOWN,
        }
    }

    /// Whether a browser may show it in its place; everything else is offered for download alone.
    pub fn is_shown(&self) -> bool {
        self.family != Family::Other && self.content_type != UNKNOWN.content_type
    }
}

/// Frame sync of MPEG 1, 2 or 2.5 in layer III, with a bit rate and a sampling rate that exist.
fn is_mp3_frame(head: &[u8]) -> bool {
    matches!(head, [0xff, kind, rate, ..]
        if kind & 0xe6 == 0xe2 && kind & 0x18 != 0x08 && rate & 0xf0 != 0xf0 && rate & 0xf0 != 0 && rate & 0x0c != 0x0c)
}

/// How long an AMR file plays, in milliseconds: every frame is 20 ms. `None` for other files.
pub fn amr_seconds(bytes: &[u8]) -> Option<u64> {
    /// Bytes of a frame with its head, by its mode (RFC 4867, sections 3.6 and 5.3).
    const NARROW: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1];
    const WIDE: [usize; 16] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1];
    let (mut rest, lengths) = match (bytes.strip_prefix(b"#!AMR\n"), bytes.strip_prefix(b"#!AMR-WB\n")) {
        (Some(rest), _) => (rest, NARROW),
        (None, Some(rest)) => (rest, WIDE),
        (None, None) => return None,
    };
    let mut frames = 0_u64;
    while let Some(first) = rest.first() {
        frames += 1;
        rest = rest.get(lengths[usize::from(first >> 3 & 15)]..).unwrap_or_default();
    }
    Some(frames.div_ceil(50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content_alone() {
        let cases: [(&[u8], &str, Family); 17] = [
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg", Family::Picture),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", Family::Picture),
            (b"GIF89a\x01\0\x01\0", "image/gif", Family::Picture),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp", Family::Picture),
            (b"#!AMR\n\x3c", "audio/amr", Family::Sound),
            (b"#!AMR-WB\n\x04", "audio/amr-wb", Family::Sound),
            (b"\x02#!SILK_V3", "application/octet-stream", Family::Sound),
            (b"\xff\xf3\x48\xc4\0\0", "audio/mpeg", Family::Sound),
            (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg", Family::Sound),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4", Family::Film),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime", Family::Film),
            (b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom", "audio/mp4", Family::Sound),
            (b"%PDF-1.7\n", "application/pdf", Family::Other),
            (b"<!DOCTYPE html><script>1</script>", "application/octet-stream", Family::Other),
            (b"<?xml version=\"1.0\"?><svg onload=\"x\"/>", "application/octet-stream", Family::Other),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "application/octet-stream", Family::Other),
            (b"", "application/octet-stream", Family::Other),
        ];
        for (bytes, content_type, family) in cases {
            let found = Format::of(bytes);
            assert_eq!((found.content_type, found.family), (content_type, family), "{bytes:?}");
        }
        assert!(!Format::of(b"%PDF-1.7\n").is_shown() && !Format::SILK.is_shown());
        assert!(Format::JPEG.is_shown() && Format::MP3.content_type == "audio/mpeg");
    }

    #[test]
    fn f42_the_length_of_an_amr_file_is_counted_in_frames() {
        let mut narrow = b"#!AMR\n".to_vec();
        narrow.extend([0x3c_u8].iter().chain(&[0; 31]).copied().cycle().take(32 * 75));
        assert_eq!(amr_seconds(&narrow), Some(2));
        assert_eq!(amr_seconds(b"#!AMR\n"), Some(0));
        assert_eq!(amr_seconds(b"ID3"), None);
    }
}
