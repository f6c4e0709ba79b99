//! IM's webhooks (checklist §10 items 6, 7, 9).

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sim::{Fault, Kind};

use crate::support::*;

#[tokio::test]
async fn an_agents_message_is_delivered_and_told_with_a_signature() {
    let webhook = Webhook::im(0).await;
    let (_sim, control) = im(&webhook, |_| ()).await;
    let key = control.agent_say("user1", "oUser", "5月になります").await.unwrap().unwrap();
    let seen = webhook.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].parameter("SdkAppid"), "1400000001");
    assert_eq!(seen[0].parameter("CallbackCommand"), "C2C.CallbackAfterSendMsg");
    assert_eq!(seen[0].parameter("OptPlatform"), "Web");
    let time = seen[0].parameter("RequestTime");
    let signature = hex::encode(Sha256::digest(format!("ShopCallbackToken{time}")));
    assert_eq!(seen[0].parameter("Sign"), signature);
    let body = seen[0].json();
    assert_eq!((&body["MsgKey"], &body["SendMsgResult"]), (&json!(key), &json!(0)));
    assert_eq!((&body["From_Account"], &body["UnreadMsgNum"]), (&json!("user1"), &json!(1)));
    assert!(body.get("CloudCustomData").is_none(), "absent when unset");
    assert_eq!(lines(&control, "said").await[0]["msg_key"], key);
    assert_eq!(lines(&control, "callback").await[0]["outcome"], "answered");
}

async fn before(webhook: &Webhook) -> (sim::Sim, sim::Control) {
    im(webhook, |config| config.im.callback_enabled_before = true).await
}

#[tokio::test]
async fn before_can_refuse_in_words_or_in_silence() {
    for (answer, expected) in [(1, Err(20006)), (120_048, Err(120_048))] {
        let webhook = Webhook::im(answer).await;
        let (_sim, control) = before(&webhook).await;
        assert_eq!(control.agent_say("user1", "oUser", "x").await.unwrap(), expected);
        assert_eq!(webhook.seen().len(), 1, "no After for what was refused");
        assert!(control.chat("user1", "oUser").await.unwrap().is_empty());
    }
    let webhook = Webhook::im(2).await;
    let (_sim, control) = before(&webhook).await;
    assert!(control.agent_say("user1", "oUser", "x").await.unwrap().is_ok());
    assert!(control.chat("user1", "oUser").await.unwrap().is_empty());
}

#[tokio::test]
async fn before_can_rewrite_and_after_carries_the_new_body() {
    let answer = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "MsgBody": text_body("(已脱敏)"),
                        "CloudCustomData": "{\"x\":1}"});
    let webhook = Webhook::saying(&answer.to_string()).await;
    let (_sim, control) = before(&webhook).await;
    control.agent_say("user1", "oUser", "13800000000").await.unwrap().unwrap();
    let seen = webhook.seen();
    assert_eq!(seen[0].json()["MsgBody"], text_body("13800000000"));
    assert_eq!(seen[1].json()["MsgBody"], text_body("(已脱敏)"));
    assert_eq!(seen[0].json()["MsgKey"], seen[1].json()["MsgKey"]);
    assert_eq!(control.chat("user1", "oUser").await.unwrap()[0].text, "(已脱敏)");
}

#[tokio::test]
async fn f46_a_late_before_lets_the_message_pass_unless_the_console_says_otherwise() {
    let late = |_: usize, _: &Seen| (200, Duration::from_millis(400), "{}".to_owned());
    let webhook = Webhook::start(late).await;
    let (_sim, control) = before(&webhook).await;
    assert!(control.agent_say("user1", "oUser", "x").await.unwrap().is_ok());
    assert_eq!(control.chat("user1", "oUser").await.unwrap().len(), 1);
    control.configure(json!({"reject_when_before_fails": true})).await.unwrap();
    assert_eq!(control.agent_say("user1", "oUser", "x").await.unwrap(), Err(80003));
}

