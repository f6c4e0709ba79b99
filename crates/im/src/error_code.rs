//! IM's error codes: what to do about each, and what it means. Start at [`verdict`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/34348>

use std::fmt;

/// An answer of IM that says no: an `ErrorCode` that is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// `ErrorCode`
    pub code: i64,
    /// `ErrorInfo`, for the log: without UserSig and UserIDs of the call, 300 characters at most.
    pub info: String,
}

impl ErrorCode {
    /// What to do about it; see [`verdict`].
    pub fn verdict(&self) -> Verdict {
        verdict(self.code)
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
    /// It was done.
    Ok,
    /// Transient. `sendmsg` may have been carried out all the same: look into the history before a repeat.
    Retry,
    /// Too fast: back off.
    Slow,
    /// Stop, and tell the operator.
    Config,
    /// Import the account, or make a new UserSig, and try once more.
    Fix,
    /// This message can never be delivered.
    Drop,
    /// The request was malformed.
    Bug,
}

/// What to do about `code`. Codes that no table has are [`Verdict::Config`]: transient ones are listed.
pub fn verdict(code: i64) -> Verdict {
    match code {
        0 => Verdict::Ok,
        120_001..=130_000 | 10_100..=10_200 => Verdict::Drop,
        _ => entry(code).map_or(Verdict::Config, |(_, verdict, _)| *verdict),
    }
}

/// What `code` means, in a few words.
pub fn describe(code: i64) -> &'static str {
    match code {
        0 => "done",
        120_001..=130_000 | 10_100..=10_200 => "refused by our own webhook",
        _ => entry(code).map_or("not in the vendor's list", |(_, _, meaning)| meaning),
    }
}

fn entry(code: i64) -> Option<&'static (i64, Verdict, &'static str)> {
    TABLE.binary_search_by_key(&code, |(listed, _, _)| *listed).ok().and_then(|at| TABLE.get(at))
}

