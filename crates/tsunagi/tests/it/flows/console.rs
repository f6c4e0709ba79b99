//! F17 to F24: what the Official Account's console is set to, from verification to the sealed reply.

use super::wire::{self, encrypted, envelope, get, now_s, post, signed};
use crate::support::{Engine, OPENID, Setup};
use serde_json::json;
use sim::{Format, Mode, WechatAccountConfig};

/// A valid key that is not the shop's.
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

#[tokio::test(flavor = "multi_thread")]
async fn f17_the_echostr_comes_back_byte_for_byte_on_every_path() {
    let world = Setup::new(Engine::Sqlite).start().await;
    for path in ["/wechat/shop", "/wechat/shop/", "/"] {
        for echostr in ["5836421903847261950", "a\"b", "x"] {
            let encoded = echostr.replace('"', "%22");
            let url = format!("{}{path}?{}&echostr={encoded}", world.webhooks, signed(now_s(), "n"));
            let answer = get(url).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, echostr), "{path}");
            assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
            assert_eq!(answer.header("content-length"), Some(echostr.len().to_string().as_str()));
            assert_eq!(answer.header("transfer-encoding"), None);
        }
        // Pushes are taken there too.
        let url = format!("{}{path}?{}", world.webhooks, signed(now_s(), "n"));
        assert_eq!(post(url, wire::text(OPENID, 1, "any path")).await.status, 200, "{path}");
    }
    assert!(world.control.verify(&world.app_id()).await.unwrap());
    assert_eq!(world.stored().await, 1, "a verification is not stored, a repeat counts once");
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_f19_every_padding_and_a_key_with_other_trailing_bits_are_accepted() {
    let shop = WechatAccountConfig::shop().encoding_aes_key.unwrap();
    // The last character has four spare bits' worth of twins: all stand for the same 32 bytes.
    let twin = format!("{}X", &shop[..42]);
    assert_ne!(shop, twin);
    let world = Setup::new(Engine::Sqlite)
        .mode(Mode::Secure, Format::Xml)
        .env("TSUNAGI__ACCOUNT__0__ENCODING_AES_KEY", &twin)
        .start()
        .await;
    let said: Vec<String> = (1..=32).map(|length| "x".repeat(length)).collect();
    for (n, text) in said.iter().enumerate() {
        let answer = world.push_sealed(&wire::text(OPENID, n as u64, text), &n.to_string()).await;
        assert_eq!(answer.status, 200);
    }
    world.agent_sees(&said[31]).await;
    world.drained().await;
    assert_eq!(world.chat_with(OPENID).await, said);
    // WeChat reads our reply with its own spelling of the key.
    let report = world.control.follow(&world.app_id(), &wire::customer(1)).await.unwrap();
    assert_eq!(report.reply.as_deref(), Some("欢迎关注"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_ciphertext_for_another_app_is_kept_as_unreadable_and_not_believed() {
    let mut world = Setup::new(Engine::Sqlite).mode(Mode::Secure, Format::Xml).start().await;
    let document = wire::text(OPENID, 1, "for another app");
    let app_id = world.app_id();
    let good = encrypted(&document, None);
    let mut ciphertexts: Vec<String> = ["wx0000000000000000", "", &app_id[..17], &format!("{app_id}0")]
        .map(|id| encrypted(&document, Some(id)))
        .into();
    ciphertexts.extend([
        good[..good.len() - 4].to_owned(),
        "AAAA".into(),
        String::new(),
        "不是base64".into(),
    ]);
    for (n, encrypt) in ciphertexts.iter().enumerate() {
        let (query, body) = envelope(encrypt, "", &n.to_string());
        let answer = post(format!("{}/wechat/shop?{query}", world.webhooks), body).await;
        assert!(
            answer.text() == "success" || answer.status == 403,
            "{encrypt}: {} {}",
            answer.status,
            answer.text()
        );
    }
    let unreadable = world.database.count("SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable'").await;
    assert!(unreadable >= 6, "{unreadable}");
    assert_eq!(world.stored().await, unreadable);
    assert!(world.died().is_none() && !world.log().contains("panicked"));
    assert_eq!(world.database.count("SELECT COUNT(*) FROM customer").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_in_compatible_mode_only_the_ciphertext_counts() {
    let world = Setup::new(Engine::Sqlite).mode(Mode::Compatible, Format::Xml).start().await;
    let beside =
        "<FromUserName>oEvil</FromUserName><MsgType>text</MsgType><Content>evil</Content><MsgId>9</MsgId>";
    let (query, body) = envelope(&encrypted(&wire::text(OPENID, 1, "true"), None), beside, "n");
    let url = format!("{}/wechat/shop?{query}", world.webhooks);
    assert_eq!(post(url.replace("msg_signature=", "msg_signature=0"), body.clone()).await.status, 403);
    assert_eq!(post(url, body).await.status, 200);
    assert_eq!(world.agent_sees("true").await, OPENID);
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, 1);
    assert_eq!(world.database.count("SELECT COUNT(*) FROM customer WHERE openid = 'oEvil'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_the_previous_token_and_key_are_accepted_while_the_console_changes() {
    let world = Setup::new(Engine::Sqlite)
        .mode(Mode::Secure, Format::Xml)
        .account(&format!("previous_token = \"OldToken01\"\nprevious_encoding_aes_key = \"{OTHER_KEY}\""))
        .start()
        .await;
    let (control, app_id) = (&world.control, world.app_id());
    let shop = WechatAccountConfig::shop();
    let (token, key) = (shop.token, shop.encoding_aes_key.unwrap());
    let pairs = [("OldToken01", OTHER_KEY), (&token, OTHER_KEY), ("OldToken01", &key), (&token, &key)];
    for (n, (token, key)) in pairs.into_iter().enumerate() {
        control.configure(json!({"token": token, "encoding_aes_key": key})).await.unwrap();
        assert!(control.verify(&app_id).await.unwrap());
        // WeChat checks and opens the sealed reply with what its console says.
        let report = control.say(&app_id, &wire::customer(n), &format!("pair {n}")).await.unwrap();
        assert_eq!(report.reply.as_deref(), Some("正在为您转接"), "pair {n}");
        world.agent_sees(&format!("pair {n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_with_a_wrong_key_pushes_are_kept_as_unreadable_and_acknowledged() {
    let mut world = Setup::new(Engine::Sqlite)
        .mode(Mode::Secure, Format::Xml)
        .env("TSUNAGI__ACCOUNT__0__ENCODING_AES_KEY", OTHER_KEY)
        .start()
        .await;
    let report = world.control.say(&world.app_id(), OPENID, "unread").await.unwrap();
    assert_eq!((report.outcome.as_str(), report.attempts), ("ack", 1));
    let kept = "SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable' AND query LIKE '%msg_signature=%' AND length(body) > 100";
    assert_eq!(world.database.count(kept).await, 1, "with all that is needed to read it again");
    assert!(world.metric("tsunagi_unreadable_total").await == 1.0);
    assert!(world.log().contains("unreadable"));
    assert_eq!(world.database.count("SELECT COUNT(*) FROM job").await, 0);
    world.kill();
    world.spawn(&[]);
    world.ready().await;
    assert_eq!(world.opened(OPENID, "read").await, OPENID, "the right key");
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_a_push_in_json_is_read_like_xml_and_answered_in_kind() {
    for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
        let world = Setup::new(Engine::Sqlite).mode(mode, Format::Json).start().await;
        let report = world.control.say(&world.app_id(), OPENID, "引用「\"」と\\と😀").await.unwrap();
        assert_eq!(report.reply.as_deref(), Some("正在为您转接"));
        world.agent_sees("引用「\"」と\\と😀").await;
        let location = json!({"MsgType": "location", "Location_X": 31.2, "Location_Y": "121.4", "Scale": 20, "Label": "人民広場"});
        world.control.push(&world.app_id(), OPENID, location).await.unwrap();
        let place = json!({"Desc": "人民広場", "Latitude": 31.2, "Longitude": 121.4});
        world
            .line("the place never came", |line| {
                line["cloud"] == "im"
                    && line["kind"] == "delivered"
                    && line["body"][0]["MsgType"] == "TIMLocationElem"
                    && line["body"][0]["MsgContent"] == place
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_the_passive_reply_is_sealed_signed_and_turned_round() {
    let world = Setup::new(Engine::Sqlite)
        .mode(Mode::Secure, Format::Xml)
        .env("TSUNAGI__ACCOUNT__0__WAITING", "wait ]]> <b>&amp; 😀")
        .start()
        .await;
    let reply = world.push_sealed(&wire::text(OPENID, 1, "hi"), "n").await;
    assert!(reply.header("content-type").unwrap().contains("xml"));
    let envelope = reply.text();
    let part = |name: &str| {
        let inner =
            envelope.split(&format!("<{name}>")).nth(1).unwrap().split(&format!("</{name}>")).next().unwrap();
        inner.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    let shop = WechatAccountConfig::shop();
    let signed = wechat::signature(&[&shop.token, &part("TimeStamp"), &part("Nonce"), &part("Encrypt")]);
    assert_eq!(part("MsgSignature"), signed);
    let key = wechat::AesKey::parse(&shop.encoding_aes_key.unwrap()).unwrap();
    let document = String::from_utf8(key.decrypt(&shop.app_id, &part("Encrypt")).unwrap()).unwrap();
    assert!(document.contains(&format!("<ToUserName><![CDATA[{OPENID}]]></ToUserName>")), "{document}");
    assert!(document.contains("<FromUserName><![CDATA[gh_0123456789ab]]></FromUserName>"), "{document}");
    let time: i64 =
        document.split("<CreateTime>").nth(1).unwrap().split('<').next().unwrap().parse().unwrap();
    assert!((now_s() - time).abs() < 10, "seconds: {time}");
    assert!(!document.contains("wait ]]> "), "{document}");
    // And the cloud reads the same out of it.
    let report = world.control.say(&world.app_id(), &wire::customer(1), "hi").await.unwrap();
    assert_eq!(report.reply.as_deref(), Some("wait ]]> <b>&amp; 😀"));
}
