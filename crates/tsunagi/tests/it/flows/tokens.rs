//! F26, F28: one access token for all, fetched once, kept while it lives, never empty.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use futures_util::future::join_all;
use serde_json::json;
use sim::{Fault, Kind};
use std::time::Duration;

/// Fetches of a token that were carried out.
async fn fetches(world: &World) -> usize {
    world.calls("wechat.token").await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_a_token_that_dies_in_a_burst_is_fetched_once_and_each_request_repeated_once() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        const CUSTOMERS: usize = 12;
        let mut ghosts = Vec::new();
        for n in 0..CUSTOMERS {
            ghosts.push(world.opened(&customer(n), &format!("question {n}")).await);
        }
        world.agent_says(&ghosts[0], "warm").await;
        world.reaches(&world.app_id(), &customer(0), "warm").await;
        assert_eq!(fetches(&world).await, 1);
        // All are under way with the dead token before the first of them hears of it, and the new one takes its
        // time: whoever does not look again after waiting fetches another.
        let revoke = format!("/sim/wechat/{}/revoke_tokens", world.app_id());
        world.control.post(&revoke, json!({})).await.unwrap();
        world.fault(Fault::once("wechat.token", Kind::Delay).value(400)).await;
        world.fault(Fault::times("wechat.custom_send", Kind::DelayAnswer, CUSTOMERS as u32).value(300)).await;
        let says = ghosts.iter().enumerate().map(|(n, ghost)| {
            let (world, text) = (&world, format!("answer {n}"));
            async move { world.agent_says(ghost, &text).await }
        });
        join_all(says).await;
        for n in 0..CUSTOMERS {
            world.reaches(&world.app_id(), &customer(n), &format!("answer {n}")).await;
        }
        world.drained().await;
        assert_eq!(fetches(&world).await, 2, "one refresh");
        let calls = world.calls("wechat.custom_send").await;
        let refused = calls.iter().filter(|call| call["errcode"] == 40001).count();
        assert!((2..=CUSTOMERS).contains(&refused), "{refused} of them met the dead token");
        for n in 0..CUSTOMERS {
            let text = format!("answer {n}");
            let tries: Vec<_> = calls.iter().filter(|call| call["text"] == text.as_str()).collect();
            assert!(tries.len() <= 2 && tries.last().unwrap()["errcode"] == 0, "{tries:?}");
            let received = world.control.received(&world.app_id(), &customer(n)).await.unwrap();
            assert_eq!(received.iter().filter(|shown| **shown == text).count(), 1);
        }
        assert_eq!(world.notices().await, 0);
        let stored = world.database.pairs("SELECT app_id, token FROM token").await;
        assert!(stored.len() == 1 && stored[0].1.starts_with("sim_"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f28_an_empty_or_failed_token_is_never_kept_and_wechat_is_not_stormed() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghosts = [world.opened(OPENID, "one").await, world.opened(&customer(2), "two").await];
    let bodies = [r#"{"access_token":"","expires_in":7200}"#, r#"{"expires_in":7200}"#, ""];
    world.fault(Fault::once("wechat.token", Kind::Body).value(bodies[0])).await;
    for ghost in &ghosts {
        world.control.agent_say(AGENT, ghost, "patience").await.unwrap().unwrap();
    }
    world.struck("wechat.token", 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let tried = world.lines(|line| line["kind"] == "fault").await.len() + fetches(&world).await;
    assert_eq!(tried, 1, "nobody asks again so soon, though two answers wait and try again");
    assert_eq!(world.database.count("SELECT COUNT(*) FROM token WHERE token <> ''").await, 0);
    for ghost in &ghosts {
        assert!(!ghost.is_empty());
    }
    world.reaches(&world.app_id(), OPENID, "patience").await;
    world.reaches(&world.app_id(), &customer(2), "patience").await;
    world.drained().await;
    assert_eq!(fetches(&world).await, 1);
    assert_eq!(world.sends_of("patience").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn f28_the_old_token_is_used_while_it_lives_and_no_other_can_be_had() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.agent_says(&ghost, "warm").await;
        world.customer_sees("warm").await;
        let (_, before) = world.database.pairs("SELECT app_id, token FROM token").await.remove(0);
        // Two minutes to live: time to renew it, and WeChat gives none.
        world
            .database
            .pairs("UPDATE token SET expires_at = expires_at - 7080000 RETURNING app_id, token")
            .await;
        world.fault(Fault::once("wechat.token", Kind::Status).value(503)).await;
        world
            .fault(Fault::once("wechat.token", Kind::Body).value(r#"{"access_token":"","expires_in":7200}"#))
            .await;
        world.fault(Fault::times("wechat.token", Kind::ResetBefore, 50)).await;
        for n in 0..4 {
            world.agent_says(&ghost, &format!("with the old one {n}")).await;
            world.customer_sees(&format!("with the old one {n}")).await;
        }
        let asked = world.lines(|line| line["kind"] == "fault").await.len();
        assert!((1..=2).contains(&asked), "it asked {asked} times");
        let (_, after) = world.database.pairs("SELECT app_id, token FROM token").await.remove(0);
        assert_eq!(before, after);
        assert_eq!(
            world.database.count("SELECT COUNT(*) FROM delivery WHERE state IN ('failed', 'unsure')").await,
            0
        );
    })
    .await;
}
