//! How many calls are left, and what became of one. Start at [`Client::quota`].

use std::fmt;

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

/// A call as WeChat remembers it. `url` has the access_token in it and the bodies have what the customer reads,
/// so `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct PastCall {
    /// When, seconds since 1970.
    pub invoked_at: Option<i64>,
    /// How long WeChat took, in milliseconds.
    pub cost_ms: Option<u64>,
    /// The URL's parameters or the whole URL, as WeChat writes it.
    pub url: String,
    /// What was sent.
    pub request_body: String,
    /// What WeChat answered.
    pub response_body: String,
    /// Which address it came from.
    pub client_ip: String,
}

impl fmt::Debug for PastCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PastCall");
        debug.field("invoked_at", &self.invoked_at).field("cost_ms", &self.cost_ms).finish_non_exhaustive()
    }
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
        quota(&answer).ok_or_else(unreadable)
    }

    /// Sets one call's quota back (`POST /cgi-bin/openapi/quota/clear`), 50 times a month.
    ///
    /// Vendor page: `/doc/offiaccount/openApi/clear_quota.html`.
    ///
    /// # Errors
    ///
    /// As [`Client::quota`]; 48006 when this month's are used up.
    #[tracing::instrument(name = "wechat.quota_clear", skip_all)]
    pub async fn quota_clear(&self, access_token: &SecretString, path: &str) -> Result<(), CallError> {
        let body = wire::ApiPath { cgi_path: path.to_owned() };
        let request = self.post(wire::QUOTA_CLEAR, access_token, &body);
        self.command(request, &[access_token.expose_secret()]).await
    }

    /// Sets the quotas of all calls back (`POST /cgi-bin/clear_quota`), 10 times a month together with
    /// [`Client::clear_quota_by_secret`] and the console.
    ///
    /// Vendor page: `/doc/offiaccount/openApi/clear_quota.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 48006 when this month's are used up. After [`CallError::Unclear`] one of them may be
    /// gone.
    #[tracing::instrument(name = "wechat.clear_quota", skip_all)]
    pub async fn clear_quota(&self, access_token: &SecretString, app_id: &str) -> Result<(), CallError> {
        let body = wire::AppId { appid: app_id.to_owned() };
        let request = self.post(wire::CLEAR_QUOTA, access_token, &body);
        self.command(request, &[access_token.expose_secret()]).await
    }

    /// As [`Client::clear_quota`], for when there is no quota left to get an access_token
    /// (`POST /cgi-bin/clear_quota/v2`).
    ///
    /// Vendor page: `/doc/oplatform/openApi/OpenApiDoc/openapi/clearQuotaByAppSecret.html`.
    ///
    /// # Errors
    ///
    /// As [`Client::clear_quota`]. Judge codes with [`crate::token_call_verdict`].
    #[tracing::instrument(name = "wechat.clear_quota_by_secret", skip_all)]
    pub async fn clear_quota_by_secret(
        &self,
        app_id: &str,
        app_secret: &SecretString,
    ) -> Result<(), CallError> {
        let secret = app_secret.expose_secret();
        // WeChat's page names the parameters both in its table of the query and in its example of the body.
        let body = wire::ClearQuotaBySecret { appid: app_id.to_owned(), appsecret: secret.to_owned() };
        self.command(self.http.post(self.url(wire::CLEAR_QUOTA_V2)).json(&body), &[secret]).await
    }

    /// What became of an earlier call, by the `rid` in its `errmsg`, for seven days
    /// (`POST /cgi-bin/openapi/rid/get`).
    ///
    /// Vendor page: `/doc/offiaccount/openApi/clear_quota.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 76001 to 76004 for a rid that is unknown, another account's or too old.
    #[tracing::instrument(name = "wechat.rid", skip_all)]
    pub async fn rid(&self, access_token: &SecretString, rid: &str) -> Result<PastCall, CallError> {
        let request = self.post(wire::RID_GET, access_token, &wire::Rid { rid: rid.to_owned() });
        past_call(&self.call(request, &[access_token.expose_secret()]).await?).ok_or_else(unreadable)
    }
}

/// `None` where a number is missing.
pub(super) fn quota(answer: &Answer) -> Option<Quota> {
    let quota = answer.object("quota")?;
    Some(Quota {
        daily_limit: quota.number("daily_limit")?,
        used: quota.number("used")?,
        remain: quota.number("remain")?,
        rate_limit: rate_limit(answer, "rate_limit"),
        component_rate_limit: rate_limit(answer, "component_rate_limit"),
    })
}

/// `None` where no call is told.
pub(super) fn past_call(answer: &Answer) -> Option<PastCall> {
    let request = answer.object("request")?;
    Some(PastCall {
        invoked_at: request.number("invoke_time"),
        cost_ms: request.number("cost_in_ms"),
        url: request.text("request_url"),
        request_body: request.text("request_body"),
        response_body: request.text("response_body"),
        client_ip: request.text("client_ip"),
    })
}

fn rate_limit(answer: &Answer, name: &str) -> Option<RateLimit> {
    let limit = answer.object(name)?;
    Some(RateLimit {
        call_count: limit.number("call_count")?,
        refresh_second: limit.number("refresh_second")?,
    })
}
