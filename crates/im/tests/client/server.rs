//! A small server that answers what it is told and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use im::{AdminSig, Client};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) const APP: u64 = 1_400_000_000;
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";

/// What the server was asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

#[derive(Clone, Default)]
pub(crate) struct Server {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// A server with these answers (status and body), and a client for it.
    pub(crate) async fn start(answers: &[(u16, &str)]) -> (Server, Client) {
        let server = Server::default();
        let owned = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        server.answers.lock().expect("not poisoned").extend(owned);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (server, client(&format!("http://{address}")))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    server.asked.lock().expect("not poisoned").push(Asked {
        path: uri.path().to_owned(),
        raw_query: uri.query().unwrap_or_default().to_owned(),
        query,
        content_type: content_type.unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).expect("requests are JSON"),
    });
    let next = server.answers.lock().expect("not poisoned").pop_front();
    let (status, body) = next.expect("no more calls than answers");
    (StatusCode::from_u16(status).expect("a status"), [("location", "/elsewhere")], body).into_response()
}

pub(crate) fn client(base_url: &str) -> Client {
    static RING: Once = Once::new();
    RING.call_once(|| {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let sig = AdminSig::new(SecretString::from(KEY), APP, "administrator", 86400);
    let http = im::http().no_proxy().build().expect("a client");
    Client::new(http, base_url, APP, Arc::new(sig)).expect("a base URL")
}

/// What a bare socket does once it has read a request.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Hang,
    Reset,
    Write(&'static str),
}

/// A server below HTTP, and a client for it.
pub(crate) async fn bare(then: Then) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 64 * 1024];
                let mut length = 0;
                // The body is an object: the request is whole when its last byte closes it.
                while length == 0 || read[length - 1] != b'}' {
                    match socket.read(&mut read[length..]).await {
                        Ok(more) if more > 0 => length += more,
                        _ => return,
                    }
                }
                match then {
                    Then::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
                    Then::Reset => socket.set_zero_linger().expect("a socket can be reset"),
                    Then::Write(text) => {
                        socket.write_all(text.as_bytes()).await.expect("a client that reads")
                    }
                }
            });
        }
    });
    client(&format!("http://{address}"))
}
