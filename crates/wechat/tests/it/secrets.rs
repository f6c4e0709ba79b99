//! F66: nothing that can be printed shows a secret, a token or an openid.

use std::error::Error;
use std::fmt::Debug;

use secrecy::SecretString;
use wechat::{CallError, Credentials, open, wire};

use crate::server::{Server, Then, client, misbehaving};
use crate::vectors::{APP_ID, KEY, TOKEN, V5_QUERY, aes_query, credentials, v5_body};

const ACCESS_TOKEN: &str = "s3cretAccessToken";
const APP_SECRET: &str = "s3cretAppSecret";
const OPENID: &str = "oS3cretOpenid";

/// Everything that a log could print of an error.
fn printed(error: &CallError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(" {error} {error:?} {error:#?}");
        source = error.source();
    }
    text
}

fn assert_clean(text: &str) {
    for secret in [ACCESS_TOKEN, APP_SECRET, OPENID, "s3cret", TOKEN, KEY, "您好", "access_token="] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn f66_no_error_of_a_call_shows_a_secret() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let echo = format!(
        r#"{{"errcode":40001,"errmsg":"invalid {ACCESS_TOKEN} of {APP_SECRET} for {OPENID}\nrid: 1-2-3{}"}}"#,
        "x".repeat(1000)
    );
    let urls = [
        closed,
        "http://name.invalid".to_owned(),
        misbehaving(Then::Hang).await,
        misbehaving(Then::Reset).await,
        misbehaving(Then::CutBody).await,
        Server::saying("<html>s3cret").await.url,
        Server::saying(r#"{"errcode":"s3cret"}"#).await.url,
        Server::saying(r#"{"access_token":"","expires_in":"s3cret"}"#).await.url,
        Server::saying(echo).await.url,
    ];
    let mut errors = 0;
    for url in urls {
        let client = client(&url);
        assert_clean(&format!("{client:?}"));
        // The message hides what the call knows: a token call does not know the openid, so ask it first.
        if let Err(error) = client.send_text(&SecretString::from(ACCESS_TOKEN), OPENID, "您好").await {
            let text = printed(&error);
            if text.contains("40001") {
                assert!(text.contains("[redacted] of") && text.contains("rid: 1-2-3"), "{text}");
                assert!(text.len() < 3_000 && !text.contains("\\n"), "{text}");
                assert_clean(&text.replace(APP_SECRET, ""));
            } else {
                assert_clean(&text);
            }
            errors += 1;
        }
    }
    assert_eq!(errors, 9);
    let server = Server::saying(format!(r#"{{"errcode":40125,"errmsg":"bad {APP_SECRET}"}}"#)).await;
    let error =
        client(&server.url).stable_token("wx", &SecretString::from(APP_SECRET), false).await.unwrap_err();
    assert_clean(&printed(&error));
}

#[tokio::test]
async fn f66_an_access_token_is_not_printed() {
    let server = Server::saying(format!(r#"{{"access_token":"{ACCESS_TOKEN}","expires_in":7200}}"#)).await;
    let token = client(&server.url).stable_token("wx", &SecretString::from(APP_SECRET), false).await.unwrap();
    assert_clean(&format!("{token:?} {token:#?}"));
}

#[test]
fn f66_nothing_of_a_webhook_shows_a_secret() {
    fn check(value: &impl Debug) {
        assert_clean(&format!("{value:?} {value:#?}"));
    }
    let c = credentials(TOKEN, Some(KEY), APP_ID);
    check(&c);
    check(&c.aes_keys);
    // Not in raw bytes, either.
    let printed = format!("{:?}", c.aes_keys[0]);
    assert!(!printed.contains("171") && !printed.contains("ab53"), "{printed}");
    let opened = open(&c, V5_QUERY, v5_body().as_bytes(), 1_760_000_001).unwrap();
    check(&opened);
    check(&opened.seal);
    let text = format!("{opened:?}");
    assert!(!text.contains("oAbCdEfGhIjKlMnOpQrStUvWxYz0") && !text.contains("退款"), "{text}");
    check(&open(&c, "signature=s3cret&timestamp=1&nonce=s3cret", b"", 0).unwrap_err());
    check(&open(&c, "signature=s3cret&signature=s3cret", b"", 0).unwrap_err());
    check(&wechat::Query::parse("signature=s3cret&timestamp=1&nonce=1&openid=oS3cretOpenid").unwrap());
    check(&wire::StableTokenRequest {
        grant_type: "client_credential".into(),
        appid: "wx".into(),
        secret: APP_SECRET.into(),
        force_refresh: false,
    });
    check(&wire::StableTokenAnswer { access_token: ACCESS_TOKEN.into(), expires_in: 7200 });
}

#[test]
fn f66_a_parse_error_quotes_nothing() {
    let c = Credentials { require_encryption: false, ..credentials(TOKEN, Some(KEY), APP_ID) };
    for document in [
        "<xml><Content>&s3cret;</Content></xml>",
        "<xml><s3cret></xml>",
        "<s3cret/>",
        r#"{"a":s3cret}"#,
        r#"{"FromUserName":"oS3cretOpenid"}"#,
        "s3cret",
    ] {
        let encrypt = c.aes_keys[0].encrypt(APP_ID, [0; 16], document.as_bytes());
        let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
        let opened = open(&c, &aes_query(TOKEN, "1", "1", &encrypt), body.as_bytes(), 1).unwrap();
        let error = opened.push.unwrap_err();
        assert_clean(&format!("{error} {error:?} {}", error.reason));
    }
}
