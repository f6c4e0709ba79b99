//! F45, F46, F48, F49 and what else comes from IM and is no answer, or only partly one.

use super::on_every_engine;
use super::wire::{after_body, callback_query, now_s, post};
use crate::support::{AGENT, Engine, OPENID, Setup, World};
use serde_json::json;
use sim::{Fault, Kind};

const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

async fn nothing_was_sent(world: &World) {
    world.drained().await;
    assert_eq!(world.calls("wechat.custom_send").await.len(), 0);
    assert_eq!(world.notices().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f45_echoes_of_our_own_messages_go_nowhere() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        world.control.configure(json!({"echo_forbidden": true})).await.unwrap();
        let ghost = world.opened(OPENID, "heard once").await;
        world
            .line("the echo came", |line| line["kind"] == "callback" && line["from"] == ghost.as_str())
            .await;
        // Marked, whoever seems to have sent it.
        let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "marked"}}]);
        let mark = "{\"tsunagi\":1,\"delivery\":\"x\"}";
        let echo = json!({"to": ghost, "body": body, "cloud_custom_data": mark});
        world.control.agent_send(AGENT, echo).await.unwrap().unwrap();
        nothing_was_sent(&world).await;
        assert_eq!(world.shown_to_agent(|text| text == "heard once").await, 1);
        // A notice is an echo as well.
        world.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45015)).await;
        world.agent_says(&ghost, "[a word too late]").await;
        world.notice("48小时").await;
        world.drained().await;
        assert_eq!(world.calls("wechat.custom_send").await.len(), 0);
        assert_eq!(world.notices().await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f46_the_webhook_is_answered_at_once_while_wechat_is_slow() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    world.fault(Fault::once("wechat.token", Kind::Delay).value(1_000)).await;
    world.fault(Fault::once("wechat.custom_send", Kind::Delay).value(2_500)).await;
    for text in ["the slow answer", "another", "third"] {
        world.agent_says(&ghost, text).await;
    }
    assert_eq!(world.shown_to_customer("the slow answer").await, 0);
    let callbacks = world.lines(|line| line["kind"] == "callback").await;
    assert_eq!(callbacks.len(), 3);
    for callback in callbacks {
        assert_eq!(callback["outcome"], "answered");
        assert!(callback["took_ms"].as_u64().unwrap() < 1_000, "{callback}");
    }
    world.customer_sees("third").await;
    let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
    assert_eq!(received, ["正在为您转接", "the slow answer", "another", "third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f48_bad_empty_and_unknown_callbacks_get_the_envelope() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        let element = |element: serde_json::Value| {
            let text = after_body(AGENT, &ghost, "@", element.to_string().len() as u32);
            let mut body: serde_json::Value = serde_json::from_str(&text).unwrap();
            body["MsgBody"] = json!([element]);
            body.to_string().into_bytes()
        };
        let (after, unknown) = ("C2C.CallbackAfterSendMsg", "Sns.CallbackFriendAdd");
        let bodies: Vec<(&str, Vec<u8>)> = vec![
            (after, Vec::new()),
            (after, b"{".to_vec()),
            (after, b"null".to_vec()),
            (after, b"[]".to_vec()),
            (after, b"{}".to_vec()),
            (after, b"\xff\xfe".to_vec()),
            (after, br#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","MsgBody":7}"#.to_vec()),
            (after, br#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","From_Account":"\ud800"}"#.to_vec()),
            (unknown, br#"{"CallbackCommand":"Sns.CallbackFriendAdd","PairList":[]}"#.to_vec()),
            ("", b"{}".to_vec()),
            (
                "State.StateChange",
                br#"{"CallbackCommand":"State.StateChange","EventTime":"1","Info":{}}"#.to_vec(),
            ),
            ("C2C.CallbackMsgReport", b"{}".to_vec()),
            ("C2C.CallbackBeforeSendMsg", b"not JSON".to_vec()),
            (after, format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)).into()),
        ];
        for (command, body) in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let answer = world.callback(command, body).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, OK), "{command} {shown}");
            assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        }
        let large = world.callback(after, vec![b' '; 2 * 1024 * 1024]).await;
        assert_eq!(large.status, 413);
        nothing_was_sent(&world).await;
        // An element that nobody knows, from an agent: she is told.
        let hologram = element(json!({"MsgType": "TIMHologramElem", "MsgContent": {"Depth": 3}}));
        assert_eq!(world.callback(after, hologram).await.text(), OK);
        world.notice("此类消息无法发送到微信").await;
        assert!(world.died().is_none() && !world.log().contains("panicked"), "{}", world.log());
        world.agent_says(&ghost, "still here").await;
        world.customer_sees("still here").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f49_failed_sends_typing_hints_and_strangers_are_not_forwarded() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.opened(OPENID, "question").await;
    let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "never"}}]);
    let typing = json!([{"MsgType": "TIMCustomElem", "MsgContent": {"Data": "{\"typingStatus\":1}"}}]);
    for (user, message) in [
        (AGENT, json!({"to": ghost, "body": body, "send_msg_result": 80001})),
        (AGENT, json!({"to": ghost, "body": body, "online_only": true})),
        (AGENT, json!({"to": ghost, "body": typing, "online_only": true})),
        ("stranger", json!({"to": ghost, "body": body})),
        (AGENT, json!({"to": "administrator", "body": body})),
    ] {
        let _ = world.control.agent_send(user, message).await.unwrap();
    }
    nothing_was_sent(&world).await;
    // A webhook to a ghost that never was.
    let query = callback_query("C2C.CallbackAfterSendMsg", now_s(), 0);
    let answer =
        post(format!("{}/imcallback?{query}", world.webhooks), after_body(AGENT, "oNobody", "x", 1)).await;
    assert_eq!(answer.text(), OK);
    nothing_was_sent(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_webhooks_are_answered_and_not_stored() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let switches = json!({"callback_enabled_before": true, "reject_when_before_fails": true});
    world.control.configure(switches).await.unwrap();
    let ghost = world.opened(OPENID, "question").await;
    world.agent_says(&ghost, "answer").await;
    world.customer_sees("answer").await;
    let callbacks = world.lines(|line| line["kind"] == "callback").await;
    let commands: Vec<&str> = callbacks.iter().map(|line| line["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["C2C.CallbackBeforeSendMsg", "C2C.CallbackAfterSendMsg"]);
    assert!(callbacks.iter().all(|line| line["error_code"] == 0));
    assert_eq!(world.stored().await, 2, "the push and the After webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_an_answer_is_told_to_the_agent_and_nothing_follows_it() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "question").await;
        let text = |text: &str| json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": text}});
        let image = json!({"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1, "ImageInfoArray": []}});
        let mixed = json!({"to": ghost, "body": [text("before"), image, text("after")]});
        world.control.agent_send(AGENT, mixed).await.unwrap().unwrap();
        world.notice("此类消息无法发送到微信").await;
        let alone = json!({"to": ghost, "body": [image]});
        world.control.agent_send(AGENT, alone).await.unwrap().unwrap();
        world.agent_says(&ghost, "the next message").await;
        world.customer_sees("the next message").await;
        world.drained().await;
        let received = world.control.received(&world.app_id(), OPENID).await.unwrap();
        assert_eq!(received, ["正在为您转接", "before", "the next message"]);
        assert_eq!(world.notices().await, 2);
        let parts = world.database.pairs("SELECT state, COALESCE(reason, '') FROM delivery JOIN message ON message.id = delivery.message WHERE direction = 'out' ORDER BY delivery.message, part").await;
        let parts: Vec<(&str, &str)> = parts.iter().map(|(state, reason)| (state.as_str(), reason.as_str())).collect();
        let expected = [("sent", ""), ("failed", "unsupported_kind"), ("failed", "earlier_part"), ("failed", "unsupported_kind"), ("sent", "")];
        assert_eq!(parts, expected);
    })
    .await;
}
