//! The requests and answers of the REST API as they are on the wire, for the client and for simulators.
//!
//! The body of [`SENDMSG`] is a [`SendMsg`](crate::SendMsg), that of [`BATCHSENDMSG`] a [`BatchMsg`](crate::BatchMsg), that of
//! [`IMPORTMSG`] an [`ImportMsg`](crate::ImportMsg), and that of [`ADMIN_GETROAMMSG`] a
//! [`HistoryQuery`](crate::HistoryQuery).

use serde::{Deserialize, Serialize};

use crate::element::Element;
use crate::history::HistoryMessage;
use crate::lenient;

/// Path of the call that makes an account.
pub const ACCOUNT_IMPORT: &str = "/v4/im_open_login_svc/account_import";
/// Path of the call that makes many accounts.
pub const MULTIACCOUNT_IMPORT: &str = "/v4/im_open_login_svc/multiaccount_import";
/// Path of the call that says whether accounts exist.
pub const ACCOUNT_CHECK: &str = "/v4/im_open_login_svc/account_check";
/// Path of the call that says how users are reached.
pub const QUERY_ONLINE_STATUS: &str = "/v4/openim/query_online_status";
/// Path of the call that ends a user's log-ins.
pub const KICK: &str = "/v4/im_open_login_svc/kick";
/// Path of the call that changes a profile.
pub const PORTRAIT_SET: &str = "/v4/profile/portrait_set";
/// Path of the call that reads profiles.
pub const PORTRAIT_GET: &str = "/v4/profile/portrait_get";
/// Path of the call that recalls a message.
pub const ADMIN_MSGWITHDRAW: &str = "/v4/openim/admin_msgwithdraw";
/// Path of the call that marks messages as read.
pub const ADMIN_SET_MSG_READ: &str = "/v4/openim/admin_set_msg_read";
/// Path of the call that counts unread messages.
pub const GET_C2C_UNREAD_MSG_NUM: &str = "/v4/openim/get_c2c_unread_msg_num";
/// Path of the call that deletes accounts.
pub const ACCOUNT_DELETE: &str = "/v4/im_open_login_svc/account_delete";
/// Path of the call that sends a one-to-one message.
pub const SENDMSG: &str = "/v4/openim/sendmsg";
/// Path of the call that sends a message to many.
pub const BATCHSENDMSG: &str = "/v4/openim/batchsendmsg";
/// Path of the call that imports a message of another time.
pub const IMPORTMSG: &str = "/v4/openim/importmsg";
/// Path of the call that changes a message.
pub const MODIFY_C2C_MSG: &str = "/v4/openim/modify_c2c_msg";
/// Path of the call that tells IM's own addresses.
pub const GET_IP_LIST: &str = "/v4/ConfigSvc/GetIPList";
/// Path of the call that reads the history of a conversation.
pub const ADMIN_GETROAMMSG: &str = "/v4/openim/admin_getroammsg";

/// What every answer has. Decide on `error_code` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `OK` or `FAIL`.
    #[serde(rename = "ActionStatus", default)]
    pub action_status: String,
    /// In words; may be missing, and may be there on success.
    #[serde(rename = "ErrorInfo", default, deserialize_with = "lenient::text")]
    pub error_info: String,
    /// 0 when it was done.
    #[serde(rename = "ErrorCode", deserialize_with = "lenient::number")]
    pub error_code: i64,
}

impl Envelope {
    /// `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`.
    pub fn ok() -> Envelope {
        Envelope { action_status: "OK".to_owned(), error_info: String::new(), error_code: 0 }
    }

    /// A refusal.
    pub fn fail(code: i64, info: impl Into<String>) -> Envelope {
        Envelope { action_status: "FAIL".to_owned(), error_info: info.into(), error_code: code }
    }
}

/// Body of [`ACCOUNT_IMPORT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountImportRequest {
    /// At most 32 bytes. Called `Identifier` in older pages.
    #[serde(rename = "UserID", alias = "Identifier")]
    pub user_id: String,
    /// At most 500 bytes.
    #[serde(rename = "Nick", default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// At most 500 bytes.
    #[serde(rename = "FaceUrl", default, skip_serializing_if = "Option::is_none")]
    pub face_url: Option<String>,
}

/// Body of [`MULTIACCOUNT_IMPORT`], in its newer form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsImportRequest {
    /// At most 100.
    #[serde(rename = "AccountList")]
    pub accounts: Vec<AccountImportRequest>,
}

/// Answer of [`MULTIACCOUNT_IMPORT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsImportAnswer {
    /// `OK` although some may have failed.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// UserIDs of those that failed.
    #[serde(rename = "FailAccounts", default)]
    pub failed: Vec<String>,
}

