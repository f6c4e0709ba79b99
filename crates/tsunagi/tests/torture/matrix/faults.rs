//! How the clouds are told to do what a column says to the call that a row is about.

use super::table::{Condition, Operation};
use sim::{Fault, Kind};

/// What stands where JSON is expected, and is a portal's page.
const PAGE: &str =
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
/// The beginning of a refusal.
const BROKEN: &str = "{\"errcode\":-1,\"errmsg\":\"system er";

/// The names of the simulator's calls that a row is about.
pub(super) fn targets(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Token => &["wechat.token"],
        Operation::CustomSend => &["wechat.custom_send"],
        Operation::MediaUp => &["wechat.media_upload"],
        Operation::MediaGet => &["wechat.media_get", "wechat.download"],
        Operation::SendMsg => &["im.sendmsg"],
        Operation::Import => &["im.account_import"],
        Operation::Delete => &["im.account_delete"],
        Operation::History => &["im.history"],
    }
}

/// Whether the whole cloud's port is closed, open connections and all.
pub(super) fn closes_the_door(condition: Condition) -> bool {
    matches!(condition, Condition::Refused | Condition::ConnectHangs)
}

/// The faults of a cell, for so many milliseconds.
pub(super) fn faults(operation: Operation, condition: Condition, for_ms: u64) -> Vec<Fault> {
    let targets = targets(operation);
    let targets = if closes_the_door(condition) { &targets[..1] } else { targets };
    targets.iter().map(|target| fault(target, operation, condition, for_ms)).collect()
}

fn fault(target: &str, operation: Operation, condition: Condition, for_ms: u64) -> Fault {
    let of = |kind| Fault::lasting(target, kind, for_ms);
    let status = |status: u16| of(Kind::Status).value(status).done(condition.is_carried_out());
    let code = |wechat: i64, im: i64| match target {
        // A file's address knows no codes.
        "wechat.download" => status(503),
        _ => of(Kind::Errcode).value(if target.starts_with("wechat") { wechat } else { im }),
    };
    match condition {
        Condition::Refused => of(Kind::Refuse),
        Condition::ConnectHangs => of(Kind::ConnectHang),
        Condition::Silent => of(Kind::Hang),
        Condition::OneByte => of(Kind::Drip).value(1),
        Condition::ResetBefore => of(Kind::ResetBefore),
        Condition::ResetInside => of(Kind::ResetInside),
        Condition::ResetAfter => of(Kind::ResetAfter),
        Condition::Http429 => status(429),
        Condition::Http500 => status(500),
        Condition::Http502 => status(502),
        Condition::Http503 => status(503),
        Condition::Http504 => status(504),
        Condition::Html => of(Kind::Body).value(PAGE),
        // Half of a file is no JSON.
        Condition::Truncated if operation == Operation::MediaGet => of(Kind::Body).value(BROKEN),
        Condition::Truncated => of(Kind::Truncated),
        Condition::Flood => of(Kind::Flood),
        Condition::Busy => code(-1, 91000),
        Condition::TokenInvalid => code(40001, 70001),
        Condition::RateLimit => code(45011, 60007),
        Condition::Quota => code(45009, 60028),
        Condition::Late => of(Kind::DelayAnswer).value(4_900),
    }
}
