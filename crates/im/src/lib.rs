//! The Tencent Cloud IM (Chat) protocol for a server: UserSig, webhooks, message elements and the REST client.
//!
//! Start at [`open`], which turns a webhook request into a typed [`Webhook`], at [`Client`], which calls the REST
//! API, and at [`sign`], which makes what a user logs in with. Nothing here reads the clock, draws random
//! numbers or, but for the client, does I/O.
//!
//! ```
//! use secrecy::{ExposeSecret, SecretString};
//!
//! let key = SecretString::from("5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e");
//! let sig = im::sign(&key, 1400000000, "agent_007", 1_700_000_000, 86_400, None);
//! let claims = im::verify(&key, 1400000000, Some("agent_007"), sig.expose_secret(), 1_700_000_100)?;
//! assert_eq!(claims.identifier, "agent_007");
//! # Ok::<(), im::UserSigError>(())
//! ```

mod admin_sig;
mod client;
mod element;
mod error_code;
mod lenient;
mod receive;
mod usersig;
mod webhook;
pub mod wire;

pub use admin_sig::AdminSig;
pub use client::{BaseUrlError, CALL_TIMEOUT, CallError, Client, DeleteResult, Fault, SendMsg, Sent};
pub use client::{HistoryMessage, HistoryPage, HistoryQuery};
pub use element::{Element, ImageInfo};
pub use error_code::{ErrorCode, Verdict, describe, verdict};
pub use receive::{Answer, Credentials, Opened, Query, Refusal, callback_signature, open};
pub use usersig::{Claims, UserSigError, sign, valid_user_id, verify};
pub use webhook::{AfterSend, C2cMessage, Webhook};
