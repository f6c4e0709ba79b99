//! IM besides one message: profiles, kick, many at once, old messages, recall, read marks, groups, and the webhooks that
//! tell of them (checklist §10 items 2, 8, 9).

use serde_json::{Value, json};
use sim::{Control, ImConfig, Sim};

use crate::support::*;

/// A simulator on which these webhooks are switched on.
async fn telling(webhook: &Webhook, commands: &[&str]) -> (Sim, Control) {
    let commands = commands.iter().map(|command| (*command).to_owned()).collect();
    im(webhook, |config| config.im.callback_commands = commands).await
}

async fn code(sim: &Sim, command: &str, body: Value) -> i64 {
    rest(sim, command, body).await["ErrorCode"].as_i64().unwrap()
}

fn keys(answer: &Value) -> Vec<&str> {
    answer.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn profiles_are_set_read_checked_and_told() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = telling(&webhook, &["Profile.CallbackPortraitSet"]).await;
    let set = |tag: &str, value: Value| json!({"From_Account": "oUser", "ProfileItem": [{"Tag": tag, "Value": value}]});
    let nick = set("Tag_Profile_IM_Nick", json!("李雷"));
    let answer = rest(&sim, "profile/portrait_set", nick.clone()).await;
    assert_eq!(keys(&answer), ["ActionStatus", "ErrorCode", "ErrorDisplay", "ErrorInfo"]);
    eventually(|| !webhook.seen().is_empty()).await;
    let told = webhook.seen()[0].json();
    assert_eq!(told["CallbackCommand"], "Profile.CallbackPortraitSet");
    assert_eq!(
        (&told["Operator_Account"], &told["From_Account"]),
        (&json!("administrator"), &json!("oUser"))
    );
    assert_eq!(told["ProfileItem"], nick["ProfileItem"]);
    for (tag, value, expected) in [
        ("Tag_Profile_IM_Nick", json!("x".repeat(501)), 40601),
        ("Tag_Profile_IM_Nick", json!(7), 40605),
        ("Tag_Profile_IM_Location", json!("x".repeat(17)), 40601),
        ("Tag_Profile_IM_Gender", json!("Gender_Type_Other"), 40605),
        ("Tag_Profile_IM_BirthDay", json!(20_190_419), 0),
        ("Tag_Profile_IM_Level", json!("7"), 40605),
        ("Tag_Profile_Custom_Shop", json!("s"), 40009),
    ] {
        assert_eq!(code(&sim, "profile/portrait_set", set(tag, value)).await, expected, "{tag}");
    }
    control.configure(json!({"custom_tags": ["Tag_Profile_Custom_Shop"]})).await.unwrap();
    assert_eq!(code(&sim, "profile/portrait_set", set("Tag_Profile_Custom_Shop", json!("s"))).await, 0);
    assert_eq!(
        code(
            &sim,
            "profile/portrait_set",
            json!({"From_Account": "nobody", "ProfileItem": nick["ProfileItem"]})
        )
        .await,
        40003
    );
    let ask = json!({"To_Account": ["oUser", "nobody"],
                     "TagList": ["Tag_Profile_IM_Nick", "Tag_Profile_Custom_Shop", "Tag_Profile_IM_Role"]});
    let answer = rest(&sim, "profile/portrait_get", ask).await;
    assert_eq!(answer["Fail_Account"], json!(["nobody"]));
    let items = &answer["UserProfileItem"];
    let known = json!([{"Tag": "Tag_Profile_IM_Nick", "Value": "李雷"}, {"Tag": "Tag_Profile_Custom_Shop", "Value": "s"}]);
    assert_eq!((&items[0]["ProfileItem"], &items[1]["ResultCode"]), (&known, &json!(40003)));
}

