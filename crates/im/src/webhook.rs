//! The webhooks ("callbacks") of Tencent Cloud IM. Start at [`Webhook`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34355>

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::element::Other;
use crate::json::{self, JsonError};
use crate::lenient;
use crate::message::C2cMessage;

mod app;
mod group;

pub use app::{MsgExtension, PortraitSet, RequestOverLimit};
pub use group::{GroupAfterSend, GroupAt, GroupMessage, GroupMsgSeq, GroupRecall, GroupSendException};

/// The names of the commands: those that are typed here, and [`ALL`](command::ALL).
pub mod command {
    /// Before a one-to-one message is delivered.
    pub const BEFORE_SEND_MSG: &str = "C2C.CallbackBeforeSendMsg";
    /// After a one-to-one message was sent, or failed.
    pub const AFTER_SEND_MSG: &str = "C2C.CallbackAfterSendMsg";
    /// Somebody has read a conversation.
    pub const AFTER_MSG_REPORT: &str = "C2C.CallbackAfterMsgReport";
    /// A message was recalled.
    pub const AFTER_MSG_WITHDRAW: &str = "C2C.CallbackAfterMsgWithDraw";
    /// A user's device came or went.
    pub const STATE_CHANGE: &str = "State.StateChange";
    /// The extension of a one-to-one message was changed.
    pub const AFTER_C2C_MSG_EXTENSION: &str = "C2C.CallbackAfterC2CMsgExtension";
    /// Before a group message is delivered.
    pub const GROUP_BEFORE_SEND_MSG: &str = "Group.CallbackBeforeSendMsg";
    /// After a group message was sent.
    pub const GROUP_AFTER_SEND_MSG: &str = "Group.CallbackAfterSendMsg";
    /// A group message was not sent.
    pub const GROUP_SEND_MSG_EXCEPTION: &str = "Group.CallbackSendMsgException";
    /// Group messages were recalled.
    pub const GROUP_AFTER_RECALL_MSG: &str = "Group.CallbackAfterRecallMsg";
    /// A profile was changed.
    pub const PORTRAIT_SET: &str = "Profile.CallbackPortraitSet";
    /// A REST call is made too often.
    pub const REQUEST_OVER_LIMIT: &str = "Alert.RequestOverLimit";

    /// Every command of the vendor's list, by kind. The console has a switch for each.
    pub const ALL: &[&str] = &[
        BEFORE_SEND_MSG,
        AFTER_SEND_MSG,
        AFTER_MSG_REPORT,
        AFTER_MSG_WITHDRAW,
        AFTER_C2C_MSG_EXTENSION,
        STATE_CHANGE,
        PORTRAIT_SET,
        "Sns.CallbackPrevFriendAdd",
        "Sns.CallbackPrevFriendResponse",
        "Sns.CallbackFriendAdd",
        "Sns.CallbackFriendDelete",
        "Sns.CallbackBlackListAdd",
        "Sns.CallbackBlackListDelete",
        GROUP_BEFORE_SEND_MSG,
        GROUP_AFTER_SEND_MSG,
        GROUP_SEND_MSG_EXCEPTION,
        GROUP_AFTER_RECALL_MSG,
        "Group.CallbackBeforeCreateGroup",
        "Group.CallbackAfterCreateGroup",
        "Group.CallbackBeforeApplyJoinGroup",
        "Group.CallbackBeforeInviteJoinGroup",
        "Group.CallbackAfterNewMemberJoin",
        "Group.CallbackAfterMemberExit",
        "Group.CallbackAfterGroupFull",
        "Group.CallbackAfterGroupDestroyed",
        "Group.CallbackAfterGroupInfoChanged",
        "Group.CallbackOnMemberStateChange",
        "Group.CallbackAfterReadReceipt",
        "Group.CallbackAfterChangeGroupOwner",
        REQUEST_OVER_LIMIT,
        "ContentCallback.ResultNotify",
        "Bot.OnC2CMessage",
        "Bot.OnGroupMessage",
        "Push.OfflinePush",
        "Push.AllMemberPush",
    ];
}

