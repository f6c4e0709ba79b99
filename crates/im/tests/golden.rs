//! The golden documents in `golden/`: each is read into its type and written again without a difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its documents has failed")]

use std::path::{Path, PathBuf};

use im::{Answer, BatchMsg, Element, HistoryQuery, ImportMsg, SendMsg, Webhook, command, wire};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn golden(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut paths: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn rest(name: &str) -> String {
    golden("rest").into_iter().find(|(file, _)| file == name).unwrap().1
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn round_trip<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let json = rest(name);
    let typed: T = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), value(&json), "{name}");
    typed
}

#[test]
fn every_element_is_typed_and_written_as_it_was_read() {
    let all = golden("elements");
    for (name, json) in &all {
        let element: Element = serde_json::from_str(json).unwrap();
        assert!(!matches!(element, Element::Unknown { .. }), "{name}");
        assert_eq!(serde_json::to_value(&element).unwrap(), value(json), "{name}");
        assert_eq!(element.msg_type(), value(json)["MsgType"], "{name}");
    }
    let mut types: Vec<_> = all.iter().map(|(_, json)| value(json)["MsgType"].to_string()).collect();
    types.sort();
    types.dedup();
    assert_eq!(types.len(), 9, "one document at least for each type of the reference");
}

#[test]
fn every_webhook_is_written_as_it_was_read() {
    for (name, json) in golden("webhooks") {
        let webhook = Webhook::parse("", json.as_bytes());
        assert!(!matches!(webhook, Webhook::Unreadable { .. }), "{name}");
        assert_eq!(matches!(webhook, Webhook::Unknown { .. }), name.starts_with("unknown-"), "{name}");
        assert_eq!(webhook.to_value(), value(&json), "{name}");
        assert_eq!(webhook.command(), value(&json)["CallbackCommand"], "{name}");
    }
}

#[test]
fn after_send_msg_says_what_the_reference_says() {
    let (_, json) = golden("webhooks").into_iter().find(|(name, _)| name == "after-send-msg.json").unwrap();
    let Webhook::AfterSendMsg(after) = Webhook::parse("", json.as_bytes()) else { panic!("not typed") };
    let message = &after.message;
    assert_eq!((message.from.as_str(), message.to.as_str()), ("agent_007", "wx_u1"));
    assert_eq!((message.msg_seq, message.msg_random, message.msg_time), (48374, 2_837_546, 1_700_000_200));
    assert_eq!(message.msg_key, "48374_2837546_1700000200");
    assert!(!message.online_only);
    assert_eq!(message.cloud_custom_data.as_deref(), Some(""));
    assert_eq!(message.body, [Element::text("您好，今天发货")]);
    assert_eq!((after.send_msg_result, after.unread), (0, Some(3)));
    assert!(message.other.is_empty());
}

#[test]
fn rest_calls_are_written_as_they_were_read() {
    round_trip::<wire::AccountImportRequest>("account-import.request.json");
    round_trip::<wire::Envelope>("account-import.answer.json");
    round_trip::<wire::AccountDeleteRequest>("account-delete.request.json");
    round_trip::<wire::AccountDeleteAnswer>("account-delete.answer.json");
    round_trip::<wire::SendMsgAnswer>("sendmsg.answer.json");
    round_trip::<wire::Envelope>("sendmsg.refused.json");
    round_trip::<HistoryQuery>("admin-getroammsg.request.json");
    round_trip::<wire::AccountsImportRequest>("multiaccount-import.request.json");
    round_trip::<wire::AccountsImportAnswer>("multiaccount-import.answer.json");
    round_trip::<wire::AccountCheckRequest>("account-check.request.json");
    round_trip::<wire::AccountCheckAnswer>("account-check.answer.json");
    round_trip::<wire::DeleteItem>("kick.request.json");
    round_trip::<wire::OnlineStatusRequest>("query-online-status.request.json");
    round_trip::<wire::OnlineStatusAnswer>("query-online-status.answer.json");
    round_trip::<wire::PortraitSetRequest>("portrait-set.request.json");
    round_trip::<wire::PortraitGetRequest>("portrait-get.request.json");
    round_trip::<wire::PortraitGetAnswer>("portrait-get.answer.json");
    round_trip::<wire::WithdrawRequest>("admin-msgwithdraw.request.json");
    round_trip::<wire::SetReadRequest>("admin-set-msg-read.request.json");
    round_trip::<wire::UnreadRequest>("get-c2c-unread-msg-num.request.json");
    round_trip::<wire::UnreadAnswer>("get-c2c-unread-msg-num.answer.json");
    round_trip::<BatchMsg>("batchsendmsg.request.json");
    round_trip::<wire::BatchSendAnswer>("batchsendmsg.answer.json");
    round_trip::<ImportMsg>("importmsg.request.json");
    round_trip::<wire::ModifyRequest>("modify-c2c-msg.request.json");
    round_trip::<wire::IpListAnswer>("get-ip-list.answer.json");
    let page: wire::HistoryAnswer = round_trip("admin-getroammsg.answer.json");
    assert!(page.messages[1].is_recalled() && page.messages[1].is_peer_read);
    assert!(!page.messages[0].is_recalled() && !page.messages[0].is_peer_read);
}

