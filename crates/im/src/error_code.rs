//! IM's error codes: what to do about each, and in plain words what it means. Start at [`verdict`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34348>

use std::fmt;

/// An answer of IM that says no: a parsed `ErrorCode` that is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// `ErrorCode`.
    pub code: i64,
    /// `ErrorInfo`, for the log: without the UserSig and the UserIDs of the call, 300 characters at most. Never
    /// match on it.
    pub info: String,
}

impl ErrorCode {
    /// What to do about it; see [`verdict`].
    pub fn verdict(&self) -> Verdict {
        verdict(self.code)
    }

    /// Whether the call may have been carried out all the same: IM's own time-outs and internal errors come from
    /// behind the point where a message is accepted. Look a message up in the history before it is repeated.
    pub fn is_ambiguous(&self) -> bool {
        // 80003: our own webhook failed, so the message was not accepted.
        self.verdict() == Verdict::Retry && self.code != 80003
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, describe(self.code), self.info)
    }
}

impl std::error::Error for ErrorCode {}

/// What to do about an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was done, or had been done before.
    Ok,
    /// Try the same again after a while; for `sendmsg`, look it up in the history first.
    Retry,
    /// Too fast: wait, and call less often.
    Slow,
    /// Stop, and tell the operator: the app or its configuration has to be changed.
    Config,
    /// Mend what is missing (import the account, make a new UserSig), then try once more.
    Fix,
    /// This message can never be delivered: say so.
    Drop,
    /// Our own mistake: the request is malformed.
    Bug,
}

