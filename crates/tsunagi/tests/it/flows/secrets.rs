//! F66: after a run with every fault, nothing that is secret or a person's stands in logs, metrics or error answers.

use super::on_every_engine;
use super::relay::delete_in_im;
use super::wire::{self, customer, now_s, post, signed_with};
use crate::support::{AGENT, OPENID, Setup, World};
use sim::{Fault, Format, ImConfig, Kind, Mode, WechatAccountConfig};

const SAID: &str = "私の電話番号は09012345678です";
const ANSWERED: &str = "ご注文4711番を確認しました";

/// Whatever looks like a UserSig: zlib in their base64, which always begins like this.
fn has_usersig(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "*-_".contains(c)))
        .any(|word| (word.starts_with("eJ") || word.starts_with("eN")) && word.len() > 60)
}

async fn everything_goes_wrong(world: &World, answers: &mut Vec<String>) {
    let (control, app_id) = (&world.control, world.app_id());
    control.follow(&app_id, OPENID).await.unwrap();
    for fault in [
        Fault::once("im.sendmsg", Kind::Errcode).value(70001),
        Fault::once("im.sendmsg", Kind::Errcode).value(60007),
        Fault::once("im.account_import", Kind::ResetBefore),
        Fault::once("im.account_import", Kind::Body).value("<html>"),
        Fault::once("wechat.token", Kind::Status).value(500),
        Fault::once("wechat.custom_send", Kind::Errcode).value(40001),
    ] {
        world.fault(fault).await;
    }
    world.opened(OPENID, SAID).await;
    // Customers of their own, so that their troubles pass at the same time.
    let kinds = [Kind::ResetAfter, Kind::Truncated, Kind::Status, Kind::Errcode];
    for (n, kind) in kinds.into_iter().enumerate() {
        let ghost = customer(n);
        control.say(&app_id, &ghost, SAID).await.unwrap();
        world
            .line("her ghost lives", |line| line["kind"] == "delivered" && line["from"] == ghost.as_str())
            .await;
        world.agent_says(&ghost, ANSWERED).await;
        world.fault(Fault::once("wechat.custom_send", kind).value(500)).await;
    }
    world.fault(Fault::once("im.sendmsg", Kind::ResetAfter)).await;
    world.fault(Fault::once("im.history", Kind::Status).value(500)).await;
    control.say(&app_id, &customer(3), SAID).await.unwrap();
    world.struck("im.sendmsg", 3).await;
    for cloud in ["wechat", "im"] {
        world.fault(Fault::lasting(cloud, Kind::Refuse, 500)).await;
    }
    control.say(&app_id, &customer(4), SAID).await.unwrap();
    world.agent_says(OPENID, ANSWERED).await;
    world.drained().await;
    // The ghost and the agent vanish from IM: repairs are logged too.
    delete_in_im(world, &[AGENT, OPENID]).await;
    control.say(&app_id, OPENID, SAID).await.unwrap();
    world.drained().await;
    control.unfollow(&app_id, OPENID).await.unwrap();
    // Requests that are refused or cannot be read.
    let hook = |path: &str, query: &str| format!("{}{path}?{query}", world.webhooks);
    let document = wire::text(OPENID, 1, SAID);
    let token = WechatAccountConfig::shop().token;
    let (_, envelope) = wire::envelope(&wire::encrypted(&document, Some("wx0")), "", "n");
    for (path, query, body) in [
        ("/wechat/shop", signed_with("wrong", now_s(), "n"), document.clone()),
        ("/wechat/shop", signed_with(&token, now_s(), "n"), document.clone()),
        ("/wechat/shop", wire::envelope("AAAA", "", "n").0, envelope.clone()),
        (
            "/wechat/shop",
            format!("{}&openid={OPENID}&openid={OPENID}", signed_with(&token, 1, "n")),
            document.clone(),
        ),
        (
            "/imcallback",
            wire::callback_query("C2C.CallbackAfterSendMsg", 1, 0),
            wire::after_body(AGENT, OPENID, SAID, 1),
        ),
        (
            "/imcallback",
            wire::callback_query("C2C.CallbackAfterSendMsg", now_s(), 0),
            format!("{{\"From_Account\":\"{OPENID}\""),
        ),
        ("/wechat/nobody", String::new(), document.clone()),
    ] {
        let answer = post(hook(path, &query), body).await;
        answers.push(format!("{:?} {}", answer.headers, answer.text()));
    }
    let (query, sealed) = wire::envelope(&wire::encrypted(&document, Some("wx0")), "", "n");
    assert_eq!(post(hook("/wechat/shop", &query), sealed).await.text(), "success");
    for document in [
        format!("<xml><FromUserName>{OPENID}</FromUserName>{SAID}"),
        format!("{{\"FromUserName\":\"{OPENID}\""),
    ] {
        let answer = world.push_sealed(&document, "n").await;
        answers.push(format!("{:?} {}", answer.headers, answer.text()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f66_no_secret_no_openid_and_no_words_are_in_logs_metrics_or_error_answers() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine)
            .mode(Mode::Secure, Format::Xml)
            .env("TSUNAGI__LOG__LEVEL", "debug")
            .start()
            .await;
        let mut shown = Vec::new();
        everything_goes_wrong(&world, &mut shown).await;
        world.drained().await;
        let (shop, app) = (WechatAccountConfig::shop(), ImConfig::shop());
        let tokens = world.database.pairs("SELECT app_id, token FROM token").await;
        assert_eq!(tokens.len(), 1);
        let mut secrets: Vec<(&str, String)> = vec![
            ("AppSecret", shop.app_secret),
            ("token", shop.token),
            ("EncodingAESKey", shop.encoding_aes_key.unwrap()),
            ("IM key", app.secret_key),
            ("callback token", app.callback_token.unwrap()),
            ("access token", tokens[0].1.clone()),
            ("an access token", "sim_".into()),
            ("openid", OPENID.into()),
            ("another openid", customer(3)),
            ("the customer's words", "09012345678".into()),
            ("the agent's words", "4711番".into()),
        ];
        secrets.push(("usersig in a URL", "usersig=eJ".into()));
        for path in ["metrics", "readyz"] {
            shown.push(wire::get(format!("{}/{path}", world.admin)).await.text());
        }
        assert!(world.stop().unwrap().success());
        let log = world.log();
        assert!(
            log.contains("DEBUG") && log.contains("not delivered"),
            "the log is not what this test is about"
        );
        shown.push(log);
        for text in &shown {
            for (what, secret) in &secrets {
                let line = text.lines().find(|line| line.contains(secret.as_str()));
                assert!(line.is_none(), "{what} is shown: {}", line.unwrap_or_default());
            }
            let line = text.lines().find(|line| has_usersig(line));
            assert!(line.is_none(), "a UserSig is shown: {}", line.unwrap_or_default());
        }
    })
    .await;
}