#[test]
fn f54_sendmsg_is_the_documented_request_without_msg_life_time() {
    let read: SendMsg = round_trip("sendmsg.request.json");
    let body = vec![Element::text("你好，订单什么时候发货？")];
    let made = SendMsg::new("wx_u1", "agent_007", 1042, 3_482_119_077, body)
        .with_cloud_custom_data(r#"{"gw":1,"mid":"01JABC"}"#);
    assert_eq!(made, read);
    assert_eq!(serde_json::to_value(&made).unwrap().get("MsgLifeTime"), None);
}

#[test]
fn every_field_of_sendmsg_is_typed() {
    let read: SendMsg = round_trip("sendmsg-all-fields.request.json");
    assert!(read.other.is_empty(), "{:?}", read.other);
    assert!(read.online_only && read.support_message_extension && read.need_read_receipt);
    assert_eq!(
        read.send_msg_control,
        [im::NO_UNREAD, im::NO_LAST_MSG, im::WITH_MUTE_NOTIFICATIONS, im::NO_MSG_CHECK]
    );
    let push = read.offline_push.expect("it is in the document");
    let (android, apns) = (push.android.expect("Android"), push.apns.expect("Apple"));
    assert!(push.other.is_empty() && android.other.is_empty() && apns.other.is_empty());
    assert_eq!(
        (push.push_flag, android.vivo_classification, apns.mutable_content),
        (Some(0), Some(1), Some(1))
    );
}

#[test]
fn every_command_of_the_reference_is_named_once_and_every_typed_one_has_a_document() {
    let names: std::collections::BTreeSet<&str> = command::ALL.iter().copied().collect();
    assert_eq!((names.len(), command::ALL.len()), (35, 35));
    let documents: Vec<String> = golden("webhooks").into_iter().map(|(_, json)| json).collect();
    let have = |name: &str| documents.iter().any(|json| value(json)["CallbackCommand"] == name);
    for name in command::ALL {
        // Without its fields a typed command is unreadable or kept whole; one that is only named is kept whole.
        let whole =
            Webhook::parse("", &serde_json::to_vec(&serde_json::json!({"CallbackCommand": name})).unwrap());
        assert_eq!(whole.command(), *name);
    }
    for name in [
        command::BEFORE_SEND_MSG,
        command::AFTER_SEND_MSG,
        command::AFTER_MSG_REPORT,
        command::AFTER_MSG_WITHDRAW,
        command::AFTER_C2C_MSG_EXTENSION,
        command::STATE_CHANGE,
        command::GROUP_BEFORE_SEND_MSG,
        command::GROUP_AFTER_SEND_MSG,
        command::GROUP_SEND_MSG_EXCEPTION,
        command::GROUP_AFTER_RECALL_MSG,
        command::PORTRAIT_SET,
        command::REQUEST_OVER_LIMIT,
    ] {
        assert!(have(name), "{name}");
    }
}

#[test]
fn answers_to_webhooks() {
    assert_eq!(round_trip::<Answer>("callback-ok.json"), Answer::ok());
    let refusal = Answer::refuse(120_048, "客户已超过48小时未互动，无法发送");
    assert_eq!(round_trip::<Answer>("callback-refuse.json"), refusal);
    let rewritten: Answer = round_trip("callback-rewrite.json");
    assert_eq!(rewritten.msg_body, Some(vec![Element::text("(已脱敏)")]));
    assert_eq!(value(&Answer::ok().to_json()), value(&rest("callback-ok.json")));
}

#[test]
fn older_field_names_are_read() {
    let import: wire::AccountImportRequest = serde_json::from_str(r#"{"Identifier":"wx_u1"}"#).unwrap();
    assert_eq!(import.user_id, "wx_u1");
    let old = r#"{"From_Account":"a","To_Account":"b","MaxCnt":"10","MinTime":1,"MaxTime":2}"#;
    let query: HistoryQuery = serde_json::from_str(old).unwrap();
    assert_eq!((query.operator.as_str(), query.peer.as_str(), query.max_count), ("a", "b", 10));
}
