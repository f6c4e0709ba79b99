//! The vectors V1 to V9 of the protocol reference.

use secrecy::SecretString;
use wechat::{
    AesKey, Credentials, CryptoError, Message, MessageKind, Opened, Push, PushBody, Refusal, Reply,
    UnreadableReason, open, signature, verify_url,
};

/// Token, EncodingAESKey and AppID of V5 to V8.
pub(crate) const TOKEN: &str = "GatewayTestToken01";
pub(crate) const KEY: &str = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW";
pub(crate) const APP_ID: &str = "wx0123456789abcdef";

pub(crate) fn credentials(token: &str, key: Option<&str>, app_id: &str) -> Credentials {
    Credentials {
        app_id: app_id.to_owned(),
        tokens: vec![SecretString::from(token)],
        aes_keys: key.map(|key| AesKey::parse(key).unwrap()).into_iter().collect(),
        require_encryption: key.is_some(),
        signature_window: 300,
    }
}

/// The query of an encrypted push, signed as WeChat signs.
pub(crate) fn aes_query(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    let plain = signature(&[token, timestamp, nonce]);
    let msg = signature(&[token, timestamp, nonce, encrypt]);
    format!(
        "signature={plain}&timestamp={timestamp}&nonce={nonce}&openid=oX&encrypt_type=aes&msg_signature={msg}"
    )
}

pub(crate) fn plain_query(token: &str, timestamp: &str, nonce: &str) -> String {
    format!(
        "signature={}&timestamp={timestamp}&nonce={nonce}&openid=oX",
        signature(&[token, timestamp, nonce])
    )
}

pub(crate) fn text_of(push: &Push) -> &str {
    match &push.body {
        PushBody::Message(Message { kind: MessageKind::Text { content, .. }, .. }) => content,
        other => panic!("not a text: {other:?}"),
    }
}

fn random(text: &str) -> [u8; 16] {
    text.as_bytes().try_into().unwrap()
}

#[test]
fn v0_url_verification() {
    let c = credentials("AAAAA", None, "wx");
    let query = "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504&nonce=1514711492\
        &echostr=4375120948345356249";
    assert_eq!(verify_url(&c, query, 1_714_036_504).unwrap(), "4375120948345356249");
    // The console asks again when the configuration is saved again.
    assert_eq!(verify_url(&c, query, 1_714_036_510).unwrap(), "4375120948345356249");
    assert_eq!(verify_url(&c, query, 1_714_037_000), Err(Refusal::Stale));
}

#[test]
fn v1_plaintext_push() {
    let c = credentials("AAAAA", None, "wx");
    let query =
        "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656&openid=oX";
    let body = include_bytes!("../golden/message_text.xml");
    let opened = open(&c, query, body, 1_714_037_060).unwrap();
    assert_eq!(text_of(&opened.push.unwrap()), "你好，我要退款😀 <b>&\n第二行");
    assert_eq!(opened.document, body);
    assert!(!opened.seal.is_encrypted());
}

const V2: &str = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD\
    pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZo\
    NqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
