//! The checker can fail: a gateway that is broken on purpose does not pass.

use super::drive::{People, openid};
use super::setup;
use crate::checker::{Breach, Observed, check};
use crate::support::engines;
use sim::{Fault, Kind};

/// The breaches in a run in which every push and every webhook comes twice.
async fn with_repeats(engine: crate::support::Engine, env: Option<(&str, &str)>) -> Vec<Breach> {
    let mut setup = setup(engine);
    if let Some((name, value)) = env {
        setup = setup.env(name, value);
    }
    let world = setup.start().await;
    for target in ["wechat.push", "im.callback_after"] {
        world.control.fault(Fault::lasting(target, Kind::Duplicate, 600_000)).await.unwrap();
    }
    let (people, openid) = (People::of(&world), openid(0));
    people.follow(&openid).await;
    let question = people.say(&openid, "q1").await;
    let (ghost, _) = people.who_heard(&question).await;
    people.answer("user1", &ghost, "a1").await;
    people.idle(&openid).await;
    world.drained().await;
    let breaches = check(&Observed::of(&world, &[]).await).into_iter().map(|found| found.breach).collect();
    world.database.discard().await;
    breaches
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_without_dedup_the_checker_finds_duplicates() {
    for engine in engines() {
        assert_eq!(with_repeats(engine, None).await, [], "{engine:?}: repeats cost nothing");
        let broken = with_repeats(engine, Some(("TSUNAGI_SABOTAGE", "no-dedup"))).await;
        assert!(broken.contains(&Breach::Duplicated), "{engine:?}: {broken:?}");
    }
}
