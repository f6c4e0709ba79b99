//! What webhooks say. Whoever is let in is a value, whatever it sends.

use im::{AfterSend, Credentials, Element, HistoryMessage, Opened, UnreadableReason, Webhook, open};
use serde_json::{Value, json};

const APP: u64 = 1_400_000_000;
const NOW: i64 = 1_669_872_112;

/// Opens a body without a token, with a command in the query.
fn opened(command: &str, body: impl AsRef<[u8]>) -> Opened {
    let query = format!("SdkAppid={APP}&CallbackCommand={command}&OptPlatform=Web");
    let unsigned = Credentials { sdk_app_id: APP, tokens: Vec::new(), window_s: 60 };
    open(&unsigned, &query, body.as_ref(), NOW).expect("no token is needed")
}

fn after() -> Value {
    json!({
        "CallbackCommand": "C2C.CallbackAfterSendMsg", "From_Account": "agent_007", "To_Account": "wx_u1",
        "MsgSeq": 48374, "MsgRandom": 2_837_546, "MsgTime": 1_700_000_200, "MsgKey": "48374_2837546_1700000200",
        "OnlineOnlyFlag": 0, "SendMsgResult": 0, "ErrorInfo": "send msg succeed", "UnreadMsgNum": 3,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "您好"}}],
    })
}

fn after_send(body: impl AsRef<[u8]>) -> AfterSend {
    match opened("", body).webhook {
        Webhook::AfterSendMsg(after) => after,
        other => panic!("not an AfterSendMsg: {other:?}"),
    }
}

#[test]
fn the_command_is_the_bodys_or_else_the_querys() {
    let mut body = after();
    let opened_as = |command: &str, body: &Value| opened(command, body.to_string());
    let both = opened_as("State.StateChange", &body);
    assert_eq!(both.command, "C2C.CallbackAfterSendMsg");
    assert!(matches!(both.webhook, Webhook::AfterSendMsg(_)));
    for missing in [Value::Null, json!(""), json!(7)] {
        body["CallbackCommand"] = missing;
        let from_query = opened_as("C2C.CallbackAfterSendMsg", &body);
        assert!(matches!(from_query.webhook, Webhook::AfterSendMsg(_)), "{body}");
        assert!(matches!(opened_as("", &body).webhook, Webhook::Unknown { .. }), "{body}");
    }
}

