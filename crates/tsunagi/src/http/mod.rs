//! The webhook listener: paths, limits, answers. Start with [`Webhooks`].
//!
//! What the address does not prove to be a cloud's is refused before its body is kept. Others go through `body` (size and
//! time), then to `wechat` or `im`, which let the protocol's crate verify them and the store keep them, and answer only
//! then. `listener` accepts connections and ends them. `media` serves files.
//! `/path` and `/path/` are the same, without a redirect: WeChat does not follow one (F17).

mod answer;
mod body;
mod im;
mod listener;
mod media;
mod source;
#[cfg(test)]
mod tests;
mod wechat;
mod written;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use bridge::{Bridge, trace};
use desk::Clock;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::config::{Config, Network};
pub(crate) use listener::{Limits, Listener};
pub(crate) use source::Sources;

/// What the webhook endpoints know.
pub(crate) struct Webhooks {
    accounts: Vec<Account>,
    im: ::im::Credentials,
    im_path_secret: Option<secrecy::SecretString>,
    bridge: Bridge,
    clock: Clock,
    limits: Limits,
    body_limits: body::Limits,
    request_timeout: Duration,
    trusted_proxies: Vec<Network>,
    sources: Sources,
    downloads: usize,
    wechat_meters: Meters,
    im_meters: Meters,
}

/// One Official Account's endpoint.
pub(crate) struct Account {
    id: String,
    credentials: ::wechat::Credentials,
    /// The hop from a request to its answer.
    accept: metrics::Histogram,
}

/// What every webhook of a cloud is measured with: looked up once, since that costs more than to count.
struct Meters {
    cloud: &'static str,
    answered: metrics::Counter,
    seconds: metrics::Histogram,
    /// How far the signed time of verified webhooks is from this machine's clock (F70).
    offset: metrics::Gauge,
}

impl Meters {
    fn of(cloud: &'static str) -> Meters {
        Meters {
            cloud,
            answered: metrics::counter!("tsunagi_webhooks_total", "cloud" => cloud, "status" => "200"),
            seconds: metrics::histogram!("tsunagi_webhook_seconds", "cloud" => cloud),
            offset: metrics::gauge!("tsunagi_clock_offset_seconds", "cloud" => cloud),
        }
    }

    fn count(&self, response: &Response, begun: Instant) {
        match response.status() {
            StatusCode::OK => self.answered.increment(1),
            status => {
                let labels = [("cloud", self.cloud.to_owned()), ("status", status.as_u16().to_string())];
                metrics::counter!("tsunagi_webhooks_total", &labels).increment(1);
            }
        }
        self.seconds.record(begun.elapsed());
    }

    /// Shows the offset that the signed time in the address tells.
    fn show_offset(&self, raw_query: &str, key: &str, now_s: i64) {
        let value = raw_query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        if let Some(signed) = value.and_then(|value| value.parse::<i64>().ok()) {
            self.offset.set((now_s - signed) as f64);
        }
    }
}

impl Webhooks {
    /// Endpoints for the accounts of `config`.
    ///
    /// # Errors
    /// An EncodingAESKey that cannot be decoded.
    pub(crate) fn new(
        config: &Config,
        bridge: Bridge,
        clock: Clock,
        sources: Sources,
    ) -> Result<Webhooks, ::wechat::CryptoError> {
        let accounts = config
            .accounts
            .iter()
            .map(|account| {
                let accept = trace::hop("accept", &account.id);
                Ok(Account { id: account.id.clone(), credentials: account.credentials()?, accept })
            })
            .collect::<Result<_, _>>()?;
        let im = ::im::Credentials {
            sdk_app_id: config.im.sdk_app_id,
            tokens: config.im.callback_token.iter().cloned().collect(),
            window_s: config.im.signature_window,
        };
        let im_path_secret = config.im.callback_secret.clone();
        let server = &config.server;
        let body_limits = body::Limits { bytes: server.body_bytes, time: server.body_timeout };
        let (limits, request_timeout) = (Limits::of(server), server.request_timeout);
        let trusted_proxies = server.trusted_proxies.clone();
        Ok(Webhooks {
            accounts,
            im,
            im_path_secret,
            bridge,
            clock,
            limits,
            body_limits,
            request_timeout,
            trusted_proxies,
            sources,
            downloads: config.media.downloads,
            wechat_meters: Meters::of("wechat"),
            im_meters: Meters::of("im"),
        })
    }

