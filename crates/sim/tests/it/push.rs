//! The push engine (checklist §13 items 1 to 3).

use std::time::{Duration, Instant};

use serde_json::json;
use sim::{FAILURE_LINE, Fault, Format, Kind, Mode, PushConfig};

use crate::support::*;

fn reply(text: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{USER}]]></ToUserName><FromUserName><![CDATA[{GH}]]></FromUserName>\
         <CreateTime>1760000010</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[{text}]]></Content></xml>"
    )
}

#[tokio::test]
async fn an_acknowledged_push_is_sent_once_and_signed() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    let report = control.say(APP, USER, "子供服の新商品の販売開始はいつになりますか？").await.unwrap();
    assert_eq!((report.attempts, report.outcome.as_str()), (1, "ack"));

    let seen = webhook.seen();
    assert_eq!(seen.len(), 1);
    let (timestamp, nonce) = (seen[0].parameter("timestamp"), seen[0].parameter("nonce"));
    assert!(wechat::signature_matches(&["ShopToken01", &timestamp, &nonce], &seen[0].parameter("signature")));
    assert_eq!(seen[0].parameter("openid"), USER);
    let pushed = wechat::Push::parse(seen[0].body.as_bytes()).unwrap();
    assert_eq!((pushed.to.as_str(), pushed.from.as_str()), (GH, USER));
    assert!(seen[0].body.contains(&format!("<MsgId>{}</MsgId>", report.msg_id)));
    assert_eq!(control.received(APP, USER).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_passive_reply_is_shown_and_ends_the_attempts() {
    let webhook = Webhook::saying(&reply("ようこそ")).await;
    let (_sim, control) = wechat(&webhook).await;
    let report = control.follow(APP, USER).await.unwrap();
    assert_eq!((report.outcome.as_str(), report.reply.as_deref()), ("reply", Some("ようこそ")));
    assert_eq!(control.received(APP, USER).await.unwrap(), ["ようこそ"]);
    assert_eq!(webhook.seen().len(), 1);
    assert!(webhook.seen()[0].body.contains("<Event><![CDATA[subscribe]]></Event>"));
}

#[tokio::test]
async fn f02_three_attempts_keep_msgid_and_create_time_and_then_the_customer_is_told() {
    let webhook = Webhook::start(|_, _| (500, Duration::ZERO, "no".into())).await;
    let (_sim, control) = wechat(&webhook).await;
    let started = Instant::now();
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(400), "two gaps");
    assert_eq!((report.attempts, report.outcome.as_str()), (3, "failed"));
    let seen = webhook.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.windows(2).all(|pair| pair[0].body == pair[1].body), "the same document");
    let mut nonces: Vec<String> = seen.iter().map(|seen| seen.parameter("nonce")).collect();
    nonces.dedup();
    assert_eq!(nonces.len(), 3, "signed afresh");
    assert_eq!(control.received(APP, USER).await.unwrap(), [FAILURE_LINE]);
    let statuses: Vec<_> = lines(&control, "push").await.iter().map(|line| line["status"].clone()).collect();
    assert_eq!(statuses, [500, 500, 500]);
}

#[tokio::test]
async fn repeats_can_be_identical() {
    let webhook = Webhook::start(|n, _| (if n < 3 { 503 } else { 200 }, Duration::ZERO, String::new())).await;
    let url = webhook.url.clone();
    let (_sim, control) = sim(|config| {
        config.wechat[0].webhook_url = Some(url);
        config.wechat[0].mode = Mode::Secure;
        config.push = PushConfig { identical: true, ..PushConfig::quick(150, 30) };
    })
    .await;
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!((report.attempts, report.outcome.as_str()), (3, "ack"));
    let seen = webhook.seen();
    assert!(seen.iter().all(|one| one.query == seen[0].query && one.body == seen[0].body));
}

#[tokio::test]
async fn a_late_answer_is_lost_and_the_next_attempt_wins() {
    let webhook = Webhook::start(|n, _| match n {
        1 => (200, Duration::from_millis(400), reply("late")),
        _ => (200, Duration::ZERO, reply("in time")),
    })
    .await;
    let (_sim, control) = wechat(&webhook).await;
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!(report.attempts, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(control.received(APP, USER).await.unwrap(), ["in time"]);
    assert_eq!(lines(&control, "push").await[0]["outcome"], "timeout");
}

#[tokio::test]
async fn a_malformed_answer_shows_the_failure_line_at_once() {
    let webhook = Webhook::saying("{\"ok\":true}").await;
    let (_sim, control) = wechat(&webhook).await;
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!((report.attempts, report.outcome.as_str()), (1, "malformed"));
    assert_eq!(control.received(APP, USER).await.unwrap(), [FAILURE_LINE]);
}

#[tokio::test]
async fn f23_all_modes_and_formats_are_opened_by_the_library_and_its_replies_are_shown() {
    for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
        for format in [Format::Xml, Format::Json] {
            let webhook =
                Webhook::start(move |_, seen| (200, Duration::ZERO, answer_as_gateway(mode, seen))).await;
            let url = webhook.url.clone();
            let (_sim, control) = sim(|config| {
                let account = &mut config.wechat[0];
                (account.mode, account.format, account.webhook_url) = (mode, format, Some(url));
            })
            .await;
            let report = control.say(APP, USER, "a]]>b 😀").await.unwrap();
            assert_eq!(report.reply.as_deref(), Some("c]]>d 您好"), "{mode:?} {format:?}");
        }
    }
}

