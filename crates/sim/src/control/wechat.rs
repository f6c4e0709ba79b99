//! Official Accounts over the control endpoints: `/sim/wechat/{app_id}/…`. Their customers are in `customers.rs`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Wait, answer, complain, customers, read};
use crate::config::{self as data, Mode, WechatAccountConfig};
use crate::wechat::formats::{Format, samples};
use crate::wechat::media::{Media, MediaKind};
use crate::wechat::messages::decoded;
use crate::wechat::{SYSTEM_SENDER, followers, verify};
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/wechat/{app_id}/verify", post(check_url))
        .route("/sim/wechat/{app_id}/revoke_tokens", post(revoke))
        .route("/sim/wechat/{app_id}/console", post(console))
        .route("/sim/wechat/{app_id}/config", get(config).post(change_config))
        .route("/sim/wechat/{app_id}/event", post(event))
        .route("/sim/wechat/{app_id}/media", post(add_media))
        .route("/sim/wechat/{app_id}/customers/seed", post(seed))
        .merge(customers::router())
}

pub(super) fn no_account() -> Response {
    complain(StatusCode::NOT_FOUND, "no such account")
}

async fn check_url(State(world): State<Arc<World>>, Path(app_id): Path<String>) -> Response {
    verify::verify(&world, &app_id).await.map_or_else(no_account, |outcome| answer(&outcome))
}

/// The server settings of the console; fields that are left out stay as they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Console {
    webhook_url: Option<String>,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    mode: Option<Mode>,
    format: Option<data::Format>,
}

async fn console(State(world): State<Arc<World>>, Path(app_id): Path<String>, body: Bytes) -> Response {
    let asked: Console = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    let config = world.wechat().accounts.get(&app_id).map(|account| (*account.config).clone());
    let Some(now) = config else { return no_account() };
    let config = WechatAccountConfig {
        webhook_url: asked.webhook_url.or(now.webhook_url),
        token: asked.token.unwrap_or(now.token),
        encoding_aes_key: asked.encoding_aes_key.or(now.encoding_aes_key),
        mode: asked.mode.unwrap_or(now.mode),
        format: asked.format.unwrap_or(now.format),
        ..now
    };
    match verify::submit(&world, config).await {
        Ok(()) => answer(&json!({"ok": true})),
        Err(error) => complain(StatusCode::CONFLICT, &error),
    }
}

async fn revoke(State(world): State<Arc<World>>, Path(app_id): Path<String>) -> Response {
    match world.wechat().accounts.get_mut(&app_id) {
        Some(account) => {
            account.revoke_tokens();
            answer(&json!({"ok": true}))
        }
        None => no_account(),
    }
}

async fn config(State(world): State<Arc<World>>, Path(app_id): Path<String>) -> Response {
    let wechat = world.wechat();
    wechat.accounts.get(&app_id).map_or_else(no_account, |account| answer(&json!(account.rules)))
}

/// The fields of the body replace those of the account's rules; the others stay as they are.
async fn change_config(State(world): State<Arc<World>>, Path(app_id): Path<String>, body: Bytes) -> Response {
    let changes: Map<String, Value> = match read(&body) {
        Ok(changes) => changes,
        Err(complaint) => return *complaint,
    };
    let mut wechat = world.wechat();
    let Some(account) = wechat.accounts.get_mut(&app_id) else { return no_account() };
    let mut rules = json!(account.rules);
    for (name, value) in changes {
        rules[name] = value;
    }
    match serde_json::from_value(rules) {
        Ok(rules) => {
            account.rules = rules;
            answer(&json!(account.rules))
        }
        Err(error) => complain(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

#[derive(Deserialize)]
struct Seed {
    count: u64,
}

async fn seed(State(world): State<Arc<World>>, Path(app_id): Path<String>, body: Bytes) -> Response {
    let Seed { count } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    if count > followers::MOST_SEEDED {
        return complain(StatusCode::BAD_REQUEST, "at most 1,000,000 followers can be seeded");
    }
    match world.wechat().accounts.get_mut(&app_id) {
        Some(account) => {
            account.seed(count);
            let first = (count > 0).then(|| followers::openid(&app_id, 0));
            let last = count.checked_sub(1).map(|n| followers::openid(&app_id, n));
            answer(&json!({"count": count, "first": first, "last": last}))
        }
        None => no_account(),
    }
}

/// An event that no customer causes.
async fn event(
    state: State<Arc<World>>,
    Path(app_id): Path<String>,
    wait: Query<Wait>,
    body: Bytes,
) -> Response {
    customers::event(state, Path((app_id, SYSTEM_SENDER.into())), wait, body).await
}

/// A file that the account has, without uploading it: its kind, its bytes, whether it is permanent, and whether a web
/// page recorded it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMedia {
    r#type: MediaKind,
    base64: Option<String>,
    #[serde(default)]
    permanent: bool,
    #[serde(default)]
    jssdk: bool,
}

async fn add_media(State(world): State<Arc<World>>, Path(app_id): Path<String>, body: Bytes) -> Response {
    let asked: NewMedia = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    let (format, sample): (_, fn() -> Vec<u8>) = match asked.r#type {
        MediaKind::Voice if asked.jssdk => (Format::Speex, || b"speex".to_vec()),
        MediaKind::Voice => (Format::Amr, samples::amr),
        MediaKind::Video => (Format::Mp4, || samples::MP4.to_vec()),
        MediaKind::Image | MediaKind::Thumb | MediaKind::News => (Format::Jpeg, || samples::JPEG.to_vec()),
    };
    let bytes = match decoded(asked.base64, sample) {
        Ok(bytes) => bytes,
        Err(error) => return complain(StatusCode::BAD_REQUEST, &error),
    };
    let format = Format::of(&bytes).unwrap_or(format);
    let mut media = Media::new(asked.r#type, format, bytes);
    media.jssdk = asked.jssdk;
    let media = if asked.permanent { media.permanent() } else { media };
    let now_ms = world.clock.now_ms();
    let mut wechat = world.wechat();
    let base_url = wechat.base_url.clone();
    let Some(account) = wechat.accounts.get_mut(&app_id) else { return no_account() };
    let media_id = account.media.add(media, now_ms, &world.chance);
    let path = account.media.file(&media_id).map(Media::path).unwrap_or_default();
    answer(&json!({"media_id": media_id, "url": format!("{base_url}{path}")}))
}
