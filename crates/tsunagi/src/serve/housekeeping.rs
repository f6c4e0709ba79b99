//! What runs beside the jobs: agents are imported, the store is watched, old dedup keys are purged.

use crate::admin::Readiness;
use bridge::Bridge;
use desk::Clock;
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::watch;

/// A clock that gains so many milliseconds in a second was moved.
const MOVED: i64 = 5_000;

/// A repeat of WeChat's comes within a minute; two days leave room for any cloud's worst day.
pub(super) const DEDUP_LIFE: i64 = 48 * 3_600_000;

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

/// What several agents do in this time is asked for at once; IM's own answer may lag behind its webhook, too.
const AFTER_A_STIR: Duration = Duration::from_secs(1);

/// Asks IM who is online, and hands over what agents left behind.
pub(super) async fn desk(bridge: Bridge, poll: Duration, mut stop: watch::Receiver<bool>) {
    if let Err(error) = bridge.take_stock().await {
        tracing::warn!(%error, "what waits at start could not be looked at");
    }
    loop {
        bridge.ask_for_agents().await;
        if let Err(error) = bridge.hand_over_conversations().await {
            tracing::warn!(%error, "conversations could not be handed over");
        }
        let ended = tokio::select! {
            () = bridge.agents_stir() => None,
            ended = wait(&mut stop, poll) => Some(ended),
        };
        let ended = match ended {
            Some(ended) => ended,
            None => wait(&mut stop, AFTER_A_STIR).await,
        };
        if ended {
            return;
        }
    }
}

/// Warns agents of windows that are about to close, and counts those that are open.
pub(super) async fn windows(bridge: Bridge, pause: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = bridge.warn_of_closing().await {
            tracing::warn!(%error, "agents could not be warned of windows that close");
        }
        match bridge.open_windows().await {
            Ok(open) => {
                for (account, count) in open {
                    metrics::gauge!("tsunagi_windows_open", "account" => account).set(count as f64);
                }
            }
            Err(error) => tracing::debug!(%error, "open windows could not be counted"),
        }
        if wait(&mut stop, pause).await {
            return;
        }
    }
}

/// Closes conversations in which nobody has written for long, in small steps.
pub(super) async fn close_idle(bridge: Bridge, pause: Duration, mut stop: watch::Receiver<bool>) {
    let mut next = String::new();
    loop {
        let pause = match bridge.close_idle(next.clone()).await {
            Ok(Some(after)) => {
                next = after;
                Duration::from_millis(100)
            }
            Ok(None) => {
                next.clear();
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "idle conversations could not be closed");
                pause
            }
        };
        if wait(&mut stop, pause).await {
            return;
        }
    }
}

/// The database counts the time of lanes, and this process that of everything else. Where somebody moves this process's
/// clock on (a demo, a machine whose clock was far off), what was put off until then has its time.
pub(super) async fn follow_clock(
    store: Store,
    clock: Clock,
    accounts: Vec<String>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let (begun, before) = (Instant::now(), clock.now());
        if wait(&mut stop, Duration::from_secs(1)).await {
            return;
        }
        let passed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        if clock.now() - before - passed < MOVED {
            continue;
        }
        let all = accounts.clone();
        let woken = store.write(move |tx| {
            Box::pin(async move {
                for account in &all {
                    tx.wake_lanes(account, 0).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = woken.await {
            tracing::warn!(%error, "lanes could not be woken after the clock was moved");
        }
    }
}

/// Looks after answers that wait for their customers.
pub(super) async fn mailbox(bridge: Bridge, mut stop: watch::Receiver<bool>) {
    loop {
        let pause = match bridge.tend_mailbox().await {
            Ok(true) => Duration::from_millis(100),
            Ok(false) => Duration::from_secs(1),
            Err(error) => {
                tracing::warn!(%error, "answers that wait could not be looked after");
                Duration::from_secs(5)
            }
        };
        if wait(&mut stop, pause).await {
            return;
        }
    }
}

/// Reads IM's history for what its webhooks did not bring: at once, and then every so often.
pub(super) async fn reconcile(bridge: Bridge, every: Duration, mut stop: watch::Receiver<bool>) {
    // Another node may have the turn, and may die with it.
    let pause = (every / 4).clamp(Duration::from_millis(250), Duration::from_secs(30));
    loop {
        let begun = Instant::now();
        match bridge.reconcile().await {
            Ok(Some(round)) => {
                metrics::counter!("tsunagi_reconcile_rounds_total", "outcome" => "whole").increment(1);
                metrics::gauge!("tsunagi_reconcile_round_seconds").set(begun.elapsed().as_secs_f64());
                tracing::debug!(
                    customers = round.customers,
                    answers = round.answers,
                    too_late = round.too_late,
                    "IM's history was read"
                );
            }
            Ok(None) => {}
            Err(error) => {
                metrics::counter!("tsunagi_reconcile_rounds_total", "outcome" => "failed").increment(1);
                tracing::warn!(%error, "what IM's history holds could not be taken in");
            }
        }
        tokio::select! {
            () = bridge.round_wanted() => {}
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Does what may fail and delays nothing.
pub(super) async fn courtesies(bridge: Bridge, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = bridge.be_courteous() => {}
            _ = stop.changed() => return,
        }
    }
}

/// Between two looks for files that are late.
const LATE_MEDIA: Duration = Duration::from_secs(2);

/// Fetches customers' files that did not come in time.
pub(super) async fn late_media(bridge: Bridge, mut stop: watch::Receiver<bool>) {
    loop {
        let fetched = tokio::select! {
            fetched = bridge.fetch_late_media() => fetched,
            _ = stop.changed() => return,
        };
        match fetched {
            Ok(0) => {}
            // There may be more.
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "late files could not be looked for"),
        }
        if wait(&mut stop, LATE_MEDIA).await {
            return;
        }
    }
}

/// How long the database may take to answer before the gateway is not ready.
pub(super) const PROBE_TIME: Duration = Duration::from_secs(3);

/// Keeps readiness true. Ready means that a webhook could be stored: a database that
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
pub(super) async fn wait(stop: &mut watch::Receiver<bool>, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.changed()).await.is_ok()
}
