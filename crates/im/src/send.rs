//! Requests and results of the calls that change something. Start at [`SendMsg`].

use serde::{Deserialize, Serialize};

use crate::element::{Element, Other, elements};
use crate::lenient;
use crate::offline_push::OfflinePush;

/// In [`SendMsg::forbid_callback_control`]: no `C2C.CallbackBeforeSendMsg` for this message.
pub const FORBID_BEFORE_CALLBACK: &str = "ForbidBeforeSendMsgCallback";
/// In [`SendMsg::forbid_callback_control`]: no `C2C.CallbackAfterSendMsg` for this message.
pub const FORBID_AFTER_CALLBACK: &str = "ForbidAfterSendMsgCallback";

/// In [`SendMsg::send_msg_control`]: it does not count as unread.
pub const NO_UNREAD: &str = "NoUnread";
/// In [`SendMsg::send_msg_control`]: it does not move the chat up in the list of chats.
pub const NO_LAST_MSG: &str = "NoLastMsg";
/// In [`SendMsg::send_msg_control`]: a recipient who muted the chat is not disturbed.
pub const WITH_MUTE_NOTIFICATIONS: &str = "WithMuteNotifications";
/// In [`SendMsg::send_msg_control`]: content security does not look at it. In newer SDKs, on no page.
pub const NO_MSG_CHECK: &str = "NoMsgCheck";

/// A message to send with `sendmsg`. As JSON at most 12 KB; stay under 8,000 bytes to be safe.
///
/// Vendor page: <https://www.tencentcloud.com/document/product/1047/34919>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendMsg {
    /// The sender's UserID; the admin when missing. Any imported account will do.
    #[serde(rename = "From_Account", default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The recipient's UserID.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Orders messages within a second; make it grow within a conversation.
    #[serde(
        rename = "MsgSeq",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub msg_seq: Option<u32>,
    /// Random for each message, and the same when that message is repeated: IM drops repetitions within a second.
    #[serde(rename = "MsgRandom", deserialize_with = "lenient::number")]
    pub msg_random: u32,
    /// What it is made of; one element is best.
    #[serde(rename = "MsgBody", deserialize_with = "elements")]
    pub body: Vec<Element>,
    /// Kept with the message and given back in webhooks and history.
    #[serde(rename = "CloudCustomData", default, skip_serializing_if = "Option::is_none")]
    pub cloud_custom_data: Option<String>,
    /// Which webhooks this message does not trigger.
    #[serde(rename = "ForbidCallbackControl", default, skip_serializing_if = "Vec::is_empty")]
    pub forbid_callback_control: Vec<String>,
    /// 1: also in the sender's history and on its devices; 2: in neither; missing: in the history alone.
    #[serde(
        rename = "SyncOtherMachine",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub sync_other_machine: Option<u8>,
    /// How many seconds it is kept for an offline recipient. Missing is best: 7 days, which is also the maximum.
    #[serde(
        rename = "MsgLifeTime",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub msg_life_time: Option<u32>,
    /// To online clients only and stored nowhere, such as a typing hint. In newer SDKs.
    #[serde(
        rename = "OnlineOnlyFlag",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub online_only: bool,
    /// How it is shown; see [`NO_UNREAD`] and the constants beside it.
    #[serde(rename = "SendMsgControl", default, skip_serializing_if = "Vec::is_empty")]
    pub send_msg_control: Vec<String>,
    /// Whether it may be extended later; paid editions.
    #[serde(
        rename = "SupportMessageExtension",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub support_message_extension: bool,
    /// Whether the recipient's client is asked for a read receipt.
    #[serde(
        rename = "IsNeedReadReceipt",
        default,
        deserialize_with = "lenient::flag",
        serialize_with = "lenient::flag_as_number",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub need_read_receipt: bool,
    /// What an offline recipient's device shows.
    #[serde(rename = "OfflinePushInfo", default, skip_serializing_if = "Option::is_none")]
    pub offline_push: Option<OfflinePush>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

