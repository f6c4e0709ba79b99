//! What customers send and cause (checklist §13 items 7 and 8, §3), and what it opens (item 4).

use serde_json::{Value, json};
use sim::Format;

use crate::support::*;

fn pushed(webhook: &Webhook) -> wechat::Push {
    wechat::Push::parse(webhook.seen().last().unwrap().body.as_bytes()).unwrap()
}

fn field(webhook: &Webhook, name: &str) -> String {
    let body = webhook.seen().last().unwrap().body.clone();
    let (_, rest) = body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {body}"));
    let text = rest.split(&format!("</{name}>")).next().unwrap();
    text.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
}

#[tokio::test]
async fn every_type_of_message_arrives_with_its_fields() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    let cases = [
        (
            json!({"type": "text", "text": "还有货吗", "article": "2247483650_1", "article_index": 2}),
            "text",
            &["Content", "MsgDataId", "Idx"][..],
        ),
        (json!({"type": "image"}), "image", &["PicUrl", "MediaId"]),
        (
            json!({"type": "voice", "recognition": ""}),
            "voice",
            &["MediaId", "MediaId16K", "Format", "Recognition"],
        ),
        (json!({"type": "video"}), "video", &["MediaId", "ThumbMediaId"]),
        (json!({"type": "shortvideo"}), "shortvideo", &["MediaId", "ThumbMediaId"]),
        (json!({"type": "location"}), "location", &["Location_X", "Location_Y", "Scale", "Label"]),
        (json!({"type": "link"}), "link", &["Title", "Description", "Url"]),
        (json!({"type": "file"}), "file", &["Title", "Description", "FileKey", "FileMd5", "FileTotalLen"]),
        (json!({"type": "unknown"}), "hologram", &["MsgId"]),
    ];
    for (message, msg_type, names) in cases {
        let report = control.send(APP, USER, message).await.unwrap();
        assert_eq!(report.outcome, "ack");
        assert_eq!(field(&webhook, "MsgType"), msg_type);
        assert_eq!(field(&webhook, "MsgId"), report.msg_id);
        names.iter().for_each(|name| drop(field(&webhook, name)));
    }
    control.send(APP, USER, json!({"type": "unsupported"})).await.unwrap();
    assert_eq!(field(&webhook, "Content"), "【收到不支持的消息类型，暂无法显示】");
    let transcript = control.transcript(APP, USER).await.unwrap();
    assert_eq!(transcript[1].text, "[image]");
    assert!(transcript[1].fields.as_ref().unwrap()["PicUrl"].is_string());
    assert_eq!(
        control
            .post("/sim/wechat/wx0/customers/o/send", json!({"type": "image"}))
            .await
            .unwrap_err()
            .to_string(),
        "the simulator refused (404): {\"error\":\"no such account\"}"
    );
}

#[tokio::test]
async fn a_picture_can_be_fetched_by_address_and_by_id() {
    let webhook = Webhook::saying("success").await;
    let (sim, control) = wechat(&webhook).await;
    // The beginning of a PNG.
    control.send(APP, USER, json!({"type": "image", "base64": "iVBORw0KGgo="})).await.unwrap();
    let png = b"\x89PNG\r\n\x1a\n";
    let by_address = http().get(field(&webhook, "PicUrl")).send().await.unwrap();
    assert_eq!(by_address.headers()["content-type"], "image/png");
    assert_eq!(by_address.bytes().await.unwrap(), &png[..]);
    let token = token(&sim).await;
    let id = field(&webhook, "MediaId");
    let url = format!("{}/cgi-bin/media/get?access_token={token}&media_id={id}", sim.wechat_url);
    assert_eq!(http().get(url).send().await.unwrap().bytes().await.unwrap(), &png[..]);
    let bad = control.send(APP, USER, json!({"type": "image", "base64": "?"})).await;
    assert!(bad.unwrap_err().to_string().contains("base64"));
}

