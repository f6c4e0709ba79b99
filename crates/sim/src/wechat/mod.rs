//! The simulated WeChat: accounts, customers, what stands in their chats.
//!
//! `push.rs` is the engine that calls the gateway's webhook; `document.rs` builds what it sends and `reply.rs` judges
//! what comes back. `api.rs` is what the gateway calls, with `tokens.rs`, `windows.rs` and `quota.rs` for its rules; what
//! can be set differently stands in `rules.rs`. Numbers (§) are those of `protocol/wechat-official-account.md`.

mod api;
mod custom_send;
pub(crate) mod customers;
mod document;
mod events;
pub(crate) mod followers;
pub(crate) mod formats;
pub(crate) mod media;
pub(crate) mod messages;
mod push;
mod quota;
mod reply;
mod rules;
mod tokens;
pub(crate) mod verify;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use api::router;
pub(crate) use document::Push;
pub use push::Report;
pub use rules::{AccountKind, AccountRules, CallLimit, MenuMessage, WindowRule};

use crate::config::{Mode, PushConfig, WechatAccountConfig};
use crate::start::StartError;
use media::MediaStore;
use quota::Counters;
use tokens::Tokens;
pub use windows::{Action, Closed, Windows};

/// What WeChat shows to a customer when the account's server failed three times or answered nonsense (§4).
pub const FAILURE_LINE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// Who sends the account's job events (§3.3); no customer.
pub(crate) const SYSTEM_SENDER: &str = "mphelper";

/// All of WeChat.
pub(crate) struct Wechat {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) push: PushConfig,
    next_msg_id: u64,
    /// Where this cloud itself is: the addresses of pictures and videos begin with it.
    pub(crate) base_url: String,
    rids: api::Rids,
}

/// One Official Account.
pub(crate) struct Account {
    /// Shared with the pushes under way, which are judged by it.
    pub(crate) config: Arc<WechatAccountConfig>,
    key: Option<::wechat::AesKey>,
    pub(crate) customers: BTreeMap<String, Customer>,
    tokens: Tokens,
    pub(crate) rules: AccountRules,
    counters: Counters,
    pub(crate) media: MediaStore,
    /// Followers who never did anything here; see `followers.rs`.
    seeded: u64,
    seed_prefix: String,
}

/// One person, as this account knows her.
#[derive(Default)]
pub(crate) struct Customer {
    pub(crate) follows: bool,
    /// Since when, in seconds; 0 as long as she never followed.
    since_s: i64,
    /// The QR code that she came by.
    scene: String,
    remark: String,
    windows: Windows,
    /// When either side last wrote.
    exchanged_ms: Option<i64>,
    /// Until when "typing" is shown to her.
    typing_until_ms: i64,
    /// The account has put her on its blacklist (43019).
    pub(crate) blocked: bool,
    /// She takes no messages from the account (48002).
    pub(crate) refuses_messages: bool,
    /// Until when WeChat's own agents have her: what she writes is not pushed.
    served_until_ms: i64,
    pub(crate) transcript: Vec<Entry>,
}

/// One line of what a customer sees in the chat with the account.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    n: u64,
    at_ms: i64,
    /// `customer`, `account` or `system`.
    who: &'static str,
    /// `said`, `event`, `passive_reply`, `custom_send` or `failure`.
    via: &'static str,
    /// `text` or another message type.
    msg_type: String,
    text: String,
    /// What is seen beside the text: the fields of other messages, notes under them.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<String>,
}

impl Wechat {
    pub(crate) fn new(
        configs: Vec<WechatAccountConfig>,
        push: PushConfig,
        now_ms: i64,
        base_url: String,
    ) -> Result<Wechat, StartError> {
        let mut accounts = BTreeMap::new();
        for config in configs {
            let account = Account::new(config)?;
            accounts.insert(account.config.app_id.clone(), account);
        }
        // 17 digits, as the real ones have, and not used before by an earlier run.
        Ok(Wechat {
            accounts,
            push,
            next_msg_id: now_ms.unsigned_abs() * 10_000,
            base_url,
            rids: api::Rids::default(),
        })
    }

    pub(crate) fn next_msg_id(&mut self) -> u64 {
        self.next_msg_id += 1;
        self.next_msg_id
    }
}

impl Account {
    fn new(config: WechatAccountConfig) -> Result<Account, StartError> {
        let complain =
            |reason: &str| StartError::Account { app_id: config.app_id.clone(), reason: reason.to_owned() };
        let key = match &config.encoding_aes_key {
            Some(text) => {
                Some(::wechat::AesKey::parse(text).map_err(|_| complain("the EncodingAESKey is not one"))?)
            }
            None if config.mode == Mode::Plain => None,
            None => return Err(complain("this mode needs an EncodingAESKey")),
        };
        let seed_prefix = followers::prefix(&config.app_id);
        Ok(Account {
            rules: config.rules.clone(),
            config: Arc::new(config),
            key,
            customers: BTreeMap::new(),
            tokens: Tokens::default(),
            counters: Counters::default(),
            media: MediaStore::default(),
            seeded: 0,
            seed_prefix,
        })
    }

    /// Sets another mode, token or key, as an operator does in the console.
    pub(crate) fn reconfigure(&mut self, config: WechatAccountConfig) -> Result<(), StartError> {
        let Account { config, key, .. } = Account::new(config)?;
        self.config = config;
        self.key = key;
        Ok(())
    }

    /// Makes every access_token invalid at once, as another deployment's forced refresh would.
    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.revoke();
    }
}

impl Customer {
    fn begins_to_follow(&mut self, now_ms: i64) {
        if !self.follows {
            self.since_s = now_ms.div_euclid(1000);
        }
        self.follows = true;
    }

    /// All about her, for the control endpoint.
    pub(crate) fn told(&self, now_ms: i64) -> Value {
        json!({"follows": self.follows, "since": self.since_s, "scene": self.scene, "remark": self.remark,
               "windows": self.windows.told(now_ms), "typing": self.typing_until_ms > now_ms,
               "with_kf": self.served_until_ms > now_ms, "blocked": self.blocked,
               "refuses_messages": self.refuses_messages, "lines": self.transcript.len()})
    }

    /// Whether a line of her chat has this file.
    pub(crate) fn has_file(&self, media_id: &str) -> bool {
        let names = ["media_id", "thumb_media_id", "MediaId", "ThumbMediaId"];
        let has = |fields: &Value| names.iter().any(|name| fields[*name] == media_id);
        self.transcript.iter().any(|line| line.fields.as_ref().is_some_and(has))
    }

    /// Puts a line into the chat.
    fn show(
        &mut self,
        at_ms: i64,
        who: &'static str,
        via: &'static str,
        msg_type: &str,
        text: &str,
        msg_id: Option<String>,
    ) -> &mut Entry {
        let n = self.transcript.len() as u64 + 1;
        let (msg_type, text) = (msg_type.to_owned(), text.to_owned());
        self.transcript.push_mut(Entry { n, at_ms, who, via, msg_type, text, fields: None, msg_id })
    }
}
