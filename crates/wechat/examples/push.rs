//! What an endpoint for WeChat's pushes does: check, open, answer. WeChat is played by a few lines here.

use wechat::{AesKey, Credentials, Event, MessageKind, PushBody, open, signature, verify_url};

const TOKEN: &str = "GatewayTestToken01";

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In earnest, the time: nothing in this crate reads the clock.
    let now = 1_760_000_001;
    let account = Credentials {
        app_id: "wx0123456789abcdef".to_owned(),
        tokens: vec![TOKEN.into()],
        aes_keys: vec![AesKey::parse("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW")?],
        require_encryption: true,
        signature_window: 300,
    };

    // The address is checked with a GET when it is entered in the console.
    let time = now.to_string();
    let signed = format!("signature={}&timestamp={time}&nonce=42", signature(&[TOKEN, &time, "42"]));
    println!("GET  200 {}", verify_url(&account, &format!("{signed}&echostr=4375120948345356249"), now)?);

    // A push in the secure mode.
    let document = format!(
        "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oCUSTOMER</FromUserName>\
         <CreateTime>{now}</CreateTime><MsgType>text</MsgType><Content>你好</Content><MsgId>25033203329280739</MsgId></xml>"
    );
    let encrypt = account.aes_keys[0].encrypt(&account.app_id, *b"0123456789abcdef", document.as_bytes());
    let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
    let signed =
        format!("{signed}&encrypt_type=aes&msg_signature={}", signature(&[TOKEN, &time, "42", &encrypt]));

    // A refusal knows the HTTP status to answer with. An unreadable push is a value: keep it, answer `success`.
    let opened = open(&account, &signed, body.as_bytes(), now)?;
    let push = opened.push?;
    let words = match &push.body {
        PushBody::Message(message) => match &message.kind {
            MessageKind::Text { content, .. } => format!("您说：{content}"),
            other => format!("收到 {}", other.name()),
        },
        PushBody::Event(Event::Subscribe { .. }) => "欢迎！".to_owned(),
        PushBody::Event(_) => String::new(),
    };
    // Store it under this key before the answer: WeChat repeats a push up to twice.
    println!("key  {}", push.dedup_key("shop", &opened.document));
    // Without words this is `success`. The random bytes are to be random.
    let answer = opened.seal.reply(&push.text_reply(words, now), now, "889900", *b"fedcba9876543210");
    println!("POST 200 {}", String::from_utf8_lossy(&answer));
    Ok(())
}