/// Code, verdict, meaning. Sorted by code.
const TABLE: &[(i64, Verdict, &str)] = {
    use Verdict::*;
    &[
        (0, Ok, "done"),
        (10002, Retry, "an internal error of IM's groups"),
        (10003, Bug, "the group command is not valid"),
        (10004, Bug, "a parameter is not valid"),
        (10005, Bug, "too many accounts in one request"),
        (10006, Slow, "the operation is done too often"),
        (10007, Config, "not permitted, or not for this type of group"),
        (10010, Fix, "the group does not exist"),
        (10011, Bug, "the request is no valid JSON"),
        (10012, Bug, "the operator's UserID is not valid"),
        (10013, Ok, "the user is already a member"),
        (10014, Config, "the group is full"),
        (10015, Fix, "the group does not exist"),
        (10016, Drop, "refused by the app's own webhook"),
        (10017, Drop, "the sender is muted"),
        (10019, Fix, "the account does not exist"),
        (10021, Ok, "the group's id is already taken"),
        (10023, Slow, "too many messages a second in the group"),
        (10025, Ok, "the group's id is already taken by this app"),
        (10026, Config, "the command is disabled for this app"),
        (10030, Drop, "the message cannot be recalled"),
        (10031, Drop, "the message cannot be recalled"),
        (10032, Drop, "the message cannot be recalled"),
        (10033, Drop, "the message cannot be recalled"),
        (10037, Config, "the user is in too many groups"),
        (10038, Config, "the group has too many members"),
        (10058, Config, "the trial app has too many groups"),
        (20001, Bug, "the packet is not valid"),
        (20002, Fix, "the UserSig is not valid"),
        (20003, Fix, "the sender or the recipient is not valid or not imported"),
        (20004, Retry, "a network error inside IM"),
        (20005, Retry, "an internal error of IM"),
        (20006, Drop, "refused by the app's own webhook"),
        (20007, Drop, "the recipient has blocked the sender"),
        (20009, Config, "the two users are not friends, and the app demands it"),
        (20010, Config, "the two users are not friends, and the app demands it"),
        (20011, Config, "the two users are not friends, and the app demands it"),
        (20012, Drop, "the sender is muted"),
        (20016, Drop, "the message is too old to be recalled"),
        (20018, Retry, "an internal error while deleting history"),
        (20022, Drop, "the message to be recalled does not exist"),
        (20023, Ok, "the message is already recalled"),
        (20027, Retry, "changed by someone else at the same time"),
        (20028, Retry, "changed by someone else at the same time"),
        (22007, Config, "the trial edition allows no more senders"),
        (40001, Bug, "a parameter is not valid"),
        (40002, Bug, "no account is given"),
        (40003, Fix, "the account is not imported"),
        (40004, Config, "an app admin is needed"),
        (40005, Drop, "the profile has a sensitive word"),
        (40006, Retry, "an internal error of IM's profiles"),
        (40007, Config, "the profile field may not be read"),
        (40008, Config, "the profile field may not be written"),
        (40009, Config, "the profile field does not exist"),
        (40601, Drop, "the profile value is longer than 500 bytes"),
        (40605, Bug, "the profile value is not valid"),
        (40610, Bug, "the profile value's type is not valid"),
        (50001, Fix, "the account does not exist"),
        (50002, Bug, "a parameter is not valid"),
        (50003, Config, "an app admin is needed"),
        (50004, Retry, "an internal error of IM"),
        (50005, Retry, "a time-out inside IM"),
        (60002, Bug, "the HTTP request or its URL cannot be read"),
        (60003, Bug, "the request is no valid JSON"),
        (60004, Retry, "the account could not be checked"),
        (60005, Retry, "the account could not be checked"),
        (60006, Config, "the SDKAppID is not valid"),
        (60007, Slow, "the call is made too often"),
        (60008, Retry, "a time-out inside IM"),
        (60009, Bug, "there is no such call"),
        (60010, Config, "the caller is no app admin"),
        (60011, Slow, "the app makes too many calls"),
        (60012, Bug, "the sdkappid is missing"),
        (60013, Retry, "IM could not read its own answer"),
        (60014, Retry, "a time-out inside IM while checking the account"),
        (60015, Bug, "a UserID in the request is not a string"),
        (60016, Config, "the app is disabled"),
        (60017, Config, "the request is disabled"),
        (60018, Slow, "too many requests"),
        (60019, Slow, "too many requests"),
        (60020, Config, "the edition is not bought, has expired, or is not paid"),
        (60021, Config, "calls from this IP address are not allowed"),
        (60025, Config, "a parameter of the URL is wrong"),
        (60026, Config, "the host is not that of the app's data centre"),
        (60027, Config, "the edition may not use this call"),
        (60028, Config, "the trial edition's calls for today are used up"),
        (70001, Fix, "the UserSig has expired"),
        (70002, Bug, "the UserSig is empty"),
        (70003, Config, "the UserSig is malformed"),
        (70005, Config, "the UserSig is malformed"),
        (70009, Config, "the UserSig was made with another app's key"),
        (70013, Config, "the UserSig is another user's"),
        (70014, Config, "the UserSig is another app's"),
        (70016, Config, "the app has no key here: is this its data centre?"),
        (70020, Config, "the SDKAppID is not found: is this its data centre?"),
        (70050, Config, "too many wrong UserSigs; wait a minute"),
        (70051, Config, "the account is on a blacklist"),
        (70052, Fix, "the UserSig is no longer valid"),
        (70107, Fix, "the account does not exist"),
        (70114, Config, "restricted for security reasons"),
        (70169, Retry, "a time-out inside IM"),
        (70202, Retry, "a time-out inside IM"),
        (70206, Bug, "too many accounts in one request, or none"),
        (70398, Config, "the edition allows no more accounts"),
        (70399, Drop, "the account was deleted less than three months ago"),
        (70402, Bug, "a parameter is not valid"),
        (70403, Config, "an app admin is needed"),
        (70404, Config, "the client's SDK is too old"),
        (70500, Retry, "an internal error of IM's accounts"),
        (71000, Config, "deleting accounts is not enabled in the console"),
        (72000, Config, "more active users today than the edition allows"),
        (72001, Config, "the users' status is not enabled in the console"),
        (72002, Config, "more active users this month than the edition allows"),
        (80001, Drop, "the text was blocked by content security"),
        (80002, Drop, "the message is longer than 12 KB"),
        (80003, Retry, "the app's own webhook failed, and the console says not to deliver then"),
        (80004, Drop, "the picture was blocked by content security"),
        (80005, Config, "the service is switched off, or not paid"),
        (90001, Bug, "the request is no valid JSON, or lacks something"),
        (90002, Bug, "the MsgBody is not valid"),
        (90003, Fix, "the To_Account is not valid, or does not exist"),
        (90004, Bug, "the MsgSeq is not valid"),
        (90005, Bug, "the MsgRandom is not valid"),
        (90006, Bug, "the MsgTimeStamp is not valid"),
        (90007, Bug, "the MsgBody is no array"),
        (90008, Fix, "the From_Account is not valid, or does not exist"),
        (90009, Config, "an app admin is needed"),
        (90010, Bug, "the request has not the format of a message"),
        (90011, Bug, "more than 500 recipients"),
        (90012, Fix, "the To_Account does not exist"),
        (90018, Bug, "too many accounts in one request"),
        (90026, Bug, "the MsgLifeTime is out of range"),
        (90028, Bug, "the To_Account is no array"),
        (90029, Bug, "the To_Account is empty"),
        (90030, Bug, "the SyncFromOldSystem is not valid"),
        (90031, Bug, "the SyncOtherMachine is not valid"),
        (90043, Bug, "the OfflinePushInfo is not valid"),
        (90044, Bug, "the MsgLifeTime is not valid"),
        (90048, Fix, "the account does not exist"),
        (90054, Drop, "the MsgKey is not valid"),
        (90055, Drop, "the request is too long"),
        (90057, Slow, "too many recipients a minute"),
        (90992, Retry, "an error behind IM, or of the app's own webhook"),
        (90994, Retry, "an internal error of IM"),
        (90995, Retry, "an internal error of IM, or the message is too long"),
        (91000, Retry, "an internal error of IM"),
        (93000, Drop, "the request is longer than 12 KB"),
    ]
};