/// Code, verdict, meaning. Sorted by code.
const TABLE: &[(i64, Verdict, &str)] = {
    use Verdict::*;
    &[
        (10002, Retry, "internal error"),
        (10003, Bug, "bad command / parameter / too many accounts / JSON"),
        (10004, Bug, "bad command / parameter / too many accounts / JSON"),
        (10005, Bug, "bad command / parameter / too many accounts / JSON"),
        (10006, Slow, "operation frequency limit"),
        (10007, Config, "insufficient permission / group type forbids it"),
        (10010, Fix, "group missing or dissolved"),
        (10011, Bug, "bad command / parameter / too many accounts / JSON"),
        (10012, Bug, "operator UserID invalid"),
        (10014, Config, "group full / member limit"),
        (10015, Fix, "group missing or dissolved"),
        (10016, Drop, "rejected by our callback"),
        (10017, Drop, "sender muted"),
        (10019, Fix, "account missing"),
        (10023, Slow, "> 40 msg/s in the group"),
        (10026, Config, "command disabled for app"),
        (10030, Drop, "recall impossible"),
        (10031, Drop, "recall impossible"),
        (10032, Drop, "recall impossible"),
        (10033, Drop, "recall impossible"),
        (10037, Config, "group quota per user / per trial app"),
        (10038, Config, "group full / member limit"),
        (10058, Config, "group quota per user / per trial app"),
        (20001, Bug, "illegal packet"),
        (20002, Fix, "UserSig or A2 invalid"),
        (20003, Fix, "sender or recipient invalid / not imported"),
        (20004, Retry, "network error"),
        (20005, Retry, "internal error"),
        (20006, Drop, "rejected by our own before-callback"),
        (20007, Drop, "recipient has blocked the sender (clients)"),
        (20009, Config, "friendship check enabled and not friends"),
        (20010, Config, "friendship check enabled and not friends"),
        (20011, Config, "friendship check enabled and not friends"),
        (20012, Drop, "sender is muted"),
        (20016, Drop, "recall window exceeded (clients)"),
        (20018, Retry, "internal error deleting history"),
        (20022, Drop, "the message to recall is missing"),
        (20023, Drop, "the message to recall is already recalled"),
        (20027, Retry, "concurrent modification conflict"),
        (20028, Retry, "concurrent modification conflict"),
        (22007, Config, "trial edition: number of senders over free quota"),
        (40001, Bug, "bad parameters / no account given"),
        (40002, Bug, "bad parameters / no account given"),
        (40003, Fix, "account not imported"),
        (40004, Config, "admin rights required"),
        (40005, Drop, "sensitive word in profile value"),
        (40006, Retry, "internal error"),
        (40007, Config, "no read / write permission on the field"),
        (40008, Config, "no read / write permission on the field"),
        (40009, Config, "tag does not exist (custom field not created)"),
        (40601, Drop, "value > 500 bytes"),
        (40605, Bug, "value / value type invalid"),
        (40610, Bug, "value / value type invalid"),
        (50001, Fix, "account missing"),
        (50002, Bug, "bad parameters"),
        (50003, Config, "the caller is not an app admin"),
        (50004, Retry, "internal error"),
        (50005, Retry, "time-out"),
        (60002, Bug, "HTTP/URL could not be parsed"),
        (60003, Bug, "body is not valid JSON (gateway level)"),
        (
            60004,
            Retry,
            "account check failed (old text: account or signature wrong in URL/body); newest docs say retry later",
        ),
        (
            60005,
            Retry,
            "account check failed (old text: account or signature wrong in URL/body); newest docs say retry later",
        ),
        (60006, Config, "SDKAppID invalid (older lists)"),
        (60007, Slow, "API call frequency exceeded"),
        (60008, Retry, "backend timeout or HTTP format error"),
        (60009, Bug, "no such resource: wrong path/command"),
        (60010, Config, "identifier is not an app admin"),
        (60011, Slow, "SDKAppID frequency exceeded (older lists)"),
        (60012, Bug, "sdkappid parameter missing"),
        (60013, Retry, "backend response not parseable"),
        (60014, Retry, "account exchange/check timeout"),
        (60015, Bug, "UserID in body is not a String"),
        (60016, Config, "SDKAppID disabled"),
        (60017, Config, "request disabled"),
        (60018, Slow, "too many requests"),
        (60019, Slow, "too many requests"),
        (60020, Config, "plan not bought/expired or account in arrears (recovers ~5 min after payment)"),
        (60021, Config, "source IP of the REST call not allowed"),
        (60025, Bug, "sdkappid/identifier/usersig/contenttype parameter wrong"),
        (60026, Config, "host does not match the app's data centre"),
        (60027, Config, "product type may not use this API"),
        (60028, Config, "trial edition: REST calls per 24 h exhausted"),
        (70001, Fix, "UserSig expired"),
        (70002, Bug, "UserSig empty"),
        (70003, Config, "UserSig malformed/invalid (truncated?)"),
        (70005, Config, "UserSig malformed/invalid (truncated?)"),
        (70009, Config, "signature wrong: key of another app"),
        (70013, Config, "UserID in request ≠ in UserSig"),
        (70014, Config, "SDKAppID in request ≠ in UserSig"),
        (70016, Config, "public key missing for the app / wrong data centre"),
        (70020, Config, "SDKAppID not found / wrong data centre"),
        (70050, Config, "too many failed verifications; wait 1 min"),
        (70051, Config, "account blocklisted"),
        (70052, Fix, "UserSig invalidated (older lists; e.g. after kick)"),
        (70107, Fix, "account does not exist / not imported"),
        (70114, Config, "restricted for security reasons"),
        (70169, Retry, "internal timeout"),
        (70202, Retry, "internal timeout"),
        (70206, Bug, "bad batch size"),
        (70398, Config, "account quota exhausted (trial: 100)"),
        (70399, Drop, "deleted account may not be re-imported for 3 months"),
        (70402, Bug, "illegal parameter"),
        (70403, Config, "admin rights required"),
        (70500, Retry, "internal error"),
        (71000, Config, "account deletion not enabled for this edition"),
        (72000, Config, "DAU / MAU over free quota (login of agents fails)"),
        (72001, Config, "user-status feature not enabled in console"),
        (72002, Config, "DAU / MAU over free quota (login of agents fails)"),
        (80001, Drop, "text blocked by content security"),
        (80002, Drop, "message too long (12 KB)"),
        (80003, Retry, "before-callback failed/timed out and policy is \"do not deliver\""),
        (80004, Drop, "image blocked by content security"),
        (80005, Config, "service deactivated (expired/arrears)"),
        (90001, Bug, "JSON not parseable (service level) or required structure missing"),
        (90002, Bug, "MsgBody wrong format / not Array"),
        (90003, Bug, "To_Account missing, wrong type or not existing"),
        (90004, Bug, "MsgSeq invalid"),
        (90005, Bug, "MsgRandom missing / not Integer"),
        (90006, Bug, "MsgTimeStamp missing / not Integer"),
        (90007, Bug, "MsgBody not an Array"),
        (90008, Fix, "From_Account missing or not existing"),
        (90009, Config, "admin rights required"),
        (90010, Bug, "packet does not match the message format"),
        (90011, Bug, "more than 500 targets (not a rate error)"),
        (90012, Fix, "To_Account not registered"),
        (90018, Bug, "too many accounts in request"),
        (90026, Bug, "MsgLifeTime out of range"),
        (90028, Bug, "batch To_Account not an Array / empty"),
        (90029, Bug, "batch To_Account not an Array / empty"),
        (90030, Bug, "importmsg: SyncFromOldSystem missing/invalid (older meaning: attribute length)"),
        (90031, Bug, "SyncOtherMachine not Integer"),
        (90043, Bug, "OfflinePushInfo malformed"),
        (90044, Bug, "MsgLifeTime not Integer"),
        (90048, Fix, "requested account does not exist"),
        (90054, Drop, "MsgKey invalid"),
        (90055, Drop, "batch packet too long"),
        (90057, Slow, "batch message rate exceeded"),
        (90992, Retry, "backend/callback error; if permanent, our webhook answers badly"),
        (90994, Retry, "internal error"),
        (90995, Retry, "internal error; newest hint: message too long"),
        (91000, Retry, "internal error"),
        (93000, Drop, "JSON packet > 12 KB"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_says_what_the_reference_says() {
        assert!(TABLE.is_sorted_by_key(|(code, _, _)| *code));
        for (code, expected) in [
            (0, Verdict::Ok),
            (60007, Verdict::Slow),
            (60010, Verdict::Config),
            (70001, Verdict::Fix),
            (70107, Verdict::Fix),
            (70398, Verdict::Config),
            (71000, Verdict::Config),
            (20003, Verdict::Fix),
            (20006, Verdict::Drop),
            (90001, Verdict::Bug),
            (90012, Verdict::Fix),
            (91000, Verdict::Retry),
            (93000, Verdict::Drop),
            (120_048, Verdict::Drop),
            (60_099, Verdict::Config),
        ] {
            assert_eq!(verdict(code), expected, "{code}");
        }
    }
}
