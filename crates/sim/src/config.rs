//! What the two simulated clouds are set up with: accounts, keys, switches and time-outs.
//!
//! Start with [`SimConfig::shop`], which has one Official Account and one IM app, and change what a test needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::gateway::GatewayHandle;
use crate::wechat::AccountRules;

/// Both clouds.
#[derive(Clone)]
pub struct SimConfig {
    /// The Official Accounts.
    pub wechat: Vec<WechatAccountConfig>,
    /// The IM app.
    pub im: ImConfig,
    /// How WeChat pushes.
    pub push: PushConfig,
    /// Where the journal is also written, one JSON object a line.
    pub journal: Option<PathBuf>,
    /// Where WeChat's API, IM's REST API and the control endpoints listen; port 0 takes any free one.
    pub bind: [SocketAddr; 3],
    /// The clock of both clouds.
    pub clock: Clock,
    /// The gateway's process, if whoever started it lets the page kill it and start it again.
    pub gateway: Option<GatewayHandle>,
    /// Seed of all randomness; taken from the clock when absent.
    pub seed: Option<u64>,
}

/// One Official Account.
#[derive(Clone)]
pub struct WechatAccountConfig {
    /// `wx…`
    pub app_id: String,
    /// The AppSecret.
    pub app_secret: String,
    /// The original id, `gh_…`.
    pub gh_id: String,
    /// The Token that signs pushes.
    pub token: String,
    /// 43 characters; needed in compatible and secure mode.
    pub encoding_aes_key: Option<String>,
    /// Which encryption mode the console is set to.
    pub mode: Mode,
    /// Which data format the console is set to.
    pub format: Format,
    /// Where pushes go; can be set later with `/sim/config`.
    pub webhook_url: Option<String>,
    /// Whether the account is certified. One that is not gets 48001 from the customer-service API.
    pub certified: bool,
    /// Its kind, limits and lists; can be changed with `/sim/wechat/{app_id}/config`.
    pub rules: AccountRules,
}

/// The encryption modes of a push (the reference, §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Plain fields only.
    Plain,
    /// Plain fields and `Encrypt` in one document.
    Compatible,
    /// `ToUserName` and `Encrypt` only.
    Secure,
}

/// The data format of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The classic one.
    Xml,
    /// What newer consoles offer.
    Json,
}

/// How WeChat pushes. The defaults are WeChat's; tests shorten them.
#[derive(Clone, Debug)]
pub struct PushConfig {
    /// How long one attempt may take, connecting included.
    pub deadline: Duration,
    /// How long after the start of an attempt the next one starts, at the earliest.
    pub gap: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// Whether a repeat carries the same timestamp, nonce and ciphertext as the first attempt. (Which of the two the
    /// real cloud does is not known.)
    pub identical: bool,
    /// Each attempt starts later by a random time up to this.
    pub jitter: Duration,
    /// So many of a hundred pushes, chosen at random, rest for [`PushConfig::held`] first and are overtaken by later
    /// ones. The customer's clock (`CreateTime`) does not know of it.
    pub held_percent: u8,
    /// How long those rest.
    pub held: Duration,
}

impl Default for PushConfig {
    fn default() -> PushConfig {
        PushConfig {
            deadline: Duration::from_secs(5),
            gap: Duration::from_secs(5),
            attempts: 3,
            identical: false,
            jitter: Duration::ZERO,
            held_percent: 0,
            held: Duration::from_secs(1),
        }
    }
}

impl PushConfig {
    /// WeChat's three attempts with shorter times.
    pub fn quick(deadline_ms: u64, gap_ms: u64) -> PushConfig {
        PushConfig {
            deadline: Duration::from_millis(deadline_ms),
            gap: Duration::from_millis(gap_ms),
            ..PushConfig::default()
        }
    }
}

/// The IM app.
#[derive(Clone)]
pub struct ImConfig {
    /// The SDKAppID.
    pub sdk_app_id: u64,
    /// The key that UserSigs are made with.
    pub secret_key: String,
    /// The app admins, who may call the REST API.
    pub admins: Vec<String>,
    /// Where webhooks go; can be set later with `/sim/config`.
    pub callback_url: Option<String>,
    /// The Token of the console; webhooks carry `Sign` and `RequestTime` when it is set.
    pub callback_token: Option<String>,
    /// Whether `C2C.CallbackBeforeSendMsg` is switched on in the console.
    pub callback_enabled_before: bool,
    /// Whether `C2C.CallbackAfterSendMsg` is switched on in the console.
    pub callback_enabled_after: bool,
    /// How long the cloud waits for a webhook's answer (2 s in the real one).
    pub callback_timeout: Duration,
    /// How often an After webhook that ran into the time-out is repeated (0 is the console's default).
    pub after_retries: u32,
    /// Whether a message is refused (80003) when the Before webhook fails; by default it is delivered.
    pub reject_when_before_fails: bool,
    /// Whether After webhooks are sent even where `ForbidCallbackControl` forbids them.
    pub echo_forbidden: bool,
    /// Whether `account_delete` is switched on in the console; 71000 otherwise.
    pub deletion_enabled: bool,
    /// Paid editions refuse a deleted UserID for three months (70399).
    pub paid: bool,
    /// The most accounts of a free edition (70398).
    pub account_limit: Option<usize>,
    /// Calls per second and command; 60007 beyond.
    pub rate: u32,
    /// Webhooks besides Before and After a message that are switched on in the console, such as `State.StateChange`.
    pub callback_commands: Vec<String>,
    /// Profile fields that were made in the console, such as `Tag_Profile_Custom_Shop`.
    pub custom_tags: Vec<String>,
}

impl SimConfig {
    /// One clothing shop: account `wx5aa5aa5aa5aa5aa5` in plain mode, IM app 1400000001 with `administrator`.
    pub fn shop() -> SimConfig {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        SimConfig {
            wechat: vec![WechatAccountConfig::shop()],
            im: ImConfig::shop(),
            push: PushConfig::default(),
            journal: None,
            bind: [any; 3],
            clock: Clock::real(),
            gateway: None,
            seed: None,
        }
    }
}

impl WechatAccountConfig {
    /// The shop's account; its key has non-zero trailing bits, as most real ones have.
    pub fn shop() -> WechatAccountConfig {
        WechatAccountConfig {
            app_id: "wx5aa5aa5aa5aa5aa5".into(),
            app_secret: "5ec2e75ec2e75ec2e75ec2e75ec2e75e".into(),
            gh_id: "gh_0123456789ab".into(),
            token: "ShopToken01".into(),
            encoding_aes_key: Some("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW".into()),
            mode: Mode::Plain,
            format: Format::Xml,
            webhook_url: None,
            certified: true,
            rules: AccountRules::default(),
        }
    }
}

impl ImConfig {
    /// The shop's app: a free edition with deletion allowed, After webhooks on and signed, Before off.
    pub fn shop() -> ImConfig {
        ImConfig {
            sdk_app_id: 1_400_000_001,
            secret_key: "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e".into(),
            admins: vec!["administrator".into()],
            callback_url: None,
            callback_token: Some("ShopCallbackToken".into()),
            callback_enabled_before: false,
            callback_enabled_after: true,
            callback_timeout: Duration::from_secs(2),
            after_retries: 0,
            reject_when_before_fails: false,
            echo_forbidden: false,
            deletion_enabled: true,
            paid: false,
            account_limit: None,
            rate: 200,
            callback_commands: Vec::new(),
            custom_tags: Vec::new(),
        }
    }
}