#[tokio::test]
async fn every_event_arrives_with_its_usual_body() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    let cases: [(&str, &[&str]); 28] = [
        ("subscribe", &["EventKey"]),
        ("SCAN", &["EventKey", "Ticket"]),
        ("LOCATION", &["Latitude", "Longitude", "Precision"]),
        ("CLICK", &["EventKey"]),
        ("VIEW", &["EventKey", "MenuId"]),
        ("view_miniprogram", &["EventKey", "MenuId"]),
        ("scancode_push", &["EventKey", "ScanCodeInfo", "ScanResult"]),
        ("scancode_waitmsg", &["EventKey", "ScanCodeInfo", "ScanType"]),
        ("location_select", &["SendLocationInfo", "Location_X", "Poiname"]),
        ("TEMPLATESENDJOBFINISH", &["MsgID", "Status"]),
        ("MASSSENDJOBFINISH", &["MsgID", "SentCount", "ArticleUrlResult"]),
        ("FREEPUBLISHJOBFINISH", &["PublishEventInfo", "publish_id"]),
        ("kf_create_session", &["KfAccount"]),
        ("kf_switch_session", &["FromKfAccount", "ToKfAccount"]),
        ("kf_close_session", &["KfAccount"]),
        ("subscribe_msg_popup_event", &["SubscribeMsgPopupEvent", "PopupScene"]),
        ("subscribe_msg_change_event", &["SubscribeMsgChangeEvent", "TemplateId"]),
        ("subscribe_msg_sent_event", &["SubscribeMsgSentEvent", "ErrorStatus"]),
        ("user_info_modified", &["OpenID", "AppID"]),
        ("user_authorization_revoke", &["OpenID", "AppID", "RevokeInfo"]),
        ("user_authorization_cancellation", &["OpenID", "RevokeInfo"]),
        ("qualification_verify_success", &["ExpiredTime"]),
        ("qualification_verify_fail", &["FailTime", "FailReason"]),
        ("naming_verify_success", &["ExpiredTime"]),
        ("annual_renew", &["ExpiredTime"]),
        ("verify_expired", &["ExpiredTime"]),
        ("user_get_card", &["CardId"]),
        ("an_event_of_tomorrow", &[]),
    ];
    for (event, names) in cases {
        control.event(APP, USER, event).await.unwrap();
        assert_eq!(field(&webhook, "Event"), event);
        assert!(!webhook.seen().last().unwrap().body.contains("<MsgId>"), "{event}");
        names.iter().for_each(|name| drop(field(&webhook, name)));
        let system = event.ends_with("JOBFINISH") && !event.starts_with("TEMPLATE")
            || event.contains("verify")
            || event == "annual_renew";
        assert_eq!(pushed(&webhook).from, if system { "mphelper" } else { USER }, "{event}");
    }
    let state = control.get("/sim/state").await.unwrap();
    assert_eq!(state["wechat"][0]["customers"].as_array().unwrap().len(), 1, "mphelper is no customer");
}

#[tokio::test]
async fn an_events_fields_can_be_changed_and_accounts_have_events_of_their_own() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    let customer = format!("/sim/wechat/{APP}/customers/{USER}/event?wait=1");
    let asked = json!({"event": "VIEW", "fields": {"EventKey": "https://a.example/?b=1&c", "MenuId": null}});
    control.post(&customer, asked).await.unwrap();
    assert_eq!(field(&webhook, "EventKey"), "https://a.example/?b=1&c");
    assert!(!webhook.seen()[0].body.contains("MenuId"));
    control
        .post(&format!("/sim/wechat/{APP}/event?wait=1"), json!({"event": "verify_expired"}))
        .await
        .unwrap();
    assert_eq!(pushed(&webhook).from, "mphelper");

    control.configure(json!({"format": Format::Json})).await.unwrap();
    control.event(APP, USER, "subscribe_msg_sent_event").await.unwrap();
    let body = webhook.seen().last().unwrap().json();
    assert_eq!(body["List"][0]["TemplateId"], "T1", "no wrapper in JSON");
    assert!(body.get("SubscribeMsgSentEvent").is_none());
}

#[tokio::test]
async fn photos_taken_from_the_menu_follow_as_messages() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    for event in ["pic_sysphoto", "pic_photo_or_album", "pic_weixin"] {
        let before = webhook.seen().len();
        control.event(APP, USER, event).await.unwrap();
        eventually(|| webhook.seen().len() == before + 2).await;
        let bodies: String = webhook.seen()[before..].iter().map(|seen| seen.body.clone()).collect();
        assert!(
            bodies.contains("<SendPicsInfo>")
                && bodies.contains("<PicMd5Sum>")
                && bodies.contains("<PicUrl>")
        );
    }
}

#[tokio::test]
async fn f05_locations_come_in_floods_of_the_same_second() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    let path = format!("/sim/wechat/{APP}/customers/{USER}/event?wait=1");
    control.post(&path, json!({"event": "LOCATION", "count": 40})).await.unwrap();
    eventually(|| webhook.seen().len() == 40).await;
}

