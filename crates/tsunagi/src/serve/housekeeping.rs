//! What runs beside the jobs: agents are imported, the store is watched, old dedup keys are purged.

use crate::admin::Readiness;
use bridge::Bridge;
use desk::Clock;
use std::time::Duration;
use store::Store;
use tokio::sync::watch;

/// A repeat of WeChat's comes within a minute; two days leave room for any cloud's worst day.
const DEDUP_LIFE: i64 = 48 * 3_600_000;

/// Imports the agents, and tries again until IM has them all.
pub(super) async fn agents(bridge: Bridge, mut stop: watch::Receiver<bool>) {
    let mut pause = Duration::from_secs(1);
    loop {
        let missing = tokio::select! {
            missing = bridge.import_agents() => missing,
            _ = stop.changed() => return,
        };
        if missing.is_empty() {
            return;
        }
        for (agent, detail) in missing {
            tracing::warn!(agent, detail, "an agent could not be imported into IM; trying again");
        }
        if wait(&mut stop, pause).await {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(300));
    }
}

/// How long the database may take to answer before the gateway is not ready.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// Keeps readiness and the backlog's metrics true. Ready means that a webhook could be stored: a database that
/// can be read but not written (a full disk, a standby) is not enough.
pub(super) async fn watch_store(store: Store, readiness: Readiness, mut stop: watch::Receiver<bool>) {
    let mut round = 0u32;
    let mut ready = true;
    loop {
        // Writing costs a sync: every fifth second while all is well.
        if round.is_multiple_of(5) || !ready {
            let fault = fault(tokio::time::timeout(PROBE_TIME, store.probe()).await);
            ready = fault.is_none();
            readiness.set("store", fault);
        }
        round = round.wrapping_add(1);
        if let Ok(Ok(backlog)) = tokio::time::timeout(PROBE_TIME, store.backlog()).await {
            metrics::gauge!("tsunagi_backlog_lanes").set(backlog.lanes as f64);
            metrics::gauge!("tsunagi_backlog_jobs").set(backlog.jobs as f64);
            metrics::gauge!("tsunagi_backlog_overdue_seconds").set(backlog.overdue as f64 / 1000.0);
        }
        if wait(&mut stop, Duration::from_secs(1)).await {
            readiness.set("stopping", Some("the gateway is stopping".into()));
            return;
        }
    }
}

fn fault(probe: Result<Result<(), store::Error>, tokio::time::error::Elapsed>) -> Option<String> {
    match probe {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the database does not answer".into()),
    }
}

/// Purges old dedup keys, in small steps.
pub(super) async fn purge(store: Store, clock: Clock, mut stop: watch::Receiver<bool>) {
    const STEP: i64 = 500;
    loop {
        let before = clock.now() - DEDUP_LIFE;
        let purged = store.write(move |tx| Box::pin(async move { tx.purge_dedup(before, STEP).await })).await;
        let pause = match purged {
            Ok(purged) if purged as i64 == STEP => Duration::from_millis(100),
            Ok(_) => Duration::from_secs(60),
            Err(error) => {
                tracing::warn!(%error, "old dedup keys could not be purged");
                Duration::from_secs(60)
            }
        };
        if wait(&mut stop, pause).await {
            return;
        }
    }
}

/// Waits; true when it is time to stop.
async fn wait(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.changed()).await.is_ok()
}
