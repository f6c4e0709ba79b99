//! The client over real HTTP: what is on the wire, and what each way to fail is taken for.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::{ExposeSecret, SecretString};
use wechat::{CallError, Client, Fault, Verdict};

use crate::server::{Server, Then, client, misbehaving};

const TOKEN: &str = "ACCESS_TOKEN+/=&x";
const SECRET: &str = "app-secret-0123";

async fn send(url: &str) -> Result<(), CallError> {
    client(url).send_text(&SecretString::from(TOKEN), "oUSER", "您好").await
}

async fn ask_token(url: &str) -> Result<wechat::AccessToken, CallError> {
    client(url).stable_token("wx1", &SecretString::from(SECRET), false).await
}

/// The fault of a call that may have been carried out.
fn unclear<T: std::fmt::Debug>(result: Result<T, CallError>) -> Fault {
    match result {
        Err(CallError::Unclear(fault)) => fault,
        other => panic!("not unclear: {other:?}"),
    }
}

#[tokio::test]
async fn f38_text_is_sent_as_raw_utf_8() {
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let content = "您好😀 <a href=\"https://x.cn/?a=1&b=2\">link</a>\n/:)\u{1}\u{FFFF}\u{2028}";
    client(&server.url).send_text(&SecretString::from(TOKEN), "oUSER", content).await.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.uri, "/cgi-bin/message/custom/send?access_token=ACCESS_TOKEN%2B%2F%3D%26x");
    assert_eq!(seen.headers["content-type"], "application/json");
    let expected = "您好😀 <a href=\\\"https://x.cn/?a=1&b=2\\\">link</a>\\n/:)\u{2028}";
    assert_eq!(
        seen.body,
        format!(r#"{{"touser":"oUSER","msgtype":"text","text":{{"content":"{expected}"}}}}"#)
    );
}

#[tokio::test]
async fn the_token_is_asked_for_in_stable_mode() {
    let server = Server::saying(r#"{"access_token":" T1 ","expires_in":7200}"#).await;
    let token = ask_token(&server.url).await.unwrap();
    assert_eq!((token.token.expose_secret(), token.expires_in), ("T1", 7200));
    client(&server.url).stable_token("wx1", &SecretString::from(SECRET), true).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].uri.as_str()), ("POST", "/cgi-bin/stable_token"));
    let body = |force| {
        format!(
            r#"{{"grant_type":"client_credential","appid":"wx1","secret":"{SECRET}","force_refresh":{force}}}"#
        )
    };
    assert_eq!((seen[0].body.as_str(), seen[1].body.as_str()), (&*body(false), &*body(true)));
}