async fn windows(control: &sim::Control) -> Vec<(String, Value)> {
    let told = control.get(&format!("/sim/wechat/{APP}/customers/{USER}")).await.unwrap();
    let mut open: Vec<_> = told["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["action"].as_str().unwrap().to_owned(), w["left"].clone()))
        .collect();
    open.sort_by(|a, b| a.0.cmp(&b.0));
    open
}

#[tokio::test]
async fn each_action_opens_its_own_window_and_most_events_open_none() {
    let (_sim, control) = sim(|_| ()).await;
    let opens = [
        ("CLICK", Some("menu")),
        ("scancode_push", Some("menu")),
        ("scancode_waitmsg", Some("menu")),
        ("SCAN", Some("scan")),
        ("VIEW", None),
        ("LOCATION", None),
        ("location_select", None),
        ("view_miniprogram", None),
        ("TEMPLATESENDJOBFINISH", None),
        ("kf_close_session", None),
    ];
    for (event, action) in opens {
        let _ = control.event(APP, USER, event).await;
        let expected: Vec<_> = action.map(|action| (action.to_owned(), json!(3))).into_iter().collect();
        assert_eq!(windows(&control).await, expected, "{event}");
        control.advance_clock(60_000).await.unwrap();
    }
    control
        .post(&format!("/sim/wechat/{APP}/customers/{USER}/follow"), json!({"scene": "shop_12"}))
        .await
        .unwrap();
    control.say_only(APP, USER, "在吗").await.unwrap();
    let open = |pairs: &[(&str, u64)]| -> Vec<_> {
        pairs.iter().map(|(action, left)| ((*action).to_owned(), json!(left))).collect()
    };
    assert_eq!(windows(&control).await, open(&[("follow", 3), ("message", 5)]));
    let _ = control.event(APP, USER, "unsubscribe").await;
    assert_eq!(windows(&control).await, []);
}

#[tokio::test]
async fn f31_windows_can_add_up_and_a_payment_has_no_count() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    rules(&control, json!({"windows": "cumulative"})).await;
    for _ in 0..2 {
        control.say_only(APP, USER, "在吗").await.unwrap();
    }
    for _ in 0..10 {
        assert_eq!(send_text(&sim, &token, USER, "x").await, 0);
    }
    assert_eq!(send_text(&sim, &token, USER, "x").await, 45047);
    let pay = format!("/sim/wechat/{APP}/customers/{USER}/pay");
    control.post(&pay, json!({})).await.unwrap();
    for _ in 0..12 {
        assert_eq!(send_text(&sim, &token, USER, "x").await, 0);
    }
    rules(&control, json!({"kind": "subscription"})).await;
    assert!(control.post(&pay, json!({})).await.is_err(), "only service accounts are paid");
}

#[tokio::test]
async fn a_tap_on_a_menu_message_is_a_menu_tap_or_a_message() {
    let (_sim, control) = sim(|_| ()).await;
    let tap = json!({"type": "text", "text": "满意", "menu_id": "101"});
    let path = format!("/sim/wechat/{APP}/customers/{USER}/send");
    control.post(&path, tap.clone()).await.unwrap();
    assert_eq!(windows(&control).await, [("menu".to_owned(), json!(3))]);
    rules(&control, json!({"menu_message": "message"})).await;
    control.post(&path, tap).await.unwrap();
    assert_eq!(windows(&control).await[1], ("message".to_owned(), json!(5)));
}

#[tokio::test]
async fn f69_while_wechats_own_agents_have_her_nothing_is_pushed() {
    let webhook = Webhook::saying("success").await;
    let (_sim, control) = wechat(&webhook).await;
    control.event(APP, USER, "kf_create_session").await.unwrap();
    let said = control.say(APP, USER, "在吗").await.unwrap();
    assert_eq!((said.outcome.as_str(), said.attempts, webhook.seen().len()), ("not_pushed", 0, 1));
    control.event(APP, USER, "kf_close_session").await.unwrap();
    assert_eq!(control.say(APP, USER, "在吗").await.unwrap().outcome, "ack");
    control.event(APP, USER, "kf_create_session").await.unwrap();
    control.advance_clock(30 * 60_000).await.unwrap();
    assert_eq!(control.say(APP, USER, "在吗").await.unwrap().outcome, "ack", "half an hour has passed");
}

#[tokio::test]
async fn the_console_refuses_an_address_that_does_not_pass() {
    let good = Webhook::start(|_, seen| {
        let echo = seen.parameter("echostr");
        (200, std::time::Duration::ZERO, if echo.is_empty() { "success".into() } else { echo })
    })
    .await;
    let bad = Webhook::saying("success").await;
    let (_sim, control) = sim(|_| ()).await;
    let path = format!("/sim/wechat/{APP}/console");
    control.post(&path, json!({"webhook_url": good.url, "token": "NewToken02"})).await.unwrap();
    let refused = control.post(&path, json!({"webhook_url": bad.url, "token": "Other03"})).await.unwrap_err();
    assert!(refused.to_string().contains("did not pass the verification"));
    assert_eq!(control.say(APP, USER, "在吗").await.unwrap().outcome, "ack");
    let seen = good.seen().last().unwrap().clone();
    let (timestamp, nonce) = (seen.parameter("timestamp"), seen.parameter("nonce"));
    assert!(wechat::signature_matches(&["NewToken02", &timestamp, &nonce], &seen.parameter("signature")));
}
