//! F25: who may send webhooks, by address.

use super::wire::{now_s, signed, text};
use crate::support::{Engine, OPENID, PATIENCE, Setup, World, http};
use std::time::Instant;

const WECHATS: &str = "203.0.113.0/24";

fn setup(ranges: &[&str]) -> Setup {
    let mut setup = Setup::new(Engine::Sqlite)
        .account("callback_ips = true")
        .env("TSUNAGI__SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .mode(sim::Mode::Plain, sim::Format::Xml);
    setup.clouds.wechat[0].rules.callback_ips = ranges.iter().map(|range| (*range).to_owned()).collect();
    setup
}

/// A push as it comes through a proxy on this machine; gives the status of its answer.
async fn through_the_proxy(world: &World, client: &str, msg_id: u64) -> u16 {
    let url = format!("{}/wechat/shop?{}", world.webhooks, signed(now_s(), "nonce"));
    let request = http().post(url).header("x-forwarded-for", client).body(text(OPENID, msg_id, "hello"));
    request.send().await.unwrap().status().as_u16()
}

async fn says(world: &World, words: &str) {
    let begun = Instant::now();
    while !world.log().contains(words) {
        assert!(begun.elapsed() < PATIENCE, "{words}:\n{}", world.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_with_callback_ips_only_wechats_addresses_may_send() {
    let world = setup(&[WECHATS, "2001:db8::/32"]).start().await;
    says(&world, "webhooks are taken from WeChat's own addresses only").await;
    assert_eq!(through_the_proxy(&world, "203.0.113.77", 1).await, 200);
    assert_eq!(through_the_proxy(&world, "2001:db8::7", 2).await, 200);
    assert_eq!(through_the_proxy(&world, "198.51.100.1", 3).await, 403);
    assert_eq!(
        through_the_proxy(&world, "203.0.113.77, 198.51.100.1", 4).await,
        403,
        "it wrote the first itself"
    );
    world.drained().await;
    assert_eq!(
        world.database.count("SELECT COUNT(*) FROM inbox").await,
        2,
        "nothing of the others is stored"
    );
    assert!(!world.log().contains("198.51.100.1"), "addresses are not logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_without_a_list_everyone_is_let_in_with_a_warning() {
    // A list that holds no address is no list.
    let world = setup(&[]).start().await;
    says(&world, "does not tell from where its webhooks come").await;
    assert_eq!(through_the_proxy(&world, "198.51.100.1", 1).await, 200);
}
