//! The WeChat Official Account (公众号, 服务号) protocol: signatures, encryption, pushes, passive replies and the
//! REST client.
//!
//! - A webhook endpoint needs [`verify_url`] for WeChat's GET and [`open`] for its POST. What comes out is a typed
//!   [`Push`] and a [`Seal`] that makes the reply in the form in which the request came.
//! - [`Client`] asks for an access_token and sends customer-service messages. Its [`CallError`] says whether a
//!   failed call may have been carried out; [`verdict`] says what to do about an error code.
//!
//! All three encryption modes are spoken, in XML and in JSON. An unknown kind of message or event is a value that
//! keeps its fields, never an error. Nothing here reads the clock or draws random numbers: both are arguments. But
//! for the client there is no I/O.
//!
//! # A webhook
//!
//! ```
//! use wechat::{AesKey, Credentials, Message, MessageKind, PushBody, open, signature};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let account = Credentials {
//!     app_id: "wx0123456789abcdef".to_owned(),
//!     tokens: vec!["GatewayTestToken01".into()],
//!     aes_keys: vec![AesKey::parse("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW")?],
//!     require_encryption: true,
//!     signature_window: 300,
//! };
//!
//! // What WeChat would send.
//! let document = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\
//!     <FromUserName><![CDATA[oCUSTOMER]]></FromUserName><CreateTime>1760000000</CreateTime>\
//!     <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>25033203329280739</MsgId></xml>";
//! let encrypt = account.aes_keys[0].encrypt(&account.app_id, *b"0123456789abcdef", document.as_bytes());
//! let body = format!("<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
//! let query = format!(
//!     "signature={}&timestamp=1760000001&nonce=42&encrypt_type=aes&msg_signature={}",
//!     signature(&["GatewayTestToken01", "1760000001", "42"]),
//!     signature(&["GatewayTestToken01", "1760000001", "42", &encrypt]),
//! );
//!
//! // What an endpoint does. A `Refusal` knows the HTTP status to answer with.
//! let now_s = 1_760_000_002;
//! let opened = open(&account, &query, body.as_bytes(), now_s)?;
//! let push = opened.push?;
//! let PushBody::Message(Message { kind: MessageKind::Text { content, .. }, .. }) = &push.body else {
//!     panic!("a text was sent");
//! };
//! assert_eq!(content, "你好");
//!
//! // A repeat of the same message has the same key.
//! assert_eq!(push.dedup_key("shop", &opened.document), "m:00025033203329280739:shop:oCUSTOMER");
//!
//! // The HTTP answer: this, or the word `success` ([`SUCCESS`](wechat::SUCCESS)).
//! let reply = push.text_reply("您好，客服马上为您处理。", now_s);
//! let answer = opened.seal.reply(&reply, now_s, "889900", *b"fedcba9876543210");
//! assert!(answer.starts_with(b"<xml><Encrypt>"));
//! # Ok(())
//! # }
//! ```
//!
//! # A message to a customer
//!
//! ```no_run
//! # async fn send() -> Result<(), Box<dyn std::error::Error>> {
//! // reqwest is built without a TLS provider here: install one in `main`, once.
//! let client = wechat::Client::new(wechat::http().build()?, "https://api.weixin.qq.com")?;
//! let token = client.stable_token("wx0123456789abcdef", &"the AppSecret".into(), false).await?;
//! match client.send_text(&token.token, "oCUSTOMER", "您好").await {
//!     Ok(()) => {}
//!     Err(wechat::CallError::Refused(errcode)) => println!("{errcode}: {:?}", errcode.verdict()),
//!     Err(wechat::CallError::NotSent(fault)) => println!("safe to try again: {fault}"),
//!     Err(wechat::CallError::Unclear(fault)) => println!("the customer may have it already: {fault}"),
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod content;
mod crypto;
mod document;
mod errcode;
mod event;
mod fields;
mod flat;
mod json;
mod media;
mod message;
mod outgoing;
mod push;
mod query;
mod receive;
mod reply;
mod seal;
mod signature;
mod text;
pub mod wire;
mod xml;

pub use client::{
    AccessToken, Added, BaseUrlError, CALL_TIMEOUT, CONNECT_TIMEOUT, CallError, CallbackCheck, Client,
    Download, Fault, Followers, IpRange, IpRangeError, MAX_USERS, MEDIA_TIMEOUT, Material, MediaFile,
    NewsItem, Operator, PastCall, Pinged, Quota, RateLimit, Resolved, Typing, Uploaded, UserInfo, VideoWords,
    http,
};
pub use content::{ContentError, MAX_TEXT};
pub use crypto::{AesKey, CryptoError};
pub use document::{Format, MAX_DOCUMENT};
pub use errcode::{Errcode, Verdict, describe, known_codes, token_call_verdict, verdict};
pub use event::{Authorization, Event, Pictures, ScanCode, TemplateChoice, TemplateResult};
pub use fields::{Field, Fields, Value};
pub use media::{
    ARTICLE_IMAGE_LIMIT, ArticleImage, MAX_IMAGE, MAX_THUMB, MAX_VIDEO, MAX_VOICE, MAX_VOICE_SECONDS, Media,
    MediaError, MediaFormat, MediaKind, SAFE_IMAGE,
};
pub use message::{Message, MessageKind, UNSUPPORTED_TEXT};
pub use outgoing::{Card, Entry, Outgoing, Sender};
pub use push::{ParseError, Push, PushBody};
pub use receive::{Credentials, Opened, Query, Refusal, Seal, Unreadable, UnreadableReason};
pub use receive::{check_query, open, replay, replay_document, verify_url};
pub use reply::{Article, HandOver, MAX_ARTICLES, Reply, ReplyBody, SUCCESS};
pub use signature::{signature, signature_matches};

/// For the fuzz targets: what a call makes of an answer's body, without a network.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// Judges an answer and reads the fields of every kind of answer out of it. Gives whether it was taken for a success.
    pub fn answer(body: &[u8]) -> bool {
        crate::client::fuzz_answer(body)
    }

    /// Tells a file from what came in its place, and reads its name. `None` for what is no file.
    pub fn download(
        content_type: &str,
        disposition: &str,
        bytes: &[u8],
        max_bytes: usize,
    ) -> Option<crate::MediaFile> {
        crate::client::fuzz_download(content_type, disposition, bytes, max_bytes)
    }
}
