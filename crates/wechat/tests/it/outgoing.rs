//! `custom/send` and `custom/typing`: each kind of message byte for byte, from the reference's samples.

use secrecy::SecretString;
use wechat::{CallError, Card, ContentError, Entry, MAX_TEXT, Outgoing, Sender, Typing};

use crate::server::{Server, client};

fn s(text: &str) -> String {
    text.to_owned()
}

/// Each kind with the body that the reference gives for it.
fn samples() -> Vec<(Outgoing, &'static str)> {
    vec![
        (
            Outgoing::Text { content: s("您好，请问订单号是多少？") },
            r#"{"touser":"oUSER","msgtype":"text","text":{"content":"您好，请问订单号是多少？"}}"#,
        ),
        (
            Outgoing::Image { media_id: s("M1") },
            r#"{"touser":"oUSER","msgtype":"image","image":{"media_id":"M1"}}"#,
        ),
        (
            Outgoing::Voice { media_id: s("M2") },
            r#"{"touser":"oUSER","msgtype":"voice","voice":{"media_id":"M2"}}"#,
        ),
        (
            Outgoing::Video {
                media_id: s("M3"),
                thumb_media_id: s("T3"),
                title: Some(s("演示")),
                description: Some(s("步骤")),
            },
            r#"{"touser":"oUSER","msgtype":"video","video":{"media_id":"M3","thumb_media_id":"T3","title":"演示","description":"步骤"}}"#,
        ),
        (
            Outgoing::Music {
                title: s("曲"),
                description: s("说明"),
                url: s("https://a.example/m.mp3"),
                hq_url: Some(s("https://a.example/h.mp3")),
                thumb_media_id: s("T1"),
            },
            r#"{"touser":"oUSER","msgtype":"music","music":{"title":"曲","description":"说明","musicurl":"https://a.example/m.mp3","hqmusicurl":"https://a.example/h.mp3","thumb_media_id":"T1"}}"#,
        ),
        (
            Outgoing::News(Card {
                title: s("帮助"),
                description: s("FAQ"),
                url: s("https://a.example/help"),
                pic_url: s("https://a.example/c.png"),
            }),
            r#"{"touser":"oUSER","msgtype":"news","news":{"articles":[{"title":"帮助","description":"FAQ","url":"https://a.example/help","picurl":"https://a.example/c.png"}]}}"#,
        ),
        (
            Outgoing::MaterialArticle { media_id: s("M4") },
            r#"{"touser":"oUSER","msgtype":"mpnews","mpnews":{"media_id":"M4"}}"#,
        ),
        (
            Outgoing::PublishedArticle { article_id: s("ART1") },
            r#"{"touser":"oUSER","msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"ART1"}}"#,
        ),
        (
            Outgoing::Menu {
                head: Some(s("是否解决？")),
                entries: vec![
                    Entry { id: s("101"), content: s("是") },
                    Entry { id: s("102"), content: s("否") },
                ],
                tail: Some(s("感谢反馈")),
            },
            r#"{"touser":"oUSER","msgtype":"msgmenu","msgmenu":{"head_content":"是否解决？","list":[{"id":"101","content":"是"},{"id":"102","content":"否"}],"tail_content":"感谢反馈"}}"#,
        ),
        (
            Outgoing::Voucher { card_id: s("CARD1") },
            r#"{"touser":"oUSER","msgtype":"wxcard","wxcard":{"card_id":"CARD1"}}"#,
        ),
        (
            Outgoing::MiniProgramPage {
                title: s("订单"),
                app_id: s("wxMINI"),
                page_path: s("pages/order?id=9"),
                thumb_media_id: s("M5"),
            },
            r#"{"touser":"oUSER","msgtype":"miniprogrampage","miniprogrampage":{"title":"订单","appid":"wxMINI","pagepath":"pages/order?id=9","thumb_media_id":"M5"}}"#,
        ),
    ]
}

#[tokio::test]
async fn every_kind_is_sent_as_the_reference_has_it() {
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let (client, token) = (client(&server.url), SecretString::from("T"));
    let samples = samples();
    for (message, _) in &samples {
        message.check().unwrap();
        client.send(&token, "oUSER", message).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 11);
    for ((message, expected), seen) in samples.iter().zip(seen) {
        assert_eq!(seen.uri, "/cgi-bin/message/custom/send?access_token=T");
        assert_eq!(seen.body, *expected);
        // What a simulator reads with the same types is the same.
        let read: wechat::wire::CustomSend = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), *expected);
        assert_eq!(read.msgtype, message.name());
        let printed = format!("{message:?} {read:?} {:?} {:?} {:?}", read.text, read.news, read.msgmenu);
        assert!(!printed.contains("oUSER") && printed.is_ascii(), "{printed}");
    }
}

