//! f66: what is secret is in no `Debug` and no `Display`. Errors of calls are covered in `client/outcomes.rs`.

use std::sync::Arc;

use im::{AdminSig, Client, Credentials, Query, open};
use secrecy::{ExposeSecret, SecretString};

const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
const TOKEN: &str = "s3cr3t-token";
const SIGN: &str = "ce915f7416d7af3c2f15544a0a392ae3b33ecc5dd08ee2f1c82821782f684a19";
const RAW_QUERY: &str = "SdkAppid=1&CallbackCommand=x&ClientIP=203.0.113.9\
    &Sign=ce915f7416d7af3c2f15544a0a392ae3b33ecc5dd08ee2f1c82821782f684a19&RequestTime=1700000000";

fn hides(shown: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn f66_key_and_usersig_are_hidden() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sig = Arc::new(AdminSig::new(SecretString::from(KEY), 1, "administrator", 86400));
    let current = sig.current(1_700_000_000);
    let secrets = [KEY, current.expose_secret(), "eJ"];
    hides(&format!("{sig:?} {current:?}"), &secrets);
    let http = im::http().build().expect("a client");
    let client = Client::new(http, "https://console.tim.qq.com", 1, sig).expect("a base URL");
    hides(&format!("{client:?}"), &secrets);
    let error =
        im::verify(&SecretString::from(KEY), 2, None, current.expose_secret(), 0).expect_err("another app");
    hides(&format!("{error:?} {error}"), &secrets);
}

#[test]
fn f66_token_and_sign_are_hidden() {
    let c = Credentials { sdk_app_id: 1, tokens: vec![SecretString::from(TOKEN)], window_s: 60 };
    hides(&format!("{c:?}"), &[TOKEN]);
    let query = Query::parse(RAW_QUERY).expect("well-formed");
    hides(&format!("{query:?}"), &[SIGN, "203.0.113.9"]);
    let refusal = open(&c, &RAW_QUERY.replace("Sign=c", "Sign=d"), b"", 1_700_000_000).expect_err("forged");
    hides(&format!("{refusal:?} {refusal}"), &[&SIGN[1..], TOKEN]);
}

#[test]
fn f66_an_opened_request_shows_no_content() {
    let c = Credentials { sdk_app_id: 1, tokens: vec![SecretString::from(TOKEN)], window_s: 60 };
    let body = r#"{"CallbackCommand":"C2C.CallbackBeforeSendMsg","From_Account":"agent_007","To_Account":"oUSER_1",
        "MsgSeq":1,"MsgRandom":2,"MsgTime":3,"MsgKey":"1_2_3",
        "MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"secret words"}}]}"#;
    for body in [body, &body.replace("MsgSeq", "Msg")] {
        let opened = open(&c, RAW_QUERY, body.as_bytes(), 1_700_000_000).expect("genuine");
        hides(&format!("{opened:?}"), &["secret words", "oUSER_1", "agent_007", SIGN]);
    }
}
