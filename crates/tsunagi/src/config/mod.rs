//! The configuration: one TOML file, environment variables over it, each secret also from a file of its own.
//!
//! Start with [`Config`], what the rest of the program sees, and [`load`]. `file` declares the keys and their
//! defaults, `example.toml` explains them to people, `check` makes a [`Config`] of what was written.
//! Relative paths begin at the working directory.

mod check;
mod docs;
mod environment;
mod file;
mod keys;
mod problem;
mod secret_files;
#[cfg(test)]
mod tests;
mod texts;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use desk::Language;
use desk::window::Rules;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub(crate) use docs::page;
pub(crate) use problem::ConfigError;
use problem::Findings;

/// The commented default file, as `tsunagi config example` prints it.
pub(crate) const EXAMPLE: &str = include_str!("example.toml");

/// What the reference says of the environment.
const ENVIRONMENT_HINT: &str = "The environment goes over the file: `TSUNAGI__IM__SECRET_KEY` sets `secret_key` of `[im]`, \
    `TSUNAGI__ACCOUNT__0__TOKEN`, or `TSUNAGI__ACCOUNT__SHOP__TOKEN`, the token of the first account, or of the account with \
    the id `shop`. Keys that are not known are refused, and every fault is named at once. Relative paths begin at the working \
    directory of the process.\n\n\
    Each node of a gateway on PostgreSQL has a configuration file of its own, which is read at its start only: after a change \
    restart one node after the other. What must be the same on all of them is `[im]`, `[desk]`, `[windows]` and `[[account]]`; `[server]`, \
    `[store] connections`, `[jobs]`, `[log]` and `[trace]` may differ. \
    Nodes that differ in the former (secrets aside) warn of it in their logs within a minute.";

/// What `serve` runs with.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) media: Media,
    pub(crate) im: Im,
    pub(crate) calls: Calls,
    pub(crate) jobs: Jobs,
    pub(crate) desk: Desk,
    pub(crate) windows: Windows,
    pub(crate) log: Log,
    pub(crate) trace: Trace,
    /// At least one; ids and app ids are unique.
    pub(crate) accounts: Vec<Account>,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Webhooks and media.
    pub(crate) listen: SocketAddr,
    /// Health, readiness and metrics.
    pub(crate) admin_listen: SocketAddr,
    /// Under which the world reaches `listen`. Without one, media are told in words.
    pub(crate) public_url: Option<Url>,
    pub(crate) trusted_proxies: Vec<Network>,
    /// How long requests and jobs may finish after a signal to stop.
    pub(crate) shutdown_timeout: Duration,
    /// At a time, on each of the two listeners.
    pub(crate) connections: usize,
    /// For the headers of one request, and for the silence between two on one connection.
    pub(crate) header_timeout: Duration,
    /// Of all headers of one request together.
    pub(crate) header_bytes: usize,
    /// Whether a connection may carry more than one request.
    pub(crate) keep_alive: bool,
    pub(crate) body_timeout: Duration,
    pub(crate) body_bytes: usize,
    /// A net under everything else that a request waits for.
    pub(crate) request_timeout: Duration,
}

/// Conversations and agents.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// Without a message for so long a conversation is closed.
    pub(crate) conversation_idle: Duration,
    /// An agent may be offline for so long before a waiting customer is given to another; 0: for ever.
    pub(crate) agent_grace: Duration,
    /// How often IM is asked who is online.
    pub(crate) agent_poll: Duration,
    /// From the end of one round over IM's history to the next.
    pub(crate) reconcile_every: Duration,
    /// An older message that is found there is not sent any more.
    pub(crate) reconcile_max_age: Duration,
}

/// What WeChat allows, and when agents are warned of its end.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    /// How many replies after what, for how long.
    pub(crate) rules: Rules,
    /// So long before a window closes the agent of a customer who waits is warned; 0: never.
    pub(crate) warn_before: Duration,
}

