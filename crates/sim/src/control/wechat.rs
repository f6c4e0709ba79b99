//! Customers over the control endpoints: `/sim/wechat/{app_id}/…`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Wait, answer, complain, read};
use crate::config::{self as data, Mode, WechatAccountConfig};
use crate::wechat::customers::{self, Started};
use crate::wechat::formats::{Format, samples};
use crate::wechat::media::{Media, MediaKind};
use crate::wechat::messages::{Message, decoded};
use crate::wechat::{SYSTEM_SENDER, followers, verify};
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/wechat/{app_id}/verify", post(check_url))
        .route("/sim/wechat/{app_id}/revoke_tokens", post(revoke))
        .route("/sim/wechat/{app_id}/console", post(console))
        .route("/sim/wechat/{app_id}/config", get(config).post(change_config))
        .route("/sim/wechat/{app_id}/customers/seed", post(seed))
        .route("/sim/wechat/{app_id}/customers/{openid}", get(customer))
        .route("/sim/wechat/{app_id}/customers/{openid}/follow", post(follow))
        .route("/sim/wechat/{app_id}/customers/{openid}/unfollow", post(unfollow))
        .route("/sim/wechat/{app_id}/customers/{openid}/say", post(say))
        .route("/sim/wechat/{app_id}/customers/{openid}/send", post(send))
        .route("/sim/wechat/{app_id}/customers/{openid}/event", post(event))
        .route("/sim/wechat/{app_id}/customers/{openid}/pay", post(pay))
        .route("/sim/wechat/{app_id}/customers/{openid}/settings", post(settings))
        .route("/sim/wechat/{app_id}/customers/{openid}/push", post(push))
        .route("/sim/wechat/{app_id}/event", post(system_event))
        .route("/sim/wechat/{app_id}/media", post(add_media))
        .route("/sim/wechat/{app_id}/customers/{openid}/transcript", get(transcript))
}

type Customer = Path<(String, String)>;

fn no_account() -> Response {
    complain(StatusCode::NOT_FOUND, "no such account")
}

/// The id at once, or the whole report when the caller waits.
async fn tell(started: Option<Started>, wait: &Wait) -> Response {
    let Some((msg_id, task)) = started else { return no_account() };
    if wait.wait == 0 {
        return answer(&json!({"msg_id": msg_id}));
    }
    match task.await {
        Ok(report) => answer(&json!(report)),
        Err(_) => complain(StatusCode::INTERNAL_SERVER_ERROR, "the push was aborted"),
    }
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
    let config = world.wechat().accounts.get(&app_id).map(|account| account.config.clone());
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

async fn customer(State(world): State<Arc<World>>, Path((app_id, openid)): Customer) -> Response {
    let now_ms = world.clock.now_ms();
    let mut wechat = world.wechat();
    let Some(account) = wechat.accounts.get_mut(&app_id) else { return no_account() };
    match account.known(&openid) {
        Some(customer) => answer(&customer.told(now_ms)),
        None => complain(StatusCode::NOT_FOUND, "no such customer"),
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

#[derive(Deserialize)]
struct Follow {
    scene: Option<String>,
}

async fn follow(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    match read::<Follow>(&body) {
        Ok(asked) => tell(customers::follow(&world, &app_id, &openid, asked.scene.as_deref()), &wait).await,
        Err(complaint) => *complaint,
    }
}

async fn unfollow(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
) -> Response {
    tell(customers::unfollow(&world, &app_id, &openid), &wait).await
}

#[derive(Deserialize)]
struct Say {
    text: String,
}

async fn say(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    match read::<Say>(&body) {
        Ok(Say { text }) => tell(customers::say(&world, &app_id, &openid, &text), &wait).await,
        Err(complaint) => *complaint,
    }
}

async fn send(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    let message = match read::<Message>(&body) {
        Ok(message) => message,
        Err(complaint) => return *complaint,
    };
    match customers::send(&world, &app_id, &openid, message) {
        Ok(started) => tell(started, &wait).await,
        Err(error) => complain(StatusCode::BAD_REQUEST, &error),
    }
}

/// An event by its name; `fields` go over its usual body, `count` pushes it so many times, all in the same moment.
#[derive(Deserialize)]
struct Event {
    event: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default = "once")]
    count: u32,
}

fn once() -> u32 {
    1
}

async fn event(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    let Event { event, fields, count } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    for _ in 1..count.clamp(1, 10_000) {
        customers::event(&world, &app_id, &openid, &event, fields.clone());
    }
    let started = customers::event(&world, &app_id, &openid, &event, fields);
    // The pictures that were taken follow as ordinary messages.
    if started.is_some() && event.starts_with("pic_") {
        let _ = customers::send(&world, &app_id, &openid, Message::Image { base64: None });
    }
    tell(started, &wait).await
}

async fn system_event(
    state: State<Arc<World>>,
    Path(app_id): Path<String>,
    wait: Query<Wait>,
    body: Bytes,
) -> Response {
    event(state, Path((app_id, SYSTEM_SENDER.into())), wait, body).await
}

async fn pay(State(world): State<Arc<World>>, Path((app_id, openid)): Customer) -> Response {
    match customers::pay(&world, &app_id, &openid) {
        Some(true) => answer(&json!({"ok": true})),
        Some(false) => complain(StatusCode::CONFLICT, "only certified service accounts can be paid"),
        None => no_account(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    blocked: Option<bool>,
    refuses_messages: Option<bool>,
}

async fn settings(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    body: Bytes,
) -> Response {
    let Settings { blocked, refuses_messages } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    let mut wechat = world.wechat();
    let Some(account) = wechat.accounts.get_mut(&app_id) else { return no_account() };
    let customer = account.customer(&openid);
    customer.blocked = blocked.unwrap_or(customer.blocked);
    customer.refuses_messages = refuses_messages.unwrap_or(customer.refuses_messages);
    answer(&json!({"blocked": customer.blocked, "refuses_messages": customer.refuses_messages}))
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

/// Either `fields` (missing header fields are added, null ones left out) or a `document` word for word, which may be
/// given as `document_hex` when it is no text.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Push {
    Fields(Map<String, Value>),
    Document(String),
    DocumentHex(String),
}

async fn push(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    let started = match read::<Push>(&body) {
        Err(complaint) => return *complaint,
        Ok(Push::Fields(fields)) => customers::act(&world, &app_id, &openid, fields),
        Ok(Push::Document(document)) => {
            customers::send_document(&world, &app_id, &openid, document.into_bytes())
        }
        Ok(Push::DocumentHex(digits)) => match hex::decode(digits) {
            Ok(document) => customers::send_document(&world, &app_id, &openid, document),
            Err(error) => return complain(StatusCode::BAD_REQUEST, &error.to_string()),
        },
    };
    tell(started, &wait).await
}

async fn transcript(State(world): State<Arc<World>>, Path((app_id, openid)): Customer) -> Response {
    let wechat = world.wechat();
    let Some(account) = wechat.accounts.get(&app_id) else { return no_account() };
    answer(&json!(account.customers.get(&openid).map(|c| c.transcript.as_slice()).unwrap_or_default()))
}
