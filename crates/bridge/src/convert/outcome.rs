//! How a call ended, in the rules' words.

use desk::{Reason, Tried};

/// How a call ended, and a code for the attempt's row.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) tried: Tried,
    pub(crate) detail: String,
}

/// The end of a `custom/send`.
pub(crate) fn wechat_outcome(result: &Result<(), wechat::CallError>) -> Told {
    let error = match result {
        Ok(()) => return Told { tried: Tried::Done, detail: "0".into() },
        Err(error) => error,
    };
    match error {
        wechat::CallError::NotSent(fault) => {
            Told { tried: Tried::NotSent, detail: format!("not sent: {fault}") }
        }
        wechat::CallError::Unclear(fault) => {
            Told { tried: Tried::Unclear, detail: format!("unclear: {fault}") }
        }
        wechat::CallError::Refused(errcode) => {
            let tried = match (errcode.code, wechat::verdict(errcode.code)) {
                (45015, _) => Tried::Never(Reason::WindowClosed),
                (45047, _) => Tried::Never(Reason::CountUsedUp),
                (43004 | 50005, _) => Tried::Never(Reason::Unsubscribed),
                (43019 | 48002 | 50002 | 70000, _) => Tried::Never(Reason::CustomerRefuses),
                (44004, _) => Tried::Never(Reason::Empty),
                (_, wechat::Verdict::Retry) => Tried::Busy,
                (_, wechat::Verdict::Slow) => Tried::TooFast,
                (_, wechat::Verdict::Token | wechat::Verdict::Config | wechat::Verdict::Park) => Tried::Setup,
                (_, wechat::Verdict::Fix) => Tried::Never(Reason::Content),
                _ => Tried::Never(Reason::Refused),
            };
            Told { tried, detail: errcode.code.to_string() }
        }
    }
}

/// The end of a call to IM.
pub(crate) fn im_outcome<T>(result: &Result<T, im::CallError>) -> Told {
    let error = match result {
        Ok(_) => return Told { tried: Tried::Done, detail: "0".into() },
        Err(error) => error,
    };
    match error {
        im::CallError::NotSent(fault) => Told { tried: Tried::NotSent, detail: format!("not sent: {fault}") },
        im::CallError::Unclear(fault) => Told { tried: Tried::Unclear, detail: format!("unclear: {fault}") },
        im::CallError::Refused(code) => {
            let tried = match im::verdict(code.code) {
                im::Verdict::Ok => Tried::Done,
                im::Verdict::Retry => Tried::Busy,
                im::Verdict::Slow => Tried::TooFast,
                im::Verdict::Fix => Tried::Missing,
                im::Verdict::Config => Tried::Setup,
                im::Verdict::Drop => Tried::Never(Reason::Content),
                im::Verdict::Bug => Tried::Never(Reason::Refused),
            };
            Told { tried, detail: code.code.to_string() }
        }
    }
}
