//! Reads a request's body, within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;

use super::answer;

/// What a body may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

/// What is read and thrown away of a body that is too large, so that its sender gets to read the answer
/// rather than a reset connection: so many times what is allowed.
const DRAIN: usize = 8;

/// The whole body, or the answer why not: 413, 408, or 400 when the sender broke off.
pub(super) async fn read(request: Request, limits: Limits) -> Result<Bytes, Response> {
    take(request, limits, true).await
}

/// The same for a request that is refused in any case: its body passes by and costs no memory. It is read at all so that
/// its sender gets to read the answer.
pub(super) async fn pass_by(request: Request, limits: Limits) -> Result<(), Response> {
    take(request, limits, false).await.map(drop)
}

async fn take(request: Request, limits: Limits, keep: bool) -> Result<Bytes, Response> {
    let announced = announced(request.headers());
    if announced > limits.bytes
        && (announced > DRAIN * limits.bytes || request.headers().contains_key(EXPECT))
    {
        return Err(closing(StatusCode::PAYLOAD_TOO_LARGE));
    }
    match tokio::time::timeout(limits.time, collect(request.into_body(), announced, limits.bytes, keep)).await
    {
        Ok(result) => result.map_err(closing),
        Err(_) => Err(closing(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn announced(headers: &HeaderMap) -> usize {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

async fn collect(body: Body, announced: usize, limit: usize, keep: bool) -> Result<Bytes, StatusCode> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::with_capacity(if keep { announced.min(limit) } else { 0 });
    let mut seen = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        seen += chunk.len();
        if seen > DRAIN * limit {
            break;
        }
        if keep && seen <= limit {
            kept.extend_from_slice(&chunk);
        }
    }
    if seen > limit { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(kept.into()) }
}

/// The rest of such a body is not read, so the connection cannot be used again.
pub(super) fn closing(status: StatusCode) -> Response {
    let mut response = answer::status(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
