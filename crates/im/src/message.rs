//! A one-to-one message as webhooks tell it. Start at [`C2cMessage`].

use serde::{Deserialize, Serialize};

use crate::element::{Element, Other, elements};
use crate::lenient;

/// A one-to-one (C2C) message in a webhook.
///
/// Reading accepts numbers as strings; `CloudCustomData` may be missing. Vendor pages:
/// <https://www.tencentcloud.com/document/product/1047/34364> and 34365.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct C2cMessage {
    /// The sender's UserID.
    #[serde(rename = "From_Account")]
    pub from: String,
    /// The recipient's UserID.
    #[serde(rename = "To_Account")]
    pub to: String,
    /// Chosen by the sender; orders messages within a second.
    #[serde(rename = "MsgSeq", deserialize_with = "lenient::number")]
    pub msg_seq: u32,
    /// Chosen by the sender.
    #[serde(rename = "MsgRandom", deserialize_with = "lenient::number")]
    pub msg_random: u32,
    /// Seconds since 1970, by the server's clock.
    #[serde(rename = "MsgTime", deserialize_with = "lenient::number")]
    pub msg_time: i64,
    /// The message's id, for recall and history. Opaque, up to 50 characters; the same in Before and After.
    #[serde(rename = "MsgKey")]
    pub msg_key: String,
    /// Whether it goes to online clients only and is not stored, such as a typing hint.
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
    /// Milliseconds since 1970; newer webhooks only.
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
