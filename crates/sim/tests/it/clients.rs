//! The real libraries against the simulator: two readings of the same reference that must agree.

use std::sync::Arc;

use im::Webhook as Im;
use secrecy::SecretString;
use sim::{Fault, Kind};

use crate::support::*;

fn im_client(sim: &sim::Sim, lifetime_s: u64) -> im::Client {
    let key = SecretString::from(sim::ImConfig::shop().secret_key);
    let sig = Arc::new(im::AdminSig::new(key, 1_400_000_001, "administrator", lifetime_s));
    im::Client::new(http(), &sim.im_url, 1_400_000_001, sig).unwrap()
}

fn message(text: &str, seq: u32) -> im::SendMsg {
    let body = serde_json::json!({"From_Account": "oUser", "To_Account": "user1", "MsgSeq": seq, "MsgRandom": seq,
                                  "MsgBody": text_body(text), "CloudCustomData": "{\"gw\":1}"});
    serde_json::from_value(body).unwrap()
}

#[tokio::test]
async fn the_im_client_imports_sends_reads_and_deletes() {
    let (sim, control) = sim(|_| ()).await;
    let client = im_client(&sim, 3600);
    let now = || sim.clock().now_ms() / 1000;
    for user in ["oUser", "user1"] {
        client.account_import(user, Some("shop · a1b2"), None, 1, now()).await.unwrap();
    }
    let mut keys = Vec::new();
    for n in 1..=3 {
        keys.push(client.send_msg(&message(&n.to_string(), n), n, now()).await.unwrap().msg_key);
    }
    let query = im::HistoryQuery {
        operator: "user1".into(),
        peer: "oUser".into(),
        max_count: 100,
        min_time: now() - 10,
        max_time: now() + 10,
        last_msg_key: None,
    };
    let page = client.history(&query, 9, now()).await.unwrap();
    assert!(page.complete);
    assert_eq!(page.messages.iter().map(|m| m.msg_key.clone()).collect::<Vec<_>>(), keys);
    assert_eq!(control.chat("user1", "oUser").await.unwrap().len(), 3);

    let deleted = client.account_delete(&["oUser", "nobody"], 4, now()).await.unwrap();
    assert_eq!(deleted.iter().map(|one| one.code).collect::<Vec<_>>(), [0, 70107]);
    let refused = client.send_msg(&message("4", 4), 4, now()).await.unwrap_err();
    assert!(matches!(refused, im::CallError::Refused(error) if error.code == 20003));
}

#[tokio::test]
async fn f50_a_usersig_that_expired_is_renewed_and_the_call_repeated_once() {
    let (sim, control) = sim(|_| ()).await;
    let client = im_client(&sim, 3600);
    let now = || sim.clock().now_ms() / 1000;
    client.account_import("oUser", None, None, 1, now()).await.unwrap();
    control.fault(Fault::once("im.account_import", Kind::Errcode).value(70001)).await.unwrap();
    client.account_import("oUser", None, None, 2, now()).await.unwrap();
    assert_eq!(lines(&control, "fault").await.len(), 1);
}

#[tokio::test]
async fn the_libraries_tell_not_sent_from_unclear() {
    let (sim, control) = sim(|_| ()).await;
    let client = wechat::Client::new(http(), &sim.wechat_url).unwrap();
    let secret = SecretString::from(SECRET);
    control.say_only(APP, USER, "在吗").await.unwrap();
    let token = client.stable_token(APP, &secret, false).await.unwrap();
    client.send_text(&token.token, USER, "一").await.unwrap();
    control.fault(Fault::once("wechat.custom_send", Kind::ResetAfter)).await.unwrap();
    let unclear = client.send_text(&token.token, USER, "二").await.unwrap_err();
    assert!(matches!(unclear, wechat::CallError::Unclear(_)), "{unclear:?}");
    control.fault(Fault::lasting("wechat.custom_send", Kind::Refuse, 100)).await.unwrap();
    let refused = client.send_text(&token.token, USER, "三").await.unwrap_err();
    assert!(matches!(refused, wechat::CallError::NotSent(_)), "{refused:?}");
    assert_eq!(control.received(APP, USER).await.unwrap(), ["一", "二"]);
}

#[tokio::test]
async fn the_im_library_opens_the_webhooks() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |config| config.im.callback_enabled_before = true).await;
    let key = control.agent_say("user1", "oUser", "5月になります").await.unwrap().unwrap();
    let credentials = im::Credentials {
        sdk_app_id: 1_400_000_001,
        tokens: vec![SecretString::from("ShopCallbackToken")],
        window_s: 60,
    };
    let now = sim.clock().now_ms() / 1000;
    let mut opened = webhook
        .seen()
        .into_iter()
        .map(|seen| im::open(&credentials, &seen.query, seen.body.as_bytes(), now).unwrap().webhook);
    assert!(matches!(opened.next(), Some(Im::BeforeSendMsg(message)) if message.msg_key == key));
    assert!(matches!(opened.next(), Some(Im::AfterSendMsg(after)) if after.message.msg_key == key));
}
