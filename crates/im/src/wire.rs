//! Paths and bodies of the REST API, as a client sends and a server reads them.

use crate::element::Element;
use serde::{Deserialize, Serialize};

/// `account_import`
pub const ACCOUNT_IMPORT: &str = "/v4/im_open_login_svc/account_import";
/// `account_delete`
pub const ACCOUNT_DELETE: &str = "/v4/im_open_login_svc/account_delete";
/// `sendmsg`
pub const SENDMSG: &str = "/v4/openim/sendmsg";
/// `admin_getroammsg`
pub const ADMIN_GETROAMMSG: &str = "/v4/openim/admin_getroammsg";

/// Body of `account_import`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountImport {
    /// At most 32 bytes. Older callers say `Identifier`.
    #[serde(rename = "UserID", alias = "Identifier")]
    pub user_id: String,
    /// At most 500 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// At most 500 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_url: Option<String>,
}

/// Body of `account_delete`: at most 100 accounts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountDelete {
    /// The accounts.
    pub delete_item: Vec<UserId>,
}

/// One account in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UserId {
    /// The UserID.
    #[serde(rename = "UserID")]
    pub user_id: String,
}

/// Body of `sendmsg`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendMsgBody {
    /// 1: also in the sender's history.
    #[serde(rename = "SyncOtherMachine", skip_serializing_if = "Option::is_none")]
    pub sync_other_machine: Option<u8>,
    /// The sender.
    #[serde(rename = "From_Account", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The receiver.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Orders messages of one second.
    #[serde(rename = "MsgSeq", skip_serializing_if = "Option::is_none")]
    pub msg_seq: Option<u32>,
    /// Tells messages of one second apart.
    #[serde(rename = "MsgRandom")]
    pub msg_random: u32,
    /// Webhooks that this message shall not cause.
    #[serde(rename = "ForbidCallbackControl", default, skip_serializing_if = "Vec::is_empty")]
    pub forbid_callback_control: Vec<String>,
    /// The elements.
    #[serde(rename = "MsgBody")]
    pub body: Vec<Element>,
    /// Kept with the message.
    #[serde(rename = "CloudCustomData", skip_serializing_if = "Option::is_none")]
    pub cloud_custom_data: Option<String>,
}

/// Body of `admin_getroammsg`. Older callers say `From_Account` and `To_Account`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoamMsgBody {
    /// Whose view.
    #[serde(rename = "Operator_Account", alias = "From_Account")]
    pub operator: String,
    /// The other side.
    #[serde(rename = "Peer_Account", alias = "To_Account")]
    pub peer: String,
    /// How many are wanted.
    #[serde(rename = "MaxCnt")]
    pub max_cnt: u32,
    /// Unix seconds, inclusive.
    #[serde(rename = "MinTime")]
    pub min_time: i64,
    /// Unix seconds, inclusive.
    #[serde(rename = "MaxTime")]
    pub max_time: i64,
    /// Where the next page begins.
    #[serde(rename = "LastMsgKey", skip_serializing_if = "Option::is_none")]
    pub last_msg_key: Option<String>,
}
