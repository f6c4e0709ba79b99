//! `kill -9` at every named point and at random moments, and a freeze at every named point, while customers and
//! agents go on: the promise is kept. `drive.rs` plays the people, `checker` judges.
//!
//! Each point is one world of its own; a few run at a time. Lanes of a dead process are taken over when their lease
//! ends, so worlds here have a short one.

mod dice;
#[expect(dead_code, reason = "shared with the torture tool, which uses more of it")]
mod drive;
mod freeze;
mod random;
mod sabotage;

use crate::checker::{Observed, check};
use crate::support::{Engine, Setup, World, engines};
use drive::{People, now_ms};
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;
use store::faults::{POINTS, SPOOL_POINTS};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

fn setup(engine: Engine) -> Setup {
    Setup::new(engine).store("lease = 2").agents(&["user1", "user2"])
}

/// A world in which this point is passed.
fn setup_for(engine: Engine, point: &'static str) -> Setup {
    // Every push counts as a crowd, or none.
    let spool_from = if SPOOL_POINTS.contains(&point) { "spool_from = 1" } else { "spool_from = 0" };
    setup(engine).store(spool_from)
}

/// What is wrong with a world in which the people have done what they wanted.
async fn judge(world: World, cuts: &[(i64, i64)]) -> Result<(), String> {
    world.drained().await;
    let findings = check(&Observed::of(&world, cuts).await);
    if findings.is_empty() {
        world.database.discard().await;
        return Ok(());
    }
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Err(format!("{}\n{}", list.join("\n"), world.keep_log()))
}

/// Lets the people go on; whenever the gateway is dead it is started again at once. Gives when it died.
async fn watch(world: &mut World, people: impl Future<Output = ()>) -> Vec<(i64, i64)> {
    let mut people = std::pin::pin!(people);
    let mut cuts = Vec::new();
    loop {
        tokio::select! {
            () = &mut people => return cuts,
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        if let Some(status) = world.died() {
            assert_eq!(status.signal(), Some(9), "the gateway ended by itself:\n{}", world.log());
            cuts.push((now_ms() - 20, now_ms()));
            world.spawn(&[]);
        }
    }
}

async fn killed_at(engine: Engine, point: &'static str) -> Result<(), String> {
    let mut world = setup_for(engine, point).env("TSUNAGI_KILL_AT", point).start().await;
    let people = People::of(&world);
    let cuts = watch(&mut world, people.stories(3)).await;
    if cuts.len() != 1 {
        return Err(format!("the story did not pass this point: {cuts:?}\n{}", world.keep_log()));
    }
    judge(world, &cuts).await
}

/// Runs a trial for each point, so many at a time, and reports all that failed. `TSUNAGI_TEST_POINT=relay` plays only
/// the points that begin so.
async fn at_every_point<T>(worlds: usize, trial: impl Fn(&'static str) -> T)
where
    T: Future<Output = Result<(), String>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(worlds));
    let mut trials = JoinSet::new();
    let only = std::env::var("TSUNAGI_TEST_POINT").ok();
    let points = POINTS.iter().chain(SPOOL_POINTS);
    for point in points.filter(|point| only.as_ref().is_none_or(|only| point.starts_with(only))) {
        let (places, trial) = (places.clone(), trial(point));
        trials.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            // A panic is this point's failure, not the end of the others.
            (*point, tokio::spawn(trial).await.unwrap_or_else(|error| Err(error.to_string())))
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = trials.join_next().await {
        if let (point, Err(why)) = ended.unwrap() {
            failed.push(format!("{point}: {why}"));
        }
    }
    assert!(failed.is_empty(), "{} points failed:\n{}", failed.len(), failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_f44_killed_at_every_named_point_on_sqlite() {
    at_every_point(3, |point| killed_at(Engine::Sqlite, point)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_f44_killed_at_every_named_point_on_postgres() {
    if engines().contains(&Engine::Postgres) {
        at_every_point(3, |point| killed_at(Engine::Postgres, point)).await;
    }
}
