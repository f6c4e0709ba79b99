//! How a call that arrives is answered, faults included.
//!
//! Both clouds wrap their handlers in [`answer`]: it looks for a fault on the target, carries the work out or not, and
//! does to the connection what the fault says.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::door::Cut;
use crate::faults::{Fault, Kind};
use crate::world::World;

/// A hung call is let go after this, should the client never give up.
const HANG: Duration = Duration::from_secs(120);

/// Lets a call run to its end even when the caller gives up: a real cloud does not notice either, and this is what makes
/// a time-out ambiguous.
pub(crate) async fn to_the_end(request: Request, next: Next) -> Response {
    let running = tokio::spawn(next.run(request));
    running.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Answers one call to `target` with JSON. `work` carries it out; `refusal` makes the cloud's answer for an error code.
pub(crate) async fn answer<F>(
    world: &World,
    cut: &Cut,
    target: &str,
    work: impl FnOnce() -> F,
    refusal: impl FnOnce(i64) -> Value,
) -> Response
where
    F: Future<Output = Value>,
{
    respond(world, cut, target, async || json(&work().await), refusal).await
}

/// As [`answer`], for calls that may answer something else than JSON.
pub(crate) async fn respond<F>(
    world: &World,
    cut: &Cut,
    target: &str,
    work: impl FnOnce() -> F,
    refusal: impl FnOnce(i64) -> Value,
) -> Response
where
    F: Future<Output = Response>,
{
    let Some(fault) = world.faults.take(target) else { return work().await };
    let carried_out = fault.carried_out();
    let (cloud, _) = target.split_once('.').unwrap_or((target, ""));
    world.journal.write(
        cloud,
        "fault",
        serde_json::json!({"api": target, "fault": fault.kind, "value": fault.value, "carried_out": carried_out}),
    );
    if fault.kind == Kind::Delay {
        tokio::time::sleep(fault.pause()).await;
    }
    let answer = if carried_out { Some(work().await) } else { None };
    act(cut, &fault, answer, refusal).await
}

async fn act(
    cut: &Cut,
    fault: &Fault,
    answer: Option<Response>,
    refusal: impl FnOnce(i64) -> Value,
) -> Response {
    match fault.kind {
        Kind::Hang => {
            tokio::time::sleep(HANG).await;
            cut.cut();
            StatusCode::NO_CONTENT.into_response()
        }
        Kind::ResetBefore | Kind::ResetAfter | Kind::Refuse | Kind::ConnectHang => {
            cut.cut();
            // Never written: the connection is already dead.
            StatusCode::NO_CONTENT.into_response()
        }
        Kind::Status => {
            let status = u16::try_from(fault.number(502)).ok().and_then(|n| StatusCode::from_u16(n).ok());
            let page = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";
            (status.unwrap_or(StatusCode::BAD_GATEWAY), [(header::CONTENT_TYPE, "text/html")], page)
                .into_response()
        }
        Kind::ResetInside => {
            cut.cut_inside();
            answer.unwrap_or_default()
        }
        Kind::Drip => {
            cut.drip(fault.number(1));
            let mut answer = answer.unwrap_or_default();
            answer.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            answer
        }
        Kind::Flood => flood(fault.number(64 << 20)),
        Kind::Body => fault.value.as_str().unwrap_or_default().to_owned().into_response(),
        Kind::Errcode => json(&refusal(fault.value.as_i64().unwrap_or(-1))),
        Kind::Truncated => half(answer.unwrap_or_default()).await,
        Kind::DelayAnswer => {
            tokio::time::sleep(fault.pause()).await;
            answer.unwrap_or_default()
        }
        Kind::Delay | Kind::Duplicate | Kind::Overlap => answer.unwrap_or_default(),
    }
}

/// So many bytes, which are held once only, however many calls are answered with them.
fn flood(length: u64) -> Response {
    static WATER: Mutex<Bytes> = Mutex::new(Bytes::new());
    let length = usize::try_from(length.min(1 << 30)).unwrap_or(usize::MAX);
    let mut water = WATER.lock().unwrap_or_else(PoisonError::into_inner);
    if water.len() < length {
        *water = vec![b'~'; length].into();
    }
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], water.slice(..length)).into_response()
}

/// The first half of the answer, under its own headers, as if it were all.
async fn half(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, bytes.slice(..bytes.len() / 2).into())
}

/// HTTP 200 with JSON, as both clouds answer nearly everything.
pub(crate) fn json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}
