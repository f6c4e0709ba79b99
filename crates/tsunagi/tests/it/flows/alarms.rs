//! What somebody has to mend: the account's calls rest instead of storming, an alarm says what it is, and everything goes
//! out when it is mended.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{Engine, OPENID, PATIENCE, Setup, World};
use serde_json::json;
use sim::{Fault, Kind};
use std::time::{Duration, Instant};

impl World {
    async fn alarm(&self, what: &str) {
        let name = format!("tsunagi_alarms_total{{what=\"{what}\"}}");
        let begun = Instant::now();
        while self.metric(&name).await == 0.0 {
            assert!(begun.elapsed() < PATIENCE, "no alarm of {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f29_an_address_that_is_not_listed_stops_the_account_without_a_storm() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let app_id = world.app_id();
        for n in 0..6 {
            world.opened(&customer(n), &format!("hello {n}")).await;
        }
        // WeChat's own refusal, with the address in its words.
        world.control.account(&app_id, json!({"ip_allow_list": ["203.0.113.7"]})).await.unwrap();
        for n in 0..6 {
            world.agent_says(&customer(n), &format!("answer {n}")).await;
        }
        world.alarm("account_paused").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let refused =
            world.calls("wechat.token").await.iter().filter(|call| call["errcode"] == 40164).count();
        assert!(refused <= 2, "{refused} calls for six answers");
        assert!(world.log().contains("127.0.0.1") && world.log().contains("IP白名单"), "{}", world.log());
        world.control.account(&app_id, json!({"ip_allow_list": ["127.0.0.1"]})).await.unwrap();
        for n in 0..6 {
            world.reaches(&app_id, &customer(n), &format!("answer {n}")).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_too_fast_rests_the_whole_account() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for n in 0..4 {
        world.opened(&customer(n), &format!("hello {n}")).await;
    }
    world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45011)).await;
    world.agent_says(&customer(0), "answer 0").await;
    world.struck("wechat.custom_send", 1).await;
    world.alarm("account_paused").await;
    for n in 1..4 {
        world.agent_says(&customer(n), &format!("answer {n}")).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = world.lines(|line| line["via"] == "custom_send").await.len();
    // Unless the minute has just ended.
    assert!(sent == 0 || sent == 4, "{sent} sent while the account rests");
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_used_quota_holds_answers_until_there_is_a_new_one() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 2).value(45009)).await;
        world.agent_says(&ghost, "held back").await;
        world.struck("wechat.custom_send", 1).await;
        world.alarm("account_paused").await;
        // As long as an answer is waited for; the new day's first try meets a used quota, too.
        world.advance(86_400_000 + 60_000).await;
        world.struck("wechat.custom_send", 2).await;
        world.notice("「held back」").await;
        assert_eq!(world.ends("held back").await, "failed quota_used_up");
        world.agent_says(&ghost, "held for a day").await;
        world.advance(86_400_000 - 60_000).await;
        world.control.say(&world.app_id(), OPENID, "still there?").await.unwrap();
        world.customer_sees("held for a day").await;
        world.drained().await;
        assert_eq!(world.shown_to_customer("held back").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_fresh_tokens_that_are_refused_raise_an_alarm() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.opened(OPENID, "hello").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 2).value(40001)).await;
        world.agent_says(OPENID, "at last").await;
        world.alarm("token_contested").await;
        assert!(world.log().contains("a second deployment"));
        world.customer_sees("at last").await;
        assert_eq!(world.sends_of("at last").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f56_an_edition_without_room_raises_an_alarm_and_loses_nothing() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.fault(Fault::times("im.account_import", Kind::Errcode, 2).value(70398)).await;
        world.control.say(&world.app_id(), OPENID, "is there room?").await.unwrap();
        world.alarm("account_limit").await;
        assert_eq!(world.agent_sees("is there room?").await, OPENID);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f69_another_platform_on_the_account_is_noticed() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let event = json!({"MsgType": "event", "Event": "kf_create_session", "KfAccount": "agent01@myshop"});
    assert_eq!(world.control.push(&world.app_id(), OPENID, event).await.unwrap().outcome, "ack");
    world.alarm("other_platform").await;
    assert_eq!(world.shown_to_agent(|_| true).await, 0, "nobody's message");
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_token_that_is_asked_for_too_often_rests_until_the_next_minute() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("wechat.token", Kind::Errcode).value(45011)).await;
    world.agent_says(&ghost, "answer").await;
    world.alarm("account_paused").await;
    world.advance(66_000).await;
    world
        .database
        .execute("UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL AND holder IS NULL")
        .await;
    world.customer_sees("answer").await;
    assert_eq!(world.calls("wechat.token").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_used_quota_of_tokens_is_not_heard_again_on_the_next_day() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("wechat.token", Kind::Errcode).value(45009)).await;
    world.agent_says(&ghost, "answer").await;
    world.alarm("account_paused").await;
    // Midnight in China is within five seconds of the refusal.
    let (day, china) = (86_400_000, 8 * 3_600_000);
    let left = day - (world.clouds.clock().now_ms() + china).rem_euclid(day);
    world.advance(left + 61_000).await;
    world
        .database
        .execute("UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL AND holder IS NULL")
        .await;
    world.customer_sees("answer").await;
}
