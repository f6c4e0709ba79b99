//! The REST client. Start at [`Client`]; how a failure is judged is in [`CallError`].
//!
//! WeChat answers 200 also to what it refuses, and `custom/send` has neither an id nor an idempotency key. So
//! the one question after a failure is whether the call may have been carried out.

use std::fmt;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::errcode::Errcode;
use crate::text::clean;
use crate::wire;

/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// Longest `errmsg` kept, in characters.
const MAX_MESSAGE: usize = 300;
/// How long a connection may take to be made, unless the caller's own `reqwest::Client` says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take as a whole, unless [`Client::with_timeout`] says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// Calls WeChat's API. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    timeout: Duration,
}

/// An access_token and how long it lives.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token, up to 512 bytes.
    pub token: SecretString,
    /// Remaining life in seconds, at most 7,200.
    pub expires_in: u64,
}

/// The base URL is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the base URL must be http(s)://host, with nothing but a path after it")]
pub struct BaseUrlError;

/// What became of a call that did not succeed. Shows no URL, no secret and no openid.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// WeChat understood the call and said no: it was **not** carried out.
    #[error("WeChat refused the call")]
    Refused(#[source] Errcode),
    /// The call never left this machine, so it was **not** carried out.
    #[error("the call was not sent")]
    NotSent(#[source] Fault),
    /// The call **may have been** carried out. Do not repeat what must not happen twice.
    #[error("it is unclear whether the call was carried out")]
    Unclear(#[source] Fault),
}

/// What went wrong outside WeChat's own rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The transport failed.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// The HTTP status is not 200.
    #[error("the answer has HTTP status {0}")]
    Status(u16),
    /// The caller's `reqwest::Client` followed a redirect.
    #[error("the call was redirected to another address")]
    Redirected,
    /// The answer has no content.
    #[error("the answer is empty")]
    Empty,
    /// The answer is larger than 1 MiB.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer is not a JSON object, is cut short, or lacks what the call is for.
    #[error("the answer is not what the call should give")]
    Unreadable,
}

/// A builder with what the calls here need: no redirects and [`CONNECT_TIMEOUT`]. Add your own settings, build
/// it, and share the client.
pub fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT)
}

impl Client {
    /// A client for `base_url`, normally `https://api.weixin.qq.com`. `http` should come from [`http()`]: a
    /// client that follows redirects would repeat a message elsewhere.
    ///
    /// # Errors
    ///
    /// [`BaseUrlError`] when `base_url` is not `http://` or `https://`, or has credentials, a query or a
    /// fragment.
    pub fn new(http: reqwest::Client, base_url: &str) -> Result<Client, BaseUrlError> {
        Client::with_timeout(http, base_url, CALL_TIMEOUT)
    }

