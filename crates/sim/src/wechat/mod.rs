//! The simulated WeChat: accounts, customers, what stands in their chats.
//!
//! `push.rs` is the engine that calls the gateway's webhook; `document.rs` builds what it sends and `reply.rs` judges
//! what comes back. `api.rs` is what the gateway calls, with `tokens.rs`, `windows.rs` and `quota.rs` for its rules; what
//! can be set differently stands in `rules.rs`. Numbers (§) are those of `protocol/wechat-official-account.md`.

mod api;
mod custom_send;
pub(crate) mod customers;
mod document;
pub(crate) mod followers;
mod push;
mod quota;
mod reply;
mod rules;
mod tokens;
pub(crate) mod verify;
mod windows;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use api::router;
pub(crate) use document::Push;
pub use push::Report;
pub use rules::{AccountKind, AccountRules, CallLimit};

use crate::config::{Mode, PushConfig, WechatAccountConfig};
use crate::start::StartError;
use quota::Counters;
use tokens::Tokens;
use windows::Windows;

/// What WeChat shows to a customer when the account's server failed three times or answered nonsense (§4).
pub const FAILURE_LINE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// All of WeChat.
pub(crate) struct Wechat {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) push: PushConfig,
    next_msg_id: u64,
}

/// One Official Account.
pub(crate) struct Account {
    pub(crate) config: WechatAccountConfig,
    key: Option<::wechat::AesKey>,
    pub(crate) customers: BTreeMap<String, Customer>,
    tokens: Tokens,
    pub(crate) rules: AccountRules,
    counters: Counters,
    /// Followers who never did anything here; see `followers.rs`.
    pub(crate) seeded: u64,
}

/// One person, as this account knows her.
#[derive(Default)]
pub(crate) struct Customer {
    pub(crate) follows: bool,
    /// Since when, in seconds; 0 as long as she never followed.
    since_s: i64,
    windows: Windows,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<String>,
}

impl Wechat {
    pub(crate) fn new(
        configs: Vec<WechatAccountConfig>,
        push: PushConfig,
        now_ms: i64,
    ) -> Result<Wechat, StartError> {
        let mut accounts = BTreeMap::new();
        for config in configs {
            let account = Account::new(config)?;
            accounts.insert(account.config.app_id.clone(), account);
        }
        // 17 digits, as the real ones have, and not used before by an earlier run.
        Ok(Wechat { accounts, push, next_msg_id: now_ms.unsigned_abs() * 10_000 })
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
        Ok(Account {
            rules: config.rules.clone(),
            config,
            key,
            customers: BTreeMap::new(),
            tokens: Tokens::default(),
            counters: Counters::default(),
            seeded: 0,
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

    /// Puts a line into the chat.
    fn show(
        &mut self,
        at_ms: i64,
        who: &'static str,
        via: &'static str,
        msg_type: &str,
        text: &str,
        msg_id: Option<String>,
    ) {
        let n = self.transcript.len() as u64 + 1;
        self.transcript.push(Entry {
            n,
            at_ms,
            who,
            via,
            msg_type: msg_type.to_owned(),
            text: text.to_owned(),
            msg_id,
        });
    }
}