    /// Begins to accept connections.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) async fn listen(self, address: SocketAddr) -> std::io::Result<Listener> {
        let limits = self.limits;
        Listener::bind(address, self.router(), limits).await
    }

    fn router(self) -> Router {
        let wechat = get(verify_account).post(push_account);
        let im = post(im_webhook);
        let im_with_secret = post(im_webhook_with_secret);
        let mut router = Router::new()
            .route("/wechat/{account}", wechat.clone())
            .route("/wechat/{account}/", wechat)
            .route("/imcallback", im.clone())
            .route("/imcallback/", im)
            .route("/imcallback/{secret}", im_with_secret.clone())
            .route("/imcallback/{secret}/", im_with_secret);
        if self.accounts.len() == 1 {
            router = router.route("/", get(verify_only).post(push_only));
        }
        let request_timeout = self.request_timeout;
        let files = media::Files::new(self.bridge.clone(), self.downloads);
        let files = Router::new()
            .route("/media/{id}/{token}", get(media::unnamed).options(media::preflight))
            .route("/media/{id}/{token}/{name}", get(media::named).options(media::preflight))
            .with_state(files);
        router
            .with_state(Arc::new(self))
            .merge(files)
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, request_timeout))
            .layer(CatchPanicLayer::custom(panicked))
    }

    /// Ends the span of a webhook that was to be stored, and counts it.
    fn ended(
        &self,
        span: &opentelemetry::Context,
        cloud: &'static str,
        account: &str,
        inbox: &str,
        ingested: &Result<store::Ingested, store::Error>,
    ) {
        let outcome = match ingested {
            Ok(ingested) => ingested.novelty.as_str(),
            Err(_) => "failed",
        };
        // What is not sorted yet is counted when it is.
        if !matches!(ingested, Ok(ingested) if ingested.novelty == store::Novelty::Unknown) {
            let labels = [
                ("cloud", cloud.to_owned()),
                ("account", account.to_owned()),
                ("outcome", outcome.to_owned()),
            ];
            metrics::counter!("tsunagi_inbox_total", &labels).increment(1);
        }
        trace::webhook_ended(span, inbox, outcome);
    }

    async fn body(&self, request: Request) -> Result<Bytes, Response> {
        body::read(request, self.body_limits).await
    }

    /// A stranger's request, whose body is not kept: this answer, unless the body says another.
    async fn without_body(&self, request: Request, refused: Response) -> Response {
        body::pass_by(request, self.body_limits).await.err().unwrap_or(refused)
    }

    fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }
}

/// A fault of ours in one request ends that request alone.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    metrics::counter!("tsunagi_request_panics_total").increment(1);
    tracing::error!("a request handler panicked");
    answer::status(StatusCode::INTERNAL_SERVER_ERROR)
}

type Shared = State<Arc<Webhooks>>;

async fn verify_account(State(hooks): Shared, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    match hooks.account(&id) {
        Some(account) => hooks.verify(account, &query.unwrap_or_default()),
        None => answer::status(StatusCode::NOT_FOUND),
    }
}

async fn verify_only(State(hooks): Shared, RawQuery(query): RawQuery) -> Response {
    hooks.verify(&hooks.accounts[0], &query.unwrap_or_default())
}

async fn push_account(State(hooks): Shared, Path(id): Path<String>, request: Request) -> Response {
    match hooks.account(&id) {
        Some(account) => push(&hooks, account, request).await,
        None => answer::status(StatusCode::NOT_FOUND),
    }
}

async fn push_only(State(hooks): Shared, request: Request) -> Response {
    push(&hooks, &hooks.accounts[0], request).await
}

async fn push(hooks: &Webhooks, account: &Account, request: Request) -> Response {
    let begun = Instant::now();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let client = source::client(&request, &hooks.trusted_proxies);
    if client.is_some_and(|client| !hooks.sources.allow(&account.id, client)) {
        metrics::counter!("tsunagi_webhooks_refused_total", "cloud" => "wechat", "why" => "address")
            .increment(1);
        tracing::debug!(account = account.id, "a request from an address that is not WeChat's was refused");
        let response = body::closing(StatusCode::FORBIDDEN);
        hooks.wechat_meters.count(&response, begun);
        return response;
    }
    let response = match hooks.wechat_refuses(account, &query) {
        Some(refused) => hooks.without_body(request, refused).await,
        None => match hooks.body(request).await {
            Ok(body) => hooks.wechat(account, &query, body, begun).await,
            Err(refused) => refused,
        },
    };
    hooks.wechat_meters.count(&response, begun);
    response
}

async fn im_webhook(State(hooks): Shared, request: Request) -> Response {
    im_push(&hooks, None, request).await
}

async fn im_webhook_with_secret(
    State(hooks): Shared,
    Path(secret): Path<String>,
    request: Request,
) -> Response {
    im_push(&hooks, Some(&secret), request).await
}

async fn im_push(hooks: &Webhooks, secret: Option<&str>, request: Request) -> Response {
    let begun = Instant::now();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let response = match hooks.im_refuses(secret, &query) {
        Some(refused) => hooks.without_body(request, refused).await,
        None => match hooks.body(request).await {
            Ok(body) => hooks.im(&query, body, begun).await,
            Err(refused) => refused,
        },
    };
    hooks.im_meters.count(&response, begun);
    response
}
