//! Who is let in at the webhook's door.

use im::{Credentials, Query, Refusal, callback_signature, callback_signature_matches, check_query, open};
use secrecy::SecretString;

const APP: u64 = 1_400_000_000;
const NOW: i64 = 1_669_872_112;
const TOKEN: &str = "xxxxyyyy";
const SIGN: &str = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061";

fn credentials(tokens: &[&str]) -> Credentials {
    let tokens = tokens.iter().map(|token| SecretString::from(*token)).collect();
    Credentials { sdk_app_id: APP, tokens, window_s: 60 }
}

fn query(app: &str, sign: &str, time: &str) -> String {
    format!(
        "SdkAppid={app}&CallbackCommand=C2C.CallbackAfterSendMsg&contenttype=json&ClientIP=203.0.113.9\
         &OptPlatform=Web&Sign={sign}&RequestTime={time}"
    )
}

fn refused(c: &Credentials, raw_query: &str, now_s: i64) -> Refusal {
    let refusal = open(c, raw_query, b"{}", now_s).expect_err(raw_query);
    assert_eq!(check_query(c, raw_query, now_s), Err(refusal), "the address alone says the same");
    refusal
}

#[test]
fn f47_the_vectors_of_the_reference() {
    for (token, time, sign) in [
        (TOKEN, "1669872112", SIGN),
        ("s3cr3t-token", "1700000000", "ce915f7416d7af3c2f15544a0a392ae3b33ecc5dd08ee2f1c82821782f684a19"),
        ("AbC_-09*", "1735689600", "ba1cbbf646a687259ea577193eab9f5759fdd045966444ec414f9639ba8056da"),
    ] {
        assert_eq!(callback_signature(token, time), sign);
        assert!(callback_signature_matches(token, time, sign));
        assert!(callback_signature_matches(token, time, &sign.to_uppercase()), "either case");
        assert!(!callback_signature_matches(token, time, &sign[1..]));
        assert!(!callback_signature_matches(token, time, ""));
        assert!(!callback_signature_matches(token, time, "签名"));
    }
    assert!(!callback_signature_matches("xxxyyy", "1669872112", SIGN), "the typo of older pages");
}

#[test]
fn f47_a_genuine_request_is_let_in() {
    let c = credentials(&[TOKEN]);
    for sign in [SIGN.to_owned(), SIGN.to_uppercase()] {
        let query = query("1400000000", &sign, "1669872112");
        assert_eq!(check_query(&c, &query, NOW), Ok(()));
        let opened = open(&c, &query, b"", NOW).expect("genuine");
        assert_eq!(
            (opened.command.as_str(), opened.opt_platform.as_str()),
            ("C2C.CallbackAfterSendMsg", "Web")
        );
    }
    let both = credentials(&["new-token", TOKEN]);
    assert!(open(&both, &query("1400000000", SIGN, "1669872112"), b"{}", NOW).is_ok(), "the previous token");
}

#[test]
fn f47_forged_requests_are_refused() {
    let c = credentials(&[TOKEN]);
    let good = query("1400000000", SIGN, "1669872112");
    let flipped = format!("0{}", &SIGN[1..]);
    for (raw, refusal) in [
        (query("1400000000", &flipped, "1669872112"), Refusal::Signature),
        (query("1400000000", SIGN, "1669872113"), Refusal::Signature),
        (query("1400000000", SIGN, "01669872112"), Refusal::Signature),
        (query("1400000000", &SIGN[..63], "1669872112"), Refusal::Signature),
        (query("1400000000", "", "1669872112"), Refusal::MissingSignature),
        (query("1400000000", SIGN, ""), Refusal::MissingSignature),
        ("SdkAppid=1400000000".to_owned(), Refusal::MissingSignature),
        (query("1400000001", SIGN, "1669872112"), Refusal::SdkAppId),
        (query("", SIGN, "1669872112"), Refusal::SdkAppId),
        (query("-1400000000", SIGN, "1669872112"), Refusal::SdkAppId),
        (query("99999999999999999999999", SIGN, "1669872112"), Refusal::SdkAppId),
    ] {
        let got = refused(&c, &raw, NOW);
        assert_eq!((got, got.status()), (refusal, 403), "{raw}");
    }
    for twice in ["SdkAppid=1400000000", "Sign=a", "RequestTime=1", "CallbackCommand=a"] {
        assert_eq!(refused(&c, &format!("{good}&{twice}"), NOW).status(), 400, "{twice} twice");
    }
    assert_eq!(refused(&c, &good.replace("=Web", "=%00"), NOW).status(), 400);
    assert_eq!(refused(&c, &format!("{good}&a={}", "x".repeat(5000)), NOW).status(), 400);
    let large = vec![b' '; im::MAX_BODY + 1];
    assert_eq!(open(&c, &good, &large, NOW).expect_err("too large").status(), 413);
}

#[test]
fn f47_an_old_signature_is_stale() {
    let mut c = credentials(&[TOKEN]);
    let raw = query("1400000000", SIGN, "1669872112");
    for now in [NOW - 60, NOW, NOW + 60] {
        assert!(open(&c, &raw, b"{}", now).is_ok());
    }
    for now in [NOW - 61, NOW + 61, 0, i64::MAX, i64::MIN] {
        assert_eq!(refused(&c, &raw, now), Refusal::Stale);
    }
    c.window_s = 0;
    assert!(open(&c, &raw, b"{}", 0).is_ok(), "0 = do not check");
    c.window_s = 60;
    let time = "soon";
    assert_eq!(
        refused(&c, &query("1400000000", &callback_signature(TOKEN, time), time), NOW),
        Refusal::Stale
    );
}

#[test]
fn f47_without_a_token_requests_are_unsigned_but_the_app_counts() {
    let c = credentials(&[]);
    assert!(open(&c, "SdkAppid=1400000000", b"{}", NOW).is_ok());
    assert_eq!(refused(&c, "SdkAppid=1", NOW), Refusal::SdkAppId);
    assert_eq!(refused(&c, "", NOW), Refusal::SdkAppId);
    let empty = credentials(&[""]);
    let signed = query("1400000000", &callback_signature("", "1669872112"), "1669872112");
    assert_eq!(refused(&empty, &signed, NOW), Refusal::Signature, "anyone can sign with an empty token");
}

#[test]
fn platforms_have_one_spelling() {
    for (given, usual) in [
        ("RESTAPI", "RESTAPI"),
        ("restapi", "RESTAPI"),
        ("IOS", "iOS"),
        ("IPad", "iPad"),
        ("macOS", "Mac"),
        ("web", "Web"),
        ("Linux", "Linux"),
        ("", ""),
    ] {
        let query = Query::parse(&format!("SdkAppid=1&OptPlatform={given}")).expect("well-formed");
        assert_eq!(query.opt_platform, usual);
    }
    let raw = format!("SdkAppid={APP}&OptPlatform=RestApi");
    assert!(open(&credentials(&[]), &raw, b"{}", NOW).expect("unsigned").is_rest_api());
}
