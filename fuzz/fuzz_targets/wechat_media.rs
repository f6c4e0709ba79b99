//! What a download of WeChat's gives, and what a file is by its content. The first byte chooses what the headers say; the first
//! line is the name that comes with it, the rest the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::{Media, MediaKind};

const CONTENT_TYPES: [&str; 4] =
    ["image/jpeg", "text/plain", "application/json; encoding=utf-8", "audio/amr"];
const MAX: usize = 8 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&flags, rest)) = input.split_first() else { return };
    let split = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let bytes = rest.get(split + 1..).unwrap_or_default();
    let name = String::from_utf8_lossy(&rest[..split]);
    let content_type = CONTENT_TYPES[usize::from(flags) % CONTENT_TYPES.len()];
    if let Some(file) = wechat::fuzzing::download(content_type, &name, bytes, MAX) {
        assert!(file.bytes == bytes && (1..=MAX).contains(&bytes.len()));
        let start = bytes.trim_ascii_start();
        assert!(!start.starts_with(b"<"), "a page is no file");
        let refusal =
            serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|answer| answer["errcode"].is_i64());
        assert!(!refusal || bytes.len() > 4096, "an error is no file (F43)");
        if let Some(name) = file.file_name {
            assert!(
                !name.starts_with('.') && !name.contains(['/', '\\', '"', ':']),
                "a name leads nowhere else"
            );
        }
    }
    for kind in [MediaKind::Image, MediaKind::Voice, MediaKind::Video, MediaKind::Thumb] {
        if let Ok(media) = Media::new(kind, bytes.to_vec()) {
            assert!(kind.formats().contains(&media.format()) && media.bytes().len() <= kind.max_bytes());
        }
    }
});
