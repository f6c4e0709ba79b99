//! Opens the same pushes with one of two libraries: `parse ours|sdk plain|secure COUNT [time]`. What it costs is counted from
//! outside (callgrind), or told in nanoseconds per message; `parse list plain|secure COUNT` prints the pushes for other languages.
//!
//! Only pushes are taken that both accept. The key is the protocol notes' own, with no trailing bits; of paddings those up to 16
//! bytes, which is what the other library takes.

use std::time::Instant;

const TOKEN: &str = "GatewayTestToken01";
const APP_ID: &str = "wx0123456789abcdef";
const KEY: &str = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW";
const NOW: i64 = 1_795_000_000;
const WORDS: [&str; 6] =
    ["请问这件还有货吗？", "什么时候能发货呢", "好的，谢谢", "我的订单怎么还没有到", "可以换一个颜色吗", "hello, is anybody there?"];

struct Push {
    query: String,
    body: String,
    timestamp: String,
    nonce: String,
    signature: String,
}

fn document(n: usize) -> String {
    let head = format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oSideBySideCustomer{:09}]]></FromUserName>\
         <CreateTime>{}</CreateTime>",
        n * 31 % 20_000,
        NOW
    );
    if n % 10 == 0 {
        return format!(
            "{head}<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[MENU_NEWS]]></EventKey></xml>"
        );
    }
    let words: String = (0..=n % 5).map(|word| WORDS[(n + word) % 6]).collect();
    format!(
        "{head}<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content><MsgId>{}</MsgId></xml>",
        24_000_000_000_000_000 + n
    )
}

fn push(n: usize, is_secure: bool, key: &wechat::AesKey) -> Push {
    let (timestamp, nonce) = (NOW.to_string(), (n * 7919).to_string());
    let plain = wechat::signature(&[TOKEN, &timestamp, &nonce]);
    let mut query = format!("signature={plain}&timestamp={timestamp}&nonce={nonce}");
    let document = document(n);
    if !is_secure {
        return Push { query, body: document, timestamp, nonce, signature: plain };
    }
    let encrypt = key.encrypt(APP_ID, *b"0123456789abcdef", document.as_bytes());
    let signature = wechat::signature(&[TOKEN, &timestamp, &nonce, &encrypt]);
    query.push_str(&format!("&encrypt_type=aes&msg_signature={signature}"));
    let body = format!("<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    Push { query, body, timestamp, nonce, signature }
}

struct Libraries {
    ours: wechat::Credentials,
    sdk: wechat_oa_sdk::WeChatClient,
}

impl Libraries {
    /// Signature, decryption and parsing; true if the push is accepted.
    fn open(&self, who: &str, push: &Push, is_secure: bool) -> bool {
        if who == "ours" {
            let opened = wechat::open(&self.ours, &push.query, push.body.as_bytes(), NOW);
            return std::hint::black_box(opened).is_ok_and(|opened| opened.push.is_ok());
        }
        let (timestamp, nonce) = (&push.timestamp, &push.nonce);
        let parsed = match is_secure {
            true => self.sdk.parse_encrypted_message(&push.body, &push.signature, timestamp, nonce),
            false if !self.sdk.verify_signature(&push.signature, timestamp, nonce) => return false,
            false => self.sdk.parse_message(&push.body),
        };
        std::hint::black_box(parsed).is_ok()
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [who, mode, count, rest @ ..] = words.as_slice() else {
        eprintln!("usage: parse ours|sdk|list plain|secure COUNT [time]");
        std::process::exit(2);
    };
    let is_secure = mode == "secure";
    let key = wechat::AesKey::parse(KEY).expect("a key");
    let config = wechat_oa_sdk::Config::new(APP_ID, "secret", TOKEN).with_encoding_aes_key(KEY);
    let libraries = Libraries {
        ours: wechat::Credentials {
            app_id: APP_ID.into(),
            tokens: vec![TOKEN.into()],
            aes_keys: vec![wechat::AesKey::parse(KEY).expect("a key")],
            require_encryption: false,
            signature_window: 300,
        },
        sdk: wechat_oa_sdk::WeChatClient::new(config),
    };
    // The same ones for whatever count, so that what a message costs is the difference of two counts.
    let both = |push: &Push| ["ours", "sdk"].into_iter().all(|who| libraries.open(who, push, is_secure));
    let pushes: Vec<Push> = (0..400).map(|n| push(n, is_secure, &key)).filter(both).collect();
    assert!(pushes.len() >= 150, "only {} of 400 are accepted by both", pushes.len());
    let count: usize = count.parse().expect("a number");
    let chosen = (0..count).map(|n| &pushes[n % pushes.len()]);
    if who == "list" {
        for push in chosen {
            let line = serde_json::json!({"body": push.body, "signature": push.signature, "timestamp": push.timestamp, "nonce": push.nonce});
            println!("{line}");
        }
        return;
    }
    let begun = Instant::now();
    let accepted = chosen.filter(|push| libraries.open(who, push, is_secure)).count();
    assert_eq!(accepted, count);
    if rest.iter().any(|word| word == "time") {
        println!("{}", begun.elapsed().as_nanos() / count as u128);
    }
}
