//! The REST API: accounts, messages, history. Start at [`Client`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34620>

use crate::admin_sig::AdminSig;
use crate::element::Element;
use crate::error_code::ErrorCode;
use crate::lenient::{number, object, text};
use crate::wire;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Limit for a whole call, connection included. IM's own back-end time-out is 3 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Calls the REST API as an app admin. Cheap to clone.
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
    /// IM understood the call and said no.
    #[error("IM refused the call")]
    Refused(#[source] ErrorCode),
    /// The call never left this machine, so it was **not** carried out.
    #[error("the call was not sent")]
    NotSent(#[source] Fault),
    /// The call **may have been** carried out.
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
    /// The HTTP status is not 200.
    #[error("the answer has HTTP status {0}")]
    Status(u16),
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

/// A message to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMsg {
    /// The sender; any imported account.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// Orders messages of one second: count up per sender and receiver.
    pub msg_seq: u32,
    /// Random per message, the same at each repeat: IM drops a repeat within one second.
    pub msg_random: u32,
    /// The elements, together with `cloud_custom_data` under 8,000 bytes (12 KB by newer pages).
    pub body: Vec<Element>,
    /// Kept with the message, and shown in webhooks and history.
    pub cloud_custom_data: Option<String>,
    /// Cause no Before and no After webhook.
    pub forbid_callbacks: bool,
    /// 1: also in the sender's history; 2: not.
    pub sync_other_machine: Option<u8>,
}

/// A message that IM took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its key in webhooks and history.
    pub msg_key: String,
    /// IM's time, Unix seconds.
    pub msg_time: i64,
}

/// What became of one account of `account_delete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteResult {
    /// The account.
    pub user_id: String,
    /// 0, or why not.
    pub code: i64,
}

/// Which part of a history is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Whose view.
    pub operator: String,
    /// The other side.
    pub peer: String,
    /// How many; pages are cut at about 13 KB besides.
    pub max_cnt: u32,
    /// Unix seconds, inclusive.
    pub min_time: i64,
    /// Unix seconds, inclusive; for a next page the `last_msg_time` of the page before.
    pub max_time: i64,
    /// `last_msg_key` of the page before.
    pub last_msg_key: Option<String>,
}

/// A page of a history: the newest page comes first, inside it the oldest message.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// Whether this is the last page.
    pub complete: bool,
    /// The messages.
    pub messages: Vec<HistoryMessage>,
    /// Time of the oldest message.
    pub last_msg_time: Option<i64>,
    /// Key of the oldest message.
    pub last_msg_key: Option<String>,
}

/// A message in a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryMessage {
    /// `From_Account`
    pub from: String,
    /// `To_Account`
    pub to: String,
    /// `MsgSeq`
    pub msg_seq: u32,
    /// `MsgRandom`
    pub msg_random: u32,
    /// `MsgTimeStamp`, Unix seconds.
    pub msg_time: i64,
    /// `MsgKey`
    pub msg_key: String,
    /// Whether it was recalled (`MsgFlagBits` 8).
    pub recalled: bool,
    /// The elements.
    pub body: Vec<Element>,
    /// `CloudCustomData`
    pub cloud_custom_data: Option<String>,
}

impl Client {
    /// A client for the app's data centre, such as `https://console.tim.qq.com`. `http` must not follow redirects.
    ///
    /// # Errors
    ///
    /// [`BaseUrlError`] when `base_url` is not `http://` or `https://`, or has credentials, a query or a fragment.
    pub fn new(
        http: reqwest::Client,
        base_url: &str,
        sdk_app_id: u64,
        sig: Arc<AdminSig>,
    ) -> Result<Client, BaseUrlError> {
        Client::with_timeout(http, base_url, sdk_app_id, sig, CALL_TIMEOUT)
    }

