//! F30, F31: the rules of WeChat made visible before they bite: an answer that cannot go out is refused at once, what is
//! left is said, and an agent whose customer waits is warned before the window closes.

use super::on_every_engine;
use super::wire::get;
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use serde_json::{Value, json};

async fn refused(world: &World, message: Value) -> (i64, String) {
    let answer = world.control.post(&format!("/sim/im/agents/{AGENT}/send?wait=1"), message).await.unwrap();
    (answer["error_code"].as_i64().unwrap(), answer["error_info"].as_str().unwrap_or_default().to_owned())
}

fn text(to: &str, text: &str) -> Value {
    json!({"to": to, "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn f31_an_answer_that_cannot_go_out_is_refused_before_it_is_sent() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).account("on_unsubscribe = \"keep\"").start().await;
        world.control.configure(json!({"callback_enabled_before": true})).await.unwrap();
        let ghost = world.opened(OPENID, "question").await;
        for n in 1..=3 {
            world.agent_says(&ghost, &format!("answer {n}")).await;
            world.customer_sees(&format!("answer {n}")).await;
        }
        world.drained().await;
        // Three messages of 2,048 bytes, and two are left: nothing of it is begun.
        let (code, words) = refused(&world, text(&ghost, &"长".repeat(2_000))).await;
        assert_eq!(code, 120_004, "{words}");
        assert!(words.contains("超过了微信现在还允许的条数"), "{words}");
        for n in 4..=5 {
            world.agent_says(&ghost, &format!("answer {n}")).await;
            world.customer_sees(&format!("answer {n}")).await;
        }
        world.notice("还可以回复 1 条").await;
        world.notice("回复条数已用完").await;
        world.drained().await;
        let (code, words) = refused(&world, text(&ghost, "one too many")).await;
        assert_eq!((code, words.contains("条数已用完")), (120_003, true), "{words}");
        // A typing hint is nobody's answer.
        let typing = json!({"to": ghost, "online_only": true,
            "body": [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": "{\"businessID\":\"user_typing_status\"}"}}]});
        assert_eq!(refused(&world, typing).await.0, 0);
        // She writes again, and it goes.
        let ghost = world.opened(OPENID, "and another question").await;
        world.agent_says(&ghost, "answer 6").await;
        world.customer_sees("answer 6").await;
        assert_eq!(world.sends_of("one too many").await, 0);

        world.control.unfollow(&world.app_id(), OPENID).await.unwrap();
        world.drained().await;
        let (code, words) = refused(&world, text(&ghost, "goodbye")).await;
        assert_eq!((code, words.contains("取消关注")), (120_001, true), "{words}");
        let metrics = get(format!("{}/metrics", world.admin)).await.text();
        let counted = r#"tsunagi_refused_before_total{account="shop",reason="count_used_up"} 1"#;
        assert!(metrics.contains(counted), "{metrics}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f31_an_answer_that_needs_more_than_is_left_is_not_begun() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    let long = "长".repeat(4_000);
    world.agent_says(&ghost, &long).await;
    world.notice("超过了微信现在还允许的条数").await;
    world.drained().await;
    assert_eq!(world.calls("wechat.custom_send").await.len(), 0, "six parts, and five are allowed");
    world.agent_says(&ghost, "in short: yes").await;
    world.customer_sees("in short: yes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_a_window_that_is_about_to_close_is_said_to_whoever_owes_an_answer() {
    let world = Setup::new(Engine::Sqlite)
        .desk("[desk]\nagent_poll = 1\n[windows]\nwarn_before = 172800\n")
        .start()
        .await;
    let ghost = world.opened(OPENID, "question").await;
    assert_eq!(world.notice("微信的回复时限将在").await, ghost);
    // Said once a window, and not to those who have answered.
    world.agent_says(&ghost, "answer").await;
    world.customer_sees("answer").await;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(world.notices().await, 1);
    let metrics = get(format!("{}/metrics", world.admin)).await.text();
    assert!(metrics.contains(r#"tsunagi_windows_open{account="shop"} 1"#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_client_can_show_how_many_replies_are_left() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.agent_says(&ghost, "answer").await;
    world.customer_sees("answer").await;
    // In another second than the answer, or it might have been counted after the tap.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    world.control.event(&world.app_id(), OPENID, "CLICK").await.unwrap();
    world.drained().await;
    let ghost = world.opened(OPENID, "again").await;
    let custom: Vec<Value> = world
        .control
        .chat(AGENT, &ghost)
        .await
        .unwrap()
        .iter()
        .filter_map(|message| serde_json::from_str(message.cloud_custom_data.as_deref()?).ok())
        .collect();
    // Five for the message, one fewer after the answer and three more for the tap, and five for the next message.
    let left = |mark: &serde_json::Value| {
        let windows = mark["replies"].as_array()?.iter();
        Some(windows.map(|window| window["left"].as_i64().unwrap()).sum::<i64>())
    };
    let left: Vec<i64> = custom.iter().filter_map(left).collect();
    assert_eq!(left, [5, 7, 8]);
}
