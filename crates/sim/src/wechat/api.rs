//! What the gateway calls: the HTTP side of WeChat's API (§6, §7).
//!
//! Status 200 even for errors, `errcode` in the body, a ` rid: …` at the end of `errmsg`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::Method;
use axum::middleware;
use axum::response::Response;
use axum::routing::any;
use serde_json::{Value, json};
use url::form_urlencoded;

use ::wechat::wire;

use super::custom_send;
use super::tokens::Standing;
use crate::door::Cut;
use crate::serve;
use crate::world::World;

/// A refusal: its errcode and WeChat's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) i64);

/// WeChat's API.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/cgi-bin/token", any(token))
        .route(wire::STABLE_TOKEN, any(stable_token))
        .route(wire::CUSTOM_SEND, any(send))
        .fallback(unknown)
        .with_state(world)
        .layer(middleware::from_fn(serve::to_the_end))
}

async fn token(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    RawQuery(query): RawQuery,
) -> Response {
    let work = async || {
        let get = |name: &str| parameter(query.as_deref(), name).unwrap_or_default();
        let (app_id, secret) = (get("appid"), get("secret"));
        let answer = check_secret(&world, &get("grant_type"), &app_id, &secret).map(|()| {
            let now_s = world.clock.now_s();
            let mut wechat = world.wechat();
            wechat.accounts.get_mut(&app_id).map(|account| account.tokens.mint(now_s, &world.chance))
        });
        token_answer(&world, "wechat.token", &app_id, answer, json!({"family": "classic"}))
    };
    serve::answer(&world, &cut, "wechat.token", work, |code| refusal(&world, Refused(code))).await
}

async fn stable_token(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: Method,
    body: Bytes,
) -> Response {
    let work = async || {
        let asked = serde_json::from_slice::<wire::StableTokenRequest>(&body);
        let app_id = asked.as_ref().map(|asked| asked.appid.clone()).unwrap_or_default();
        let force = asked.as_ref().is_ok_and(|asked| asked.force_refresh);
        let answer = match asked {
            _ if method != Method::POST => Err(Refused(43002)),
            _ if body.is_empty() => Err(Refused(44002)),
            Err(_) => Err(Refused(47001)),
            Ok(asked) => check_secret(&world, &asked.grant_type, &asked.appid, &asked.secret),
        };
        let answer = answer.map(|()| {
            let now_s = world.clock.now_s();
            let mut wechat = world.wechat();
            wechat.accounts.get_mut(&app_id).map(|account| account.tokens.stable(force, now_s, &world.chance))
        });
        token_answer(&world, "wechat.token", &app_id, answer, json!({"family": "stable", "force": force}))
    };
    serve::answer(&world, &cut, "wechat.token", work, |code| refusal(&world, Refused(code))).await
}

fn check_secret(world: &World, grant_type: &str, app_id: &str, secret: &str) -> Result<(), Refused> {
    if grant_type != "client_credential" {
        return Err(Refused(40002));
    }
    if app_id.is_empty() {
        return Err(Refused(41002));
    }
    if secret.is_empty() {
        return Err(Refused(41004));
    }
    let wechat = world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40013))?;
    if account.config.app_secret == secret { Ok(()) } else { Err(Refused(40125)) }
}

fn token_answer(
    world: &World,
    api: &str,
    app_id: &str,
    answer: Result<Option<(String, i64)>, Refused>,
    mut fields: Value,
) -> Value {
    let answer = answer.and_then(|token| token.ok_or(Refused(40013)));
    fields["api"] = api.into();
    fields["app_id"] = app_id.into();
    fields["errcode"] = answer.as_ref().err().map_or(0, |refused| refused.0).into();
    world.journal.write("wechat", "call", fields);
    match answer {
        Ok((access_token, expires_in)) => {
            let expires_in = expires_in.unsigned_abs();
            serde_json::to_value(wire::StableTokenAnswer { access_token, expires_in }).unwrap_or_default()
        }
        Err(refused) => refusal(world, refused),
    }
}

async fn send(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    RawQuery(query): RawQuery,
    method: Method,
    body: Bytes,
) -> Response {
    let work = async || {
        let account = token_owner(&world, query.as_deref());
        match custom_send::send(&world, account, &method, &body) {
            Ok(()) => serde_json::to_value(wire::Outcome::ok()).unwrap_or_default(),
            Err(refused) => refusal(&world, refused),
        }
    };
    serve::answer(&world, &cut, "wechat.custom_send", work, |code| refusal(&world, Refused(code))).await
}

/// The account that the call's access_token belongs to.
fn token_owner(world: &World, query: Option<&str>) -> Result<String, Refused> {
    let token = parameter(query, "access_token").filter(|token| !token.is_empty()).ok_or(Refused(41001))?;
    let now_s = world.clock.now_s();
    let mut expired = false;
    for (app_id, account) in &world.wechat().accounts {
        match account.tokens.standing(&token, now_s) {
            Standing::Good => return Ok(app_id.clone()),
            Standing::Expired => expired = true,
            Standing::Unknown => {}
        }
    }
    Err(Refused(if expired { 42001 } else { 40001 }))
}

async fn unknown(State(world): State<Arc<World>>) -> Response {
    serve::json(&refusal(&world, Refused(40066)))
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    form_urlencoded::parse(query?.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// WeChat's answer for an errcode.
pub(crate) fn refusal(world: &World, Refused(errcode): Refused) -> Value {
    let words = match errcode {
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40008 => "invalid message type",
        40013 => "invalid appid",
        40066 => "invalid url",
        40125 => "invalid appsecret",
        40164 => "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        42001 => "access_token expired",
        43002 => "require POST method",
        43004 => "require subscribe",
        44002 => "empty post data",
        44004 => "empty content",
        45002 => "content size out of limit",
        45008 => "article size out of limit",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        45015 => "response out of time limit or subscription is canceled",
        45047 => "out of response count limit",
        47001 => "data format error",
        48001 => "api unauthorized",
        48002 => "user block message",
        _ => "error",
    };
    let rid = format!("{}-{}-{}", world.chance.hex(8), world.chance.hex(8), world.chance.hex(8));
    json!({"errcode": errcode, "errmsg": format!("{words} rid: {rid}")})
}