#[tokio::test]
async fn after_is_repeated_on_a_time_out_only_when_switched_on() {
    let slow_once = |n: usize, _: &Seen| {
        let envelope = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}).to_string();
        (200, Duration::from_millis(if n == 1 { 400 } else { 0 }), envelope)
    };
    for (retries, calls) in [(0, 1), (2, 2)] {
        let webhook = Webhook::start(slow_once).await;
        let (_sim, control) = im(&webhook, |config| config.im.after_retries = retries).await;
        control.agent_say("user1", "oUser", "x").await.unwrap().unwrap();
        assert_eq!(webhook.seen().len(), calls);
    }
    let webhook = Webhook::start(|_, _| (500, Duration::ZERO, String::new())).await;
    let (_sim, control) = im(&webhook, |config| config.im.after_retries = 2).await;
    control.agent_say("user1", "oUser", "x").await.unwrap().unwrap();
    assert_eq!(webhook.seen().len(), 1, "a 500 is no time-out");
}

#[tokio::test]
async fn f45_rest_messages_come_back_as_callbacks_unless_forbidden() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let mut message = relay("你好", 1, 1);
    rest(&sim, "openim/sendmsg", message.clone()).await;
    message["MsgSeq"] = json!(2);
    message.as_object_mut().unwrap().remove("ForbidCallbackControl");
    rest(&sim, "openim/sendmsg", message.clone()).await;
    control.configure(json!({"echo_forbidden": true})).await.unwrap();
    message["MsgSeq"] = json!(3);
    message["ForbidCallbackControl"] = json!(["ForbidAfterSendMsgCallback"]);
    rest(&sim, "openim/sendmsg", message).await;
    let both =
        |line: &Value| line["kind"] == "callback" && line["msg_key"].as_str().unwrap().starts_with("3_");
    control.wait_for(Duration::from_secs(2), both).await.unwrap();
    let mut seqs: Vec<_> =
        webhook.seen().iter().map(|seen| seen.json()["MsgSeq"].as_u64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [2, 3]);
    assert!(webhook.seen().iter().all(|seen| seen.parameter("OptPlatform") == "RESTAPI"));
}

#[tokio::test]
async fn f49_a_failed_message_is_told_and_not_delivered() {
    let webhook = Webhook::im(0).await;
    let (_sim, control) = im(&webhook, |_| ()).await;
    let message = json!({"to": "oUser", "body": text_body("x"), "send_msg_result": 80001});
    control.agent_send("user1", message).await.unwrap().unwrap();
    let body = webhook.seen()[0].json();
    assert_eq!((&body["SendMsgResult"], &body["UnreadMsgNum"]), (&json!(80001), &json!(-1)));
    assert!(control.chat("user1", "oUser").await.unwrap().is_empty());
}

#[tokio::test]
async fn f58_online_only_messages_are_marked_and_not_in_history() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let typing = json!([{"MsgType": "TIMCustomElem", "MsgContent": {"Data": "{\"businessID\":\"user_typing_status\"}"}}]);
    control
        .agent_send("user1", json!({"to": "oUser", "body": typing, "online_only": true}))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(webhook.seen()[0].json()["OnlineOnlyFlag"], 1);
    let asked = json!({"Operator_Account": "oUser", "Peer_Account": "user1", "MaxCnt": 9, "MinTime": 0, "MaxTime": 4_000_000_000_u64});
    assert_eq!(rest(&sim, "openim/admin_getroammsg", asked).await["MsgCnt"], 0);
}

#[tokio::test]
async fn webhooks_can_be_lost_doubled_or_invented() {
    let webhook = Webhook::im(0).await;
    let (_sim, control) = im(&webhook, |_| ()).await;
    control.fault(Fault::once("im.callback", Kind::Refuse)).await.unwrap();
    control.agent_say("user1", "oUser", "lost").await.unwrap().unwrap();
    assert!(webhook.seen().is_empty());
    control.fault(Fault::once("im.callback_after", Kind::Duplicate)).await.unwrap();
    control.agent_say("user1", "oUser", "twice").await.unwrap().unwrap();
    let seen = webhook.seen();
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
    let body =
        json!({"command": "State.StateChange", "platform": "IOS", "body": {"EventTime": "1700000400123"}});
    assert_eq!(control.post("/sim/im/callback", body).await.unwrap()["status"], 200);
    assert_eq!(webhook.seen()[2].json()["CallbackCommand"], "State.StateChange");
}

#[tokio::test]
async fn an_agent_cannot_write_to_nobody() {
    let (_sim, control) = sim(|_| ()).await;
    assert_eq!(control.agent_say("user1", "oNobody", "x").await.unwrap(), Err(20003));
}
