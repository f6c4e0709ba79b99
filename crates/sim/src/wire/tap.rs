//! Where the wire is tapped: around the clouds' API, around what clients do, and beside the calls that the clouds make.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, Method, request};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::{End, Outcome, Party, Side, Start, beginning, cut};
use crate::door::Cut;
use crate::world::World;

const CUT: &str = "connection cut";
/// Larger bodies pass by unread.
const READ: u64 = 1 << 20;

/// A hop under way. If it is dropped before it ended, whoever waited for it gave up.
pub(crate) struct Begun {
    world: Arc<World>,
    id: Option<u64>,
    given_up: &'static str,
    /// The caller's connection; one that was cut takes the work with it.
    connection: Option<Cut>,
}

impl Begun {
    pub(crate) fn new(world: &Arc<World>, start: Start, given_up: &'static str) -> Begun {
        Begun { world: world.clone(), id: Some(world.wire.begin(start)), given_up, connection: None }
    }

    pub(crate) fn end(mut self, outcome: Outcome, end: End) {
        if let Some(id) = self.id.take() {
            self.world.wire.end(id, outcome, end);
        }
    }

    /// Nobody knows what became of it; the word says why.
    pub(crate) fn lost(self, why: &'static str) {
        self.end(Outcome::Lost, End { why, ..End::default() });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let cut = self.connection.as_ref().is_some_and(Cut::is_cut);
            let why = if cut { CUT } else { self.given_up };
            let end = End { why, ..End::default() };
            self.world.wire.end(id, Outcome::Lost, end);
        }
    }
}

/// The gateway calls WeChat's API.
pub(crate) async fn wechat_api(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let name = request.uri().path().trim_start_matches("/cgi-bin/").trim_start_matches('/').to_owned();
    let caller = caller(&request, Party::Customer);
    exchange(&world, (caller, Party::Wechat), name, None, request, next).await
}

/// The gateway calls IM's API.
pub(crate) async fn im_api(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let name = request.uri().path().trim_start_matches("/v4/").trim_start_matches('/').to_owned();
    let caller = caller(&request, Party::Agent);
    exchange(&world, (caller, Party::Im), name, None, request, next).await
}

/// Files are also loaded by the clients, which a browser plays here, and browsers say so.
fn caller(request: &Request, client: Party) -> Party {
    if request.headers().contains_key("sec-fetch-dest") { client } else { Party::Gateway }
}

/// A client calls its own cloud; whatever else comes over the control endpoints is none of the wire's business.
pub(crate) async fn client_calls(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (way, who, name) = match parts.as_slice() {
        ["sim", "wechat", _, "customers", who, name @ ("follow" | "unfollow" | "say" | "send" | "event")] => {
            ((Party::Customer, Party::Wechat), who, name)
        }
        ["sim", "im", "agents", who, name @ ("say" | "send" | "upload" | "recall" | "login" | "logout")] => {
            ((Party::Agent, Party::Im), who, name)
        }
        _ => return next.run(request).await,
    };
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    exchange(&world, way, (*name).to_owned(), Some((*who).to_owned()), request, next).await
}

async fn exchange(
    world: &Arc<World>,
    (from, to): (Party, Party),
    name: String,
    who: Option<String>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<ConnectInfo<Cut>>().map(|info| info.0.clone());
    let (body, kept, size) = read(body, length(&parts)).await;
    let said: Value = serde_json::from_slice(&kept).unwrap_or_default();
    let (who, note, msg_key) = about(&said, who);
    let request_side = Side {
        line: format!("{} {}", parts.method, parts.uri),
        headers: headers(&parts.headers),
        body: cut(kept),
        size,
        inside: None,
    };
    let start = Start { from, to, name, who, msg_key, note, request: request_side };
    let mut begun = Begun::new(world, start, "caller gave up");
    begun.connection = connection;
    let answer = next.run(Request::from_parts(parts, body)).await;
    if begun.connection.as_ref().is_some_and(Cut::is_cut) {
        begun.lost(CUT);
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let known = body.size_hint().exact();
    let (body, kept, size) = read(body, known).await;
    let status = parts.status.as_u16();
    let (outcome, code) = judge(status, &kept, size);
    let answer_side = Side {
        line: parts.status.to_string(),
        headers: headers(&parts.headers),
        body: cut(kept),
        size,
        inside: None,
    };
    begun.end(outcome, End { status: Some(status), code, why: "", answer: answer_side });
    Response::from_parts(parts, body)
}

/// Reads a body of known, moderate length, and gives it back unread.
async fn read(body: Body, length: Option<u64>) -> (Body, Bytes, u64) {
    match length {
        Some(length) if length <= READ => match axum::body::to_bytes(body, usize::MAX).await {
            Ok(bytes) => (Body::from(bytes.clone()), bytes.clone(), bytes.len() as u64),
            // Whoever sent it is gone, and nobody will read the answer.
            Err(_) => (Body::empty(), Bytes::new(), 0),
        },
        other => (body, Bytes::new(), other.unwrap_or_default()),
    }
}

fn length(parts: &request::Parts) -> Option<u64> {
    match parts.headers.get(CONTENT_LENGTH) {
        Some(length) => length.to_str().ok()?.parse().ok(),
        None if parts.method == Method::GET => Some(0),
        None => None,
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let worth_showing = [CONTENT_TYPE, CONTENT_LENGTH, USER_AGENT, DATE];
    let shown = |name: HeaderName| {
        headers.get(&name).and_then(|value| value.to_str().ok().map(|v| (name.to_string(), v.to_owned())))
    };
    worth_showing.into_iter().filter_map(shown).collect()
}

/// What a request says about itself: whose it is, the beginning of its text, its MsgKey.
pub(crate) fn about(said: &Value, who: Option<String>) -> (String, String, String) {
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let first = |names: &[&str]| {
        names.iter().map(|name| text(name)).find(|found| !found.is_empty()).unwrap_or_default()
    };
    let who = match who {
        // An agent's message is about the one she writes to.
        Some(who) => Some(text("to")).filter(|to| !to.is_empty()).unwrap_or(who),
        None => first(&["touser", "From_Account", "UserID", "Peer_Account", "openid"]),
    };
    let body = said.get("MsgBody").or_else(|| said.get("body"));
    let element = body.and_then(|body| body.get(0));
    let words = match element {
        Some(element) => match element["MsgContent"]["Text"].as_str() {
            Some(text) => text.to_owned(),
            None => element["MsgType"].as_str().unwrap_or_default().to_owned(),
        },
        None => match said["text"]["content"].as_str() {
            Some(text) => text.to_owned(),
            None => first(&["text", "msgtype", "type", "event"]),
        },
    };
    (who, beginning(&words), first(&["MsgKey", "msg_key"]))
}

/// What an answer comes to, and its code. Both clouds say 200 when they refuse.
pub(crate) fn judge(status: u16, body: &[u8], size: u64) -> (Outcome, Option<i64>) {
    if !(200..300).contains(&status) {
        return (Outcome::Refused, None);
    }
    if size > body.len() as u64 {
        return (Outcome::Done, None);
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(answer) => {
            let code = ["errcode", "ErrorCode", "error_code"].iter().find_map(|name| answer[*name].as_i64());
            (if code.unwrap_or(0) == 0 { Outcome::Done } else { Outcome::Refused }, code)
        }
        // Half of a JSON document, or a proxy's page where JSON was due.
        Err(_) if body.first().is_some_and(|first| b"{[".contains(first)) => (Outcome::Lost, None),
        Err(_) => (Outcome::Done, None),
    }
}
