//! Two and three nodes on one PostgreSQL with a synchronous standby: nodes die, stand still and are restarted in turn; the
//! database is restarted, killed, stands still and fails over; lines between any two are cut.

use crate::cluster::Standby;
use crate::dice::Dice;
use crate::drive::now_ms;
use crate::kills::judge;
use crate::link::Mode;
use crate::scenario::{Form, Report, Round};
use crate::support::Engine;
use crate::town::{LEASE, Plan, Town};
use sim::{Fault, Kind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const CUSTOMERS: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// A node dies and comes back after the others have taken over.
    Kill,
    /// A node stands still for longer than its lease.
    Freeze,
    /// All nodes, one after another, in good order.
    Rolling,
    RestartPostgres,
    KillPostgres,
    /// The database and a node at once.
    KillBoth,
    FreezePostgres,
    FailOver,
    /// A line of one node: to IM, to WeChat, to the database.
    Line,
    /// The clock of one node jumps ahead, or back.
    Clock,
    /// Webhooks come twice, at once and one after the other.
    Repeats,
    /// Webhooks come late, out of their order, and their answers are lost.
    Delays,
}

/// What falls on one round of the normal form.
const BLOWS: &[(Blow, u64)] = &[
    (Blow::Kill, 12),
    (Blow::Freeze, 4),
    (Blow::Rolling, 2),
    (Blow::RestartPostgres, 2),
    (Blow::KillPostgres, 1),
    (Blow::KillBoth, 1),
    (Blow::FreezePostgres, 1),
    (Blow::FailOver, 1),
    (Blow::Line, 6),
    (Blow::Clock, 2),
    (Blow::Repeats, 2),
    (Blow::Delays, 2),
];

pub(crate) fn rounds(form: Form) -> u64 {
    form.of(1, 5, 25)
}

pub(crate) async fn play(round: Round) -> Report {
    let mut dice = Dice::new(round.seed);
    let mut plan = Plan::new(Engine::Postgres);
    (plan.nodes, plan.standby) = (if round.n.is_multiple_of(2) { 2 } else { 3 }, Standby::Synchronous);
    let nodes = plan.nodes;
    let mut town = plan.build().await;
    town.slow_clouds(&mut dice).await;
    let enough = Arc::new(AtomicBool::new(false));
    let crowd = town.crowd(CUSTOMERS, &mut dice, &enough);
    let mut report = Report::default();
    report.add(&format!("rounds with {nodes} nodes"), 1);
    for blow in shuffled(round.form, &mut dice) {
        tokio::time::sleep(Duration::from_millis(400 + dice.below(600))).await;
        if let Some(n) = town.nodes.iter_mut().position(crate::town::Node::has_died) {
            report.findings.push(format!("node {n} ended by itself; {}", town.keep_logs().await));
            return report;
        }
        eprintln!("  {blow:?}");
        strike(&mut town, blow, round.is_timed(), &mut dice, &mut report).await;
        town.until_all_ready().await;
    }
    judge(town, crowd, &enough, report).await
}

fn shuffled(form: Form, dice: &mut Dice) -> Vec<Blow> {
    let mut all: Vec<Blow> = match form {
        // One of each.
        Form::Short => BLOWS.iter().map(|(blow, _)| *blow).collect(),
        _ => BLOWS.iter().flat_map(|(blow, times)| std::iter::repeat_n(*blow, *times as usize)).collect(),
    };
    for n in (1..all.len()).rev() {
        all.swap(n, dice.below(n as u64 + 1) as usize);
    }
    all
}

