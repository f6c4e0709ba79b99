//! The webhooks about the app and its users: profiles, limits, extensions of messages.
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34355>

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::element::Other;
use crate::lenient;
use crate::wire::ProfileItem;

/// `Profile.CallbackPortraitSet`: a profile was changed, over the REST API or by a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PortraitSet {
    /// Whose profile.
    #[serde(rename = "From_Account")]
    pub user_id: String,
    /// Who changed it.
    #[serde(rename = "Operator_Account", default, deserialize_with = "lenient::text")]
    pub operator: String,
    /// The fields that were changed.
    #[serde(rename = "ProfileItem", default)]
    pub items: Vec<ProfileItem>,
    /// Milliseconds since 1970.
    #[serde(
        rename = "EventTime",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_time: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `Alert.RequestOverLimit`: a REST call is made more often than the app may.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestOverLimit {
    /// The first part of the call's path, such as `openim`.
    #[serde(rename = "ServiceName")]
    pub service: String,
    /// The second part, such as `sendmsg`.
    #[serde(rename = "Command")]
    pub command: String,
    /// How often it was called.
    #[serde(
        rename = "Request",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub requests: Option<u64>,
    /// How often it may be.
    #[serde(
        rename = "Limit",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub limit: Option<u64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterC2CMsgExtension`: the extension of a message was changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MsgExtension {
    /// Sender of the message.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// Its recipient.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Its id; see [`C2cMessage::msg_key`](crate::C2cMessage::msg_key).
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
    /// What was done.
    #[serde(
        rename = "OperateType",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub operate_type: Option<i64>,
    /// The entries, as they came.
    #[serde(rename = "ExtensionList", default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Value>,
    /// Counts the changes.
    #[serde(
        rename = "Seq",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub seq: Option<u64>,
    /// Milliseconds since 1970.
    #[serde(
        rename = "EventTime",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_time: Option<i64>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}
