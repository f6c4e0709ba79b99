//! `POST /cgi-bin/openapi/rid/get`: what a refused call was (§6.3). Kept for seven days, the newest thousand.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Refused};

const KEPT: usize = 1000;
const LIFE_S: i64 = 7 * 86_400;

/// A call that was refused.
#[derive(Debug)]
pub(crate) struct Record {
    pub(super) rid: String,
    pub(super) app_id: String,
    pub(super) at_s: i64,
    /// What `rid/get` answers as `request`.
    pub(super) request: Value,
}

/// The newest refused calls of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Rids(VecDeque<Record>);

impl Rids {
    pub(super) fn keep(&mut self, record: Record) {
        self.0.push_back(record);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    rid: String,
}

pub(super) fn get(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Asked { rid } = call.json()?;
    let groups: Vec<&str> = rid.split('-').collect();
    let is_group = |group: &&str| group.len() == 8 && group.bytes().all(|b| b.is_ascii_hexdigit());
    if groups.len() != 3 || !groups.iter().all(is_group) {
        return Err(Refused(76002));
    }
    let now_s = call.world.clock.now_s();
    let wechat = call.world.wechat();
    let record = wechat.rids.0.iter().find(|record| record.rid == rid).ok_or(Refused(76001))?;
    if record.app_id != app_id {
        return Err(Refused(76003));
    }
    if now_s - record.at_s > LIFE_S {
        return Err(Refused(76004));
    }
    Ok(Answer::Json(json!({"errcode": 0, "errmsg": "ok", "request": record.request})))
}
