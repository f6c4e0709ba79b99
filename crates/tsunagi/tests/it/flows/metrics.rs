//! What a running gateway shows to Prometheus, against the docs, the dashboard and the alert rules.

use super::on_every_engine;
use super::wire::{get, now_s, post, signed, text};
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// Every name of ours in a text, without what Prometheus appends to those of histograms.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let ours = words.filter(|word| word.starts_with("tsunagi_"));
    let bare = |name: &str| {
        let cut = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        cut.unwrap_or(name).to_owned()
    };
    ours.map(bare).collect()
}

async fn shown(world: &World) -> String {
    get(format!("{}/metrics", world.admin)).await.text()
}

/// The value of a line that begins so.
async fn value(world: &World, line: &str) -> f64 {
    let shown = shown(world).await;
    let found = shown.lines().find_map(|known| known.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{line} is not in\n{shown}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_documented_and_what_the_dashboard_asks_is_shown() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "hello").await;
    world.agent_says(&ghost, "hi").await;
    world.customer_sees("hi").await;
    world.drained().await;
    // The sampled gauges are taken every 15 s.
    let begun = Instant::now();
    while !shown(&world).await.contains("tsunagi_token_expires_seconds{") {
        assert!(begun.elapsed() < Duration::from_secs(25), "the token's end is not shown");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let shown = shown(&world).await;
    let exposed: BTreeSet<String> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    let page = file("docs/OPERATIONS.md");
    for name in &exposed {
        assert!(page.contains(&format!("| `{name}` |")), "{name} is not in docs/OPERATIONS.md");
        assert!(shown.contains(&format!("# HELP {name} ")), "{name} has no help text");
    }
    for asks in ["ops/grafana-dashboard.json", "ops/alerts.yml"] {
        let asked = names(&file(asks));
        assert!(asked.len() > 10, "{asks} asks for {asked:?}");
        let missing: Vec<&String> = asked.difference(&exposed).collect();
        assert!(missing.is_empty(), "{asks} asks for what is not shown: {missing:?}");
    }
    for hop in ["accept", "queue", "call"] {
        assert!(shown.contains(&format!("tsunagi_hop_seconds_count{{hop=\"{hop}\"")), "{hop}\n{shown}");
    }
    for direction in ["in", "out"] {
        let line = format!("tsunagi_message_seconds_count{{account=\"shop\",direction=\"{direction}\"}} 1");
        assert!(shown.contains(&line), "{line}\n{shown}");
    }
    for private in [OPENID, AGENT, ghost.as_str(), "hello"] {
        assert!(!shown.contains(private), "{private} in a label");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f70_a_clock_that_is_off_is_shown() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let url = |at: i64| format!("{}/wechat/shop?{}", world.webhooks, signed(at, "nonce"));
    let body = |id| text(OPENID, id, "late");
    let late = now_s() - 120;
    let refused = post(url(now_s() - 4_000), body(1)).await;
    assert_eq!(refused.status, 403);
    assert_eq!(value(&world, "tsunagi_webhooks_refused_total{cloud=\"wechat\",why=\"stale\"}").await, 1.0);
    let _ = post(url(late), body(2)).await;
    let offset = value(&world, "tsunagi_clock_offset_seconds{cloud=\"wechat\"}").await;
    assert!((119.0..140.0).contains(&offset), "{offset}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_of_an_account_go_by_its_retention() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine)
            .account("retention_inbox = 1\nretention_messages = 3\nretention_attempts = 0")
            .store("purge_rows = 2\npurge_pause_ms = 10")
            .start()
            .await;
        for n in 0..4 {
            world.opened(OPENID, &format!("question {n}")).await;
        }
        world.drained().await;
        assert!(world.stop().unwrap().success());
        const DAY: i64 = 86_400_000;
        // Two days pass, then two more.
        let age = |days: i64| {
            [("inbox", "received_at"), ("message", "created_at"), ("attempt", "started_at")]
                .map(|(table, column)| format!("UPDATE {table} SET {column} = {column} - {}", days * DAY))
        };
        for (messages, attempts) in [(4, 4), (0, 0)] {
            for statement in age(2) {
                world.database.execute_text(&statement).await;
            }
            world.spawn(&[]);
            world.ready().await;
            let begun = Instant::now();
            loop {
                let left = [
                    world.database.count("SELECT COUNT(*) FROM inbox").await,
                    world.database.count("SELECT COUNT(*) FROM message").await,
                    world.database.count("SELECT COUNT(*) FROM delivery").await,
                    world.database.count("SELECT COUNT(*) FROM attempt").await,
                ];
                if left == [0, messages, messages, attempts] {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(20), "{left:?}\n{}", world.log());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(world.stop().unwrap().success());
        }
    })
    .await;
}