#[test]
fn f48_bodies_that_are_empty_or_no_json_are_unreadable() {
    for (body, expected) in [
        (&b""[..], UnreadableReason::Empty),
        (b" \r\n\t", UnreadableReason::Empty),
        (b"\xEF\xBB\xBF", UnreadableReason::Empty),
        (b"<xml></xml>", UnreadableReason::Json),
        (b"{", UnreadableReason::Json),
        (b"{\"CallbackCommand\":\"C2C.Call", UnreadableReason::Json),
        (b"{} {}", UnreadableReason::Json),
        (b"\x00", UnreadableReason::Json),
        (b"\xFF\xFE", UnreadableReason::Json),
        (b"{\"a\":1e999}", UnreadableReason::Json),
        (b"null", UnreadableReason::NotObject),
        (b"[]", UnreadableReason::NotObject),
        (b"\"text\"", UnreadableReason::NotObject),
    ] {
        let opened = opened("C2C.CallbackAfterSendMsg", body);
        assert_eq!(opened.command, "C2C.CallbackAfterSendMsg");
        match opened.webhook {
            Webhook::Unreadable { command, reason } => {
                assert_eq!((command.as_str(), reason), ("C2C.CallbackAfterSendMsg", expected));
            }
            other => panic!("{body:?} is {other:?}"),
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(opened("", deep).webhook, Webhook::Unreadable { .. }));
}

#[test]
fn f48_a_known_command_without_its_fields_is_unreadable() {
    for field in ["From_Account", "To_Account", "MsgSeq", "MsgRandom", "MsgTime", "MsgKey"] {
        for wrong in [None, Some(Value::Null), Some(json!({"a": 1}))] {
            let mut body = after();
            match wrong {
                Some(wrong) => body[field] = wrong,
                None => drop(body.as_object_mut().expect("an object").remove(field)),
            }
            let webhook = opened("", body.to_string()).webhook;
            let reason = UnreadableReason::Fields;
            assert_eq!(
                webhook,
                Webhook::Unreadable { command: "C2C.CallbackAfterSendMsg".to_owned(), reason },
                "{body}"
            );
        }
    }
    for out_of_range in [json!(4_294_967_296_u64), json!(-1), json!("x")] {
        let mut body = after();
        body["MsgSeq"] = out_of_range;
        assert!(matches!(opened("", body.to_string()).webhook, Webhook::Unreadable { .. }));
    }
}

#[test]
fn f48_unknown_commands_are_kept_whole() {
    let body = json!({"CallbackCommand": "Bot.OnC2CMessage", "x": [1, {"y": null}]});
    let Webhook::Unknown { command, body: kept } = opened("", body.to_string()).webhook else {
        panic!("not unknown")
    };
    assert_eq!((command.as_str(), kept), ("Bot.OnC2CMessage", body));
    assert!(matches!(opened("", "{}").webhook, Webhook::Unknown { command, .. } if command.is_empty()));
}

/// Nobody's message hangs on these, so whatever they hold is kept, and none is an alarm.
#[test]
fn f48_webhooks_beside_the_chats_are_kept_whole_when_their_fields_are_not_as_documented() {
    for command in im::command::ALL
        .iter()
        .filter(|name| !name.starts_with("C2C.Callback") && !name.starts_with("State."))
    {
        for body in [
            json!({"CallbackCommand": command}),
            json!({"CallbackCommand": command, "GroupId": 7, "From_Account": null, "Random": "x"}),
            json!({"CallbackCommand": command, "GroupId": "g", "From_Account": "a", "Random": 1, "MsgBody": "no array"}),
        ] {
            let webhook = opened("", body.to_string()).webhook;
            let (kept, sent) = (webhook.to_value(), body.as_object().expect("an object"));
            assert!(sent.iter().all(|(name, value)| kept[name] == *value), "{body}");
            assert!(!matches!(webhook, Webhook::Unreadable { .. }), "{body}");
        }
    }
}

#[test]
fn a_group_message_is_told_apart_by_its_number_and_other_webhooks_by_their_bytes() {
    let group = |seq: u64, info: &str| {
        let body = json!({"CallbackCommand": "Group.CallbackAfterSendMsg", "GroupId": "g", "Type": "Work", "From_Account": "a",
            "Random": 1, "MsgSeq": seq, "MsgTime": 1_700_000_500, "MsgBody": [], "EventTime": info});
        opened("", body.to_string()).webhook.dedup_key(1, body.to_string().as_bytes())
    };
    assert_eq!(group(12, "1700000500123"), group(12, "1700000500999"), "a repetition, whatever its bytes");
    assert_ne!(group(12, "1700000500123"), group(13, "1700000500123"));
    let set = |nick: &str| {
        let body = json!({"CallbackCommand": "Profile.CallbackPortraitSet", "From_Account": "a", "EventTime": 1_700_000_500_123_i64,
            "ProfileItem": [{"Tag": "Tag_Profile_IM_Nick", "Value": nick}]});
        opened("", body.to_string()).webhook.dedup_key(1, body.to_string().as_bytes())
    };
    assert_eq!(set("x"), set("x"));
    assert_ne!(set("x"), set("y"));
}

#[test]
fn f48_unknown_elements_are_kept_whole_beside_known_ones() {
    let items = json!([
        {"MsgType": "TIMFutureElem", "MsgContent": {"A": [1, 2.5, "3"]}},
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}},
        {"MsgType": "TIMTextElem"},
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": "还在", "Lang": "zh"}},
    ]);
    let mut body = after();
    body["MsgBody"] = items.clone();
    let read = after_send(body.to_string()).message;
    let types: Vec<_> = read.body.iter().map(Element::msg_type).collect();
    assert_eq!(types, ["TIMFutureElem", "TIMTextElem", "TIMTextElem", "TIMTextElem"]);
    assert!(read.body[..3].iter().all(|element| matches!(element, Element::Unknown { .. })));
    assert!(matches!(&read.body[3], Element::Text { text, .. } if text == "还在"));
    assert_eq!(serde_json::to_value(&read.body).expect("elements can be written"), items);

    body["MsgBody"] = json!([7, null, "text", {"Text": "x"}]);
    let read = after_send(body.to_string()).message;
    let content = |at: usize| match &read.body[at] {
        Element::Unknown { msg_type, content } if msg_type.is_empty() => content.clone(),
        other => panic!("{other:?}"),
    };
    let kept: Vec<_> = (0..4).map(content).collect();
    assert_eq!(json!(kept), body["MsgBody"]);
}

