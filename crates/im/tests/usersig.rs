//! UserSig: the vectors of the reference in both directions, and what is refused with which code.

#![expect(clippy::unwrap_used, reason = "a test that cannot decode its vectors has failed")]

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use im::{UserSigError, sign, verify};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const K1: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
const K2: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Vector {
    key: &'static str,
    app: u64,
    identifier: &'static str,
    time: i64,
    expire: u64,
    userbuf: Option<&'static [u8]>,
    json: &'static str,
    usersig: &'static str,
}

const VECTORS: [Vector; 4] = [
    Vector {
        key: K1,
        app: 1_400_000_000,
        identifier: "administrator",
        time: 1_700_000_000,
        expire: 15_552_000,
        userbuf: None,
        json: r#"{"TLS.ver":"2.0","TLS.identifier":"administrator","TLS.sdkappid":1400000000,"TLS.time":1700000000,"TLS.expire":15552000,"TLS.sig":"JCzxanF8NTTXau4m+2h9wv7gYJnyNksm0xm1NEXU274="}"#,
        usersig: "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwokpuZl5mcUlRYkl*UVQBcUp2YkFBZkpSlaGJgZQAJEpycxNVbIyNEcVTa0oyCwCiZuamhrBRYsz05WslLycqyoS89ws-EJCIhJLTXK1jTIsy8vM0yO98ir9sotzDSpyDf1cI0KNzE1slWoBQr40pw__",
    },
    Vector {
        key: K1,
        app: 1_400_000_000,
        identifier: "wx_oABcd-1234567890_efGHIJKLmn",
        time: 1_700_000_000,
        expire: 86400,
        userbuf: None,
        json: r#"{"TLS.ver":"2.0","TLS.identifier":"wx_oABcd-1234567890_efGHIJKLmn","TLS.sdkappid":1400000000,"TLS.time":1700000000,"TLS.expire":86400,"TLS.sig":"0irSwkGcG+YXLye41uAcP/FtvPNG9NlzyH+8aYrd1aY="}"#,
        usersig: "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwuUV8fmOTskpuoZGxiamZuYWlgbxqWnuHp5e3j65eVAdxSnZiQUFmSlKVoYmBlAAkSnJzE1VsjI0RxVNrSjILEpVsrIwM4EJFWemK1kpGWQWBZdnuye7a0dG*FSmmhiWOiYH6LuVlAX4uVv65VRVemhbJEYWpRgmRtoq1QIAgdM3ig__",
    },
    Vector {
        key: K2,
        app: 20_001_234,
        identifier: "agent_007",
        time: 1_735_689_600,
        expire: 604_800,
        userbuf: None,
        json: r#"{"TLS.ver":"2.0","TLS.identifier":"agent_007","TLS.sdkappid":20001234,"TLS.time":1735689600,"TLS.expire":604800,"TLS.sig":"62eRUnYJ+a7/l0ZUQj/uQVSac16+DdU2xZJJzqdSTs0="}"#,
        usersig: "eJw1yc0KgkAUQOF3uVtDr6ONNtCulbQxNchNDM1Vbj-DpBZS9O6B1vJ85w3ltvCf1IEC4SMspmZDduCGJ9Yt2eGImPxmby7aOTagBCKGIopnH-hGoMIkWsp0JRFnpdFxR6Akxunfem5BgRS0q*wh83QSXLGu8nPwyPeFPoXS25hKjHWWve6mKHtcw*cLC48w1g__",
    },
    Vector {
        key: K1,
        app: 1_400_000_000,
        identifier: "xiaojun",
        time: 1_700_000_000,
        expire: 15_552_000,
        userbuf: Some(b"abc"),
        json: r#"{"TLS.ver":"2.0","TLS.identifier":"xiaojun","TLS.sdkappid":1400000000,"TLS.time":1700000000,"TLS.expire":15552000,"TLS.userbuf":"YWJj","TLS.sig":"QjT201xPkXk/aM1e+y0vakZb0K2iPrFue++0s5y6bFM="}"#,
        usersig: "eJxVzF8LgjAUBfDvcl8Xto1WMOjVh0owEvrzNvEa15HJ5kSJvntkFnTezu-AeUC2O0QdOtAgIw6zsVOBdUsljdyTuVehniZfWNM0VIAWCz7ls7R0Q9Bi9a-YN*TerpSSPw0eXR5K0HA*bqrvNV1Bw77KJBd9ak92bhKBbOCdsZecbyWlLg7IGPdqWOZxsobnC*QSN9o_",
    },
];

