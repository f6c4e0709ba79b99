//! F30, F31: an answer that comes too late waits for the customer's next message, if the account is set up so.

use super::on_every_engine;
use super::wire::customer;
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use serde_json::json;
use sim::{Fault, Kind};

const KEPT: &str = "已留存，客户下次发来消息时送达";
/// Longer than any reply window.
const THREE_DAYS: i64 = 3 * 86_400_000;

fn parking(engine: Engine) -> Setup {
    Setup::new(engine).account("park = true")
}

impl World {
    async fn kept(&self, answer: &str) {
        self.notice(&format!("{KEPT}：「{answer}」")).await;
    }

    pub(super) async fn ends(&self, answer: &str) -> String {
        let all = self
            .database
            .pairs("SELECT body, state || ' ' || COALESCE(reason, '') FROM delivery ORDER BY changed_at")
            .await;
        all.into_iter()
            .find(|(body, _)| body == answer)
            .map(|(_, end)| end.trim().to_owned())
            .unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_f31_answers_that_come_too_late_go_out_in_order_when_the_customer_writes_next() {
    on_every_engine(|engine| async move {
        let mut world = parking(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        // WeChat itself says that the window is closed.
        world.advance(THREE_DAYS).await;
        let answers: Vec<String> = (1..=7).map(|n| format!("late {n}")).collect();
        for answer in &answers {
            world.agent_says(&ghost, answer).await;
            world.kept(answer).await;
        }
        world.notice("前面还有待发送的回复").await;
        world.drained().await;
        assert_eq!(world.calls("wechat.custom_send").await.len(), 1, "the others wait behind the first");
        // It outlives a restart.
        world.kill();
        world.spawn(&[]);
        world.ready().await;
        world.opened(OPENID, "hello?").await;
        world.customer_sees("late 5").await;
        // One message allows five; what does not fit stays.
        world.notice(&format!("{KEPT}：「late 6」。本次可回复的条数已用完")).await;
        world.drained().await;
        assert_eq!(world.ends("late 6").await, "parked count_used_up");
        world.agent_says(&ghost, "behind them").await;
        world.kept("behind them").await;
        world.opened(OPENID, "go on").await;
        world.customer_sees("behind them").await;
        world.drained().await;
        let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
        let late: Vec<&String> = received.iter().filter(|text| *text != "正在为您转接").collect();
        let mut wanted: Vec<&str> = answers.iter().map(String::as_str).collect();
        wanted.push("behind them");
        assert_eq!(late, wanted, "once each, in order");
        for answer in wanted {
            assert_eq!(world.ends(answer).await, "sent");
            world.notice(&format!("留存的回复已送达：「{answer}」")).await;
        }
        assert_eq!(world.database.count("SELECT COUNT(*) FROM mailbox").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_without_parking_it_fails_at_once() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45015)).await;
    world.agent_says(&ghost, "[a word too late]").await;
    world.notice("未送达：「[a word too late]」").await;
    assert_eq!(world.ends("[a word too late]").await, "failed window_closed");
    assert_eq!(world.database.count("SELECT COUNT(*) FROM mailbox").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_what_waits_too_long_fails_and_the_agent_is_told() {
    on_every_engine(|engine| async move {
        let world = parking(engine).account("park_ttl = 3600").start().await;
        let ghost = world.opened(OPENID, "question").await;
        world.fault(Fault::times("wechat.custom_send", Kind::Errcode, 1).value(45015)).await;
        world.agent_says(&ghost, "never read").await;
        world.kept("never read").await;
        world.agent_says(&ghost, "read").await;
        world.kept("read").await;
        let an_hour = "UPDATE mailbox SET parked_at = parked_at - 3600001 WHERE words = 'never read'";
        world.database.execute(an_hour).await;
        world.notice("未送达：「never read」。客户一直没有再发来消息").await;
        assert_eq!(world.ends("never read").await, "failed not_fetched");
        world.opened(OPENID, "here I am").await;
        world.customer_sees("read").await;
        world.drained().await;
        assert_eq!(world.shown_to_customer("never read").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_who_leaves_gets_nothing_of_what_waited() {
    let world = parking(Engine::Sqlite).account("on_unsubscribe = \"keep\"").start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45015)).await;
    world.agent_says(&ghost, "for nobody").await;
    world.kept("for nobody").await;
    world.control.unfollow(&world.app_id(), OPENID).await.unwrap();
    world.notice("未送达：「for nobody」。客户已取消关注").await;
    assert_eq!(world.ends("for nobody").await, "failed unsubscribed");
    world.control.follow(&world.app_id(), OPENID).await.unwrap();
    world.opened(OPENID, "back").await;
    world.drained().await;
    assert_eq!(world.shown_to_customer("for nobody").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f30_a_message_of_several_parts_waits_from_the_part_that_came_too_late() {
    let world = parking(Engine::Sqlite).start().await;
    let openid = customer(3);
    let ghost = world.opened(&openid, "question").await;
    let text = |text: &str| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}});
    // The first part goes out; the second meets a closed window.
    world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45047).after(1)).await;
    let three = json!({"to": ghost, "body": [text("part 1"), text("part 2"), text("part 3")]});
    world.control.agent_send(AGENT, three).await.unwrap().unwrap();
    world.kept("part 1").await;
    world.drained().await;
    assert_eq!(world.ends("part 1").await, "sent");
    assert!(
        world.ends("part 2").await.starts_with("parked") && world.ends("part 3").await.starts_with("parked")
    );
    world.opened(&openid, "and?").await;
    world.reaches(&world.app_id(), &openid, "part 3").await;
    world.drained().await;
    let received = world.control.received(&world.app_id(), &openid).await.unwrap();
    assert_eq!(received[received.len() - 3..], ["part 1", "part 2", "part 3"]);
}
