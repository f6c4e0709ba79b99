//! What a webhook endpoint needs: from the raw request to a typed webhook, and the answer. Start at [`open`].
//!
//! The signature proves that the sender knows the Token; it does not cover the body. Use HTTPS, a secret path
//! and the app's id besides. Vendor page: <https://www.tencentcloud.com/document/product/1047/34354>

use crate::webhook::Webhook;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a webhook is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The app's id.
    pub sdk_app_id: u64,
    /// The Token of the console, and a previous one while it is changed. None: unsigned webhooks are taken.
    pub tokens: Vec<SecretString>,
    /// Seconds that `RequestTime` may be off; 0 for no check.
    pub window_s: u64,
}

/// Why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The query string is not one, or has a key twice.
    #[error("the query string cannot be read")]
    Query,
    /// `SdkAppid` is missing or not ours.
    #[error("the webhook is for another app")]
    OtherApp,
    /// `Sign` or `RequestTime` is missing.
    #[error("the webhook is not signed")]
    Unsigned,
    /// `Sign` does not fit the Token.
    #[error("the webhook's signature is wrong")]
    Signature,
    /// `RequestTime` is too far from now.
    #[error("the webhook's signature is too old or from the future")]
    Stale,
}

impl Refusal {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Query => 400,
            _ => 403,
        }
    }
}

/// The query parameters of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// `SdkAppid`
    pub sdk_app_id: Option<String>,
    /// `CallbackCommand`
    pub command: Option<String>,
    /// `ClientIP`
    pub client_ip: Option<String>,
    /// `OptPlatform`
    pub opt_platform: Option<String>,
    /// `Sign`
    pub sign: Option<String>,
    /// `RequestTime`
    pub request_time: Option<String>,
}

impl Query {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// [`Refusal::Query`] when a known key stands twice.
    pub fn parse(raw_query: &str) -> Result<Query, Refusal> {
        let mut query = Query::default();
        for pair in raw_query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match decode(key).ok_or(Refusal::Query)?.as_str() {
                "SdkAppid" => &mut query.sdk_app_id,
                "CallbackCommand" => &mut query.command,
                "ClientIP" => &mut query.client_ip,
                "OptPlatform" => &mut query.opt_platform,
                "Sign" => &mut query.sign,
                "RequestTime" => &mut query.request_time,
                _ => continue,
            };
            if place.replace(decode(value).ok_or(Refusal::Query)?).is_some() {
                return Err(Refusal::Query);
            }
        }
        Ok(query)
    }
}

/// A verified webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// What it says.
    pub webhook: Webhook,
    /// `CallbackCommand`
    pub command: String,
    /// `OptPlatform`, lower-case; empty if missing.
    pub opt_platform: String,
}

/// Verifies a webhook and reads it.
///
/// # Errors
///
/// [`Refusal`]; a body that cannot be read is no error but [`Webhook::Unreadable`].
pub fn open(c: &Credentials, raw_query: &str, body: &[u8], now_s: i64) -> Result<Opened, Refusal> {
    let query = Query::parse(raw_query)?;
    if query.sdk_app_id.as_deref() != Some(c.sdk_app_id.to_string().as_str()) {
        return Err(Refusal::OtherApp);
    }
    if !c.tokens.is_empty() {
        check_signature(c, &query, now_s)?;
    }
    let command = query.command.unwrap_or_default();
    let webhook = Webhook::parse_as(body, &command);
    let command = match &webhook {
        Webhook::Unknown { command, .. } => command.clone(),
        Webhook::BeforeSendMsg(_) => "C2C.CallbackBeforeSendMsg".to_owned(),
        Webhook::AfterSendMsg(_) => "C2C.CallbackAfterSendMsg".to_owned(),
        Webhook::Unreadable => command,
    };
    Ok(Opened { webhook, command, opt_platform: query.opt_platform.unwrap_or_default().to_lowercase() })
}

fn check_signature(c: &Credentials, query: &Query, now_s: i64) -> Result<(), Refusal> {
    let (Some(sign), Some(time)) = (&query.sign, &query.request_time) else { return Err(Refusal::Unsigned) };
    let sign = sign.to_ascii_lowercase();
    // Every token is tried, so that the time taken tells nothing.
    let mut fits = false;
    for token in &c.tokens {
        let expected = callback_signature(token.expose_secret(), time);
        fits |= bool::from(expected.as_bytes().ct_eq(sign.as_bytes()));
    }
    if !fits {
        return Err(Refusal::Signature);
    }
    let time: i64 = time.parse().map_err(|_| Refusal::Signature)?;
    let off = now_s.abs_diff(time);
    if c.window_s != 0 && off > c.window_s { Err(Refusal::Stale) } else { Ok(()) }
}

/// `Sign`: SHA-256 over the Token and `RequestTime`, one after the other, in lower-case hexadecimal.
pub fn callback_signature(token: &str, request_time: &str) -> String {
    hex::encode(Sha256::new().chain_update(token).chain_update(request_time).finalize())
}

/// What a webhook is answered with, always with HTTP status 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `OK`, also when a message is refused.
    #[serde(rename = "ActionStatus")]
    pub action_status: String,
    /// Shown to the sender when a message is refused with a code of our own.
    #[serde(rename = "ErrorInfo")]
    pub error_info: String,
    /// 0; 1 refuses; 120001 to 130000 refuses with `ErrorInfo`.
    #[serde(rename = "ErrorCode")]
    pub error_code: i64,
}

impl Answer {
    /// Taken; a Before webhook's message goes on unchanged.
    pub fn ok() -> Answer {
        Answer { action_status: "OK".into(), error_info: String::new(), error_code: 0 }
    }

    /// Refuses the message of a Before webhook with a code from 120001 to 130000 and words for the sender.
    pub fn refuse(code: i64, words: impl Into<String>) -> Answer {
        Answer { action_status: "OK".into(), error_info: words.into(), error_code: code }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest.get(..2)?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = &rest[2..];
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}
