//! What a file is, by its first bytes, and how long a voice lasts (§8.1).
//!
//! WeChat takes no notice of a file's name: SILK in a file called `.amr` is no AMR.

/// The formats that WeChat takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Gif,
    /// Narrow-band AMR, 8 kHz.
    Amr,
    Mp3,
    Mp4,
    /// What web pages record; never uploaded by an account.
    Speex,
}

impl Format {
    /// The format of some bytes; `None` for everything that WeChat refuses (40005).
    pub(crate) fn of(bytes: &[u8]) -> Option<Format> {
        let found = match bytes {
            [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Format::Png,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
            _ if bytes.starts_with(AMR) => Format::Amr,
            [b'I', b'D', b'3', ..] => Format::Mp3,
            _ if mp3_frame(bytes).is_some() => Format::Mp3,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Format::Mp4,
            _ => return None,
        };
        Some(found)
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Jpeg => "jpg",
            Format::Png => "png",
            Format::Gif => "gif",
            Format::Amr => "amr",
            Format::Mp3 => "mp3",
            Format::Mp4 => "mp4",
            Format::Speex => "speex",
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::Amr => "audio/amr",
            Format::Mp3 => "audio/mp3",
            Format::Mp4 => "video/mp4",
            Format::Speex => "voice/speex",
        }
    }

    /// How long a voice lasts, in milliseconds; 0 for what is no voice.
    pub(crate) fn duration_ms(self, bytes: &[u8]) -> u64 {
        match self {
            Format::Amr => amr_ms(bytes),
            Format::Mp3 => mp3_ms(bytes),
            _ => 0,
        }
    }
}

const AMR: &[u8] = b"#!AMR\n";

/// Every frame is 20 ms; its length follows from the mode in its first byte.
fn amr_ms(bytes: &[u8]) -> u64 {
    const LENGTHS: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1];
    let (mut at, mut frames) = (AMR.len(), 0);
    while let Some(first) = bytes.get(at) {
        at += LENGTHS[usize::from(first >> 3 & 0x0f)];
        frames += 1;
    }
    frames * 20
}

/// Length in bytes and microseconds of the MPEG layer III frame that begins here.
fn mp3_frame(bytes: &[u8]) -> Option<(usize, u64)> {
    const RATES_1: [u64; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const RATES_2: [u64; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let &[0xff, second, third, ..] = bytes else { return None };
    if second & 0xe0 != 0xe0 || second >> 1 & 3 != 1 {
        return None;
    }
    let (rates, samples, divisor) = match second >> 3 & 3 {
        3 => (RATES_1, 1152, 1),
        2 => (RATES_2, 576, 2),
        0 => (RATES_2, 576, 4),
        _ => return None,
    };
    let kbit = *rates.get(usize::from(third >> 4)).filter(|kbit| **kbit > 0)?;
    let hertz = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))? / divisor;
    let length = samples / 8 * kbit * 1000 / hertz + u64::from(third >> 1 & 1);
    Some((usize::try_from(length).ok()?, samples * 1_000_000 / hertz))
}

fn mp3_ms(bytes: &[u8]) -> u64 {
    let mut at = match bytes {
        // An ID3 tag gives its length in four bytes of seven bits.
        [b'I', b'D', b'3', _, _, _, a, b, c, d, ..] => {
            10 + [a, b, c, d].iter().fold(0, |length, byte| length << 7 | usize::from(**byte & 0x7f))
        }
        _ => 0,
    };
    let mut micros = 0;
    while let Some((length, lasts)) = bytes.get(at..).and_then(mp3_frame) {
        micros += lasts;
        at += length;
    }
    micros / 1000
}

/// Small files that are what they say, for tests and the demo.
pub(crate) mod samples {
    use super::AMR;

    /// A grey JPEG of 8 × 8 points.
    pub(crate) const JPEG: &[u8] = include_bytes!("samples/picture.jpg");

    /// A second of silence: 50 frames without sound.
    pub(crate) fn amr() -> Vec<u8> {
        let mut bytes = AMR.to_vec();
        // Mode 7 (12.2 kbit/s): 32 bytes a frame.
        bytes.extend([0x3c_u8].iter().chain(&[0; 31]).copied().cycle().take(32 * 50));
        bytes
    }

    /// The beginning of an MP4, without any picture.
    pub(crate) const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_bytes() {
        let cases: [(&[u8], Option<Format>); 11] = [
            (samples::JPEG, Some(Format::Jpeg)),
            (b"\x89PNG\r\n\x1a\n....", Some(Format::Png)),
            (b"GIF89a", Some(Format::Gif)),
            (b"GIF88a", None),
            (b"#!AMR\n\x3c", Some(Format::Amr)),
            (b"#!AMR-WB\n\x3c", None),
            (b"\x02#!SILK_V3", None),
            (b"ID3\x04", Some(Format::Mp3)),
            (b"\xff\xfb\x90\x00", Some(Format::Mp3)),
            (samples::MP4, Some(Format::Mp4)),
            (b"RIFF....WEBP", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Format::of(bytes), expected, "{bytes:?}");
        }
        assert_eq!(Format::of(b""), None);
    }

    #[test]
    fn f42_the_length_of_a_voice_is_counted_in_frames() {
        assert_eq!(Format::Amr.duration_ms(&samples::amr()), 1000);
        let mut mp3 = b"ID3\x04\0\0\0\0\x01\x02".to_vec();
        mp3.extend([0; 130]);
        for _ in 0..100 {
            // 128 kbit/s at 44.1 kHz: 417 bytes, 26.122 ms.
            mp3.extend([0xff, 0xfb, 0x90, 0]);
            mp3.extend([0; 413]);
        }
        assert_eq!(Format::Mp3.duration_ms(&mp3), 2612);
    }
}
