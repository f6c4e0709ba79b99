//! The control endpoints: what a test or the demo page may do to the two clouds. JSON in, JSON out.
//!
//! `wechat.rs` has the accounts, `customers.rs` their customers, `im.rs` the agents; here are the journal, the clock, the
//! faults and the settings.
//! Requests that a browser makes for another site are refused, so that no web page can play with a running demo.

mod customers;
mod im;
mod settings;
mod watch;
mod wechat;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::door::Closing;
use crate::faults::{Fault, Kind};
use crate::serve::json as answer;
use crate::wire::{self, Party};
use crate::world::World;
use crate::{page, serve};

/// The longest wait for a new line of the journal.
const LONGEST_WAIT: u64 = 25_000;

/// The largest body: a file in base64. Uploads to IM's store have a limit of their own.
const LARGEST_BODY: usize = 32 << 20;

/// Control endpoints and the demo page.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/sim/state", get(state))
        .route("/sim/journal", get(journal))
        .route("/sim/clock", get(clock).post(advance))
        .route("/sim/faults", get(faults).post(set_fault))
        .route("/sim/faults/clear", post(clear_faults))
        .route("/sim/config", post(settings::change))
        .merge(wechat::router())
        .merge(im::router())
        .merge(watch::router())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(world.clone(), wire::client_calls))
        .with_state(world.clone())
        .merge(page::router(world))
        .layer(middleware::from_fn(same_site))
}

async fn same_site(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let ours = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    // Opening the page from a link elsewhere is fine; calling an endpoint from there is not.
    if ours || !request.uri().path().starts_with("/sim/") {
        next.run(request).await
    } else {
        complain(StatusCode::FORBIDDEN, "the request comes from another site")
    }
}

fn complain(status: StatusCode, error: &str) -> Response {
    (status, serve::json(&json!({"error": error}))).into_response()
}

/// Reads a body; an empty one counts as `{}`.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text)
        .map_err(|error| Box::new(complain(StatusCode::BAD_REQUEST, &error.to_string())))
}

/// What a query may say about waiting: `?wait=1` answers only when the push or webhook has ended.
#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    wait: u8,
}

async fn state(State(world): State<Arc<World>>) -> Response {
    let accounts: Vec<Value> = world
        .wechat()
        .accounts
        .values()
        .map(|account| {
            let customer = |(openid, customer): (&String, &crate::wechat::Customer)| {
                json!({"openid": openid, "follows": customer.follows, "lines": customer.transcript.len()})
            };
            json!({"app_id": account.config.app_id, "gh_id": account.config.gh_id,
                   "mode": account.config.mode, "format": account.config.format,
                   "webhook_url": account.config.webhook_url,
                   "customers": account.customers.iter().map(customer).collect::<Vec<_>>()})
        })
        .collect();
    let im = {
        let im = world.im();
        json!({"sdk_app_id": im.config.sdk_app_id, "callback_url": im.config.callback_url,
               "admins": im.config.admins, "accounts": im.accounts})
    };
    answer(&json!({"wechat": accounts, "im": im, "now_ms": world.clock.now_ms(),
                   "faults": world.faults.list(), "journal": world.journal.last()}))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

async fn journal(State(world): State<Arc<World>>, Query(since): Query<Since>) -> Response {
    let lines = if since.wait_ms == 0 {
        world.journal.after(since.after)
    } else {
        let patience = Duration::from_millis(since.wait_ms.min(LONGEST_WAIT));
        world.journal.wait_after(since.after, patience).await
    };
    answer(&Value::Array(lines))
}

async fn clock(State(world): State<Arc<World>>) -> Response {
    answer(&json!({"now_ms": world.clock.now_ms()}))
}

#[derive(Deserialize)]
struct Advance {
    advance_ms: i64,
}

async fn advance(State(world): State<Arc<World>>, body: Bytes) -> Response {
    match read::<Advance>(&body) {
        Ok(Advance { advance_ms }) => {
            let now_ms = world.clock.advance(advance_ms);
            world.wire.mark(Party::Gateway, "clock", &advance_ms.to_string());
            answer(&json!({"now_ms": now_ms}))
        }
        Err(complaint) => *complaint,
    }
}

async fn faults(State(world): State<Arc<World>>) -> Response {
    answer(&json!(world.faults.list()))
}

async fn set_fault(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let fault = match read::<Fault>(&body) {
        Ok(fault) => fault,
        Err(complaint) => return *complaint,
    };
    if let Some(complaint) = fault.complaint() {
        return complain(StatusCode::BAD_REQUEST, &complaint);
    }
    let party = if fault.target.starts_with("im") { Party::Im } else { Party::Wechat };
    let kind = json!(fault.kind);
    let note = format!("{} {} {}", fault.target, kind.as_str().unwrap_or_default(), fault.value);
    world.wire.mark(party, "fault", note.trim_end_matches(" null"));
    match fault.for_ms.filter(|_| fault.closes_the_door()) {
        Some(for_ms) => {
            let door = if fault.target.starts_with("wechat") { &world.doors[0] } else { &world.doors[1] };
            let how = if fault.kind == Kind::Refuse { Closing::Shut } else { Closing::Deaf };
            door.close(how, Duration::from_millis(for_ms)).await;
        }
        None => world.faults.set(fault),
    }
    answer(&json!({"ok": true}))
}

async fn clear_faults(State(world): State<Arc<World>>) -> Response {
    world.faults.clear();
    world.wire.mark(Party::Gateway, "faults_cleared", "");
    answer(&json!({"ok": true}))
}
