//! Downloads from an address that a stranger chose. Start at [`Fetcher::fetch`].
//!
//! Every address is checked as it is connected to, and again after each redirect. No proxy of the environment is used:
//! it would resolve names by itself, behind the guard's back.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, LOCATION};
use reqwest::{Response, StatusCode, Url};

use crate::TempFile;
use crate::file::Writing;
use crate::guard::{Allow, Forbidden, Guard};

/// Redirects that are followed.
const REDIRECTS: usize = 3;

/// Why a file did not come. Never names the address, which may hold a signature of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It leads into a private network, or is no http or https address.
    #[error("the address is not allowed: {0}")]
    Forbidden(String),
    /// More bytes than allowed.
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    /// Not a success.
    #[error("the server answered {0}")]
    Status(u16),
    /// More redirects than are followed, or one that leads nowhere.
    #[error("the server redirects too often")]
    Redirects,
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Network(String),
    /// It took too long.
    #[error("the download took too long")]
    Timeout,
    /// The folder for temporary files cannot be written.
    #[error("the file cannot be written: {0}")]
    Disk(#[from] std::io::Error),
}

impl FetchError {
    /// Whether another try would end the same way.
    pub fn is_final(&self) -> bool {
        match self {
            FetchError::Forbidden(_) | FetchError::TooLarge(_) | FetchError::Redirects => true,
            FetchError::Status(code) => (400..500).contains(code) && !matches!(code, 408 | 425 | 429),
            FetchError::Empty | FetchError::Network(_) | FetchError::Timeout | FetchError::Disk(_) => false,
        }
    }
}

/// Downloads files. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    http: reqwest::Client,
    guard: Guard,
}

impl Fetcher {
    /// A client of its own, which reaches public addresses and those that `allow` names.
    ///
    /// # Errors
    /// The TLS set-up of this machine cannot be read.
    pub fn new(allow: Allow, connect_timeout: Duration) -> Result<Fetcher, reqwest::Error> {
        Fetcher::with(Guard::new(allow), connect_timeout)
    }

    fn with(guard: Guard, connect_timeout: Duration) -> Result<Fetcher, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(connect_timeout)
            .dns_resolver(guard.clone())
            .build()?;
        Ok(Fetcher { http, guard })
    }

    /// Downloads a file of at most `max_bytes`, within `timeout` as a whole.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        address: &str,
        max_bytes: u64,
        timeout: Duration,
    ) -> Result<TempFile, FetchError> {
        tokio::time::timeout(timeout, self.follow(address, max_bytes))
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }

    async fn follow(&self, address: &str, max_bytes: u64) -> Result<TempFile, FetchError> {
        let mut url = Url::parse(address.trim()).map_err(|_| forbidden(Forbidden::Unreadable))?;
        for _ in 0..=REDIRECTS {
            self.guard.url(&url).map_err(forbidden)?;
            let request = self.http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let response = request.send().await.map_err(network)?;
            if response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED {
                let next = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                url = next.and_then(|next| url.join(next).ok()).ok_or(FetchError::Redirects)?;
                continue;
            }
            if !response.status().is_success() {
                return Err(FetchError::Status(response.status().as_u16()));
            }
            return read(response, max_bytes).await;
        }
        Err(FetchError::Redirects)
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetcher")
    }
}

async fn read(response: Response, max_bytes: u64) -> Result<TempFile, FetchError> {
    let announced =
        response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > max_bytes) {
        return Err(FetchError::TooLarge(max_bytes));
    }
    let mut writing = Writing::begin()?;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(network)?;
        if writing.size() + chunk.len() as u64 > max_bytes {
            return Err(FetchError::TooLarge(max_bytes));
        }
        writing.write(&chunk)?;
    }
    if writing.size() == 0 {
        return Err(FetchError::Empty);
    }
    Ok(writing.end()?)
}

fn forbidden(what: Forbidden) -> FetchError {
    FetchError::Forbidden(what.to_string())
}

