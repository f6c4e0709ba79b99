//! The admin listener: `/healthz` (the process lives), `/readyz` (it can do its work), `/metrics` (Prometheus).
//!
//! Metrics are recorded under their full name, which begins with `tsunagi_`, and have no label that grows with
//! customers: accounts, clouds, kinds and states only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use crate::http::{Limits, Listener};

/// Seconds: from a local commit to the vendors' time-outs.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds of what may wait for a cloud that is down: up to the day that a message is patient.
const LONG_SECONDS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1_800.0, 10_800.0, 86_400.0];
/// Members of a group or a batch.
const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Why the gateway is not ready, by what is missing. Nothing missing: ready.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Says what is wrong with `part`, or that nothing is.
    pub(crate) fn set(&self, part: &'static str, wrong: Option<String>) {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match wrong {
            Some(reason) => reasons.insert(part, reason),
            None => reasons.remove(part),
        };
        metrics::gauge!("tsunagi_ready").set(if reasons.is_empty() { 1.0 } else { 0.0 });
    }

    fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The admin listener, not yet listening.
pub(crate) struct Admin {
    readiness: Readiness,
}

impl Admin {
    pub(crate) fn new(readiness: Readiness) -> Admin {
        Admin { readiness }
    }

    /// Begins to answer. Also begins to record metrics, once per process.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) async fn listen(self, address: SocketAddr, limits: Limits) -> std::io::Result<Listener> {
        let metrics = recorder();
        let router = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(readyz))
            .with_state(self.readiness)
            .merge(Router::new().route("/metrics", get(render)).with_state(metrics.clone()));
        let upkeep = tokio::spawn(async move {
            // Histograms keep raw samples until they are folded in; without a scraper that is done here.
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                metrics.run_upkeep();
            }
        });
        Ok(Listener::bind(address, router, limits).await?.beside(upkeep))
    }
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let reasons = readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}

async fn render(State(metrics): State<PrometheusHandle>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

/// The process's only recorder, made with the first call.
fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
                .and_then(|builder| {
                    let message = Matcher::Full("tsunagi_message_seconds".to_owned());
                    builder.set_buckets_for_metric(message, &LONG_SECONDS)
                })
                .and_then(|builder| {
                    let hop = Matcher::Full("tsunagi_hop_seconds".to_owned());
                    builder.set_buckets_for_metric(hop, &LONG_SECONDS)
                })
                .and_then(|builder| {
                    builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)
                });
            let recorder = buckets.unwrap_or_default().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder takes the metrics; /metrics stays empty");
            }
            crate::metrics::begin();
            metrics::gauge!("tsunagi_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            handle
        })
        .clone()
}
