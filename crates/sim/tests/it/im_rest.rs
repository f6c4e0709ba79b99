//! IM's REST commands (checklist §10 items 1 to 4).

use serde_json::{Value, json};
use sim::ImConfig;

use crate::support::*;

const IMPORT: &str = "im_open_login_svc/account_import";
const DELETE: &str = "im_open_login_svc/account_delete";
const SEND: &str = "openim/sendmsg";
const HISTORY: &str = "openim/admin_getroammsg";

async fn code(sim: &sim::Sim, command: &str, body: Value) -> i64 {
    rest(sim, command, body).await["ErrorCode"].as_i64().unwrap()
}

#[tokio::test]
async fn requests_are_checked_in_the_documented_order() {
    let (sim, _control) = sim(|_| ()).await;
    let now = sim.clock().now_ms() / 1000;
    let key = ImConfig::shop().secret_key;
    let good = usersig(&key, 1_400_000_001, "administrator", now, 60);
    let other_app = usersig(&key, 1_400_000_002, "administrator", now, 60);
    let other_key = usersig("00", 1_400_000_001, "administrator", now, 60);
    let expired = usersig(&key, 1_400_000_001, "administrator", now - 100, 60);
    let nobody = usersig(&key, 1_400_000_001, "user1", now, 60);
    let tail = "random=7&contenttype=json";
    let cases = [
        (format!("identifier=administrator&usersig={good}&{tail}"), 60012),
        (format!("sdkappid=7&identifier=administrator&usersig={good}&{tail}"), 70020),
        (format!("sdkappid=1400000001&identifier=administrator&{tail}"), 70002),
        (format!("sdkappid=1400000001&identifier=administrator&usersig=eJx&{tail}"), 70003),
        (format!("sdkappid=1400000001&identifier=administrator&usersig={other_app}&{tail}"), 70014),
        (format!("sdkappid=1400000001&identifier=root&usersig={good}&{tail}"), 70013),
        (format!("sdkappid=1400000001&identifier=administrator&usersig={other_key}&{tail}"), 70009),
        (format!("sdkappid=1400000001&identifier=administrator&usersig={expired}&{tail}"), 70001),
        (format!("sdkappid=1400000001&identifier=user1&usersig={nobody}&{tail}"), 60010),
        (format!("sdkappid=1400000001&identifier=administrator&usersig={good}"), 60025),
        (format!("sdkappid=1400000001&identifier=administrator&usersig={good}&{tail}"), 0),
    ];
    for (query, expected) in cases {
        let url = format!("{}/v4/{IMPORT}?{query}", sim.im_url);
        let answer = post(&url, json!({"UserID": "oUser"})).await;
        assert_eq!(answer["ErrorCode"], expected, "{query}");
        assert_eq!(answer["ActionStatus"], if expected == 0 { "OK" } else { "FAIL" });
    }
    let answer: Value = try_rest(&sim, IMPORT, String::new()).await.unwrap().json().await.unwrap();
    assert_eq!(answer["ErrorCode"], 60003);
    let answer: Value = try_rest(&sim, SEND, "{".into()).await.unwrap().json().await.unwrap();
    assert_eq!(answer["ErrorCode"], 90001);
    assert_eq!(code(&sim, "openim/sendmessage", json!({})).await, 60009);
}

#[tokio::test]
async fn f51_an_import_can_be_repeated_and_ids_have_a_length() {
    let (sim, _control) = sim(|_| ()).await;
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "oUser", "Nick": "a"})).await, 0);
    assert_eq!(code(&sim, IMPORT, json!({"Identifier": "oUser"})).await, 0);
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "u".repeat(33)})).await, 70402);
    let body = json!({"CheckItem": [{"UserID": "oUser"}, {"UserID": "nobody"}]});
    let answer = rest(&sim, "im_open_login_svc/account_check", body).await;
    assert_eq!(answer["ResultItem"][0]["AccountStatus"], "Imported");
    assert_eq!(answer["ResultItem"][1]["AccountStatus"], "NotImported");
}

#[tokio::test]
async fn deletion_needs_its_switch_and_paid_editions_remember() {
    let item = json!({"DeleteItem": [{"UserID": "oUser"}, {"UserID": "nobody"}]});
    let (sim, control) = sim(|config| (config.im.deletion_enabled, config.im.paid) = (false, true)).await;
    code(&sim, IMPORT, json!({"UserID": "oUser"})).await;
    assert_eq!(code(&sim, DELETE, item.clone()).await, 71000);
    control.configure(json!({"deletion_enabled": true})).await.unwrap();
    let answer = rest(&sim, DELETE, item).await;
    assert_eq!(answer["ResultItem"][0]["ResultCode"], 0);
    assert_eq!(answer["ResultItem"][1]["ResultCode"], 70107);
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "oUser"})).await, 70399);
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "oUser-2"})).await, 0);
    control.advance_clock(91 * 86_400_000).await.unwrap();
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "oUser"})).await, 0);
}

