//! What happens when the clouds are slower than what comes: the limits hold over all nodes, calls to a cloud that does not
//! answer rest, and what waited goes out at the rate when it answers again (F55).

use super::wire::{customer, get, now_s, post, signed, text};
use crate::support::{Engine, Setup, World, engines};
use sim::{Fault, Kind};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Customers of a story.
const CUSTOMERS: usize = 90;

/// Every customer says something, in turn to each of these nodes.
async fn all_say(nodes: &[&str], word: &str, first_id: u64) {
    let pushes = (0..CUSTOMERS).map(|n| {
        let document = text(&customer(n), first_id + n as u64, &format!("{word} {n}"));
        let query = signed(now_s(), &document.len().to_string());
        post(format!("{}/wechat/shop?{query}", nodes[n % nodes.len()]), document)
    });
    for answer in futures_util::future::join_all(pushes).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// When each call to IM came (ms), by its API; none may have been too much for IM.
async fn calls(world: &World, after: u64) -> BTreeMap<String, Vec<i64>> {
    let mut calls: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in world.control.journal(after).await.unwrap() {
        if line["cloud"] == "im" && line["kind"] == "call" {
            assert_ne!(line["error_code"], 60007, "too fast: {line}");
            let api = line["api"].as_str().unwrap().to_owned();
            calls.entry(api).or_default().push(line["at_ms"].as_i64().unwrap());
        }
    }
    calls
}

async fn last_line(world: &World) -> u64 {
    world.control.journal(0).await.unwrap().last().and_then(|line| line["n"].as_u64()).unwrap_or(0)
}

/// The most calls within one second.
fn densest(at: &[i64]) -> usize {
    let mut at = at.to_vec();
    at.sort_unstable();
    (0..at.len())
        .map(|first| at[first..].iter().take_while(|ms| **ms < at[first] + 1_000).count())
        .max()
        .unwrap_or(0)
}

/// The sum of the metric's lines that hold all of these words.
async fn sum(admin: &str, name: &str, words: &[&str]) -> f64 {
    let text = get(format!("{admin}/metrics")).await.text();
    text.lines()
        .filter(|line| line.starts_with(name) && words.iter().all(|word| line.contains(word)))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

async fn arrived(world: &World, word: &str) -> usize {
    world.shown_to_agent(|shown| shown.starts_with(word) && !shown.contains("Tsunagi")).await
}

async fn all_arrive(world: &World, word: &str, patience: Duration) {
    let begun = Instant::now();
    while arrived(world, word).await < CUSTOMERS {
        assert!(
            begun.elapsed() < patience,
            "{} of {CUSTOMERS} arrived\n{}",
            arrived(world, word).await,
            world.keep_log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f55_two_nodes_keep_to_one_limit_and_use_it() {
    const RATE: usize = 20;
    let Some(engine) = engines().into_iter().find(|engine| *engine == Engine::Postgres) else { return };
    let mut setup = Setup::new(engine);
    setup.clouds.im.rate = RATE as u32;
    setup.im.push_str(&format!("rate = {RATE}\n"));
    let world = setup.start().await;
    let second = world.second().await;
    let nodes = [world.webhooks.as_str(), second.webhooks.as_str()];
    all_say(&nodes, "first", 1_000).await;
    all_arrive(&world, "first", Duration::from_secs(40)).await;
    world.drained().await;

    // The bucket fills.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = last_line(&world).await;
    let of = async |name: &str| {
        [sum(&world.admin, name, &["sendmsg"]).await, sum(&second.admin, name, &["sendmsg"]).await]
    };
    let (made, drawn) = (of("tsunagi_call_seconds_count").await, of("tsunagi_rate_draws_total").await);
    all_say(&nodes, "again", 2_000).await;
    all_say(&nodes, "more", 3_000).await;
    all_arrive(&world, "again", Duration::from_secs(40)).await;
    all_arrive(&world, "more", Duration::from_secs(40)).await;
    let all = calls(&world, 0).await;
    for (api, at) in &all {
        assert!(densest(at) <= 2 * RATE, "{api}: {} calls in one second", densest(at));
    }
    let again = &calls(&world, before).await["im.sendmsg"];
    let took = (again[again.len() - 1] - again[0]) as f64 / 1_000.0;
    let after = of("tsunagi_call_seconds_count").await;
    let draws: f64 = of("tsunagi_rate_draws_total").await.iter().sum::<f64>() - drawn.iter().sum::<f64>();
    let shares = [after[0] - made[0], after[1] - made[1]];
    eprintln!(
        "{} calls in {took:.2} s, {shares:?} by the nodes, {draws} draws, densest {}",
        again.len(),
        densest(again)
    );
    // What the bucket holds may come at once.
    let rate = (again.len() as f64 - 0.4 * RATE as f64) / took;
    // On machines with nothing else to do it is 97 % and more; what is asserted has to hold on busy ones.
    assert!(rate >= 0.7 * RATE as f64 && rate <= 1.05 * RATE as f64, "{rate:.1} a second after the burst");
    assert!(shares.iter().all(|share| *share >= 0.2 * again.len() as f64), "{shares:?}");
    assert!(draws <= 20.0 * took, "{draws} draws in {took} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn f55_calls_to_a_cloud_that_does_not_answer_rest_and_the_backlog_goes_out_at_the_rate() {
    const RATE: usize = 20;
    let mut setup = Setup::new(Engine::Sqlite);
    setup.im.push_str(&format!("rate = {RATE}\n"));
    let world = setup.start().await;
    all_say(&[&world.webhooks], "first", 1_000).await;
    all_arrive(&world, "first", Duration::from_secs(40)).await;
    world.drained().await;
    let made = async || sum(&world.admin, "tsunagi_call_seconds_count", &["api=\"sendmsg\""]).await;
    let open = async || sum(&world.admin, "tsunagi_breaker_open", &["operation=\"sendmsg\""]).await;
    assert_eq!(open().await, 0.0);

    let before = made().await;
    let mut down = Fault::lasting("im.sendmsg", Kind::Status, 60_000).value(503);
    down.done = Some(false);
    world.control.fault(down).await.unwrap();
    all_say(&[&world.webhooks], "waits", 2_000).await;
    let begun = Instant::now();
    while open().await == 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never opens\n{}", world.keep_log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let tried = made().await - before;
    // The first five, one now and then, and who was under way: 7 to 14 in all, where answers come at once. On a machine
    // that answers in seconds all 64 places may be under way; at the rate it would be over 140.
    assert!(tried <= 78.0, "{tried} calls while IM was down");
    assert_eq!(
        world.database.count("SELECT COUNT(*) FROM delivery WHERE state IN ('unsure', 'failed')").await,
        0
    );

    world.control.clear_faults().await.unwrap();
    let line = last_line(&world).await;
    all_arrive(&world, "waits", Duration::from_secs(60)).await;
    world.drained().await;
    assert_eq!(open().await, 0.0);
    assert_eq!(arrived(&world, "waits").await, CUSTOMERS, "each once");
    let sent: Vec<i64> = calls(&world, line).await["im.sendmsg"].clone();
    // From the second success on: the first is the one that tried. Who tried while IM was down looks into its history
    // before the next try, which takes its own time.
    let most = sent.len() * 4 / 5;
    let took = (sent[most] - sent[1]) as f64 / 1_000.0;
    eprintln!("{tried} calls while down; {most} in {took:.2} s after it");
    let rate = (most - 1 - RATE) as f64 / took;
    // 98 % on a machine with nothing else to do.
    assert!(rate >= 0.6 * RATE as f64, "{rate:.1} a second after the burst");
    assert_eq!(world.database.count("SELECT COUNT(*) FROM delivery WHERE state <> 'sent'").await, 0);
}
