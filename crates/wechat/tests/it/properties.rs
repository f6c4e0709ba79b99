//! What holds for any input.

use proptest::collection::vec;
use proptest::prelude::*;
use wechat::{AesKey, Push, open, verify_url};

use crate::vectors::{APP_ID, KEY, TOKEN, aes_query, credentials, plain_query, text_of};

/// The text as a chat can carry it.
fn legal(text: &str) -> String {
    let legal = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    text.chars().filter(legal).collect()
}

/// Text with what is dangerous in XML and JSON more often than by chance.
fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("]]>".to_owned()),
        Just("]]\u{1}>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("</Content>".to_owned()),
        Just("&#0;".to_owned()),
        Just("\\ud800\"".to_owned()),
        Just("\0\u{1f}\u{FFFE}".to_owned()),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_encrypted_decrypts(
        key in "[A-Za-z0-9+/]{43}", app_id in "[ -~]{0,40}", random: [u8; 16], msg in vec(any::<u8>(), 0..300),
    ) {
        let key = AesKey::parse(&key).unwrap();
        let sealed = key.encrypt(&app_id, random, &msg);
        prop_assert_eq!(key.decrypt(&app_id, &sealed).unwrap(), msg);
        let other = format!("{app_id}x");
        prop_assert!(key.decrypt(&other, &sealed).is_err());
    }

    #[test]
    fn a_reply_parses_to_what_it_says(to in "[!-~]{1,40}", from in "[!-~]{1,40}", content in words(), now in 1..99_999_999_999_i64) {
        let push = push_from(&to, &from);
        let reply = push.text_reply(&content, now);
        let xml = Push::parse(reply.to_xml().as_bytes()).unwrap();
        let json = Push::parse(reply.to_json().as_bytes()).unwrap();
        prop_assert_eq!(text_of(&json), legal(&content));
        // XML reads every line end as a line feed.
        prop_assert_eq!(text_of(&xml), legal(&content).replace("\r\n", "\n").replace('\r', "\n"));
        for read in [xml, json] {
            prop_assert_eq!(read.create_time, Some(now * 1000));
            prop_assert_eq!((read.to, read.from), (push.from.clone(), push.to.clone()));
            prop_assert_eq!(read.fields.len(), 5);
        }
    }

    #[test]
    fn a_sealed_push_opens_and_its_reply_is_sealed(content in words(), nonce in "[0-9]{1,10}", random: [u8; 16]) {
        let c = credentials(TOKEN, Some(KEY), APP_ID);
        let document = push_from("oU", "gh").text_reply(&content, 1_760_000_000).to_xml();
        let encrypt = c.aes_keys[0].encrypt(APP_ID, random, document.as_bytes());
        let body = format!("<xml><ToUserName>gh</ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
        let query = aes_query(TOKEN, "1760000000", &nonce, &encrypt);
        let opened = open(&c, &query, body.as_bytes(), 1_760_000_000).unwrap();
        prop_assert_eq!(opened.document, document.as_bytes());
        let push = opened.push.unwrap();
        let reply = push.text_reply("ok", 1_760_000_001);
        let answer = String::from_utf8(opened.seal.reply(&reply, 1_760_000_001, &nonce, random)).unwrap();
        let sealed = answer.split("CDATA[").nth(1).unwrap().split("]]").next().unwrap();
        let inner = c.aes_keys[0].decrypt(APP_ID, sealed).unwrap();
        prop_assert_eq!(String::from_utf8(inner).unwrap(), reply.to_xml());
    }

    #[test]
    fn no_input_panics(query in any::<String>(), body in vec(any::<u8>(), 0..400), text in words()) {
        let c = credentials(TOKEN, Some(KEY), APP_ID);
        let _ = open(&c, &query, &body, 0);
        let _ = verify_url(&c, &query, 0);
        let _ = Push::parse(&body);
        for (before, after) in [("<xml>", "</xml>"), ("<xml><a", "/></xml>"), ("{\"", "\":1}"), ("{\"a\":", "}"), ("<", ""), ("{", "")] {
            let document = format!("{before}{text}{after}");
            let _ = Push::parse(document.as_bytes());
            let plain = credentials(TOKEN, None, APP_ID);
            prop_assert!(open(&plain, &plain_query(TOKEN, "1", "1"), document.as_bytes(), 1).is_ok());
        }
    }

    #[test]
    fn json_and_xml_of_one_text_are_one_push(content in words()) {
        let quoted = serde_json::to_string(&content).unwrap();
        let json = format!(r#"{{"FromUserName":"o","MsgType":"text","Content":{quoted}}}"#);
        let push = Push::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(text_of(&push), legal(&content));
        let escaped = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;");
        let xml = format!("<xml><FromUserName>o</FromUserName><MsgType>text</MsgType><Content>{escaped}</Content></xml>");
        let push = Push::parse(xml.as_bytes()).unwrap();
        prop_assert_eq!(text_of(&push), legal(&content));
    }
}

fn push_from(from: &str, to: &str) -> Push {
    let document = serde_json::json!({ "FromUserName": from, "ToUserName": to, "MsgType": "text" });
    Push::parse(document.to_string().as_bytes()).unwrap()
}
