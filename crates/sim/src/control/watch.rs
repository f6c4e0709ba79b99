//! What the page watches and touches beside the clients: the wire, the gateway's process, who has a phone and who a desk.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{LONGEST_WAIT, Since, answer, complain};
use crate::gateway::GatewayOrder;
use crate::wechat::Customer;
use crate::wire::Secrets;
use crate::world::World;

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/sim/wire", get(wire))
        .route("/sim/wire/{id}", get(hop))
        .route("/sim/phones", get(phones))
        .route("/sim/gateway", get(gateway))
        .route("/sim/gateway/kill", post(kill))
        .route("/sim/gateway/start", post(start))
}

/// The hops that changed, and what else the page shows all the time.
async fn wire(State(world): State<Arc<World>>, Query(since): Query<Since>) -> Response {
    let patience = Duration::from_millis(since.wait_ms.min(LONGEST_WAIT));
    let (last, hops) = world.wire.after(since.after, patience).await;
    let gateway = world.gateway.as_ref().map(|gateway| *gateway.state.borrow());
    answer(&json!({"last": last, "hops": hops, "now_ms": world.clock.now_ms(),
                   "faults": world.faults.list(), "gateway": gateway}))
}

async fn hop(State(world): State<Arc<World>>, Path(id): Path<u64>) -> Response {
    let secrets = Secrets::of(&world);
    match world.wire.told(id, &secrets) {
        Some(told) => answer(&told),
        None => complain(StatusCode::NOT_FOUND, "the hop is too old, or there was none"),
    }
}

/// Who has a phone, and what was last seen on it.
async fn phones(State(world): State<Arc<World>>) -> Response {
    let wechat = world.wechat();
    let customer = |(openid, customer): (&String, &Customer)| {
        json!({"openid": openid, "follows": customer.follows, "lines": customer.transcript.len(),
               "last": customer.transcript.last()})
    };
    let account = |account: &crate::wechat::Account| {
        let mut limited: Vec<&String> = account.rules.limits.keys().collect();
        limited.sort();
        json!({"app_id": account.config.app_id, "gh_id": account.config.gh_id,
               "certified": account.config.certified, "limited": limited,
               "customers": account.customers.iter().map(customer).collect::<Vec<_>>()})
    };
    answer(&wechat.accounts.values().map(account).collect::<Value>())
}

async fn gateway(State(world): State<Arc<World>>) -> Response {
    answer(&json!(world.gateway.as_ref().map(|gateway| *gateway.state.borrow())))
}

async fn kill(state: State<Arc<World>>) -> Response {
    order(state, GatewayOrder::Kill).await
}

async fn start(state: State<Arc<World>>) -> Response {
    order(state, GatewayOrder::Start).await
}

async fn order(State(world): State<Arc<World>>, order: GatewayOrder) -> Response {
    let Some(gateway) = &world.gateway else {
        return complain(
            StatusCode::CONFLICT,
            "the gateway was not started by whoever started the simulator",
        );
    };
    match gateway.orders.send(order).await {
        Ok(()) => answer(&json!({"ok": true})),
        Err(_) => complain(StatusCode::CONFLICT, "nobody looks after the gateway any more"),
    }
}
