//! By which key a repeat is recognised.

use wechat::Push;

fn message(from: &str, id: &str, content: &str) -> (Push, String) {
    let document = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>{from}</FromUserName><CreateTime>1760000000</CreateTime>\
        <MsgType>text</MsgType><Content>{content}</Content><MsgId>{id}</MsgId></xml>"
    );
    (Push::parse(document.as_bytes()).unwrap(), document)
}

fn event(time: &str, name: &str, rest: &str) -> String {
    let document = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>oU</FromUserName>{time}<MsgType>event</MsgType>\
        <Event>{name}</Event>{rest}</xml>"
    );
    Push::parse(document.as_bytes()).unwrap().dedup_key("shop", document.as_bytes())
}

const TIME: &str = "<CreateTime>1760000000</CreateTime>";

#[test]
fn f04_the_same_msgid_of_two_customers_is_two_messages() {
    let (a, document_a) = message("oA", "25033203329280739", "x");
    let (b, document_b) = message("oB", "25033203329280739", "x");
    assert_eq!(a.dedup_key("shop", document_a.as_bytes()), "m:00025033203329280739:shop:oA");
    assert_eq!(b.dedup_key("shop", document_b.as_bytes()), "m:00025033203329280739:shop:oB");
    assert_ne!(a.dedup_key("shop", b""), a.dedup_key("other", b""));
}

#[test]
fn f02_a_repeat_has_the_same_key_whatever_its_bytes() {
    let (a, document) = message("oA", "25033203329280739", "x");
    let again = document.replace("<Content>", "\n<Content>");
    let b = Push::parse(again.as_bytes()).unwrap();
    assert_eq!(a.dedup_key("shop", document.as_bytes()), b.dedup_key("shop", again.as_bytes()));
}

#[test]
fn f05_events_of_one_second_are_told_apart() {
    let keys = [
        event(TIME, "CLICK", "<EventKey>A</EventKey>"),
        event(TIME, "CLICK", "<EventKey>B</EventKey>"),
        event(TIME, "VIEW", "<EventKey>A</EventKey>"),
        event(TIME, "LOCATION", "<Latitude>1</Latitude>"),
        event("<CreateTime>1760000005</CreateTime>", "LOCATION", "<Latitude>1</Latitude>"),
        event(TIME, "SCAN", "<EventKey>A</EventKey><Ticket>1</Ticket>"),
        event(TIME, "SCAN", "<EventKey>A</EventKey><Ticket>2</Ticket>"),
        event(TIME, "TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID>"),
        event(TIME, "TEMPLATESENDJOBFINISH", "<MsgID>2</MsgID>"),
        event(TIME, "user_get_card", "<CardId>1</CardId>"),
        event(TIME, "user_get_card", "<CardId>2</CardId>"),
        event(
            TIME,
            "subscribe_msg_sent_event",
            "<SubscribeMsgSentEvent><List><MsgID>1</MsgID></List></SubscribeMsgSentEvent>",
        ),
        event(
            TIME,
            "subscribe_msg_sent_event",
            "<SubscribeMsgSentEvent><List><MsgID>2</MsgID></List></SubscribeMsgSentEvent>",
        ),
    ];
    for (n, key) in keys.iter().enumerate() {
        assert!(key.starts_with("e:00176000000"), "{key}");
        assert_eq!(key.len(), 2 + 12 + 1 + 32);
        assert!(!keys[..n].contains(key), "{n}");
    }
}

#[test]
fn f13_the_case_of_an_event_name_does_not_make_it_another_event() {
    assert_eq!(
        event(TIME, "CLICK", "<EventKey>A</EventKey>"),
        event(TIME, "click", "<EventKey>A</EventKey>")
    );
    assert_eq!(event(TIME, "User_Get_Card", "<A>1</A>"), event(TIME, "user_get_card", "<A>1</A>"));
    // Milliseconds are the same second.
    let millis = "<CreateTime>1760000000123</CreateTime>";
    assert_eq!(event(TIME, "CLICK", ""), event(millis, "CLICK", ""));
}

#[test]
fn f11_without_id_or_time_the_document_is_the_key() {
    for time in ["", "<CreateTime>soon</CreateTime>", "<CreateTime/>", "<CreateTime>0</CreateTime>"] {
        let (a, b) =
            (event(time, "CLICK", "<EventKey>A</EventKey>"), event(time, "CLICK", "<EventKey>B</EventKey>"));
        assert!(a.starts_with("h:") && a.len() == 66, "{a}");
        assert_ne!(a, b);
        assert_eq!(a, event(time, "CLICK", "<EventKey>A</EventKey>"));
    }
    for id in ["", "0", "abc", "-5", "99999999999999999999"] {
        let (a, document) = message("oA", id, "x");
        let key = a.dedup_key("shop", document.as_bytes());
        assert!(key.starts_with("h:"), "{id} {key}");
        assert_ne!(key, a.dedup_key("other", document.as_bytes()));
    }
}

#[test]
fn a_monstrous_sender_does_not_make_a_monstrous_key() {
    let (a, _) = message(&"o".repeat(5000), "25033203329280739", "x");
    assert!(a.dedup_key("shop", b"").len() < 120);
    let (b, _) = message("o\u{4f60} x", "25033203329280739", "x");
    assert!(b.dedup_key("shop", b"").is_ascii());
}
