//! Every call of the API: its path, its name for faults and the journal, who may make it (§11), how often (§10).

use super::super::rules::{AccountKind, AccountRules, CallLimit};
use super::call::{Answer, Call};
use super::{Refused, material, media, network, quotas, rids, token, typing, users};
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
    /// The one call that makes a call itself.
    CallbackCheck,
}

pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) target: &'static str,
    pub(super) needs: Needs,
    /// Whether it must be a GET (43001). POSTs say so when they read their body (43002).
    pub(super) get: bool,
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
    if path.starts_with("/mmbiz_") || path.starts_with("/video/") {
        return Some(&DOWNLOAD);
    }
    TABLE.iter().find(|endpoint| endpoint.path == path)
}

const fn any(path: &'static str, target: &'static str, work: Work) -> Endpoint {
    Endpoint { path, target, needs: Needs::Nothing, get: false, daily: None, minute: None, work }
}

const fn certified(path: &'static str, target: &'static str, work: Work) -> Endpoint {
    Endpoint { path, target, needs: Needs::Certification, get: false, daily: None, minute: None, work }
}

const fn get(endpoint: Endpoint) -> Endpoint {
    Endpoint { get: true, ..endpoint }
}

const fn daily(endpoint: Endpoint, daily: u64) -> Endpoint {
    Endpoint { daily: Some(daily), ..endpoint }
}

const fn minute(endpoint: Endpoint, minute: u64) -> Endpoint {
    Endpoint { minute: Some(minute), ..endpoint }
}

/// Addresses that the cloud gave out: no API, but faults can be set on it.
static DOWNLOAD: Endpoint = any("", "wechat.download", Work::Open(media::download));

/// Daily numbers are those of a newly registered account; per-minute ones are account-specific and mostly not published.
static TABLE: [Endpoint; 23] = [
    daily(get(any("/cgi-bin/token", "wechat.token", Work::Open(token::classic))), 2000),
    minute(daily(any("/cgi-bin/stable_token", "wechat.token", Work::Open(token::stable)), 500_000), 10_000),
    get(any("/cgi-bin/getcallbackip", "wechat.callback_ip", Work::Owned(network::callback_ips))),
    get(any("/cgi-bin/get_api_domain_ip", "wechat.api_ip", Work::Owned(network::api_ips))),
    any("/cgi-bin/callback/check", "wechat.callback_check", Work::CallbackCheck),
    any("/cgi-bin/clear_quota", "wechat.clear_quota", Work::Owned(quotas::clear)),
    any("/cgi-bin/clear_quota/v2", "wechat.clear_quota", Work::Open(quotas::clear_by_secret)),
    any("/cgi-bin/openapi/quota/get", "wechat.quota", Work::Owned(quotas::get)),
    any("/cgi-bin/openapi/quota/clear", "wechat.quota", Work::Owned(quotas::clear_path)),
    any("/cgi-bin/openapi/rid/get", "wechat.rid", Work::Owned(rids::get)),
    daily(
        certified("/cgi-bin/message/custom/send", "wechat.custom_send", Work::Owned(custom_send::send)),
        500_000,
    ),
    certified("/cgi-bin/message/custom/typing", "wechat.typing", Work::Owned(typing::typing)),
    daily(get(certified("/cgi-bin/user/get", "wechat.user_get", Work::Owned(users::get))), 500),
    daily(get(certified("/cgi-bin/user/info", "wechat.user_info", Work::Owned(users::info))), 5_000_000),
    certified("/cgi-bin/user/info/batchget", "wechat.user_batchget", Work::Owned(users::batch)),
    daily(certified("/cgi-bin/user/info/updateremark", "wechat.remark", Work::Owned(users::remark)), 10_000),
    daily(certified("/cgi-bin/media/upload", "wechat.media_upload", Work::Owned(media::upload)), 100_000),
    daily(get(certified("/cgi-bin/media/get", "wechat.media_get", Work::Owned(media::get))), 200_000),
    get(certified("/cgi-bin/media/get/jssdk", "wechat.media_get_jssdk", Work::Owned(media::get_jssdk))),
    certified("/cgi-bin/media/uploadimg", "wechat.media_uploadimg", Work::Owned(media::upload_image)),
    certified("/cgi-bin/material/add_material", "wechat.material", Work::Owned(material::add)),
    certified("/cgi-bin/material/get_material", "wechat.material", Work::Owned(material::get)),
    certified("/cgi-bin/material/del_material", "wechat.material", Work::Owned(material::delete)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::TARGETS;

    #[test]
    fn a_fault_can_be_set_on_every_call() {
        for endpoint in TABLE.iter().chain([&DOWNLOAD]) {
            assert!(TARGETS.contains(&endpoint.target), "{}", endpoint.target);
        }
    }

    #[test]
    fn f32_only_certified_accounts_that_are_no_persons_have_the_whole_api() {
        use AccountKind::{PersonalSubscription, Service, Subscription};
        let table = [
            (PersonalSubscription, false, false),
            (PersonalSubscription, true, false),
            (Subscription, false, false),
            (Subscription, true, true),
            (Service, false, false),
            (Service, true, true),
        ];
        for (kind, certified, has) in table {
            assert_eq!(Needs::Certification.has(kind, certified), has, "{kind:?} {certified}");
            assert!(Needs::Nothing.has(kind, certified));
        }
    }
}
