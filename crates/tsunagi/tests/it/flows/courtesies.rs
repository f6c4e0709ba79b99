//! F58 and F59: what else agents do in a chat. Typing, recalls, read marks.

use super::on_every_engine;
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use serde_json::{Value, json};
use sim::{Fault, Kind};
use std::time::Duration;

impl World {
    async fn types(&self, ghost: &str) {
        let to = json!({"to": ghost});
        self.control.post(&format!("/sim/im/agents/{AGENT}/typing?wait=1"), to).await.unwrap();
    }

    async fn recalls(&self, ghost: &str, msg_key: &str) {
        let recall = json!({"to": ghost, "msg_key": msg_key});
        let done = self.control.post(&format!("/sim/im/agents/{AGENT}/recall"), recall).await.unwrap();
        assert_eq!(done["error_code"], 0, "{done}");
    }

    async fn says_key(&self, ghost: &str, text: &str) -> String {
        self.control.agent_say(AGENT, ghost, text).await.unwrap().unwrap()
    }

    async fn with_recalls(&self) {
        let commands: Value =
            json!(["C2C.CallbackAfterMsgWithDraw", "C2C.CallbackAfterMsgReport", "State.StateChange"]);
        self.control.configure(json!({"callback_commands": commands})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f58_typing_is_shown_to_the_customer_and_never_becomes_a_text() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    for _ in 0..5 {
        world.types(&ghost).await;
    }
    world.line("nothing is typed", |line| line["kind"] == "call" && line["api"] == "wechat.typing").await;
    world.types(&ghost).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.calls("wechat.typing").await.len(), 1, "once in ten seconds");
    // Whatever WeChat says to it, answers go on.
    world.fault(Fault::times("wechat.typing", Kind::Errcode, 9).value(48001)).await;
    world.agent_says(&ghost, "answer").await;
    world.customer_sees("answer").await;
    world.types(&ghost).await;
    world.drained().await;
    let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
    assert_eq!(received, ["正在为您转接", "answer"]);
    assert_eq!(world.notices().await, 0);
    let messages = "SELECT COUNT(*) FROM message WHERE direction = 'out'";
    assert_eq!(world.database.count(messages).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f58_nobody_is_shown_typing_to_a_customer_who_has_not_written_for_half_a_minute() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.database.execute("UPDATE customer SET conversation_at = conversation_at - 31000").await;
    world.types(&ghost).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.calls("wechat.typing").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f59_a_recall_after_delivery_tells_the_agent_that_wechat_cannot() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.with_recalls().await;
        let ghost = world.opened(OPENID, "question").await;
        let key = world.says_key(&ghost, "a wrong price").await;
        world.customer_sees("a wrong price").await;
        world.recalls(&ghost, &key).await;
        world.notice("微信无法撤回：「a wrong price」已经送达客户").await;
        world.drained().await;
        assert_eq!(world.notices().await, 1);
        assert_eq!(world.shown_to_customer("a wrong price").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f59_a_recall_before_delivery_withdraws_the_answer_and_what_follows_it_goes_on() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.with_recalls().await;
        let ghost = world.opened(OPENID, "question").await;
        // Known to everybody, and then WeChat is away for a moment, so that answers wait.
        world.agent_says(&ghost, "first").await;
        world.customer_sees("first").await;
        world.fault(Fault::lasting("wechat.custom_send", Kind::Refuse, 1_500)).await;
        let one = world.says_key(&ghost, "waits at the head").await;
        let two = world.says_key(&ghost, "waits behind it").await;
        world.agent_says(&ghost, "stays").await;
        world.recalls(&ghost, &one).await;
        world.recalls(&ghost, &two).await;
        world.customer_sees("stays").await;
        world.drained().await;
        let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
        assert_eq!(received, ["正在为您转接", "first", "stays"]);
        let withdrawn = "SELECT COUNT(*) FROM delivery WHERE state = 'failed' AND reason = 'recalled'";
        assert_eq!(world.database.count(withdrawn).await, 2);
        for words in ["waits at the head", "waits behind it"] {
            world.notice(&format!("未送达：「{words}」。您在发送前撤回了这条消息")).await;
        }
        assert_eq!(world.notices().await, 2, "{}", world.log());
        // A recall of what nobody knows, or by somebody else, does nothing.
        let body = json!({"CallbackCommand": "C2C.CallbackAfterMsgWithDraw", "From_Account": "stranger", "To_Account": ghost, "MsgKey": "1_2_3", "UnreadMsgNum": 0});
        let asked = json!({"command": "C2C.CallbackAfterMsgWithDraw", "body": body});
        assert_eq!(world.control.post("/sim/im/callback", asked).await.unwrap()["status"], 200);
        world.drained().await;
        assert_eq!(world.notices().await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_out_is_marked_as_read_and_a_mark_that_fails_delays_nothing() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("im.set_read", Kind::Hang)).await;
    for nth in 0..3 {
        world.agent_says(&ghost, &format!("answer {nth}")).await;
    }
    world.customer_sees("answer 2").await;
    world.drained().await;
    // The first one hangs; the next answer brings the next mark.
    tokio::time::sleep(Duration::from_millis(9_000)).await;
    world.agent_says(&ghost, "answer 3").await;
    world.line("nothing is read", |line| line["kind"] == "call" && line["api"] == "im.set_read").await;
    assert!(world.calls("im.set_read").await.len() <= 2, "several answers are one mark");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_profiles_and_read_receipts_are_acknowledged_and_do_no_harm() {
    let world = Setup::new(Engine::Sqlite).start().await;
    world.with_recalls().await;
    let ghost = world.opened(OPENID, "question").await;
    let hour = 3_600_000i64;
    for (command, body) in [
        (
            "State.StateChange",
            json!({"EventTime": 1_795_000_000_123i64, "Info": {"Action": "Logout", "To_Account": AGENT, "Reason": "Unregister"}}),
        ),
        (
            "State.StateChange",
            json!({"EventTime": (1_795_000_000_123i64 - 9 * hour).to_string(), "Info": {"Action": "Login", "To_Account": AGENT, "Reason": "Register"}}),
        ),
        (
            "Profile.CallbackPortraitSet",
            json!({"Operator_Account": "admin", "From_Account": ghost, "EventTime": "1670574414123", "ProfileItem": []}),
        ),
        (
            "C2C.CallbackAfterMsgReport",
            json!({"Report_Account": AGENT, "Peer_Account": ghost, "LastReadTime": 1_795_000_000i64, "UnreadMsgNum": 0}),
        ),
        (
            "Alert.RequestOverLimit",
            json!({"ServiceName": "im", "Command": "sendmsg", "Request": 1, "Limit": 1}),
        ),
    ] {
        let asked = json!({"command": command, "body": body});
        let told = world.control.post("/sim/im/callback", asked).await.unwrap();
        assert_eq!(
            (told["status"].as_i64(), told["answer"]["ErrorCode"].as_i64()),
            (Some(200), Some(0)),
            "{command}: {told}"
        );
    }
    world.drained().await;
    world.agent_says(&ghost, "still here").await;
    world.customer_sees("still here").await;
    assert_eq!(world.notices().await, 0);
}
