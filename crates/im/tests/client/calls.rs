//! What goes over the wire, and what is read from a good answer.

use im::{Element, HistoryQuery, SendMsg, wire};
use secrecy::SecretString;
use serde_json::Value;

use crate::server::{APP, KEY, NOW, Server};

const OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

fn golden(json: &str) -> Value {
    serde_json::from_str(json).expect("a golden document")
}

#[tokio::test]
async fn f53_the_query_is_the_documented_one_with_the_callers_random() {
    let (server, client) = Server::start(&[(200, OK), (200, OK)]).await;
    client.account_import("wx_u1", None, None, 4_294_967_295, NOW).await.expect("OK");
    client.account_import("wx_u1", None, None, 7, NOW).await.expect("OK");
    let asked = server.asked();
    let query = &asked[0].query;
    assert_eq!(query["sdkappid"], APP.to_string());
    assert_eq!(query["identifier"], "administrator");
    assert_eq!(query["random"], "4294967295");
    assert_eq!(query["contenttype"], "json");
    assert_eq!(query.len(), 5);
    let key = SecretString::from(KEY);
    im::verify(&key, APP, Some("administrator"), &query["usersig"], NOW).expect("it survives the URL");
    assert_eq!(asked[1].query["random"], "7");
    assert_eq!(asked[1].query["usersig"], query["usersig"], "one UserSig for many calls");
    assert!(asked[0].raw_query.bytes().all(|b| b.is_ascii_graphic()));
    assert_eq!(asked[0].content_type, "application/json");
}

#[tokio::test]
async fn account_import_sends_what_it_is_given() {
    let (server, client) = Server::start(&[(200, OK), (200, OK)]).await;
    let url = Some("https://example.com/a.png");
    client.account_import("wx_u1", Some("Li"), url, 1, NOW).await.expect("OK");
    client.account_import("wx_u1", None, None, 1, NOW).await.expect("OK");
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/im_open_login_svc/account_import");
    assert_eq!(asked[0].body, golden(include_str!("../golden/rest/account-import.request.json")));
    assert_eq!(asked[1].body, serde_json::json!({"UserID": "wx_u1"}), "null would be refused");
}

#[tokio::test]
async fn account_delete_gives_a_result_for_each_account() {
    let answer = include_str!("../golden/rest/account-delete.answer.json");
    let (server, client) = Server::start(&[(200, answer)]).await;
    let results = client.account_delete(&["wx_u1", "nobody"], 1, NOW).await.expect("OK");
    let asked = server.asked();
    assert_eq!(asked[0].path, "/v4/im_open_login_svc/account_delete");
    assert_eq!(asked[0].body, golden(include_str!("../golden/rest/account-delete.request.json")));
    let codes: Vec<_> = results.iter().map(|result| (result.user_id.as_str(), result.code)).collect();
    assert_eq!(codes, [("wx_u1", 0), ("nobody", 70107)]);
    assert_eq!(results[1].info, "Err_TLS_PT_Open_Login_Account_Not_Exist");
}

#[tokio::test]
async fn f53_f54_sendmsg_sends_seq_and_random_and_no_life_time() {
    let answer = include_str!("../golden/rest/sendmsg.answer.json");
    let (server, client) = Server::start(&[(200, answer), (200, answer)]).await;
    let body = vec![Element::text("你好，订单什么时候发货？")];
    let message = SendMsg::new("wx_u1", "agent_007", 1042, 3_482_119_077, body)
        .with_cloud_custom_data(r#"{"gw":1,"mid":"01JABC"}"#);
    for random in [1, 2] {
        let sent = client.send_msg(&message, random, NOW).await.expect("OK");
        assert_eq!((sent.msg_key.as_str(), sent.msg_time), ("1042_3482119077_1700000123", 1_700_000_123));
    }
    let asked = server.asked();
    assert_eq!(asked[0].path, wire::SENDMSG);
    assert_eq!(asked[0].body, golden(include_str!("../golden/rest/sendmsg.request.json")));
    assert_eq!(asked[1].body, asked[0].body, "the same message is the same MsgRandom");
}

#[tokio::test]
async fn history_is_read_page_by_page() {
    let first = include_str!("../golden/rest/admin-getroammsg.answer.json");
    let last = r#"{"ErrorCode":0,"Complete":"1","MsgCnt":0,"MsgList":null}"#;
    let (server, client) = Server::start(&[(200, first), (200, last)]).await;
    let query = HistoryQuery {
        operator: "agent_007".to_owned(),
        peer: "wx_u1".to_owned(),
        max_count: 100,
        min_time: 1_700_000_000,
        max_time: 1_700_000_300,
        last_msg_key: None,
    };
    let page = client.history(&query, 1, NOW).await.expect("OK");
    assert!(!page.complete);
    assert_eq!(page.unreadable, 0);
    let keys: Vec<_> = page.messages.iter().map(|message| message.msg_key.as_str()).collect();
    assert_eq!(keys, ["1042_3482119077_1700000123", "48374_2837546_1700000200"]);
    assert_eq!(page.messages[0].body, [Element::text("你好，订单什么时候发货？")]);
    let next = page.next(&query).expect("there is more");
    assert_eq!((next.min_time, next.max_time), (1_700_000_000, 1_700_000_123));
    let page = client.history(&next, 1, NOW).await.expect("OK");
    assert!(page.complete && page.messages.is_empty() && page.next(&next).is_none());

    let asked = server.asked();
    assert_eq!(asked[0].path, wire::ADMIN_GETROAMMSG);
    let mut second = golden(include_str!("../golden/rest/admin-getroammsg.request.json"));
    second["MaxTime"] = 1_700_000_123.into();
    assert_eq!(asked[1].body, second);
    assert_eq!(asked[0].body.get("LastMsgKey"), None);
}

#[tokio::test]
async fn f48_a_broken_entry_costs_no_other_entry() {
    let answer = include_str!("../golden/rest/admin-getroammsg.answer.json")
        .replace(r#""MsgList":["#, r#""Extra":{"a":1},"MsgList":[{"MsgSeq":"x"},7,"#)
        .replace("MsgTimeStamp", "MsgTime")
        .replace("发货？", r"\ud800\u0000");
    let (_, client) = Server::start(&[(200, &answer)]).await;
    let query = HistoryQuery {
        operator: "a".to_owned(),
        peer: "b".to_owned(),
        max_count: 1,
        min_time: 0,
        max_time: 1,
        last_msg_key: None,
    };
    let page = client.history(&query, 1, NOW).await.expect("OK");
    assert_eq!((page.messages.len(), page.unreadable), (2, 2));
    assert_eq!(page.messages[0].msg_time, 1_700_000_123, "under its older name");
    assert_eq!(page.messages[0].body, [Element::text("你好，订单什么时候\u{FFFD}")]);
}
