//! The two calls that give an access_token (§6.2).

use axum::http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call, Refused};

/// `GET /cgi-bin/token`.
pub(super) fn classic(call: &mut Call) -> Result<Answer, Refused> {
    let (app_id, secret) = (call.parameter("appid"), call.parameter("secret"));
    call.note("family", "classic");
    if call.method != Method::GET {
        return Err(Refused(43001));
    }
    let grant_type = call.parameter("grant_type");
    admit(call, &grant_type, &app_id, &secret)?;
    let now_s = call.world.clock.now_s();
    let mut wechat = call.world.wechat();
    let account = wechat.accounts.get_mut(&app_id).ok_or(Refused(40013))?;
    let (token, expires_in) = account.tokens.mint(now_s, &call.world.chance);
    Ok(Answer::Json(json!({"access_token": token, "expires_in": expires_in})))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    appid: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    force_refresh: bool,
}

/// `POST /cgi-bin/stable_token`.
pub(super) fn stable(call: &mut Call) -> Result<Answer, Refused> {
    call.note("family", "stable");
    call.note("force", false);
    if call.method != Method::POST {
        return Err(Refused(43002));
    }
    let asked: Asked = call.json()?;
    call.note("force", asked.force_refresh);
    admit(call, &asked.grant_type, &asked.appid, &asked.secret)?;
    let now_s = call.world.clock.now_s();
    let mut wechat = call.world.wechat();
    let account = wechat.accounts.get_mut(&asked.appid).ok_or(Refused(40013))?;
    let (token, expires_in) = account.tokens.stable(asked.force_refresh, now_s, &call.world.chance);
    Ok(Answer::Json(json!({"access_token": token, "expires_in": expires_in})))
}

fn admit(call: &mut Call, grant_type: &str, app_id: &str, secret: &str) -> Result<(), Refused> {
    call.belongs_to(app_id);
    if grant_type != "client_credential" {
        return Err(Refused(40002));
    }
    check_secret(call, app_id, secret)?;
    call.check_address(app_id, true)?;
    call.count(app_id)
}

/// AppID and AppSecret belong together, and the secret is not frozen.
pub(super) fn check_secret(call: &Call, app_id: &str, secret: &str) -> Result<(), Refused> {
    if app_id.is_empty() {
        return Err(Refused(41002));
    }
    if secret.is_empty() {
        return Err(Refused(41004));
    }
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40013))?;
    if account.rules.secret_frozen {
        return Err(Refused(40243));
    }
    if account.config.app_secret == secret { Ok(()) } else { Err(Refused(40125)) }
}
