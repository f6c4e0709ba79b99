//! The simulated Tencent Cloud IM: accounts, messages, REST commands, webhooks.
//!
//! `api.rs` checks a REST call and hands it to a command (`accounts.rs`, `sendmsg.rs`, `history.rs`); `deliver.rs` is
//! the way of one message, REST or client, through the Before webhook into the chats and out through the After webhook
//! (`callbacks.rs`). `chats.rs` does the rest to chats, `groups.rs` and `profile.rs` what they say. `agents.rs` is what an agent's client would do. Numbers (§) are those of `protocol/tencent-im.md`.

mod accounts;
pub(crate) mod agents;
mod api;
pub(crate) mod callbacks;
mod chats;
mod deliver;
pub(crate) mod files;
pub(crate) mod groups;
mod history;
mod profile;
mod rate;
mod sendmsg;
mod usersig;

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    pub(crate) files: files::Files,
    /// Where this cloud itself is: the addresses of uploaded files begin with it.
    base_url: String,
    groups: groups::Groups,
    /// The minute, and how many recipients `batchsendmsg` had in it.
    batched: (i64, usize),
}

/// One UserID.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Account {
    pub(crate) nick: String,
    pub(crate) face_url: String,
    /// Whether a client is logged in.
    pub(crate) online: bool,
    /// The platforms of its clients.
    pub(crate) platforms: BTreeSet<String>,
    /// A mobile client that is not running, but that a push reaches.
    pub(crate) push: bool,
    /// Profile fields besides nickname and avatar.
    pub(crate) profile: BTreeMap<String, Value>,
    /// UserSigs made before this second do not log in any more (`kick`).
    #[serde(skip)]
    kicked_at: Option<i64>,
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
    /// Taken back by somebody: still in the history, with a flag.
    pub(crate) recalled: bool,
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
    pub(crate) fn new(config: ImConfig, now_ms: i64, base_url: String) -> Im {
        let admins = config.admins.iter().map(|admin| (admin.clone(), Account::default())).collect();
        let buckets = Buckets::new(config.rate, now_ms);
        Im {
            config,
            accounts: admins,
            deleted: BTreeMap::new(),
            messages: Vec::new(),
            sent: HashMap::new(),
            buckets,
            files: files::Files::default(),
            base_url,
            groups: BTreeMap::new(),
            batched: (0, 0),
        }
    }

    /// Where this cloud itself is.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
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
        let stored = |m: &Message| m.to == user && !m.online_only && !m.recalled && m.seen_by_to;
        self.messages.iter().enumerate().filter(|(n, m)| stored(m) && unread(*n, m)).count()
    }

    /// Unread messages of one user in one chat.
    fn unread_from(&self, user: &str, peer: &str) -> usize {
        let read = self.accounts.get(user).and_then(|account| account.read_up_to.get(peer)).copied();
        let chat = self.chat(user, peer).filter(|(_, m)| m.from == peer && !m.online_only && !m.recalled);
        chat.filter(|(n, _)| *n >= read.unwrap_or(0)).count()
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
        10004 => "invalid parameter",
        10007 => "no permission",
        10010 => "group not exist",
        10016 => "rejected by callback",
        10019 => "account not exist",
        10021 => "group id has been used",
        10025 => "group id has been used by yourself",
        20006 => "rejected by callback",
        20016 => "message recall time limit exceeded",
        20022 => "message not exist",
        20023 => "message has been recalled",
        40003 => "Err_Profile_Comm_Account_Not_Exist",
        40009 => "Err_Profile_Comm_Tag_Not_Exist",
        40601 => "Err_Profile_Comm_Value_Too_Long",
        40605 => "Err_Profile_Comm_Value_Invalid",
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
        80001 => "file is empty",
        80003 => "callback failed",
        90001 => "Fail to Parse json data of body, Please check it",
        90002 => "MsgBody format error",
        90003 => "To_Account invalid",
        90005 => "MsgRandom invalid",
        90011 => "too many To_Account",
        90012 => "invalid To_Account",
        90028 => "To_Account is not an array",
        90029 => "To_Account is empty",
        90030 => "SyncFromOldSystem invalid",
        90054 => "MsgKey invalid",
        90057 => "batch message rate exceeded",
        93000 => "JSON packet too long",
        _ => "error",
    }
}