    /// Like [`Client::new`], with another limit for a whole call; keep it above IM's own 3 s.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn with_timeout(
        http: reqwest::Client,
        base_url: &str,
        sdk_app_id: u64,
        sig: Arc<AdminSig>,
        timeout: Duration,
    ) -> Result<Client, BaseUrlError> {
        let base_url = Url::parse(base_url.trim_end_matches('/')).map_err(|_| BaseUrlError)?;
        let plain = matches!(base_url.scheme(), "http" | "https")
            && base_url.username().is_empty()
            && base_url.password().is_none()
            && base_url.query().is_none()
            && base_url.fragment().is_none();
        if plain { Ok(Client { http, base_url, sdk_app_id, sig, timeout }) } else { Err(BaseUrlError) }
    }

    /// Imports an account; importing it again changes nothing.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 70398: the edition's accounts are used up, 70399: deleted less than three months ago.
    pub async fn account_import(
        &self,
        user_id: &str,
        nick: Option<&str>,
        face_url: Option<&str>,
        random: u32,
        now_s: i64,
    ) -> Result<(), CallError> {
        let body = wire::AccountImport {
            user_id: user_id.to_owned(),
            nick: nick.map(str::to_owned),
            face_url: face_url.map(str::to_owned),
        };
        self.call(wire::ACCOUNT_IMPORT, &body, &[user_id], random, now_s).await.map(drop)
    }

    /// Deletes up to 100 accounts with all that belongs to them, for good.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 71000: not enabled in the console.
    pub async fn account_delete(
        &self,
        user_ids: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<DeleteResult>, CallError> {
        let delete_item = user_ids.iter().map(|id| wire::UserId { user_id: (*id).to_owned() }).collect();
        let answer = self
            .call(wire::ACCOUNT_DELETE, &wire::AccountDelete { delete_item }, user_ids, random, now_s)
            .await?;
        let items = answer.get("ResultItem").and_then(Value::as_array).cloned().unwrap_or_default();
        let result = |item: &Value| {
            let item = item.as_object()?;
            Some(DeleteResult {
                user_id: text(item, "UserID")?,
                code: number(item, "ResultCode").unwrap_or(0),
            })
        };
        Ok(items.iter().filter_map(result).collect())
    }

    /// Sends a message. It has no key that makes a repeat harmless beyond one second: after
    /// [`CallError::Unclear`], and after a [`crate::Verdict::Retry`], look into the history first.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn send_msg(&self, message: &SendMsg, random: u32, now_s: i64) -> Result<Sent, CallError> {
        let forbidden = ["ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"];
        let body = wire::SendMsgBody {
            sync_other_machine: message.sync_other_machine,
            from: Some(message.from.clone()),
            to: message.to.clone(),
            msg_seq: Some(message.msg_seq),
            msg_random: message.msg_random,
            forbid_callback_control: if message.forbid_callbacks {
                forbidden.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            },
            body: message.body.clone(),
            cloud_custom_data: message.cloud_custom_data.clone(),
        };
        let answer = self.call(wire::SENDMSG, &body, &[&message.from, &message.to], random, now_s).await?;
        let msg_time = number(&answer, "MsgTime").unwrap_or_default();
        let msg_key = text(&answer, "MsgKey")
            .unwrap_or_else(|| format!("{}_{}_{msg_time}", message.msg_seq, message.msg_random));
        Ok(Sent { msg_key, msg_time })
    }

    /// Reads one page of a conversation's history.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn history(
        &self,
        query: &HistoryQuery,
        random: u32,
        now_s: i64,
    ) -> Result<HistoryPage, CallError> {
        let body = wire::RoamMsgBody {
            operator: query.operator.clone(),
            peer: query.peer.clone(),
            max_cnt: query.max_cnt,
            min_time: query.min_time,
            max_time: query.max_time,
            last_msg_key: query.last_msg_key.clone(),
        };
        let hidden = [query.operator.as_str(), query.peer.as_str()];
        let answer = self.call(wire::ADMIN_GETROAMMSG, &body, &hidden, random, now_s).await?;
        let list = answer.get("MsgList").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(HistoryPage {
            complete: number(&answer, "Complete") != Some(0),
            messages: list.iter().filter_map(Value::as_object).map(history_message).collect(),
            last_msg_time: number(&answer, "LastMsgTime"),
            last_msg_key: text(&answer, "LastMsgKey"),
        })
    }

    /// Makes one call. If the UserSig is refused, it is renewed once and the call is made once more: a call with
    /// a refused UserSig was not carried out. `hidden` is what must not appear in an error.
    async fn call(
        &self,
        path: &str,
        body: &impl Serialize,
        hidden: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Map<String, Value>, CallError> {
        let sig = self.sig.current(now_s);
        match self.call_with(&sig, path, body, hidden, random).await {
            Err(CallError::Refused(error)) if matches!(error.code, 70001 | 70052 | 20002) => {
                let sig = self.sig.renew(&sig, now_s);
                self.call_with(&sig, path, body, hidden, random).await
            }
            other => other,
        }
    }

    async fn call_with(
        &self,
        sig: &SecretString,
        path: &str,
        body: &impl Serialize,
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
            .post(url)
            .json(body)
            .timeout(self.timeout)
            .build()
            .map_err(|error| CallError::NotSent(transport(error)))?;
        let mut response = self.http.execute(request).await.map_err(|error| {
            // A connection that was never made, and a request that was never built, carried nothing.
            if error.is_connect() || error.is_builder() {
                CallError::NotSent(transport(error))
            } else {
                CallError::Unclear(transport(error))
            }
        })?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(CallError::Unclear(Fault::Status(status)));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| CallError::Unclear(transport(error)))?
        {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(CallError::Unclear(Fault::TooLarge));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.is_empty() {
            return Err(CallError::Unclear(Fault::Empty));
        }
        let answer = object(&bytes).ok_or(CallError::Unclear(Fault::Unreadable))?;
        match number(&answer, "ErrorCode") {
            Some(0) => Ok(answer),
            Some(code) => {
                let info = text(&answer, "ErrorInfo").unwrap_or_default();
                Err(CallError::Refused(ErrorCode { code, info: scrub(info, sig, hidden) }))
            }
            None => Err(CallError::Unclear(Fault::Unreadable)),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("sdk_app_id", &self.sdk_app_id).finish_non_exhaustive()
    }
}

fn transport(error: reqwest::Error) -> Fault {
    Fault::Transport(error.without_url())
}

fn scrub(info: String, sig: &SecretString, hidden: &[&str]) -> String {
    let mut info = info.replace(sig.expose_secret(), "…");
    for word in hidden.iter().filter(|word| !word.is_empty()) {
        info = info.replace(word, "…");
    }
    info.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn history_message(fields: &Map<String, Value>) -> HistoryMessage {
    let unsigned = |name: &str| number(fields, name).and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let (msg_seq, msg_random) = (unsigned("MsgSeq"), unsigned("MsgRandom"));
    let msg_time = number(fields, "MsgTimeStamp").unwrap_or_default();
    HistoryMessage {
        from: text(fields, "From_Account").unwrap_or_default(),
        to: text(fields, "To_Account").unwrap_or_default(),
        msg_seq,
        msg_random,
        msg_time,
        msg_key: text(fields, "MsgKey").unwrap_or_else(|| format!("{msg_seq}_{msg_random}_{msg_time}")),
        recalled: number(fields, "MsgFlagBits").is_some_and(|bits| bits & 8 != 0),
        body: fields
            .get("MsgBody")
            .and_then(Value::as_array)
            .map(|list| list.iter().map(Element::from_value).collect())
            .unwrap_or_default(),
        cloud_custom_data: text(fields, "CloudCustomData").filter(|data| !data.is_empty()),
    }
}
