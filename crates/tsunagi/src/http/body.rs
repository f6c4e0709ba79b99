//! Reads a request's body: at most 1 MiB, in at most 3 s.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;

use super::answer;

/// As both clouds' crates: nothing that WeChat or IM sends comes near it.
pub(super) const LIMIT: usize = 1024 * 1024;

/// What is read and thrown away of a body that is too large, so that its sender gets to read the answer
/// rather than a reset connection.
const DRAIN_LIMIT: usize = 8 * LIMIT;

/// WeChat gives up after 5 s, and the store needs its share of them.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// The whole body, or the answer why not: 413, 408, or 400 when the sender broke off.
pub(super) async fn read(request: Request) -> Result<Bytes, Response> {
    let announced = announced(request.headers());
    if announced > LIMIT && (announced > DRAIN_LIMIT || request.headers().contains_key(EXPECT)) {
        return Err(closing(StatusCode::PAYLOAD_TOO_LARGE));
    }
    match tokio::time::timeout(READ_TIMEOUT, collect(request.into_body(), announced)).await {
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

async fn collect(body: Body, announced: usize) -> Result<Bytes, StatusCode> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::with_capacity(announced.min(LIMIT));
    let mut seen = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        seen += chunk.len();
        if seen > DRAIN_LIMIT {
            break;
        }
        if seen <= LIMIT {
            kept.extend_from_slice(&chunk);
        }
    }
    if seen > LIMIT { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(kept.into()) }
}

/// The rest of such a body is not read, so the connection cannot be used again.
fn closing(status: StatusCode) -> Response {
    let mut response = answer::status(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