/// Body of [`ADMIN_MSGWITHDRAW`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawRequest {
    /// Sender of the message.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// Its recipient.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Its id.
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
}

/// Body of [`ADMIN_SET_MSG_READ`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetReadRequest {
    /// Who has read.
    #[serde(rename = "Report_Account")]
    pub reader: String,
    /// Whose messages.
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    /// Until when, in seconds.
    #[serde(rename = "MsgReadTime", deserialize_with = "lenient::number")]
    pub until: i64,
}

/// Body of [`GET_C2C_UNREAD_MSG_NUM`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadRequest {
    /// Whose unread messages.
    #[serde(rename = "To_Account")]
    pub user_id: String,
    /// From whom, at most 10; all together if absent.
    #[serde(rename = "Peer_Account", default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<String>>,
}

/// Answer of [`GET_C2C_UNREAD_MSG_NUM`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadAnswer {
    /// Whether the call as a whole was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The count over all chats.
    #[serde(rename = "AllC2CUnreadMsgNum", default, deserialize_with = "lenient::number")]
    pub all: u32,
    /// The counts of the peers that were named.
    #[serde(rename = "C2CUnreadMsgNumList", default)]
    pub counts: Vec<UnreadItem>,
    /// Peers that do not exist.
    #[serde(rename = "ErrorList", default)]
    pub errors: Vec<UnreadError>,
}

/// How many messages of one peer are unread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadItem {
    /// The peer.
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    /// The count.
    #[serde(rename = "C2CUnreadMsgNum", deserialize_with = "lenient::number")]
    pub count: u32,
}

/// A peer whose messages could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadError {
    /// The peer.
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    /// Why.
    #[serde(rename = "ErrorCode", deserialize_with = "lenient::number")]
    pub error_code: i64,
}

/// Body of [`PORTRAIT_SET`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortraitSetRequest {
    /// Whose profile.
    #[serde(rename = "From_Account")]
    pub user_id: String,
    /// The fields to change.
    #[serde(rename = "ProfileItem")]
    pub items: Vec<ProfileItem>,
}

/// One field of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileItem {
    /// Its name.
    #[serde(rename = "Tag")]
    pub tag: String,
    /// A text or a number.
    #[serde(rename = "Value")]
    pub value: serde_json::Value,
}

/// Body of [`PORTRAIT_GET`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortraitGetRequest {
    /// Whose profiles, at most 100.
    #[serde(rename = "To_Account")]
    pub user_ids: Vec<String>,
    /// Which fields.
    #[serde(rename = "TagList")]
    pub tags: Vec<String>,
}

/// Answer of [`PORTRAIT_GET`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortraitGetAnswer {
    /// Whether the call as a whole was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The profiles.
    #[serde(rename = "UserProfileItem", default)]
    pub profiles: Vec<UserProfile>,
    /// The accounts whose profile could not be read.
    #[serde(rename = "Fail_Account", default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// The profile of one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserProfile {
    /// The account.
    #[serde(rename = "To_Account")]
    pub user_id: String,
    /// 0 when it could be read.
    #[serde(rename = "ResultCode", deserialize_with = "lenient::number")]
    pub result_code: i64,
    /// In words.
    #[serde(rename = "ResultInfo", default, deserialize_with = "lenient::text")]
    pub result_info: String,
    /// Its fields.
    #[serde(rename = "ProfileItem", default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ProfileItem>,
}

/// Body of [`ACCOUNT_CHECK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCheckRequest {
    /// At most 100.
    #[serde(rename = "CheckItem")]
    pub items: Vec<DeleteItem>,
}

/// Answer of [`ACCOUNT_CHECK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCheckAnswer {
    /// Whether the call as a whole was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Each account.
    #[serde(rename = "ResultItem")]
    pub items: Vec<CheckItem>,
}

/// Whether one account exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckItem {
    /// The account.
    #[serde(rename = "UserID", alias = "Identifier")]
    pub user_id: String,
    /// 0 when it is known.
    #[serde(rename = "ResultCode", deserialize_with = "lenient::number")]
    pub result_code: i64,
    /// In words.
    #[serde(rename = "ResultInfo", default, deserialize_with = "lenient::text")]
    pub result_info: String,
    /// `Imported` or `NotImported`.
    #[serde(rename = "AccountStatus", default, deserialize_with = "lenient::text")]
    pub account_status: String,
}

/// Body of [`QUERY_ONLINE_STATUS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlineStatusRequest {
    /// At most 500.
    #[serde(rename = "To_Account")]
    pub users: Vec<String>,
    /// Whether each platform is told apart.
    #[serde(
        rename = "IsNeedDetail",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub detail: bool,
}

