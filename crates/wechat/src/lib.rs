//! The WeChat Official Account (公众号, 服务号) protocol: signatures, encryption, pushes, passive replies and the
//! REST client.
//!
//! Start at [`open`], which turns a webhook request into a typed [`Push`], and at [`Client`], which calls
//! WeChat. Nothing here reads the clock, draws random numbers or, but for the client, does I/O.

mod client;
mod crypto;
mod document;
mod errcode;
mod event;
mod fields;
mod json;
mod message;
mod push;
mod query;
mod receive;
mod reply;
mod seal;
mod signature;
mod text;
pub mod wire;
mod xml;

pub use client::{AccessToken, BaseUrlError, CALL_TIMEOUT, CONNECT_TIMEOUT, CallError, Client, Fault, http};
pub use crypto::{AesKey, CryptoError};
pub use document::{Format, MAX_DOCUMENT};
pub use errcode::{Errcode, Verdict, describe, token_call_verdict, verdict};
pub use event::{Authorization, Event, Pictures, ScanCode, TemplateChoice, TemplateResult};
pub use fields::{Field, Fields, Value};
pub use message::{Message, MessageKind, UNSUPPORTED_TEXT};
pub use push::{ParseError, Push, PushBody};
pub use receive::{Credentials, Opened, Query, Refusal, Seal, Unreadable, UnreadableReason};
pub use receive::{open, replay, verify_url};
pub use reply::{Reply, SUCCESS};
pub use signature::{signature, signature_matches};
