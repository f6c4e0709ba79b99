//! Agents over the control endpoints: `/sim/im/…`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Wait, answer, complain, read};
use crate::im::agents::{self, ClientMessage};
use crate::im::callbacks;
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/im/agents/{user}/say", post(say))
        .route("/sim/im/agents/{user}/send", post(send))
        .route("/sim/im/agents/{user}/chats", get(chats))
        .route("/sim/im/agents/{user}/read", post(mark_read))
        .route("/sim/im/agents/{user}/login", post(login))
        .route("/sim/im/agents/{user}/logout", post(logout))
        .route("/sim/im/callback", post(callback))
}

#[derive(Deserialize)]
struct Say {
    to: String,
    text: String,
}

async fn say(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    let Say { to, text } = match read(&body) {
        Ok(said) => said,
        Err(complaint) => return *complaint,
    };
    let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
    let message = ClientMessage {
        to,
        body,
        online_only: false,
        cloud_custom_data: None,
        send_msg_result: 0,
        seq: None,
        random: None,
    };
    sent(&world, &user, message, &wait).await
}

async fn send(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    match read::<ClientMessage>(&body) {
        Ok(message) => sent(&world, &user, message, &wait).await,
        Err(complaint) => *complaint,
    }
}

/// A refused message is an answer too: the client would show its code and words.
async fn sent(world: &Arc<World>, user: &str, message: ClientMessage, wait: &Wait) -> Response {
    match agents::send(world, user, message).await {
        Ok(sent) => {
            if let (1.., Some(after)) = (wait.wait, sent.after) {
                let _ = after.await;
            }
            answer(&json!({"msg_key": sent.key, "time": sent.time, "error_code": 0}))
        }
        Err(refused) => answer(&json!({"error_code": refused.code, "error_info": refused.info})),
    }
}

async fn chats(State(world): State<Arc<World>>, Path(user): Path<String>) -> Response {
    answer(&agents::chats(&world, &user))
}

#[derive(Deserialize)]
struct Read {
    peer: String,
}

async fn mark_read(State(world): State<Arc<World>>, Path(user): Path<String>, body: Bytes) -> Response {
    match read::<Read>(&body) {
        Ok(Read { peer }) => {
            agents::read(&world, &user, &peer);
            answer(&json!({"ok": true}))
        }
        Err(complaint) => *complaint,
    }
}

async fn login(State(world): State<Arc<World>>, Path(user): Path<String>) -> Response {
    agents::log_in(&world, &user, true);
    answer(&json!({"ok": true}))
}

async fn logout(State(world): State<Arc<World>>, Path(user): Path<String>) -> Response {
    agents::log_in(&world, &user, false);
    answer(&json!({"ok": true}))
}

/// Any webhook, for what this simulator does not send by itself.
#[derive(Deserialize)]
struct Callback {
    command: String,
    #[serde(default = "web")]
    platform: String,
    body: Value,
}

fn web() -> String {
    "Web".into()
}

async fn callback(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let Callback { command, platform, body } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    if !body.is_object() {
        return complain(StatusCode::BAD_REQUEST, "body must be an object");
    }
    match callbacks::raw(&world, &command, &platform, body).await {
        Some(outcome) => answer(&outcome),
        None => complain(StatusCode::CONFLICT, "no callback_url is set"),
    }
}