#[tokio::test]
async fn log_ins_are_told_and_kick_ends_them() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = telling(&webhook, &["State.StateChange"]).await;
    let status = async |user: &str| {
        let answer =
            rest(&sim, "openim/query_online_status", json!({"To_Account": [user], "IsNeedDetail": 1})).await;
        answer["QueryResult"][0].clone()
    };
    assert_eq!(status("user1").await["Status"], "Offline");
    let login = |platform: &str| json!({"platform": platform});
    control.post("/sim/im/agents/user1/login", login("Windows")).await.unwrap();
    assert_eq!(status("user1").await["Detail"], json!([{"Platform": "Windows", "Status": "Online"}]));
    // The second on one platform throws the first out.
    control.post("/sim/im/agents/user1/login", login("Windows")).await.unwrap();
    eventually(|| webhook.seen().len() == 2).await;
    let told = webhook.seen()[1].json();
    assert_eq!(told["Info"], json!({"Action": "Login", "To_Account": "user1", "Reason": "Register"}));
    assert_eq!(told["KickedDevice"], json!([{"Platform": "Windows"}]));
    assert!(told["EventTime"].as_i64().unwrap() > 1_000_000_000_000, "milliseconds");
    control.post("/sim/im/agents/user1/login", login("iOS")).await.unwrap();
    control.post("/sim/im/agents/user1/logout", json!({"platform": "Windows", "lost": true})).await.unwrap();
    assert_eq!(status("user1").await["Status"], "Online", "another device is still there");
    eventually(|| webhook.seen().len() == 4).await;
    let told = webhook.seen()[3].json()["Info"].clone();
    assert_eq!((&told["Action"], &told["Reason"]), (&json!("Disconnect"), &json!("LinkClose")));
    control.post("/sim/im/agents/user1/logout", json!({"push": true})).await.unwrap();
    assert_eq!(status("user1").await["Status"], "PushOnline");

    // A UserSig from before the kick is worth nothing, one from after it is.
    let now = sim.clock().now_ms() / 1000;
    let sig = |time: i64| usersig(&ImConfig::shop().secret_key, 1_400_000_001, "user1", time, 86_400);
    let with = |sig: String| json!({"platform": "Web", "user_sig": sig});
    let login = async |body: Value| {
        control.post("/sim/im/agents/user1/login", body).await.unwrap()["error_code"].as_i64().unwrap()
    };
    assert_eq!(login(with(sig(now - 100_000))).await, 70001);
    assert_eq!(login(with(usersig("00", 1_400_000_001, "user1", now, 60))).await, 70009);
    assert_eq!(login(with(sig(now - 10))).await, 0);
    assert_eq!(code(&sim, "im_open_login_svc/kick", json!({"UserID": "user1"})).await, 0);
    assert_eq!(status("user1").await["Status"], "Offline");
    assert_eq!(login(with(sig(now - 10))).await, 70052);
    assert_eq!(login(with(sig(now + 60))).await, 0);
    assert_eq!(code(&sim, "im_open_login_svc/kick", json!({"Identifier": "nobody"})).await, 70107);
}

#[tokio::test]
async fn a_batch_reaches_many_without_webhooks_and_names_who_is_missing() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    rest(&sim, "im_open_login_svc/account_import", json!({"UserID": "user2"})).await;
    let batch = |to: Value| json!({"From_Account": "oUser", "To_Account": to, "MsgRandom": 7, "MsgSeq": 1, "MsgBody": text_body("all")});
    let answer = rest(&sim, "openim/batchsendmsg", batch(json!(["user1", "user2", "ghost"]))).await;
    assert_eq!((&answer["ActionStatus"], &answer["ErrorCode"]), (&json!("SomeError"), &json!(0)));
    assert_eq!(answer["ErrorList"], json!([{"To_Account": "ghost", "ErrorCode": 70107}]));
    assert!(answer["MsgKey"].as_str().unwrap().starts_with("1_7_"));
    for user in ["user1", "user2"] {
        assert_eq!(control.chat(user, "oUser").await.unwrap()[0].text, "all");
    }
    let many: Vec<String> = (0..501).map(|n| format!("u{n}")).collect();
    for (to, expected) in
        [(json!("user1"), 90028), (json!([]), 90029), (json!(many), 90011), (json!(["ghost"]), 90012)]
    {
        assert_eq!(code(&sim, "openim/batchsendmsg", batch(to)).await, expected);
    }
    let five_hundred = vec!["user1"; 500];
    let mut last = 0;
    for _ in 0..24 {
        last = code(&sim, "openim/batchsendmsg", batch(json!(five_hundred))).await;
    }
    assert_eq!(last, 90057, "12,000 recipients in a minute, three of them spent before");
    assert!(webhook.seen().is_empty(), "§4.3: no webhooks at all");
}

