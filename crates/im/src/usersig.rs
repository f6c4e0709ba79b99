//! UserSig, the passwords of Tencent Cloud IM, version 2.0 (HMAC-SHA256). Start at [`sign`] and [`verify`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34385>

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Longest UserSig read, in bytes; usual ones have about 220.
const MAX_USERSIG: usize = 8192;
/// Longest JSON that is inflated, in bytes.
const MAX_JSON: usize = 4096;
const VERSION: &str = "2.0";

/// What a UserSig says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The UserID that it is for.
    pub identifier: String,
    /// The app that it is for.
    pub sdk_app_id: u64,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// How long it lives, in seconds.
    pub expire: u64,
    /// What TRTC puts in; IM has none.
    pub userbuf: Option<Vec<u8>>,
}

/// Why a UserSig is not valid. [`UserSigError::code`] is the documented error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserSigError {
    /// There is none.
    #[error("the UserSig is empty")]
    Empty,
    /// It is no UserSig, or is cut short.
    #[error("the UserSig is malformed")]
    Malformed,
    /// It is another app's.
    #[error("the UserSig is another app's")]
    SdkAppId,
    /// It is another user's.
    #[error("the UserSig is another user's")]
    Identifier,
    /// Its life is over.
    #[error("the UserSig has expired")]
    Expired,
    /// It was not made with this key.
    #[error("the UserSig was not made with this app's key")]
    Mac,
}

impl UserSigError {
    /// Tencent's error code for it.
    pub fn code(&self) -> i64 {
        match self {
            UserSigError::Expired => 70001,
            UserSigError::Empty => 70002,
            UserSigError::Malformed => 70003,
            UserSigError::Mac => 70009,
            UserSigError::Identifier => 70013,
            UserSigError::SdkAppId => 70014,
        }
    }
}

/// The JSON in a UserSig.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    identifier: String,
    #[serde(rename = "TLS.sdkappid")]
    sdk_app_id: u64,
    #[serde(rename = "TLS.time")]
    time: i64,
    #[serde(rename = "TLS.expire")]
    expire: u64,
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf: Option<String>,
    #[serde(rename = "TLS.sig")]
    sig: String,
}

impl Document {
    /// The key's text is the key, although it looks like hexadecimal.
    fn mac(&self, key: &SecretString) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())
            .expect("HMAC takes keys of any length");
        let Document { identifier, sdk_app_id, time, expire, .. } = self;
        mac.update(format!("TLS.identifier:{identifier}\nTLS.sdkappid:{sdk_app_id}\n").as_bytes());
        mac.update(format!("TLS.time:{time}\nTLS.expire:{expire}\n").as_bytes());
        if let Some(userbuf) = &self.userbuf {
            mac.update(format!("TLS.userbuf:{userbuf}\n").as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// Makes a UserSig for `identifier`, valid for `expire_s` seconds from `time_s` on (50 years at most; a day to
/// two months is advised). `key` is the secret key of the app as the console shows it; `userbuf` is for TRTC,
/// never for IM. Check the identifier with [`is_valid_user_id`](crate::is_valid_user_id) first.
///
/// ```
/// let key = secrecy::SecretString::from("5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e");
/// let sig = im::sign(&key, 1400000000, "agent_007", 1_700_000_000, 86_400, None);
///
/// use secrecy::ExposeSecret;
/// let claims = im::verify(&key, 1400000000, Some("agent_007"), sig.expose_secret(), 1_700_000_100)?;
/// assert_eq!(claims.expire, 86_400);
/// # Ok::<(), im::UserSigError>(())
/// ```
pub fn sign(
    key: &SecretString,
    sdk_app_id: u64,
    identifier: &str,
    time_s: i64,
    expire_s: u64,
    userbuf: Option<&[u8]>,
) -> SecretString {
    let mut document = Document {
        version: VERSION.to_owned(),
        identifier: identifier.to_owned(),
        sdk_app_id,
        time: time_s,
        expire: expire_s,
        userbuf: userbuf.map(|bytes| STANDARD.encode(bytes)),
        sig: String::new(),
    };
    document.sig = STANDARD.encode(document.mac(key));
    let json = serde_json::to_vec(&document).expect("strings and numbers can be written");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = zlib.write_all(&json).and_then(|()| zlib.finish()).expect("a Vec takes everything");
    let text = STANDARD.encode(compressed);
    SecretString::from(text.replace('+', "*").replace('/', "-").replace('=', "_"))
}

/// Reads a UserSig and checks it, in Tencent's order: form, app, user (unless `identifier` is `None`), life, key.
///
/// # Errors
///
/// See [`UserSigError`].
pub fn verify(
    key: &SecretString,
    sdk_app_id: u64,
    identifier: Option<&str>,
    sig: &str,
    now_s: i64,
) -> Result<Claims, UserSigError> {
    let document = decode(sig)?;
    let userbuf = document.userbuf.as_ref().map(|text| STANDARD.decode(text)).transpose();
    let userbuf = userbuf.map_err(|_| UserSigError::Malformed)?;
    let given = STANDARD.decode(&document.sig).map_err(|_| UserSigError::Malformed)?;
    if document.sdk_app_id != sdk_app_id {
        return Err(UserSigError::SdkAppId);
    }
    if identifier.is_some_and(|identifier| identifier != document.identifier) {
        return Err(UserSigError::Identifier);
    }
    if i128::from(now_s) > i128::from(document.time) + i128::from(document.expire) {
        return Err(UserSigError::Expired);
    }
    if !bool::from(document.mac(key).as_slice().ct_eq(&given)) {
        return Err(UserSigError::Mac);
    }
    let Document { identifier, sdk_app_id, time, expire, .. } = document;
    Ok(Claims { identifier, sdk_app_id, time, expire, userbuf })
}

fn decode(sig: &str) -> Result<Document, UserSigError> {
    if sig.is_empty() {
        return Err(UserSigError::Empty);
    }
    if sig.len() > MAX_USERSIG {
        return Err(UserSigError::Malformed);
    }
    let text = sig.replace('*', "+").replace('-', "/").replace('_', "=");
    let compressed = STANDARD.decode(text).map_err(|_| UserSigError::Malformed)?;
    let mut json = Vec::new();
    let mut inflated = ZlibDecoder::new(compressed.as_slice()).take(MAX_JSON as u64 + 1);
    inflated.read_to_end(&mut json).map_err(|_| UserSigError::Malformed)?;
    if json.len() > MAX_JSON {
        return Err(UserSigError::Malformed);
    }
    let document: Document = serde_json::from_slice(&json).map_err(|_| UserSigError::Malformed)?;
    // A line break would let an identifier pose as the lines after it.
    if document.version != VERSION || document.identifier.contains('\n') {
        return Err(UserSigError::Malformed);
    }
    Ok(document)
}