/// A webhook. Everything that comes is one of these: parsing never fails.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Webhook {
    /// `C2C.CallbackBeforeSendMsg`: the answer decides whether the message is delivered.
    BeforeSendMsg(C2cMessage),
    /// `C2C.CallbackAfterSendMsg`, also for messages that failed.
    AfterSendMsg(AfterSend),
    /// `C2C.CallbackAfterMsgReport`.
    AfterMsgReport(MsgReport),
    /// `C2C.CallbackAfterMsgWithDraw`.
    AfterMsgWithDraw(MsgWithDraw),
    /// `State.StateChange`.
    StateChange(StateChange),
    /// `C2C.CallbackAfterC2CMsgExtension`.
    MsgExtension(MsgExtension),
    /// `Group.CallbackBeforeSendMsg`: the answer decides whether the message is delivered.
    GroupBeforeSendMsg(GroupMessage),
    /// `Group.CallbackAfterSendMsg`, for messages that were sent.
    GroupAfterSendMsg(GroupAfterSend),
    /// `Group.CallbackSendMsgException`, for messages that were not.
    GroupSendMsgException(GroupSendException),
    /// `Group.CallbackAfterRecallMsg`.
    GroupAfterRecallMsg(GroupRecall),
    /// `Profile.CallbackPortraitSet`.
    PortraitSet(PortraitSet),
    /// `Alert.RequestOverLimit`.
    RequestOverLimit(RequestOverLimit),
    /// Any other command of [`command::ALL`] (their pages give no table of fields that could be relied on), any
    /// command beyond it, or none; and one outside `C2C.` and `State.` whose fields are not as documented.
    Unknown {
        /// The command; empty when neither body nor query has one.
        command: String,
        /// The whole body.
        body: Value,
    },
    /// A body that is no JSON object, or not what its command needs. Keep the raw body.
    Unreadable {
        /// The command; empty when neither body nor query has one.
        command: String,
        /// Why it cannot be read.
        reason: UnreadableReason,
    },
}

/// Why the body of a webhook cannot be read. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableReason {
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// It is no JSON, or is cut short.
    #[error("the body is no JSON")]
    Json,
    /// It is JSON, but no object.
    #[error("the body is no JSON object")]
    NotObject,
    /// A field that the command needs is missing or of the wrong type.
    #[error("a field is missing or of the wrong type")]
    Fields,
}

/// `C2C.CallbackAfterSendMsg`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AfterSend {
    /// The message.
    #[serde(flatten)]
    pub message: C2cMessage,
    /// 0 when it was delivered; else an error code: the recipient did **not** get it.
    #[serde(rename = "SendMsgResult", default, deserialize_with = "lenient::number")]
    pub send_msg_result: i64,
    /// In words, also on success.
    #[serde(rename = "ErrorInfo", default, deserialize_with = "lenient::text")]
    pub error_info: String,
    /// How much the recipient has not read in all; -1 when sending failed.
    #[serde(
        rename = "UnreadMsgNum",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub unread: Option<i64>,
}