#[tokio::test]
async fn f56_a_free_edition_has_so_many_accounts() {
    let (sim, _control) = sim(|config| config.im.account_limit = Some(2)).await;
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "a"})).await, 0);
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "b"})).await, 70398);
    assert_eq!(code(&sim, IMPORT, json!({"UserID": "a"})).await, 0);
}

#[tokio::test]
async fn a_message_reaches_the_agents_chat_and_the_journal() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let answer = rest(&sim, SEND, relay("你好", 42, 7)).await;
    let key = format!("42_7_{}", answer["MsgTime"]);
    assert_eq!(answer["MsgKey"], key);
    let chats = control.chats("user1").await.unwrap();
    assert_eq!((chats.len(), chats[0].nick.as_str(), chats[0].unread), (1, "shop · a1b2", 1));
    let message = &chats[0].messages[0];
    assert_eq!((message.text.as_str(), message.msg_key.as_str()), ("你好", key.as_str()));
    assert_eq!(message.cloud_custom_data.as_deref(), Some("{\"gw\":1}"));
    control.post("/sim/im/agents/user1/read", json!({"peer": "oUser"})).await.unwrap();
    assert_eq!(control.chats("user1").await.unwrap()[0].unread, 0);
    let delivered = lines(&control, "delivered").await;
    assert_eq!((&delivered[0]["msg_key"], &delivered[0]["platform"]), (&json!(key), &json!("RESTAPI")));
    assert!(webhook.seen().is_empty(), "f45: both webhooks were forbidden");
}

#[tokio::test]
async fn f53_the_same_seq_and_random_within_a_second_is_delivered_once() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    // Begin early in a second, so that both calls are in the same one.
    let into = sim.clock().now_ms() % 1000;
    control.advance_clock(1000 - into).await.unwrap();
    let first = rest(&sim, SEND, relay("你好", 42, 7)).await;
    let second = rest(&sim, SEND, relay("你好", 42, 7)).await;
    assert_eq!((&second["ErrorCode"], &second["MsgKey"]), (&json!(0), &first["MsgKey"]));
    assert_eq!(control.chat("user1", "oUser").await.unwrap().len(), 1);
    control.advance_clock(1000).await.unwrap();
    rest(&sim, SEND, relay("你好", 42, 7)).await;
    assert_eq!(
        control.chat("user1", "oUser").await.unwrap().len(),
        2,
        "a second later it is another message"
    );
}

#[tokio::test]
async fn sendmsg_refuses_what_the_tables_say() {
    let webhook = Webhook::im(0).await;
    let (sim, _control) = im(&webhook, |_| ()).await;
    let with = |name: &str, value: Value| {
        let mut message = relay("你好", 1, 1);
        message[name] = value;
        message
    };
    let cases = [
        (with("From_Account", json!("nobody")), 20003),
        (with("To_Account", json!("nobody")), 90012),
        (with("To_Account", Value::Null), 90003),
        (with("MsgRandom", json!("7")), 90005),
        (with("MsgSeq", json!(-1)), 90004),
        (with("MsgSeq", json!(4_294_967_296_u64)), 90004),
        (with("MsgBody", json!({})), 90007),
        (with("SyncOtherMachine", json!("1")), 90031),
        (with("MsgTimeStamp", json!("1")), 90006),
        (with("MsgLifeTime", json!("60")), 90044),
        (with("OfflinePushInfo", json!({"AndroidInfo": "loud"})), 90043),
        (with("MsgBody", text_body(&"字".repeat(4096))), 93000),
    ];
    for (message, expected) in cases {
        assert_eq!(code(&sim, SEND, message.clone()).await, expected, "{message}");
    }
}

#[tokio::test]
async fn f55_too_many_calls_a_second_are_refused() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    control.configure(json!({"rate": 1})).await.unwrap();
    let mut codes = Vec::new();
    // On a machine so busy that a call takes a second each one passes; not fifty of them in a row.
    while codes.last() != Some(&60007) && codes.len() < 50 {
        let n = codes.len() as u32;
        codes.push(code(&sim, SEND, relay("你好", n, n)).await);
    }
    assert!(codes[0] == 0 && codes.last() == Some(&60007), "{codes:?}");
    control.advance_clock(1000).await.unwrap();
    assert_eq!(code(&sim, SEND, relay("你好", 9, 9)).await, 0);
}

async fn history(sim: &sim::Sim, who: &str, peer: &str, more: Value) -> Value {
    let mut asked = json!({"Operator_Account": who, "Peer_Account": peer, "MaxCnt": 2, "MinTime": 0, "MaxTime": 4_000_000_000_u64});
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    rest(sim, HISTORY, asked).await
}

