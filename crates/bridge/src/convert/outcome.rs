//! How a call ended, in the rules' words.

use desk::codes::{im_reason, wechat_reason};
use desk::{Reason, Tried};

/// How a call ended, and a code for the attempt's row.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) tried: Tried,
    pub(crate) detail: String,
}

/// Whether WeChat answered a call, if only by refusing it; what never went to it says nothing.
pub(crate) fn wechat_answers<T>(result: &Result<T, wechat::CallError>) -> bool {
    use wechat::{CallError, Fault};
    match result {
        Ok(_) | Err(CallError::Refused(_)) => true,
        Err(CallError::NotSent(fault) | CallError::Unclear(fault)) => {
            matches!(fault, Fault::Limit(_) | Fault::Address | Fault::TooLarge)
        }
    }
}

/// Whether IM answered a call, if only by refusing it; what never went to it says nothing.
pub(crate) fn im_answers<T>(result: &Result<T, im::CallError>) -> bool {
    use im::{CallError, Fault};
    match result {
        Ok(_) | Err(CallError::Refused(_)) => true,
        Err(CallError::NotSent(fault) | CallError::Unclear(fault)) => {
            matches!(fault, Fault::Request(_) | Fault::TooLarge)
        }
    }
}

/// The end of a call to WeChat.
pub(crate) fn wechat_outcome<T>(result: &Result<T, wechat::CallError>) -> Told {
    let error = match result {
        Ok(_) => return Told { tried: Tried::Done, detail: "0".into() },
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
            let reason = wechat_reason(errcode.code);
            let tried = match wechat::verdict(errcode.code) {
                wechat::Verdict::Retry => Tried::Busy,
                wechat::Verdict::Slow => Tried::TooFast,
                wechat::Verdict::Token | wechat::Verdict::Config => Tried::Setup(reason),
                wechat::Verdict::Park if reason == Reason::QuotaUsedUp => Tried::Setup(reason),
                _ => Tried::Never(reason),
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
                // A signature that is refused although it was just renewed: no account is missing.
                im::Verdict::Fix if im_reason(code.code) == Reason::ImKey => Tried::Setup(Reason::ImKey),
                im::Verdict::Fix => Tried::Missing,
                im::Verdict::Config => Tried::Setup(im_reason(code.code)),
                im::Verdict::Drop | im::Verdict::Bug => Tried::Never(im_reason(code.code)),
            };
            Told { tried, detail: code.code.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that say nothing about a message: done already, of no consequence, or about recalls.
    const NO_REASON: [&[i64]; 2] = [
        &[0, 45065, 45072, 45080, 45081, 76001, 76002, 76003, 76004, 76021, 76022],
        &[0, 10013, 10021, 10025, 10030, 10031, 10032, 10033, 20016, 20022, 20023, 90054],
    ];

    #[test]
    fn every_code_of_both_references_has_a_reason_of_its_own() {
        let (wechat, im): (Vec<i64>, Vec<i64>) =
            (wechat::known_codes().collect(), im::known_codes().collect());
        assert!(wechat.len() > 90 && im.len() > 90);
        let nameless = |codes: &[i64], reason: fn(i64) -> Reason| -> Vec<i64> {
            codes.iter().copied().filter(|code| reason(*code) == Reason::Refused).collect()
        };
        assert_eq!(nameless(&wechat, wechat_reason), NO_REASON[0]);
        assert_eq!(nameless(&im, im_reason), NO_REASON[1]);
    }

    fn refused(code: i64) -> Tried {
        wechat_outcome::<()>(&Err(wechat::CallError::Refused(wechat::Errcode {
            code,
            message: String::new(),
        })))
        .tried
    }

    #[test]
    fn f50_a_refused_signature_is_no_missing_account() {
        let refused = |code| {
            let error = im::CallError::Refused(im::ErrorCode { code, info: String::new() });
            im_outcome::<()>(&Err(error)).tried
        };
        for code in [20002, 70001, 70003, 70052] {
            assert_eq!(refused(code), Tried::Setup(Reason::ImKey), "{code}");
        }
        assert_eq!(refused(90012), Tried::Missing);
    }

    #[test]
    fn f36_what_a_person_has_to_mend_waits_and_what_cannot_be_delivered_ends() {
        for (code, expected) in [
            (40164, Tried::Setup(Reason::IpNotListed)),
            (45009, Tried::Setup(Reason::QuotaUsedUp)),
            (48001, Tried::Setup(Reason::NoPermission)),
            (40001, Tried::Setup(Reason::TokenRefused)),
            (45011, Tried::TooFast),
            (-1, Tried::Busy),
            (45015, Tried::Never(Reason::WindowClosed)),
            (45047, Tried::Never(Reason::CountUsedUp)),
            (45002, Tried::Never(Reason::TooLong)),
            (44004, Tried::Never(Reason::Empty)),
            (40003, Tried::Never(Reason::UnknownCustomer)),
        ] {
            assert_eq!(refused(code), expected, "{code}");
        }
    }
}