/// `C2C.CallbackAfterMsgReport`: `reader` has read what `peer` wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MsgReport {
    /// Who has read.
    #[serde(rename = "Report_Account")]
    pub reader: String,
    /// Whose messages were read.
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    /// Up to when, in seconds since 1970.
    #[serde(rename = "LastReadTime", deserialize_with = "lenient::number")]
    pub last_read_time: i64,
    /// How much the reader has not read in all.
    #[serde(
        rename = "UnreadMsgNum",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub unread: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterMsgWithDraw`: a message was recalled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MsgWithDraw {
    /// Who had sent it.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// Who had received it.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Which message; see [`C2cMessage::msg_key`].
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
    /// How much the recipient has not read in all.
    #[serde(
        rename = "UnreadMsgNum",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub unread: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `State.StateChange`: one device of a user came or went. The user may still be online elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    /// Milliseconds since 1970.
    #[serde(
        rename = "EventTime",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_time: Option<i64>,
    /// What happened.
    #[serde(rename = "Info")]
    pub info: StateInfo,
    /// The devices that this login displaced.
    #[serde(rename = "KickedDevice", default, skip_serializing_if = "Vec::is_empty")]
    pub kicked: Vec<KickedDevice>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// What a [`StateChange`] is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateInfo {
    /// `Login`, `Logout` or `Disconnect`.
    #[serde(rename = "Action")]
    pub action: String,
    /// The user.
    #[serde(rename = "To_Account")]
    pub user_id: String,
    /// `Register`, `Unregister`, `LinkClose` or `TimeOut`.
    #[serde(rename = "Reason", default)]
    pub reason: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// A device that lost its login.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KickedDevice {
    /// Such as `Windows`.
    #[serde(rename = "Platform", default)]
    pub platform: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

impl Webhook {
    /// Reads a body. `query_command` counts when the body names no command.
    pub fn parse(query_command: &str, body: &[u8]) -> Webhook {
        let mut fields = match json::parse(body) {
            Ok(fields) => fields,
            Err(error) => {
                let reason = match error {
                    JsonError::Empty => UnreadableReason::Empty,
                    JsonError::Syntax => UnreadableReason::Json,
                    JsonError::NotObject => UnreadableReason::NotObject,
                };
                return Webhook::Unreadable { command: query_command.to_owned(), reason };
            }
        };
        let named = fields.get(COMMAND).and_then(Value::as_str).filter(|name| !name.is_empty());
        let command = named.unwrap_or(query_command).to_owned();
        let typed = match command.as_str() {
            command::BEFORE_SEND_MSG => typed(&mut fields).map(Webhook::BeforeSendMsg),
            command::AFTER_SEND_MSG => typed(&mut fields).map(Webhook::AfterSendMsg),
            command::AFTER_MSG_REPORT => typed(&mut fields).map(Webhook::AfterMsgReport),
            command::AFTER_MSG_WITHDRAW => typed(&mut fields).map(Webhook::AfterMsgWithDraw),
            command::STATE_CHANGE => typed(&mut fields).map(Webhook::StateChange),
            _ => return Webhook::beside(command, fields),
        };
        typed.unwrap_or(Webhook::Unreadable { command, reason: UnreadableReason::Fields })
    }

    /// A webhook that is not about a one-to-one chat or a user's state. Nobody's message is lost with it, so
    /// one with other fields than documented is kept whole rather than called unreadable.
    fn beside(command: String, mut fields: Map<String, Value>) -> Webhook {
        let whole = fields.clone();
        let typed = match command.as_str() {
            command::AFTER_C2C_MSG_EXTENSION => typed(&mut fields).map(Webhook::MsgExtension),
            command::GROUP_BEFORE_SEND_MSG => typed(&mut fields).map(Webhook::GroupBeforeSendMsg),
            command::GROUP_AFTER_SEND_MSG => typed(&mut fields).map(Webhook::GroupAfterSendMsg),
            command::GROUP_SEND_MSG_EXCEPTION => typed(&mut fields).map(Webhook::GroupSendMsgException),
            command::GROUP_AFTER_RECALL_MSG => typed(&mut fields).map(Webhook::GroupAfterRecallMsg),
            command::PORTRAIT_SET => typed(&mut fields).map(Webhook::PortraitSet),
            command::REQUEST_OVER_LIMIT => typed(&mut fields).map(Webhook::RequestOverLimit),
            _ => None,
        };
        typed.unwrap_or(Webhook::Unknown { command, body: Value::Object(whole) })
    }

    /// `CallbackCommand`; may be empty when the webhook is unknown or unreadable.
    pub fn command(&self) -> &str {
        match self {
            Webhook::BeforeSendMsg(_) => command::BEFORE_SEND_MSG,
            Webhook::AfterSendMsg(_) => command::AFTER_SEND_MSG,
            Webhook::AfterMsgReport(_) => command::AFTER_MSG_REPORT,
            Webhook::AfterMsgWithDraw(_) => command::AFTER_MSG_WITHDRAW,
            Webhook::StateChange(_) => command::STATE_CHANGE,
            Webhook::MsgExtension(_) => command::AFTER_C2C_MSG_EXTENSION,
            Webhook::GroupBeforeSendMsg(_) => command::GROUP_BEFORE_SEND_MSG,
            Webhook::GroupAfterSendMsg(_) => command::GROUP_AFTER_SEND_MSG,
            Webhook::GroupSendMsgException(_) => command::GROUP_SEND_MSG_EXCEPTION,
            Webhook::GroupAfterRecallMsg(_) => command::GROUP_AFTER_RECALL_MSG,
            Webhook::PortraitSet(_) => command::PORTRAIT_SET,
            Webhook::RequestOverLimit(_) => command::REQUEST_OVER_LIMIT,
            Webhook::Unknown { command, .. } | Webhook::Unreadable { command, .. } => command,
        }
    }

    /// The body as Tencent would send it, for simulators and tests; null for an unreadable one.
    pub fn to_value(&self) -> Value {
        let value = match self {
            Webhook::BeforeSendMsg(message) => serde_json::to_value(message),
            Webhook::AfterSendMsg(after) => serde_json::to_value(after),
            Webhook::AfterMsgReport(report) => serde_json::to_value(report),
            Webhook::AfterMsgWithDraw(recall) => serde_json::to_value(recall),
            Webhook::StateChange(change) => serde_json::to_value(change),
            Webhook::MsgExtension(extension) => serde_json::to_value(extension),
            Webhook::GroupBeforeSendMsg(message) => serde_json::to_value(message),
            Webhook::GroupAfterSendMsg(after) => serde_json::to_value(after),
            Webhook::GroupSendMsgException(exception) => serde_json::to_value(exception),
            Webhook::GroupAfterRecallMsg(recall) => serde_json::to_value(recall),
            Webhook::PortraitSet(set) => serde_json::to_value(set),
            Webhook::RequestOverLimit(alert) => serde_json::to_value(alert),
            Webhook::Unknown { body, .. } => return body.clone(),
            Webhook::Unreadable { .. } => return Value::Null,
        };
        match value {
            Ok(Value::Object(mut fields)) => {
                fields.insert(COMMAND.to_owned(), self.command().into());
                Value::Object(fields)
            }
            _ => Value::Null,
        }
    }

    /// A text that is the same for each repetition of this webhook, and for no other: time first, so that an
    /// index on it grows at one end. `raw_body` identifies what cannot be identified otherwise.
    pub fn dedup_key(&self, sdk_app_id: u64, raw_body: &[u8]) -> String {
        let command = self.command();
        match self {
            Webhook::BeforeSendMsg(m) | Webhook::AfterSendMsg(AfterSend { message: m, .. }) => {
                key(m.msg_time, sdk_app_id, command, &[&m.from, &m.to, &m.msg_key])
            }
            Webhook::AfterMsgReport(r) => key(
                r.last_read_time,
                sdk_app_id,
                command,
                &[&r.reader, &r.peer, &r.last_read_time.to_string()],
            ),
            // A recall has no time of its own.
            Webhook::AfterMsgWithDraw(r) => key(0, sdk_app_id, command, &[&r.from, &r.to, &r.msg_key]),
            Webhook::StateChange(StateChange { event_time: Some(ms), info, .. }) => {
                key(ms / 1000, sdk_app_id, command, &[&info.user_id, &ms.to_string(), &info.action])
            }
            Webhook::GroupAfterSendMsg(GroupAfterSend { message: m, msg_seq, msg_time, .. }) => {
                key(*msg_time, sdk_app_id, command, &[&m.group_id, &msg_seq.to_string()])
            }
            _ => {
                let app = sdk_app_id.to_string();
                format!("h:{}", hash(&[app.as_bytes(), raw_body]))
            }
        }
    }
}

const COMMAND: &str = "CallbackCommand";

fn typed<T: DeserializeOwned>(fields: &mut Map<String, Value>) -> Option<T> {
    let mut fields = std::mem::take(fields);
    fields.remove(COMMAND);
    serde_json::from_value(Value::Object(fields)).ok()
}

/// See [`Webhook::dedup_key`].
pub(crate) fn key(time_s: i64, sdk_app_id: u64, command: &str, parts: &[&str]) -> String {
    let app = sdk_app_id.to_string();
    let mut all = vec![app.as_bytes(), command.as_bytes()];
    all.extend(parts.iter().map(|part| part.as_bytes()));
    format!("{:012}:{}", time_s.max(0), &hash(&all)[..32])
}

/// SHA-256 over the parts, each with its length, so that no two lists of parts look alike.
fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}