#[tokio::test]
async fn f28_an_empty_or_lifeless_token_is_never_ok() {
    for answer in [
        r#"{"access_token":"","expires_in":7200}"#,
        r#"{"access_token":"  ","expires_in":7200}"#,
        r#"{"access_token":null,"expires_in":7200}"#,
        r#"{"access_token":"T1","expires_in":0}"#,
        r#"{"access_token":"T1","expires_in":-1}"#,
        r#"{"access_token":"T1"}"#,
        r#"{"errcode":0,"errmsg":"ok"}"#,
        "{}",
    ] {
        let server = Server::saying(answer).await;
        assert!(matches!(unclear(ask_token(&server.url).await), Fault::Unreadable), "{answer}");
    }
    let server = Server::saying(r#"{"errcode":40125,"errmsg":"invalid appsecret rid: 1-2-3"}"#).await;
    let Err(CallError::Refused(errcode)) = ask_token(&server.url).await else { panic!() };
    assert_eq!((errcode.code, errcode.verdict()), (40125, Verdict::Config));
}

#[tokio::test]
async fn f35_an_errcode_with_status_200_is_a_refusal() {
    for (answer, code) in [
        (r#"{"errcode":45015,"errmsg":"response out of time limit"}"#, 45015),
        (r#"{"errcode":"45047"}"#, 45047),
        (r#"{"errcode":-1,"errmsg":"system error"}"#, -1),
        (r#" {"errmsg":null,"errcode":40001,"rid":{}}"#, 40001),
    ] {
        let server = Server::saying(answer).await;
        match send(&server.url).await {
            Err(CallError::Refused(errcode)) => assert_eq!(errcode.code, code),
            other => panic!("{answer}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_errcode_of_0_is_success_also_as_text() {
    for answer in [r#"{"errcode":0,"errmsg":"ok"}"#, r#"{"errcode":0}"#, r#"{"errcode":"0"}"#] {
        send(&Server::saying(answer).await.url).await.unwrap();
    }
}

#[tokio::test]
async fn f35_empty_html_or_truncated_with_status_200_is_unclear() {
    for answer in ["", " \r\n"] {
        assert!(matches!(unclear(send(&Server::saying(answer).await.url).await), Fault::Empty));
    }
    for answer in [
        "<html><body>errcode 0</body></html>",
        r#"{"errcode":0,"errm"#,
        r#"{"errcode":40001"#,
        "[]",
        "ok",
        "null",
        "{}",
        r#"{"errmsg":"ok"}"#,
        r#"{"errcode":null}"#,
        r#"{"errcode":"soon"}"#,
        r#"{"errcode":1.5}"#,
        r#"{"errcode":{}}"#,
        "{}{}",
    ] {
        assert!(
            matches!(unclear(send(&Server::saying(answer).await.url).await), Fault::Unreadable),
            "{answer}"
        );
    }
    let large = format!(r#"{{"errcode":0,"x":"{}"}}"#, "x".repeat(2 << 20));
    assert!(matches!(unclear(send(&Server::saying(large).await.url).await), Fault::TooLarge));
}

#[tokio::test]
async fn f34_another_status_is_unclear_whatever_its_body() {
    for status in [201, 204, 400, 403, 404, 413, 429, 500, 502, 503, 504] {
        let answer = move || {
            (StatusCode::from_u16(status).unwrap(), r#"{"errcode":40001,"errmsg":"x"}"#).into_response()
        };
        let server = Server::answering(answer).await;
        assert!(matches!(unclear(send(&server.url).await), Fault::Status(given) if given == status));
    }
}

#[tokio::test]
async fn f34_time_out_reset_and_cut_answers_are_unclear() {
    for then in [Then::Hang, Then::Reset, Then::CutBody, Then::HangInBody] {
        let url = misbehaving(then).await;
        match unclear(send(&url).await) {
            Fault::Transport(error) => {
                let hangs = matches!(then, Then::Hang | Then::HangInBody);
                assert_eq!(error.is_timeout(), hangs, "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn f34_a_refused_connection_is_not_sent() {
    // A port that was free a moment ago, and one that nothing may listen on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(send(&url).await, Err(CallError::NotSent(Fault::Transport(_)))));
    assert!(matches!(send("http://name.invalid").await, Err(CallError::NotSent(Fault::Transport(_)))));
}

#[tokio::test]
async fn f34_a_failed_tls_handshake_is_not_sent() {
    // A server that speaks plain HTTP: the handshake ends before the request could leave.
    let server = Server::saying("{}").await;
    let url = server.url.replace("http://", "https://");
    assert!(matches!(send(&url).await, Err(CallError::NotSent(Fault::Transport(_)))));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::saying(r#"{"errcode":0}"#).await;
    for status in [301_u16, 302, 307, 308] {
        let location = target.url.clone();
        let answer =
            move || (StatusCode::from_u16(status).unwrap(), [("location", location.clone())]).into_response();
        let server = Server::answering(answer).await;
        assert!(matches!(unclear(send(&server.url).await), Fault::Status(given) if given == status));
        assert_eq!(server.seen().len(), 1);
        // A client that was built otherwise: its success elsewhere is not taken for one.
        let follower = reqwest::Client::builder().no_proxy().build().unwrap();
        let follower = Client::new(follower, &server.url).unwrap();
        let sent = follower.send_text(&SecretString::from(TOKEN), "oUSER", "x").await;
        assert!(matches!(unclear(sent), Fault::Redirected));
    }
    assert_eq!(target.seen().len(), 4);
}

#[test]
fn base_urls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let new = |url: &str| Client::new(reqwest::Client::new(), url);
    for url in ["https://api.weixin.qq.com", "https://api.weixin.qq.com/", "http://127.0.0.1:1/base/"] {
        assert!(new(url).is_ok(), "{url}");
    }
    for url in
        ["", "api.weixin.qq.com", "ftp://x", "https://u:p@x", "https://x/?a=1", "https://x/#a", "http://"]
    {
        assert!(new(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_path_in_the_base_url_is_kept() {
    let server = Server::saying(r#"{"errcode":0}"#).await;
    send(&format!("{}/base/", server.url)).await.unwrap();
    assert!(server.seen()[0].uri.starts_with("/base/cgi-bin/message/custom/send?"));
}