#[test]
fn f48_characters_that_nobody_can_show_cost_no_message() {
    let with_text = |text: &str| {
        let body = after().to_string().replace("您好", text);
        match after_send(body).message.body.swap_remove(0) {
            Element::Text { text, .. } => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with_text(r"a\u0000b"), "ab");
    assert_eq!(with_text(r"a\ud800b"), "a\u{FFFD}b");
    assert_eq!(with_text(r"a\udc00\ud800"), "a\u{FFFD}\u{FFFD}");
    assert_eq!(with_text(r"\ud83d\ude00"), "😀");
    assert_eq!(with_text(r"\ud83d\ud83d\ude00"), "\u{FFFD}😀");
    assert_eq!(with_text(r"a\\ud800"), r"a\ud800");
    assert_eq!(with_text("a\nb\tc\u{1}d\0e"), "a\nb\tcde");
    assert_eq!(with_text(r"a\u0001b"), "a\u{1}b", "legal, and stickers use it");

    let mut raw = after().to_string().replace("您好", "a?b").into_bytes();
    let at = raw.windows(3).position(|three| three == b"a?b").expect("the text is there");
    raw[at + 1] = 0xFF;
    assert_eq!(after_send(&raw).message.body, [Element::text("a\u{FFFD}b")]);
    let with_mark = [b"\xEF\xBB\xBF", after().to_string().as_bytes()].concat();
    assert_eq!(after_send(with_mark).message.body, [Element::text("您好")]);
    let key_with_nul = after().to_string().replace("\"MsgKey\"", "\"Msg\\u0000Key\"");
    assert_eq!(after_send(key_with_nul).message.msg_key, "48374_2837546_1700000200");
}

#[test]
fn f49_the_result_of_sending_is_kept() {
    let mut body = after();
    body["SendMsgResult"] = json!(80001);
    body["ErrorInfo"] = json!("blocked");
    body["UnreadMsgNum"] = json!(-1);
    let failed = after_send(body.to_string());
    assert_eq!(failed.send_msg_result, 80001);
    assert_eq!((failed.error_info.as_str(), failed.unread), ("blocked", Some(-1)));
    assert_eq!(after_send(after().to_string()).send_msg_result, 0);
    body["SendMsgResult"] = json!("80001");
    assert_eq!(after_send(body.to_string()).send_msg_result, 80001);
    body["SendMsgResult"] = json!("?");
    assert!(matches!(opened("", body.to_string()).webhook, Webhook::Unreadable { .. }), "never taken for 0");
}

#[test]
fn numbers_may_be_strings_and_optional_fields_missing() {
    let mut body = after();
    for (field, text) in [
        ("MsgSeq", "48374"),
        ("MsgRandom", "4294967295"),
        ("MsgTime", "1700000200"),
        ("OnlineOnlyFlag", "1"),
        ("EventTime", "1670574414123"),
        ("UnreadMsgNum", "-1"),
    ] {
        body[field] = json!(text);
    }
    let read = after_send(body.to_string());
    let message = &read.message;
    assert_eq!((message.msg_seq, message.msg_random, message.msg_time), (48374, u32::MAX, 1_700_000_200));
    assert!(message.online_only);
    assert_eq!((message.event_time, read.unread), (Some(1_670_574_414_123), Some(-1)));
    assert_eq!(message.cloud_custom_data, None);

    for (given, expected) in
        [(json!(null), None), (json!("x"), Some("x")), (json!({"a":1}), Some("{\"a\":1}"))]
    {
        body["CloudCustomData"] = given;
        assert_eq!(after_send(body.to_string()).message.cloud_custom_data.as_deref(), expected);
    }
    for field in ["OnlineOnlyFlag", "EventTime", "UnreadMsgNum", "ErrorInfo", "SendMsgResult", "MsgBody"] {
        body.as_object_mut().expect("an object").remove(field);
    }
    let read = after_send(body.to_string());
    assert!(read.message.body.is_empty() && !read.message.online_only);
    assert_eq!((read.send_msg_result, read.unread, read.message.event_time), (0, None, None));
}

#[test]
fn repetitions_have_the_same_dedup_key_and_others_another() {
    let key = |body: &Value| opened("", body.to_string()).webhook.dedup_key(APP, body.to_string().as_bytes());
    let original = key(&after());
    assert!(original.starts_with("001700000200:"), "{original}");
    assert_eq!(original.len(), 12 + 1 + 32);
    let with = |field: &str, value: Value| {
        let mut body = after();
        body[field] = value;
        key(&body)
    };
    // The unread count may change from one repetition to the next.
    assert_eq!(with("UnreadMsgNum", json!(9)), original);
    assert_eq!(with("MsgTime", json!("1700000200")), original);
    for (field, value) in [
        ("From_Account", json!("agent_008")),
        ("To_Account", json!("wx_u2")),
        ("MsgKey", json!("1_1_1")),
        ("MsgTime", json!(1_700_000_201)),
        ("CallbackCommand", json!("C2C.CallbackBeforeSendMsg")),
        ("CallbackCommand", json!("C2C.CallbackAfterMsgWithDraw")),
    ] {
        assert_ne!(with(field, value), original, "{field}");
    }
    assert_ne!(opened("", after().to_string()).webhook.dedup_key(1, b""), original);
    // "a" + "bc" and "ab" + "c" are not the same.
    let mut shifted = after();
    shifted["From_Account"] = json!("agent_007w");
    shifted["To_Account"] = json!("x_u1");
    assert_ne!(key(&shifted), original);

    let report = json!({"CallbackCommand": "C2C.CallbackAfterMsgReport", "Report_Account": "a",
        "Peer_Account": "b", "LastReadTime": 1_700_000_300});
    assert!(key(&report).starts_with("001700000300:"));
    let change = json!({"CallbackCommand": "State.StateChange", "EventTime": "1700000400123",
        "Info": {"Action": "Login", "To_Account": "a"}});
    assert!(key(&change).starts_with("001700000400:"));
    for raw in ["", "{}", "{", r#"{"CallbackCommand":"x"}"#] {
        let webhook = opened("", raw).webhook;
        let key = webhook.dedup_key(APP, raw.as_bytes());
        assert!(key.starts_with("h:") && key.len() == 66, "{key}");
        assert_ne!(key, webhook.dedup_key(APP, b"other"));
        assert_ne!(key, webhook.dedup_key(1, raw.as_bytes()));
    }
}

#[test]
fn a_message_in_the_history_has_the_key_of_its_webhook() {
    let body = after();
    let mut entry = body.clone();
    entry["MsgTimeStamp"] = entry["MsgTime"].take();
    entry.as_object_mut().expect("an object").remove("MsgTime");
    let message: HistoryMessage = serde_json::from_value(entry).expect("an entry of the history");
    let webhook = opened("", body.to_string()).webhook;
    assert_eq!(message.dedup_key(APP), webhook.dedup_key(APP, b""));
}
