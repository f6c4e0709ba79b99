//! Taps, scans and follows by QR code as lines for the agent; greetings by scene; alarms about the certification.

use crate::support::{Engine, OPENID, Setup, World};
use serde_json::{Value, json};

impl World {
    async fn does(&self, fields: Value) -> Option<String> {
        let mut event = json!({"MsgType": "event"});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.control.push(&self.app_id(), OPENID, event).await.unwrap().reply
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taps_and_scans_are_lines_in_an_open_conversation_and_the_last_one_opens_the_next() {
    let world = Setup::new(Engine::Sqlite)
        .account("call_keys = [\"CALL_AGENT\"]\ngreetings = { shop_12 = \"欢迎来到12号店\" }")
        .start()
        .await;
    // Before a conversation nobody is disturbed; the last one is kept.
    let followed =
        world.does(json!({"Event": "subscribe", "EventKey": "qrscene_shop_12", "Ticket": "t"})).await;
    assert_eq!(followed.as_deref(), Some("欢迎来到12号店"));
    let followed =
        world.does(json!({"Event": "subscribe", "EventKey": "qrscene_elsewhere", "Ticket": "t"})).await;
    assert_eq!(followed.as_deref(), Some("欢迎关注"), "another scene is greeted as everybody is");
    world.does(json!({"Event": "CLICK", "EventKey": "HOURS"})).await;
    world.does(json!({"Event": "VIEW", "EventKey": "https://shop.example.com", "MenuId": "1"})).await;
    world
        .does(json!({"Event": "LOCATION", "Latitude": "31.2", "Longitude": "121.4", "Precision": "65"}))
        .await;
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, 0);
    let ghost = world.opened(OPENID, "hello").await;
    world.drained().await;
    assert_eq!(world.chat_with(&ghost).await, ["[点击菜单：HOURS]", "hello"]);
    // In a conversation each one is a line.
    let scanned = world.does(json!({"Event": "SCAN", "EventKey": "shop_12", "Ticket": "t"})).await;
    assert_eq!(scanned.as_deref(), Some("欢迎来到12号店"));
    world.agent_sees("[扫描二维码：shop_12]").await;
    let code = json!({"ScanType": "qrcode", "ScanResult": "ORDER-9"});
    world.does(json!({"Event": "scancode_waitmsg", "EventKey": "SCAN_ORDER", "ScanCodeInfo": code})).await;
    world.agent_sees("[扫码：SCAN_ORDER · ORDER-9]").await;
    let place = json!({"Location_X": "31.2", "Location_Y": "121.4", "Scale": "16", "Label": "人民广场", "Poiname": ""});
    world.does(json!({"Event": "location_select", "EventKey": "WHERE", "SendLocationInfo": place})).await;
    world.agent_sees("[选择位置：WHERE · 人民广场]").await;
    let pictures =
        json!({"Count": "1", "PicList": {"item": {"PicMd5Sum": "5a75aaca956d97be686719218f275c6b"}}});
    world.does(json!({"Event": "pic_weixin", "EventKey": "PICS", "SendPicsInfo": pictures})).await;
    world.agent_sees("[菜单发图：PICS]").await;
    world.drained().await;
    assert_eq!(world.chat_with(&ghost).await.len(), 6);
    assert_eq!(world.notices().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_item_that_calls_an_agent_opens_a_conversation() {
    let world = Setup::new(Engine::Sqlite).account("call_keys = [\"CALL_AGENT\"]").start().await;
    let waits = world.does(json!({"Event": "CLICK", "EventKey": "CALL_AGENT"})).await;
    assert_eq!(waits.as_deref(), Some("正在为您转接"));
    let ghost = world.agent_sees("[点击菜单：CALL_AGENT]").await;
    let open = "SELECT COUNT(*) FROM conversation WHERE closed_at IS NULL";
    assert_eq!(world.database.count(open).await, 1);
    // Within one second it would be a repeat of the first.
    world.control.advance_clock(2_000).await.unwrap();
    assert_eq!(world.does(json!({"Event": "CLICK", "EventKey": "CALL_AGENT"})).await, None, "told once");
    assert_eq!(world.opened(OPENID, "hello").await, ghost);
    assert_eq!(world.database.count(open).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certification_that_ends_is_an_alarm() {
    let world = Setup::new(Engine::Sqlite).start().await;
    assert!(world.metric("tsunagi_alarms_total{what=\"certification\"}").await < 1.0);
    for event in [
        json!({"Event": "annual_renew", "ExpiredTime": "1795000000"}),
        json!({"Event": "verify_expired", "ExpiredTime": "1795000000"}),
        json!({"Event": "qualification_verify_fail", "FailTime": "1795000000", "FailReason": "by 公司"}),
        json!({"Event": "qualification_verify_success", "ExpiredTime": "1895000000"}),
    ] {
        assert_eq!(world.does(event).await, None);
    }
    let text = crate::support::http()
        .get(format!("{}/metrics", world.admin))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("tsunagi_alarms_total{what=\"certification\"} 3"), "{text}");
    assert!(world.log().contains("renew it in WeChat's console"), "{}", world.log());
    world.drained().await;
    assert_eq!(world.database.count("SELECT COUNT(*) FROM customer").await, 0, "no customer comes of it");
}