#[tokio::test]
async fn imported_messages_count_once_and_raise_no_webhook() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    let message = |mode: u32, seq: u32, text: &str| {
        json!({"SyncFromOldSystem": mode, "From_Account": "oUser", "To_Account": "user1", "MsgSeq": seq, "MsgRandom": 9,
               "MsgTimeStamp": 1_700_000_000, "MsgBody": text_body(text)})
    };
    for (mode, seq, text) in [(2, 1, "old"), (2, 1, "the same triple, other words"), (5, 2, "new")] {
        let answer = rest(&sim, "openim/importmsg", message(mode, seq, text)).await;
        assert_eq!(keys(&answer), ["ActionStatus", "ErrorCode", "ErrorInfo"], "no MsgKey");
    }
    let chat = control.chat("user1", "oUser").await.unwrap();
    assert_eq!(chat.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["old", "new"]);
    let unread = rest(&sim, "openim/get_c2c_unread_msg_num", json!({"To_Account": "user1"})).await;
    assert_eq!(unread["AllC2CUnreadMsgNum"], 1, "mode 2 is history, read already");
    assert_eq!(code(&sim, "openim/importmsg", message(3, 3, "x")).await, 90030);
    assert!(webhook.seen().is_empty());
}

#[tokio::test]
async fn a_recall_is_told_and_stays_in_the_history_with_its_flag() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = telling(&webhook, &["C2C.CallbackAfterMsgWithDraw"]).await;
    let key = rest(&sim, "openim/sendmsg", relay("oops", 1, 5)).await["MsgKey"].as_str().unwrap().to_owned();
    let recall = |key: &str| json!({"From_Account": "oUser", "To_Account": "user1", "MsgKey": key});
    let mut edit = recall(&key);
    edit["MsgBody"] = text_body("edited");
    assert_eq!(code(&sim, "openim/modify_c2c_msg", edit).await, 0);
    assert_eq!(control.chat("user1", "oUser").await.unwrap()[0].text, "edited");
    assert_eq!(code(&sim, "openim/admin_msgwithdraw", recall(&key)).await, 0);
    assert_eq!(code(&sim, "openim/admin_msgwithdraw", recall(&key)).await, 20023);
    assert_eq!(code(&sim, "openim/admin_msgwithdraw", recall("1_2_3")).await, 20022);
    assert_eq!(code(&sim, "openim/admin_msgwithdraw", recall("nonsense")).await, 90054);
    eventually(|| !webhook.seen().is_empty()).await;
    let told = webhook.seen()[0].json();
    let expected = json!({"CallbackCommand": "C2C.CallbackAfterMsgWithDraw", "From_Account": "oUser",
                          "To_Account": "user1", "MsgKey": key, "UnreadMsgNum": 0});
    assert_eq!(told, expected);
    let history = json!({"Operator_Account": "user1", "Peer_Account": "oUser", "MaxCnt": 9, "MinTime": 0,
                         "MaxTime": 9_999_999_999_i64});
    assert_eq!(rest(&sim, "openim/admin_getroammsg", history).await["MsgList"][0]["MsgFlagBits"], 8);

    // A client has two minutes.
    let said = control.agent_say("user1", "oUser", "too fast").await.unwrap().unwrap();
    let withdraw = json!({"to": "oUser", "msg_key": said});
    let done = control.post("/sim/im/agents/user1/recall", withdraw.clone()).await.unwrap();
    assert_eq!(done["error_code"], 0);
    let late = control.agent_say("user1", "oUser", "too late").await.unwrap().unwrap();
    control.post("/sim/clock", json!({"advance_ms": 121_000})).await.unwrap();
    let done =
        control.post("/sim/im/agents/user1/recall", json!({"to": "oUser", "msg_key": late})).await.unwrap();
    assert_eq!(done["error_code"], 20016);
}

