//! What IM tells the server: typed where the gateway acts on it, whole where not.
//!
//! Vendor pages: <https://www.tencentcloud.com/document/product/1047/34364> (before a message),
//! <https://www.tencentcloud.com/document/product/1047/34365> (after it).

use crate::element::Element;
use crate::lenient::{number, object, text};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A webhook's body.
#[derive(Debug, Clone, PartialEq)]
pub enum Webhook {
    /// `C2C.CallbackBeforeSendMsg`: may still be refused by the [`crate::Answer`].
    BeforeSendMsg(C2cMessage),
    /// `C2C.CallbackAfterSendMsg`: has been sent, or has failed.
    AfterSendMsg(AfterSend),
    /// Any other command.
    Unknown {
        /// `CallbackCommand`, empty if there is none.
        command: String,
        /// The body.
        body: Map<String, Value>,
    },
    /// The body is no JSON object.
    Unreadable,
}

/// A one-to-one message.
#[derive(Debug, Clone, PartialEq)]
pub struct C2cMessage {
    /// `From_Account`
    pub from: String,
    /// `To_Account`
    pub to: String,
    /// `MsgSeq`
    pub msg_seq: u32,
    /// `MsgRandom`
    pub msg_random: u32,
    /// `MsgTime`, Unix seconds.
    pub msg_time: i64,
    /// `MsgKey`: the same in every webhook and in the history.
    pub msg_key: String,
    /// Not stored, for those online only: a typing hint.
    pub online_only: bool,
    /// `MsgBody`
    pub body: Vec<Element>,
    /// `CloudCustomData`
    pub cloud_custom_data: Option<String>,
}

/// A message after it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct AfterSend {
    /// The message.
    pub message: C2cMessage,
    /// 0 if it was delivered; otherwise the error code, and it must not be acted on.
    pub send_msg_result: i64,
    /// What IM says about it.
    pub error_info: String,
    /// Unread messages of the receiver, all conversations together.
    pub unread: Option<i64>,
}

impl Webhook {
    /// Reads a body. Never fails: what is not understood is a value too.
    pub fn parse(body: &[u8]) -> Webhook {
        Webhook::parse_as(body, "")
    }

    /// Reads a body that may lack its command, which the query has too.
    pub fn parse_as(body: &[u8], command: &str) -> Webhook {
        let Some(fields) = object(body) else { return Webhook::Unreadable };
        let command = text(&fields, "CallbackCommand").unwrap_or_else(|| command.to_owned());
        let known = match command.as_str() {
            "C2C.CallbackBeforeSendMsg" => message(&fields).map(Webhook::BeforeSendMsg),
            "C2C.CallbackAfterSendMsg" => message(&fields).map(|message| {
                Webhook::AfterSendMsg(AfterSend {
                    message,
                    send_msg_result: number(&fields, "SendMsgResult").unwrap_or(0),
                    error_info: text(&fields, "ErrorInfo").unwrap_or_default(),
                    unread: number(&fields, "UnreadMsgNum"),
                })
            }),
            _ => None,
        };
        known.unwrap_or(Webhook::Unknown { command, body: fields })
    }

    /// What repeats of this webhook have in common and nothing else has. It begins with the message's time, so
    /// that keys grow.
    pub fn dedup_key(&self, sdk_app_id: u64, raw_body: &[u8]) -> String {
        let (message, command) = match self {
            Webhook::BeforeSendMsg(message) => (message, "before"),
            Webhook::AfterSendMsg(sent) => (&sent.message, "after"),
            _ => return format!("h:{}", hex::encode(Sha256::digest(raw_body))),
        };
        let mut parts = Sha256::new();
        for part in [&sdk_app_id.to_string(), command, &message.from, &message.to, &message.msg_key] {
            parts.update(part);
            parts.update([0]);
        }
        format!("{:012}:{}", message.msg_time.max(0), &hex::encode(parts.finalize())[..32])
    }
}

/// A message needs both sides; everything else may be missing.
fn message(fields: &Map<String, Value>) -> Option<C2cMessage> {
    let unsigned = |name: &str| number(fields, name).and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let (msg_seq, msg_random) = (unsigned("MsgSeq"), unsigned("MsgRandom"));
    let msg_time = number(fields, "MsgTime").unwrap_or_default();
    Some(C2cMessage {
        from: text(fields, "From_Account").filter(|id| !id.is_empty())?,
        to: text(fields, "To_Account").filter(|id| !id.is_empty())?,
        msg_seq,
        msg_random,
        msg_time,
        // Every documented key has this form; without one, it stands in.
        msg_key: text(fields, "MsgKey").unwrap_or_else(|| format!("{msg_seq}_{msg_random}_{msg_time}")),
        online_only: number(fields, "OnlineOnlyFlag") == Some(1),
        body: fields
            .get("MsgBody")
            .and_then(Value::as_array)
            .map(|list| list.iter().map(Element::from_value).collect())
            .unwrap_or_default(),
        cloud_custom_data: text(fields, "CloudCustomData").filter(|data| !data.is_empty()),
    })
}
