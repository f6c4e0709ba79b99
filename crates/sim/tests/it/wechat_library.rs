//! The real WeChat library against the simulator: two readings of the same reference that must agree.

use secrecy::SecretString;
use serde_json::json;
use sim::{Control, Format, Sim};
use wechat::{Card, Client, Entry, Event, MessageKind, Outgoing, PushBody, Sender, Typing};

use crate::support::*;

async fn client(sim: &Sim) -> (Client, SecretString) {
    let client = Client::new(http(), &sim.wechat_url).unwrap();
    let token = client.stable_token(APP, &SecretString::from(SECRET), false).await.unwrap().token;
    (client, token)
}

async fn media(control: &Control, kind: &str) -> String {
    let made = control.post(&format!("/sim/wechat/{APP}/media"), json!({"type": kind})).await.unwrap();
    made["media_id"].as_str().unwrap().to_owned()
}

fn refused(error: &wechat::CallError) -> Option<i64> {
    match error {
        wechat::CallError::Refused(errcode) => Some(errcode.code),
        _ => None,
    }
}

#[tokio::test]
async fn every_message_that_the_library_can_send_is_shown() {
    let (sim, control) = sim(|_| ()).await;
    let (client, token) = client(&sim).await;
    let text = |text: &str| text.to_owned();
    let (image, voice) = (media(&control, "image").await, media(&control, "voice").await);
    let (video, thumb, news) =
        (media(&control, "video").await, media(&control, "thumb").await, media(&control, "news").await);
    let messages = [
        Outgoing::Text { content: text("您好 <a href=\"https://a.example\">x</a>") },
        Outgoing::Image { media_id: image },
        Outgoing::Voice { media_id: voice },
        Outgoing::Video {
            media_id: video,
            thumb_media_id: thumb.clone(),
            title: Some(text("演示")),
            description: None,
        },
        Outgoing::Music {
            title: text("曲"),
            description: text("说明"),
            url: text("https://a.example/m.mp3"),
            hq_url: None,
            thumb_media_id: thumb.clone(),
        },
        Outgoing::News(Card {
            title: text("帮助"),
            description: text("FAQ"),
            url: text("https://a.example/help"),
            pic_url: text("https://a.example/c.png"),
        }),
        Outgoing::MaterialArticle { media_id: news },
        Outgoing::PublishedArticle { article_id: text("ART1") },
        Outgoing::Menu {
            head: Some(text("是否解决？")),
            entries: vec![Entry { id: text("101"), content: text("是") }],
            tail: None,
        },
        Outgoing::Voucher { card_id: text("CARD1") },
        Outgoing::MiniProgramPage {
            title: text("订单"),
            app_id: text("wxMINI"),
            page_path: text("pages/order?id=9"),
            thumb_media_id: thumb,
        },
    ];
    for message in messages {
        control.say_only(APP, USER, "在吗").await.unwrap();
        client.send(&token, USER, &message).await.unwrap();
        assert_eq!(last_sent(&control).await.msg_type, message.name());
    }
    let sender = Sender { kf_account: Some("agent01@myshop".into()), made_by_ai: Some(true) };
    client.send_as(&token, USER, &Outgoing::Text { content: "您好".into() }, &sender).await.unwrap();
    let last = last_sent(&control).await;
    assert_eq!(last.fields.unwrap()["kf_account"], "agent01@myshop");

    client.typing(&token, USER, Typing::Start).await.unwrap();
    let again = client.typing(&token, USER, Typing::Start).await.unwrap_err();
    assert_eq!(refused(&again), Some(45081));
    client.typing(&token, USER, Typing::Stop).await.unwrap();
}

#[tokio::test]
async fn the_library_reads_followers_addresses_and_quotas() {
    let (sim, control) = sim(|_| ()).await;
    let (client, token) = client(&sim).await;
    control.post(&format!("/sim/wechat/{APP}/customers/seed"), json!({"count": 10_001})).await.unwrap();
    for end_empty in [false, true] {
        rules(&control, json!({"followers_end_empty": end_empty})).await;
        let (mut next, mut counted) = (None::<String>, 0);
        loop {
            let page = client.followers(&token, next.as_deref()).await.unwrap();
            assert_eq!((page.total, page.count), (10_001, page.openids.len() as u64));
            counted += page.count;
            match page.next_openid {
                Some(openid) => next = Some(openid),
                None => break,
            }
        }
        assert_eq!(counted, 10_001);
    }
    let ips = client.callback_ips(&token).await.unwrap();
    assert!(ips.iter().any(|range| range.contains("101.226.103.9".parse().unwrap())));
    assert!(!client.api_ips(&token).await.unwrap().is_empty());
    let quota = client.quota(&token, "/cgi-bin/user/get").await.unwrap();
    assert_eq!((quota.daily_limit, quota.used, quota.remain), (500, quota.used, 500 - quota.used));
    assert!(quota.used >= 4 && quota.rate_limit.is_none());
    let unknown = client.quota(&token, "/cgi-bin/no/such").await.unwrap_err();
    assert_eq!(refused(&unknown), Some(76021));
}

#[tokio::test]
async fn the_library_knows_every_message_and_event_that_customers_cause() {
    let messages = ["image", "voice", "video", "shortvideo", "location", "link", "file", "unsupported"];
    let events = [
        "subscribe",
        "unsubscribe",
        "SCAN",
        "LOCATION",
        "CLICK",
        "VIEW",
        "view_miniprogram",
        "scancode_push",
        "scancode_waitmsg",
        "location_select",
        "TEMPLATESENDJOBFINISH",
        "MASSSENDJOBFINISH",
        "FREEPUBLISHJOBFINISH",
        "kf_create_session",
        "kf_close_session",
        "kf_switch_session",
        "subscribe_msg_popup_event",
        "subscribe_msg_change_event",
        "subscribe_msg_sent_event",
        "user_info_modified",
        "user_authorization_revoke",
        "user_authorization_cancellation",
        "qualification_verify_success",
        "qualification_verify_fail",
        "naming_verify_success",
        "naming_verify_fail",
        "annual_renew",
        "verify_expired",
    ];
    for format in [Format::Xml, Format::Json] {
        let webhook = Webhook::saying("success").await;
        let (_sim, control) = wechat(&webhook).await;
        control.configure(json!({"format": format})).await.unwrap();
        let last = || wechat::Push::parse(webhook.seen().last().unwrap().body.as_bytes()).unwrap().body;
        for message in messages {
            control.send(APP, USER, json!({"type": message})).await.unwrap();
            let PushBody::Message(read) = last() else { panic!("{message} is no message") };
            assert!(!matches!(read.kind, MessageKind::Unknown { .. }), "{message}");
            assert!(read.msg_id.is_some(), "{message}");
            if message == "location" {
                let MessageKind::Location { latitude, scale, .. } = read.kind else { panic!() };
                assert_eq!((latitude, scale), (Some(31.230_416), Some(16.0)));
            }
        }
        for event in events {
            control.event(APP, USER, event).await.unwrap();
            let PushBody::Event(read) = last() else { panic!("{event} is no event") };
            assert!(!matches!(read, Event::Unknown { .. }), "{event}");
            let complete = match &read {
                Event::SubscribeMsgSent { results } => results[0].msg_id == Some(1_700_827_132_819_554_304),
                Event::SubscribeMsgPopup { templates } | Event::SubscribeMsgChange { templates } => {
                    templates[0].template_id == "T1"
                }
                Event::VerifyExpired { expired_time } => expired_time.is_some(),
                _ => true,
            };
            assert!(complete, "{read:?}");
        }
    }
}
