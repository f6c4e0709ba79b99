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
use crate::wechat::customers::{self, Started};
use crate::wechat::{followers, verify};
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/wechat/{app_id}/verify", post(check_url))
        .route("/sim/wechat/{app_id}/revoke_tokens", post(revoke))
        .route("/sim/wechat/{app_id}/config", get(config).post(change_config))
        .route("/sim/wechat/{app_id}/customers/seed", post(seed))
        .route("/sim/wechat/{app_id}/customers/{openid}/follow", post(follow))
        .route("/sim/wechat/{app_id}/customers/{openid}/unfollow", post(unfollow))
        .route("/sim/wechat/{app_id}/customers/{openid}/say", post(say))
        .route("/sim/wechat/{app_id}/customers/{openid}/push", post(push))
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
