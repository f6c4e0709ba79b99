//! How the client deals with a UserSig that IM no longer takes.

use im::{AdminSig, CallError};
use secrecy::{ExposeSecret, SecretString};

use crate::server::{KEY, NOW, Server};

const OK: &str = r#"{"ActionStatus":"OK","ErrorCode":0}"#;

#[tokio::test]
async fn f50_a_stale_usersig_is_renewed_and_the_call_repeated_once() {
    for code in [70001, 70052, 20002] {
        let refusal = format!(r#"{{"ActionStatus":"FAIL","ErrorCode":{code},"ErrorInfo":"expired"}}"#);
        let (server, client) = Server::start(&[(200, &refusal), (200, OK), (200, OK)]).await;
        client.account_import("wx_u1", Some("Li"), None, u32::MAX, NOW).await.expect("the second try");
        client.account_import("wx_u1", None, None, 5, NOW + 1).await.expect("with what was made");
        let asked = server.asked();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0].body, asked[1].body);
        assert_ne!(asked[0].query["usersig"], asked[1].query["usersig"], "new even within one second");
        assert_ne!(asked[0].query["random"], asked[1].query["random"]);
        assert_eq!(asked[1].query["usersig"], asked[2].query["usersig"], "and kept");
    }
}

#[tokio::test]
async fn f50_a_second_refusal_is_final() {
    let refusal = r#"{"ActionStatus":"FAIL","ErrorCode":70001,"ErrorInfo":"expired"}"#;
    let (server, client) = Server::start(&[(200, refusal), (200, refusal)]).await;
    let error = client.account_import("wx_u1", None, None, 1, NOW).await.expect_err("refused twice");
    assert!(matches!(error, CallError::Refused(code) if code.code == 70001));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn f50_other_faults_of_the_usersig_are_not_repeated() {
    for code in [70002, 70003, 70009, 70013, 70014, 60010] {
        let refusal = format!(r#"{{"ErrorCode":{code}}}"#);
        let (server, client) = Server::start(&[(200, &refusal)]).await;
        client.account_import("wx_u1", None, None, 1, NOW).await.expect_err("refused");
        assert_eq!(server.asked().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn f66_a_usersig_or_openid_that_im_repeats_is_redacted() {
    let sig = AdminSig::new(SecretString::from(KEY), 1_400_000_000, "administrator", 86400).current(NOW);
    let refusal = format!(r#"{{"ErrorCode":60025,"ErrorInfo":"bad {} for oUSER_1"}}"#, sig.expose_secret());
    let (_, client) = Server::start(&[(200, &refusal), (200, &refusal)]).await;
    let error = client.account_import("oUSER_1", None, None, 1, NOW).await.expect_err("refused");
    let CallError::Refused(error) = error else { panic!("{error:?}") };
    assert_eq!(error.info, "bad [redacted] for [redacted]");
    let error = client.account_delete(&["oUSER_1"], 1, NOW).await.expect_err("refused");
    assert!(!format!("{error:?} {error}").contains("oUSER_1"));
}
