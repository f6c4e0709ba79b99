//! What WeChat holds about an account beside its server address and keys: its kind, its limits, its lists.
//!
//! `POST /sim/wechat/{app_id}/config` changes any of it while everything runs. Where the real cloud's behaviour is not
//! known (§14), there is a switch here, and its default says which reading was taken.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What the account is (§11). Whether it is certified stands beside it, in
/// [`crate::WechatAccountConfig::certified`]; a personal account cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A subscription account of a person.
    PersonalSubscription,
    /// A subscription account of an organisation.
    Subscription,
    /// A service account.
    Service,
}

/// How often one path may be called; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallLimit {
    /// Calls from midnight to midnight, China time; 45009 beyond.
    #[serde(default)]
    pub daily: Option<u64>,
    /// Calls within one minute of the clock; 45011 beyond.
    #[serde(default)]
    pub minute: Option<u64>,
}

/// The account's rules and lists. [`AccountRules::default`] is a service account as newly registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRules {
    /// What kind of account it is.
    pub kind: AccountKind,
    /// The AppSecret is frozen: no token call works (40243).
    pub secret_frozen: bool,
    /// Addresses that may ask for tokens; `None` switches the list off, an empty list lets nobody in (40164).
    pub ip_allow_list: Option<Vec<IpAddr>>,
    /// Whether the list holds for all calls, not only for tokens (not known of the real cloud).
    pub ip_allow_list_everywhere: bool,
    /// The address that WeChat sees a call come from, instead of the connection's, which is always loopback here.
    pub caller_ip: Option<IpAddr>,
    /// Limits by path, instead of those of the reference (§10).
    pub limits: BTreeMap<String, CallLimit>,
    /// What `getcallbackip` answers: addresses or CIDRs.
    pub callback_ips: Vec<String>,
    /// What `get_api_domain_ip` answers.
    pub api_ips: Vec<String>,
    /// The most openids on one page of `user/get`.
    pub followers_page: usize,
    /// Whether the last page of `user/get` has an empty `next_openid`. By default it names its last openid, and one more
    /// call answers count 0.
    pub followers_end_empty: bool,
    /// Whether the account is bound to an Open Platform account, so that `user/info` tells a unionid.
    pub unionids: bool,
    /// The largest picture in bytes; the reference says 10 MB, and 2 MB in its notes.
    pub image_limit: usize,
    /// Whether `media/get` answers its errors as `text/plain`, as has been seen.
    pub media_errors_as_text: bool,
    /// WeChat's own agents (`agent01@myshop`), who may be named in a message; others get 65401.
    pub kf_accounts: Vec<String>,
    /// Mini programs linked to the account, 45064 and 45086 for others; `None` takes any.
    pub mini_programs: Option<Vec<String>>,
    /// The most entries of a `msgmenu` (45098). The real number is not published.
    pub menu_entries: usize,
    /// The longest entry of a `msgmenu` in bytes (45099). The real number is not published.
    pub menu_entry_bytes: usize,
    /// Whether a new message starts a fresh allowance or adds one.
    pub windows: WindowRule,
    /// What a tap on an entry of a `msgmenu` opens. The documents say it is no message, in words that leave doubt.
    pub menu_message: MenuMessage,
}

/// How allowances of the same action go together (§7.2; not known of the real cloud).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowRule {
    /// A new action replaces the allowance of the one before.
    Reset,
    /// Each action is an allowance of its own.
    Cumulative,
}

/// What a tap on an entry of a `msgmenu` counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MenuMessage {
    /// A tap on the custom menu: 3 messages, 1 minute.
    MenuTap,
    /// A message: 5 messages, 48 hours.
    Message,
}

impl Default for AccountRules {
    fn default() -> AccountRules {
        AccountRules {
            kind: AccountKind::Service,
            secret_frozen: false,
            ip_allow_list: None,
            ip_allow_list_everywhere: false,
            caller_ip: None,
            limits: BTreeMap::new(),
            callback_ips: vec!["101.226.103.0/25".into(), "127.0.0.1".into()],
            api_ips: vec!["101.89.47.18".into(), "127.0.0.1".into()],
            followers_page: 10_000,
            followers_end_empty: false,
            unionids: false,
            image_limit: 10 << 20,
            media_errors_as_text: false,
            kf_accounts: vec!["agent01@myshop".into()],
            mini_programs: None,
            menu_entries: 20,
            menu_entry_bytes: 512,
            windows: WindowRule::Reset,
            menu_message: MenuMessage::MenuTap,
        }
    }
}