fn entry(code: i64) -> Option<&'static (i64, Verdict, &'static str)> {
    TABLE.binary_search_by_key(&code, |entry| entry.0).ok().map(|at| &TABLE[at])
}

/// What to do about an error code. Unknown ones from 60000 to 60099 are [`Verdict::Config`], all others
/// [`Verdict::Drop`]: IM refused the call, and nothing says that it would not do so again.
pub fn verdict(code: i64) -> Verdict {
    match (entry(code), code) {
        (Some(entry), _) => entry.1,
        (None, 60000..=60099) => Verdict::Config,
        (None, _) => Verdict::Drop,
    }
}

/// Every code that this version knows, in ascending order.
pub fn known_codes() -> impl Iterator<Item = i64> {
    TABLE.iter().map(|entry| entry.0)
}

/// What an error code means, in a few English words.
pub fn describe(code: i64) -> &'static str {
    match (entry(code), code) {
        (Some(entry), _) => entry.2,
        (None, 10100..=10200 | 120_001..=130_000) => {
            "refused by the app's own webhook, with a code of its own"
        }
        (None, _) => "an error that this version does not know",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_repeats() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(TABLE.iter().all(|entry| !entry.2.is_empty() && !entry.2.ends_with('.')));
    }

    #[test]
    fn verdicts_of_the_reference() {
        use Verdict::*;
        for (codes, expected) in [
            (&[0, 10013, 20023][..], Ok),
            (&[10002, 20004, 60008, 60013, 70169, 70500, 80003, 90992, 90994, 90995, 91000], Retry),
            (&[10006, 10023, 60007, 60011, 60018, 60019, 90057], Slow),
            (&[60010, 60016, 60020, 60026, 60028, 70003, 70009, 70020, 70398, 71000, 72002, 90009], Config),
            (&[70001, 70052, 20002, 20003, 70107, 90008, 90012, 90048], Fix),
            (&[20006, 40005, 40601, 70399, 80001, 80002, 80004, 90054, 90055, 93000], Drop),
            (&[60002, 60003, 60009, 60012, 70002, 70402, 90001, 90002, 90011], Bug),
        ] {
            for code in codes {
                assert_eq!(verdict(*code), expected, "{code}");
            }
        }
    }

    #[test]
    fn unknown_codes_have_a_verdict() {
        for code in [60022, 60023, 60024] {
            assert_eq!(verdict(code), Verdict::Config);
        }
        for code in [120_001, 130_000, 10100, 10200, 90021, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(verdict(code), Verdict::Drop);
        }
        assert_eq!(describe(120_048), "refused by the app's own webhook, with a code of its own");
        assert_eq!(describe(90021), "an error that this version does not know");
    }

    #[test]
    fn time_outs_and_internal_errors_may_hide_a_delivery() {
        let ambiguous = |code| ErrorCode { code, info: String::new() }.is_ambiguous();
        assert!([60008, 20004, 20005, 90992, 90994, 91000].into_iter().all(ambiguous));
        assert!(![90012, 60007, 80001, 80003, 20006, 70001, 90001].into_iter().any(ambiguous));
    }

    #[test]
    fn display_is_for_the_log() {
        let error = ErrorCode { code: 90012, info: "invalid To_Account".to_owned() };
        assert_eq!(error.to_string(), "90012 (the To_Account does not exist): invalid To_Account");
    }
}
