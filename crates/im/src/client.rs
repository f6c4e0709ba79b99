//! The REST client. Start at [`Client`]; how a failure is judged is in [`CallError`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34620>

mod accounts;
mod bulk;
mod chats;
mod profiles;

pub use chats::Unread;
pub use profiles::{Profile, ProfileItem};

pub use accounts::{CheckedAccount, MAX_ACCOUNTS, MAX_STATUS, NewAccount, OnlineStatus, Presence};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admin_sig::AdminSig;
use crate::error_code::ErrorCode;
use crate::history::{HistoryMessage, HistoryPage, HistoryQuery};
use crate::json;
use crate::lenient::integer;
use crate::send::{DeleteResult, SendMsg, Sent};
use crate::wire;

/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// Longest `ErrorInfo` kept, in characters.
const MAX_INFO: usize = 300;
/// How long a connection may take to be made, unless the caller's own `reqwest::Client` says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take as a whole, unless [`Client::with_timeout`] says otherwise. IM gives up after 3 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// The answers after which another UserSig is the cure. IM checks it before anything else is done.
const STALE_USERSIG: [i64; 3] = [70001, 70052, 20002];

/// Calls the REST API. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    sdk_app_id: u64,
    sig: Arc<AdminSig>,
    timeout: Duration,
}

/// The base URL is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the base URL must be http(s)://host, with nothing but a path after it")]
pub struct BaseUrlError;