fn answer_as_gateway(mode: Mode, seen: &Seen) -> String {
    let key = wechat::AesKey::parse("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW").unwrap();
    let credentials = wechat::Credentials {
        app_id: APP.into(),
        tokens: vec!["ShopToken01".to_owned().into()],
        aes_keys: vec![key],
        require_encryption: mode == Mode::Secure,
        signature_window: 300,
    };
    let now_s: i64 = seen.parameter("timestamp").parse().unwrap();
    let opened = wechat::open(&credentials, &seen.query, seen.body.as_bytes(), now_s).unwrap();
    let push = opened.push.unwrap();
    let wechat::PushBody::Message(message) = &push.body else { panic!("not a message") };
    assert!(matches!(&message.kind, wechat::MessageKind::Text { content, .. } if content == "a]]>b 😀"));
    let content = "c]]>d 您好".to_owned();
    let reply = push.text_reply(content, now_s);
    String::from_utf8(opened.seal.reply(&reply, now_s, "889900", [7; 16])).unwrap()
}

#[tokio::test]
async fn who_has_left_sees_nothing_more() {
    let webhook = Webhook::saying(&reply("再见")).await;
    let (_sim, control) = wechat(&webhook).await;
    assert_eq!(control.unfollow(APP, USER).await.unwrap().outcome, "reply");
    assert!(control.received(APP, USER).await.unwrap().is_empty());
    assert_eq!(lines(&control, "not_shown").await.len(), 1);
}

#[tokio::test]
async fn customers_do_not_wait_for_each_other() {
    let webhook = Webhook::start(|_, _| (200, Duration::from_millis(100), String::new())).await;
    let (_sim, control) = wechat(&webhook).await;
    let started = Instant::now();
    let says = (0..8).map(|n| {
        let control = control.clone();
        tokio::spawn(async move { control.say(APP, &format!("oUser{n}"), "在吗").await.unwrap() })
    });
    for said in says.collect::<Vec<_>>() {
        assert_eq!(said.await.unwrap().outcome, "ack");
    }
    assert!(started.elapsed() < Duration::from_millis(600));
}

#[tokio::test]
async fn a_push_can_be_repeated_after_its_success_or_come_twice_at_once() {
    let webhook = Webhook::saying(&reply("您好")).await;
    let (_sim, control) = wechat(&webhook).await;
    control.fault(Fault::once("wechat.push", Kind::Duplicate).value(2)).await.unwrap();
    control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!(webhook.seen().len(), 3);
    control.fault(Fault::once("wechat.push", Kind::Overlap)).await.unwrap();
    control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!(webhook.seen().len(), 5);
    assert_eq!(control.received(APP, USER).await.unwrap(), ["您好", "您好"], "shown once each");
    assert_eq!(lines(&control, "push_repeat").await.len(), 2);
}

#[tokio::test]
async fn a_push_can_fail_on_the_way() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    control.fault(Fault::once("wechat.push", Kind::Refuse)).await.unwrap();
    control.fault(Fault::once("wechat.push", Kind::ResetAfter)).await.unwrap();
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!((report.attempts, report.outcome.as_str()), (3, "ack"));
    assert_eq!(webhook.seen().len(), 2, "the first did not arrive, the second's answer was lost");
}

#[tokio::test]
async fn any_fields_and_any_bytes_can_be_pushed() {
    let webhook = Webhook::saying("").await;
    let (_sim, control) = wechat(&webhook).await;
    let fields = json!({"MsgType": "event", "Event": "SCAN", "EventKey": "shop_12", "Ticket": "gQ"});
    control.push(APP, USER, fields).await.unwrap();
    control
        .push(APP, USER, json!({"MsgType": "text", "Content": "x", "MsgId": "77", "CreateTime": null}))
        .await
        .unwrap();
    control.push_document(APP, USER, b"<xml>\xff").await.unwrap();
    let seen = webhook.seen();
    assert!(!seen[0].body.contains("MsgId") && seen[0].body.contains("<EventKey><![CDATA[shop_12]]>"));
    assert!(seen[1].body.contains("<MsgId><![CDATA[77]]></MsgId>") && !seen[1].body.contains("CreateTime"));
    assert_eq!(seen[2].body, "<xml>\u{fffd}");
}

#[tokio::test]
async fn f17_verification_wants_the_echostr_byte_for_byte() {
    let echo = |suffix: &'static str| {
        move |_: usize, seen: &Seen| (200, Duration::ZERO, format!("{}{suffix}", seen.parameter("echostr")))
    };
    for (suffix, good) in [("", true), ("\n", false)] {
        let webhook = Webhook::start(echo(suffix)).await;
        let (_sim, control) = wechat(&webhook).await;
        assert_eq!(control.verify(APP).await.unwrap(), good);
        assert_eq!(webhook.seen()[0].method, "GET");
    }
    let (_sim, control) = sim(|_| ()).await;
    assert!(!control.verify(APP).await.unwrap(), "no address is set");
}