async fn strike(town: &mut Town, blow: Blow, timed: bool, dice: &mut Dice, report: &mut Report) {
    let from = now_ms();
    let n = dice.below(town.nodes.len() as u64) as usize;
    match blow {
        Blow::Kill => {
            let holder = town.nodes[n].holder();
            town.nodes[n].kill();
            town.cut_since(from);
            report.add("node kills", 1);
            taken_over(town, holder, timed, report).await;
            town.nodes[n].spawn();
            let ready = town.nodes[n].until_ready().await.as_millis() as i64;
            report.most("worst ms to ready", ready);
        }
        Blow::Freeze => {
            town.nodes[n].freeze();
            report.add("freezes", 1);
            let begun = Instant::now();
            taken_over(town, town.nodes[n].holder(), timed, report).await;
            // Longer than the lease, and than a look into IM's history.
            let left = Duration::from_millis(5_500 + dice.below(1_500)).saturating_sub(begun.elapsed());
            tokio::time::sleep(left).await;
            town.nodes[n].thaw();
            town.cut_since(from - 20);
        }
        Blow::Rolling => {
            for n in 0..town.nodes.len() {
                town.nodes[n].stop().await;
                town.nodes[n].spawn();
                town.nodes[n].until_ready().await;
            }
            report.add("rolling restarts", 1);
        }
        Blow::RestartPostgres => {
            town.cluster.as_mut().unwrap().restart().await;
            report.add("restarts of PostgreSQL", 1);
            town.until_all_ready().await;
            town.cut_since(from);
        }
        Blow::KillPostgres | Blow::KillBoth => {
            town.cluster.as_mut().unwrap().primary.kill();
            if blow == Blow::KillBoth {
                town.nodes[n].kill();
            }
            town.cluster.as_mut().unwrap().come_back().await;
            if blow == Blow::KillBoth {
                town.nodes[n].spawn();
                report.add("node kills", 1);
            }
            report.add("kills of PostgreSQL", 1);
            town.until_all_ready().await;
            town.cut_since(from);
        }
        Blow::FreezePostgres => {
            town.cluster.as_ref().unwrap().primary.freeze();
            tokio::time::sleep(Duration::from_millis(2_000 + dice.below(1_500))).await;
            town.cluster.as_ref().unwrap().primary.thaw();
            report.add("freezes of PostgreSQL", 1);
            town.until_all_ready().await;
            town.cut_since(from);
        }
        Blow::FailOver => {
            town.cluster.as_mut().unwrap().fail_over().await;
            town.follow_primary();
            report.add("failovers", 1);
            town.until_all_ready().await;
            town.cut_since(from);
            town.cluster.as_mut().unwrap().replace_standby().await;
        }
        Blow::Clock => {
            // Less than the window of a signature, or nothing would be taken at all.
            let jump = 100_000 + dice.below(150_000) as i64;
            town.nodes[n].set_clock(if dice.below(2) == 0 { jump } else { -jump });
            tokio::time::sleep(Duration::from_millis(2_000 + dice.below(1_000))).await;
            town.nodes[n].set_clock(0);
            report.add("clock jumps", 1);
            // A time that was noted meanwhile says nothing of when a call was cut.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Blow::Repeats => {
            for (target, kind) in [
                ("wechat.push", Kind::Duplicate),
                ("wechat.push", Kind::Overlap),
                ("im.callback_after", Kind::Duplicate),
            ] {
                town.control.fault(Fault::times(target, kind, 20)).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            report.add("webhooks repeated", 60);
        }
        Blow::Delays => {
            for (target, kind) in [
                ("wechat.push", Kind::Delay),
                ("im.callback_after", Kind::Delay),
                ("wechat.push", Kind::ResetAfter),
            ] {
                town.control
                    .fault(Fault::times(target, kind, 10).value(300 + dice.below(900)))
                    .await
                    .unwrap();
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            report.add("webhooks delayed or unanswered", 30);
        }
        Blow::Line => {
            let modes = [Mode::Cut, Mode::Silent, Mode::Slow(2_000), Mode::ResetBefore, Mode::ResetIn(40)];
            let mode = modes[dice.below(modes.len() as u64) as usize];
            let node = &town.nodes[n];
            let (link, what) = match dice.below(3) {
                0 => (&node.to_im, "IM"),
                1 => (&node.to_wechat, "WeChat"),
                _ => (node.to_database.as_ref().unwrap(), "PostgreSQL"),
            };
            eprintln!("    {mode:?} to {what}");
            link.set(mode);
            tokio::time::sleep(Duration::from_millis(1_000 + dice.below(2_000))).await;
            link.set(Mode::Open);
            report.add("lines cut", 1);
            // What it had under way may end a while later.
            town.until_all_ready().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            town.cut_since(from);
        }
    }
}

/// Waits until nothing is held by this node any more, which may take the lease and a second.
async fn taken_over(town: &Town, holder: String, timed: bool, report: &mut Report) {
    let begun = Instant::now();
    loop {
        let held = town.database.pairs("SELECT holder, id FROM lane WHERE holder IS NOT NULL").await;
        let left: Vec<String> =
            held.into_iter().filter(|(by, _)| *by == holder).map(|(_, lane)| lane).collect();
        let took = begun.elapsed();
        if left.is_empty() {
            report.most("worst ms to take-over", took.as_millis() as i64);
            return;
        }
        if took > if timed { LEASE + Duration::from_secs(1) } else { LEASE * 5 } {
            let logs = town.keep_logs().await;
            report.findings.push(format!("not taken over after {} ms: {left:?}; {logs}", took.as_millis()));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
