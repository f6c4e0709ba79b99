//! UserSigs: arbitrary text, and arbitrary JSON in the right wrapping. None is accepted that was not made with the key.

#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use std::io::Write;

const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
/// The signatures of the vectors that the seeds hold; the fuzzer cannot make others.
const KNOWN: [&str; 3] = [
    "JCzxanF8NTTXau4m+2h9wv7gYJnyNksm0xm1NEXU274=",
    "0irSwkGcG+YXLye41uAcP/FtvPNG9NlzyH+8aYrd1aY=",
    "QjT201xPkXk/aM1e+y0vakZb0K2iPrFue++0s5y6bFM=",
];

fuzz_target!(|input: &[u8]| {
    let key = SecretString::from(KEY);
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = im::verify(&key, 1400000000, None, text, 1_700_000_100);
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(input).unwrap();
    let wrapped = STANDARD.encode(zlib.finish().unwrap());
    let wrapped = wrapped.replace('+', "*").replace('/', "-").replace('=', "_");
    if im::verify(&key, 1400000000, None, &wrapped, 1_700_000_100).is_ok() {
        let text = String::from_utf8_lossy(input);
        let unescaped: serde_json::Value = serde_json::from_slice(input).expect("JSON was accepted");
        let sig = unescaped["TLS.sig"].as_str().unwrap_or_default();
        assert!(KNOWN.contains(&sig), "a signature was forged: {text}");
    }
});