const V2_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn v2_official_push_in_json() {
    let c = credentials("AAAAA", Some(V2_KEY), "wxba5fad812f8e6fb9");
    let query = "signature=6c5c811b55cc85e0e1b54100749188c20beb3f5d&timestamp=1714112445&nonce=415670741&openid=o9\
        &encrypt_type=aes&msg_signature=046e02f8204d34f8ba5fa3b1db94908f3df2e9b3";
    let body = format!(r#"{{"ToUserName":"gh_97417a04a28d","Encrypt":"{V2}"}}"#);
    let Opened { push, document, seal } = open(&c, query, body.as_bytes(), 1_714_112_445).unwrap();
    let expected = r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#;
    assert_eq!(String::from_utf8(document).unwrap(), expected);
    let push = push.unwrap();
    assert_eq!(push.create_time, Some(1_714_112_445_000));
    assert_eq!(push.body, PushBody::Event(wechat::Event::Unknown { name: "debug_demo".into() }));
    assert_eq!(push.fields.get("debug_str"), Some("hello world"));
    assert_eq!(seal.content_type(), "application/json; charset=utf-8");
    // Sealing the same message with the same random bytes gives the same text.
    let key = AesKey::parse(V2_KEY).unwrap();
    assert_eq!(key.encrypt("wxba5fad812f8e6fb9", random("a8eedb185eb2fecf"), expected.as_bytes()), V2);
}

#[test]
fn v3_reply_encryption() {
    let encrypt = AesKey::parse(V2_KEY).unwrap().encrypt(
        "wxba5fad812f8e6fb9",
        random("707722b803182950"),
        br#"{"demo_resp":"good luck"}"#,
    );
    assert_eq!(
        encrypt,
        "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    );
    let made = signature(&["AAAAA", "1713424427", "415670741", &encrypt]);
    assert_eq!(made, "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1");
}

#[test]
fn v4_java_sample_with_trailing_bits() {
    let key = AesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let encrypt = key.encrypt("wxb11529c136998cb6", random("aaaabbbbccccdddd"), "我是中文abcd123".as_bytes());
    assert_eq!(
        encrypt,
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    );
    assert_eq!(key.decrypt("wxb11529c136998cb6", &encrypt).unwrap(), "我是中文abcd123".as_bytes());
    let made = signature(&["pamtest", "1409304348", "xxxxxx", &encrypt]);
    assert_eq!(made, "82c962d39941aa48552f90ef55aa323dc620cc10");
}

pub(crate) const V5: &str = "s7a8ccOzLRCEy3HjinOjv70OR3f6sKv1IOMCZwpRTKeKPTlWQCAFg4g6Jl8TooythnjeSWI0o7IM6WCG8rxUWF2KyxwfE2z\
    LObycfo44IviHC9Qo1Tau89yMCRmbYIvoeQ7foG78IXSowfnKelq1QS4pssRUprsJgVDWiasLIbkvjPd3r8WMzqd55pQ6GLhZPdLzqApxTbzuL\
    yqhinJamepIlqWVgVe7NbAxnP68sUG1KZ6QJ+Bn1EAEC8pjrr+UYHDlSN9gWAqMaT/KDodWDFtv1pEn1XBT+XpBkpR/+99VOsN352M8vqnf5iB\
    ThZ7fzibdufQELkr/2JtegeL3qtP/dorO7/3Jc0jXw7P3xQdanAJbRdJO4WFWOIV8WXNG3xX3eOhLvBxXegCf1F8ihhzpTOKSiz9oQOBblZFuB\
    DQmINj9TSnkH8Dg8R0HmdeMs9LhRcpfwQoGgLlLfDfupw==";
pub(crate) const V5_QUERY: &str = "signature=360d492f8b2f7743ffaa152af8ba209bb782c56d&timestamp=1760000001&nonce=1372623149\
    &openid=oX&encrypt_type=aes&msg_signature=89d28c0a2a92e1199c58a0b22d263a3296c765a9";

pub(crate) fn v5_body() -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[{V5}]]></Encrypt></xml>"
    )
}

#[test]
fn v5_push_in_xml() {
    let c = credentials(TOKEN, Some(KEY), APP_ID);
    let Opened { push, document, seal } = open(&c, V5_QUERY, v5_body().as_bytes(), 1_760_000_002).unwrap();
    let push = push.unwrap();
    assert_eq!(document.len(), 295);
    assert_eq!(text_of(&push), "你好，我要退款😀 <b>&");
    assert_eq!((push.to.as_str(), push.from.as_str()), ("gh_0123456789ab", "oAbCdEfGhIjKlMnOpQrStUvWxYz0"));
    assert_eq!(push.create_time, Some(1_760_000_000_000));
    assert!(seal.is_encrypted());
    let key = AesKey::parse(KEY).unwrap();
    assert_eq!(key.encrypt(APP_ID, random("0123456789abcdef"), &document), V5);
}