/// Answer of [`QUERY_ONLINE_STATUS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlineStatusAnswer {
    /// Whether the call as a whole was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The accounts that exist.
    #[serde(rename = "QueryResult", default)]
    pub results: Vec<StatusItem>,
    /// The others.
    #[serde(rename = "ErrorList", default)]
    pub errors: Vec<StatusError>,
}

/// How one user is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusItem {
    /// The account.
    #[serde(rename = "To_Account")]
    pub user_id: String,
    /// `Online`, `PushOnline` or `Offline`.
    #[serde(rename = "Status", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The name of the same in older pages.
    #[serde(rename = "State", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The same by platform, when asked for.
    #[serde(rename = "Detail", default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<PlatformStatus>,
}

/// How one user is reached on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformStatus {
    /// `iPhone`, `Android`, `Web`, `PC`, `iPad` or `Mac`.
    #[serde(rename = "Platform")]
    pub platform: String,
    /// As [`StatusItem::status`].
    #[serde(rename = "Status", alias = "State", default, deserialize_with = "lenient::text")]
    pub status: String,
}

/// An account of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusError {
    /// The account.
    #[serde(rename = "To_Account")]
    pub user_id: String,
    /// Why.
    #[serde(rename = "ErrorCode", deserialize_with = "lenient::number")]
    pub error_code: i64,
}

/// Body of [`ACCOUNT_DELETE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDeleteRequest {
    /// At most 100.
    #[serde(rename = "DeleteItem")]
    pub items: Vec<DeleteItem>,
}

/// One account to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteItem {
    /// The account.
    #[serde(rename = "UserID", alias = "Identifier")]
    pub user_id: String,
}

/// Answer of [`ACCOUNT_DELETE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDeleteAnswer {
    /// Whether the call as a whole was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// What became of each account.
    #[serde(rename = "ResultItem")]
    pub items: Vec<ResultItem>,
}

/// What became of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultItem {
    /// The account.
    #[serde(rename = "UserID", alias = "Identifier")]
    pub user_id: String,
    /// 0 when it was done.
    #[serde(rename = "ResultCode", deserialize_with = "lenient::number")]
    pub result_code: i64,
    /// In words.
    #[serde(rename = "ResultInfo", default, deserialize_with = "lenient::text")]
    pub result_info: String,
}

/// Answer of [`SENDMSG`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendMsgAnswer {
    /// Whether it was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Seconds since 1970, by the server's clock.
    #[serde(rename = "MsgTime", deserialize_with = "lenient::number")]
    pub msg_time: i64,
    /// The message's id.
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
}

/// Answer of [`BATCHSENDMSG`]. `ActionStatus` is `SomeError` where some failed; the code is 0 all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSendAnswer {
    /// Whether it was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The message's id.
    #[serde(rename = "MsgKey", default, deserialize_with = "lenient::text")]
    pub msg_key: String,
    /// Who did not get it.
    #[serde(rename = "ErrorList", default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<StatusError>,
}

/// Body of [`MODIFY_C2C_MSG`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModifyRequest {
    /// Sender of the message.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// Its recipient.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Its id.
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
    /// What it is made of from now on; missing to leave it.
    #[serde(rename = "MsgBody", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<Element>>,
    /// What is attached to it from now on; missing to leave it.
    #[serde(rename = "CloudCustomData", default, skip_serializing_if = "Option::is_none")]
    pub cloud_custom_data: Option<String>,
}

/// Answer of [`GET_IP_LIST`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpListAnswer {
    /// Whether it was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Addresses and ranges (CIDR).
    #[serde(rename = "IPList")]
    pub list: Vec<String>,
}

/// Answer of [`ADMIN_GETROAMMSG`]; the client reads its entries one by one, so that a broken one costs no other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryAnswer {
    /// Whether it was done.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Whether there are no older messages.
    #[serde(
        rename = "Complete",
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number"
    )]
    pub complete: bool,
    /// How many messages there are on this page.
    #[serde(rename = "MsgCnt", default, deserialize_with = "lenient::number")]
    pub msg_count: u32,
    /// The time of the oldest message, in seconds since 1970.
    #[serde(
        rename = "LastMsgTime",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_msg_time: Option<i64>,
    /// The key of the oldest message.
    #[serde(rename = "LastMsgKey", default, skip_serializing_if = "Option::is_none")]
    pub last_msg_key: Option<String>,
    /// The messages, oldest first.
    #[serde(rename = "MsgList", default)]
    pub messages: Vec<HistoryMessage>,
}
