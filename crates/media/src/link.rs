//! Links that nobody can guess: the file's id, until when, and a signature over both.
//!
//! A link is `{id}/{token}`; the token is 32 letters of URL-safe base64: eight bytes of time, sixteen of HMAC-SHA256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of the signature that are kept: 128 bits.
const SIGNATURE: usize = 16;

/// The key that signs links. All nodes of a gateway have the same.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl LinkKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> LinkKey {
        LinkKey(bytes)
    }

    /// The token for a file, valid until this second; 0 for as long as the file is kept.
    pub fn token(&self, id: &str, until_s: u64) -> String {
        let mut token = until_s.to_be_bytes().to_vec();
        token.extend(self.signature(id, until_s));
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether a token is the file's, and still valid. Takes as long for a wrong one as for a right one.
    pub fn verify(&self, id: &str, token: &str, now_s: i64) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((until, signature)) = bytes.split_first_chunk::<8>() else { return false };
        let until = u64::from_be_bytes(*until);
        let genuine = bool::from(self.signature(id, until).ct_eq(signature));
        let alive = until == 0 || u64::try_from(now_s).is_ok_and(|now| now <= until);
        genuine && alive
    }

    fn signature(&self, id: &str, until_s: u64) -> [u8; SIGNATURE] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { unreachable!("HMAC takes any key") };
        mac.update(b"tsunagi media link 1\0");
        mac.update(&until_s.to_be_bytes());
        mac.update(id.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; SIGNATURE];
        short.copy_from_slice(&full[..SIGNATURE]);
        short
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_its_file_its_key_and_its_time_alone() {
        let key = LinkKey::new([7; 32]);
        let token = key.token("a1", 100);
        assert_eq!(token.len(), 32);
        assert!(key.verify("a1", &token, 100) && key.verify("a1", &token, 0));
        assert!(!key.verify("a1", &token, 101), "too late");
        assert!(!key.verify("a2", &token, 50), "another file");
        assert!(!LinkKey::new([8; 32]).verify("a1", &token, 50), "another key");
        let forever = key.token("a1", 0);
        assert!(key.verify("a1", &forever, i64::MAX));
    }

    #[test]
    fn every_changed_letter_of_a_token_is_noticed() {
        let key = LinkKey::new([7; 32]);
        let token = key.token("a1", 1_900_000_000);
        for at in 0..token.len() {
            for letter in ["A", "B", "_", "-", "=", "é"] {
                let forged = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
                assert_eq!(key.verify("a1", &forged, 0), forged == token, "{at} {letter}");
            }
        }
        for forged in ["", "AAAA", &token[..31], &format!("{token}A"), &format!("{token}AAAA")] {
            assert!(!key.verify("a1", forged, 0), "{forged}");
        }
    }
}