fn passive(msg_type: &str, payload: &str) -> String {
    let text = "<Content><![CDATA[x]]></Content>";
    reply("x").replace("<![CDATA[text]]>", &format!("<![CDATA[{msg_type}]]>")).replace(text, payload)
}

#[tokio::test]
async fn passive_replies_with_files_need_files_that_are_there() {
    let (sim, control) = sim(|_| ()).await;
    for (kind, element) in [("image", "Image"), ("voice", "Voice"), ("video", "Video")] {
        let made = control.post(&format!("/sim/wechat/{APP}/media"), json!({"type": kind})).await.unwrap();
        let good = made["media_id"].as_str().unwrap().to_owned();
        for (id, outcome) in [(good.as_str(), "reply"), ("nothing", "malformed")] {
            let payload = format!("<{element}><MediaId><![CDATA[{id}]]></MediaId></{element}>");
            let webhook = Webhook::saying(&passive(kind, &payload)).await;
            control.configure(json!({"webhook_url": webhook.url})).await.unwrap();
            assert_eq!(control.say(APP, USER, "在吗").await.unwrap().outcome, outcome, "{kind}");
        }
        let lines = control.transcript(APP, USER).await.unwrap();
        let shown = lines.iter().rfind(|line| line.via == "passive_reply").unwrap();
        assert_eq!(shown.fields.as_ref().unwrap()["MediaId"], good.as_str());
    }
    drop(sim);
}

#[tokio::test]
async fn a_reply_to_a_message_has_one_article_and_a_reply_to_a_click_eight() {
    let item = "<item><Title>a</Title><Description>b</Description><PicUrl>p</PicUrl><Url>u</Url></item>";
    let payload = format!("<ArticleCount>2</ArticleCount><Articles>{}</Articles>", item.repeat(2));
    let webhook = Webhook::saying(&passive("news", &payload)).await;
    let (_sim, control) = wechat(&webhook).await;
    assert_eq!(control.say(APP, USER, "在吗").await.unwrap().outcome, "malformed");
    assert_eq!(control.event(APP, USER, "CLICK").await.unwrap().outcome, "reply");
    let last = control.transcript(APP, USER).await.unwrap().pop().unwrap();
    assert_eq!(last.fields.unwrap()["Articles"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn f69_a_reply_can_hand_the_customer_over_to_wechats_own_agents() {
    let webhook = Webhook::saying(&passive("transfer_customer_service", "")).await;
    let (_sim, control) = wechat(&webhook).await;
    let report = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!((report.attempts, report.outcome.as_str()), (1, "handed_over"));
    assert!(control.received(APP, USER).await.unwrap().is_empty());
}

#[tokio::test]
async fn attempts_start_later_by_a_random_time() {
    let webhook = Webhook::saying("success").await;
    let url = webhook.url.clone();
    let (_sim, control) = sim(|config| {
        config.wechat[0].webhook_url = Some(url);
        config.push.jitter = Duration::from_millis(300);
    })
    .await;
    let mut longest = Duration::ZERO;
    for _ in 0..12 {
        let started = Instant::now();
        control.say(APP, USER, "在吗").await.unwrap();
        longest = longest.max(started.elapsed());
    }
    assert!(longest >= Duration::from_millis(100), "{longest:?}");
    assert_eq!(webhook.seen().len(), 12);
}

#[tokio::test]
async fn some_pushes_are_overtaken_by_later_ones() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    control.configure(json!({"push": {"held_percent": 100, "held_ms": 400}})).await.unwrap();
    control.say_only(APP, USER, "first").await.unwrap();
    control.configure(json!({"push": {"held_percent": 0}})).await.unwrap();
    control.say(APP, USER, "second").await.unwrap();
    eventually(|| webhook.seen().len() == 2).await;
    let order: Vec<bool> = webhook.seen().iter().map(|seen| seen.body.contains("first")).collect();
    assert_eq!(order, [false, true]);
}

#[tokio::test]
async fn f22_an_answer_is_judged_by_the_settings_that_its_push_was_made_with() {
    let slowly = Duration::from_millis(100);
    let webhook = Webhook::start(move |_, seen| (200, slowly, answer_as_gateway(Mode::Secure, seen))).await;
    let (_sim, control) = wechat(&webhook).await;
    control.configure(json!({"mode": "secure"})).await.unwrap();
    control.say_only(APP, USER, "a]]>b 😀").await.unwrap();
    eventually(|| !webhook.seen().is_empty()).await;
    control.configure(json!({"mode": "plain", "token": "Other02"})).await.unwrap();
    let end = control.wait_for(Duration::from_secs(5), |line| line["kind"] == "push_end").await.unwrap();
    assert_eq!(end["outcome"], "reply");
}
