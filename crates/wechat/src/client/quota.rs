//! How many calls are left. Start at [`Client::quota`].

use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::Answer;
use crate::client::{CallError, Client, unreadable};
use crate::wire;

/// The day's quota of one call, and its limits for shorter times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls per day.
    pub daily_limit: u64,
    /// Calls made today.
    pub used: u64,
    /// Calls left today.
    pub remain: u64,
    /// The account's own limit for shorter times, where WeChat tells one. Going over it gives 45011.
    pub rate_limit: Option<RateLimit>,
    /// The same for a third-party platform that acts for the account.
    pub component_rate_limit: Option<RateLimit>,
}

/// How many calls in how many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls allowed in the time.
    pub call_count: u64,
    /// The time, in seconds.
    pub refresh_second: u64,
}

impl Client {
    /// The quota of one call (`POST /cgi-bin/openapi/quota/get`). `path` begins with `/` and has no host, such
    /// as [`wire::CUSTOM_SEND`].
    ///
    /// Vendor page: `/doc/service/api/apimanage/api_getapiquota`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 76021 for a path that is not known, 76022 for one that is not this account's.
    #[tracing::instrument(name = "wechat.quota", skip_all)]
    pub async fn quota(&self, access_token: &SecretString, path: &str) -> Result<Quota, CallError> {
        let body = wire::ApiPath { cgi_path: path.to_owned() };
        let request = self.post(wire::QUOTA_GET, access_token, &body);
        let answer = self.call(request, &[access_token.expose_secret()]).await?;
        let quota = answer.object("quota").ok_or_else(unreadable)?;
        let number = |name| quota.number(name).ok_or_else(unreadable);
        Ok(Quota {
            daily_limit: number("daily_limit")?,
            used: number("used")?,
            remain: number("remain")?,
            rate_limit: rate_limit(&answer, "rate_limit"),
            component_rate_limit: rate_limit(&answer, "component_rate_limit"),
        })
    }
}

fn rate_limit(answer: &Answer, name: &str) -> Option<RateLimit> {
    let limit = answer.object(name)?;
    Some(RateLimit {
        call_count: limit.number("call_count")?,
        refresh_second: limit.number("refresh_second")?,
    })
}
