//! Windows of failure: which call goes wrong next, how, and how often.
//!
//! A fault has a target, a kind and a limit (a number of calls, or a time in real milliseconds). The first fault that
//! still applies wins. `serve.rs` acts on them for calls that arrive, `wechat/push.rs` and `im/callbacks.rs` for calls
//! that leave.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a fault may be set on. `wechat` and `im` stand for every API call of that cloud; `im.client` is what agents'
/// clients send.
pub const TARGETS: &[&str] = &[
    "wechat",
    "wechat.token",
    "wechat.callback_ip",
    "wechat.api_ip",
    "wechat.callback_check",
    "wechat.clear_quota",
    "wechat.quota",
    "wechat.rid",
    "wechat.custom_send",
    "wechat.typing",
    "wechat.user_get",
    "wechat.user_info",
    "wechat.user_batchget",
    "wechat.remark",
    "wechat.media_upload",
    "wechat.media_get",
    "wechat.media_get_jssdk",
    "wechat.media_uploadimg",
    "wechat.material",
    "wechat.download",
    "wechat.push",
    "im",
    "im.account_import",
    "im.multiaccount_import",
    "im.account_delete",
    "im.account_check",
    "im.kick",
    "im.portrait_set",
    "im.portrait_get",
    "im.batchsendmsg",
    "im.importmsg",
    "im.recall",
    "im.set_read",
    "im.unread",
    "im.modify",
    "im.create_group",
    "im.add_group_member",
    "im.send_group_msg",
    "im.sendmsg",
    "im.history",
    "im.query_online_status",
    "im.download",
    "im.client",
    "im.callback",
    "im.callback_before",
    "im.callback_after",
];

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Connections are refused: the listening socket is closed for `for_ms`. (`wechat.push`, `im.callback`: not sent.)
    Refuse,
    /// Connections are neither made nor refused: the listening socket's queue is full for `for_ms`. (`wechat.push`,
    /// `im.callback`: not sent.)
    ConnectHang,
    /// The call is read and never answered.
    Hang,
    /// Carried out and answered after `value` milliseconds.
    Delay,
    /// Carried out at once, answered after `value` milliseconds.
    DelayAnswer,
    /// The connection is cut before the call is carried out.
    ResetBefore,
    /// The call is carried out, then the connection is cut without an answer.
    ResetAfter,
    /// The call is carried out; the connection is cut in the middle of the answer's body.
    ResetInside,
    /// Carried out; the headers come at once, the body at `value` bytes a second (1 when absent).
    Drip,
    /// HTTP 200 with `value` bytes (64 MiB when absent, 1 GiB at most) that are no JSON. Not carried out.
    Flood,
    /// HTTP status `value`, with a proxy's HTML page. Not carried out.
    Status,
    /// HTTP 200 with `value` as the raw body (empty text for an empty body). Not carried out.
    Body,
    /// Carried out; the answer breaks off in the middle of the JSON.
    Truncated,
    /// Refused with error code `value`. Not carried out.
    Errcode,
    /// `wechat.push`, `im.callback`: after a success the same call is made `value` more times (1 when absent).
    Duplicate,
    /// `wechat.push`: `value` (2 when absent) copies of one attempt are sent at the same moment.
    Overlap,
}

impl Kind {
    /// Whether a call that a cloud makes itself is not made.
    pub(crate) fn never_leaves(self) -> bool {
        matches!(
            self,
            Kind::Refuse
                | Kind::ConnectHang
                | Kind::ResetBefore
                | Kind::Status
                | Kind::Body
                | Kind::Flood
                | Kind::Errcode
        )
    }
}

