//! The simulated Tencent Cloud IM: accounts, messages, REST commands, webhooks.
//!
//! `api.rs` checks a REST call and hands it to a command (`accounts.rs`, `sendmsg.rs`, `history.rs`); `deliver.rs` is
//! the way of one message, REST or client, through the Before webhook into the chats and out through the After webhook
//! (`callbacks.rs`). `agents.rs` is what an agent's client would do. Numbers (§) are those of `protocol/tencent-im.md`.

mod accounts;
pub(crate) mod agents;
mod api;
pub(crate) mod callbacks;
mod deliver;
mod history;
mod rate;
mod sendmsg;
mod usersig;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use api::router;

use crate::config::ImConfig;
use rate::Buckets;

/// One IM app.
pub(crate) struct Im {
    pub(crate) config: ImConfig,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Deleted UserIDs and when, in milliseconds.
    deleted: BTreeMap<String, i64>,
    /// In the order of their arrival.
    messages: Vec<Message>,
    /// The MsgKey of what was sent by (from, to, seq, random, second).
    sent: HashMap<(String, String, u32, u32, i64), String>,
    buckets: Buckets,
}

/// One UserID.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Account {
    pub(crate) nick: String,
    pub(crate) face_url: String,
    /// Whether a client is logged in.
    pub(crate) online: bool,
    /// When this account last read each chat, by peer, as a position in `Im::messages`.
    #[serde(skip)]
    read_up_to: BTreeMap<String, usize>,
}

/// One delivered message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) seq: u32,
    pub(crate) random: u32,
    /// Seconds.
    pub(crate) time: i64,
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) cloud_custom_data: Option<String>,
    pub(crate) online_only: bool,
    /// Whether the two parties' histories have it (`SyncOtherMachine` 2, deletion of an account).
    seen_by_from: bool,
    seen_by_to: bool,
}

/// A refusal: error code and `ErrorInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: i64,
    pub(crate) info: String,
}

impl Refused {
    pub(crate) fn new(code: i64) -> Refused {
        Refused { code, info: words(code).to_owned() }
    }
}

impl Im {
    pub(crate) fn new(config: ImConfig, now_ms: i64) -> Im {
        let admins = config.admins.iter().map(|admin| (admin.clone(), Account::default())).collect();
        let buckets = Buckets::new(config.rate, now_ms);
        Im {
            config,
            accounts: admins,
            deleted: BTreeMap::new(),
            messages: Vec::new(),
            sent: HashMap::new(),
            buckets,
        }
    }

    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.config.rate = rate;
        self.buckets.set_rate(rate);
    }

    /// Stored messages of one party's chat with a peer, with their positions.
    fn chat<'a>(&'a self, user: &'a str, peer: &'a str) -> impl Iterator<Item = (usize, &'a Message)> {
        self.messages.iter().enumerate().filter(move |(_, m)| {
            (m.from == user && m.to == peer && m.seen_by_from)
                || (m.from == peer && m.to == user && m.seen_by_to)
        })
    }

    /// Unread messages of one user over all chats.
    fn unread(&self, user: &str) -> usize {
        let read = self.accounts.get(user).map(|account| &account.read_up_to);
        let unread =
            |n: usize, m: &Message| read.and_then(|r| r.get(&m.from)).is_none_or(|up_to| n >= *up_to);
        let stored = |m: &Message| m.to == user && !m.online_only && m.seen_by_to;
        self.messages.iter().enumerate().filter(|(n, m)| stored(m) && unread(*n, m)).count()
    }

    pub(crate) fn messages_of(&self, user: &str) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |m| m.from == user || m.to == user)
    }
}

impl Message {
    /// The words of its text elements, for people and for the journal.
    pub(crate) fn text(&self) -> String {
        body_text(&self.body)
    }
}

fn body_text(body: &Value) -> String {
    let elements = body.as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |element: &Value| match element["MsgContent"]["Text"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("[{}]", element["MsgType"].as_str().unwrap_or("?")),
    };
    elements.iter().map(word).collect::<Vec<_>>().join("\n")
}

/// `{"ActionStatus":"OK",…}`
pub(crate) fn ok() -> Value {
    json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0})
}

pub(crate) fn fail(refused: &Refused) -> Value {
    json!({"ActionStatus": "FAIL", "ErrorInfo": refused.info, "ErrorCode": refused.code})
}

fn words(code: i64) -> &'static str {
    match code {
        20003 => "From_Account not exist",
        20006 => "rejected by callback",
        60003 => "http body is not json",
        60007 => "freq limit",
        60008 => "backend timeout",
        60009 => "invalid service or command",
        60010 => "identifier is not admin",
        60012 => "sdkappid missing",
        70001 => "UserSig expired",
        70002 => "UserSig empty",
        70003 => "UserSig invalid",
        70009 => "UserSig signature mismatch",
        70013 => "identifier mismatch",
        70014 => "sdkappid mismatch",
        70020 => "sdkappid not found",
        70107 => "Err_TLS_PT_Open_Login_Account_Not_Exist",
        70398 => "account count limit",
        70399 => "account deleted within three months",
        70402 => "illegal parameter",
        71000 => "account deletion not enabled",
        80003 => "callback failed",
        90001 => "Fail to Parse json data of body, Please check it",
        90002 => "MsgBody format error",
        90003 => "To_Account invalid",
        90005 => "MsgRandom invalid",
        90012 => "invalid To_Account",
        93000 => "JSON packet too long",
        _ => "error",
    }
}
