//! The three encryption modes, the change between them, and what is refused.

use secrecy::SecretString;
use wechat::{
    AesKey, Credentials, CryptoError, Format, ParseError, Push, Refusal, UnreadableReason, check_query, open,
    replay, signature, verify_url,
};

use crate::vectors::{APP_ID, KEY, TOKEN, aes_query, credentials, plain_query, text_of};

const NOW: i64 = 1_760_000_000;
const STAMP: &str = "1760000000";
const OTHER_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

fn text_xml(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oU]]></FromUserName>\
        <CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
        <Content><![CDATA[{content}]]></Content><MsgId>25033203329280739</MsgId></xml>"
    )
}

fn text_json(content: &str) -> String {
    format!(
        r#"{{"ToUserName":"gh_1","FromUserName":"oU","CreateTime":1760000000,"MsgType":"text","Content":"{content}","MsgId":25033203329280739}}"#
    )
}

fn sealed(key: &str, document: &str) -> String {
    AesKey::parse(key).unwrap().encrypt(APP_ID, [b'r'; 16], document.as_bytes())
}

fn envelope(encrypt: &str) -> String {
    format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>")
}

fn secure() -> Credentials {
    credentials(TOKEN, Some(KEY), APP_ID)
}

#[test]
fn f15_unsigned_badly_signed_or_stale_is_refused() {
    let c = credentials(TOKEN, None, APP_ID);
    let body = text_xml("hi");
    let refuse = |query: &str, now| {
        let refusal = open(&c, query, body.as_bytes(), now).unwrap_err();
        assert_eq!(check_query(&c, query, now), Err(refusal), "the address alone says the same");
        refusal
    };
    assert_eq!(refuse("", NOW), Refusal::MissingSignature);
    assert_eq!(refuse("timestamp=1760000000&nonce=1", NOW), Refusal::MissingSignature);
    assert_eq!(refuse(&plain_query("another", STAMP, "1"), NOW), Refusal::Signature);
    let good = plain_query(TOKEN, STAMP, "1");
    assert_eq!(refuse(&good.replace("nonce=1", "nonce=2"), NOW), Refusal::Signature);
    assert_eq!(refuse(&good.replace("signature=", "signature=0"), NOW), Refusal::Signature);
    for (now, fresh) in
        [(NOW - 301, false), (NOW - 300, true), (NOW + 300, true), (NOW + 301, false), (i64::MIN, false)]
    {
        let opened = open(&c, &good, body.as_bytes(), now);
        assert_eq!((opened.is_ok(), check_query(&c, &good, now).is_ok()), (fresh, fresh), "{now}");
        if let Err(refusal) = opened {
            assert_eq!((refusal, refusal.status()), (Refusal::Stale, 403));
        }
    }
    let any_time = Credentials { signature_window: 0, ..c };
    assert!(open(&any_time, &good, body.as_bytes(), 0).is_ok());
}

#[test]
fn f15_an_empty_token_never_opens() {
    for tokens in [vec![], vec![SecretString::from("")]] {
        let c = Credentials { tokens, ..credentials(TOKEN, None, APP_ID) };
        let query = plain_query("", STAMP, "1");
        assert_eq!(open(&c, &query, text_xml("hi").as_bytes(), NOW).unwrap_err(), Refusal::Signature);
        assert_eq!(verify_url(&c, &format!("{query}&echostr=1"), NOW), Err(Refusal::Signature));
    }
}

#[test]
fn f17_the_echostr_comes_back_byte_by_byte() {
    let c = secure();
    let ask = |echo: &str| verify_url(&c, &format!("{}&echostr={echo}", plain_query(TOKEN, STAMP, "1")), NOW);
    assert_eq!(ask("4375120948345356249").unwrap(), "4375120948345356249");
    assert_eq!(ask("a%2Bb%2F%3D").unwrap(), "a+b/=");
    assert_eq!(ask(&"9".repeat(128)).unwrap(), "9".repeat(128));
    assert_eq!(ask(&"9".repeat(129)), Err(Refusal::Echo));
    assert_eq!(ask(""), Err(Refusal::Echo));
    assert_eq!(verify_url(&c, &plain_query(TOKEN, STAMP, "1"), NOW).unwrap_err().status(), 400);
    assert_eq!(ask("1&echostr=2").unwrap_err().status(), 400);
    let forged = format!("{}&echostr=1", plain_query("x", STAMP, "1"));
    assert_eq!(verify_url(&c, &forged, NOW).unwrap_err().status(), 403);
}