#[tokio::test]
async fn reading_is_told_by_whoever_reads() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = telling(&webhook, &["C2C.CallbackAfterMsgReport"]).await;
    rest(&sim, "openim/sendmsg", relay("one", 1, 5)).await;
    rest(&sim, "openim/sendmsg", relay("two", 2, 6)).await;
    let unread = async || {
        let ask = json!({"To_Account": "user1", "Peer_Account": ["oUser", "nobody"]});
        rest(&sim, "openim/get_c2c_unread_msg_num", ask).await
    };
    let before = unread().await;
    assert_eq!(before["C2CUnreadMsgNumList"], json!([{"Peer_Account": "oUser", "C2CUnreadMsgNum": 2}]));
    assert_eq!(before["ErrorList"], json!([{"Peer_Account": "nobody", "ErrorCode": 70107}]));
    control.post("/sim/im/agents/user1/read", json!({"peer": "oUser"})).await.unwrap();
    assert_eq!(unread().await["C2CUnreadMsgNumList"][0]["C2CUnreadMsgNum"], 0);
    // The customer's side is marked by the gateway, with the time as a number or a text.
    control.agent_say("user1", "oUser", "answer").await.unwrap().unwrap();
    for time in [json!(1), json!("9999999999")] {
        let mark = json!({"Report_Account": "oUser", "Peer_Account": "user1", "MsgReadTime": time});
        assert_eq!(code(&sim, "openim/admin_set_msg_read", mark).await, 0);
    }
    assert_eq!(
        code(&sim, "openim/admin_set_msg_read", json!({"Report_Account": "x", "Peer_Account": "user1"}))
            .await,
        90008
    );
    eventually(|| webhook.seen().len() == 4).await;
    let reports: Vec<Value> = webhook.seen().iter().map(Seen::json).collect();
    let of =
        |reader: &str| reports.iter().filter(|told| told["Report_Account"] == reader).collect::<Vec<_>>();
    assert_eq!(of("user1")[0]["UnreadMsgNum"], 0);
    let customer = of("oUser");
    assert!(customer.iter().any(|told| told["LastReadTime"] == 1 && told["UnreadMsgNum"] == 1));
    assert!(
        customer.iter().any(|told| told["LastReadTime"] == 9_999_999_999_i64 && told["UnreadMsgNum"] == 0)
    );
}

#[tokio::test]
async fn a_client_types_receives_and_may_skip_the_hooks() {
    let webhook = Webhook::im(0).await;
    let (sim, control) = im(&webhook, |_| ()).await;
    control.post("/sim/im/agents/user1/typing?wait=1", json!({"to": "oUser"})).await.unwrap();
    let typing = webhook.seen()[0].json();
    assert_eq!(typing["OnlineOnlyFlag"], 1);
    assert!(typing["MsgBody"][0]["MsgContent"]["Data"].as_str().unwrap().contains("user_typing_status"));
    let hidden = json!({"to": "oUser", "body": text_body("unseen by hooks"), "no_hooks": true});
    control.agent_send("user1", hidden).await.unwrap().unwrap();
    assert_eq!(webhook.seen().len(), 1);
    assert_eq!(control.chat("user1", "oUser").await.unwrap().last().unwrap().text, "unseen by hooks");

    let receive = async |after: u64, wait_ms: u64| {
        let url = format!("{}/sim/im/agents/user1/receive?after={after}&wait_ms={wait_ms}", sim.control_url);
        http().get(url).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let first = receive(0, 0).await;
    assert_eq!(first["messages"], json!([]));
    let next = first["next"].as_u64().unwrap();
    let (waited, _) = tokio::join!(receive(next, 5_000), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        rest(&sim, "openim/sendmsg", relay("knock", 3, 8)).await
    });
    assert_eq!(waited["messages"][0]["text"], "knock");
}

#[tokio::test]
async fn odd_webhooks_can_be_made() {
    let webhook = Webhook::im(0).await;
    let (_sim, control) = im(&webhook, |_| ()).await;
    let body = json!({"EventTime": "1670574414123"});
    for odd in [
        json!({"sdk_app_id": 1_400_000_002_u64}),
        json!({"sign": "00"}),
        json!({"request_time": 1_700_000_000}),
        json!({"platform": "IOS"}),
    ] {
        let mut ask = json!({"command": "State.StateChange", "body": body});
        ask.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        control.post("/sim/im/callback", ask).await.unwrap();
    }
    let seen = webhook.seen();
    assert_eq!(seen[0].parameter("SdkAppid"), "1400000002");
    assert_eq!(seen[1].parameter("Sign"), "00");
    assert_eq!(seen[2].parameter("RequestTime"), "1700000000");
    assert_eq!(seen[3].parameter("OptPlatform"), "IOS");
    assert_eq!(seen[3].json()["EventTime"], "1670574414123");
}

