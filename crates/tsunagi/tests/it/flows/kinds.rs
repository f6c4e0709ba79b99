//! F6, and messages that are not text: the agent reads in words what came.

use crate::support::{Engine, OPENID, Setup};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn f06_what_nobody_knows_is_told_to_the_agent_or_acknowledged() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let (control, app_id) = (&world.control, world.app_id());
    let unsupported = "[微信无法转发的消息，请客户改用文字]";
    for push in [
        json!({"MsgType": "hologram", "Depth": 3, "Nested": {"a": [1, 2]}}),
        json!({"MsgType": "text", "Content": "【收到不支持的消息类型，暂无法显示】"}),
        json!({"MsgType": ""}),
    ] {
        let report = control.push(&app_id, OPENID, push.clone()).await.unwrap();
        assert_eq!(report.attempts, 1, "{push}");
    }
    world.agent_sees(unsupported).await;
    world.drained().await;
    let told = world.shown_to_agent(|text| text == unsupported).await;
    assert!(told >= 2, "told {told} times");
    // Events are acknowledged, and told to nobody.
    let before = world.shown_to_agent(|_| true).await;
    for event in
        ["levitate", "TEMPLATESENDJOBFINISH", "kf_create_session", "poi_check_notify", "", "view_miniprogram"]
    {
        let push = json!({"MsgType": "event", "Event": event, "Anything": {"deep": true}, "EventKey": event});
        let report = control.push(&app_id, OPENID, push).await.unwrap();
        assert_eq!((report.outcome.as_str(), report.attempts), ("ack", 1), "{event}");
    }
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_relayed_as_readable_words() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let cases = [
        (
            json!({"MsgType": "image", "PicUrl": "http://x/p", "MediaId": "m"}),
            "[图片]（无法读取，请客户重新发送）",
        ),
        (json!({"MsgType": "voice", "MediaId": "m", "Format": "amr"}), "[语音]（无法读取，请客户重新发送）"),
        (
            json!({"MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": "今日は。"}),
            "[语音] 今日は。（无法读取，请客户重新发送）",
        ),
        (
            json!({"MsgType": "video", "MediaId": "m", "ThumbMediaId": "t"}),
            "[视频]（无法读取，请客户重新发送）",
        ),
        (
            json!({"MsgType": "shortvideo", "MediaId": "m", "ThumbMediaId": "t"}),
            "[视频]（无法读取，请客户重新发送）",
        ),
        (json!({"MsgType": "location", "Location_X": "?", "Label": "somewhere"}), "[位置] somewhere"),
        (
            json!({"MsgType": "link", "Title": "商品页", "Description": "同款", "Url": "https://shop.example.com/1"}),
            "[链接] 商品页 同款\nhttps://shop.example.com/1",
        ),
        (
            json!({"MsgType": "file", "Title": "清单.pdf", "FileKey": "k", "FileMd5": "m", "FileTotalLen": "9"}),
            "[文件] 清单.pdf",
        ),
    ];
    for (push, words) in &cases {
        world.control.push(&world.app_id(), OPENID, push.clone()).await.unwrap();
        world.agent_sees(words).await;
    }
    world.drained().await;
    let chat = world.chat_with(OPENID).await;
    assert_eq!(chat, cases.iter().map(|(_, words)| *words).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn f57_a_customers_text_beyond_ims_limit_comes_in_parts_in_order() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let long: String = (0..1_500).map(|n| format!("第{n}句。")).collect();
    world.control.say(&world.app_id(), OPENID, &long).await.unwrap();
    let agent_saw = |line: &serde_json::Value, end: &str| {
        line["cloud"] == "im"
            && line["kind"] == "delivered"
            && line["text"].as_str().unwrap_or_default().ends_with(end)
    };
    world.line("the last part", |line| agent_saw(line, "第1499句。")).await;
    let parts = world.chat_with(OPENID).await;
    assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= 5_000));
    assert_eq!(parts.concat(), long);
}
