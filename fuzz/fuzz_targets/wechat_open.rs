//! A whole request: query string and body. Bit 0 of the first byte says whether the query is signed for the body
//! that follows, so that the fuzzer gets past the signature; the others choose the account's configuration.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use wechat::{AesKey, Credentials, open, replay, signature, verify_url};

const TOKEN: &str = "GatewayTestToken01";
const NOW: i64 = 1_760_000_001;

fuzz_target!(|input: &[u8]| {
    let Some((&flags, rest)) = input.split_first() else { return };
    let with_key = flags & 2 != 0;
    let credentials = Credentials {
        app_id: "wx0123456789abcdef".into(),
        tokens: vec![SecretString::from(TOKEN)],
        aes_keys: if with_key {
            vec![AesKey::parse("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW").unwrap()]
        } else {
            Vec::new()
        },
        require_encryption: flags & 4 != 0,
        signature_window: if flags & 8 != 0 { 300 } else { 0 },
    };
    if flags & 1 == 0 {
        // A stranger's request: the first line is the query. Nobody without the token may get past.
        let split = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let Ok(query) = std::str::from_utf8(&rest[..split]) else { return };
        let body = rest.get(split + 1..).unwrap_or_default();
        let forged = !query.contains("360d492f8b2f7743ffaa152af8ba209bb782c56d");
        if let Ok(opened) = open(&credentials, query, body, NOW) {
            assert!(!forged, "a forgery was accepted");
            assert!(opened.document.len() <= body.len() + 64);
        }
        if verify_url(&credentials, query, NOW).is_ok() {
            assert!(!forged, "a forgery was accepted");
        }
        return;
    }
    // WeChat's own request, with whatever body: signed as it would sign it.
    let encrypt = encrypt_field(rest);
    let timestamp = NOW.to_string();
    let mut query = format!(
        "signature={}&timestamp={timestamp}&nonce=1372623149&openid=o1",
        signature(&[TOKEN, &timestamp, "1372623149"])
    );
    if let Some(encrypt) = encrypt {
        query += &format!(
            "&encrypt_type=aes&msg_signature={}",
            signature(&[TOKEN, &timestamp, "1372623149", &encrypt])
        );
    }
    let Ok(opened) = open(&credentials, &query, rest, NOW) else { return };
    // What was read once is read again when it is replayed from the raw request.
    match (&opened.push, replay(&credentials, &query, rest)) {
        (Ok(push), Ok(again)) => {
            assert_eq!(push.dedup_key("shop", &opened.document), again.dedup_key("shop", &opened.document));
        }
        (Err(_), Err(_)) => {}
        _ => panic!("open and replay differ"),
    }
});

/// The text of `Encrypt`, found as bluntly as can be: the fuzzer's own opinion, not the parser's.
fn encrypt_field(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let (begin, end) = if body.trim_start().starts_with('{') {
        ("\"Encrypt\":\"", "\"")
    } else {
        ("<Encrypt><![CDATA[", "]]>")
    };
    let rest = &body[body.find(begin)? + begin.len()..];
    Some(rest[..rest.find(end)?].to_owned())
}
