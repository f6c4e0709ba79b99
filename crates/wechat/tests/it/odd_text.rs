//! What customers write and what encodings do to it.

use wechat::{ParseError, Push};

use crate::vectors::text_of;

fn xml(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh]]></ToUserName><FromUserName><![CDATA[oU]]></FromUserName>\
        <CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content>{content}</Content>\
        <MsgId>7</MsgId></xml>"
    )
}

fn json(content: &str) -> String {
    format!(r#"{{"ToUserName":"gh","FromUserName":"oU","MsgType":"text","Content":"{content}","MsgId":7}}"#)
}

fn content(document: &str) -> String {
    text_of(&Push::parse(document.as_bytes()).unwrap_or_else(|e| panic!("{e}: {document:?}"))).to_owned()
}

#[test]
fn f07_control_characters_are_dropped_and_the_message_kept() {
    for code in (0..0x20_u8).chain([0x7f]) {
        let c = char::from(code);
        let expected = match c {
            // XML reads every line end as a line feed.
            '\r' => "a\nb".to_owned(),
            '\t' | '\n' | '\u{7f}' => format!("a{c}b"),
            _ => "ab".to_owned(),
        };
        assert_eq!(content(&xml(&format!("<![CDATA[a{c}b]]>"))), expected, "{code:#x}");
        assert_eq!(content(&xml(&format!("a{c}b"))), expected, "{code:#x}");
        let expected = expected.replace(if c == '\r' { "\n" } else { "\0" }, "\r");
        assert_eq!(content(&xml(&format!("a&#{code};b"))), expected, "{code:#x}");
        assert_eq!(content(&xml(&format!("a&#x{code:x};b"))), expected, "{code:#x}");
        assert_eq!(content(&json(&format!("a\\u{code:04x}b"))), expected, "{code:#x}");
        assert_eq!(content(&json(&format!("a{c}b"))), expected, "{code:#x}");
    }
    for c in ['\u{FFFE}', '\u{FFFF}'] {
        assert_eq!(content(&xml(&format!("<![CDATA[a{c}b]]>"))), "ab");
        assert_eq!(content(&json(&format!("a{c}b"))), "ab");
    }
    assert_eq!(content(&xml("a&#xFFFE;b&#65535;c")), "abc");
    // In a CDATA section a reference is what the customer typed.
    assert_eq!(content(&xml("<![CDATA[a&#0;b&amp;]]>")), "a&#0;b&amp;");
    assert_eq!(content(&json(r"a\\u0000b")), r"a\u0000b");
}

#[test]
fn f07_control_characters_between_elements_and_in_names() {
    assert_eq!(content(&xml("hi").replace("<MsgId>", "\0<MsgId>")), "hi");
    assert_eq!(content(&format!("\0\u{1}{}\0\n", xml("hi"))), "hi");
    assert_eq!(content(&format!("<?xml version='1.0'?>\0{}", xml("hi"))), "hi");
    assert_eq!(content(&format!("{}\0", json("hi"))), "hi");
    // A field's name is no place for one.
    let document = xml("hi").replace("Content>", "Con\0tent>");
    assert!(matches!(Push::parse(document.as_bytes()), Err(ParseError::Xml { .. })));
}

#[test]
fn f07_dropping_a_character_never_ends_a_section() {
    // With the control character dropped too early, this would close the section and forge a field.
    let attack = "a]]\u{1}></Content><FromUserName>oEVIL</FromUserName><Content><![CDATA[b";
    let document = xml(&format!("<![CDATA[{attack}]]>"));
    let push = Push::parse(document.as_bytes()).unwrap();
    assert_eq!(push.from, "oU");
    assert_eq!(text_of(&push), attack.replace('\u{1}', ""));
    assert_eq!(push.fields.all("FromUserName").count(), 1);
    assert_eq!(content(&json(r#"a\u0001\",\"FromUserName\":\"oEVIL"#)), r#"a","FromUserName":"oEVIL"#);
}

#[test]
fn f07_lone_surrogates_become_the_replacement_character() {
    assert_eq!(content(&json(r"a\ud83d\ude00b")), "a😀b");
    for (given, expected) in [
        (r"a\ud83db", "a\u{FFFD}b"),
        (r"a\ude00b", "a\u{FFFD}b"),
        (r"\ud83d", "\u{FFFD}"),
        (r"\ude00\ud83d", "\u{FFFD}\u{FFFD}"),
        (r"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
        (r"\ud83d\\ude00", "\u{FFFD}\\ude00"),
        (r"\uD83D\n", "\u{FFFD}\n"),
        (r"\\ud83d", r"\ud83d"),
        ("\\ud83d你", "\u{FFFD}你"),
    ] {
        assert_eq!(content(&json(given)), expected, "{given}");
    }
    assert_eq!(content(&xml("a&#xD83D;b&#56832;c")), "a\u{FFFD}b\u{FFFD}c");
    for broken in [r"\u12", r"\u", r"\x", r"\ud83", "\\u你"] {
        assert!(matches!(Push::parse(json(broken).as_bytes()), Err(ParseError::Json { .. })), "{broken}");
    }
}

#[test]
fn f08_pasted_markup_stays_literal_text() {
    for pasted in [
        "<xml><FromUserName>oEVIL</FromUserName></xml>",
        "<![CDATA[x",
        "</Content><Content>",
        "&lt;b&gt; &amp; &#65; &nope;",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>",
        "<!-- not a comment -->",
        "{\"FromUserName\":\"oEVIL\"}",
        "]]",
    ] {
        let push = Push::parse(xml(&format!("<![CDATA[{pasted}]]>")).as_bytes()).unwrap();
        assert_eq!((text_of(&push), push.from.as_str()), (pasted, "oU"));
        // The same as entities, and in JSON.
        let escaped = pasted.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert_eq!(content(&xml(&escaped)), pasted);
        let quoted = serde_json::to_string(pasted).unwrap();
        assert_eq!(content(&json(&quoted[1..quoted.len() - 1])), pasted);
    }
    // `]]>` arrives split over two sections.
    assert_eq!(content(&xml("<![CDATA[a]]]]><![CDATA[>b]]>")), "a]]>b");
}

#[test]
fn f14_a_byte_order_mark_and_early_space_are_tolerated() {
    for before in ["\u{FEFF}", " \r\n\t", "\u{FEFF}\n", "\n\u{FEFF}"] {
        for declaration in ["", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<?xml version='1.0'?>\n"] {
            assert_eq!(content(&format!("{before}{declaration}{}", xml("<![CDATA[你好]]>"))), "你好");
        }
        assert_eq!(content(&format!("{before}{}", json("你好"))), "你好");
    }
}

#[test]
fn f14_what_is_not_utf_8_is_refused_never_mojibake() {
    // 你好 in GBK.
    let gbk: &[u8] = &[0xC4, 0xE3, 0xBA, 0xC3];
    for head in ["", "<?xml version='1.0' encoding='GBK'?>", "<?xml version='1.0' encoding='GB2312'?>"] {
        let whole = format!("{head}{}", xml("<![CDATA[HERE]]>"));
        let (before, after) = whole.split_once("HERE").unwrap();
        let document = [before.as_bytes(), gbk, after.as_bytes()].concat();
        assert_eq!(Push::parse(&document), Err(ParseError::Encoding));
    }
    for bytes in [&b"\xFF"[..], b"\xC0\x80", b"\xED\xA0\xBD", b"\xF4\x90\x80\x80", b"\xE4\xBD"] {
        let whole = json("HERE");
        let (before, after) = whole.split_once("HERE").unwrap();
        let document = [before.as_bytes(), bytes, after.as_bytes()].concat();
        assert_eq!(Push::parse(&document), Err(ParseError::Encoding), "{bytes:x?}");
    }
    // UTF-16, with and without its mark.
    for mark in [Some(0xFEFF), None] {
        for document in [xml("ok你"), json("ok你"), xml("ok"), json("ok")] {
            let units = mark.into_iter().chain(document.encode_utf16());
            let little: Vec<u8> = units.clone().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units.flat_map(u16::to_be_bytes).collect();
            assert!(Push::parse(&little).is_err() && Push::parse(&big).is_err());
        }
    }
    // A false declaration over what is UTF-8 does no harm.
    assert_eq!(content(&format!("<?xml version='1.0' encoding='GBK'?>{}", xml("你好"))), "你好");
}
