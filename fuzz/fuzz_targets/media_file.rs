//! A stranger's file: told by its content, measured, shrunk. And a link, which nobody without the key can make.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Family, Format, LinkKey, amr_seconds, picture};

fuzz_target!(|input: &[u8]| {
    let format = Format::of(input);
    // Whatever is shown in its place has a type that a browser does not run.
    if format.is_shown() {
        assert!(format.family != Family::Other);
        assert!(["image/", "audio/", "video/"].iter().any(|kind| format.content_type.starts_with(kind)));
        assert!(!format.content_type.contains("svg"));
    }
    if let Some(seconds) = amr_seconds(input) {
        assert!(seconds <= input.len() as u64);
    }
    if let Some((width, height)) = picture::measure(input) {
        assert!(width > 0 && height > 0);
    }
    if let Some(small) = picture::thumbnail(input, 198, 64 * 1024) {
        assert!(small.bytes.len() <= 64 * 1024 && small.width <= 198 && small.height <= 198);
        assert_eq!(picture::measure(&small.bytes), Some((small.width, small.height)));
    }
    if let Ok(text) = std::str::from_utf8(input) {
        let (id, token) = text.split_at(text.floor_char_boundary(text.len().min(32)));
        assert!(!LinkKey::new([9; 32]).verify(id, token, 0), "a link was forged: {text}");
    }
});