fn texts(page: &Value) -> Vec<&str> {
    let list = page["MsgList"].as_array().unwrap();
    list.iter().map(|item| item["MsgBody"][0]["MsgContent"]["Text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn history_pages_run_from_newest_to_oldest() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    for n in 1..=5 {
        rest(&sim, SEND, relay(&n.to_string(), n, n)).await;
        control.advance_clock(1000).await.unwrap();
    }
    let first = history(&sim, "user1", "oUser", json!({})).await;
    assert_eq!((texts(&first), &first["Complete"]), (vec!["4", "5"], &json!(0)));
    assert_eq!(first["LastMsgKey"], first["MsgList"][0]["MsgKey"]);
    let next = json!({"LastMsgKey": first["LastMsgKey"], "MaxTime": first["LastMsgTime"]});
    let second = history(&sim, "user1", "oUser", next).await;
    assert_eq!(texts(&second), ["2", "3"]);
    let next = json!({"LastMsgKey": second["LastMsgKey"], "MaxTime": second["LastMsgTime"]});
    let third = history(&sim, "user1", "oUser", next).await;
    assert_eq!((texts(&third), &third["Complete"], &third["MsgCnt"]), (vec!["1"], &json!(1), &json!(1)));
    assert_eq!(third["MsgList"][0]["CloudCustomData"], "{\"gw\":1}");

    let long = json!({"MaxCnt": 100, "MinTime": first["LastMsgTime"]});
    assert_eq!(
        texts(&history(&sim, "oUser", "user1", long).await),
        ["4", "5"],
        "the other side has them too"
    );
    assert_eq!(history(&sim, "nobody", "oUser", json!({})).await["ErrorCode"], 90008);
}

#[tokio::test]
async fn a_history_page_is_cut_at_13_kilobytes() {
    let webhook = Webhook::im(0).await;
    let (sim, _control) = im(&webhook, |_| ()).await;
    for n in 1..=3 {
        rest(&sim, SEND, relay(&"x".repeat(6000), n, n)).await;
    }
    let page = history(&sim, "user1", "oUser", json!({"MaxCnt": 100})).await;
    assert_eq!((&page["MsgCnt"], &page["Complete"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn a_deleted_account_loses_its_history_and_the_agent_keeps_hers() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    rest(&sim, SEND, relay("你好", 1, 1)).await;
    rest(&sim, DELETE, json!({"DeleteItem": [{"UserID": "oUser"}]})).await;
    let chats = control.chats("user1").await.unwrap();
    assert_eq!((chats[0].exists, chats[0].messages.len()), (false, 1));
    assert_eq!(code(&sim, SEND, relay("你好", 2, 2)).await, 20003);
    code(&sim, IMPORT, json!({"UserID": "oUser"})).await;
    assert_eq!(history(&sim, "oUser", "user1", json!({})).await["MsgCnt"], 0);
    assert_eq!(history(&sim, "user1", "oUser", json!({})).await["MsgCnt"], 1);
}

#[tokio::test]
async fn online_status_follows_the_agents_log_in() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let asked = json!({"To_Account": ["user1", "ghost"], "IsNeedDetail": 1});
    let answer = rest(&sim, "openim/query_online_status", asked.clone()).await;
    assert_eq!(answer["QueryResult"][0]["Status"], "Offline");
    assert_eq!(answer["ErrorList"][0]["ErrorCode"], 70107);
    control.agent_online("user1", true).await.unwrap();
    let answer = rest(&sim, "openim/query_online_status", asked).await;
    assert_eq!(answer["QueryResult"][0]["Detail"][0]["Platform"], "Web");
    assert_eq!(code(&sim, "openim/query_online_status", json!({"To_Account": []})).await, 90001);
}

#[tokio::test]
async fn a_hundred_accounts_are_imported_at_once_in_either_form() {
    const MANY: &str = "im_open_login_svc/multiaccount_import";
    let (sim, control) = sim(|config| config.im.account_limit = Some(5)).await;
    let older = rest(&sim, MANY, json!({"Accounts": ["oA", "oB"]})).await;
    assert_eq!((&older["ErrorCode"], &older["FailAccounts"]), (&json!(0), &json!([])));
    let too_long = "x".repeat(33);
    let list = json!([{"UserID": "oA", "Nick": "a"}, {"UserID": too_long}, {"UserID": "oC"}, {"UserID": "oD"}, {"UserID": "oE"}]);
    let newer = rest(&sim, MANY, json!({"AccountList": list})).await;
    // With the admin that is all that there is room for; whoever is there already is updated.
    assert_eq!((&newer["ErrorCode"], &newer["FailAccounts"]), (&json!(0), &json!([too_long, "oE"])));
    let accounts = control.get("/sim/state").await.unwrap()["im"]["accounts"].clone();
    assert_eq!(accounts["oA"]["nick"], "a");
    let crowd: Vec<String> = (0..101).map(|n| format!("o{n}")).collect();
    assert_eq!(code(&sim, MANY, json!({"Accounts": crowd})).await, 70206);
    assert_eq!(code(&sim, MANY, json!({"Accounts": []})).await, 70402);
}