#[test]
fn f21_in_compatible_mode_only_the_decrypted_part_counts() {
    let encrypt = sealed(KEY, &text_xml("genuine"));
    let forged = text_xml("forged").replace("[oU]", "[oVICTIM]");
    let body = forged.replace("</xml>", &format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"));
    for require_encryption in [true, false] {
        let c = Credentials { require_encryption, ..secure() };
        let opened = open(&c, &aes_query(TOKEN, STAMP, "1", &encrypt), body.as_bytes(), NOW).unwrap();
        let push = opened.push.unwrap();
        assert_eq!((text_of(&push), push.from.as_str()), ("genuine", "oU"));
        assert!(opened.seal.is_encrypted());
        // Taking the parameters of the encryption away does not make the plain part count.
        let plain = plain_query(TOKEN, STAMP, "1");
        assert_eq!(open(&c, &plain, body.as_bytes(), NOW).unwrap_err(), Refusal::MsgSignature);
        let raw = format!("{plain}&encrypt_type=raw");
        assert_eq!(open(&c, &raw, body.as_bytes(), NOW).unwrap_err(), Refusal::MsgSignature);
        // Nor does another ciphertext pass under this signature.
        let other = body.replace(&encrypt, &sealed(KEY, &text_xml("other")));
        let query = aes_query(TOKEN, STAMP, "1", &encrypt);
        assert_eq!(open(&c, &query, other.as_bytes(), NOW).unwrap_err(), Refusal::MsgSignature);
    }
    // The plain part may even be no text at all.
    let broken = body.replace("forged", "BROKEN").into_bytes();
    let broken: Vec<u8> = broken.into_iter().map(|b| if b == b'K' { 0xFF } else { b }).collect();
    if !encrypt.contains('K') {
        let query = aes_query(TOKEN, STAMP, "1", &encrypt);
        assert_eq!(text_of(&open(&secure(), &query, &broken, NOW).unwrap().push.unwrap()), "genuine");
    }
}

#[test]
fn f21_plaintext_is_refused_where_encryption_is_required() {
    let query = plain_query(TOKEN, STAMP, "1");
    let body = text_xml("hi");
    let refusal = open(&secure(), &query, body.as_bytes(), NOW).unwrap_err();
    assert_eq!((refusal, refusal.status()), (Refusal::Plaintext, 403));
    // While the mode is changed in the console.
    let lenient = Credentials { require_encryption: false, ..secure() };
    let opened = open(&lenient, &query, body.as_bytes(), NOW).unwrap();
    assert_eq!(text_of(&opened.push.unwrap()), "hi");
    assert!(!opened.seal.is_encrypted());
    // Without a key there is nothing to require.
    let keyless = Credentials { require_encryption: true, ..credentials(TOKEN, None, APP_ID) };
    assert!(open(&keyless, &query, body.as_bytes(), NOW).unwrap().push.is_ok());
    // A request that says it is encrypted and is not proves nothing.
    let encrypt = sealed(KEY, &body);
    for body in [body.as_str(), "", "<xml/>", "junk", "<xml><Encrypt></Encrypt></xml>"] {
        let query = aes_query(TOKEN, STAMP, "1", &encrypt);
        assert_eq!(open(&lenient, &query, body.as_bytes(), NOW).unwrap_err(), Refusal::MsgSignature);
    }
}

#[test]
fn f22_old_and_new_token_and_key_are_both_accepted() {
    let c = Credentials {
        tokens: vec![SecretString::from("newToken"), SecretString::from(""), SecretString::from(TOKEN)],
        aes_keys: vec![AesKey::parse(OTHER_KEY).unwrap(), AesKey::parse(KEY).unwrap()],
        ..secure()
    };
    for token in ["newToken", TOKEN] {
        for key in [OTHER_KEY, KEY] {
            let encrypt = sealed(key, &text_xml("hi"));
            let query = aes_query(token, STAMP, "1", &encrypt);
            let opened = open(&c, &query, envelope(&encrypt).as_bytes(), NOW).unwrap();
            let push = opened.push.unwrap();
            // The reply leaves under the token and the key that the request came with.
            let bytes = opened.seal.reply(&push.text_reply("yes", NOW), NOW, "42", [5; 16]);
            let reply = String::from_utf8(bytes).unwrap();
            let inner = AesKey::parse(key).unwrap().encrypt(
                APP_ID,
                [5; 16],
                push.text_reply("yes", NOW).to_xml().as_bytes(),
            );
            assert!(reply.contains(&inner), "{reply}");
            assert!(reply.contains(&signature(&[token, STAMP, "42", &inner])), "{reply}");
        }
    }
}

#[test]
fn f22_a_wrong_key_is_a_clear_error_and_loses_nothing() {
    let encrypt = sealed(KEY, &text_xml("hi"));
    let (query, body) = (aes_query(TOKEN, STAMP, "1", &encrypt), envelope(&encrypt));
    let wrong = credentials(TOKEN, Some(OTHER_KEY), APP_ID);
    let opened = open(&wrong, &query, body.as_bytes(), NOW).unwrap();
    assert_eq!(opened.document, body.as_bytes());
    assert!(matches!(opened.push.unwrap_err().reason, UnreadableReason::Decrypt(_)));
    assert!(replay(&wrong, &query, body.as_bytes()).is_err());
    // Once the key is mended, the stored request can be read: days later, and with the token gone.
    let mended = Credentials { tokens: vec![], ..secure() };
    assert_eq!(text_of(&replay(&mended, &query, body.as_bytes()).unwrap()), "hi");

    let keyless = credentials(TOKEN, None, APP_ID);
    let opened = open(&keyless, &query, body.as_bytes(), NOW).unwrap();
    assert_eq!(opened.push.unwrap_err().reason, UnreadableReason::NoKey);

    // The right key beside a wrong one, and a wrong AppID: that is the more telling reason.
    let c = Credentials {
        app_id: "wxother".into(),
        aes_keys: vec![AesKey::parse(KEY).unwrap(), AesKey::parse(OTHER_KEY).unwrap()],
        ..secure()
    };
    let reason = open(&c, &query, body.as_bytes(), NOW).unwrap().push.unwrap_err().reason;
    assert_eq!(reason, UnreadableReason::Decrypt(CryptoError::AppId));
}

#[test]
fn f23_json_is_opened_and_answered_like_xml() {
    let xml = Push::parse(text_xml("hi").as_bytes()).unwrap();
    let c = credentials(TOKEN, None, APP_ID);
    let opened = open(&c, &plain_query(TOKEN, STAMP, "1"), text_json("hi").as_bytes(), NOW).unwrap();
    let push = opened.push.unwrap();
    assert_eq!((&push.body, push.create_time, &push.from), (&xml.body, xml.create_time, &xml.from));
    let reply = opened.seal.reply(&push.text_reply("“是”]]>", NOW), NOW, "1", [0; 16]);
    assert_eq!(
        String::from_utf8(reply).unwrap(),
        r#"{"ToUserName":"oU","FromUserName":"gh_1","CreateTime":1760000000,"MsgType":"text","Content":"“是”]]>"}"#
    );

    let encrypt = sealed(KEY, &text_json("hi"));
    let body = format!(r#"{{"ToUserName":"gh_1","Encrypt":"{encrypt}"}}"#);
    let opened = open(&secure(), &aes_query(TOKEN, STAMP, "1", &encrypt), body.as_bytes(), NOW).unwrap();
    let push = opened.push.unwrap();
    assert_eq!(text_of(&push), "hi");
    assert_eq!(opened.seal.format(), Format::Json);
    let reply = push.text_reply("yes", NOW);
    let inner = AesKey::parse(KEY).unwrap().encrypt(APP_ID, [5; 16], reply.to_json().as_bytes());
    let made = signature(&[TOKEN, STAMP, "42", &inner]);
    assert_eq!(
        String::from_utf8(opened.seal.reply(&reply, NOW, "42", [5; 16])).unwrap(),
        format!(r#"{{"Encrypt":"{inner}","MsgSignature":"{made}","TimeStamp":1760000000,"Nonce":"42"}}"#)
    );
}

#[test]
fn f24_a_reply_is_swapped_in_seconds_and_its_text_stays_text() {
    let push = Push::parse(text_xml("hi").as_bytes()).unwrap();
    let reply = push.text_reply("a]]>b\u{1}\u{FFFF}<c>&", NOW);
    assert_eq!(
        reply.to_xml(),
        "<xml><ToUserName><![CDATA[oU]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
        <CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
        <Content><![CDATA[a]]]]><![CDATA[>b<c>&]]></Content></xml>"
    );
    assert_eq!(text_of(&Push::parse(reply.to_xml().as_bytes()).unwrap()), "a]]>b<c>&");
    assert_eq!(text_of(&Push::parse(reply.to_json().as_bytes()).unwrap()), "a]]>b<c>&");
}

#[test]
fn f24_a_reply_without_content_is_success_and_unsealed() {
    let encrypt = sealed(KEY, &text_xml("hi"));
    let opened =
        open(&secure(), &aes_query(TOKEN, STAMP, "1", &encrypt), envelope(&encrypt).as_bytes(), NOW).unwrap();
    let push = opened.push.unwrap();
    for content in ["", "\0\u{1}"] {
        assert_eq!(opened.seal.reply(&push.text_reply(content, NOW), NOW, "1", [0; 16]), b"success");
    }
}

#[test]
fn f10_a_genuine_request_with_no_push_in_it_is_unreadable() {
    let c = credentials(TOKEN, None, APP_ID);
    for (body, reason) in [
        ("", ParseError::Empty),
        (" \n", ParseError::Empty),
        ("<xml/>", ParseError::Missing("FromUserName")),
        ("<html></html>", ParseError::Root),
        ("hello", ParseError::NotADocument),
        ("[]", ParseError::NotADocument),
        ("{}", ParseError::Missing("FromUserName")),
        ("<xml><a>", ParseError::Truncated),
        ("<xml><FromUserName>o", ParseError::Truncated),
        ("<xml><a></b></xml>", ParseError::Xml { row: 1, column: 9 }),
        ("<xml></xml><xml></xml>", ParseError::Xml { row: 1, column: 12 }),
        ("<xml></xml>tail", ParseError::Xml { row: 1, column: 12 }),
        (r#"{"a":1} tail"#, ParseError::Json { line: 1, column: 11 }),
        ("<xml><![CDATA[", ParseError::Truncated),
        (r#"{"a":"b"#, ParseError::Truncated),
    ] {
        let opened = open(&c, &plain_query(TOKEN, STAMP, "1"), body.as_bytes(), NOW).unwrap();
        assert_eq!(opened.push.unwrap_err().reason, UnreadableReason::Parse(reason), "{body}");
        assert_eq!(opened.document, body.as_bytes());
    }
    // Sealed junk: what is kept is the request as it came, so that it can be replayed.
    let encrypt = sealed(KEY, "junk");
    let (query, body) = (aes_query(TOKEN, STAMP, "1", &encrypt), envelope(&encrypt));
    let opened = open(&secure(), &query, body.as_bytes(), NOW).unwrap();
    assert_eq!(opened.push.unwrap_err().reason, UnreadableReason::Parse(ParseError::NotADocument));
    assert_eq!(opened.document, body.as_bytes());
}

#[test]
fn f09_a_body_over_1_mib_is_refused() {
    let c = credentials(TOKEN, None, APP_ID);
    let body = text_xml(&"x".repeat(2 << 20));
    let refusal = open(&c, &plain_query(TOKEN, STAMP, "1"), body.as_bytes(), NOW).unwrap_err();
    assert_eq!((refusal, refusal.status()), (Refusal::TooLarge, 413));
    assert_eq!(Push::parse(body.as_bytes()), Err(ParseError::TooLarge));
}