/// What became of a call that did not succeed. Shows no URL, no UserSig and no UserID.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// IM understood the call and said no. It was not carried out, unless [`ErrorCode::is_ambiguous`].
    #[error("IM refused the call")]
    Refused(#[source] ErrorCode),
    /// The call never left this machine, so it was **not** carried out.
    #[error("the call was not sent")]
    NotSent(#[source] Fault),
    /// The call **may have been** carried out. Look a message up in the history before it is repeated.
    #[error("it is unclear whether the call was carried out")]
    Unclear(#[source] Fault),
}

/// What went wrong outside IM's own rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The transport failed.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// The request cannot be written as JSON.
    #[error("the request cannot be written")]
    Request(#[source] serde_json::Error),
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
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
}

impl Client {
    /// A client for `base_url`, such as `https://console.tim.qq.com`: the host must be that of the app's data
    /// centre. `http` should come from [`http()`]: a client that follows redirects would repeat a message
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`BaseUrlError`] when `base_url` is not `http://` or `https://`, or has credentials, a query or a
    /// fragment.
    pub fn new(
        http: reqwest::Client,
        base_url: &str,
        sdk_app_id: u64,
        sig: Arc<AdminSig>,
    ) -> Result<Client, BaseUrlError> {
        let base_url = Url::parse(base_url.trim_end_matches('/')).map_err(|_| BaseUrlError)?;
        let plain = matches!(base_url.scheme(), "http" | "https")
            && base_url.username().is_empty()
            && base_url.password().is_none()
            && base_url.query().is_none()
            && base_url.fragment().is_none();
        if !plain {
            return Err(BaseUrlError);
        }
        Ok(Client { http, base_url, sdk_app_id, sig, timeout: CALL_TIMEOUT })
    }

    /// The app that it calls for.
    pub fn sdk_app_id(&self) -> u64 {
        self.sdk_app_id
    }

    /// The client with another limit for a whole call, connection included.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Client {
        self.timeout = timeout;
        self
    }

    /// Makes an account, or leaves the one that is there (`account_import`). Safe to repeat.
    ///
    /// `random` is any random number, `now_s` the time in seconds since 1970. Nickname and avatar address have at
    /// most 500 bytes each.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 70399: the account was deleted less than three months ago. 70398: the edition allows
    /// no more accounts.
    #[tracing::instrument(name = "im.account_import", skip_all)]
    pub async fn account_import(
        &self,
        user_id: &str,
        nick: Option<&str>,
        face_url: Option<&str>,
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let body = wire::AccountImportRequest {
            user_id: user_id.to_owned(),
            nick: nick.map(str::to_owned),
            face_url: face_url.map(str::to_owned),
        };
        self.call(wire::ACCOUNT_IMPORT, &body, &[user_id], random, now_s).await.map(drop)
    }

    /// Deletes at most 100 accounts with all they have (`account_delete`). On paid editions they cannot be made
    /// again for three months.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 71000: deletion is not enabled in the console. What became of each account is in the
    /// result.
    #[tracing::instrument(name = "im.account_delete", skip_all)]
    pub async fn account_delete(
        &self,
        user_ids: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<DeleteResult>, CallError> {
        let item = |user_id: &&str| wire::DeleteItem { user_id: (*user_id).to_owned() };
        let body = wire::AccountDeleteRequest { items: user_ids.iter().map(item).collect() };
        let answer = self.call(wire::ACCOUNT_DELETE, &body, user_ids, random, now_s).await?;
        let answer: wire::AccountDeleteAnswer = read(answer)?;
        let result = |item: wire::ResultItem| DeleteResult {
            user_id: item.user_id,
            code: item.result_code,
            info: scrub(&item.result_info, user_ids),
        };
        Ok(answer.items.into_iter().map(result).collect())
    }

    /// Sends a message (`sendmsg`). **Not** safe to repeat: IM drops repetitions within one second only.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. After [`CallError::Unclear`] wait until IM's 3 s are over, look for the message's
    /// `MsgSeq` and `MsgRandom` in the history, and repeat it unchanged if it is not there.
    #[tracing::instrument(name = "im.sendmsg", skip_all)]
    pub async fn send_msg(&self, message: &SendMsg, random: u32, now_s: i64) -> Result<Sent, CallError> {
        let hidden = [message.to.as_str(), message.from.as_deref().unwrap_or_default()];
        let answer = self.call(wire::SENDMSG, message, &hidden, random, now_s).await?;
        let answer: wire::SendMsgAnswer = read(answer)?;
        if answer.msg_key.is_empty() {
            return Err(CallError::Unclear(Fault::Unreadable));
        }
        Ok(Sent { msg_key: answer.msg_key, msg_time: answer.msg_time })
    }

    /// Reads a page of a conversation's history (`admin_getroammsg`), by default of the last 7 days.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.history", skip_all)]
    pub async fn history(
        &self,
        query: &HistoryQuery,
        random: u32,
        now_s: i64,
    ) -> Result<HistoryPage, CallError> {
        let hidden = [query.operator.as_str(), query.peer.as_str()];
        history_page(self.call(wire::ADMIN_GETROAMMSG, query, &hidden, random, now_s).await?)
    }

    /// Makes a call and, when IM says that the UserSig is stale, once more with a new one.
    async fn call<T: Serialize>(
        &self,
        path: &str,
        body: &T,
        hidden: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Map<String, Value>, CallError> {
        let body = serde_json::to_vec(body).map_err(|e| CallError::NotSent(Fault::Request(e)))?;
        let sig = self.sig.current(now_s);
        // In boxes: whoever waits for a call carries its state along in each of their own.
        match Box::pin(self.call_once(path, body.clone(), &sig, hidden, random)).await {
            Err(CallError::Refused(error)) if STALE_USERSIG.contains(&error.code) => {
                tracing::info!(code = error.code, "IM refused the UserSig; a new one is made");
                let sig = self.sig.renew(&sig, now_s);
                Box::pin(self.call_once(path, body, &sig, hidden, random.wrapping_add(1))).await
            }
            outcome => outcome,
        }
    }

    async fn call_once(
        &self,
        path: &str,
        body: Vec<u8>,
        sig: &SecretString,
        hidden: &[&str],
        random: u32,
    ) -> Result<Map<String, Value>, CallError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{path}", self.base_url.path().trim_end_matches('/')));
        url.query_pairs_mut()
            .append_pair("sdkappid", &self.sdk_app_id.to_string())
            .append_pair("identifier", self.sig.admin())
            .append_pair("usersig", sig.expose_secret())
            .append_pair("random", &random.to_string())
            .append_pair("contenttype", "json");
        let request = self
            .http
            .post(url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body)
            .timeout(self.timeout)
            .build()
            .map_err(|e| CallError::NotSent(transport(e)))?;
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
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| CallError::Unclear(transport(e)))? {
            if answer.len() + chunk.len() > MAX_ANSWER {
                return Err(CallError::Unclear(Fault::TooLarge));
            }
            answer.extend_from_slice(&chunk);
        }
        let mut hidden = hidden.to_vec();
        hidden.push(sig.expose_secret());
        judge(&answer, &hidden)
    }
}

