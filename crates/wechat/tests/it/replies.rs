//! Passive replies: each kind byte for byte from the reference's samples, plain and sealed, in both formats.

use wechat::{
    Article, ContentError, Format, MAX_ARTICLES, MAX_TEXT, Opened, Push, Reply, ReplyBody, open, signature,
};

use crate::vectors::{APP_ID, KEY, TOKEN, aes_query, credentials, plain_query};

const NOW: i64 = 1_760_000_010;

fn s(text: &str) -> String {
    text.to_owned()
}

fn article() -> Article {
    Article {
        title: s("帮助中心"),
        description: s("常见问题"),
        pic_url: s("https://a.example/c.png"),
        url: s("https://a.example/help"),
    }
}

/// Each kind with what follows `MsgType` in XML and in JSON.
fn samples() -> Vec<(ReplyBody, &'static str, &'static str)> {
    vec![
        (
            ReplyBody::Text { content: s("您好") },
            "<Content><![CDATA[您好]]></Content>",
            r#""Content":"您好""#,
        ),
        (
            ReplyBody::Image { media_id: s("M1") },
            "<Image><MediaId><![CDATA[M1]]></MediaId></Image>",
            r#""Image":{"MediaId":"M1"}"#,
        ),
        (
            ReplyBody::Voice { media_id: s("M2") },
            "<Voice><MediaId><![CDATA[M2]]></MediaId></Voice>",
            r#""Voice":{"MediaId":"M2"}"#,
        ),
        (
            ReplyBody::Video {
                media_id: s("M3"), title: Some(s("演示")), description: Some(s("安装步骤"))
            },
            "<Video><MediaId><![CDATA[M3]]></MediaId><Title><![CDATA[演示]]></Title>\
             <Description><![CDATA[安装步骤]]></Description></Video>",
            r#""Video":{"MediaId":"M3","Title":"演示","Description":"安装步骤"}"#,
        ),
        (
            ReplyBody::Music {
                title: Some(s("曲名")),
                description: Some(s("说明")),
                url: Some(s("https://a.example/m.mp3")),
                hq_url: Some(s("https://a.example/hq.mp3")),
                thumb_media_id: s("T1"),
            },
            "<Music><Title><![CDATA[曲名]]></Title><Description><![CDATA[说明]]></Description>\
             <MusicUrl><![CDATA[https://a.example/m.mp3]]></MusicUrl>\
             <HQMusicUrl><![CDATA[https://a.example/hq.mp3]]></HQMusicUrl>\
             <ThumbMediaId><![CDATA[T1]]></ThumbMediaId></Music>",
            r#""Music":{"Title":"曲名","Description":"说明","MusicUrl":"https://a.example/m.mp3","HQMusicUrl":"https://a.example/hq.mp3","ThumbMediaId":"T1"}"#,
        ),
        (
            ReplyBody::News { articles: vec![article()] },
            "<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[帮助中心]]></Title>\
             <Description><![CDATA[常见问题]]></Description><PicUrl><![CDATA[https://a.example/c.png]]></PicUrl>\
             <Url><![CDATA[https://a.example/help]]></Url></item></Articles>",
            r#""ArticleCount":1,"Articles":[{"Title":"帮助中心","Description":"常见问题","PicUrl":"https://a.example/c.png","Url":"https://a.example/help"}]"#,
        ),
    ]
}

fn xml_of(msg_type: &str, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[oUSER]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName>\
         <CreateTime>{NOW}</CreateTime><MsgType><![CDATA[{msg_type}]]></MsgType>{rest}</xml>"
    )
}

fn json_of(msg_type: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!(
        r#"{{"ToUserName":"oUSER","FromUserName":"gh_0123456789ab","CreateTime":{NOW},"MsgType":"{msg_type}"{comma}{rest}}}"#
    )
}

