//! The few answers that the listener gives. None repeats anything of the request, but for a verified echostr.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

/// A status with its own name as the text.
pub(super) fn status(status: StatusCode) -> Response {
    with(status, "text/plain; charset=utf-8", status.canonical_reason().unwrap_or_default().to_owned())
}

/// Exactly these bytes, with status 200.
pub(super) fn exact(content_type: &'static str, body: impl Into<Body>) -> Response {
    with(StatusCode::OK, content_type, body)
}

/// The answer to a refused request, from the status that the protocol's crate names.
pub(super) fn refused(code: u16) -> Response {
    status(StatusCode::from_u16(code).unwrap_or(StatusCode::FORBIDDEN))
}

fn with(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
