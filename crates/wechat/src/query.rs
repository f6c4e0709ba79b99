//! The query string of a webhook request. Start at [`Query::parse`].

use std::borrow::Cow;
use std::fmt;

use crate::receive::Refusal;

/// Longest query string accepted, in bytes; real ones have about 250.
const MAX_QUERY: usize = 4096;

/// The parameters that WeChat adds to the webhook's address, percent-decoded and otherwise as received.
///
/// `Debug` shows the timestamp alone: the signature is as good as a password while its window lasts.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// Over token, timestamp and nonce; not over the body.
    pub signature: String,
    /// Seconds since 1970, in decimal digits.
    pub timestamp: String,
    /// A number made up by WeChat.
    pub nonce: String,
    /// What a verification request wants to read back.
    pub echostr: Option<String>,
    /// The sender's openid. Not signed: never trust it.
    pub openid: Option<String>,
    /// Whether `encrypt_type` is `aes`.
    pub encrypted: bool,
    /// Over token, timestamp, nonce and ciphertext.
    pub msg_signature: Option<String>,
}

impl Query {
    /// Reads the part of the address after the `?`.
    ///
    /// # Errors
    ///
    /// [`Refusal::MissingSignature`] without a `signature`. [`Refusal::Query`] when a known parameter is there
    /// twice or is not ASCII, when `timestamp` or `nonce` is missing, when `timestamp` is not a number, or when
    /// `encrypt_type` is neither `raw` nor `aes`. Unknown parameters are ignored.
    pub fn parse(raw_query: &str) -> Result<Query, Refusal> {
        const NAMES: [&str; 7] =
            ["signature", "timestamp", "nonce", "echostr", "openid", "encrypt_type", "msg_signature"];
        if raw_query.len() > MAX_QUERY {
            return Err(Refusal::Query("it is too long"));
        }
        let mut values: [Option<String>; 7] = Default::default();
        for (name, value) in raw_query.split('&').filter(|pair| !pair.is_empty()).map(decoded) {
            let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
            if !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(Refusal::Query("a parameter has a character outside printable ASCII"));
            }
            if values[at].replace(value.into_owned()).is_some() {
                return Err(Refusal::Query("a parameter is there twice"));
            }
        }
        let values = values.map(|value| value.filter(|v| !v.is_empty()));
        let [signature, timestamp, nonce, echostr, openid, encrypt_type, msg_signature] = values;
        let signature = signature.ok_or(Refusal::MissingSignature)?;
        let timestamp = timestamp.ok_or(Refusal::Query("the timestamp is missing"))?;
        if timestamp.len() > 15 || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::Query("the timestamp is not a number"));
        }
        let nonce = nonce.ok_or(Refusal::Query("the nonce is missing"))?;
        let encrypted = match encrypt_type.as_deref() {
            None | Some("raw") => false,
            Some("aes") => true,
            Some(_) => return Err(Refusal::Query("the encrypt_type is unknown")),
        };
        Ok(Query { signature, timestamp, nonce, echostr, openid, encrypted, msg_signature })
    }

    /// Whether the timestamp is at most `window` seconds away from `now_s`; 0 = any time will do.
    pub(crate) fn is_fresh(&self, now_s: i64, window: u64) -> bool {
        let signed: Option<i64> = self.timestamp.parse().ok();
        window == 0 || signed.is_some_and(|signed| signed.abs_diff(now_s) <= window)
    }
}

/// A parameter's name and value. WeChat encodes nothing but what is in an `echostr`.
fn decoded(pair: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    if pair.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return url::form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default();
    }
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.into(), value.into())
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_wechat_sends() {
        let query =
            Query::parse("signature=ab&timestamp=007&nonce=1&openid=o-_1&encrypt_type=aes&msg_signature=cd")
                .unwrap();
        assert_eq!((query.timestamp.as_str(), query.nonce.as_str()), ("007", "1"));
        assert!(query.encrypted);
        assert_eq!(query.msg_signature.as_deref(), Some("cd"));
        assert_eq!(query.echostr, None);
    }

    #[test]
    fn f16_twice_missing_or_not_ascii_is_refused() {
        for (raw, status) in [
            ("", 403),
            ("timestamp=1&nonce=1", 403),
            ("signature=&timestamp=1&nonce=1", 403),
            ("signature=a&nonce=1", 400),
            ("signature=a&timestamp=1", 400),
            ("signature=a&timestamp=1&nonce=", 400),
            ("signature=a&signature=a&timestamp=1&nonce=1", 400),
            ("signature=a&timestamp=1&timestamp=1&nonce=1", 400),
            ("signature=a&timestamp=1&nonce=1&nonce=", 400),
            ("signature=a&timestamp=1&nonce=%E4%BD%A0", 400),
            ("signature=a&timestamp=1&nonce=你", 400),
            ("signature=a&timestamp=1&nonce=%FF", 400),
            ("signature=a&timestamp=1&nonce=%00", 400),
            ("signature=a&timestamp=1&nonce=a+b", 400),
            ("signature=a&timestamp=1x&nonce=1", 400),
            ("signature=a&timestamp=-1&nonce=1", 400),
            ("signature=a&timestamp=9999999999999999999&nonce=1", 400),
            ("signature=a&timestamp=1&nonce=1&encrypt_type=des", 400),
        ] {
            assert_eq!(Query::parse(raw).unwrap_err().status(), status, "{raw}");
        }
        assert_eq!(Query::parse(&format!("a={}", "x".repeat(5000))).unwrap_err().status(), 400);
        assert!(Query::parse("signature=a&timestamp=1&nonce=1&x=1&x=%FF&&=").is_ok());
    }

    #[test]
    fn f66_debug_shows_no_signature() {
        let query = Query::parse("signature=5ec1&timestamp=1&nonce=77&openid=oUSER").unwrap();
        let debug = format!("{query:?}");
        assert!(!debug.contains("5ec1") && !debug.contains("77") && !debug.contains("oUSER"), "{debug}");
    }
}
