//! How often a path may still be called, and starting to count anew (§6.3).

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call, Refused, table, token};

#[derive(Deserialize)]
struct Path {
    #[serde(default)]
    cgi_path: String,
}

/// `POST /cgi-bin/openapi/quota/get`.
pub(super) fn get(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let (path, endpoint) = path(call)?;
    let now_s = call.world.clock.now_s();
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
    if !endpoint.needs.has(account.rules.kind, account.config.certified) {
        return Err(Refused(76022));
    }
    let limit = endpoint.limit(&account.rules);
    let used = account.counters.used(&path, now_s);
    let mut answer = json!({"errcode": 0, "errmsg": "ok"});
    // A path without a daily limit is reported as one that can hardly be reached.
    let daily = limit.daily.unwrap_or(100_000_000);
    answer["quota"] = json!({"daily_limit": daily, "used": used, "remain": daily.saturating_sub(used)});
    if let Some(minute) = limit.minute {
        answer["rate_limit"] = json!({"call_count": minute, "refresh_second": 60});
    }
    Ok(Answer::Json(answer))
}

/// `POST /cgi-bin/openapi/quota/clear`.
pub(super) fn clear_path(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let (path, _) = path(call)?;
    let now_s = call.world.clock.now_s();
    let mut wechat = call.world.wechat();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    account.counters.clear_path(&path, now_s)?;
    Ok(Answer::Ok)
}

/// A leading `/`, no host, and a path that exists: 76021. Those of web log-in have no such quota: 76022.
fn path(call: &Call) -> Result<(String, &'static table::Endpoint), Refused> {
    let Path { cgi_path } = call.json()?;
    if cgi_path.starts_with("/sns/") {
        return Err(Refused(76022));
    }
    let endpoint = table::find(&cgi_path).filter(|found| found.path == cgi_path).ok_or(Refused(76021))?;
    Ok((cgi_path, endpoint))
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    appid: String,
    #[serde(default)]
    appsecret: String,
}

/// `POST /cgi-bin/clear_quota`.
pub(super) fn clear(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let asked: Credentials = call.json()?;
    if asked.appid != app_id {
        return Err(Refused(40013));
    }
    clear_all(call, app_id)
}

/// `POST /cgi-bin/clear_quota/v2`: without a token, for when there is no quota left to get one.
pub(super) fn clear_by_secret(call: &mut Call) -> Result<Answer, Refused> {
    let asked: Credentials = call.json()?;
    call.belongs_to(&asked.appid);
    token::check_secret(call, &asked.appid, &asked.appsecret)?;
    clear_all(call, &asked.appid)
}

fn clear_all(call: &Call, app_id: &str) -> Result<Answer, Refused> {
    let now_s = call.world.clock.now_s();
    let mut wechat = call.world.wechat();
    wechat.accounts.get_mut(app_id).ok_or(Refused(40013))?.counters.clear(now_s)?;
    Ok(Answer::Ok)
}
