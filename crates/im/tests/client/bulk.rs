//! Messages to many, of another time and changed afterwards; addresses, presence by platform.

use im::{BatchMsg, CallError, Element, ImportMsg, Presence};
use serde_json::json;

use crate::server::{NOW, Server};

const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

fn batch() -> BatchMsg {
    BatchMsg {
        from: None,
        to: vec!["agent_007".into(), "agent_008".into()],
        msg_seq: Some(28460),
        msg_random: 19_901_224,
        body: vec![Element::text("今晚22点维护")],
        sync_other_machine: Some(2),
        other: im::Other::new(),
    }
}

#[tokio::test]
async fn a_batch_says_who_did_not_get_it_although_the_code_is_0() {
    let some = include_str!("../golden/rest/batchsendmsg.answer.json");
    let none = r#"{"ActionStatus":"FAIL","ErrorInfo":"invalid To_Account agent_007","ErrorCode":90012}"#;
    let (server, client) = Server::start(&[(200, some), (200, none), (200, OK)]).await;
    let sent = client.batch_send_msg(&batch(), 1, NOW).await.expect("some got it");
    assert_eq!(sent.msg_key, "28460_19901224_1700000600");
    assert_eq!(sent.failed, [("agent_008".to_owned(), 70107)]);
    let refused = client.batch_send_msg(&batch(), 1, NOW).await;
    let Err(CallError::Refused(code)) = refused else { panic!("{refused:?}") };
    assert!(code.code == 90012 && !code.info.contains("agent_007"), "{}", code.info);
    let nothing = client.batch_send_msg(&batch(), 1, NOW).await;
    assert!(matches!(nothing, Err(CallError::Unclear(_))), "an answer about nobody says nothing");
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/openim/batchsendmsg");
    let body = json!({"To_Account": ["agent_007", "agent_008"], "MsgSeq": 28460, "MsgRandom": 19_901_224,
        "SyncOtherMachine": 2, "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "今晚22点维护"}}]});
    assert_eq!(asked[0].body, body);
}

#[tokio::test]
async fn a_message_is_imported_and_changed() {
    let refused = r#"{"ActionStatus":"FAIL","ErrorInfo":"MsgKey invalid","ErrorCode":90054}"#;
    let (server, client) = Server::start(&[(200, OK), (200, OK), (200, refused)]).await;
    let import: ImportMsg =
        serde_json::from_str(include_str!("../golden/rest/importmsg.request.json")).expect("a message");
    client.import_msg(&import, 1, NOW).await.expect("OK");
    let key = "1042_3482119077_1700000123";
    client.modify_msg("wx_u1", "agent_007", key, None, Some("{}"), 1, NOW).await.expect("OK");
    let body = Some(vec![Element::text("x")]);
    let refused = client.modify_msg("wx_u1", "agent_007", "no key", body, None, 1, NOW).await;
    assert!(matches!(refused, Err(CallError::Refused(code)) if code.code == 90054));
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/openim/importmsg");
    assert_eq!(
        (&asked[0].body["SyncFromOldSystem"], &asked[0].body["MsgTimeStamp"]),
        (&json!(5), &json!(1_700_000_700))
    );
    assert_eq!(asked[1].path, "/v4/openim/modify_c2c_msg");
    let attached =
        json!({"From_Account": "wx_u1", "To_Account": "agent_007", "MsgKey": key, "CloudCustomData": "{}"});
    assert_eq!(asked[1].body, attached, "what is not given is not changed");
    assert_eq!(asked[2].body.get("CloudCustomData"), None);
}

#[tokio::test]
async fn ims_addresses_are_told() {
    let list = include_str!("../golden/rest/get-ip-list.answer.json");
    let (server, client) = Server::start(&[(200, list), (200, OK)]).await;
    assert_eq!(client.ip_list(1, NOW).await.expect("a list"), ["203.0.113.0/24", "198.51.100.7"]);
    assert!(client.ip_list(1, NOW).await.is_err(), "no list is not an empty one");
    assert_eq!(server.asked()[0].path, "/v4/ConfigSvc/GetIPList");
    assert_eq!(server.asked()[0].body, json!({}), "a body is never empty");
}

#[tokio::test]
async fn presence_can_be_asked_by_platform() {
    let answer = include_str!("../golden/rest/query-online-status.answer.json");
    let (server, client) = Server::start(&[(200, answer), (200, answer)]).await;
    let states = client.online_status_by_platform(&["agent_007"], 1, NOW).await.expect("OK");
    let web = ("Web".to_owned(), Presence::Online);
    assert_eq!(states[0].platforms, [web, ("iPhone".to_owned(), Presence::PushOnline)]);
    assert!(states[1].platforms.is_empty() && states[2].platforms.is_empty());
    client.online_status(&["agent_007"], 1, NOW).await.expect("OK");
    let asked = server.asked();
    assert_eq!(asked[0].body, json!({"To_Account": ["agent_007"], "IsNeedDetail": 1}));
    assert_eq!(asked[1].body, json!({"To_Account": ["agent_007"]}));
}
