//! UserSig, version 2.0: what a user, or the server as an app admin, proves itself with.
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34385>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::io::Read;
use subtle::ConstantTimeEq;

/// What a UserSig inflates to at most, in bytes.
const MAX_JSON: u64 = 4096;

/// What a UserSig says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The UserID.
    pub identifier: String,
    /// The app.
    pub sdk_app_id: u64,
    /// When it was made, Unix seconds.
    pub time: i64,
    /// How long it is good, seconds.
    pub expire: u64,
    /// Extra bytes; never used for IM.
    pub userbuf: Option<Vec<u8>>,
}

/// Why a UserSig is not good. [`UserSigError::code`] is what IM answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserSigError {
    /// There is none.
    #[error("the UserSig is empty")]
    Empty,
    /// It cannot be decoded.
    #[error("the UserSig cannot be decoded; it may have been cut short")]
    Malformed,
    /// It was made for another app.
    #[error("the UserSig was made for another SDKAppID")]
    OtherApp,
    /// It was made for another user.
    #[error("the UserSig was made for another UserID")]
    OtherUser,
    /// It was made with another key.
    #[error("the UserSig was made with another key")]
    WrongKey,
    /// Its time is over.
    #[error("the UserSig has expired")]
    Expired,
}

impl UserSigError {
    /// IM's error code for it.
    pub fn code(self) -> i64 {
        match self {
            UserSigError::Empty => 70002,
            UserSigError::Malformed => 70003,
            UserSigError::OtherApp => 70014,
            UserSigError::OtherUser => 70013,
            UserSigError::WrongKey => 70009,
            UserSigError::Expired => 70001,
        }
    }
}

/// Makes a UserSig for `identifier`, good for `expire_s` seconds (at most 50 years; a day or more is advised).
///
/// `key` is the console's secret as text; it is not decoded.
pub fn sign(
    key: &SecretString,
    sdk_app_id: u64,
    identifier: &str,
    time_s: i64,
    expire_s: u64,
    userbuf: Option<&[u8]>,
) -> SecretString {
    let userbuf = userbuf.map(|bytes| STANDARD.encode(bytes));
    let mac = mac(key, &signing_text(identifier, sdk_app_id, time_s, expire_s, userbuf.as_deref()));
    let mut document = json!({
        "TLS.ver": "2.0",
        "TLS.identifier": identifier,
        "TLS.sdkappid": sdk_app_id,
        "TLS.time": time_s,
        "TLS.expire": expire_s,
        "TLS.sig": STANDARD.encode(mac.finalize().into_bytes()),
    });
    if let Some(userbuf) = userbuf {
        document["TLS.userbuf"] = userbuf.into();
    }
    let text = document.to_string();
    let mut packed = Vec::new();
    // Reading from and writing to memory does not fail.
    let _ = ZlibEncoder::new(text.as_bytes(), Compression::default()).read_to_end(&mut packed);
    STANDARD.encode(packed).replace('+', "*").replace('/', "-").replace('=', "_").into()
}

/// Checks a UserSig against the key, the app, the user (if given) and the time; gives what it says.
///
/// # Errors
///
/// [`UserSigError`], checked in the order in which IM checks.
pub fn verify(
    key: &SecretString,
    sdk_app_id: u64,
    identifier: Option<&str>,
    sig: &str,
    now_s: i64,
) -> Result<Claims, UserSigError> {
    if sig.is_empty() {
        return Err(UserSigError::Empty);
    }
    let document = unpack(sig).ok_or(UserSigError::Malformed)?;
    let claims = claims(&document).ok_or(UserSigError::Malformed)?;
    if claims.sdk_app_id != sdk_app_id {
        return Err(UserSigError::OtherApp);
    }
    if identifier.is_some_and(|identifier| identifier != claims.identifier) {
        return Err(UserSigError::OtherUser);
    }
    let userbuf = document.get("TLS.userbuf").and_then(Value::as_str);
    let given = document.get("TLS.sig").and_then(Value::as_str).and_then(|sig| STANDARD.decode(sig).ok());
    let text = signing_text(&claims.identifier, claims.sdk_app_id, claims.time, claims.expire, userbuf);
    let expected = mac(key, &text).finalize().into_bytes();
    let same = given.is_some_and(|given| bool::from(given.as_slice().ct_eq(expected.as_slice())));
    if !same {
        return Err(UserSigError::WrongKey);
    }
    let end = claims.time.saturating_add(i64::try_from(claims.expire).unwrap_or(i64::MAX));
    if now_s > end { Err(UserSigError::Expired) } else { Ok(claims) }
}

/// Whether IM takes this as a UserID: 1 to 32 bytes of `[A-Za-z0-9_-]`, the alphabet that all of its pages
/// agree on.
pub fn valid_user_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn signing_text(identifier: &str, sdk_app_id: u64, time: i64, expire: u64, userbuf: Option<&str>) -> String {
    let mut text = format!(
        "TLS.identifier:{identifier}\nTLS.sdkappid:{sdk_app_id}\nTLS.time:{time}\nTLS.expire:{expire}\n"
    );
    if let Some(userbuf) = userbuf {
        text.push_str(&format!("TLS.userbuf:{userbuf}\n"));
    }
    text
}

fn mac(key: &SecretString, text: &str) -> Hmac<Sha256> {
    let key = key.expose_secret().as_bytes();
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

fn unpack(sig: &str) -> Option<Map<String, Value>> {
    let packed = STANDARD.decode(sig.replace('*', "+").replace('-', "/").replace('_', "=")).ok()?;
    let mut text = Vec::new();
    ZlibDecoder::new(packed.as_slice()).take(MAX_JSON + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > MAX_JSON {
        return None;
    }
    serde_json::from_slice(&text).ok()
}

fn claims(document: &Map<String, Value>) -> Option<Claims> {
    let userbuf = match document.get("TLS.userbuf") {
        Some(text) => Some(STANDARD.decode(text.as_str()?).ok()?),
        None => None,
    };
    Some(Claims {
        identifier: document.get("TLS.identifier")?.as_str()?.to_owned(),
        sdk_app_id: document.get("TLS.sdkappid")?.as_u64()?,
        time: document.get("TLS.time")?.as_i64()?,
        expire: document.get("TLS.expire")?.as_u64()?,
        userbuf,
    })
}
