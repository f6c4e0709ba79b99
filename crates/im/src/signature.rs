//! The token signature of webhooks. Start at [`callback_signature_matches`].
//!
//! It covers the token and the time and nothing else: neither body nor path. So HTTPS, a secret path and the
//! check of `SdkAppid` matter too.
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34354>

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The `Sign` of a webhook: lower-case hexadecimal SHA-256 of the token followed by `RequestTime`, exactly as it
/// was received.
///
/// ```
/// let sign = im::callback_signature("xxxxyyyy", "1669872112");
/// assert_eq!(sign, "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061");
/// ```
pub fn callback_signature(token: &str, request_time: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(token.as_bytes());
    hash.update(request_time.as_bytes());
    hex::encode(hash.finalize())
}

/// Whether `given` is the `Sign` for this token and time: 64 hexadecimal digits in either case, compared in
/// constant time.
pub fn callback_signature_matches(token: &str, request_time: &str, given: &str) -> bool {
    let made = callback_signature(token, request_time);
    made.as_bytes().ct_eq(given.to_ascii_lowercase().as_bytes()).into()
}
