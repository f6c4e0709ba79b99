//! Agents over the control endpoints: `/sim/im/…`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Wait, answer, complain, read};
use crate::im::Refused;
use crate::im::agents::{self, ClientMessage, LogIn, LogOut};
use crate::im::callbacks::{self, Odd};
use crate::im::{files, groups};
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/im/agents/{user}/say", post(say))
        .route("/sim/im/agents/{user}/send", post(send))
        .route("/sim/im/agents/{user}/upload", post(upload).layer(DefaultBodyLimit::max(files::MOST_BYTES)))
        .route("/sim/im/agents", get(all))
        .route("/sim/im/agents/{user}/chats", get(chats))
        .route("/sim/im/agents/{user}/conversations", get(conversations))
        .route("/sim/im/agents/{user}/messages", get(messages))
        .route("/sim/im/agents/{user}/read", post(mark_read))
        .route("/sim/im/agents/{user}/typing", post(typing))
        .route("/sim/im/agents/{user}/recall", post(recall))
        .route("/sim/im/agents/{user}/receive", get(receive))
        .route("/sim/im/agents/{user}/login", post(login))
        .route("/sim/im/agents/{user}/logout", post(logout))
        .route("/sim/im/groups/{id}", get(group))
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
        no_hooks: false,
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
    // As a client that cannot reach IM: nothing is sent, and its user sees that.
    if world.faults.take("im.client").is_some() {
        return complain(StatusCode::SERVICE_UNAVAILABLE, "IM cannot be reached");
    }
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

/// What a client's SDK does before it sends a file: the body is the file, the answer says where it is now.
async fn upload(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(Named { name }): Query<Named>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match files::upload(&world, &user, &name, content_type.unwrap_or("application/octet-stream"), body) {
        Ok(mut kept) => {
            kept["error_code"] = 0.into();
            answer(&kept)
        }
        Err(refused) => answer(&json!({"error_code": refused.code, "error_info": refused.info})),
    }
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

async fn chats(State(world): State<Arc<World>>, Path(user): Path<String>) -> Response {
    answer(&agents::chats(&world, &user))
}

/// All who have a client, or could have one: neither admins nor customers' ghosts.
async fn all(State(world): State<Arc<World>>) -> Response {
    let customers: Vec<String> =
        world.wechat().accounts.values().flat_map(|account| account.customers.keys().cloned()).collect();
    let is_ghost = |user: &str| {
        customers.iter().any(|openid| {
            user.strip_prefix(openid.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    answer(&agents::all(&world, is_ghost))
}

/// The list of chats, as an SDK gives it: without their messages, the most recent last.
async fn conversations(State(world): State<Arc<World>>, Path(user): Path<String>) -> Response {
    answer(&agents::conversations(&world, &user))
}

#[derive(Deserialize)]
struct Messages {
    peer: String,
    #[serde(default)]
    after: usize,
}

/// The messages of one chat after the first `after`, and which of all were taken back.
async fn messages(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(Messages { peer, after }): Query<Messages>,
) -> Response {
    answer(&agents::messages(&world, &user, &peer, after))
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

/// What a client's "typing…" looks like (§5.5).
async fn typing(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(wait): Query<Wait>,
    body: Bytes,
) -> Response {
    #[derive(Deserialize)]
    struct Typing {
        to: String,
    }
    let Typing { to } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    let data = r#"{"businessID":"user_typing_status","typingStatus":1,"userAction":14,"version":0}"#;
    let body = json!([{"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}}]);
    let message = ClientMessage {
        to,
        body,
        online_only: true,
        cloud_custom_data: None,
        send_msg_result: 0,
        seq: None,
        random: None,
        no_hooks: false,
    };
    sent(&world, &user, message, &wait).await
}

/// Whether a client's wish was granted: a refusal is an answer too.
fn granted(done: Result<(), Refused>) -> Response {
    match done {
        Ok(()) => answer(&json!({"error_code": 0})),
        Err(refused) => answer(&json!({"error_code": refused.code, "error_info": refused.info})),
    }
}

async fn recall(State(world): State<Arc<World>>, Path(user): Path<String>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Recall {
        to: String,
        msg_key: String,
    }
    match read::<Recall>(&body) {
        Ok(Recall { to, msg_key }) => granted(agents::recall(&world, &user, &to, &msg_key)),
        Err(complaint) => *complaint,
    }
}

#[derive(Deserialize)]
struct Receive {
    #[serde(default)]
    after: usize,
    #[serde(default)]
    wait_ms: u64,
}

/// Waits for what comes next, 25 s at most.
async fn receive(
    State(world): State<Arc<World>>,
    Path(user): Path<String>,
    Query(Receive { after, wait_ms }): Query<Receive>,
) -> Response {
    let until = tokio::time::Instant::now() + Duration::from_millis(wait_ms.min(25_000));
    loop {
        let (next, messages) = agents::received(&world, &user, after);
        if !messages.is_empty() || tokio::time::Instant::now() >= until {
            return answer(&json!({"next": next, "messages": messages}));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn login(State(world): State<Arc<World>>, Path(user): Path<String>, body: Bytes) -> Response {
    match read::<LogIn>(&body) {
        Ok(how) => granted(agents::log_in(&world, &user, &how)),
        Err(complaint) => *complaint,
    }
}

async fn logout(State(world): State<Arc<World>>, Path(user): Path<String>, body: Bytes) -> Response {
    match read::<LogOut>(&body) {
        Ok(how) => {
            agents::log_out(&world, &user, &how);
            answer(&json!({"ok": true}))
        }
        Err(complaint) => *complaint,
    }
}

async fn group(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    match groups::messages(&world, &id) {
        Some(shown) => answer(&shown),
        None => complain(StatusCode::NOT_FOUND, "there is no such group"),
    }
}

/// Any webhook, for what this simulator does not send by itself.
#[derive(Deserialize)]
struct Callback {
    command: String,
    #[serde(default = "web")]
    platform: String,
    body: Value,
    #[serde(flatten)]
    odd: Odd,
}

fn web() -> String {
    "Web".into()
}

async fn callback(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let Callback { command, platform, body, odd } = match read(&body) {
        Ok(asked) => asked,
        Err(complaint) => return *complaint,
    };
    if !body.is_object() {
        return complain(StatusCode::BAD_REQUEST, "body must be an object");
    }
    match callbacks::raw(&world, &command, &platform, body, &odd).await {
        Some(outcome) => answer(&outcome),
        None => complain(StatusCode::CONFLICT, "no callback_url is set"),
    }
}
