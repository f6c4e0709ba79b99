//! WeChat's error codes: what to do about each, and in plain words what it means. Start at [`verdict`].
//!
//! Vendor page: <https://developers.weixin.qq.com/doc/service/en/Getting_Started/Global_Return_Code.html>

use std::fmt;

/// An answer of WeChat that says no: a parsed `errcode` that is not 0. The call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errcode {
    /// `errcode`.
    pub code: i64,
    /// `errmsg`, for the log: with its `rid`, without the secrets and the openid of the call, 300 characters at
    /// most. Never match on it.
    pub message: String,
}

impl Errcode {
    /// What to do about it; see [`verdict`].
    pub fn verdict(&self) -> Verdict {
        verdict(self.code)
    }
}

impl fmt::Display for Errcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, describe(self.code), self.message)
    }
}

impl std::error::Error for Errcode {}

/// What to do about an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Ok,
    /// Try the same again after a while; `custom/send` at most twice.
    Retry,
    /// Get another access_token, then try once more.
    Token,
    /// Stop, and tell the operator: the account or its configuration has to be changed.
    Config,
    /// This message can never be delivered: tell the agent.
    Drop,
    /// Not now: wait for the customer's next action or for the next day.
    Park,
    /// Too fast: wait at least 60 seconds, on every node.
    Slow,
    /// Our own mistake, or content that has to be split, shortened or uploaded again.
    Fix,
    /// Of no consequence.
    Ignore,
}