    /// Like [`Client::new`], with another limit for a whole call, connection included.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn with_timeout(
        http: reqwest::Client,
        base_url: &str,
        timeout: Duration,
    ) -> Result<Client, BaseUrlError> {
        let base_url = Url::parse(base_url.trim_end_matches('/')).map_err(|_| BaseUrlError)?;
        let plain = matches!(base_url.scheme(), "http" | "https")
            && base_url.username().is_empty()
            && base_url.password().is_none()
            && base_url.query().is_none()
            && base_url.fragment().is_none();
        if plain { Ok(Client { http, base_url, timeout }) } else { Err(BaseUrlError) }
    }

    /// Asks for the account's access_token. Normally WeChat gives the same one until five minutes before its
    /// end; with `force_refresh` the old one dies at once (20 times a day, for leaks).
    ///
    /// # Errors
    ///
    /// See [`CallError`]; an answer without a token, or with one that has no life left, is
    /// [`CallError::Unclear`]. Judge codes with [`crate::token_call_verdict`].
    #[tracing::instrument(name = "wechat.stable_token", skip_all)]
    pub async fn stable_token(
        &self,
        app_id: &str,
        app_secret: &SecretString,
        force_refresh: bool,
    ) -> Result<AccessToken, CallError> {
        let body = wire::StableTokenRequest {
            grant_type: "client_credential".to_owned(),
            appid: app_id.to_owned(),
            secret: app_secret.expose_secret().to_owned(),
            force_refresh,
        };
        let request = self.http.post(self.url(wire::STABLE_TOKEN)).json(&body);
        let answer = self.call(request, &[app_secret.expose_secret()]).await?;
        let token = answer.get("access_token").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let expires_in = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        if token.is_empty() || expires_in == 0 {
            return Err(CallError::Unclear(Fault::Unreadable));
        }
        Ok(AccessToken { token: SecretString::from(token), expires_in })
    }

    /// Sends a customer-service text (`custom/send`). `content` has at most 2,048 bytes and is sent as raw UTF-8;
    /// characters that no chat can show are dropped from it.
    ///
    /// WeChat gives no message id and knows no idempotency key: after [`CallError::Unclear`] the customer may
    /// have the message already.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "wechat.send_text", skip_all)]
    pub async fn send_text(
        &self,
        access_token: &SecretString,
        openid: &str,
        content: &str,
    ) -> Result<(), CallError> {
        let body = wire::CustomSendText {
            touser: openid.to_owned(),
            msgtype: "text".to_owned(),
            text: wire::TextContent { content: clean(content).into_owned() },
        };
        let token = access_token.expose_secret();
        let request =
            self.http.post(self.url(wire::CUSTOM_SEND)).query(&[("access_token", token)]).json(&body);
        let answer = self.call(request, &[token, openid]).await?;
        // Some JSON of a proxy's is not WeChat's word that the message was taken.
        if answer.contains_key("errcode") { Ok(()) } else { Err(CallError::Unclear(Fault::Unreadable)) }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        url
    }

    /// Makes one call and gives the answer's fields when `errcode` is 0 or missing (a token comes without one).
    /// `hidden` is what must not appear in an error.
    async fn call(
        &self,
        request: reqwest::RequestBuilder,
        hidden: &[&str],
    ) -> Result<Map<String, Value>, CallError> {
        let request = request.timeout(self.timeout).build().map_err(|e| CallError::NotSent(transport(e)))?;
        let url = request.url().clone();
        let mut response = self.http.execute(request).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                CallError::NotSent(transport(error))
            } else {
                CallError::Unclear(transport(error))
            }
        })?;
        if *response.url() != url {
            return Err(CallError::Unclear(Fault::Redirected));
        }
        if response.status() != StatusCode::OK {
            return Err(CallError::Unclear(Fault::Status(response.status().as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| CallError::Unclear(transport(e)))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(CallError::Unclear(Fault::TooLarge));
            }
            body.extend_from_slice(&chunk);
        }
        judge(&body, hidden)
    }
}

/// The fields of an answer with status 200, or what is wrong with it.
fn judge(body: &[u8], hidden: &[&str]) -> Result<Map<String, Value>, CallError> {
    if body.trim_ascii().is_empty() {
        return Err(CallError::Unclear(Fault::Empty));
    }
    let unreadable = || CallError::Unclear(Fault::Unreadable);
    let answer: Map<String, Value> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let code = match answer.get("errcode") {
        None => 0,
        Some(Value::String(text)) => text.trim().parse().map_err(|_| unreadable())?,
        Some(number) => number.as_i64().ok_or_else(unreadable)?,
    };
    if code == 0 {
        return Ok(answer);
    }
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    Err(CallError::Refused(Errcode { code, message: scrub(message, hidden) }))
}

/// The message on one line, shortened, and without what must not appear in a log.
fn scrub(message: &str, hidden: &[&str]) -> String {
    let hidden = hidden.iter().filter(|text| !text.is_empty());
    let message = hidden.fold(message.to_owned(), |message, text| message.replace(text, "[redacted]"));
    message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}

/// The access_token is in the URL: an error must not carry it.
fn transport(error: reqwest::Error) -> Fault {
    Fault::Transport(error.without_url())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}
