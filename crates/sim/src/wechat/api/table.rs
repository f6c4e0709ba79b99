//! Every call of the API: its path, its name for faults and the journal, who may make it (§11), how often (§10).

use super::super::rules::{AccountKind, AccountRules, CallLimit};
use super::call::{Answer, Call};
use super::{Refused, network, quotas, token, users};
use crate::wechat::custom_send;

/// What an account must be for a call (§11); 48001 otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Any account.
    Nothing,
    /// A certified one: customer-service messages, typing, media, users.
    Certification,
}

impl Needs {
    pub(super) fn has(self, kind: AccountKind, certified: bool) -> bool {
        match self {
            Needs::Nothing => true,
            Needs::Certification => certified && kind != AccountKind::PersonalSubscription,
        }
    }
}

/// How a call is carried out.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// Without an access_token; it checks everything itself.
    Open(fn(&mut Call) -> Result<Answer, Refused>),
    /// With one, for the account that it belongs to.
    Owned(fn(&mut Call, &str) -> Result<Answer, Refused>),
}

pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) target: &'static str,
    pub(super) needs: Needs,
    daily: Option<u64>,
    minute: Option<u64>,
    pub(super) work: Work,
}

impl Endpoint {
    /// The limit that holds for this account.
    pub(super) fn limit(&self, rules: &AccountRules) -> CallLimit {
        let usual = CallLimit { daily: self.daily, minute: self.minute };
        rules.limits.get(self.path).copied().unwrap_or(usual)
    }
}

/// The endpoint at a path.
pub(super) fn find(path: &str) -> Option<&'static Endpoint> {
    TABLE.iter().find(|endpoint| endpoint.path == path)
}

const fn any(path: &'static str, target: &'static str, work: Work) -> Endpoint {
    Endpoint { path, target, needs: Needs::Nothing, daily: None, minute: None, work }
}

const fn certified(path: &'static str, target: &'static str, work: Work) -> Endpoint {
    Endpoint { path, target, needs: Needs::Certification, daily: None, minute: None, work }
}

const fn daily(endpoint: Endpoint, daily: u64) -> Endpoint {
    Endpoint { daily: Some(daily), ..endpoint }
}

const fn minute(endpoint: Endpoint, minute: u64) -> Endpoint {
    Endpoint { minute: Some(minute), ..endpoint }
}

/// Daily numbers are those of a newly registered account; per-minute ones are account-specific and mostly not published.
static TABLE: [Endpoint; 11] = [
    daily(any("/cgi-bin/token", "wechat.token", Work::Open(token::classic)), 2000),
    minute(daily(any("/cgi-bin/stable_token", "wechat.token", Work::Open(token::stable)), 500_000), 10_000),
    any("/cgi-bin/getcallbackip", "wechat.callback_ip", Work::Owned(network::callback_ips)),
    any("/cgi-bin/get_api_domain_ip", "wechat.api_ip", Work::Owned(network::api_ips)),
    any("/cgi-bin/clear_quota", "wechat.clear_quota", Work::Owned(quotas::clear)),
    any("/cgi-bin/clear_quota/v2", "wechat.clear_quota", Work::Open(quotas::clear_by_secret)),
    any("/cgi-bin/openapi/quota/get", "wechat.quota", Work::Owned(quotas::get)),
    any("/cgi-bin/openapi/quota/clear", "wechat.quota", Work::Owned(quotas::clear_path)),
    daily(
        certified("/cgi-bin/message/custom/send", "wechat.custom_send", Work::Owned(custom_send::send)),
        500_000,
    ),
    daily(certified("/cgi-bin/user/get", "wechat.user_get", Work::Owned(users::get)), 500),
    daily(certified("/cgi-bin/user/info", "wechat.user_info", Work::Owned(users::info)), 5_000_000),
];
