//! The configuration file as it is written: every key, its type and its default, before anything is checked.
//!
//! [`shape`] serialises these defaults; the check for unknown keys, the overlay of environment variables and
//! the test of `example.toml` all read the keys from there, so that a key is declared in this file alone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys that hold a secret. Each has a twin `…_file`, which names a file that holds the value instead.
pub(super) const SECRETS: [(&str, &str); 10] = [
    ("store", "url"),
    ("media", "s3_secret_key"),
    ("im", "secret_key"),
    ("im", "callback_token"),
    ("im", "callback_secret"),
    ("account", "app_secret"),
    ("account", "token"),
    ("account", "previous_token"),
    ("account", "encoding_aes_key"),
    ("account", "previous_encoding_aes_key"),
];

/// The least and the most that a whole number may be, and what it counts. Read by the check of the file and by its
/// reference alike.
pub(super) struct Range {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) least: i64,
    pub(super) most: i64,
    pub(super) unit: &'static str,
}

const fn range(section: &'static str, key: &'static str, least: i64, most: i64, unit: &'static str) -> Range {
    Range { section, key, least, most, unit }
}

/// Every whole number of the file.
pub(super) const RANGES: &[Range] = &[
    range("server", "shutdown_timeout", 0, 3_600, "seconds"),
    range("server", "connections", 1, 1_000_000, "connections"),
    range("server", "header_timeout", 1, 300, "seconds"),
    // hyper takes no smaller buffer.
    range("server", "header_bytes", 8_192, 1_048_576, "bytes"),
    range("server", "body_timeout", 1, 60, "seconds"),
    // More than a mebibyte the protocols' own readers refuse.
    range("server", "body_bytes", 16_384, 1_048_576, "bytes"),
    range("server", "request_timeout", 1, 300, "seconds"),
    range("store", "lease", 1, 300, "seconds"),
    range("store", "connections", 2, 1_000, "connections"),
    range("store", "ingest_queue", 1, 1_000_000, "webhooks"),
    range("store", "spool_from", 0, 256, "webhooks"),
    range("store", "ingest_timeout", 1, 60, "seconds"),
    range("store", "purge_rows", 1, 10_000, "rows"),
    range("store", "purge_pause_ms", 1, 60_000, "milliseconds"),
    range("media", "max_bytes", 1_048_576, 1_073_741_824, "bytes"),
    range("media", "fetch_timeout", 1, 300, "seconds"),
    range("media", "fetch_patience", 1, 3_600, "seconds"),
    range("media", "link_lifetime", 0, 315_360_000, "seconds"),
    range("media", "downloads", 1, 100_000, "downloads"),
    range("media", "s3_timeout", 1, 300, "seconds"),
    range("im", "sdk_app_id", 1, i64::MAX, ""),
    range("im", "rate", 1, 1_000_000, "calls per second"),
    range("im", "signature_window", 0, 4_294_967_295, "seconds"),
    range("calls", "connect_timeout", 1, 60, "seconds"),
    range("calls", "timeout", 1, 120, "seconds"),
    range("jobs", "lanes", 0, 10_000, "conversations"),
    range("jobs", "poll_ms", 10, 60_000, "milliseconds"),
    range("jobs", "relay_patience", 60, 604_800, "seconds"),
    range("jobs", "answer_patience", 60, 604_800, "seconds"),
    range("desk", "conversation_idle", 60, 31_536_000, "seconds"),
    range("desk", "agent_grace", 0, 86_400, "seconds"),
    range("desk", "agent_poll", 1, 240, "seconds"),
    range("desk", "reconcile_every", 1, 3_600, "seconds"),
    // Beyond a day the keys of webhooks may be gone by which a message is known.
    range("desk", "reconcile_max_age", 60, 86_400, "seconds"),
    range("windows", "message_replies", 0, 1_000, "messages"),
    range("windows", "message_seconds", 0, 31_536_000, "seconds"),
    range("windows", "menu_replies", 0, 1_000, "messages"),
    range("windows", "menu_seconds", 0, 31_536_000, "seconds"),
    range("windows", "follow_replies", 0, 1_000, "messages"),
    range("windows", "follow_seconds", 0, 31_536_000, "seconds"),
    range("windows", "scan_replies", 0, 1_000, "messages"),
    range("windows", "scan_seconds", 0, 31_536_000, "seconds"),
    range("windows", "warn_before", 0, 172_800, "seconds"),
    range("account", "signature_window", 0, 4_294_967_295, "seconds"),
    // WeChat's three attempts take 15 seconds, of which the last needs a part to be answered.
    range("account", "passive_hold", 0, 14, "seconds"),
    range("account", "park_ttl", 60, 31_536_000, "seconds"),
    range("account", "retention_messages", 0, 36_500, "days"),
    range("account", "retention_inbox", 0, 36_500, "days"),
    range("account", "retention_attempts", 0, 36_500, "days"),
    range("account", "retention_media", 0, 36_500, "days"),
];

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) media: Media,
    pub(super) im: Im,
    pub(super) calls: Calls,
    pub(super) jobs: Jobs,
    pub(super) desk: Desk,
    pub(super) windows: Windows,
    pub(super) log: Log,
    pub(super) trace: Trace,
    pub(super) account: Vec<Account>,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub(super) listen: String,
    pub(super) admin_listen: String,
    pub(super) public_url: String,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) shutdown_timeout: i64,
    pub(super) connections: i64,
    pub(super) header_timeout: i64,
    pub(super) header_bytes: i64,
    pub(super) keep_alive: bool,
    pub(super) body_timeout: i64,
    pub(super) body_bytes: i64,
    pub(super) request_timeout: i64,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: "127.0.0.1:9090".to_owned(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            shutdown_timeout: 25,
            connections: 4_096,
            header_timeout: 30,
            header_bytes: 16_384,
            keep_alive: true,
            body_timeout: 3,
            body_bytes: 1_048_576,
            request_timeout: 10,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) media: String,
    pub(super) lease: i64,
    pub(super) connections: i64,
    pub(super) ingest_queue: i64,
    pub(super) spool_from: i64,
    pub(super) ingest_timeout: i64,
    pub(super) purge_rows: i64,
    pub(super) purge_pause_ms: i64,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            url: "sqlite:tsunagi.db".to_owned(),
            media: "file:media".to_owned(),
            lease: 30,
            connections: 8,
            ingest_queue: 8_192,
            spool_from: 16,
            ingest_timeout: 3,
            purge_rows: 200,
            purge_pause_ms: 100,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Media {
    pub(super) max_bytes: i64,
    pub(super) fetch_timeout: i64,
    pub(super) fetch_patience: i64,
    pub(super) private_networks: Vec<String>,
    pub(super) link_lifetime: i64,
    pub(super) downloads: i64,
    pub(super) ffmpeg: String,
    pub(super) s3_endpoint: String,
    pub(super) s3_region: String,
    pub(super) s3_access_key: String,
    pub(super) s3_secret_key: String,
    pub(super) s3_path_style: bool,
    pub(super) s3_timeout: i64,
}

