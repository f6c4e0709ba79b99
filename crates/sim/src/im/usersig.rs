//! Checking a UserSig (§2.2), written from the reference and not with the library that makes them.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Refused;

/// The most that a UserSig may inflate to, in bytes.
const CAP: u64 = 4096;

/// When a UserSig says that it was made, in seconds.
pub(super) fn made_at(usersig: &str) -> Option<i64> {
    decode(usersig)?.get("TLS.time").and_then(Value::as_i64)
}

/// Steps 3 to 8 of the order in §10: decode, app, identifier, MAC, expiry.
pub(super) fn check(
    key: &str,
    sdk_app_id: u64,
    identifier: &str,
    usersig: &str,
    now_s: i64,
) -> Result<(), Refused> {
    let json = decode(usersig).ok_or_else(|| Refused::new(70003))?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let number = |name: &str| json.get(name).and_then(Value::as_i64);
    let malformed = || Refused::new(70003);
    let app = json.get("TLS.sdkappid").and_then(Value::as_u64).ok_or_else(malformed)?;
    let who = text("TLS.identifier").ok_or_else(malformed)?;
    let (time, expire) = number("TLS.time").zip(number("TLS.expire")).ok_or_else(malformed)?;
    if text("TLS.ver") != Some("2.0") || json.get("TLS.userbuf").is_some() {
        return Err(malformed());
    }
    if app != sdk_app_id {
        return Err(Refused::new(70014));
    }
    if who != identifier {
        return Err(Refused::new(70013));
    }
    let signed = format!("TLS.identifier:{who}\nTLS.sdkappid:{app}\nTLS.time:{time}\nTLS.expire:{expire}\n");
    let given = STANDARD.decode(text("TLS.sig").ok_or_else(malformed)?).map_err(|_| Refused::new(70009))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| Refused::new(70009))?;
    mac.update(signed.as_bytes());
    let made = mac.finalize().into_bytes();
    if !bool::from(made.as_slice().ct_eq(&given)) {
        return Err(Refused::new(70009));
    }
    if now_s > time.saturating_add(expire) { Err(Refused::new(70001)) } else { Ok(()) }
}

fn decode(usersig: &str) -> Option<Value> {
    let base64: String = usersig
        .chars()
        .map(|c| match c {
            '*' => '+',
            '-' => '/',
            '_' => '=',
            other => other,
        })
        .collect();
    let zlib = STANDARD.decode(base64).ok()?;
    let mut json = Vec::new();
    ZlibDecoder::new(zlib.as_slice()).take(CAP).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
    const V1: &str = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwokpuZl5mcUlRYkl*UVQBcUp2YkFBZkpSlaGJgZQAJEpycxNVbIyNEcVTa0oyCwCiZuamhrBRYsz05WslLycqyoS89ws-EJCIhJLTXK1jTIsy8vM0yO98ir9sotzDSpyDf1cI0KNzE1slWoBQr40pw__";
    const T: i64 = 1_700_000_000;

    fn code(key: &str, app: u64, who: &str, sig: &str, now: i64) -> Option<i64> {
        check(key, app, who, sig, now).err().map(|refused| refused.code)
    }

    #[test]
    fn vector_1_holds_until_its_end_and_no_longer() {
        assert_eq!(code(K1, 1_400_000_000, "administrator", V1, T), None);
        assert_eq!(code(K1, 1_400_000_000, "administrator", V1, T + 15_552_000), None);
        assert_eq!(code(K1, 1_400_000_000, "administrator", V1, T + 15_552_001), Some(70001));
    }

    #[test]
    fn each_fault_of_a_sig_has_its_code_in_the_order_of_the_checklist() {
        let wrong_key = K1.replace('5', "6");
        assert_eq!(code(K1, 1_400_000_001, "root", V1, T), Some(70014));
        assert_eq!(code(K1, 1_400_000_000, "root", V1, T), Some(70013));
        assert_eq!(code(&wrong_key, 1_400_000_000, "administrator", V1, i64::MAX), Some(70009));
        assert_eq!(code(K1, 1_400_000_000, "administrator", &V1[..100], T), Some(70003));
        assert_eq!(code(K1, 1_400_000_000, "administrator", "nonsense", T), Some(70003));
    }
}
