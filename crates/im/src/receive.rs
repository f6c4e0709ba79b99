//! What a webhook endpoint needs: from the raw request to a typed webhook. Start at [`open`]; a server that is open to
//! everybody asks [`check_query`] first.
//!
//! There is no I/O here, and the clock is an argument.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::query::Query;
use crate::signature::callback_signature_matches;
use crate::webhook::Webhook;

/// Largest body accepted, in bytes. Messages have at most 12 KB.
pub const MAX_BODY: usize = 1024 * 1024;

/// What an app shares with Tencent.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The app's SDKAppID.
    pub sdk_app_id: u64,
    /// The tokens set in the console: current first, previous after it. With an empty list requests are accepted
    /// unsigned. A token that is empty text never matches, because anyone could sign with it.
    pub tokens: Vec<SecretString>,
    /// How many seconds `RequestTime` may be off; 0 = do not check. Tencent names 60 for a sister product.
    pub window_s: u64,
}

/// Why a request is answered with an HTTP error and leaves no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The query string is malformed.
    #[error("the query string is malformed: {0}")]
    Query(&'static str),
    /// `SdkAppid` is missing, or is another app's.
    #[error("the SdkAppid is missing or another app's")]
    SdkAppId,
    /// `Sign` or `RequestTime` is missing. Is the token set in the console?
    #[error("the signature is missing")]
    MissingSignature,
    /// `Sign` is made with none of the tokens.
    #[error("the signature does not match the token")]
    Signature,
    /// `RequestTime` is outside the window. Look at the clock of this machine, too.
    #[error("the signed time is too far from this machine's clock")]
    Stale,
    /// The body is larger than 1 MiB.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
}

impl Refusal {
    /// The HTTP status to answer with: 400, 403 or 413.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Query(_) => 400,
            Refusal::TooLarge => 413,
            Refusal::SdkAppId | Refusal::MissingSignature | Refusal::Signature | Refusal::Stale => 403,
        }
    }
}

/// A genuine request, opened. `Debug` shows no content.
#[derive(Clone, PartialEq)]
pub struct Opened {
    /// What it says.
    pub webhook: Webhook,
    /// The command, from the body or, if that has none, from the query; may be empty.
    pub command: String,
    /// From where the user acted; see [`Query::opt_platform`].
    pub opt_platform: String,
}

impl Opened {
    /// Whether the message was sent with the REST API. A hint only: it is not signed.
    pub fn is_rest_api(&self) -> bool {
        self.opt_platform == "RESTAPI"
    }
}

/// Checks what the address alone can prove, before the body is read: signature, age and app, as [`open`] does again.
///
/// A server that asks this first need not keep the body of a request that will be refused anyway, so strangers cannot
/// fill its memory.
///
/// # Errors
///
/// See [`Refusal`].
pub fn check_query(c: &Credentials, raw_query: &str, now_s: i64) -> Result<(), Refusal> {
    checked(c, raw_query, now_s).map(drop)
}

/// Checks and parses a webhook request.
///
/// Answer whatever is `Ok` here with [`Answer::ok`](crate::Answer::ok) once it is stored, within 2 seconds:
/// an unknown command or a broken body is a value too.
///
/// # Errors
///
/// [`Refusal`] when the request is not proven to come from someone who knows a token, or is another app's.
pub fn open(c: &Credentials, raw_query: &str, body: &[u8], now_s: i64) -> Result<Opened, Refusal> {
    if body.len() > MAX_BODY {
        return Err(Refusal::TooLarge);
    }
    let query = checked(c, raw_query, now_s)?;
    let webhook = Webhook::parse(&query.command, body);
    let command = match webhook.command() {
        "" => query.command,
        command => command.to_owned(),
    };
    Ok(Opened { webhook, command, opt_platform: query.opt_platform })
}

fn checked(c: &Credentials, raw_query: &str, now_s: i64) -> Result<Query, Refusal> {
    let query = Query::parse(raw_query)?;
    check_signature(c, &query, now_s)?;
    if query.sdk_app_id == c.sdk_app_id { Ok(query) } else { Err(Refusal::SdkAppId) }
}

fn check_signature(c: &Credentials, query: &Query, now_s: i64) -> Result<(), Refusal> {
    if c.tokens.is_empty() {
        return Ok(());
    }
    let (Some(sign), Some(time)) = (&query.sign, &query.request_time) else {
        return Err(Refusal::MissingSignature);
    };
    let mut tokens = c.tokens.iter().map(ExposeSecret::expose_secret).filter(|token| !token.is_empty());
    if !tokens.any(|token| callback_signature_matches(token, time, sign)) {
        return Err(Refusal::Signature);
    }
    if query.is_fresh(now_s, c.window_s) { Ok(()) } else { Err(Refusal::Stale) }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("command", &self.command)
            .field("opt_platform", &self.opt_platform)
            .finish_non_exhaustive()
    }
}
