//! Hostile and odd documents: their cost is bounded, and what is tolerated gives the same value.

use std::time::{Duration, Instant};

use wechat::{Event, MessageKind, ParseError, Push, PushBody};

use crate::vectors::text_of;

/// A text message with `rest` behind its four header elements.
fn xml(rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh]]></ToUserName><FromUserName><![CDATA[oU]]></FromUserName>\
        <CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType>{rest}</xml>"
    )
}

fn json(rest: &str) -> String {
    format!(r#"{{"ToUserName":"gh","FromUserName":"oU","CreateTime":1760000000,"MsgType":"text",{rest}}}"#)
}

fn parse(document: &str) -> Push {
    Push::parse(document.as_bytes()).unwrap_or_else(|error| panic!("{error}: {document:.200}"))
}

fn refuse(document: &str) -> ParseError {
    let start = Instant::now();
    let error = Push::parse(document.as_bytes()).unwrap_err();
    // A debug build on a busy machine: far above what is linear, far below what is quadratic.
    assert!(start.elapsed() < Duration::from_secs(3), "{:?} for {error}", start.elapsed());
    error
}

fn msg_id(push: &Push) -> Option<u64> {
    match &push.body {
        PushBody::Message(message) => message.msg_id,
        PushBody::Event(_) => None,
    }
}

#[test]
fn f09_doctype_entities_and_bombs_are_refused() {
    let lol = r#"<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"#;
    assert_eq!(refuse(&format!("{lol}{}", xml("<Content>&b;</Content>"))), ParseError::Doctype);
    let file = r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>"#;
    assert_eq!(refuse(&format!("{file}{}", xml("<Content>&f;</Content>"))), ParseError::Doctype);
    assert_eq!(refuse(&format!("<!DOCTYPE xml>{}", xml(""))), ParseError::Doctype);
    assert!(matches!(refuse(&xml("<Content>&undefined;</Content>")), ParseError::Xml { .. }));
    assert!(matches!(refuse(&xml("<Content>a & b</Content>")), ParseError::Xml { .. }));
}

#[test]
fn f09_nesting_is_bounded() {
    for depth in [5_000, 50_000] {
        let deep = format!("{}x{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(refuse(&xml(&deep)), ParseError::TooLarge);
        assert_eq!(refuse(&"<a>".repeat(depth)), ParseError::TooLarge);
        let deep = format!(r#""a":{}1{}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert_eq!(refuse(&json(&deep)), ParseError::TooLarge);
        assert_eq!(
            refuse(&json(&format!(r#""a":{}{}"#, "[".repeat(depth), "]".repeat(depth)))),
            ParseError::TooLarge
        );
    }
    // 32 levels, the root being the first, are the last that pass.
    let nested = |depth: usize| xml(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    parse(&nested(31));
    assert_eq!(refuse(&nested(32)), ParseError::TooLarge);
    let nested = |depth: usize| json(&format!(r#""a":{}1{}"#, "[".repeat(depth), "]".repeat(depth)));
    parse(&nested(31));
    assert_eq!(refuse(&nested(32)), ParseError::TooLarge);
}

#[test]
fn f09_elements_and_attributes_are_bounded() {
    parse(&xml(&"<a/>".repeat(1_990)));
    assert_eq!(refuse(&xml(&"<a/>".repeat(2_000))), ParseError::TooLarge);
    assert_eq!(refuse(&xml(&"<a/>".repeat(200_000))), ParseError::TooLarge);
    assert_eq!(refuse(&json(&format!(r#""a":[{}1]"#, "1,".repeat(200_000)))), ParseError::TooLarge);
    let many: String = (0..50_000).map(|n| format!(" a{n}='{n}'")).collect();
    assert_eq!(refuse(&xml(&format!("<a{many}/>"))), ParseError::TooLarge);
    let spaces: String = (0..30_000).map(|n| format!(" xmlns:a{n}='u{n}'")).collect();
    assert_eq!(refuse(&xml(&format!("<a{spaces}/>"))), ParseError::TooLarge);
    parse(&xml("<a b='1>' c=\"2'\"/>"));
}

/// How long this thread has had a processor, so that a busy machine does not count. By the clock where that is not told.
fn worked(start: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split_whitespace().next()?.parse().ok()).filter(|nanos| *nanos > 0);
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

#[test]
fn f09_a_long_document_costs_no_more_than_its_length() {
    let start = Instant::now();
    let before = worked(start);
    parse(&xml(&format!("<Content>{}</Content>", "<![CDATA[a]]>".repeat(70_000))));
    parse(&xml(&format!("<Content>{}</Content>", "&#65;".repeat(200_000))));
    parse(&xml(&format!("<Content>{}</Content>", "&#1;".repeat(200_000))));
    parse(&xml(&format!("<Content><![CDATA[{}]]></Content>", "\u{1}".repeat(900_000))));
    parse(&xml(&format!("<Content>{}</Content>", "<!-- -->".repeat(100_000))));
    parse(&json(&format!(r#""Content":"{}""#, r"\ud800".repeat(150_000))));
    let spent = worked(start) - before;
    assert!(spent < Duration::from_secs(10), "{spent:?}");
}

#[test]
fn f10_empty_truncated_or_another_root_is_an_error() {
    let whole = xml("<Content><![CDATA[hi]]></Content><MsgId>1</MsgId>");
    for end in 0..whole.len() {
        refuse(&whole[..end]);
    }
    let whole = json(r#""Content":"hi","MsgId":1"#);
    for end in 0..whole.len() {
        refuse(&whole[..end]);
    }
    assert_eq!(refuse(&xml("").replace("xml>", "XML>")), ParseError::Root);
    assert_eq!(refuse("<html><xml></xml></html>"), ParseError::Root);
    assert_eq!(refuse(&xml("").replace("<xml>", "<x:xml>")), ParseError::Xml { row: 1, column: 2 });
    assert_eq!(refuse(&xml("").replace("MsgType", "Type")), ParseError::Missing("MsgType"));
    assert_eq!(refuse(&xml("").replace("[oU]", "[ ]")), ParseError::Missing("FromUserName"));
    assert_eq!(refuse(r#"{"FromUserName":"o","MsgType":null}"#), ParseError::Missing("MsgType"));
    assert_eq!(refuse(r#"{"FromUserName":"o","MsgType":{"a":1}}"#), ParseError::Missing("MsgType"));
}

#[test]
fn f11_create_time_in_seconds_milliseconds_or_not_at_all() {
    for (given, expected) in [
        ("1760000000", Some(1_760_000_000_000)),
        (" 1760000000\n", Some(1_760_000_000_000)),
        ("<![CDATA[1760000000]]>", Some(1_760_000_000_000)),
        ("1760000000123", Some(1_760_000_000_123)),
        ("99999999999", Some(99_999_999_999_000)),
        ("100000000000", Some(100_000_000_000)),
        ("", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("1.76e9", None),
        ("9223372036854775807", None),
        ("99999999999999999999999", None),
    ] {
        let document = xml("").replace("1760000000", given);
        assert_eq!(parse(&document).create_time, expected, "{given}");
    }
    for (given, expected) in [
        ("1760000000", Some(1_760_000_000_000)),
        ("\"1760000000\"", Some(1_760_000_000_000)),
        ("1760000000123", Some(1_760_000_000_123)),
        ("null", None),
        ("true", None),
        ("[]", None),
        ("{}", None),
        ("1e400", None),
    ] {
        let document = json(r#""Content":"""#).replace("1760000000", given);
        assert_eq!(parse(&document).create_time, expected, "{given}");
    }
    assert_eq!(parse(&xml("").replace("CreateTime", "Created")).create_time, None);
}

#[test]
fn f12_a_msgid_of_17_to_20_digits_is_exact() {
    for id in ["25033203329280739", "7250021412600020992", "9007199254740993", "18446744073709551615"] {
        let expected = Some(id.parse().unwrap());
        for document in [
            xml(&format!("<MsgId>{id}</MsgId>")),
            xml(&format!("<MsgId> <![CDATA[{id}]]> </MsgId>")),
            xml(&format!("<MsgID>\n{id}\n</MsgID>")),
            json(&format!(r#""MsgId":{id}"#)),
            json(&format!(r#""MsgId": "{id}""#)),
            json(&format!(r#""msgid" :[ {id} ]"#)),
        ] {
            assert_eq!(msg_id(&parse(&document)), expected, "{document}");
        }
    }
    assert_eq!(msg_id(&parse(&json(r#""MsgId":18446744073709551616"#))), None);
    assert_eq!(msg_id(&parse(&json(r#""MsgId":2.5033203329280739e16"#))), None);
    assert_eq!(parse(&json(r#""MsgId":2.50e16"#)).fields.get("MsgId"), Some("2.50e16"));
}

#[test]
fn f13_case_and_space_are_tolerated() {
    let event = |name: &str, field: &str| {
        let document = xml(&format!("<{field}> <![CDATA[{name}]]>\r\n</{field}><eventkey>K</eventkey>"));
        match parse(&document.replace("[text]", "[Event]")).body {
            PushBody::Event(event) => event,
            PushBody::Message(message) => panic!("{message:?}"),
        }
    };
    for name in ["CLICK", "click", "Click"] {
        for field in ["Event", "event", "EVENT"] {
            assert_eq!(event(name, field), Event::Click { key: "K".into() });
        }
    }
    assert!(matches!(event("templateSendJobFinish", "Event"), Event::TemplateSendJobFinish { .. }));
    // The event LOCATION and the message location have nothing in common but the name.
    assert!(matches!(event("location", "Event"), Event::Location { .. }));
    let document = xml("<Location_X> 31.5 </Location_X>").replace("[text]", "[LOCATION]");
    let PushBody::Message(message) = parse(&document).body else { panic!() };
    assert!(matches!(message.kind, MessageKind::Location { latitude: Some(31.5), longitude: None, .. }));

    // White space round CDATA is layout; inside it is what the customer wrote.
    let content = |inner: &str| text_of(&parse(&xml(&format!("<Content>{inner}</Content>")))).to_owned();
    assert_eq!(content("\r\n  <![CDATA[ hi ]]>\t"), " hi ");
    assert_eq!(content("<![CDATA[a]]> <![CDATA[b]]>"), "a b");
    assert_eq!(content(" plain "), " plain ");
    assert_eq!(content("<!-- a --><![CDATA[hi]]><!-- b -->"), "hi");
    assert_eq!(content("  <![CDATA[]]>  "), "");
    // An exact spelling is preferred, and of equal ones the first.
    assert_eq!(msg_id(&parse(&xml("<MsgID>1</MsgID><MsgId>2</MsgId><MsgId>3</MsgId>"))), Some(2));
}

#[test]
fn the_first_of_repeated_fields_wins() {
    for document in [
        xml("<Content>a</Content><Content>b</Content><FromUserName>oEVIL</FromUserName>"),
        json(r#""Content":"a","Content":"b","FromUserName":"oEVIL""#),
    ] {
        let push = parse(&document);
        assert_eq!((text_of(&push), push.from.as_str()), ("a", "oU"));
        assert_eq!(push.fields.all("Content").count(), 2);
    }
}

#[test]
fn f06_unknown_fields_and_kinds_are_no_error() {
    let push = parse(&xml("<New><Deep a='1'><Er>x</Er></Deep></New>").replace("[text]", "[hologram]"));
    assert_eq!(push.fields.nested("New").unwrap().nested("Deep").unwrap().get("Er"), Some("x"));
    let event = parse(&xml("").replace("[text]", "[event]"));
    assert_eq!(event.body, PushBody::Event(Event::Unknown { name: String::new() }));
}
