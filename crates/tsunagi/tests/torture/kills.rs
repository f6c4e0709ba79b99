//! `kill -9` of the one gateway, again and again, under a steady load.

use crate::checker::{Observed, check};
use crate::dice::Dice;
use crate::drive::now_ms;
use crate::scenario::{Form, Report, Round};
use crate::town::{Plan, Town};
use desk::{DeliveryState, Direction};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CUSTOMERS: usize = 12;
/// Kills in one round, which is one world.
const KILLS: u64 = 20;

pub(crate) fn rounds(form: Form) -> u64 {
    // Each engine in turn.
    2 * form.of(1, 10, 50)
}

pub(crate) async fn play(round: Round) -> Report {
    let engine = round.engine();
    let mut dice = Dice::new(round.seed);
    let mut town = Plan::new(engine).build().await;
    town.slow_clouds(&mut dice).await;
    let enough = Arc::new(AtomicBool::new(false));
    let crowd = town.crowd(CUSTOMERS, &mut dice, &enough);
    let mut report = Report::default();
    let name = format!("kills on {engine:?}").to_lowercase();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(700 + dice.below(1_000))).await;
        if town.nodes[0].has_died() {
            report.findings.push(format!("the gateway ended by itself; {}", town.keep_logs().await));
            return report;
        }
        let from = now_ms();
        town.nodes[0].kill();
        town.cut_since(from);
        town.nodes[0].spawn();
        let ready = town.nodes[0].until_ready().await.as_millis() as i64;
        report.add(&name, 1);
        report.most("worst ms to ready", ready);
        if round.is_timed() && ready > 2_000 {
            report.findings.push(format!("ready after {ready} ms"));
        }
    }
    judge(town, crowd, &enough, report).await
}

/// Lets everybody finish, and checks.
pub(crate) async fn judge(
    town: Town,
    crowd: Vec<tokio::task::JoinHandle<()>>,
    enough: &AtomicBool,
    mut report: Report,
) -> Report {
    enough.store(true, Ordering::Relaxed);
    for one in crowd {
        if let Err(error) = one.await {
            report.findings.push(format!("a conversation broke off: {error}; {}", town.keep_logs().await));
            return report;
        }
    }
    town.drained().await;
    let run = Observed::gather(&town.control, &town.database, &town.cuts).await;
    report.add("messages", run.said.len() as i64);
    report.add("received", run.received.len() as i64);
    let unsure = run.deliveries.iter().filter(|one| one.state == DeliveryState::Unsure).count() as i64;
    let cut = "SELECT COUNT(*) FROM attempt WHERE detail = 'taken over' OR detail LIKE 'unclear%'";
    let cut = town.database.count(cut).await;
    let in_vain =
        run.said.iter().filter(|one| one.way == Direction::In && one.acknowledged.is_none()).count();
    report.add("offered three times in vain", in_vain as i64);
    report.add("unsure", unsure);
    report.add("calls cut", cut);
    let mut findings: Vec<String> = check(&run).iter().map(ToString::to_string).collect();
    if unsure > cut + run.faults.len() as i64 {
        findings.push(format!("{unsure} unsure, and only {cut} calls were cut"));
    }
    if !findings.is_empty() {
        report.findings.extend(findings);
        report.findings.push(town.keep_logs().await);
    }
    report
}