/// V1 as the Python package makes it: another layout of the JSON, the same content.
const V1_PYTHON: &str = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpdaUZBZlAqSMTU1NUKIl2TmgkXN0dQXZ6aD7PFyrqpIzHOz8AsJiUgsNcnVNsqwLC8zT4-0yqv0yy7ONajINfRzjQg1MjexVaoFANTGNgc_";

fn decode(usersig: &str) -> Value {
    let text = usersig.replace('*', "+").replace('-', "/").replace('_', "=");
    let mut json = String::new();
    let compressed = STANDARD.decode(text).unwrap();
    flate2::read::ZlibDecoder::new(compressed.as_slice()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

fn encode(json: &[u8]) -> String {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
    zlib.write_all(json).unwrap();
    STANDARD.encode(zlib.finish().unwrap()).replace('+', "*").replace('/', "-").replace('=', "_")
}

fn secret(key: &str) -> SecretString {
    SecretString::from(key)
}

#[test]
fn the_vectors_are_made() {
    for v in &VECTORS {
        let made = sign(&secret(v.key), v.app, v.identifier, v.time, v.expire, v.userbuf);
        let expected: Value = serde_json::from_str(v.json).unwrap();
        assert_eq!(decode(made.expose_secret()), expected, "{}", v.identifier);
    }
}

#[test]
fn the_vectors_are_verified() {
    for v in &VECTORS {
        let claims = verify(&secret(v.key), v.app, Some(v.identifier), v.usersig, v.time).unwrap();
        assert_eq!((claims.identifier.as_str(), claims.sdk_app_id), (v.identifier, v.app));
        assert_eq!((claims.time, claims.expire), (v.time, v.expire));
        assert_eq!(claims.userbuf.as_deref(), v.userbuf);
        assert!(verify(&secret(v.key), v.app, None, v.usersig, v.time).is_ok());
    }
    assert!(verify(&secret(K1), 1_400_000_000, Some("administrator"), V1_PYTHON, 1_700_000_000).is_ok());
}

#[test]
fn f50_a_usersig_lives_to_the_last_second_of_its_life() {
    for v in &VECTORS {
        let end = v.time + i64::try_from(v.expire).unwrap();
        assert!(verify(&secret(v.key), v.app, None, v.usersig, end).is_ok());
        let error = verify(&secret(v.key), v.app, None, v.usersig, end + 1).unwrap_err();
        assert_eq!((error, error.code()), (UserSigError::Expired, 70001));
    }
}

#[test]
fn another_app_user_or_key_has_its_own_code() {
    let v = &VECTORS[0];
    let code = |key: &str, app, user: &str| {
        verify(&secret(key), app, Some(user), v.usersig, v.time).unwrap_err().code()
    };
    assert_eq!(code(K1, 1_400_000_001, v.identifier), 70014);
    assert_eq!(code(K1, v.app, "Administrator"), 70013);
    assert_eq!(code(K2, v.app, v.identifier), 70009);
    let hex_decoded = hex::decode(K1).unwrap().iter().map(|b| char::from(*b)).collect::<String>();
    assert_eq!(code(&hex_decoded, v.app, v.identifier), 70009, "the key is its text");
}

#[test]
fn whatever_is_changed_inside_is_noticed() {
    let v = &VECTORS[3];
    let original: Value = serde_json::from_str(v.json).unwrap();
    let changed = |name: &str, value: Value| {
        let mut json = original.clone();
        json[name] = value;
        let sig = encode(json.to_string().as_bytes());
        verify(&secret(v.key), v.app, None, &sig, v.time).map(drop).map_err(|error| error.code())
    };
    assert_eq!(changed("Unknown", json!(1)), Ok(()), "re-encoded, it holds");
    assert_eq!(changed("TLS.identifier", json!("xiaojuN")), Err(70009));
    assert_eq!(changed("TLS.time", json!(v.time + 1)), Err(70009));
    assert_eq!(changed("TLS.expire", json!(v.expire + 1)), Err(70009));
    assert_eq!(changed("TLS.expire", json!(u64::MAX)), Err(70009));
    assert_eq!(changed("TLS.userbuf", json!("YWJk")), Err(70009));
    assert_eq!(changed("TLS.userbuf", Value::Null), Err(70009));
    assert_eq!(changed("TLS.sdkappid", json!(1)), Err(70014));
    assert_eq!(changed("TLS.sig", json!("QjT201xPkXk/aM1e+y0vakZb0K2iPrFue++0s5y6bFN=")), Err(70003));
    assert_eq!(changed("TLS.sig", json!("RjT201xPkXk/aM1e+y0vakZb0K2iPrFue++0s5y6bFM=")), Err(70009));
    assert_eq!(changed("TLS.sig", json!("")), Err(70009));
    assert_eq!(changed("TLS.sig", json!("你")), Err(70003));
    assert_eq!(changed("TLS.ver", json!("1.0")), Err(70003));
    assert_eq!(changed("TLS.time", json!("1700000000")), Err(70003));
    assert_eq!(changed("TLS.expire", json!(-1)), Err(70003));
    assert_eq!(changed("TLS.identifier", json!("xiaojun\nTLS.sdkappid:1")), Err(70003));
}

#[test]
fn what_is_no_usersig_is_malformed() {
    let v = &VECTORS[0];
    let code = |sig: &str| verify(&secret(v.key), v.app, None, sig, v.time).unwrap_err().code();
    assert_eq!(code(""), 70002);
    for end in 1..v.usersig.len() {
        assert_eq!(code(&v.usersig[..end]), 70003, "cut to {end}");
    }
    for bad in ["x", "你好", "eJw", "____", "AAAA", " ", "%2A"] {
        assert_eq!(code(bad), 70003, "{bad}");
    }
    assert_eq!(code(&format!("{}A", v.usersig)), 70003);
    for json in ["", "null", "[]", "{}", r#"{"TLS.ver":"2.0"}"#, r#""text""#, "{\"TLS.ver\":\"2.0\"", "\u{0}"]
    {
        assert_eq!(code(&encode(json.as_bytes())), 70003, "{json}");
    }
    let twice = v.json.replace("{", r#"{"TLS.time":1,"#);
    assert_eq!(code(&encode(twice.as_bytes())), 70003, "a key that is there twice");
}

#[test]
fn inflating_stops_at_4_kib() {
    let v = &VECTORS[0];
    let padded = |length: usize| {
        let json = format!("{}{}", v.json, " ".repeat(length - v.json.len()));
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(json.as_bytes()).unwrap();
        let text = STANDARD.encode(zlib.finish().unwrap());
        let sig = text.replace('+', "*").replace('/', "-").replace('=', "_");
        verify(&secret(v.key), v.app, None, &sig, v.time).map(drop)
    };
    assert_eq!(padded(4096), Ok(()));
    assert_eq!(padded(4097), Err(UserSigError::Malformed));
    assert_eq!(padded(4_000_000), Err(UserSigError::Malformed), "a bomb of 4 MB in 4 KB");
}

#[test]
fn what_is_made_needs_no_percent_escape_but_for_the_star() {
    for i in 0..200 {
        let sig = sign(&secret(K1), 1_400_000_000, "agent", 1_700_000_000 + i, 86400, None);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"*-_".contains(&b);
        assert!(sig.expose_secret().bytes().all(allowed));
    }
}