/// Addresses that share the first `prefix` bits; a single address has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl Network {
    /// Whether an address belongs to it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        fn same<const N: usize>(one: [u8; N], other: [u8; N], prefix: u8) -> bool {
            let bits = |bytes: [u8; N]| {
                bytes.into_iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
            };
            bits(one).zip(bits(other)).take(usize::from(prefix)).all(|(one, other)| one == other)
        }
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.octets(), other.octets(), self.prefix),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.octets(), other.octets(), self.prefix),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// `sqlite:PATH` or `postgres://…`; secret, since it may hold a password.
    pub(crate) url: SecretString,
    /// How long a node holds a conversation's work without a sign of life; after that another takes it over.
    pub(crate) lease: Duration,
    /// To PostgreSQL, or readers of SQLite.
    pub(crate) connections: u32,
    /// Webhooks that may wait for their commit; beyond it they are refused with 503.
    pub(crate) ingest_queue: usize,
    /// From so many webhooks in one commit on, they are stored as they came and sorted afterwards; 0: never.
    pub(crate) spool_from: usize,
    /// How long a webhook waits for its commit.
    pub(crate) ingest_timeout: Duration,
    /// Rows that one step of the purge removes at most, and the pause after it.
    pub(crate) purge_rows: usize,
    pub(crate) purge_pause: Duration,
}

/// Pictures, voices and files.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    /// Where they are kept.
    pub(crate) place: ::media::Place,
    pub(crate) max_bytes: u64,
    /// For one download.
    pub(crate) fetch_timeout: Duration,
    /// How long a customer's file is waited for before words stand in for it.
    pub(crate) fetch_patience: Duration,
    /// Which addresses may be downloaded from although they are not public.
    pub(crate) private_networks: Vec<Network>,
    /// Seconds that a link is good for; 0 for as long as the file is kept.
    pub(crate) link_lifetime: u64,
    /// Files that are served at a time.
    pub(crate) downloads: usize,
    /// A program; none to convert nothing.
    pub(crate) ffmpeg: Option<String>,
    /// For the media store.
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Im {
    pub(crate) sdk_app_id: u64,
    pub(crate) secret_key: SecretString,
    /// UserID of an administrator of the IM app.
    pub(crate) admin: String,
    pub(crate) base_url: Url,
    /// Calls per second and API, over all nodes.
    pub(crate) rate: u32,
    /// Seconds that the signed time of a webhook may be off; 0 is no check.
    pub(crate) signature_window: u64,
    /// None: webhooks come unsigned.
    pub(crate) callback_token: Option<SecretString>,
    /// The last part of the webhook's path, if the console has one there.
    pub(crate) callback_secret: Option<SecretString>,
}

/// How long calls to the clouds may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls {
    pub(crate) connect_timeout: Duration,
    /// As a whole.
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Jobs {
    /// Conversations served at once.
    pub(crate) lanes: usize,
    /// How often the store is asked for work of which nobody told.
    pub(crate) poll: Duration,
    /// How long a customer's message may hold its lane, and an agent's answer.
    pub(crate) relay_patience: Duration,
    pub(crate) answer_patience: Duration,
}

/// Where spans go.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// OTLP over HTTP; none: no traces.
    pub(crate) endpoint: Option<Url>,
    /// Which share of the messages, from 0 to 1.
    pub(crate) sample: f64,
}

/// Days that each kind of row is kept; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) messages: u64,
    pub(crate) inbox: u64,
    pub(crate) attempts: u64,
    pub(crate) media: u64,
}

