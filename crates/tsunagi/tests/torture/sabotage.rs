//! Gateways that are broken on purpose: the checker has to find it each time, or it proves nothing.

use crate::checker::{Breach, Observed, check};
use crate::cluster::Standby;
use crate::dice::Dice;
use crate::drive::{now_ms, openid};
use crate::link::Mode;
use crate::scenario::{Form, Report, Round};
use crate::support::Engine;
use crate::town::{Plan, Town};
use sim::{Fault, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is broken, where, and what that must lead to: to any of these.
const BROKEN: &[(&str, Engine, &[Breach])] = &[
    ("no-dedup", Engine::Sqlite, &[Breach::Duplicated]),
    ("no-dedup", Engine::Postgres, &[Breach::Duplicated]),
    ("no-fence", Engine::Postgres, &[Breach::Duplicated]),
    ("sync-off", Engine::Sqlite, &[Breach::NotStored]),
    // Lost are the last commits before the power went: webhooks, or only that they had been worked off.
    ("sync-off", Engine::Postgres, &[Breach::NotStored, Breach::Duplicated]),
    // Not the gateway, but a database whose standby is behind: what docs/RELIABILITY.md says is lost then.
    ("asynchronous standby", Engine::Postgres, &[Breach::NotStored]),
];

pub(crate) fn rounds(form: Form) -> u64 {
    BROKEN.len() as u64 * form.of(1, 2, 4)
}

pub(crate) async fn play(round: Round) -> Report {
    let (what, engine, wanted) = BROKEN[round.n as usize % BROKEN.len()];
    let mut report = Report::default();
    // The same story, whole and broken: only the second may be found at fault.
    for broken in [false, true] {
        let found = breaches(what, engine, broken, Dice::new(round.seed)).await;
        let as_wanted =
            if broken { wanted.iter().any(|breach| found.contains(breach)) } else { found.is_empty() };
        if !as_wanted {
            let which = if broken { "broken" } else { "whole" };
            report.findings.push(format!("{what} on {engine:?}, {which}: the checker found {found:?}"));
        }
    }
    report.add(&format!("{what} on {engine:?} found").to_lowercase(), i64::from(report.findings.is_empty()));
    report
}

async fn breaches(what: &str, engine: Engine, broken: bool, mut dice: Dice) -> Vec<Breach> {
    let mut plan = Plan::new(engine);
    if what == "asynchronous standby" {
        plan.standby = if broken { Standby::Asynchronous } else { Standby::Synchronous };
    } else if broken {
        plan.env.push(("TSUNAGI_SABOTAGE".into(), what.into()));
    }
    match what {
        "no-fence" => {
            plan.nodes = 2;
            plan.first_env.push(("TSUNAGI_FREEZE_AT".into(), "answer.before_attempt".into()));
        }
        "sync-off" => {
            plan.disk = engine == Engine::Sqlite;
            // What nobody waits for is written late.
            plan.postgres = "wal_writer_delay = '10s'\nwal_writer_flush_after = '1GB'".into();
        }
        _ => {}
    }
    let mut town = plan.build().await;
    match what {
        "no-dedup" => repeats(&town).await,
        "no-fence" => frozen(&mut town).await,
        "asynchronous standby" => cut_off_standby(&mut town, &mut dice).await,
        _ => power_cut(&mut town, &mut dice).await,
    }
    let run = Observed::gather(&town.control, &town.database, &town.cuts).await;
    check(&run).into_iter().map(|finding| finding.breach).collect()
}

/// Every push and every webhook comes twice.
async fn repeats(town: &Town) {
    for target in ["wechat.push", "im.callback_after"] {
        town.control.fault(Fault::lasting(target, Kind::Duplicate, 600_000)).await.unwrap();
    }
    conversation(town).await;
    town.drained().await;
}

async fn conversation(town: &Town) {
    let (people, openid) = (town.people(), openid(0));
    people.follow(&openid).await;
    let question = people.say(&openid, "q1").await;
    let (ghost, agent) = people.who_heard(&question).await;
    people.answer(&agent, &ghost, "a1").await;
    people.idle(&openid).await;
}

/// The first node stands still right before it opens an attempt, and wakes when the other has sent the answer.
async fn frozen(town: &mut Town) {
    let people = town.people();
    let stories: Vec<_> = (0..6)
        .map(|n| {
            let people = people.clone();
            tokio::spawn(async move {
                let openid = openid(n);
                people.follow(&openid).await;
                let question = people.say(&openid, "q1").await;
                let (ghost, agent) = people.who_heard(&question).await;
                for answer in ["a1", "a2", "a3"] {
                    people.answer(&agent, &ghost, answer).await;
                }
                people.idle(&openid).await;
            })
        })
        .collect();
    let begun = Instant::now();
    while !town.nodes[0].stands_still() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the first node had no answer in its hands");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let from = now_ms();
    for story in stories {
        story.await.unwrap();
    }
    town.nodes[0].thaw();
    tokio::time::sleep(Duration::from_secs(2)).await;
    town.cut_since(from - 20);
    town.drained().await;
}

/// The line to the standby is cut, and a while later the primary dies.
async fn cut_off_standby(town: &mut Town, dice: &mut Dice) {
    let enough = Arc::new(AtomicBool::new(false));
    let crowd = town.crowd(6, dice, &enough);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let from = now_ms();
    town.cluster.as_ref().unwrap().wire.set(Mode::Cut);
    tokio::time::sleep(Duration::from_secs(3)).await;
    town.cluster.as_mut().unwrap().fail_over().await;
    town.follow_primary();
    town.until_all_ready().await;
    town.cut_since(from);
    finish(crowd, &enough).await;
}

/// The power goes out under load: what was acknowledged is there, or it is not.
async fn power_cut(town: &mut Town, dice: &mut Dice) {
    let enough = Arc::new(AtomicBool::new(false));
    let crowd = town.crowd(10, dice, &enough);
    // One alone may fall right behind a write of what nobody waited for.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(1_000 + dice.below(1_500))).await;
        let from = now_ms();
        town.lose_power().await;
        town.cut_since(from);
    }
    finish(crowd, &enough).await;
}

/// Lets everybody finish; whoever waits for what was lost waits in vain.
async fn finish(crowd: Vec<tokio::task::JoinHandle<()>>, enough: &AtomicBool) {
    enough.store(true, Ordering::Relaxed);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    for mut one in crowd {
        if tokio::time::timeout_at(deadline, &mut one).await.is_err() {
            one.abort();
        }
    }
}