impl Default for Media {
    fn default() -> Media {
        Media {
            max_bytes: 104_857_600,
            fetch_timeout: 20,
            fetch_patience: 60,
            private_networks: Vec::new(),
            link_lifetime: 0,
            downloads: 256,
            ffmpeg: "ffmpeg".to_owned(),
            s3_endpoint: String::new(),
            s3_region: "us-east-1".to_owned(),
            s3_access_key: String::new(),
            s3_secret_key: String::new(),
            s3_path_style: true,
            s3_timeout: 30,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Im {
    pub(super) sdk_app_id: i64,
    pub(super) secret_key: String,
    pub(super) admin: String,
    pub(super) base_url: String,
    pub(super) rate: i64,
    pub(super) callback_token: String,
    pub(super) callback_unsigned: bool,
    pub(super) callback_secret: String,
    pub(super) signature_window: i64,
}

impl Default for Im {
    fn default() -> Im {
        Im {
            sdk_app_id: 0,
            secret_key: String::new(),
            admin: "administrator".to_owned(),
            base_url: "https://console.tim.qq.com".to_owned(),
            rate: 100,
            callback_token: String::new(),
            callback_unsigned: false,
            callback_secret: String::new(),
            signature_window: 300,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Calls {
    pub(super) connect_timeout: i64,
    pub(super) timeout: i64,
}

impl Default for Calls {
    fn default() -> Calls {
        Calls { connect_timeout: 3, timeout: 8 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Jobs {
    pub(super) lanes: i64,
    pub(super) poll_ms: i64,
    pub(super) relay_patience: i64,
    pub(super) answer_patience: i64,
}

impl Default for Jobs {
    fn default() -> Jobs {
        Jobs { lanes: 64, poll_ms: 100, relay_patience: 86_400, answer_patience: 86_400 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Desk {
    pub(super) conversation_idle: i64,
    pub(super) agent_grace: i64,
    pub(super) agent_poll: i64,
    pub(super) reconcile_every: i64,
    pub(super) reconcile_max_age: i64,
}

impl Default for Desk {
    fn default() -> Desk {
        Desk {
            conversation_idle: 172_800,
            agent_grace: 300,
            agent_poll: 30,
            reconcile_every: 300,
            reconcile_max_age: 7_200,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Windows {
    pub(super) message_replies: i64,
    pub(super) message_seconds: i64,
    pub(super) menu_replies: i64,
    pub(super) menu_seconds: i64,
    pub(super) follow_replies: i64,
    pub(super) follow_seconds: i64,
    pub(super) scan_replies: i64,
    pub(super) scan_seconds: i64,
    pub(super) warn_before: i64,
}

impl Default for Windows {
    fn default() -> Windows {
        Windows {
            message_replies: 5,
            message_seconds: 172_800,
            menu_replies: 3,
            menu_seconds: 60,
            follow_replies: 3,
            follow_seconds: 60,
            scan_replies: 3,
            scan_seconds: 60,
            warn_before: 7_200,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
}

impl Default for Log {
    fn default() -> Log {
        Log { format: "json".to_owned(), level: "info".to_owned() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Trace {
    pub(super) endpoint: String,
    pub(super) sample: f64,
}

impl Default for Trace {
    fn default() -> Trace {
        Trace { endpoint: String::new(), sample: 1.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) app_id: String,
    pub(super) app_secret: String,
    pub(super) token: String,
    pub(super) previous_token: String,
    pub(super) encoding_aes_key: String,
    pub(super) previous_encoding_aes_key: String,
    pub(super) require_encryption: bool,
    pub(super) signature_window: i64,
    pub(super) reply: String,
    pub(super) passive_hold: i64,
    pub(super) park: bool,
    pub(super) park_ttl: i64,
    pub(super) on_unsubscribe: String,
    pub(super) base_url: String,
    pub(super) language: String,
    pub(super) agents: Vec<String>,
    pub(super) callback_ips: bool,
    pub(super) retention_messages: i64,
    pub(super) retention_inbox: i64,
    pub(super) retention_attempts: i64,
    pub(super) retention_media: i64,
    /// `None`: the default text of the account's language. Empty: no reply.
    pub(super) welcome: Option<String>,
    pub(super) waiting: Option<String>,
    pub(super) away: Option<String>,
    pub(super) greetings: BTreeMap<String, String>,
    pub(super) call_keys: Vec<String>,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            id: String::new(),
            app_id: String::new(),
            app_secret: String::new(),
            token: String::new(),
            previous_token: String::new(),
            encoding_aes_key: String::new(),
            previous_encoding_aes_key: String::new(),
            require_encryption: true,
            signature_window: 300,
            reply: "customer-service".to_owned(),
            passive_hold: 0,
            park: false,
            park_ttl: 604_800,
            on_unsubscribe: "delete".to_owned(),
            base_url: "https://api.weixin.qq.com".to_owned(),
            language: "zh".to_owned(),
            agents: Vec::new(),
            callback_ips: false,
            retention_messages: 180,
            retention_inbox: 7,
            retention_attempts: 30,
            retention_media: 30,
            welcome: None,
            waiting: None,
            away: None,
            greetings: BTreeMap::new(),
            call_keys: Vec::new(),
        }
    }
}

impl Account {
    pub(super) fn retention(&self) -> super::Retention {
        let days = |days: i64| u64::try_from(days).unwrap_or(0);
        super::Retention {
            messages: days(self.retention_messages),
            inbox: days(self.retention_inbox),
            attempts: days(self.retention_attempts),
            media: days(self.retention_media),
        }
    }
}

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Flag,
    List,
    Table,
}

impl Kind {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Text => "a text in quotes",
            Kind::Integer => "a whole number",
            Kind::Number => "a number, such as 0.1",
            Kind::Flag => "true or false",
            Kind::List => "a list of texts, such as [\"one\", \"two\"]",
            Kind::Table => "a table of texts, such as { one = \"1\", two = \"2\" }",
        }
    }

    pub(super) fn fits(self, value: &toml::Value) -> bool {
        match self {
            Kind::Text => value.is_str(),
            Kind::Integer => value.is_integer(),
            Kind::Number => value.is_float() || value.is_integer(),
            Kind::Flag => value.is_bool(),
            Kind::List => value.as_array().is_some_and(|items| items.iter().all(toml::Value::is_str)),
            Kind::Table => value.as_table().is_some_and(|table| table.values().all(toml::Value::is_str)),
        }
    }
}

/// Every section with every key that it may hold, the `…_file` twins included.
pub(super) fn shape() -> Vec<(String, Vec<(String, Kind)>)> {
    let text = || Some(String::new());
    let account = Account { welcome: text(), waiting: text(), away: text(), ..Account::default() };
    let defaults = File { account: vec![account], ..File::default() };
    let table = toml::Table::try_from(&defaults).unwrap_or_default();
    table.iter().map(|(section, content)| (section.clone(), keys(section, content))).collect()
}

fn keys(section: &str, content: &toml::Value) -> Vec<(String, Kind)> {
    let table = match content {
        toml::Value::Table(table) => Some(table),
        toml::Value::Array(accounts) => accounts.first().and_then(toml::Value::as_table),
        _ => None,
    };
    let mut keys: Vec<(String, Kind)> =
        table.into_iter().flatten().map(|(key, value)| (key.clone(), kind_of(value))).collect();
    let twins =
        SECRETS.iter().filter(|(of, _)| *of == section).map(|(_, key)| (format!("{key}_file"), Kind::Text));
    keys.extend(twins);
    keys
}

fn kind_of(default: &toml::Value) -> Kind {
    match default {
        toml::Value::Integer(_) => Kind::Integer,
        toml::Value::Float(_) => Kind::Number,
        toml::Value::Boolean(_) => Kind::Flag,
        toml::Value::Array(_) => Kind::List,
        toml::Value::Table(_) => Kind::Table,
        _ => Kind::Text,
    }
}
