//! Windows of failure on calls that arrive, over real connections.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sim::{Fault, Kind};

use crate::support::*;

const SEND: &str = "openim/sendmsg";

async fn delivered(control: &sim::Control) -> usize {
    control.chat("user1", "oUser").await.unwrap().len()
}

#[tokio::test]
async fn a_cut_connection_has_no_answer_and_the_call_is_done_or_not() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    for (kind, done) in [(Kind::ResetBefore, 0), (Kind::ResetAfter, 1)] {
        control.fault(Fault::once("im.sendmsg", kind)).await.unwrap();
        let error = try_rest(&sim, SEND, relay("你好", 1, 1).to_string()).await.unwrap_err();
        assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
        assert_eq!(delivered(&control).await, done);
    }
    assert_eq!(rest(&sim, SEND, relay("你好", 2, 2)).await["ErrorCode"], 0, "the fault is used up");
}

#[tokio::test]
async fn f34_custom_send_can_be_delivered_without_an_answer() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    control.fault(Fault::once("wechat.custom_send", Kind::ResetAfter)).await.unwrap();
    assert!(try_send_text(&sim, &token, USER, "您好").await.is_err());
    assert_eq!(control.received(APP, USER).await.unwrap(), ["您好"]);
    control.fault(Fault::once("wechat.custom_send", Kind::Status).value(504).done(true)).await.unwrap();
    assert_eq!(try_send_text(&sim, &token, USER, "二").await.unwrap().status(), 504);
    assert_eq!(control.received(APP, USER).await.unwrap(), ["您好", "二"]);
}

#[tokio::test]
async fn a_shut_door_refuses_and_opens_again() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    // A kept-alive connection must not slip through.
    let client = http();
    let url = format!("{}/v4/{SEND}?{}", sim.im_url, im_query(&sim));
    let call = |n: u32| client.post(&url).body(relay("你好", n, n).to_string()).send();
    assert!(call(1).await.is_ok());
    control.fault(Fault::lasting("im.sendmsg", Kind::Refuse, 200)).await.unwrap();
    let error = call(2).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    let started = Instant::now();
    while call(3).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(delivered(&control).await, 2);
}

#[tokio::test]
async fn a_deaf_door_lets_nobody_in_and_refuses_nobody() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let client = reqwest::Client::builder().connect_timeout(Duration::from_millis(300)).build().unwrap();
    let url = format!("{}/v4/{SEND}?{}", sim.im_url, im_query(&sim));
    let call = |n: u32| client.post(&url).body(relay("你好", n, n).to_string()).send();
    assert!(call(1).await.is_ok());
    control.fault(Fault::lasting("im.sendmsg", Kind::ConnectHang, 1_500)).await.unwrap();
    let started = Instant::now();
    for n in 2..5 {
        let error = call(n).await.unwrap_err();
        assert!(error.is_connect() && error.is_timeout(), "{error:?}");
    }
    assert!(started.elapsed() > Duration::from_millis(850), "{:?}", started.elapsed());
    while call(9).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(delivered(&control).await, 2);
}

#[tokio::test]
async fn an_answer_can_break_off_in_its_middle_or_drip() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    control.fault(Fault::once("wechat.custom_send", Kind::ResetInside)).await.unwrap();
    let mut answer = try_send_text(&sim, &token, USER, "一").await.unwrap();
    assert_eq!(answer.status(), 200);
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"errcode\"") && !first.ends_with(b"}"), "{first:?}");
    assert!(answer.chunk().await.is_err(), "reset");

    control.fault(Fault::once("wechat.custom_send", Kind::Drip).value(10)).await.unwrap();
    let started = Instant::now();
    let answer = try_send_text(&sim, &token, USER, "二").await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(900), "the headers come at once");
    let (length, text) = (answer.content_length().unwrap(), answer.text().await.unwrap());
    assert!(text.starts_with('{') && text.len() as u64 == length, "{text}");
    assert!(started.elapsed() > Duration::from_millis(90 * (length - 1)), "{:?}", started.elapsed());
    assert_eq!(control.received(APP, USER).await.unwrap()[..2], ["一", "二"], "both carried out");
    assert_eq!(lines(&control, "fault").await.len(), 2);
}

