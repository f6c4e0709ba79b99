//! The REST client. Start at [`Client`]; how a failure is judged is in [`CallError`].
//!
//! The calls stand by subject in `client/`: `token.rs`, `send.rs`, `media.rs`, `material.rs`, `users.rs`,
//! `network.rs`, `quota.rs`. WeChat answers 200 also to what it refuses, and `custom/send` has neither an id nor an
//! idempotency key. So the one question after a failure is whether the call may have been carried out.

mod answer;
mod fault;
mod material;
mod media;
mod network;
mod quota;
mod send;
mod token;
mod users;

use std::fmt;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use answer::Answer;
pub use fault::{CallError, Fault};
pub use material::{Added, Material, NewsItem, VideoWords};
pub use media::{Download, MediaFile, Uploaded};
pub use network::{CallbackCheck, IpRange, IpRangeError, Operator, Pinged, Resolved};
pub use quota::{PastCall, Quota, RateLimit};
pub use send::Typing;
pub use token::AccessToken;
pub use users::{Followers, MAX_USERS, UserInfo};

/// Largest JSON answer read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long a connection may take to be made, unless the caller's own `reqwest::Client` says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take as a whole, unless [`Client::with_timeout`] says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a file may take to go up or down, unless [`Client::with_media_timeout`] says otherwise.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls WeChat's API. Cheap to clone.
///
/// A call that only reads may be repeated after any failure; for the others [`CallError`] says whether a repeat
/// would do it twice. No call is repeated here.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    timeout: Duration,
    media_timeout: Duration,
}

/// The base URL is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the base URL must be http(s)://host, with nothing but a path after it")]
pub struct BaseUrlError;

/// A builder with what the calls here need: no redirects and [`CONNECT_TIMEOUT`]. Add your own settings, build
/// it, and share the client.
pub fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
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
        if plain {
            Ok(Client { http, base_url, timeout, media_timeout: MEDIA_TIMEOUT })
        } else {
            Err(BaseUrlError)
        }
    }

    /// Sets how long the upload or download of a file may take as a whole.
    #[must_use]
    pub fn with_media_timeout(self, media_timeout: Duration) -> Client {
        Client { media_timeout, ..self }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        url
    }

    /// A GET under an access_token, with further parameters after it.
    fn get(&self, path: &str, token: &SecretString, parameters: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.get(self.url(path)).query(&[("access_token", token.expose_secret())]);
        if parameters.is_empty() { request } else { request.query(parameters) }
    }

    /// A POST of JSON, raw UTF-8, under an access_token.
    fn post(&self, path: &str, token: &SecretString, body: &impl Serialize) -> RequestBuilder {
        self.http.post(self.url(path)).query(&[("access_token", token.expose_secret())]).json(body)
    }

    /// Makes one call and gives the answer's fields when `errcode` is 0 or missing (a token comes without one).
    /// `hidden` is what must not appear in an error.
    async fn call(&self, request: RequestBuilder, hidden: &[&str]) -> Result<Answer, CallError> {
        let response = self.exchange(request, self.timeout).await?;
        answer::judge(&read(response, MAX_ANSWER).await?, hidden)
    }

    /// As [`Client::call`], for a call whose answer is nothing but its outcome: there some JSON of a proxy's is
    /// not WeChat's word that it was done.
    async fn command(&self, request: RequestBuilder, hidden: &[&str]) -> Result<(), CallError> {
        let answer = self.call(request, hidden).await?;
        if answer.has("errcode") { Ok(()) } else { Err(unreadable()) }
    }

    /// Sends one request and gives the answer's head, when that says 200.
    async fn exchange(&self, request: RequestBuilder, timeout: Duration) -> Result<Response, CallError> {
        let request =
            request.timeout(timeout).build().map_err(|e| CallError::NotSent(fault::transport(e)))?;
        let url = request.url().clone();
        // In a box: whoever waits for a call carries its state along in each of their own.
        let response = Box::pin(self.http.execute(request)).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                CallError::NotSent(fault::transport(error))
            } else {
                CallError::Unclear(fault::transport(error))
            }
        })?;
        if *response.url() != url {
            return Err(CallError::Unclear(Fault::Redirected));
        }
        if response.status() != StatusCode::OK {
            return Err(CallError::Unclear(Fault::Status(response.status().as_u16())));
        }
        Ok(response)
    }
}

/// The body of an answer, `limit` bytes at most; never more than one piece beyond that is held.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| CallError::Unclear(fault::transport(error)))?
    {
        if body.len() + chunk.len() > limit {
            return Err(CallError::Unclear(Fault::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An answer that lacks what the call is for.
fn unreadable() -> CallError {
    CallError::Unclear(Fault::Unreadable)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}

#[cfg(fuzzing)]
pub(crate) use media::fuzz_download;

#[cfg(fuzzing)]
pub(crate) fn fuzz_answer(body: &[u8]) -> bool {
    let Ok(answer) = answer::judge(body, &["oSECRET"]) else { return false };
    let _ = (users::followers(&answer), users::user_info(&answer), users::users_info(&answer));
    let list = answer.texts("ip_list").unwrap_or_default();
    let _ = list.iter().filter_map(|text| text.parse::<IpRange>().ok()).count();
    for name in ["quota", "rate_limit", "data", "user_info_list"] {
        let _ = answer.object(name).map(|object| (object.number::<u64>("remain"), object.text("openid")));
    }
    true
}
