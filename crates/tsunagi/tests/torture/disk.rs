//! A disk that is slow, full, broken, read-only, or loses what was not synced.

use crate::dice::Dice;
use crate::drive::now_ms;
use crate::kills::judge;
use crate::scenario::{Form, Report, Round};
use crate::town::{Plan, Town};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const CUSTOMERS: usize = 6;
/// Readiness looks every fifth second while all is well.
const NOTICED_WITHIN: Duration = Duration::from_secs(12);

pub(crate) fn rounds(form: Form) -> u64 {
    form.of(1, 4, 20)
}

pub(crate) async fn play(round: Round) -> Report {
    let engine = round.engine();
    let mut dice = Dice::new(round.seed);
    let mut plan = Plan::new(engine);
    plan.disk = true;
    let mut town = plan.build().await;
    town.slow_clouds(&mut dice).await;
    let enough = Arc::new(AtomicBool::new(false));
    let crowd = town.crowd(CUSTOMERS, &mut dice, &enough);
    let mut report = Report::default();
    report.add(&format!("rounds on {engine:?}").to_lowercase(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    set(&town, "slow 50");
    tokio::time::sleep(Duration::from_secs(4)).await;
    set(&town, "");
    report.add("slow syncs", 1);
    for wrong in ["full", "broken", "unsynced", "readonly"] {
        let from = now_ms();
        set(&town, wrong);
        if !becomes(&town, false).await {
            report.findings.push(format!("{wrong}: still ready after {} s", NOTICED_WITHIN.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(dice.below(1_000))).await;
        if town.nodes[0].has_died() {
            report.findings.push(format!("{wrong}: the gateway ended; {}", town.keep_logs().await));
            return report;
        }
        set(&town, "");
        if let Some(cluster) = town.cluster.as_mut() {
            // PostgreSQL rather stops than goes on after a write that failed; whoever watches over it starts it again.
            cluster.revive().await;
        }
        let healed = Instant::now();
        if !becomes(&town, true).await {
            report.findings.push(format!("{wrong}: does not heal; {}", town.keep_logs().await));
            return report;
        }
        report.most("worst ms to heal", healed.elapsed().as_millis() as i64);
        report.add(&format!("disk {wrong}"), 1);
        town.cut_since(from);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for _ in 0..round.form.of(2, 5, 20) {
        tokio::time::sleep(Duration::from_millis(500 + dice.below(1_000))).await;
        let from = now_ms();
        town.lose_power().await;
        town.cut_since(from);
        report.add("power cuts", 1);
    }
    judge(town, crowd, &enough, report).await
}

fn set(town: &Town, wrong: &str) {
    town.disk.as_ref().unwrap().set(wrong);
}

/// Waits until the gateway is ready, or not ready any more; false if it does not come to that.
async fn becomes(town: &Town, ready: bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < NOTICED_WITHIN {
        if town.nodes[0].is_ready().await == ready {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
