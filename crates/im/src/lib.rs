//! The Tencent Cloud IM protocol (also called Chat, 即时通信 IM) for a server: UserSig, webhooks, message elements
//! and the REST client.
//!
//! Start at [`open`], which turns a webhook request into a typed [`Webhook`]; at [`Client`], which calls the REST
//! API with a UserSig from an [`AdminSig`]; and at [`sign`], which makes the UserSig that a user logs in with.
//! Nothing here reads the clock, draws random numbers or, but for the client, does I/O: time and randomness are
//! arguments.
//!
//! # A webhook
//!
//! ```
//! use im::{Answer, Credentials, Element, Webhook};
//! use secrecy::SecretString;
//!
//! let credentials = Credentials {
//!     sdk_app_id: 1400000000,
//!     tokens: vec![SecretString::from("xxxxyyyy")],
//!     window_s: 60,
//! };
//! let query = "SdkAppid=1400000000&CallbackCommand=C2C.CallbackAfterSendMsg&contenttype=json&OptPlatform=Web\
//!     &Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112";
//! let body = r#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","From_Account":"agent_007","To_Account":"wx_u1",
//!     "MsgSeq":48374,"MsgRandom":2837546,"MsgTime":1669872111,"MsgKey":"48374_2837546_1669872111",
//!     "OnlineOnlyFlag":0,"SendMsgResult":0,"ErrorInfo":"send msg succeed","UnreadMsgNum":3,
//!     "MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"您好，今天发货"}}]}"#;
//!
//! let opened = im::open(&credentials, query, body.as_bytes(), 1_669_872_112)?;
//! if let Webhook::AfterSendMsg(after) = &opened.webhook
//!     && after.send_msg_result == 0
//! {
//!     assert_eq!(after.message.body, [Element::text("您好，今天发货")]);
//! }
//! // Once it is stored:
//! assert_eq!(Answer::ok().to_json(), r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#);
//! # Ok::<(), im::Refusal>(())
//! ```
//!
//! # A call
//!
//! ```no_run
//! # async fn call(http: reqwest::Client, key: secrecy::SecretString, now_s: i64, random: u32)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! let sig = im::AdminSig::new(key, 1400000000, "administrator", 86_400);
//! let client = im::Client::new(http, "https://console.tim.qq.com", 1400000000, Arc::new(sig))?;
//! client.account_import("wx_u1", Some("Li"), None, random, now_s).await?;
//!
//! let words = vec![im::Element::text("你好，订单什么时候发货？")];
//! let message = im::SendMsg::new("wx_u1", "agent_007", 1042, 3_482_119_077, words);
//! match client.send_msg(&message, random, now_s).await {
//!     Ok(sent) => println!("sent as {}", sent.msg_key),
//!     Err(im::CallError::NotSent(fault)) => println!("try again later: {fault}"),
//!     Err(im::CallError::Refused(code)) if !code.is_ambiguous() => println!("{code}"),
//!     Err(_) => println!("look it up with Client::history before it is sent again"),
//! }
//! # Ok(())
//! # }
//! ```

mod admin_sig;
mod answer;
mod client;
mod element;
mod error_code;
mod history;
mod json;
mod lenient;
mod message;
mod offline_push;
mod query;
mod receive;
mod send;
mod signature;
mod user_id;
mod usersig;
mod webhook;
pub mod wire;

pub use admin_sig::AdminSig;
pub use answer::Answer;
pub use client::{BaseUrlError, CALL_TIMEOUT, CONNECT_TIMEOUT, CallError, Client, Fault, http};
pub use client::{CheckedAccount, MAX_ACCOUNTS, MAX_STATUS, NewAccount, OnlineStatus, Presence};
pub use client::{Profile, ProfileItem, Unread};
pub use element::{Element, ImageInfo, Other};
pub use error_code::{ErrorCode, Verdict, describe, known_codes, verdict};
pub use history::{HistoryMessage, HistoryPage, HistoryQuery};
pub use message::C2cMessage;
pub use offline_push::{AndroidPush, ApnsPush, OfflinePush};
pub use query::Query;
pub use receive::{Credentials, MAX_BODY, Opened, Refusal, check_query, open};
pub use send::{BatchMsg, BatchSent, DeleteResult, ImportMsg, SendMsg, Sent};
pub use send::{FORBID_AFTER_CALLBACK, FORBID_BEFORE_CALLBACK};
pub use send::{NO_LAST_MSG, NO_MSG_CHECK, NO_UNREAD, WITH_MUTE_NOTIFICATIONS};
pub use signature::{callback_signature, callback_signature_matches};
pub use user_id::{MAX_USER_ID, is_valid_user_id};
pub use usersig::{Claims, UserSigError, sign, verify};
pub use webhook::{
    AfterSend, GroupAfterSend, GroupAt, GroupMessage, GroupMsgSeq, GroupRecall, GroupSendException,
    KickedDevice, MsgExtension, MsgReport, MsgWithDraw, PortraitSet, RequestOverLimit, StateChange,
    StateInfo, UnreadableReason, Webhook, command,
};

/// For the fuzz targets: what a call makes of an answer's body, without a network.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// Judges an answer and reads it as each kind of answer. Gives whether it was taken for a success.
    pub fn answer(body: &[u8]) -> bool {
        crate::client::fuzz_answer(body)
    }
}
