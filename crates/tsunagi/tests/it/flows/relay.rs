//! F50, F51, F52: what IM needs before a customer's message can be shown.

use super::on_every_engine;
use super::wire::{customer, now_s};
use crate::support::{AGENT, Engine, OPENID, Setup, World, http};
use serde_json::Value;
use sim::{Fault, Kind};
use std::sync::Arc;

/// Deletes accounts in IM, as another tool would.
pub(super) async fn delete_in_im(world: &World, users: &[&str]) {
    let shop = sim::ImConfig::shop();
    let sig = im::AdminSig::new(shop.secret_key.into(), shop.sdk_app_id, "administrator", 600);
    let client =
        im::Client::new(http().clone(), &world.clouds.im_url, shop.sdk_app_id, Arc::new(sig)).unwrap();
    for user in users {
        client.account_delete(&[user], 1, now_s()).await.unwrap();
    }
}

fn imports_of<'a>(calls: &'a [Value], user: &'a str) -> impl Iterator<Item = &'a Value> {
    calls.iter().filter(move |call| call["user_id"] == user)
}

#[tokio::test(flavor = "multi_thread")]
async fn f50_a_refused_usersig_is_renewed_once_and_the_call_repeated() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for (n, code) in [70001, 70052, 20002].into_iter().enumerate() {
        for api in ["im.account_import", "im.sendmsg"] {
            world.fault(Fault::once(api, Kind::Errcode).value(code)).await;
        }
        let begun = std::time::Instant::now();
        let text = format!("in spite of {code}");
        world.opened(&customer(n), &text).await;
        assert!(begun.elapsed().as_millis() < 2_500, "at once, not after a back-off");
        assert_eq!(world.shown_to_agent(|shown| shown == text).await, 1);
    }
    // Refused for good (the key is wrong): it is retried later, not at once and for ever.
    world.fault(Fault::times("im.sendmsg", Kind::Errcode, 2).value(70001)).await;
    world.opened(&customer(0), "after the second refusal").await;
    let faults = world.lines(|line| line["kind"] == "fault" && line["api"] == "im.sendmsg").await;
    assert_eq!(faults.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn f51_a_customer_or_agent_unknown_to_im_is_imported_and_the_message_sent() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        // Followed before the gateway existed.
        assert_eq!(world.opened(OPENID, "never followed here").await, OPENID);
        world.opened(OPENID, "second").await;
        let imports = world.calls("im.account_import").await;
        assert_eq!(imports_of(&imports, OPENID).count(), 1, "once is enough");
        // Followed, and the import failed.
        let failed = customer(1);
        world.fault(Fault::times("im.account_import", Kind::Errcode, 2).value(70169)).await;
        world.control.follow(&world.app_id(), &failed).await.unwrap();
        assert_eq!(world.opened(&failed, "imported late").await, failed);
        // We think that the ghost lives, and IM has lost it; then the agent too.
        delete_in_im(&world, &[OPENID]).await;
        assert_eq!(world.opened(OPENID, "lost and found").await, OPENID);
        delete_in_im(&world, &[AGENT]).await;
        world.opened(OPENID, "the agent was lost").await;
        delete_in_im(&world, &[AGENT, OPENID]).await;
        world.opened(OPENID, "both were lost").await;
        world.drained().await;
        let texts = ["lost and found", "the agent was lost", "both were lost"];
        let shown = world
            .lines(|line| {
                line["kind"] == "delivered" && texts.contains(&line["text"].as_str().unwrap_or_default())
            })
            .await;
        assert_eq!(shown.len(), 3, "each once");
        assert_eq!(world.database.count("SELECT COUNT(*) FROM delivery WHERE state <> 'sent'").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f52_an_openid_that_is_no_userid_gets_one_and_the_way_back() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let odd = [
            "oLonger_than_thirty_two_bytes_0123456789",
            "o.with@signs:and,dots",
            "short",
            "OABCDEFGHIJKLMNOPQRSTUVWXYZ0",
            "oabcdefghijklmnopqrstuvwxyz0",
        ];
        let mut ghosts = Vec::new();
        for openid in odd {
            let ghost = world.opened(openid, &format!("from {openid}")).await;
            assert!(
                ghost.len() <= 32 && ghost.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
                "{ghost}"
            );
            let folded = ghost.to_lowercase();
            assert!(!ghosts.contains(&folded), "no two differ by case alone: {ghost}");
            ghosts.push(folded);
            world.agent_says(&ghost, &format!("to {openid}")).await;
            world.reaches(&world.app_id(), openid, &format!("to {openid}")).await;
        }
        // A customer with an agent's name.
        let ghost = world.opened(AGENT, "I am a customer").await;
        assert_ne!(ghost, AGENT);
        world.agent_says(&ghost, "welcome").await;
        world.reaches(&world.app_id(), AGENT, "welcome").await;
        world.drained().await;
        assert_eq!(world.notices().await, 0);
    })
    .await;
}
