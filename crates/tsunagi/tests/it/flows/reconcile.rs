//! F44 and F46: what IM's webhooks did not bring is found in its history and goes out once, in order, or not at all.

use super::on_every_engine;
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use serde_json::json;
use sim::{Fault, Kind};
use std::time::Duration;

const MINUTE: i64 = 60_000;
const WAIT: &str = "正在为您转接";
/// Nobody has been looked at before the hour is over.
const BETWEEN: &str = "[desk]\nreconcile_every = 15\nagent_poll = 60";
const QUICK: &str = "[desk]\nreconcile_every = 1\nagent_poll = 60";
/// Only the start and gaps make it look.
const SELDOM: &str = "[desk]\nreconcile_every = 3600\nagent_poll = 60";

impl World {
    async fn received(&self) -> Vec<String> {
        self.control.received(&self.app_id(), OPENID).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_with_the_webhook_cut_off_for_an_hour_every_answer_arrives_once_and_in_order() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).desk(BETWEEN).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.fault(Fault::times("im.callback", Kind::Refuse, 99)).await;
        let earlier =
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) - 14400000 AS TEXT) WHERE key = 'created_at'";
        world.database.execute(earlier).await;
        // The hour passes at IM; the gateway's clock stays, so that the first of it is an hour old.
        world.control.advance_clock(-60 * MINUTE).await.unwrap();
        let mut expected = vec![WAIT.to_owned()];
        for nth in 0..4 {
            world.agent_says(&ghost, &format!("answer {nth}")).await;
            expected.push(format!("answer {nth}"));
            world.control.advance_clock(15 * MINUTE).await.unwrap();
        }
        // Taken back meanwhile, typed, said by the gateway, said by somebody else: none of it goes out.
        let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "never"}}]);
        let recalled = world.control.agent_say(AGENT, &ghost, "never").await.unwrap().unwrap();
        let recall = json!({"to": ghost, "msg_key": recalled});
        world.control.post(&format!("/sim/im/agents/{AGENT}/recall"), recall).await.unwrap();
        let typing = json!({"to": ghost, "body": body, "online_only": true});
        world.control.agent_send(AGENT, typing).await.unwrap().unwrap();
        world.control.agent_send("stranger", json!({"to": ghost, "body": body})).await.unwrap().unwrap();
        world.customer_sees("answer 3").await;
        world.control.clear_faults().await.unwrap();
        world.agent_says(&ghost, "by webhook").await;
        world.customer_sees("by webhook").await;
        expected.push("by webhook".to_owned());
        tokio::time::sleep(Duration::from_secs(16)).await;
        world.drained().await;
        assert_eq!(world.received().await, expected);
        // The agent knows why the customer heard nothing for so long.
        world.notice("刚刚才收到").await;
        assert!(world.metric("tsunagi_reconciled_total").await >= 4.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_what_was_said_while_the_gateway_was_down_goes_before_what_is_said_after_it() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).desk(SELDOM).agents(&["user1", "user2"]).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.agent_says(&ghost, "before").await;
        world.customer_sees("before").await;
        world.drained().await;
        world.stop();
        world.agent_says(&ghost, "while down 1").await;
        world.control.agent_say("user2", &ghost, "while down 2").await.unwrap().unwrap();
        // Longer than the webhook of the next answer takes.
        world.fault(Fault::times("im.history", Kind::Delay, 2).value(700)).await;
        world.spawn(&[]);
        world.ready().await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        world.agent_says(&ghost, "after").await;
        world.customer_sees("after").await;
        world.drained().await;
        let mut received = world.received().await;
        // Both of one second at IM: their order there is that of their numbers.
        received[2..4].sort();
        assert_eq!(received, [WAIT, "before", "while down 1", "while down 2", "after"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f46_a_webhook_that_was_answered_503_is_looked_for_before_the_next_one_goes_on() {
    let world = Setup::new(Engine::Sqlite).desk(SELDOM).store("ingest_timeout = 1").start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.agent_says(&ghost, "before").await;
    world.customer_sees("before").await;
    world.drained().await;
    // Somebody holds the database for longer than a webhook waits.
    let path = world.database.url.trim_start_matches("sqlite:").to_owned();
    let hold = format!("sqlite3.connect({path:?}, isolation_level=None)");
    let script = format!(
        "import sqlite3,time\nc={hold}\nc.execute('BEGIN IMMEDIATE')\nprint('held',flush=True)\ntime.sleep(3)"
    );
    let mut holder = tokio::process::Command::new("python3")
        .args(["-c", &script])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = tokio::io::BufReader::new(holder.stdout.take().unwrap());
    let mut line = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line).await.unwrap();
    world.agent_says(&ghost, "into the wall").await;
    holder.wait().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.agent_says(&ghost, "after the wall").await;
    world.customer_sees("after the wall").await;
    world.drained().await;
    assert_eq!(world.received().await, [WAIT, "before", "into the wall", "after the wall"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_an_answer_that_is_found_too_late_is_shown_as_failed_and_never_sent() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).desk(QUICK).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.agent_says(&ghost, "in time").await;
        world.customer_sees("in time").await;
        world.drained().await;
        world.stop();
        world.fault(Fault::times("im.callback", Kind::Refuse, 99)).await;
        world.control.advance_clock(-180 * MINUTE).await.unwrap();
        for nth in 0..7 {
            world.agent_says(&ghost, &format!("too late {nth}")).await;
            world.control.advance_clock(1_000).await.unwrap();
        }
        world.control.advance_clock(120 * MINUTE - 7_000).await.unwrap();
        world.agent_says(&ghost, "late").await;
        world.control.advance_clock(60 * MINUTE).await.unwrap();
        world.control.clear_faults().await.unwrap();
        // As if the gateway had been down for these hours.
        for earlier in [
            "UPDATE reconciled SET until = until - 14400000",
            "UPDATE customer SET created_at = created_at - 14400000",
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) - 14400000 AS TEXT) WHERE key = 'created_at'",
        ] {
            world.database.execute(earlier).await;
        }
        world.spawn(&[]);
        world.ready().await;
        // What came before it in time has gone out already, so it says when it was written.
        world.customer_sees("[60分钟前的回复]\nlate").await;
        world.notice("未发送（7 条）").await;
        world.drained().await;
        assert_eq!(world.received().await, [WAIT, "in time", "[60分钟前的回复]\nlate"]);
        let failed = "SELECT COUNT(*) FROM delivery WHERE state = 'failed' AND reason = 'found_too_late'";
        assert_eq!(world.database.count(failed).await, 7);
        let quoted =
            world.shown_to_agent(|text| text.contains("「too late 6」") && !text.contains("late 1」")).await;
        assert_eq!(quoted, 1, "the newest five are quoted");
        // Looked at again, nothing more is said.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(world.notices().await, 2);
        assert_eq!(world.database.count(failed).await, 7);
    })
    .await;
}
