//! Twenty kills at random moments, under a steady load.

use super::dice::Dice;
use super::drive::{People, now_ms};
use super::{judge, setup};
use crate::support::{Engine, engines};
use sim::{Fault, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const KILLS: usize = 20;
const CUSTOMERS: usize = 6;

async fn kill_at_random(engine: Engine) {
    let seed = match std::env::var("TSUNAGI_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => now_ms() as u64,
    };
    eprintln!("{engine:?}: TSUNAGI_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    // Two pushes at the same moment count as a crowd: some are stored on either way.
    let mut world = setup(engine).store("spool_from = 2").start().await;
    // Calls take a while, as over the internet, so that kills fall into them.
    for target in ["wechat.custom_send", "im.sendmsg", "im.account_import", "im.account_delete"] {
        let kind = if dice.below(2) == 0 { Kind::Delay } else { Kind::DelayAnswer };
        world.control.fault(Fault::lasting(target, kind, 600_000).value(40)).await.unwrap();
    }
    let (people, enough) = (People::of(&world), Arc::new(AtomicBool::new(false)));
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|n| {
            let dice = Dice::new(dice.next());
            tokio::spawn(people.clone().converse(n, dice, enough.clone()))
        })
        .collect();
    let mut cuts = Vec::new();
    for _ in 0..KILLS {
        // Three attempts at a push must meet a living gateway once, and a start of a debug build takes up to a second.
        tokio::time::sleep(Duration::from_millis(1_500 + dice.below(1_000))).await;
        assert!(world.died().is_none(), "the gateway ended by itself:\n{}", world.log());
        let from = now_ms();
        world.kill();
        cuts.push((from, now_ms()));
        world.spawn(&[]);
    }
    enough.store(true, Ordering::Relaxed);
    for customer in customers {
        customer.await.unwrap();
    }
    let unsure = world.database.count("SELECT COUNT(*) FROM delivery WHERE state = 'unsure'").await;
    let messages = world.database.count("SELECT COUNT(*) FROM message").await;
    let taken_over = world.database.count("SELECT COUNT(*) FROM attempt WHERE detail = 'taken over'").await;
    eprintln!("{engine:?}: {messages} messages, {taken_over} calls cut by a kill, {unsure} unsure");
    assert!(messages > 100, "the load was not steady: {messages} messages");
    if let Err(why) = judge(world, &cuts).await {
        panic!("TSUNAGI_TEST_SEED={seed}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_f44_twenty_random_kills_on_sqlite() {
    kill_at_random(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_f44_twenty_random_kills_on_postgres() {
    if engines().contains(&Engine::Postgres) {
        kill_at_random(Engine::Postgres).await;
    }
}