/// Code, verdict, meaning. Sorted by code.
const TABLE: &[(i64, Verdict, &str)] = {
    use Verdict::*;
    &[
        (-1, Retry, "WeChat is busy"),
        (0, Ok, "done"),
        (40001, Token, "the access_token (or, when asking for one, the AppSecret) is not valid"),
        (40002, Config, "the grant_type is not valid"),
        (40003, Drop, "the openid is not one of this account's followers"),
        (40004, Fix, "the media type is not valid"),
        (40005, Fix, "the file type is not valid"),
        (40006, Fix, "the file's size is not valid"),
        (40007, Fix, "the media_id is unknown or has expired"),
        (40008, Fix, "the message type is not valid"),
        (40009, Fix, "the picture is too large"),
        (40010, Fix, "the voice message is too large"),
        (40011, Fix, "the video is too large"),
        (40012, Fix, "the thumbnail is too large"),
        (40013, Config, "the AppID is not valid"),
        (40014, Token, "the access_token is not valid"),
        (40029, Fix, "the code of the web log-in is not valid, or was used already"),
        (40032, Fix, "there are too many customers in one call"),
        (40033, Fix, "the request has a character that is not allowed"),
        (40035, Fix, "a parameter is not valid"),
        (40038, Fix, "the request's format is not valid"),
        (40066, Fix, "the URL is not valid"),
        (40097, Fix, "a parameter is not valid"),
        (40125, Config, "the AppSecret is not valid"),
        (40163, Fix, "the code of the web log-in was used already"),
        (40164, Config, "this machine's IP address is not in the account's IP list"),
        (40165, Drop, "the mini program's page path is not valid"),
        (40166, Drop, "the mini program's AppID is not valid"),
        (40200, Config, "this kind of account may not do this"),
        (40201, Config, "no webhook URL is configured"),
        (40202, Fix, "the action is not valid"),
        (40203, Fix, "the check_operator is not valid"),
        (40243, Config, "the AppSecret is frozen"),
        (41001, Fix, "the access_token is missing"),
        (41002, Config, "the AppID is missing"),
        (41004, Config, "the AppSecret is missing"),
        (41005, Fix, "the file is missing"),
        (41011, Fix, "a parameter is missing"),
        (42001, Token, "the access_token has expired"),
        (42003, Fix, "the code of the web log-in has expired"),
        (43001, Fix, "the call needs GET"),
        (43002, Fix, "the call needs POST"),
        (43003, Fix, "the call needs HTTPS"),
        (43004, Drop, "the customer does not follow the account"),
        (43019, Drop, "the customer is on the account's blacklist"),
        (44001, Fix, "the media file is empty"),
        (44002, Fix, "the request is empty"),
        (44003, Fix, "the article is empty"),
        (44004, Fix, "the text is empty"),
        (45001, Fix, "the media file is too large"),
        (45002, Fix, "the text is too long"),
        (45003, Fix, "the title is too long"),
        (45004, Fix, "the description is too long"),
        (45005, Fix, "the link is too long"),
        (45006, Fix, "the picture's link is too long"),
        (45007, Fix, "the voice message is too long"),
        (45008, Fix, "there are too many articles"),
        (45009, Park, "the day's quota is used up"),
        (45011, Slow, "too many calls in this minute"),
        (45015, Park, "the reply window is closed, or the customer has unfollowed"),
        (45035, Config, "this machine's IP address is not registered"),
        (45047, Park, "no more replies until the customer writes again"),
        (45064, Drop, "the mini program is not linked to the account"),
        (45065, Ignore, "the mass message with this clientmsgid was sent already"),
        (45066, Slow, "the mass message with this clientmsgid was tried again too soon"),
        (45067, Fix, "the clientmsgid is too long"),
        (45072, Ignore, "the typing command is not valid"),
        (45080, Ignore, "no typing hint without a message in the last 30 seconds"),
        (45081, Ignore, "the typing hint is already shown"),
        (45086, Fix, "the text has an invalid mini program link"),
        (45087, Config, "customer-service messages of this account are blocked"),
        (45098, Fix, "the menu message has too many entries"),
        (45099, Fix, "an entry of the menu message is too long"),
        (46001, Drop, "the media does not exist"),
        (46004, Drop, "the customer does not exist"),
        (47001, Fix, "the request's format is not valid"),
        (47002, Fix, "the request's format is not valid"),
        (48001, Config, "the account has no permission for this call"),
        (48002, Drop, "the customer does not accept messages"),
        (48003, Config, "the account has not agreed to the terms of mass messages"),
        (48004, Config, "the call is forbidden to this account as a penalty"),
        (48006, Park, "quotas cannot be cleared any more this month"),
        (48008, Drop, "the account has no permission for this kind of message"),
        (48017, Config, "the address of WeChat's server is out of date: check DNS"),
        (50001, Config, "the customer has not authorised this call"),
        (50002, Drop, "the customer's account is restricted"),
        (50005, Drop, "the customer has unfollowed"),
        (61004, Config, "this machine's IP address is not registered"),
        (61450, Retry, "WeChat's customer service is busy"),
        (61451, Fix, "a parameter is not valid"),
        (61452, Config, "the customer-service account is not valid"),
        (61453, Config, "the customer-service account exists already"),
        (61454, Fix, "the customer-service account's name is too long"),
        (61455, Fix, "the customer-service account's name has a character that is not allowed"),
        (61456, Config, "there are too many customer-service accounts"),
        (61457, Fix, "the avatar's file type is not valid"),
        (65400, Config, "WeChat's customer service is not enabled"),
        (65401, Config, "the customer-service account is not valid"),
        (65402, Config, "the customer-service account is not bound to a person yet"),
        (65403, Fix, "the customer-service account's nickname is not valid"),
        (65404, Fix, "the customer-service account's name is not valid"),
        (65405, Config, "there are too many customer-service accounts"),
        (65406, Config, "the customer-service account exists already"),
        (65407, Config, "this person is an agent of the account already"),
        (65408, Config, "this person has been invited as an agent already"),
        (65409, Fix, "the invited person's WeChat id is not valid"),
        (65410, Config, "this person is an agent of too many accounts"),
        (65411, Config, "the customer-service account has an invitation that waits for an answer"),
        (65412, Config, "the customer-service account is bound to a person already"),
        (65413, Ignore, "the customer has no session with an agent"),
        (65414, Drop, "the customer is in a session with another agent"),
        (65415, Drop, "the agent is offline"),
        (65416, Fix, "a parameter is not valid"),
        (65417, Fix, "the time span of the records is too long"),
        (70000, Drop, "not delivered, to protect a minor"),
        (76001, Ignore, "the rid is not known"),
        (76002, Ignore, "the rid is not this account's"),
        (76003, Ignore, "the rid has expired"),
        (76004, Ignore, "the rid cannot be read"),
        (76021, Ignore, "the API path is not known"),
        (76022, Ignore, "the API path is not this account's"),
        (89501, Config, "an administrator has to confirm this machine's IP address"),
        (89502, Config, "an administrator has to confirm this machine's IP address"),
        (89503, Config, "an administrator has to confirm this machine's IP address"),
        (89504, Config, "an administrator has to confirm this machine's IP address"),
        (89505, Config, "an administrator has to confirm this machine's IP address"),
        (89506, Config, "an administrator refused this machine's IP address for 24 hours"),
        (89507, Config, "an administrator refused this machine's IP address for 1 hour"),
        (268_487_001, Retry, "WeChat is busy"),
        (268_487_002, Retry, "WeChat is busy"),
    ]
};

