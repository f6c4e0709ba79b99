//! The configuration file as it is written: every key, its type and its default, before anything is checked.
//!
//! [`shape`] serialises these defaults; the check for unknown keys, the overlay of environment variables and
//! the test of `example.toml` all read the keys from there, so that a key is declared in this file alone.

use serde::{Deserialize, Serialize};

/// Keys that hold a secret. Each has a twin `…_file`, which names a file that holds the value instead.
pub(super) const SECRETS: [(&str, &str); 9] = [
    ("store", "url"),
    ("im", "secret_key"),
    ("im", "callback_token"),
    ("im", "callback_secret"),
    ("account", "app_secret"),
    ("account", "token"),
    ("account", "previous_token"),
    ("account", "encoding_aes_key"),
    ("account", "previous_encoding_aes_key"),
];

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) im: Im,
    pub(super) log: Log,
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
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: "127.0.0.1:9090".to_owned(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            shutdown_timeout: 25,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) media: String,
    pub(super) lease: i64,
}

impl Default for Store {
    fn default() -> Store {
        Store { url: "sqlite:tsunagi.db".to_owned(), media: "file:media".to_owned(), lease: 30 }
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
    pub(super) on_unsubscribe: String,
    pub(super) base_url: String,
    pub(super) language: String,
    pub(super) agents: Vec<String>,
    /// `None`: the default text of the account's language. Empty: no reply.
    pub(super) welcome: Option<String>,
    pub(super) waiting: Option<String>,
    pub(super) away: Option<String>,
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
            on_unsubscribe: "delete".to_owned(),
            base_url: "https://api.weixin.qq.com".to_owned(),
            language: "zh".to_owned(),
            agents: Vec::new(),
            welcome: None,
            waiting: None,
            away: None,
        }
    }
}

/// What a key may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Flag,
    List,
}

impl Kind {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Kind::Text => "a text in quotes",
            Kind::Integer => "a whole number",
            Kind::Flag => "true or false",
            Kind::List => "a list of texts, such as [\"one\", \"two\"]",
        }
    }

    pub(super) fn fits(self, value: &toml::Value) -> bool {
        match self {
            Kind::Text => value.is_str(),
            Kind::Integer => value.is_integer(),
            Kind::Flag => value.is_bool(),
            Kind::List => value.as_array().is_some_and(|items| items.iter().all(toml::Value::is_str)),
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
        toml::Value::Boolean(_) => Kind::Flag,
        toml::Value::Array(_) => Kind::List,
        _ => Kind::Text,
    }
}
