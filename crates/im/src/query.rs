//! The query string of a webhook request. Start at [`Query::parse`].

use std::fmt;

use crate::receive::Refusal;

/// Longest query string accepted, in bytes; real ones have about 250.
const MAX_QUERY: usize = 4096;

/// The parameters that Tencent adds to the webhook's address. None of them is signed.
///
/// `Debug` hides `sign`: it is as good as a password while its window lasts.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    /// `SdkAppid`: the app that the webhook is about.
    pub sdk_app_id: u64,
    /// `CallbackCommand`, also given in the body; empty when missing.
    pub command: String,
    /// `ClientIP` of whoever acted, as text.
    pub client_ip: Option<String>,
    /// `OptPlatform` in its usual spelling: `RESTAPI`, `Web`, `Android`, `iOS`, `Windows`, `Mac`, `iPad`,
    /// `Unknown`; any other as received; empty when missing.
    pub opt_platform: String,
    /// `Sign`, when the token is set in the console.
    pub sign: Option<String>,
    /// `RequestTime` in seconds since 1970, exactly as received, when the token is set in the console.
    pub request_time: Option<String>,
}

impl Query {
    /// Reads the part of the address after the `?`. Unknown parameters are ignored.
    ///
    /// # Errors
    ///
    /// [`Refusal::Query`] when it is too long, when a known parameter is there twice or is not printable ASCII;
    /// [`Refusal::SdkAppId`] when `SdkAppid` is missing or no number.
    pub fn parse(raw_query: &str) -> Result<Query, Refusal> {
        const NAMES: [&str; 6] =
            ["SdkAppid", "CallbackCommand", "ClientIP", "OptPlatform", "Sign", "RequestTime"];
        if raw_query.len() > MAX_QUERY {
            return Err(Refusal::Query("it is too long"));
        }
        let mut values: [Option<String>; 6] = Default::default();
        for (name, value) in url::form_urlencoded::parse(raw_query.as_bytes()) {
            let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
            if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
                return Err(Refusal::Query("a parameter has a character outside printable ASCII"));
            }
            if values[at].replace(value.into_owned()).is_some() {
                return Err(Refusal::Query("a parameter is there twice"));
            }
        }
        let values = values.map(|value| value.filter(|v| !v.is_empty()));
        let [sdk_app_id, command, client_ip, opt_platform, sign, request_time] = values;
        Ok(Query {
            sdk_app_id: sdk_app_id.and_then(|id| id.parse().ok()).ok_or(Refusal::SdkAppId)?,
            command: command.unwrap_or_default(),
            client_ip,
            opt_platform: usual_spelling(opt_platform.unwrap_or_default()),
            sign,
            request_time,
        })
    }

    /// Whether `RequestTime` is at most `window` seconds away from `now_s`; 0 = any time will do.
    pub(crate) fn is_fresh(&self, now_s: i64, window: u64) -> bool {
        let signed: Option<i64> = self.request_time.as_deref().and_then(|time| time.parse().ok());
        window == 0 || signed.is_some_and(|signed| signed.abs_diff(now_s) <= window)
    }
}

/// Tencent spells the platforms differently from page to page (`IOS`, `IPad`, `macOS`).
fn usual_spelling(platform: String) -> String {
    const USUAL: [&str; 8] = ["RESTAPI", "Web", "Android", "iOS", "Windows", "Mac", "iPad", "Unknown"];
    if platform.eq_ignore_ascii_case("macOS") {
        return "Mac".to_owned();
    }
    let known = USUAL.iter().find(|usual| usual.eq_ignore_ascii_case(&platform));
    known.map_or(platform, |usual| (*usual).to_owned())
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("sdk_app_id", &self.sdk_app_id)
            .field("command", &self.command)
            .field("opt_platform", &self.opt_platform)
            .field("request_time", &self.request_time)
            .finish_non_exhaustive()
    }
}
