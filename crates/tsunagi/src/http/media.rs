//! `GET /media/{id}/{token}/{name}`: a file, for whoever has its link.
//!
//! The link is the whole permission: it names one file, is signed, and cannot be guessed. A wrong one is not found, like one
//! whose file is gone. What a browser would run is offered for download alone, and never under a type of its own.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bridge::{Bridge, object_key};
use futures_util::{Stream, StreamExt};
use store::MediaRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::answer;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// Whatever it is, it may run nothing and load nothing.
const SANDBOX: &str =
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/// How long a reader may take no byte.
const STALLED: Duration = Duration::from_secs(30);

/// What the endpoint knows.
#[derive(Clone)]
pub(super) struct Files {
    bridge: Bridge,
    /// Each file that is being served holds one.
    places: Arc<Semaphore>,
}

impl Files {
    pub(super) fn new(bridge: Bridge, at_a_time: usize) -> Files {
        Files { bridge, places: Arc::new(Semaphore::new(at_a_time)) }
    }
}

pub(super) async fn named(
    files: State<Files>,
    Path((id, token, _)): Path<(String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    counted(&files, &id, &token, &method, &headers).await
}

pub(super) async fn unnamed(
    files: State<Files>,
    Path((id, token)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    counted(&files, &id, &token, &method, &headers).await
}

/// What a browser asks before a page of another site may read a file in parts.
pub(super) async fn preflight() -> Response {
    let mut response = answer::status(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers
        .insert("access-control-allow-headers", HeaderValue::from_static("range, if-range, if-none-match"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

async fn counted(files: &Files, id: &str, token: &str, method: &Method, asked: &HeaderMap) -> Response {
    let mut response = serve(files, id, token, method, asked).await;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16().to_string();
    metrics::counter!("tsunagi_media_requests_total", "status" => status).increment(1);
    response
}

async fn serve(files: &Files, id: &str, token: &str, method: &Method, headers: &HeaderMap) -> Response {
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id || !files.bridge.knows_link(id, token) {
        return answer::status(StatusCode::NOT_FOUND);
    }
    let row = match files.bridge.store().kept_media(id).await {
        Ok(Some(row)) => row,
        Ok(None) => return answer::status(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::error!(%error, "a file's row could not be read");
            return answer::status(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let etag = format!("\"{}\"", row.file.sha256.get(..32).unwrap_or(&row.file.sha256));
    if matches_any(headers, &etag) {
        return with_headers(answer::status(StatusCode::NOT_MODIFIED), &row, &etag);
    }
    let size = row.file.size;
    let range = match asked(headers, size, &etag) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Nowhere => {
            let mut response = answer::status(StatusCode::RANGE_NOT_SATISFIABLE);
            insert(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        match body(files, &row, range.clone()).await {
            Ok(body) => body,
            Err(response) => return *response,
        }
    };
    let mut response = Response::new(body);
    if let Some(range) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        insert(response.headers_mut(), CONTENT_RANGE, &part);
    }
    insert(response.headers_mut(), CONTENT_LENGTH, &length.to_string());
    with_headers(response, &row, &etag)
}

async fn body(files: &Files, row: &MediaRow, range: Option<Range<u64>>) -> Result<Body, Box<Response>> {
    let Ok(place) = files.places.clone().try_acquire_owned() else {
        let mut response = answer::status(StatusCode::SERVICE_UNAVAILABLE);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return Err(Box::new(response));
    };
    match files.bridge.objects().stream(&object_key(&row.account, &row.id), range).await {
        Ok(Some(stream)) => Ok(Body::from_stream(served(stream, place))),
        Ok(None) => {
            tracing::error!(account = row.account, media = row.id, "a file is missing from the media store");
            metrics::counter!("tsunagi_media_store_errors_total").increment(1);
            Err(Box::new(answer::status(StatusCode::NOT_FOUND)))
        }
        Err(error) => {
            tracing::error!(account = row.account, media = row.id, %error, "the media store does not answer");
            metrics::counter!("tsunagi_media_store_errors_total").increment(1);
            Err(Box::new(answer::status(StatusCode::SERVICE_UNAVAILABLE)))
        }
    }
}

type Bits = Result<Bytes, std::io::Error>;

/// A file on its way to somebody. Whoever reads nothing for [`STALLED`] loses the rest, and the place is free again.
fn served(
    mut file: impl Stream<Item = Bits> + Send + Unpin + 'static,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Bits> + Send {
    let (bits, out) = mpsc::channel::<Bits>(1);
    tokio::spawn(async move {
        let _place = place;
        while let Some(next) = file.next().await {
            if bits.send_timeout(next, STALLED).await.is_err() {
                return;
            }
        }
    });
    futures_util::stream::unfold(out, async |mut out| out.recv().await.map(|bits| (bits, out)))
}

fn with_headers(mut response: Response, row: &MediaRow, etag: &str) -> Response {
    let shown = is_shown(&row.file.content_type);
    let content_type =
        if shown { row.file.content_type.as_str() } else { download_type(&row.file.content_type) };
    let headers = response.headers_mut();
    insert(headers, CONTENT_TYPE, content_type);
    insert(headers, CONTENT_DISPOSITION, &disposition(shown, &row.file.name));
    insert(headers, ETAG, etag);
    // What is under a link never changes.
    insert(headers, CACHE_CONTROL, "private, max-age=31536000, immutable");
    insert(headers, ACCEPT_RANGES, "bytes");
    insert(headers, CONTENT_SECURITY_POLICY, SANDBOX);
    insert(headers, CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin");
    insert(headers, REFERRER_POLICY, "no-referrer");
    insert(headers, X_ROBOTS_TAG, "noindex");
    insert(
        headers,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        "content-length, content-range, content-disposition, etag",
    );
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Types that a browser shows and does not run. SVG is none of them.
fn is_shown(content_type: &str) -> bool {
    let kinds =
        ["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/heif", "image/avif"];
    kinds.contains(&content_type) || content_type.starts_with("audio/") || content_type.starts_with("video/")
}

/// Documents and archives keep their type; what might be text, a page or a script has none.
fn download_type(content_type: &str) -> &str {
    let active = ["html", "xml", "script", "svg", "text"].iter().any(|word| content_type.contains(word));
    if content_type.starts_with("application/") && !active || content_type.contains("officedocument") {
        content_type
    } else {
        "application/octet-stream"
    }
}

/// With the name twice: plain for old clients, encoded for the others (RFC 6266).
fn disposition(shown: bool, name: &str) -> String {
    let how = if shown { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the asker has it already.
fn matches_any(headers: &HeaderMap, etag: &str) -> bool {
    text(headers, IF_NONE_MATCH).is_some_and(|known| {
        known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == etag || one == "*")
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Nowhere,
}

/// Which bytes are asked for (RFC 9110, section 14). Several ranges at once, and what cannot be read, are the whole.
fn asked(headers: &HeaderMap, size: u64, etag: &str) -> Asked {
    let Some(range) = text(headers, RANGE).and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    if text(headers, IF_RANGE).is_some_and(|known| known.trim() != etag) {
        return Asked::Whole;
    }
    let Some((from, to)) = range.trim().split_once('-').filter(|_| !range.contains(',')) else {
        return Asked::Whole;
    };
    let number = |text: &str| -> Option<Option<u64>> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            "" => Some(None),
            _ if digits => Some(Some(text.parse().unwrap_or(u64::MAX))),
            _ => None,
        }
    };
    match (number(from.trim()), number(to.trim())) {
        // The last so many bytes.
        (Some(None), Some(Some(last))) if last > 0 && size > 0 => {
            Asked::Part(size.saturating_sub(last)..size)
        }
        (Some(None), Some(Some(_))) => Asked::Nowhere,
        (Some(Some(from)), Some(to)) if to.is_none_or(|to| to >= from) => {
            if from >= size {
                return Asked::Nowhere;
            }
            Asked::Part(from..to.map_or(size, |to| to.saturating_add(1).min(size)))
        }
        _ => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, value.parse().unwrap());
        asked(&headers, 1_000, "\"tag\"")
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (value, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=0-499", Asked::Part(0..500)),
            ("bytes=500-", Asked::Part(500..1_000)),
            ("bytes=500-99999999999999999999999", Asked::Part(500..1_000)),
            ("bytes=-200", Asked::Part(800..1_000)),
            ("bytes=-5000", Asked::Part(0..1_000)),
            ("bytes=999-", Asked::Part(999..1_000)),
            ("bytes=1000-", Asked::Nowhere),
            ("bytes=5000-6000", Asked::Nowhere),
            ("bytes=-0", Asked::Nowhere),
            ("bytes=5-4", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ] {
            assert_eq!(range(value), expected, "{value}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, "bytes=0-1".parse().unwrap());
        headers.insert(IF_RANGE, "\"other\"".parse().unwrap());
        assert_eq!(asked(&headers, 10, "\"tag\""), Asked::Whole);
        headers.insert(IF_RANGE, "\"tag\"".parse().unwrap());
        assert_eq!(asked(&headers, 10, "\"tag\""), Asked::Part(0..2));
    }

    #[test]
    fn nothing_that_a_browser_runs_is_served_as_such() {
        for content_type in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/javascript",
            "text/plain",
            "application/xml",
        ] {
            assert!(!is_shown(content_type), "{content_type}");
            assert_eq!(download_type(content_type), "application/octet-stream", "{content_type}");
        }
        assert_eq!(download_type("application/pdf"), "application/pdf");
        assert!(is_shown("image/png") && is_shown("audio/mpeg") && is_shown("video/mp4"));
        assert_eq!(
            disposition(false, "报价 \"1\".pdf"),
            "attachment; filename=\"____1_.pdf\"; filename*=UTF-8''%E6%8A%A5%E4%BB%B7%20%221%22.pdf"
        );
    }
}