#[tokio::test]
async fn a_group_has_members_an_order_and_a_memory_of_five_minutes() {
    let webhook = Webhook::im(0).await;
    let on = ["Group.CallbackBeforeSendMsg", "Group.CallbackAfterSendMsg"];
    let (sim, control) = telling(&webhook, &on).await;
    let make = json!({"Type": "Private", "Name": "shop", "GroupId": "cs-1", "Owner_Account": "user1"});
    assert_eq!(rest(&sim, "group_open_http_svc/create_group", make.clone()).await["GroupId"], "cs-1");
    assert_eq!(code(&sim, "group_open_http_svc/create_group", make).await, 10025);
    let nameless = json!({"Type": "Private", "GroupId": "x"});
    assert_eq!(code(&sim, "group_open_http_svc/create_group", nameless).await, 10004);
    let add = json!({"GroupId": "cs-1", "MemberList": [{"Member_Account": "oUser"}, {"Member_Account": "user1"}, {"Member_Account": "nobody"}]});
    let added = rest(&sim, "group_open_http_svc/add_group_member", add).await;
    let results: Vec<_> =
        added["MemberList"].as_array().unwrap().iter().map(|m| m["Result"].clone()).collect();
    assert_eq!(results, [1, 2, 0]);
    let say = |random: u32, text: &str| json!({"GroupId": "cs-1", "Random": random, "From_Account": "oUser", "MsgBody": text_body(text)});
    let first = rest(&sim, "group_open_http_svc/send_group_msg", say(1, "hello")).await;
    assert_eq!(first["MsgSeq"], 1);
    let again = rest(&sim, "group_open_http_svc/send_group_msg", say(1, "hello")).await;
    assert_eq!((&again["MsgSeq"], &again["ErrorCode"]), (&json!(1), &json!(0)));
    eventually(|| webhook.seen().iter().any(|seen| seen.json()["CallbackCommand"] == on[1])).await;
    let after = webhook.seen().iter().map(Seen::json).find(|told| told["CallbackCommand"] == on[1]).unwrap();
    assert_eq!((&after["MsgSeq"], &after["Operator_Account"]), (&json!(1), &json!("administrator")));
    let outsider =
        json!({"GroupId": "cs-1", "Random": 2, "From_Account": "nobody", "MsgBody": text_body("x")});
    assert_eq!(code(&sim, "group_open_http_svc/send_group_msg", outsider).await, 10007);
    let nowhere = json!({"GroupId": "cs-2", "Random": 2, "MsgBody": text_body("x")});
    assert_eq!(code(&sim, "group_open_http_svc/send_group_msg", nowhere).await, 10010);
    control.post("/sim/clock", json!({"advance_ms": 300_000})).await.unwrap();
    let later = rest(&sim, "group_open_http_svc/send_group_msg", say(1, "hello")).await;
    assert_eq!(later["MsgSeq"], 2, "five minutes later the same Random is another message");
    // Quick enough for a second: one client, no webhooks.
    control.configure(json!({"callback_commands": []})).await.unwrap();
    let (client, url) =
        (http(), format!("{}/v4/group_open_http_svc/send_group_msg?{}", sim.im_url, im_query(&sim)));
    let mut dropped = 0;
    for random in 10..150 {
        let answer: Value =
            client.post(&url).json(&say(random, "flood")).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["ErrorCode"], 0);
        dropped += usize::from(answer["MsgDropReason"] == "MsgFreqCtrl");
    }
    assert!(dropped > 0, "40 a second, and ErrorCode 0 for the rest");
    let shown = http().get(format!("{}/sim/im/groups/cs-1", sim.control_url)).send().await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2 + 140 - dropped);
    assert_eq!(
        try_rest(&sim, "group_open_http_svc/create_group", "{".into())
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()["ErrorCode"],
        10011
    );
}
