//! The webhooks of groups. Start at [`GroupMessage`].
//!
//! Vendor pages: <https://www.tencentcloud.com/document/product/1047/34374> (before) and 34375 (after).

use serde::{Deserialize, Serialize};

use crate::element::{Element, Other, elements};
use crate::lenient;

/// `Group.CallbackBeforeSendMsg`, and what the webhooks after it have in common with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupMessage {
    /// The group, at most 48 bytes.
    #[serde(rename = "GroupId")]
    pub group_id: String,
    /// `Private` (also `Work`), `Public`, `ChatRoom` (also `Meeting`), `AVChatRoom` or `Community`.
    #[serde(rename = "Type", default, deserialize_with = "lenient::text")]
    pub group_type: String,
    /// The sender's UserID.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// Who made the request: an app admin when it came over the REST API.
    #[serde(rename = "Operator_Account", default, deserialize_with = "lenient::text")]
    pub operator: String,
    /// Chosen by the sender. IM drops a repetition from the same sender within 5 minutes.
    #[serde(rename = "Random", deserialize_with = "lenient::number")]
    pub random: u32,
    /// Whether it goes to online clients only and is not stored.
    #[serde(
        rename = "OnlineOnlyFlag",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number"
    )]
    pub online_only: bool,
    /// What it is made of.
    #[serde(rename = "MsgBody", default, deserialize_with = "elements")]
    pub body: Vec<Element>,
    /// What the sending app attached.
    #[serde(
        rename = "CloudCustomData",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub cloud_custom_data: Option<String>,
    /// The topic, in communities only.
    #[serde(
        rename = "TopicId",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub topic_id: Option<String>,
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

/// `Group.CallbackAfterSendMsg`: a message that was sent. Those that were not are a [`GroupSendException`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupAfterSend {
    /// The message.
    #[serde(flatten)]
    pub message: GroupMessage,
    /// Counts up from 1 in each group: the message's id within it.
    #[serde(rename = "MsgSeq", deserialize_with = "lenient::number")]
    pub msg_seq: u64,
    /// Seconds since 1970, by the server's clock.
    #[serde(rename = "MsgTime", deserialize_with = "lenient::number")]
    pub msg_time: i64,
    /// Who is mentioned.
    #[serde(rename = "GroupAtInfo", default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<GroupAt>,
}

/// Somebody who is mentioned in a group message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupAt {
    /// Whether everybody is.
    #[serde(
        rename = "GroupAtAllFlag",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number"
    )]
    pub everybody: bool,
    /// Who is, when not everybody.
    #[serde(
        rename = "GroupAt_Account",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_id: Option<String>,
}

/// `Group.CallbackSendMsgException`: a message that was not sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupSendException {
    /// The message.
    #[serde(flatten)]
    pub message: GroupMessage,
    /// Why; judge it with [`verdict`](crate::verdict).
    #[serde(rename = "ErrorCode", deserialize_with = "lenient::number")]
    pub error_code: i64,
    /// In words. Never match on it.
    #[serde(rename = "ErrorInfo", default, deserialize_with = "lenient::text")]
    pub error_info: String,
}

/// `Group.CallbackAfterRecallMsg`: messages were recalled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupRecall {
    /// Who recalled them.
    #[serde(rename = "Operator_Account", default, deserialize_with = "lenient::text")]
    pub operator: String,
    /// See [`GroupMessage::group_type`].
    #[serde(rename = "Type", default, deserialize_with = "lenient::text")]
    pub group_type: String,
    /// The group.
    #[serde(rename = "GroupId")]
    pub group_id: String,
    /// Which messages.
    #[serde(rename = "MsgSeqList")]
    pub messages: Vec<GroupMsgSeq>,
    /// The topic, in communities only.
    #[serde(
        rename = "TopicId",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub topic_id: Option<String>,
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

/// One message of a [`GroupRecall`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMsgSeq {
    /// See [`GroupAfterSend::msg_seq`].
    #[serde(rename = "MsgSeq", deserialize_with = "lenient::number")]
    pub msg_seq: u64,
}
