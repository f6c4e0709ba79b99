//! Each way in which a call can end.

use std::error::Error;
use std::time::{Duration, Instant};

use im::{CallError, Client, Element, Fault, SendMsg, Sent, Verdict};

use crate::server::{NOW, Server, Then, bare, client};

async fn send(client: &Client) -> Result<Sent, CallError> {
    let message = SendMsg::new("oCUSTOMER-1", "agent_007", 1, 2, vec![Element::text("机密")]);
    client.send_msg(&message, 3, NOW).await
}

/// How `sendmsg` ends after this answer.
async fn after(status: u16, answer: &str) -> Result<Sent, CallError> {
    let (server, client) = Server::start(&[(status, answer)]).await;
    let outcome = send(&client).await;
    assert_eq!(server.asked().len(), 1, "a message is never repeated by itself");
    if let Err(error) = &outcome {
        shows_no_secret(error);
    }
    outcome
}

/// f66: neither the error nor what caused it shows the URL with its UserSig, a UserID or the text.
fn shows_no_secret(error: &CallError) {
    let mut shown = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        shown += &format!(" {error:?} {error}");
        source = error.source();
    }
    for secret in ["usersig", "eJ", "oCUSTOMER-1", "agent_007", "机密", "http://"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn unclear(outcome: Result<Sent, CallError>) -> Fault {
    match outcome {
        Err(CallError::Unclear(fault)) => fault,
        other => panic!("not unclear: {other:?}"),
    }
}

#[tokio::test]
async fn the_error_code_alone_decides() {
    for answer in [
        r#"{"ActionStatus":"OK","ErrorInfo":"succeed","ErrorCode":0,"MsgTime":1,"MsgKey":"k"}"#,
        r#"{"ErrorCode":0,"MsgTime":1,"MsgKey":"k"}"#,
        r#"{"ActionStatus":"FAIL","ErrorInfo":null,"ErrorCode":"0","MsgTime":"1","MsgKey":"k","New":[1]}"#,
    ] {
        let sent = after(200, answer).await.expect(answer);
        assert_eq!(sent, Sent { msg_key: "k".to_owned(), msg_time: 1 });
    }
}

#[tokio::test]
async fn f66_a_refusal_has_its_code_and_no_user_id() {
    let answer = r#"{"ActionStatus":"FAIL","ErrorCode":90012,"ErrorInfo":"invalid To_Account agent_007\nof oCUSTOMER-1"}"#;
    match after(200, answer).await {
        Err(CallError::Refused(error)) => {
            assert_eq!(error.code, 90012);
            assert_eq!(error.info, "invalid To_Account [redacted]of [redacted]");
            assert_eq!(error.verdict(), Verdict::Fix);
            assert!(!error.is_ambiguous());
        }
        other => panic!("{other:?}"),
    }
    for answer in [r#"{"ErrorCode":60008}"#, r#"{"ActionStatus":"OK","ErrorCode":"91000","ErrorInfo":7}"#] {
        match after(200, answer).await {
            Err(CallError::Refused(error)) => assert!(error.is_ambiguous() && error.info.is_empty()),
            other => panic!("{other:?}"),
        }
    }
    let long = format!(r#"{{"ErrorCode":93000,"ErrorInfo":"{}"}}"#, "长".repeat(5000));
    match after(200, &long).await {
        Err(CallError::Refused(error)) => assert_eq!(error.info.chars().count(), 300),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_unclear() {
    assert!(matches!(unclear(after(200, "").await), Fault::Empty));
    assert!(matches!(unclear(after(200, " \r\n").await), Fault::Empty));
    for answer in [
        "<html><body>502 Bad Gateway</body></html>",
        r#"{"ActionStatus":"OK","ErrorInfo":"","Error"#,
        "{}",
        "[]",
        "0",
        r#"{"ActionStatus":"OK","ErrorInfo":""}"#,
        r#"{"ErrorCode":null}"#,
        r#"{"ErrorCode":"OK"}"#,
        r#"{"ErrorCode":0}"#,
        r#"{"ErrorCode":0,"MsgTime":1,"MsgKey":""}"#,
        r#"{"ErrorCode":0,"MsgTime":"soon","MsgKey":"k"}"#,
    ] {
        assert!(matches!(unclear(after(200, answer).await), Fault::Unreadable), "{answer}");
    }
    let large = format!("{}{{}}", " ".repeat(1024 * 1024));
    assert!(matches!(unclear(after(200, &large).await), Fault::TooLarge));
}

#[tokio::test]
async fn any_other_status_is_unclear_whatever_the_body() {
    let good = r#"{"ErrorCode":0,"MsgTime":1,"MsgKey":"k"}"#;
    for status in [201, 302, 307, 400, 403, 404, 429, 500, 502, 503, 504] {
        assert!(matches!(unclear(after(status, good).await), Fault::Status(got) if got == status));
    }
}

#[tokio::test]
async fn a_refused_connection_means_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = send(&client(&format!("http://{address}"))).await.expect_err("nobody listens");
    assert!(matches!(error, CallError::NotSent(Fault::Transport(_))), "{error:?}");
    shows_no_secret(&error);
}

#[tokio::test]
async fn silence_is_unclear_and_does_not_last() {
    let client = bare(Then::Hang).await.with_timeout(Duration::from_millis(300));
    let begun = Instant::now();
    let error = send(&client).await.expect_err("a time-out");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(matches!(&error, CallError::Unclear(Fault::Transport(fault)) if fault.is_timeout()), "{error:?}");
    shows_no_secret(&error);
}

#[tokio::test]
async fn a_reset_after_the_request_was_read_is_unclear() {
    let error = send(&bare(Then::Reset).await).await.expect_err("a reset");
    assert!(matches!(error, CallError::Unclear(Fault::Transport(_))), "{error:?}");
    shows_no_secret(&error);
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_unclear() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ErrorCode\":0,",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"Err",
        "HTTP/1.1 200 OK\r\nConte",
        "not HTTP at all\r\n\r\n",
    ] {
        let error = send(&bare(Then::Write(text)).await).await.expect_err("cut short");
        assert!(matches!(error, CallError::Unclear(Fault::Transport(_))), "{text}: {error:?}");
        shows_no_secret(&error);
    }
}

#[tokio::test]
async fn a_base_url_is_http_and_nothing_more() {
    let sig = || std::sync::Arc::new(im::AdminSig::new("key".into(), 1, "administrator", 60));
    drop(client("http://127.0.0.1:1"));
    let new = |url: &str| Client::new(im::http().build().expect("a client"), url, 1, sig());
    for good in ["https://console.tim.qq.com", "https://console.tim.qq.com/", "http://127.0.0.1:8080/im/"] {
        assert!(new(good).is_ok(), "{good}");
    }
    for bad in
        ["", "console.tim.qq.com", "ftp://a", "https://u:p@a", "https://u@a", "https://a?b=c", "https://a#b"]
    {
        assert!(new(bad).is_err(), "{bad}");
    }
}