/// The fields of an answer with status 200, or what is wrong with it. `ErrorCode` alone decides.
fn judge(body: &[u8], hidden: &[&str]) -> Result<Map<String, Value>, CallError> {
    let answer = json::parse(body).map_err(|error| {
        CallError::Unclear(if error == json::JsonError::Empty { Fault::Empty } else { Fault::Unreadable })
    })?;
    match answer.get("ErrorCode").and_then(integer) {
        Some(0) => Ok(answer),
        Some(code) => {
            let info = answer.get("ErrorInfo").and_then(Value::as_str).unwrap_or_default();
            Err(CallError::Refused(ErrorCode { code, info: scrub(info, hidden) }))
        }
        None => Err(CallError::Unclear(Fault::Unreadable)),
    }
}

/// The page; an entry that cannot be read costs no other.
fn history_page(mut answer: Map<String, Value>) -> Result<HistoryPage, CallError> {
    let list = match answer.remove("MsgList") {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err(CallError::Unclear(Fault::Unreadable)),
    };
    let count = list.len();
    let read_one = |item| serde_json::from_value::<HistoryMessage>(item).ok();
    let messages: Vec<_> = list.into_iter().filter_map(read_one).collect();
    let answer: wire::HistoryAnswer = read(answer)?;
    Ok(HistoryPage {
        complete: answer.complete,
        unreadable: count - messages.len(),
        messages,
        last_msg_time: answer.last_msg_time,
        last_msg_key: answer.last_msg_key,
    })
}

fn read<T: for<'de> Deserialize<'de>>(answer: Map<String, Value>) -> Result<T, CallError> {
    serde_json::from_value(Value::Object(answer)).map_err(|_| CallError::Unclear(Fault::Unreadable))
}

/// The text on one line, shortened, and without what must not appear in a log.
fn scrub(info: &str, hidden: &[&str]) -> String {
    // Very short UserIDs are no openids, and would leave nothing of the text.
    let hidden = hidden.iter().filter(|text| text.len() >= 4);
    let info = hidden.fold(info.to_owned(), |info, text| info.replace(text, "[redacted]"));
    info.chars().filter(|c| !c.is_control()).take(MAX_INFO).collect()
}

/// The UserSig is in the URL: an error must not carry it.
fn transport(error: reqwest::Error) -> Fault {
    Fault::Transport(error.without_url())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url.as_str())
            .field("sdk_app_id", &self.sdk_app_id)
            .finish_non_exhaustive()
    }
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_answer(body: &[u8]) -> bool {
    let Ok(answer) = judge(body, &["oSECRET"]) else { return false };
    let _ = read::<wire::SendMsgAnswer>(answer.clone());
    let _ = read::<wire::AccountDeleteAnswer>(answer.clone());
    let _ = read::<wire::AccountCheckAnswer>(answer.clone());
    let _ = read::<wire::AccountsImportAnswer>(answer.clone());
    let _ = read::<wire::OnlineStatusAnswer>(answer.clone());
    let _ = read::<wire::PortraitGetAnswer>(answer.clone());
    let _ = read::<wire::UnreadAnswer>(answer.clone());
    let _ = read::<wire::BatchSendAnswer>(answer.clone());
    let _ = read::<wire::IpListAnswer>(answer.clone());
    let entries = answer.get("MsgList").and_then(Value::as_array).map_or(0, Vec::len);
    if let Ok(page) = history_page(answer) {
        assert_eq!(page.messages.len() + page.unreadable, entries, "every entry is counted");
        for message in &page.messages {
            let written = serde_json::to_value(message).expect("a message can be written");
            let again: HistoryMessage = serde_json::from_value(written).expect("and read again");
            assert_eq!(&again, message);
            assert!(message.dedup_key(1).len() < 1024, "a dedup key has a bound");
        }
    }
    true
}