impl SendMsg {
    /// A message that triggers no webhooks, is in both histories, and is kept for 7 days.
    pub fn new(
        from: impl Into<String>,
        to: impl Into<String>,
        msg_seq: u32,
        msg_random: u32,
        body: Vec<Element>,
    ) -> SendMsg {
        SendMsg {
            from: Some(from.into()),
            to: to.into(),
            msg_seq: Some(msg_seq),
            msg_random,
            body,
            cloud_custom_data: None,
            forbid_callback_control: vec![
                FORBID_BEFORE_CALLBACK.to_owned(),
                FORBID_AFTER_CALLBACK.to_owned(),
            ],
            sync_other_machine: Some(1),
            msg_life_time: None,
            online_only: false,
            send_msg_control: Vec::new(),
            support_message_extension: false,
            need_read_receipt: false,
            offline_push: None,
            other: Other::new(),
        }
    }

    /// With [`SendMsg::cloud_custom_data`].
    #[must_use]
    pub fn with_cloud_custom_data(mut self, data: impl Into<String>) -> SendMsg {
        self.cloud_custom_data = Some(data.into());
        self
    }
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message's id; see [`C2cMessage::msg_key`](crate::C2cMessage::msg_key).
    pub msg_key: String,
    /// Seconds since 1970, by the server's clock.
    pub msg_time: i64,
}

/// A message for many, for [`Client::batch_send_msg`](crate::Client::batch_send_msg). No webhook tells about it.
///
/// Vendor page: <https://www.tencentcloud.com/document/product/1047/34920>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchMsg {
    /// The sender's UserID; the admin when missing.
    #[serde(rename = "From_Account", default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The recipients, 1 to 500.
    #[serde(rename = "To_Account")]
    pub to: Vec<String>,
    /// Orders messages within a second.
    #[serde(
        rename = "MsgSeq",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub msg_seq: Option<u32>,
    /// As [`SendMsg::msg_random`].
    #[serde(rename = "MsgRandom", deserialize_with = "lenient::number")]
    pub msg_random: u32,
    /// What it is made of.
    #[serde(rename = "MsgBody", deserialize_with = "elements")]
    pub body: Vec<Element>,
    /// As [`SendMsg::sync_other_machine`].
    #[serde(
        rename = "SyncOtherMachine",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub sync_other_machine: Option<u8>,
    /// Other fields of [`SendMsg`], such as `CloudCustomData`.
    #[serde(flatten)]
    pub other: Other,
}

/// What became of a [`BatchMsg`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSent {
    /// The message's id, the same for all recipients.
    pub msg_key: String,
    /// Who did not get it, with IM's error code.
    pub failed: Vec<(String, i64)>,
}

/// A message of another time, for [`Client::import_msg`](crate::Client::import_msg). No webhook tells about it.
///
/// Vendor page: <https://www.tencentcloud.com/document/product/1047/35014>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportMsg {
    /// 2: as history, read and not pushed. 5: as if it came now, unread and pushed.
    #[serde(rename = "SyncFromOldSystem", deserialize_with = "lenient::number")]
    pub mode: u8,
    /// The sender's UserID.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// The recipient's UserID.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Orders messages within a second.
    #[serde(
        rename = "MsgSeq",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub msg_seq: Option<u32>,
    /// With the sequence and the time it tells a repetition, which IM drops.
    #[serde(rename = "MsgRandom", deserialize_with = "lenient::number")]
    pub msg_random: u32,
    /// When it was sent, in seconds since 1970.
    #[serde(rename = "MsgTimeStamp", deserialize_with = "lenient::number")]
    pub msg_time: i64,
    /// What it is made of.
    #[serde(rename = "MsgBody", deserialize_with = "elements")]
    pub body: Vec<Element>,
    /// Kept with the message.
    #[serde(rename = "CloudCustomData", default, skip_serializing_if = "Option::is_none")]
    pub cloud_custom_data: Option<String>,
}

/// What became of one account in `account_delete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteResult {
    /// The account.
    pub user_id: String,
    /// 0 when it is deleted; judge others with [`verdict`](crate::verdict). 70107: it did not exist.
    pub code: i64,
    /// In Tencent's words. Never match on it.
    pub info: String,
}