/// A push of one kind, in either format.
fn document(format: Format, msg_type: &str) -> String {
    let event = msg_type == "event";
    match format {
        Format::Xml => {
            let rest =
                if event { "<Event>subscribe</Event>" } else { "<Content>hi</Content><MsgId>7</MsgId>" };
            format!(
                "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oUSER</FromUserName>\
                 <CreateTime>1760000000</CreateTime><MsgType>{msg_type}</MsgType>{rest}</xml>"
            )
        }
        Format::Json => {
            let rest = if event { r#""Event":"subscribe""# } else { r#""Content":"hi","MsgId":7"# };
            format!(
                r#"{{"ToUserName":"gh_0123456789ab","FromUserName":"oUSER","CreateTime":1760000000,"MsgType":"{msg_type}",{rest}}}"#
            )
        }
    }
}

fn push(msg_type: &str) -> Push {
    Push::parse(document(Format::Xml, msg_type).as_bytes()).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Plain,
    Compatible,
    Secure,
}

/// A push as it arrives in one mode and format, opened.
fn arrive(mode: Mode, format: Format, msg_type: &str) -> Opened {
    let plain = document(format, msg_type);
    let key = (mode != Mode::Plain).then_some(KEY);
    let c = credentials(TOKEN, key, APP_ID);
    if mode == Mode::Plain {
        return open(&c, &plain_query(TOKEN, "1760000000", "1"), plain.as_bytes(), NOW).unwrap();
    }
    let encrypt = c.aes_keys[0].encrypt(APP_ID, [3; 16], plain.as_bytes());
    let body = match (mode, format) {
        (Mode::Compatible, Format::Xml) => {
            plain.replace("</xml>", &format!("<Encrypt>{encrypt}</Encrypt></xml>"))
        }
        (Mode::Compatible, Format::Json) => {
            format!(r#"{},"Encrypt":"{encrypt}"}}"#, plain.strip_suffix('}').unwrap())
        }
        (_, Format::Xml) => format!("<xml><Encrypt>{encrypt}</Encrypt></xml>"),
        (_, Format::Json) => format!(r#"{{"Encrypt":"{encrypt}"}}"#),
    };
    open(&c, &aes_query(TOKEN, "1760000000", "1", &encrypt), body.as_bytes(), NOW).unwrap()
}

/// What WeChat reads in an answer: the document, taken out of its envelope where there has to be one.
fn unseal(mode: Mode, format: Format, answer: Vec<u8>) -> String {
    let answer = String::from_utf8(answer).unwrap();
    if mode == Mode::Plain {
        return answer;
    }
    let field = |xml: [&str; 2], json: [&str; 2]| {
        let [before, after] = if format == Format::Xml { xml } else { json };
        answer.split_once(before).unwrap().1.split_once(after).unwrap().0.to_owned()
    };
    let encrypt = field(["<Encrypt><![CDATA[", "]]>"], [r#"{"Encrypt":""#, "\""]);
    let given = field(["<MsgSignature><![CDATA[", "]]>"], [r#""MsgSignature":""#, "\""]);
    assert_eq!(given, signature(&[TOKEN, &NOW.to_string(), "889900", &encrypt]));
    let key = wechat::AesKey::parse(KEY).unwrap();
    String::from_utf8(key.decrypt(APP_ID, &encrypt).unwrap()).unwrap()
}

#[test]
fn f24_every_kind_of_reply_is_sealed_as_its_push_came() {
    for (body, xml, json) in samples() {
        for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
            for (format, expected) in
                [(Format::Xml, xml_of(body.name(), xml)), (Format::Json, json_of(body.name(), json))]
            {
                let Opened { push, seal, .. } = arrive(mode, format, "text");
                let reply = push.as_ref().unwrap().reply(body.clone(), NOW);
                reply.check(push.as_ref().unwrap()).unwrap();
                let answer = seal.reply(&reply, NOW, "889900", [4; 16]);
                assert_eq!(unseal(mode, format, answer), expected, "{mode:?} {format:?}");
                assert_eq!(seal.is_encrypted(), mode != Mode::Plain);
            }
        }
    }
}

#[test]
fn optional_fields_of_a_reply_are_left_out() {
    let video = ReplyBody::Video { media_id: s("M"), title: None, description: None };
    let music = ReplyBody::Music {
        title: None,
        description: None,
        url: None,
        hq_url: Some(s("h")),
        thumb_media_id: s("T"),
    };
    for (body, xml, json) in [
        (video, "<Video><MediaId><![CDATA[M]]></MediaId></Video>", r#""Video":{"MediaId":"M"}"#),
        (
            music,
            "<Music><HQMusicUrl><![CDATA[h]]></HQMusicUrl><ThumbMediaId><![CDATA[T]]></ThumbMediaId></Music>",
            r#""Music":{"HQMusicUrl":"h","ThumbMediaId":"T"}"#,
        ),
    ] {
        let reply = push("text").reply(body.clone(), NOW);
        assert_eq!(reply.to_xml(), xml_of(body.name(), xml));
        assert_eq!(reply.to_json(), json_of(body.name(), json));
    }
}

#[test]
fn f07_f08_no_field_of_a_reply_breaks_out_of_it() {
    let nasty = "a]]>\u{0}\u{1}\"\\</Title><b>&amp;\u{FFFF}\u{2028}😀";
    let shown = "a]]>\"\\</Title><b>&amp;\u{2028}😀";
    let articles =
        vec![Article { title: s(nasty), description: s(nasty), pic_url: s(nasty), url: s(nasty) }; 3];
    let reply = push("event").reply(ReplyBody::News { articles }, NOW);
    // Read back as the push that it would be in the other direction.
    for written in [reply.to_xml(), reply.to_json()] {
        let read = Push::parse(written.as_bytes()).unwrap();
        assert_eq!(read.fields.get("ArticleCount"), Some("3"));
        let items: Vec<&wechat::Fields> = match read.fields.nested("Articles") {
            Some(articles) if articles.field("item").is_some() => articles
                .all("item")
                .map(|item| match item {
                    wechat::Value::Nested(fields) => fields,
                    wechat::Value::Text(_) => panic!(),
                })
                .collect(),
            _ => read
                .fields
                .all("Articles")
                .map(|item| match item {
                    wechat::Value::Nested(fields) => fields,
                    wechat::Value::Text(_) => panic!(),
                })
                .collect(),
        };
        assert_eq!(items.len(), 3, "{written}");
        for item in items {
            for name in ["Title", "Description", "PicUrl", "Url"] {
                assert_eq!(item.get(name), Some(shown));
            }
        }
    }
}

#[test]
fn one_article_answers_a_message_and_eight_anything_else() {
    let news = |count: usize| ReplyBody::News { articles: vec![article(); count] };
    for kind in ["text", "image", "voice", "video", "shortvideo", "location", "news", "hologram"] {
        let push = push(kind);
        assert_eq!(push.article_limit(), 1, "{kind}");
        assert_eq!(push.reply(news(1), NOW).check(&push), Ok(()));
        let two = push.reply(news(2), NOW).check(&push);
        assert_eq!(two, Err(ContentError::Articles { given: 2, limit: 1 }), "{kind}");
    }
    for kind in ["event", "link"] {
        let push = push(kind);
        assert_eq!(push.reply(news(MAX_ARTICLES), NOW).check(&push), Ok(()), "{kind}");
        let nine = push.reply(news(9), NOW).check(&push);
        assert_eq!(nine, Err(ContentError::Articles { given: 9, limit: 8 }), "{kind}");
    }
}

#[test]
fn f37_a_reply_over_2048_bytes_is_told_before_it_is_sent() {
    let push = push("text");
    let text = |content: String| push.text_reply(content, NOW).check(&push);
    assert_eq!(text("字".repeat(682)), Ok(()));
    assert_eq!(text("x".repeat(MAX_TEXT + 1)), Err(ContentError::TextTooLong(2049)));
}

#[test]
fn f24_a_reply_without_what_it_needs_is_success() {
    let no_title = Article { title: s("\u{1}"), ..article() };
    for (body, field) in [
        (ReplyBody::Text { content: s("") }, "Content"),
        (ReplyBody::Image { media_id: s("") }, "MediaId"),
        (ReplyBody::Voice { media_id: s("\u{0}") }, "MediaId"),
        (ReplyBody::News { articles: vec![] }, "Articles"),
        (ReplyBody::News { articles: vec![no_title] }, "Title"),
    ] {
        let Opened { push, seal, .. } = arrive(Mode::Secure, Format::Xml, "text");
        let push = push.unwrap();
        let reply = push.reply(body, NOW);
        assert_eq!(reply.check(&push), Err(ContentError::Empty(field)));
        assert_eq!(seal.reply(&reply, NOW, "1", [0; 16]), b"success");
    }
}

#[test]
fn a_hand_over_is_made_for_messages_alone() {
    for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
        for format in [Format::Xml, Format::Json] {
            let Opened { push, seal, .. } = arrive(mode, format, "text");
            let push = push.unwrap();
            let sealed =
                |account| seal.hand_over(&push.hand_over(account, NOW).unwrap(), NOW, "889900", [4; 16]);
            let kind = "transfer_customer_service";
            let (anyone, one) = match format {
                Format::Xml => (
                    xml_of(kind, ""),
                    xml_of(kind, "<TransInfo><KfAccount><![CDATA[agent01@myshop]]></KfAccount></TransInfo>"),
                ),
                Format::Json => {
                    (json_of(kind, ""), json_of(kind, r#""TransInfo":{"KfAccount":"agent01@myshop"}"#))
                }
            };
            assert_eq!(unseal(mode, format, sealed(None)), anyone);
            assert_eq!(unseal(mode, format, sealed(Some("agent01@myshop"))), one);
        }
    }
    assert_eq!(push("event").hand_over(None, NOW), None);
}

#[test]
fn f66_a_reply_shows_nothing_when_printed() {
    let push = push("text");
    for (body, ..) in samples() {
        let reply: Reply = push.reply(body, NOW);
        let printed = format!("{reply:?}");
        assert!(printed.is_ascii() && !printed.contains("oUSER") && !printed.contains("M1"), "{printed}");
    }
    assert_eq!(format!("{:?}", push.hand_over(Some("agent01"), NOW).unwrap()), "HandOver");
}
