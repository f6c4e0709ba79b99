//! The SHA-1 signatures of the query string. Start at [`signature_matches`].
//!
//! `signature` is made of token, timestamp and nonce and proves knowledge of the token alone; `msg_signature`
//! adds the ciphertext and so covers the message.
//! Vendor page: <https://developers.weixin.qq.com/doc/subscription/guide/dev/push/encryption>

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The signature of `parts`: SHA-1, as 40 lower-case hexadecimal digits, of the parts sorted byte-wise and
/// concatenated without separators.
///
/// `parts` are `[token, timestamp, nonce]` for `signature`, and `[token, timestamp, nonce, Encrypt]` for
/// `msg_signature`. Timestamp and nonce enter exactly as received: no trimming, no re-formatting of numbers.
///
/// ```
/// let made = wechat::signature(&["AAAAA", "1714036504", "1514711492"]);
/// assert_eq!(made, "f464b24fc39322e44b38aa78f5edd27bd1441696");
/// ```
pub fn signature(parts: &[&str]) -> String {
    digits(parts).into_iter().map(char::from).collect()
}

fn digits(parts: &[&str]) -> [u8; 40] {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    let mut hash = Sha1::new();
    for part in sorted {
        hash.update(part.as_bytes());
    }
    let mut digits = [0; 40];
    hex::encode_to_slice(hash.finalize(), &mut digits).expect("two digits for each of twenty bytes");
    digits
}

/// Whether `given` is the signature of `parts`: exactly 40 lower-case hexadecimal digits, compared in constant
/// time.
pub fn signature_matches(parts: &[&str], given: &str) -> bool {
    digits(parts).as_slice().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_plaintext_post() {
        let parts = ["AAAAA", "1714037059", "486452656"];
        assert_eq!(signature(&parts), "899cf89e464efb63f54ddac96b0a0a235f53aa78");
        assert!(signature_matches(&parts, "899cf89e464efb63f54ddac96b0a0a235f53aa78"));
    }

    #[test]
    fn f15_only_the_exact_forty_digits_match() {
        let parts = ["AAAAA", "1714037059", "486452656"];
        let good = signature(&parts);
        for bad in ["", &good[..39], &format!("{good}0"), &good.to_uppercase(), &format!(" {good}"), "你好"]
        {
            assert!(!signature_matches(&parts, bad), "{bad}");
        }
        assert!(!signature_matches(&["AAAAB", "1714037059", "486452656"], &good));
        // A timestamp with a leading zero is another string, though the same number.
        assert!(!signature_matches(&["AAAAA", "01714037059", "486452656"], &good));
    }
}
