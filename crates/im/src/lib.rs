//! The Tencent Cloud IM protocol (also called Chat, 即时通信 IM): UserSig, webhooks, message elements and the
//! REST client.
//!
//! Start at [`open`], which turns a webhook request into a typed [`Webhook`], and at [`Client`], which calls the
//! REST API with a UserSig from an [`AdminSig`]. Nothing here reads the clock, draws random numbers or, but for
//! the client, does I/O.

mod admin_sig;
mod answer;
mod client;
mod element;
mod error_code;
mod history;
mod json;
mod lenient;
mod message;
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
pub use element::{Element, ImageInfo, Other};
pub use error_code::{ErrorCode, Verdict, describe, verdict};
pub use history::{HistoryMessage, HistoryPage, HistoryQuery};
pub use message::C2cMessage;
pub use query::Query;
pub use receive::{Credentials, MAX_BODY, Opened, Refusal, open};
pub use send::{DeleteResult, FORBID_AFTER_CALLBACK, FORBID_BEFORE_CALLBACK, SendMsg, Sent};
pub use signature::{callback_signature, callback_signature_matches};
pub use user_id::{MAX_USER_ID, is_valid_user_id};
pub use usersig::{Claims, UserSigError, sign, verify};
pub use webhook::{
    AfterSend, KickedDevice, MsgReport, MsgWithDraw, StateChange, StateInfo, UnreadableReason, Webhook,
    command,
};