fn entry(code: i64) -> Option<&'static (i64, Verdict, &'static str)> {
    TABLE.binary_search_by_key(&code, |entry| entry.0).ok().map(|at| &TABLE[at])
}

/// What to do about an error code. An unknown one is [`Verdict::Drop`]: WeChat refused the call, and nothing
/// says that it would not do so again.
pub fn verdict(code: i64) -> Verdict {
    entry(code).map_or(Verdict::Drop, |entry| entry.1)
}

/// What to do about an error code of a call that asks for an access_token: there 40001 means a wrong AppSecret,
/// and another access_token is no cure.
pub fn token_call_verdict(code: i64) -> Verdict {
    match verdict(code) {
        Verdict::Token => Verdict::Config,
        Verdict::Drop => Verdict::Config,
        other => other,
    }
}

/// Every code that this version knows, in ascending order.
pub fn known_codes() -> impl Iterator<Item = i64> {
    TABLE.iter().map(|entry| entry.0)
}

/// What an error code means, in a few English words.
pub fn describe(code: i64) -> &'static str {
    entry(code).map_or("an error that this version does not know", |entry| entry.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_repeats() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn f36_permanent_errors_are_never_retried() {
        for code in [40003, 43004, 50002, 48002, 48008, 50005, 70000] {
            assert_eq!(verdict(code), Verdict::Drop, "{code}");
        }
        for code in [40013, 40125, 40164, 48001] {
            assert_eq!(verdict(code), Verdict::Config, "{code}");
        }
        assert_eq!(verdict(123_456), Verdict::Drop);
    }

    /// Every code that the pages on the calls of this crate, on WeChat's own agents and on web log-in name.
    #[test]
    fn every_code_of_the_reference_is_known() {
        let single = [
            -1,
            0,
            40001,
            40002,
            40003,
            40004,
            40005,
            40006,
            40007,
            40008,
            40009,
            40010,
            40011,
            40012,
            40013,
            40014,
            40029,
            40032,
            40033,
            40035,
            40038,
            40066,
            40097,
            40125,
            40163,
            40164,
            40165,
            40166,
            40200,
            40201,
            40202,
            40203,
            40243,
            41001,
            41002,
            41004,
            41005,
            41011,
            42001,
            42003,
            43001,
            43002,
            43003,
            43004,
            43019,
            44001,
            44002,
            44003,
            44004,
            45001,
            45002,
            45003,
            45004,
            45005,
            45006,
            45007,
            45008,
            45009,
            45011,
            45015,
            45035,
            45047,
            45064,
            45065,
            45066,
            45067,
            45072,
            45080,
            45081,
            45086,
            45087,
            45098,
            45099,
            46001,
            46004,
            47001,
            47002,
            48001,
            48002,
            48003,
            48004,
            48006,
            48008,
            48017,
            50001,
            50002,
            50005,
            61004,
            70000,
            76021,
            76022,
            268_487_001,
            268_487_002,
        ];
        let ranges = [61450..=61457, 65400..=65417, 76001..=76004, 89501..=89507];
        for code in single.into_iter().chain(ranges.into_iter().flatten()) {
            assert!(entry(code).is_some(), "{code}");
            assert!(!describe(code).is_empty() && !describe(code).ends_with('.'), "{code}");
        }
    }

    #[test]
    fn verdicts_of_the_reference() {
        for (code, expected) in [
            (0, Verdict::Ok),
            (-1, Verdict::Retry),
            (40001, Verdict::Token),
            (40014, Verdict::Token),
            (42001, Verdict::Token),
            (41001, Verdict::Fix),
            (45009, Verdict::Park),
            (45011, Verdict::Slow),
            (45015, Verdict::Park),
            (45047, Verdict::Park),
            (45002, Verdict::Fix),
            (45081, Verdict::Ignore),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
        assert_eq!(token_call_verdict(40001), Verdict::Config);
        assert_eq!(token_call_verdict(-1), Verdict::Retry);
        assert_eq!(token_call_verdict(45009), Verdict::Park);
    }
}
