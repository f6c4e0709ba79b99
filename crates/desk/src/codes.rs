//! Which error code of which cloud means which [`Reason`]. Whether to try again is not decided here but by the
//! clouds' own verdicts (`wechat::verdict`, `im::verdict`).
//!
//! Vendor pages: <https://developers.weixin.qq.com/doc/service/en/Getting_Started/Global_Return_Code.html>,
//! <https://www.tencentcloud.com/document/product/1047/34348>

use crate::Reason;

/// The reason behind an `errcode` of WeChat's `custom/send`. An unknown code is [`Reason::Refused`].
pub fn wechat_reason(code: i64) -> Reason {
    match code {
        -1 | 61450 | 268_487_001 | 268_487_002 => Reason::Busy,
        40001 | 40014 | 42001 => Reason::TokenRefused,
        40003 | 46004 => Reason::UnknownCustomer,
        40004 | 40005 | 41005 | 44001 | 61457 => Reason::MediaKind,
        40006 | 40009..=40012 | 45001 | 45007 => Reason::MediaTooLarge,
        40007 | 46001 => Reason::MediaGone,
        40002 | 40013 | 41002 => Reason::AppIdWrong,
        40125 | 41004 => Reason::SecretWrong,
        40243 => Reason::SecretFrozen,
        40164 | 45035 | 61004 => Reason::IpNotListed,
        89501..=89507 => Reason::IpUnconfirmed,
        40165 | 40166 | 45064 | 45086 => Reason::MiniProgram,
        40200 | 48001 | 48003 | 50001 => Reason::NoPermission,
        40201 => Reason::Setup,
        40033 | 40066 => Reason::Content,
        43004 | 50005 => Reason::Unsubscribed,
        43019 => Reason::Blacklisted,
        44002..=44004 => Reason::Empty,
        45002..=45006 | 45008 | 45098 | 45099 => Reason::TooLong,
        45009 | 48006 => Reason::QuotaUsedUp,
        45011 | 45066 => Reason::TooFast,
        45015 => Reason::WindowClosed,
        45047 => Reason::CountUsedUp,
        45087 | 48004 => Reason::Punished,
        48002 => Reason::CustomerRefuses,
        48008 => Reason::KindNotPermitted,
        48017 => Reason::RetiredServer,
        50002 => Reason::CustomerRestricted,
        61452..=61456 | 65400..=65417 => Reason::CustomerServiceOff,
        70000 => Reason::MinorProtected,
        // Of WeChat's content checks; not in the reference of `custom/send`.
        87014 => Reason::ContentBlocked,
        40008
        | 40029
        | 40032
        | 40035
        | 40038
        | 40097
        | 40202
        | 40163
        | 40203
        | 41001
        | 41011
        | 42003
        | 43001..=43003
        | 45067
        | 47001
        | 47002
        | 61451 => Reason::OwnMistake,
        _ => Reason::Refused,
    }
}

/// The reason behind an `errcode` of the call that asks for an access token. There 40001 means a wrong AppSecret.
pub fn wechat_token_reason(code: i64) -> Reason {
    match code {
        40001 => Reason::SecretWrong,
        other => match wechat_reason(other) {
            Reason::Refused | Reason::TokenRefused => Reason::Setup,
            reason => reason,
        },
    }
}

/// The reason behind an `ErrorCode` of IM. An unknown code is [`Reason::Refused`], or of the set-up where all its
/// neighbours are.
pub fn im_reason(code: i64) -> Reason {
    match code {
        10002 | 20004 | 20005 | 20018 | 20027 | 20028 | 40006 | 50004 | 50005 | 60004 | 60005 | 60008
        | 60013 | 60014 | 70169 | 70202 | 70500 | 90992 | 90994 | 90995 | 91000 => Reason::Busy,
        10006 | 10023 | 60007 | 60011 | 60018 | 60019 | 70050 | 90057 => Reason::TooFast,
        80002 | 90055 | 93000 | 40601 => Reason::TooLong,
        80001 | 80004 | 40005 => Reason::ContentBlocked,
        70398 => Reason::ImAccountsFull,
        70399 => Reason::ImAccountDeleted,
        10010 | 10015 | 10019 | 20003 | 40003 | 50001 | 70107 | 90003 | 90008 | 90012 | 90048 => {
            Reason::ImAccountMissing
        }
        10014 | 10037 | 10038 | 10058 | 22007 | 60020 | 60027 | 60028 | 72000 | 72002 | 80005 => {
            Reason::ImPlan
        }
        20002 | 60006 | 60025 | 70001..=70003 | 70005 | 70009 | 70013 | 70014 | 70052 => Reason::ImKey,
        10007 | 40004 | 40007 | 40008 | 50003 | 60010 | 70403 | 90009 => Reason::ImPermission,
        60021 => Reason::ImIp,
        60026 | 70016 | 70020 => Reason::ImHost,
        10017 | 20007 | 20012 | 70051 | 70114 => Reason::ImRestricted,
        10016 | 20006 | 80003 | 10100..=10200 | 120_001..=130_000 => Reason::ImWebhook,
        20009..=20011 => Reason::ImNotFriends,
        10026 | 40009 | 60016 | 60017 | 60022..=60024 | 70404 | 71000 | 72001 => Reason::Setup,
        10003..=10005
        | 10011
        | 10012
        | 20001
        | 40001
        | 40002
        | 40605
        | 40610
        | 50002
        | 60002
        | 60003
        | 60009
        | 60012
        | 60015
        | 70206
        | 70402
        | 90001
        | 90002
        | 90004..=90007
        | 90010
        | 90011
        | 90018
        | 90026
        | 90028..=90031
        | 90043
        | 90044 => Reason::OwnMistake,
        60000..=60099 => Reason::Setup,
        _ => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_differently_is_told_apart() {
        for (code, expected) in [
            (40164, Reason::IpNotListed),
            (40125, Reason::SecretWrong),
            (40243, Reason::SecretFrozen),
            (48001, Reason::NoPermission),
            (48004, Reason::Punished),
            (45009, Reason::QuotaUsedUp),
            (45011, Reason::TooFast),
            (45002, Reason::TooLong),
            (43019, Reason::Blacklisted),
            (48002, Reason::CustomerRefuses),
            (43004, Reason::Unsubscribed),
            (40003, Reason::UnknownCustomer),
            (70000, Reason::MinorProtected),
            (48017, Reason::RetiredServer),
            (1, Reason::Refused),
        ] {
            assert_eq!(wechat_reason(code), expected, "{code}");
        }
        assert_eq!(wechat_token_reason(40001), Reason::SecretWrong);
        assert_eq!(wechat_token_reason(40164), Reason::IpNotListed);
        assert_eq!(wechat_token_reason(1), Reason::Setup);
        for (code, expected) in [
            (70398, Reason::ImAccountsFull),
            (70399, Reason::ImAccountDeleted),
            (90012, Reason::ImAccountMissing),
            (80001, Reason::ContentBlocked),
            (80004, Reason::ContentBlocked),
            (60020, Reason::ImPlan),
            (60007, Reason::TooFast),
            (60010, Reason::ImPermission),
            (60099, Reason::Setup),
            (125_000, Reason::ImWebhook),
            (1, Reason::Refused),
        ] {
            assert_eq!(im_reason(code), expected, "{code}");
        }
    }
}
