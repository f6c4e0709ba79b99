//! A gateway that stands still for longer than its lease, as a paused machine does, while another one takes its work
//! over: when it wakes up, nothing happens twice.

use super::drive::{People, now_ms};
use super::{at_every_point, judge, setup_for};
use crate::support::{Engine, PATIENCE, engines};
use sim::PushConfig;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than the lease and what the other one waits before it looks a cut call up.
const FROZEN: Duration = Duration::from_millis(6_500);

/// Whether every thread of the process is stopped.
fn stands_still(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

async fn frozen_at(point: &'static str) -> Result<(), String> {
    let mut setup = setup_for(Engine::Postgres, point).env("TSUNAGI_FREEZE_AT", point);
    // As patient as the real cloud: a row that the frozen one has locked is free again after 5 s.
    setup.clouds.push = PushConfig::quick(5_000, 700);
    let world = setup.start().await;
    let people = People::of(&world);
    let stories = tokio::spawn(people.clone().stories(3));
    let begun = Instant::now();
    while !stands_still(world.pid()) {
        if begun.elapsed() > PATIENCE || stories.is_finished() {
            return Err(format!("the story did not pass this point\n{}", world.keep_log()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let from = now_ms();
    let second = world.second().await;
    world.route_webhooks_to(&second.webhooks).await;
    people.ask(&second.admin);
    tokio::time::sleep(FROZEN.saturating_sub(Duration::from_millis((now_ms() - from) as u64))).await;
    assert!(Command::new("kill").args(["-CONT", &world.pid().to_string()]).status().unwrap().success());
    let cuts = [(from - 20, now_ms())];
    // What it had in its hands comes to light now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    stories.await.map_err(|error| format!("{error}\n{}", world.keep_log()))?;
    let verdict = judge(world, &cuts).await;
    drop(second);
    verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_frozen_at_every_named_point_while_another_takes_over() {
    if engines().contains(&Engine::Postgres) {
        // Most of their time they only wait.
        at_every_point(6, frozen_at).await;
    }
}
