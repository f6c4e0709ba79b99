//! F15, F16, F47: nothing that is not proven to come from a cloud leaves a trace.

use super::on_every_engine;
use super::wire::{
    self, after_body, callback_query, encrypted, envelope, get, now_s, post, signed, signed_with,
};
use crate::support::{AGENT, Engine, OPENID, Setup};
use serde_json::json;
use sim::{Format, Mode};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn f15_unsigned_badly_signed_and_stale_pushes_are_refused_and_nothing_is_stored() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let hook = format!("{}/wechat/shop", world.webhooks);
        let (now, body) = (now_s(), wire::text(OPENID, 1, "forged"));
        let good = signed(now, "n");
        let queries = [
            String::new(),
            format!("timestamp={now}&nonce=n"),
            format!("signature=&timestamp={now}&nonce=n"),
            signed_with("another token", now, "n"),
            signed_with("", now, "n"),
            good.replace("nonce=n", "nonce=m"),
            good.replace(&format!("timestamp={now}"), &format!("timestamp={}", now + 1)),
            good.replace("signature=", "signature=0"),
            good.to_uppercase()
                .replace("SIGNATURE", "signature")
                .replace("TIMESTAMP", "timestamp")
                .replace("NONCE", "nonce"),
            signed(now - 301, "n"),
            signed(now + 400, "n"),
            signed(0, "n"),
        ];
        for query in queries {
            let answer = post(format!("{hook}?{query}"), body.clone()).await;
            assert!(matches!(answer.status, 400 | 403), "{query}: {}", answer.status);
            assert!(!answer.text().contains("forged"));
            let verify = get(format!("{hook}?{query}&echostr=123")).await;
            assert!(matches!(verify.status, 400 | 403) && !verify.text().contains("123"), "{query}");
        }
        // F16: a field twice, with different values; not ASCII; not decodable.
        for query in [
            format!("{good}&nonce=n"),
            format!("{good}&timestamp={now}"),
            format!("{good}&signature=%ff%fe"),
            format!("{good}&nonce=好"),
        ] {
            let answer = post(format!("{hook}?{query}"), body.clone()).await;
            assert!(matches!(answer.status, 400 | 403), "{query}: {}", answer.status);
        }
        assert_eq!(post(format!("{}/wechat/nobody?{good}", world.webhooks), body.clone()).await.status, 404);
        assert_eq!(world.stored().await, 0);
        assert_eq!(post(format!("{hook}?{good}"), body).await.status, 200, "the same body, well signed");
        assert_eq!(world.stored().await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_a_replay_is_no_second_message_and_soon_refused() {
    let world = Setup::new(Engine::Sqlite).account("signature_window = 2").start().await;
    let url = format!("{}/wechat/shop?{}", world.webhooks, signed(now_s(), "n"));
    let body = wire::text(OPENID, 1, "once");
    let (first, replay) = (post(url.clone(), body.clone()).await, post(url.clone(), body.clone()).await);
    assert_eq!((first.status, &first.body), (200, &replay.body));
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!(post(url, body).await.status, 403);
    assert_eq!(world.stored().await, 1);
    world.drained().await;
    assert_eq!(world.shown_to_agent(|_| true).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_in_secure_mode_the_ciphertext_must_be_signed_too() {
    let world = Setup::new(Engine::Sqlite).mode(Mode::Secure, Format::Xml).start().await;
    let hook = format!("{}/wechat/shop", world.webhooks);
    let (query, body) = envelope(&encrypted(&wire::text(OPENID, 1, "sealed"), None), "", "n");
    let (_, other) = envelope(&encrypted(&wire::text(OPENID, 2, "another"), None), "", "n");
    let without = query.split("&msg_signature").next().unwrap();
    for (query, body) in [
        (query.as_str(), other.as_str()),
        (without, body.as_str()),
        (without.split("&encrypt_type").next().unwrap(), body.as_str()),
        (query.as_str(), "<xml><ToUserName>gh_0123456789ab</ToUserName></xml>"),
        // The signature of the query does not cover a plaintext body: it could be anybody's.
        (without.split("&encrypt_type").next().unwrap(), &wire::text(OPENID, 3, "plain")),
    ] {
        assert_eq!(post(format!("{hook}?{query}"), body).await.status, 403, "{query} {body}");
    }
    assert_eq!(world.stored().await, 0);
    assert_eq!(post(format!("{hook}?{query}"), body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f47_forged_callbacks_are_refused_and_nothing_is_stored() {
    on_every_engine(|engine| async move {
        let world = Setup::new(engine).start().await;
        let ghost = world.opened(OPENID, "hello").await;
        let before = world.stored().await;
        let (hook, now) = (format!("{}/imcallback", world.webhooks), now_s());
        let (command, body) = ("C2C.CallbackAfterSendMsg", after_body(AGENT, &ghost, "forged", 1));
        let good = callback_query(command, now, 0);
        let sign = good.split("Sign=").nth(1).unwrap().split('&').next().unwrap();
        let queries = [
            String::new(),
            callback_query(command, now, 1),
            good.replace(&format!("SdkAppid={}&", sim::ImConfig::shop().sdk_app_id), ""),
            good.replace(sign, &"0".repeat(64)),
            good.replace(sign, ""),
            good.replace(&format!("Sign={sign}&"), ""),
            good.replace(&format!("RequestTime={now}"), &format!("RequestTime={}", now - 1)),
            good.replace(&format!("&RequestTime={now}"), ""),
            callback_query(command, now - 3_600, 0),
            callback_query(command, now + 3_600, 0),
        ];
        for query in queries {
            let answer = post(format!("{hook}?{query}"), body.clone()).await;
            assert!(matches!(answer.status, 400 | 403), "{query}: {}", answer.status);
            assert!(!answer.text().contains("ActionStatus"), "no envelope for strangers");
        }
        // The cloud itself, with another token.
        world.control.configure(json!({"callback_token": "AnotherToken"})).await.unwrap();
        world.agent_says(&ghost, "signed with another token").await;
        world.drained().await;
        assert_eq!(world.stored().await, before);
        assert_eq!(world.calls("wechat.custom_send").await.len(), 0);
        assert!(world.metric("tsunagi_webhooks_refused_total").await >= 11.0);
        assert_eq!(post(format!("{hook}?{good}"), body).await.status, 200, "the same body, well signed");
        world.customer_sees("forged").await;
    })
    .await;
}