#[tokio::test]
async fn an_answer_can_be_a_flood() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    for (fault, shown) in [
        (Fault::once("wechat.custom_send", Kind::Flood).value(3 << 20), 0),
        (Fault::once("wechat.custom_send", Kind::Flood).value(1 << 20).done(true), 1),
    ] {
        let length = fault.value.as_u64();
        control.fault(fault).await.unwrap();
        let answer = try_send_text(&sim, &token, USER, "x").await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.content_length()), (200, length));
        assert_eq!(answer.bytes().await.unwrap().len() as u64, length.unwrap());
        assert_eq!(control.received(APP, USER).await.unwrap().len(), shown);
    }
}

#[tokio::test]
async fn f35_answers_can_be_nonsense_with_status_200() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    let read = async || try_send_text(&sim, &token, USER, "x").await.unwrap().text().await.unwrap();
    control.fault(Fault::once("wechat.custom_send", Kind::Body).value("<html>")).await.unwrap();
    assert_eq!(read().await, "<html>");
    control.fault(Fault::once("wechat.custom_send", Kind::Body)).await.unwrap();
    assert_eq!(read().await, "");
    assert!(control.received(APP, USER).await.unwrap().is_empty(), "not carried out");
    control.fault(Fault::once("wechat.custom_send", Kind::Truncated)).await.unwrap();
    let text = read().await;
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
    assert_eq!(control.received(APP, USER).await.unwrap(), ["x"], "carried out");
}

#[tokio::test]
async fn errcodes_hangs_and_delays() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    control.say_only(APP, USER, "在吗").await.unwrap();
    control.fault(Fault::times("wechat.custom_send", Kind::Errcode, 2).value(-1)).await.unwrap();
    let codes = [
        send_text(&sim, &token, USER, "x").await,
        send_text(&sim, &token, USER, "x").await,
        send_text(&sim, &token, USER, "x").await,
    ];
    assert_eq!(codes, [-1, -1, 0]);

    control.fault(Fault::once("wechat.custom_send", Kind::DelayAnswer).value(150)).await.unwrap();
    let started = Instant::now();
    assert_eq!(send_text(&sim, &token, USER, "x").await, 0);
    assert!(started.elapsed() >= Duration::from_millis(150));

    control.fault(Fault::lasting("wechat", Kind::Hang, 10_000)).await.unwrap();
    let call = try_send_text(&sim, &token, USER, "x");
    assert!(tokio::time::timeout(Duration::from_millis(150), call).await.is_err());
    control.clear_faults().await.unwrap();
    assert_eq!(send_text(&sim, &token, USER, "x").await, 0);
    assert_eq!(lines(&control, "fault").await.len(), 4);
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_though_the_caller_has_left() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    control.fault(Fault::once("im.sendmsg", Kind::Delay).value(400)).await.unwrap();
    // It leaves when the call has arrived for certain, and before it is carried out.
    tokio::select! {
        _ = try_rest(&sim, SEND, relay("你好", 1, 1).to_string()) => panic!("answered too early"),
        met = control.wait_for(Duration::from_secs(5), |line| line["kind"] == "fault") => drop(met.unwrap()),
    }
    assert_eq!(delivered(&control).await, 0);
    control.wait_for(Duration::from_secs(5), |line| line["kind"] == "delivered").await.unwrap();
}

#[tokio::test]
async fn a_wrong_fault_is_refused_with_words() {
    let (_sim, control) = sim(|_| ()).await;
    let error =
        control.post("/sim/faults", json!({"target": "im.sendmail", "kind": "hang"})).await.unwrap_err();
    assert!(error.to_string().contains("unknown target"));
    let error = control.post("/sim/faults", json!({"target": "im", "kind": "explode"})).await.unwrap_err();
    assert!(error.to_string().contains("unknown variant"));
}
