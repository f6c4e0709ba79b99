//! A small real server on loopback that plays WeChat's API for the client's tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wechat::Client;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    /// With U+FFFD for what is not UTF-8.
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

/// What the server answers, and what it was asked.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<dyn Fn() -> Response + Send + Sync>,
}

impl Server {
    /// Serves the same answer to every request.
    pub(crate) async fn answering(answer: impl Fn() -> Response + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { url, seen: Arc::default(), answer: Arc::new(answer) };
        let router = Router::new().fallback(keep_and_answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// Serves a body with status 200, in the content type that WeChat uses.
    pub(crate) async fn saying(body: impl Into<String>) -> Server {
        let body = body.into();
        Server::answering(move || {
            ([("content-type", "application/json; encoding=utf-8")], body.clone()).into_response()
        })
        .await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn keep_and_answer(State(server): State<Server>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    server.seen.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body.to_vec(),
    });
    (server.answer)()
}

/// What a raw connection does once the request has been read.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    /// Says nothing for a long time.
    Hang,
    /// Closes with a reset.
    Reset,
    /// Closes in the middle of the answer's body.
    CutBody,
    /// Sends the head, then nothing for a long time.
    HangInBody,
}

/// Reads one request, then misbehaves. Gives the server's address.
pub(crate) async fn misbehaving(then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        match then {
            Then::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
            Then::Reset => stream.set_zero_linger().unwrap(),
            Then::CutBody | Then::HangInBody => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"errcode\":0";
                stream.write_all(head).await.unwrap();
                if then == Then::HangInBody {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
        }
    });
    url
}

/// A client with the settings meant for it, but for a short time-out and the proxies of the environment.
pub(crate) fn client(url: &str) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = wechat::http().no_proxy().build().unwrap();
    Client::with_timeout(http, url, Duration::from_millis(700)).unwrap()
}
