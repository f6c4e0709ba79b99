//! Gauges that somebody has to look after: every quarter of a minute, however much there is.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use desk::Clock;
use store::Store;
use tokio::sync::watch;

use super::housekeeping::{PROBE_TIME, wait};
use crate::config::Config;

const PERIOD: Duration = Duration::from_secs(15);

/// Keeps the gauges true until told to stop.
pub(super) async fn watch_vitals(
    store: Store,
    clock: Clock,
    accounts: Vec<(String, String)>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if let Ok(Ok(vitals)) = tokio::time::timeout(PROBE_TIME, store.vitals()).await {
            show(&vitals, clock.now(), &accounts);
        }
        process();
        if wait(&mut stop, PERIOD).await {
            return;
        }
    }
}

/// Between two looks at what other nodes run with.
const BEAT: Duration = Duration::from_secs(20);

/// Warns while another node on the same database runs with another configuration (F67).
pub(super) async fn compare_nodes(
    store: Store,
    clock: Clock,
    fingerprint: String,
    mut stop: watch::Receiver<bool>,
) {
    // Only PostgreSQL has several nodes.
    if store.engine() == "sqlite" {
        return;
    }
    // What stood there at the start may be this node's own, from before a change.
    let (mut life, mut told) = (0, false);
    loop {
        match store.another_configuration(&fingerprint, clock.now(), life).await {
            Ok(true) if !told => {
                told = true;
                tracing::warn!(
                    "another node on this database runs with another [im], [desk], [windows] or [[account]]; \
                     give all nodes the same file and restart them one by one"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the nodes' configurations could not be compared"),
        }
        if wait(&mut stop, BEAT).await {
            return;
        }
        life = 3 * BEAT.as_millis() as i64;
    }
}

/// Of what has to be the same on all nodes. Secrets show nothing of themselves and are not compared.
pub(super) fn fingerprint(config: &Config) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{:?} {:?} {:?} {:?}", config.im, config.desk, config.windows, config.accounts).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Ids and AppIDs.
pub(super) fn names(config: &Config) -> Vec<(String, String)> {
    config.accounts.iter().map(|account| (account.id.clone(), account.app_id.clone())).collect()
}

fn show(vitals: &store::Vitals, now: i64, accounts: &[(String, String)]) {
    let waiting: HashMap<(&str, &str), &store::Queued> =
        vitals.waiting.iter().map(|one| ((one.account.as_str(), one.direction.as_str()), one)).collect();
    // Also what has come to nothing is said.
    for (account, app_id) in accounts {
        for direction in ["in", "out"] {
            let one = waiting.get(&(account.as_str(), direction));
            let labels = [("account", account.clone()), ("direction", direction.to_owned())];
            let age = one.map_or(0, |one| (now - one.oldest).max(0)) as f64 / 1000.0;
            metrics::gauge!("tsunagi_backlog_lanes", &labels).set(one.map_or(0, |one| one.lanes) as f64);
            metrics::gauge!("tsunagi_backlog_jobs", &labels).set(one.map_or(0, |one| one.jobs) as f64);
            metrics::gauge!("tsunagi_backlog_age_seconds", &labels).set(age);
        }
        let parked = vitals.parked.iter().find(|(of, _)| of == account).map_or(0, |(_, parked)| *parked);
        metrics::gauge!("tsunagi_parked", "account" => account.clone()).set(parked as f64);
        if let Some((_, expires)) = vitals.tokens.iter().find(|(of, _)| of == app_id) {
            metrics::gauge!("tsunagi_token_expires_seconds", "account" => account.clone())
                .set((expires - now) as f64 / 1000.0);
        }
    }
    metrics::gauge!("tsunagi_spooled").set(vitals.spooled as f64);
    if let Some((file, log)) = vitals.files {
        metrics::gauge!("tsunagi_store_bytes").set(file as f64);
        metrics::gauge!("tsunagi_store_wal_bytes").set(log as f64);
    }
}

/// What Linux tells of this process; elsewhere nothing.
fn process() {
    // The page size is 4 KiB on every Linux that this is built for but some on ARM; "VmRSS" is in kB everywhere.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    if let Some(kilobytes) = resident.and_then(|number| number.trim().parse::<f64>().ok()) {
        metrics::gauge!("tsunagi_process_memory_bytes").set(kilobytes * 1024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        metrics::gauge!("tsunagi_process_open_fds").set(open.count() as f64);
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    if let Some(most) = most.and_then(|number| number.parse::<f64>().ok()) {
        metrics::gauge!("tsunagi_process_max_fds").set(most);
    }
}
