//! F7 to F10, F13, F14: what customers paste, and what only an attacker or a broken cloud sends.

use super::on_every_engine;
use super::wire;
use crate::support::{Engine, OPENID, Setup};
use serde_json::json;
use sim::{Format, Mode};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn f07_control_characters_are_kept_out_and_the_message_is_kept() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).mode(Mode::Plain, Format::Json).start().await;
        let (control, app_id) = (&world.control, world.app_id());
        let said = "a\u{0}b\u{1}c\u{b}d\u{1f}e\tf\ng";
        let report = control.say(&app_id, OPENID, said).await.unwrap();
        assert_eq!(report.attempts, 1);
        control.configure(json!({"format": "xml"})).await.unwrap();
        let document = wire::text(OPENID, 1, "h\u{0}i\u{b}j\u{8}k");
        assert_eq!(control.push_document(&app_id, OPENID, document.as_bytes()).await.unwrap().outcome, "ack");
        let references = wire::text(OPENID, 2, "x").replace("<![CDATA[x]]>", "l&#0;m&#x0b;n");
        assert_eq!(
            control.push_document(&app_id, OPENID, references.as_bytes()).await.unwrap().outcome,
            "ack"
        );
        world
            .line("three messages", |line| {
                line["kind"] == "delivered"
                    && line["msg_key"].is_string()
                    && line["text"].as_str().unwrap().starts_with('l')
            })
            .await;
        let chat = world.chat_with(OPENID).await;
        for (shown, letters) in chat.iter().zip(["abcdefg", "hijk", "lmn"]) {
            let bare: String = shown.chars().filter(char::is_ascii_alphabetic).collect();
            assert_eq!(bare, letters);
            assert!(!shown.contains(|c: char| c < ' ' && c != '\t' && c != '\n'), "{shown:?}");
        }
        assert_eq!(chat.len(), 3);
        // A NUL where no text is: an agent's message, an openid.
        let body = wire::after_body("user1", "no\u{0}body", "in\u{0}side", 7);
        assert_eq!(world.callback("C2C.CallbackAfterSendMsg", body).await.status, 200);
        let answer = world.push_plain(wire::text("o\u{0}x", 3, "nobody")).await;
        assert_eq!(answer.status, 200);
        world.agent_says(OPENID, "back\u{0}\u{7} again").await;
        world.customer_sees("back again").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_pasted_markup_is_text() {
    let world = Setup::new(Engine::Sqlite).mode(Mode::Compatible, Format::Xml).start().await;
    for said in [
        "<xml><FromUserName><![CDATA[oEvil]]></FromUserName></xml>",
        "]]></Content><FromUserName>oEvil</FromUserName><Content><![CDATA[",
        "a ]]> b ]]]]><![CDATA[> c &amp; &lt;",
        "{\"FromUserName\":\"oEvil\"}",
    ] {
        world.control.say(&world.app_id(), OPENID, said).await.unwrap();
        assert_eq!(world.agent_sees(said).await, OPENID);
    }
    // Without CDATA, and with the field twice: the first one, that WeChat wrote, counts.
    let injected = wire::text(OPENID, 5, "x").replace("</xml>", "<FromUserName>oEvil</FromUserName></xml>");
    world.control.push_document(&world.app_id(), OPENID, injected.as_bytes()).await.unwrap();
    world.drained().await;
    assert_eq!(world.database.count("SELECT COUNT(*) FROM customer WHERE openid = 'oEvil'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_f10_hostile_and_broken_bodies_cost_little_and_kill_nothing() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).start().await;
        let bomb = format!(
            "<!DOCTYPE l [<!ENTITY a \"ha\">{}]><xml><Content>&h;</Content></xml>",
            ["b", "c", "d", "e", "f", "g", "h"].iter().zip("abcdefg".chars()).fold(String::new(), |all, (name, of)| {
                format!("{all}<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10))
            })
        );
        let external = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><xml><FromUserName>&e;</FromUserName></xml>";
        let deep = format!("<xml>{}{}</xml>", "<a>".repeat(5_000), "</a>".repeat(5_000));
        let deep_json = format!("{}1{}", "{\"a\":[".repeat(5_000), "]}".repeat(5_000));
        let half = wire::text(OPENID, 1, "half");
        let bodies: [(&str, Vec<u8>); 13] = [
            ("bomb", bomb.into()),
            ("external entity", external.into()),
            ("deep", deep.into()),
            ("deep JSON", deep_json.into()),
            ("flat", format!("<xml>{}</xml>", "<a/>".repeat(100_000)).into()),
            ("attributes", format!("<xml {}/>", "a=\"b\" ".repeat(50_000)).into()),
            ("empty", Vec::new()),
            ("no fields", "<xml/>".into()),
            ("another root", "<html><body>hello</body></html>".into()),
            ("truncated", half[..half.len() / 2].into()),
            ("not XML", "GET / HTTP/1.1".into()),
            ("JSON array", "[1,2,3]".into()),
            ("no UTF-8", b"<xml><Content>\xff\xfe\x00\xd6\xd0</Content></xml>".to_vec()),
        ];
        for (what, body) in bodies {
            let answer = world.push_plain(body).await;
            let fine = answer.status == 200 && answer.text() == "success";
            assert!(fine || (400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
            // WeChat gives up after so long; a quick machine needs milliseconds.
            assert!(answer.took < Duration::from_secs(5), "{what} took {:?}", answer.took);
        }
        let large = world.push_plain(vec![b'x'; 2 * 1024 * 1024]).await;
        assert_eq!(large.status, 413);
        let unreadable = world.database.count("SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable'").await;
        assert!(unreadable > 0, "they are kept as they came");
        assert!(world.metric("tsunagi_unreadable_total").await >= unreadable as f64);
        assert!(world.died().is_none(), "{}", world.log());
        assert!(!world.log().contains("panicked"), "{}", world.log());
        assert_eq!(world.opened(OPENID, "still here").await, OPENID);
        assert_eq!(world.shown_to_agent(|_| true).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_f14_other_spellings_and_encodings_are_read_or_kept_never_garbled() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let plain = wire::text(OPENID, 1, "plain");
    let spellings: [(&str, Vec<u8>); 5] = [
        (
            "bom",
            format!("\u{feff}{}", plain.replace("plain", "bom").replace("<MsgId>1<", "<MsgId>2<")).into(),
        ),
        (
            "declared",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}",
                plain.replace("plain", "declared").replace("<MsgId>1<", "<MsgId>3<")
            )
            .into(),
        ),
        (
            "spaced",
            plain
                .replace("plain", "spaced")
                .replace("<MsgId>1<", "<MsgId>\n 4 \n<")
                .replace("<MsgType><![CDATA[text]]>", "<MsgType>\n<![CDATA[text]]> ")
                .into(),
        ),
        ("MsgID", plain.replace("plain", "MsgID").replace("<MsgId>1</MsgId>", "<MsgID>5</MsgID>").into()),
        ("bare", plain.replace("<![CDATA[plain]]>", "bare").replace("<MsgId>1<", "<MsgId>6<").into()),
    ];
    for (words, document) in spellings {
        assert_eq!(world.push_plain(document).await.status, 200, "{words}");
        assert_eq!(world.agent_sees(words).await, OPENID);
    }
    let surrogate = format!(
        "{{\"FromUserName\":\"{OPENID}\",\"MsgType\":\"text\",\"MsgId\":8,\"Content\":\"half \\ud83d of it\"}}"
    );
    assert_eq!(world.push_plain(surrogate).await.status, 200);
    world.agent_sees("half \u{fffd} of it").await;
    // GBK, undeclared: no guessing. The words are "中文".
    let mut gbk = wire::text(OPENID, 7, "@@").into_bytes();
    let at = gbk.windows(2).position(|two| two == b"@@").unwrap();
    gbk.splice(at..at + 2, *b"\xd6\xd0\xce\xc4");
    assert_eq!(world.push_plain(gbk).await.text(), "success");
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, 6);
    assert_eq!(world.database.count("SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable'").await, 1);
}