#[test]
fn v6_f24_sealed_passive_reply() {
    let c = credentials(TOKEN, Some(KEY), APP_ID);
    let opened = open(&c, V5_QUERY, v5_body().as_bytes(), 1_760_000_002).unwrap();
    let reply = opened.push.unwrap().text_reply("您好，客服马上为您处理。", 1_760_000_002);
    let bytes = opened.seal.reply(&reply, 1_760_000_002, "889900", random("fedcba9876543210"));
    let encrypt = "0xX0iF+dN2Gb/G4LPoWu/HOrAdvPEQ3zfAii6zE59DNmmhDqxOfK9eERzwsVX1ZOoJF8bBcm9fyX+ax2MjtVgSYdhjnzl3KXj\
        HcL1aI8XeuEWEmKtLCmhvujcYVEDmtCf9ykhZtKsZsDweXF/zgewCyeMKqQVYxLkqwCUeCx7RoSCigUpxAvjA1O7PIDR7Vv26dCborivxmP4EpP\
        wWw9j/8ujWTLeHzoEJjHteUn6tYaDFXpOpXTsEkjzLngrTQjFJppdlyaeBT0z+AXWxnK4RGDqfjC70rgKUbwjguZQNYAIpo+Hbp3qZUml64YRkb\
        zMQw3x5mW1VQ5kWI2QnKYpgIQ2uueAyGfcXIPfQSgzU1eLjXBZveRhWr/SeGN8rW1j4VFGi7VXYMKfk7qfQT9W47kYGYousoIVul844JxHd0=";
    let expected = format!(
        "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>\
        <MsgSignature><![CDATA[1e00f8222bcaf1d9f3387109cf327bdbc10bf851]]></MsgSignature>\
        <TimeStamp>1760000002</TimeStamp><Nonce><![CDATA[889900]]></Nonce></xml>"
    );
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    assert_eq!(opened.seal.content_type(), "text/xml; charset=utf-8");
    let inner = AesKey::parse(KEY).unwrap().decrypt(APP_ID, encrypt).unwrap();
    assert_eq!(String::from_utf8(inner).unwrap(), reply.to_xml());
    let Reply { to, from, create_time_s, .. } = reply;
    assert_eq!((to.as_str(), from.as_str()), ("oAbCdEfGhIjKlMnOpQrStUvWxYz0", "gh_0123456789ab"));
    assert_eq!(create_time_s, 1_760_000_002);
}

#[test]
fn v7_f18_full_block_of_padding() {
    let encrypt = "s7a8ccOzLRCEy3HjinOjv5S2hMwg/gTkcoKk+Hsoq1xMqMbWvrdFqTI5FGdRRN0WdzOKvn5AzlxuESNHzuyBZcptsihkhmWIxrR5\
        AFcLXTSECeXC7mXk0euRGJkLVjPD";
    let key = AesKey::parse(KEY).unwrap();
    assert_eq!(key.decrypt(APP_ID, encrypt).unwrap(), [b'A'; 26]);
    assert_eq!(key.encrypt(APP_ID, random("0123456789abcdef"), &[b'A'; 26]), encrypt);
    let made = signature(&[TOKEN, "1760000003", "1", encrypt]);
    assert_eq!(made, "9c8006177779ee9dec910c9ba1794f58690c1d89");
}

#[test]
fn v8_f20_sealed_for_another_app_id() {
    let encrypt = "s7a8ccOzLRCEy3HjinOjv9baCaXAzSItqx2zRwhp9GptkNIxSUT4rz7TRzm3XwyYvd/au6JjgMptH7+ya/Gv6g==";
    let c = credentials(TOKEN, Some(KEY), APP_ID);
    let query = aes_query(TOKEN, "1760000004", "1", encrypt);
    assert!(query.ends_with("d70612b3e9e2757232fd641aed6e0e81c51da8c0"));
    let body = format!("<xml><ToUserName>gh</ToUserName><Encrypt>{encrypt}</Encrypt></xml>");
    let opened = open(&c, &query, body.as_bytes(), 1_760_000_004).unwrap();
    let reason = opened.push.unwrap_err().reason;
    assert_eq!(reason, UnreadableReason::Decrypt(CryptoError::AppId));
    assert_eq!(opened.document, body.as_bytes());
}

#[test]
fn v9_classic_sample() {
    let encrypt = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3v\
        g3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR\
        +LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t\
        9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXd\
        Q2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";
    let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    let c = credentials("QDG6eK", Some(key), "wx5823bf96d3bd56c7");
    let query = aes_query("QDG6eK", "1409659813", "1372623149", encrypt);
    assert!(query.ends_with("477715d11cdb4164915debcba66cb864d751f3e6"));
    let body = format!("<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    let push = open(&c, &query, body.as_bytes(), 1_409_659_813).unwrap().push.unwrap();
    assert_eq!((text_of(&push), push.from.as_str()), ("hello", "mycreate"));
    let PushBody::Message(message) = push.body else { panic!() };
    assert_eq!(message.msg_id, Some(4_561_255_354_251_345_929));
}
