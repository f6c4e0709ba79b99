//! Customers over the control endpoints: `/sim/wechat/{app_id}/customers/{openid}/…`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wechat::no_account;
use super::{Wait, answer, complain, read};
use crate::wechat::customers::{self, Started};
use crate::wechat::messages::Message;
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/wechat/{app_id}/customers/{openid}", get(customer))
        .route("/sim/wechat/{app_id}/customers/{openid}/follow", post(follow))
        .route("/sim/wechat/{app_id}/customers/{openid}/unfollow", post(unfollow))
        .route("/sim/wechat/{app_id}/customers/{openid}/say", post(say))
        .route("/sim/wechat/{app_id}/customers/{openid}/send", post(send))
        .route("/sim/wechat/{app_id}/customers/{openid}/event", post(event))
        .route("/sim/wechat/{app_id}/customers/{openid}/pay", post(pay))
        .route("/sim/wechat/{app_id}/customers/{openid}/settings", post(settings))
        .route("/sim/wechat/{app_id}/customers/{openid}/push", post(push))
        .route("/sim/wechat/{app_id}/customers/{openid}/transcript", get(transcript))
        .route("/sim/wechat/{app_id}/customers/{openid}/files/{media_id}", get(file))
}

type Customer = Path<(String, String)>;

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

async fn customer(State(world): State<Arc<World>>, Path((app_id, openid)): Customer) -> Response {
    let now_ms = world.clock.now_ms();
    let mut wechat = world.wechat();
    let Some(account) = wechat.accounts.get_mut(&app_id) else { return no_account() };
    match account.known(&openid) {
        Some(customer) => answer(&customer.told(now_ms)),
        None => complain(StatusCode::NOT_FOUND, "no such customer"),
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

pub(super) async fn event(
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

/// A picture, voice or video of her chat, as her WeChat loads it.
async fn file(
    State(world): State<Arc<World>>,
    Path((app_id, openid, media_id)): Path<(String, String, String)>,
) -> Response {
    let wechat = world.wechat();
    let Some(account) = wechat.accounts.get(&app_id) else { return no_account() };
    let in_her_chat = account.customers.get(&openid).is_some_and(|customer| customer.has_file(&media_id));
    match account.media.file(&media_id).filter(|_| in_her_chat) {
        Some(file) => ([(CONTENT_TYPE, file.format.content_type())], file.bytes.clone()).into_response(),
        None => complain(StatusCode::NOT_FOUND, "no such file in her chat"),
    }
}

/// Lines after number `after`; a line's number is its place in the chat.
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: usize,
}

async fn transcript(
    State(world): State<Arc<World>>,
    Path((app_id, openid)): Customer,
    Query(After { after }): Query<After>,
) -> Response {
    let wechat = world.wechat();
    let Some(account) = wechat.accounts.get(&app_id) else { return no_account() };
    let lines = account.customers.get(&openid).and_then(|customer| customer.transcript.get(after..));
    answer(&json!(lines.unwrap_or_default()))
}
