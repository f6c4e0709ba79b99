//! One Official Account, as the flows see it.

use desk::{Language, Millis};
use secrecy::SecretString;
use std::time::Duration;

/// One Official Account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id in configuration, paths, database and metrics.
    pub id: String,
    /// WeChat's AppID.
    pub app_id: String,
    /// WeChat's AppSecret.
    pub app_secret: SecretString,
    /// The client for this account's API host.
    pub client: wechat::Client,
    /// IM UserIDs of its agents; the first is asked first.
    pub agents: Vec<String>,
    /// Of what the gateway says to agents.
    pub language: Language,
    /// What becomes of the ghost of a customer who unfollows.
    pub on_unsubscribe: OnUnsubscribe,
    /// Passive reply to a follow; none if empty.
    pub welcome: String,
    /// Scene of a QR code → the passive reply to a follow or a scan by it.
    pub greetings: std::collections::BTreeMap<String, String>,
    /// Keys of menu items that open a conversation, as a message does.
    pub call_keys: Vec<String>,
    /// Passive reply to the message that opens a conversation; none if empty.
    pub waiting: String,
    /// The same when it is known that no agent can be reached; none if empty.
    pub away: String,
    /// Whether the operator says that it may not call `custom/send`.
    pub passive: bool,
    /// Whether an answer that comes too late waits for the customer's next message, and does not fail.
    pub park: bool,
    /// How long an answer may wait for that, in milliseconds.
    pub park_ttl: Millis,
    /// Of an account that may not call `custom/send`: how long a message of a customer is kept waiting for an answer.
    pub passive_hold: Duration,
    /// For how long a message is surely known here, in milliseconds: an older one may have been purged.
    pub known_for: Millis,
}

/// What becomes of the ghost of a customer who unfollows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnsubscribe {
    /// It is deleted in IM; if the customer comes back, the next generation is imported.
    Delete,
    /// It stays, with its history.
    Keep,
}

/// How long each kind of job may hold its lane, in milliseconds, and a call last.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A customer's message on its way to IM.
    pub relay: Millis,
    /// An agent's answer on its way to WeChat.
    pub answer: Millis,
    /// How long one call of the clients may take as a whole.
    pub call: Duration,
}

impl Default for Patience {
    /// A day each: an outage of an afternoon loses nothing, and nothing waits for ever.
    fn default() -> Self {
        Patience { relay: 86_400_000, answer: 86_400_000, call: wechat::CALL_TIMEOUT }
    }
}