#[tokio::test]
async fn the_sender_is_shown_when_asked_for() {
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let text = Outgoing::Text { content: s("您好，请问订单号是多少？") };
    let token = SecretString::from("T");
    for (kf_account, made_by_ai) in [(Some(s("agent01@myshop")), Some(false)), (None, Some(true))] {
        let sender = Sender { kf_account, made_by_ai };
        client(&server.url).send_as(&token, "oUSER", &text, &sender).await.unwrap();
    }
    let bodies: Vec<String> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        bodies,
        [
            r#"{"touser":"oUSER","msgtype":"text","text":{"content":"您好，请问订单号是多少？"},"customservice":{"kf_account":"agent01@myshop"},"aimsgcontext":{"is_ai_msg":0}}"#,
            r#"{"touser":"oUSER","msgtype":"text","text":{"content":"您好，请问订单号是多少？"},"aimsgcontext":{"is_ai_msg":1}}"#,
        ]
    );
}

#[tokio::test]
async fn optional_fields_are_left_out_and_illegal_characters_dropped() {
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let video = Outgoing::Video {
        media_id: s("M\u{0}3"),
        thumb_media_id: s("T3"),
        title: None,
        description: Some(s("a\u{1}b")),
    };
    client(&server.url).send(&SecretString::from("T"), "oUSER", &video).await.unwrap();
    assert_eq!(
        server.seen()[0].body,
        r#"{"touser":"oUSER","msgtype":"video","video":{"media_id":"M3","thumb_media_id":"T3","description":"ab"}}"#
    );
}

#[tokio::test]
async fn typing_is_shown_and_taken_back() {
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let (client, token) = (client(&server.url), SecretString::from("T"));
    client.typing(&token, "oUSER", Typing::Start).await.unwrap();
    client.typing(&token, "oUSER", Typing::Stop).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].uri, "/cgi-bin/message/custom/typing?access_token=T");
    assert_eq!(seen[0].body, r#"{"touser":"oUSER","command":"Typing"}"#);
    assert_eq!(seen[1].body, r#"{"touser":"oUSER","command":"CancelTyping"}"#);
    let server = Server::saying(r#"{"errcode":45081,"errmsg":"already typing"}"#).await;
    let error = crate::server::client(&server.url).typing(&token, "oUSER", Typing::Start).await.unwrap_err();
    let CallError::Refused(errcode) = error else { panic!() };
    assert_eq!(errcode.verdict(), wechat::Verdict::Ignore);
}

#[test]
fn f37_a_text_over_2048_bytes_is_told_before_it_is_sent() {
    let text = |content: String| Outgoing::Text { content }.check();
    assert_eq!(text("字".repeat(682)), Ok(()));
    assert_eq!(text("x".repeat(MAX_TEXT)), Ok(()));
    assert_eq!(text("x".repeat(MAX_TEXT + 1)), Err(ContentError::TextTooLong(2049)));
    assert_eq!(text("字".repeat(683)), Err(ContentError::TextTooLong(2049)));
    // What is dropped does not count.
    assert_eq!(text(format!("{}\u{1}", "x".repeat(MAX_TEXT))), Ok(()));
}

#[test]
fn a_missing_field_is_told_before_it_is_sent() {
    for (message, field) in [
        (Outgoing::Text { content: s("\u{0}\u{1}") }, "content"),
        (Outgoing::Image { media_id: s("") }, "media_id"),
        (
            Outgoing::Video { media_id: s("M"), thumb_media_id: s(""), title: None, description: None },
            "thumb_media_id",
        ),
        (Outgoing::News(Card { title: s("t"), description: s("d"), url: s("u"), pic_url: s("") }), "picurl"),
        (Outgoing::Menu { head: None, entries: vec![], tail: None }, "list"),
        (Outgoing::Menu { head: None, entries: vec![Entry::default()], tail: None }, "id"),
        (Outgoing::Voucher { card_id: s("") }, "card_id"),
        (Outgoing::PublishedArticle { article_id: s("") }, "article_id"),
    ] {
        assert_eq!(message.check(), Err(ContentError::Empty(field)), "{field}");
    }
}