/// One fault, as a control endpoint gets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// One of [`TARGETS`].
    pub target: String,
    /// How it goes wrong.
    pub kind: Kind,
    /// Milliseconds, status, body, error code or number of copies, after `kind`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
    /// Whether the call is carried out, where the kind leaves that open (`status`, `body`, `errcode`, `flood`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<bool>,
    /// How many calls it hits. One, when neither limit is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// For how long it lasts, in milliseconds of real time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// How many calls are let through first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Fault {
    /// A fault that hits the next call only.
    pub fn once(target: &str, kind: Kind) -> Fault {
        Fault::times(target, kind, 1)
    }

    /// A fault that hits the next `count` calls.
    pub fn times(target: &str, kind: Kind, count: u32) -> Fault {
        Fault {
            target: target.to_owned(),
            kind,
            value: Value::Null,
            done: None,
            count: Some(count),
            for_ms: None,
            skip: 0,
        }
    }

    /// A fault that lasts `for_ms` milliseconds of real time.
    pub fn lasting(target: &str, kind: Kind, for_ms: u64) -> Fault {
        Fault { count: None, for_ms: Some(for_ms), ..Fault::once(target, kind) }
    }

    /// The same with a value.
    pub fn value(mut self, value: impl Into<Value>) -> Fault {
        self.value = value.into();
        self
    }

    /// The same, but the call is carried out (or not) all the same.
    pub fn done(mut self, done: bool) -> Fault {
        self.done = Some(done);
        self
    }

    /// The same, but the first `skip` calls pass unharmed.
    pub fn after(mut self, skip: u32) -> Fault {
        self.skip = skip;
        self
    }

    pub(crate) fn number(&self, otherwise: u64) -> u64 {
        self.value.as_u64().unwrap_or(otherwise)
    }

    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.number(0))
    }

    /// Whether the call is carried out in spite of the fault.
    pub(crate) fn carried_out(&self) -> bool {
        self.done.unwrap_or(matches!(
            self.kind,
            Kind::Delay
                | Kind::DelayAnswer
                | Kind::ResetAfter
                | Kind::ResetInside
                | Kind::Drip
                | Kind::Truncated
                | Kind::Duplicate
                | Kind::Overlap
        ))
    }

    /// Whether it befalls the listening socket of a whole cloud.
    pub(crate) fn closes_the_door(&self) -> bool {
        let leaving = self.target == "wechat.push" || self.target.starts_with("im.callback");
        matches!(self.kind, Kind::Refuse | Kind::ConnectHang) && !leaving
    }

    /// What is wrong with the fault itself, if anything.
    pub(crate) fn complaint(&self) -> Option<String> {
        if !TARGETS.contains(&self.target.as_str()) {
            return Some(format!("unknown target {:?}; one of {}", self.target, TARGETS.join(", ")));
        }
        if self.count.is_some() && self.for_ms.is_some() {
            return Some("give count or for_ms, not both".into());
        }
        if self.closes_the_door() && self.for_ms.is_none() {
            return Some("refuse and connect_hang close the listening socket: give for_ms".into());
        }
        None
    }
}

struct Armed {
    fault: Fault,
    left: Option<u32>,
    until: Option<Instant>,
}

impl Armed {
    fn lives(&self) -> bool {
        self.left != Some(0) && self.until.is_none_or(|until| until > Instant::now())
    }
}

/// The faults that are set.
#[derive(Default)]
pub(crate) struct Faults {
    armed: Mutex<Vec<Armed>>,
}

impl Faults {
    pub(crate) fn set(&self, fault: Fault) {
        let until = fault.for_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let left = if until.is_some() { None } else { Some(fault.count.unwrap_or(1)) };
        self.armed().push(Armed { fault, left, until });
    }

    pub(crate) fn clear(&self) {
        self.armed().clear();
    }

    /// The faults still set.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.armed().iter().filter(|armed| armed.lives()).map(|armed| armed.fault.clone()).collect()
    }

    /// The fault that hits this call, if any; counts it.
    pub(crate) fn take(&self, target: &str) -> Option<Fault> {
        let mut armed = self.armed();
        armed.retain(Armed::lives);
        for a in armed.iter_mut().filter(|a| covers(&a.fault.target, target)) {
            if a.fault.skip > 0 {
                a.fault.skip -= 1;
                continue;
            }
            a.left = a.left.map(|left| left - 1);
            return Some(a.fault.clone());
        }
        None
    }

    fn armed(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn covers(set_on: &str, call: &str) -> bool {
    let own = call == "wechat.push" || call.starts_with("im.callback") || call == "im.client";
    set_on == call
        || (set_on == "im.callback" && call.starts_with("im.callback_"))
        || (!own && call.split('.').next() == Some(set_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_hits_so_many_calls_after_those_it_skips() {
        let faults = Faults::default();
        faults.set(Fault::times("im.sendmsg", Kind::Hang, 2).after(1));
        let hits: Vec<bool> = (0..5).map(|_| faults.take("im.sendmsg").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_window_ends_by_itself_and_a_cloud_covers_its_calls() {
        let faults = Faults::default();
        faults.set(Fault::lasting("im", Kind::Status, 30).value(502));
        assert!(faults.take("im.history").is_some());
        assert!(faults.take("im.callback_after").is_none(), "webhooks are not calls");
        assert!(faults.take("wechat.token").is_none());
        std::thread::sleep(Duration::from_millis(40));
        assert!(faults.take("im.history").is_none());
    }

    #[test]
    fn mistakes_in_a_fault_are_told() {
        assert!(Fault::once("im.sendmail", Kind::Hang).complaint().is_some());
        assert!(Fault::once("im.sendmsg", Kind::Refuse).complaint().is_some());
        assert!(Fault::lasting("im.sendmsg", Kind::Refuse, 50).complaint().is_none());
        assert!(Fault::once("im.sendmsg", Kind::ConnectHang).complaint().is_some());
        assert!(Fault::once("wechat.push", Kind::Refuse).complaint().is_none());
    }
}