impl Default for Retention {
    fn default() -> Retention {
        file::Account::default().retention()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Filter directives, such as `info,sqlx=warn`.
    pub(crate) level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

/// One Official Account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its place in the path: `/wechat/{id}`.
    pub(crate) id: String,
    pub(crate) app_id: String,
    pub(crate) app_secret: SecretString,
    pub(crate) token: SecretString,
    pub(crate) previous_token: Option<SecretString>,
    pub(crate) encoding_aes_key: Option<SecretString>,
    pub(crate) previous_encoding_aes_key: Option<SecretString>,
    /// Plaintext bodies are refused. Never true without `encoding_aes_key`.
    pub(crate) require_encryption: bool,
    /// Seconds that a signed timestamp may be off; 0 is no check.
    pub(crate) signature_window: u64,
    pub(crate) reply: Reply,
    /// Where answers only go out as replies: how long a customer's message is kept waiting for one.
    pub(crate) passive_hold: Duration,
    /// An answer that comes too late waits for the customer's next message.
    pub(crate) park: bool,
    /// How long an answer waits for that.
    pub(crate) park_ttl: Duration,
    pub(crate) on_unsubscribe: OnUnsubscribe,
    pub(crate) base_url: Url,
    /// Of what the gateway says to agents.
    pub(crate) language: Language,
    /// IM UserIDs, at least one.
    pub(crate) agents: Vec<String>,
    /// Only WeChat's own addresses may send this account's webhooks.
    pub(crate) callback_ips: bool,
    pub(crate) retention: Retention,
    /// Passive reply to a follow; none: no reply.
    pub(crate) welcome: Option<String>,
    /// Passive reply to the message that opens a conversation.
    pub(crate) waiting: Option<String>,
    /// Instead of `waiting` when no agent is online.
    pub(crate) away: Option<String>,
    /// Scene of a QR code → passive reply to a follow or a scan by it.
    pub(crate) greetings: std::collections::BTreeMap<String, String>,
    /// Keys of menu items that open a conversation.
    pub(crate) call_keys: Vec<String>,
}

impl Account {
    /// What this account shares with WeChat, current values before previous ones.
    ///
    /// # Errors
    /// An EncodingAESKey that cannot be decoded; the configuration's check lets none pass.
    pub(crate) fn credentials(&self) -> Result<wechat::Credentials, wechat::CryptoError> {
        let keys = self.encoding_aes_key.iter().chain(&self.previous_encoding_aes_key);
        Ok(wechat::Credentials {
            app_id: self.app_id.clone(),
            tokens: std::iter::once(&self.token).chain(&self.previous_token).cloned().collect(),
            aes_keys: keys.map(|key| wechat::AesKey::parse(key.expose_secret())).collect::<Result<_, _>>()?,
            require_encryption: self.require_encryption,
            signature_window: self.signature_window,
        })
    }
}

/// How answers reach the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    CustomerService,
    Passive,
}

/// What becomes of the ghost when its customer unfollows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnUnsubscribe {
    Delete,
    Keep,
}

/// Reads the whole configuration from `path`, with `environment` over it.
///
/// # Errors
/// Every fault found, not only the first.
pub(crate) fn load(
    path: &Path,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let mut findings = Findings::new(path);
    let file = read(path, environment, &mut findings);
    let config = file.and_then(|file| check::config(&file, &mut findings));
    finish(config, findings)
}

/// Reads `[im]` alone, for commands that need no account and no store.
///
/// # Errors
/// Faults of the file as a whole, unknown keys anywhere, and faults of `[im]`.
pub(crate) fn load_im(
    path: &Path,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Im, ConfigError> {
    let mut findings = Findings::new(path);
    let file = read(path, environment, &mut findings);
    let im = file.and_then(|file| check::im(&file.im, &mut findings));
    finish(im, findings)
}

fn finish<T>(value: Option<T>, findings: Findings) -> Result<T, ConfigError> {
    match value {
        Some(value) if findings.problems.is_empty() => Ok(value),
        _ => Err(ConfigError(findings.problems)),
    }
}

/// From the bytes of the file to its typed form; `None` when a problem was found on the way.
fn read(
    path: &Path,
    environment: impl Iterator<Item = (OsString, OsString)>,
    findings: &mut Findings,
) -> Option<file::File> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let hint =
                "name a readable file with --config; `tsunagi config example` prints one to begin with";
            findings.add("", format!("cannot be read: {error}"), hint);
            return None;
        }
    };
    let mut tree = match text.parse::<toml::Table>() {
        Ok(tree) => tree,
        Err(error) => {
            // The parser's own report quotes the line, which may hold a secret.
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            findings.add(
                "",
                format!("line {line} is not valid TOML: {}", error.message()),
                "texts need quotes",
            );
            return None;
        }
    };
    environment::overlay(&mut tree, environment, findings);
    keys::check(&tree, findings);
    if !findings.problems.is_empty() {
        return None;
    }
    secret_files::read(&mut tree, findings);
    match toml::Value::Table(tree).try_into() {
        Ok(file) => Some(file),
        Err(error) => {
            findings.add("", error.message(), "compare with `tsunagi config example`");
            None
        }
    }
}
