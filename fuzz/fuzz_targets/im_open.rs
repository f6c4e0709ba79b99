//! A whole webhook request of IM: query string and body. Bit 0 of the first byte says whether it is signed.

#![no_main]

use im::{Credentials, callback_signature, open};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

const NOW: i64 = 1_700_000_000;

fuzz_target!(|input: &[u8]| {
    let Some((&flags, rest)) = input.split_first() else { return };
    let token = SecretString::from("s3cr3t-token");
    let credentials = Credentials { sdk_app_id: 1400000001, tokens: vec![token.clone()], window_s: 60 };
    let split = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let Ok(query) = std::str::from_utf8(&rest[..split]) else { return };
    let body = rest.get(split + 1..).unwrap_or_default();
    let signed = callback_signature("s3cr3t-token", &NOW.to_string());
    if flags & 1 == 0 {
        if open(&credentials, query, body, NOW).is_ok() {
            assert!(query.to_lowercase().contains(&signed), "a forgery was accepted");
        }
        return;
    }
    let query = format!("SdkAppid=1400000001&RequestTime={NOW}&Sign={signed}&{query}");
    if let Ok(opened) = open(&credentials, &query, body, NOW) {
        let _ = (opened.webhook.dedup_key(1400000001, body), opened.is_rest_api());
    }
});
