//! Asks WeChat once a day from where its webhooks come, for the accounts that want to know.

use std::time::Duration;

use bridge::Bridge;
use tokio::sync::watch;

use super::housekeeping::wait;
use crate::http::Sources;

const DAY: Duration = Duration::from_secs(86_400);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(60);

/// Keeps the lists of these accounts fresh until told to stop. Without a new one the last one holds.
pub(super) async fn keep(
    bridge: Bridge,
    accounts: Vec<String>,
    sources: Sources,
    mut stop: watch::Receiver<bool>,
) {
    if accounts.is_empty() {
        return;
    }
    let (mut missing, mut pause) = (accounts.clone(), Duration::ZERO);
    loop {
        if wait(&mut stop, pause).await {
            return;
        }
        let mut failed = Vec::new();
        for account in missing {
            match bridge.callback_ips(&account).await {
                Ok(ranges) => {
                    tracing::info!(
                        account,
                        ranges = ranges.len(),
                        "webhooks are taken from WeChat's own addresses only"
                    );
                    sources.set(&account, ranges);
                }
                Err(detail) => {
                    tracing::warn!(
                        account,
                        detail,
                        "WeChat does not tell from where its webhooks come: the last list holds, without one everyone is let in"
                    );
                    failed.push(account);
                }
            }
        }
        (missing, pause) = if failed.is_empty() { (accounts.clone(), DAY) } else { (failed, AGAIN) };
    }
}