/// The guard's own refusal is found among the causes of a connection that was not made.
fn network(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut last = error.to_string();
    while let Some(one) = cause {
        if let Some(refusal) = one.downcast_ref::<Forbidden>() {
            return forbidden(*refusal);
        }
        last = one.to_string();
        cause = one.source();
    }
    if error.is_timeout() { FetchError::Timeout } else { FetchError::Network(last) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::response::{IntoResponse, Redirect};
    use axum::routing::get;
    use std::collections::HashMap;
    use std::net::IpAddr;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(20);

    async fn server() -> u16 {
        let app = Router::new()
            .route("/file", get(|| async { "the file" }))
            .route("/empty", get(|| async { "" }))
            .route("/gone", get(|| async { axum::http::StatusCode::GONE }))
            .route("/busy", get(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE }))
            .route(
                "/slow",
                get(|| async {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    "late"
                }),
            )
            .route("/loop", get(|| async { Redirect::temporary("/loop") }))
            .route("/once", get(|| async { Redirect::temporary("/file") }))
            .route("/lost", get(|| async { Redirect::temporary("http://") }))
            .route(
                "/chunks",
                get(|| async {
                    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1_000]));
                    axum::body::Body::from_stream(futures_util::stream::iter(chunks)).into_response()
                }),
            )
            .route(
                "/asked",
                get(|headers: HeaderMap| async move {
                    headers
                        .get("accept-encoding")
                        .and_then(|v| v.to_str().ok())
                        .unwrap_or_default()
                        .to_owned()
                }),
            )
            .route(
                "/to/{*address}",
                get(|axum::extract::Path(address): axum::extract::Path<String>| async move {
                    Redirect::temporary(&address)
                }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        port
    }

    fn fetcher(allow_first: bool) -> Fetcher {
        drop(rustls::crypto::ring::default_provider().install_default());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let names = HashMap::from([
            ("good.example".to_owned(), vec![ip("127.0.0.1")]),
            ("inside.example".to_owned(), vec![ip("127.0.0.2")]),
            ("mixed.example".to_owned(), vec![ip("127.0.0.1"), ip("127.0.0.2")]),
            ("mapped.example".to_owned(), vec![ip("::ffff:10.0.0.1")]),
            ("cloud.example".to_owned(), vec![ip("169.254.169.254")]),
        ]);
        // One loopback address plays the public internet, all others stay private.
        let public = ip("127.0.0.1");
        let guard = Guard::new(Arc::new(move |address| allow_first && address == public)).with_names(names);
        Fetcher::with(guard, Duration::from_secs(2)).unwrap()
    }

    async fn outcome(fetcher: &Fetcher, url: &str) -> String {
        match fetcher.fetch(url, 50_000, LONG).await {
            Ok(file) => String::from_utf8(file.bytes().unwrap()).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn a_file_comes_also_after_a_redirect() {
        let (port, fetcher) = (server().await, fetcher(true));
        let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
        assert_eq!(outcome(&fetcher, &at("/file")).await, "the file");
        assert_eq!(outcome(&fetcher, &format!("http://good.example:{port}/once")).await, "the file");
        assert_eq!(outcome(&fetcher, &at("/asked")).await, "identity");
        for (path, words, is_final) in [
            ("/loop", "redirects too often", true),
            ("/lost", "redirects too often", true),
            ("/gone", "answered 410", true),
            ("/busy", "answered 503", false),
            ("/empty", "is empty", false),
            ("/chunks", "more than 50000 bytes", true),
        ] {
            let error = fetcher.fetch(&at(path), 50_000, LONG).await.unwrap_err();
            assert!(error.to_string().contains(words) && error.is_final() == is_final, "{path}: {error}");
        }
        let slow = fetcher.fetch(&at("/slow"), 50_000, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(slow, FetchError::Timeout) && !slow.is_final());
        let exact = fetcher.fetch(&at("/chunks"), 100_000, LONG).await.unwrap();
        assert_eq!(exact.size(), 100_000);
    }

    #[tokio::test]
    async fn nothing_leads_into_a_private_network() {
        let (port, fetcher) = (server().await, fetcher(true));
        let inside = [
            format!("http://127.0.0.2:{port}/file"),
            format!("http://localhost.:{port}/file"),
            format!("http://inside.example:{port}/file"),
            format!("http://mixed.example:{port}/file"),
            format!("http://mapped.example:{port}/file"),
            "http://cloud.example/latest/meta-data/".to_owned(),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            format!("http://0.0.0.0:{port}/file"),
            format!("http://[::ffff:127.0.0.2]:{port}/file"),
            format!("http://[::1]:{port}/file"),
            format!("http://2130706434:{port}/file"),
            format!("http://0177.0.0.2:{port}/file"),
            "ftp://127.0.0.1/file".to_owned(),
            "file:///etc/hostname".to_owned(),
        ];
        for address in &inside {
            // A name that the test does not know has no address at all.
            if !address.contains("localhost") {
                let told = outcome(&fetcher, address).await;
                assert!(told.contains("not allowed"), "{address}: {told}");
            }
            let redirect = format!("http://good.example:{port}/to/{address}");
            let told = outcome(&fetcher, &redirect).await;
            assert!(told != "the file", "{redirect}: {told}");
        }
        let redirect = format!("http://good.example:{port}/to/http://inside.example:{port}/file");
        assert!(outcome(&fetcher, &redirect).await.contains("not allowed"));
    }

    #[tokio::test]
    async fn without_leave_loopback_is_not_reached_either() {
        let (port, fetcher) = (server().await, fetcher(false));
        for host in ["127.0.0.1", "good.example", "[::ffff:127.0.0.1]", "127.1"] {
            let told = outcome(&fetcher, &format!("http://{host}:{port}/file")).await;
            assert!(told.contains("not allowed"), "{host}: {told}");
        }
        // The system's own resolver goes through the same gate.
        drop(rustls::crypto::ring::default_provider().install_default());
        let system = Fetcher::new(Arc::new(|_| false), Duration::from_secs(2)).unwrap();
        let told = outcome(&system, &format!("http://localhost:{port}/file")).await;
        assert!(told.contains("not allowed"), "{told}");
    }
}
