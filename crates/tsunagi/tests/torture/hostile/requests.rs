//! Hostile requests, each with what may become of it. Start at [`Doors::request`].
//!
//! What WeChat or IM would take is told by the libraries of both protocols; here is only who signed it, and what was done
//! to it afterwards.

use super::corpus::{self, mutate, mutated};
use super::peer::Ending;
use crate::dice::Dice;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sim::WechatAccountConfig;
use std::time::{SystemTime, UNIX_EPOCH};

/// In every text that must not be stored.
pub(super) const MARK: &str = "[never stored]";
const AFTER: &str = "C2C.CallbackAfterSendMsg";

/// What has to become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The cloud's own key signed it: 200, stored.
    Taken,
    /// The same, and WeChat's library cannot read it: `success`, kept raw, once.
    Unreadable { account: &'static str, body: Vec<u8> },
    /// Nobody signed it: 4xx, and no trace.
    Refused,
    /// Hardly HTTP: no success and no fault of ours.
    Broken,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) pieces: usize,
    pub(super) ending: Ending,
    pub(super) fate: Fate,
}

/// Where to knock, and with which keys.
pub(super) struct Doors {
    /// Takes plaintext, both, and ciphertext.
    pub(super) open: WechatAccountConfig,
    /// Takes ciphertext alone.
    pub(super) sealed: WechatAccountConfig,
    pub(super) im: sim::ImConfig,
    /// Paths of good links to files.
    pub(super) links: Vec<String>,
}

pub(super) const SEALED: &str = "vault";

/// The account that takes ciphertext alone.
pub(super) fn sealed_account() -> WechatAccountConfig {
    WechatAccountConfig {
        app_id: "wx6bb6bb6bb6bb6bb6".into(),
        app_secret: "0ff1ce0ff1ce0ff1ce0ff1ce0ff1ce00".into(),
        gh_id: "gh_ba9876543210".into(),
        token: "VaultToken01".into(),
        encoding_aes_key: Some("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".into()),
        mode: sim::Mode::Secure,
        ..WechatAccountConfig::shop()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no edge to take the clock from")]
pub(super) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn signed(token: &str, time: i64, nonce: &str) -> String {
    let signature = wechat::signature(&[token, &time.to_string(), nonce]);
    format!("signature={signature}&timestamp={time}&nonce={nonce}")
}

fn sealed(query: &str, token: &str, time: i64, nonce: &str, encrypt: &str) -> String {
    let covers = wechat::signature(&[token, &time.to_string(), nonce, encrypt]);
    format!("{query}&encrypt_type=aes&msg_signature={covers}")
}

fn envelope(encrypt: &str, beside: &str) -> Vec<u8> {
    format!(
        "<xml><ToUserName><![CDATA[gh_0]]></ToUserName>{beside}<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    )
    .into()
}

fn key(account: &WechatAccountConfig) -> wechat::AesKey {
    wechat::AesKey::parse(account.encoding_aes_key.as_deref().unwrap()).unwrap()
}

fn callback(im: &sim::ImConfig, time: i64) -> String {
    let sign = im::callback_signature(im.callback_token.as_deref().unwrap(), &time.to_string());
    format!(
        "SdkAppid={}&CallbackCommand={AFTER}&contenttype=json&ClientIP=127.0.0.1&OptPlatform=Web&Sign={sign}&RequestTime={time}",
        im.sdk_app_id
    )
}

fn post(target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: kf.example.com\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn chunked(target: &str, body: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut all = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(1 + dice.below(body.len() as u64 / 2 + 40) as usize) {
        all.extend(format!("{:x}\r\n", chunk.len()).bytes());
        all.extend(chunk);
        all.extend(b"\r\n");
    }
    all.extend(b"0\r\n\r\n");
    all
}

fn pick<T: Clone>(all: &[T], dice: &mut Dice) -> T {
    all[dice.below(all.len() as u64) as usize].clone()
}

impl Doors {
    /// Any of them; the same dice, the same request, but for its time.
    pub(super) fn request(&self, dice: &mut Dice) -> Request {
        match dice.below(100) {
            0..=37 => self.push(dice),
            38..=52 => self.webhook(dice),
            53..=86 => self.forged(dice),
            87..=98 => self.broken(dice),
            _ => self.silent(dice),
        }
    }

    fn account(&self, dice: &mut Dice) -> (&'static str, &WechatAccountConfig) {
        if dice.below(2) == 0 { ("shop", &self.open) } else { (SEALED, &self.sealed) }
    }

    /// A push that WeChat's own token signed, whatever it says.
    fn push(&self, dice: &mut Dice) -> Request {
        let (id, account) = self.account(dice);
        let (time, nonce) = (now_s(), dice.below(1 << 31).to_string());
        let document = mutated(corpus::pushes(), dice);
        let plain = id == "shop" && dice.below(3) == 0;
        let (what, query, body) = if plain {
            ("a plain push", signed(&account.token, time, &nonce), document)
        } else {
            // Two bytes grow to three, and the limit is that of the whole.
            let document = &document[..document.len().min(700_000)];
            let encrypt = self.ciphertext(account, document, dice);
            let beside = match dice.below(3) {
                0 => String::from_utf8_lossy(&corpus::text(9, "beside"))
                    .replace("<xml>", "")
                    .replace("</xml>", ""),
                _ => String::new(),
            };
            let query = sealed(&signed(&account.token, time, &nonce), &account.token, time, &nonce, &encrypt);
            let mut body = envelope(&encrypt, &beside);
            if dice.below(10) == 0 {
                mutate(&mut body, corpus::pushes(), dice);
            }
            ("a sealed push", query, body)
        };
        let fate = self.fate(id, account, &query, &body);
        self.sent(what, &format!("/wechat/{id}?{query}"), &body, fate, dice)
    }

    /// Ciphertext of a document, most of the time as it should be.
    fn ciphertext(&self, account: &WechatAccountConfig, document: &[u8], dice: &mut Dice) -> String {
        let mut salt = [0; 16];
        salt.iter_mut().for_each(|byte| *byte = b'a' + dice.below(26) as u8);
        let other = if account.app_id == self.open.app_id { &self.sealed } else { &self.open };
        let good = key(account).encrypt(&account.app_id, salt, document);
        let bytes = STANDARD.decode(&good).unwrap();
        let last = bytes.len();
        // A bit that flips in a block flips in the plaintext of the next one: the length stands in the second block,
        // the padding ends the last.
        let flipped = |at: usize, mask: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            STANDARD.encode(bytes)
        };
        let length = (document.len() as u32).to_be_bytes();
        let lie = |lie: u32| flipped(0, &[0, 1, 2, 3].map(|n| length[n] ^ lie.to_be_bytes()[n]));
        match dice.below(24) {
            0 => lie(u32::MAX),
            1 => lie(0x8000_0000),
            2 => lie(document.len() as u32 + 1),
            3 => lie(dice.next() as u32),
            4 => lie(0),
            5 => flipped(last - 17, &[dice.next() as u8 | 1]),
            6 => STANDARD.encode(&bytes[..last - 16]),
            7 => STANDARD.encode(&bytes[..last - 1 - dice.below(15) as usize]),
            8 => key(account).encrypt(&other.app_id, salt, document),
            9 => key(account).encrypt("", salt, document),
            10 => key(other).encrypt(&account.app_id, salt, document),
            11 => STANDARD.encode((0..dice.below(300)).map(|_| dice.next() as u8).collect::<Vec<_>>()),
            12 => good[..dice.below(good.len() as u64) as usize].to_owned(),
            13 => good.replace('=', ""),
            14 => good.replace('+', "-").replace('/', "_"),
            _ => good,
        }
    }

    /// What the library of WeChat's protocol says about a request.
    fn fate(&self, id: &'static str, account: &WechatAccountConfig, query: &str, body: &[u8]) -> Fate {
        let credentials = wechat::Credentials {
            app_id: account.app_id.clone(),
            tokens: vec![account.token.clone().into()],
            aes_keys: vec![key(account)],
            require_encryption: id == SEALED,
            signature_window: 300,
        };
        match wechat::open(&credentials, query, body, now_s()) {
            Ok(opened) if opened.push.is_ok() => Fate::Taken,
            Ok(_) => Fate::Unreadable { account: id, body: body.to_vec() },
            Err(_) => Fate::Refused,
        }
    }

    /// A webhook that IM's own token signed, whatever it says.
    fn webhook(&self, dice: &mut Dice) -> Request {
        let body = mutated(corpus::webhooks(), dice);
        let query = callback(&self.im, now_s());
        let query = match dice.below(8) {
            0 => query.replace(AFTER, "State.StateChange"),
            1 => query.replace(AFTER, "C2C.CallbackBeforeSendMsg"),
            2 => query.replace(AFTER, &"x".repeat(1_000)),
            3 => query.replace(&format!("CallbackCommand={AFTER}&"), ""),
            _ => query,
        };
        self.sent("a webhook of IM", &format!("/imcallback?{query}"), &body, Fate::Taken, dice)
    }

    fn sent(&self, what: &'static str, target: &str, body: &[u8], fate: Fate, dice: &mut Dice) -> Request {
        let headers = pick(
            &[
                "",
                "",
                "",
                "Content-Type: text/xml\r\n",
                "Content-Type: application/json\r\n",
                "Content-Type: multipart/form-data; boundary=\r\n",
                "Content-Encoding: gzip\r\n",
                "Content-Type: \u{ff}\r\nAccept: */*;q=9\r\n",
                "Expect: 100-continue\r\n",
                "Cookie: a=b\r\nX-Forwarded-For: 10.0.0.1, ::1\r\n",
            ],
            dice,
        );
        let bytes =
            if dice.below(8) == 0 { chunked(target, body, dice) } else { post(target, headers, body) };
        let pieces = if dice.below(30) == 0 { 3 } else { 1 };
        Request { what, bytes, pieces, ending: Ending::Wait, fate }
    }

    /// Everything that a stranger without the keys may try.
    fn forged(&self, dice: &mut Dice) -> Request {
        match dice.below(10) {
            0..=5 => self.forged_push(dice),
            6..=8 => self.forged_webhook(dice),
            _ => self.forged_link(dice),
        }
    }

    fn forged_push(&self, dice: &mut Dice) -> Request {
        let (id, account) = self.account(dice);
        let other = if id == SEALED { &self.open } else { &self.sealed };
        let (now, nonce) = (now_s(), dice.below(1 << 31).to_string());
        let document = corpus::text(dice.next() >> 1, MARK);
        let good = signed(&account.token, now, &nonce);
        let signature = good.split('&').next().unwrap().trim_start_matches("signature=").to_owned();
        let with = |to: &str| good.replacen(&signature, to, 1);
        let mut turned: Vec<char> = signature.chars().collect();
        let at = dice.below(turned.len() as u64) as usize;
        turned[at] = if turned[at] == '0' { '1' } else { '0' };
        let query = match dice.below(30) {
            0 => String::new(),
            1 => good.split_once('&').unwrap().1.to_owned(),
            2 => with(""),
            3 => signed("another token", now, &nonce),
            4 => signed("", now, &nonce),
            5 => signed(&other.token, now, &nonce),
            6 => good.replace("nonce=", "nonce=1"),
            7 => good.replace(&format!("timestamp={now}"), &format!("timestamp={}", now + 1)),
            8 => signed(&account.token, now - 302 - dice.below(100_000) as i64, &nonce),
            9 => signed(&account.token, now + 400 + dice.below(100_000) as i64, &nonce),
            10 => signed(&account.token, 0, &nonce),
            11 => with(&format!("{}A", &signature[..39])),
            12 => with(&signature[..dice.below(40) as usize]),
            13 => with(&format!("{signature}0")),
            14 => with(&turned.into_iter().collect::<String>()),
            15 => format!("{good}&nonce={nonce}"),
            16 => format!("{good}&signature={signature}"),
            17 => good.replace("signature=", "signature[]="),
            18 => good.replace("signature=", "Signature="),
            19 => good.replace('&', ";"),
            20 => with(&signature.replace(|_: char| true, "%2530")),
            21 => with(&format!("%00{signature}")),
            22 => with(&format!("{signature}%00")),
            23 => good.replace("nonce=", "nonce=%ff"),
            24 => good.replace(&format!("timestamp={now}"), &format!("timestamp=+{now}")),
            25 => good.replace(&format!("timestamp={now}"), &format!("timestamp={now}.0")),
            26 => good.replace("timestamp=", "timestamp=-"),
            27 => format!("{good}&{}", "x=y&".repeat(2_000)),
            28 => with("' OR '1'='1"),
            _ => return self.forged_seal(dice),
        };
        // Over plaintext, and over ciphertext that is covered as well as it can be without the token.
        let (query, body) = match dice.below(2) {
            0 => (query, document),
            _ => {
                let encrypt = key(account).encrypt(&account.app_id, *b"0123456789abcdef", &document);
                (sealed(&query, "another token", now, &nonce, &encrypt), envelope(&encrypt, ""))
            }
        };
        let target = format!("/wechat/{id}?{}", query.replace(' ', "%20"));
        let bytes = match dice.below(8) {
            0 => format!(
                "GET {target}&echostr={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                MARK.replace(' ', "%20")
            )
            .into(),
            _ => post(&target, "", &body),
        };
        refused("a forged push", bytes)
    }

    /// The query is genuine, and the body is not what was signed.
    fn forged_seal(&self, dice: &mut Dice) -> Request {
        let account = &self.sealed;
        let (now, nonce) = (now_s(), dice.below(1 << 31).to_string());
        let document = corpus::text(dice.next() >> 1, MARK);
        let plain = signed(&account.token, now, &nonce);
        let [ours, other] = [document.as_slice(), b"<xml/>"]
            .map(|d| key(account).encrypt(&account.app_id, *b"fedcba9876543210", d));
        let genuine = sealed(&plain, &account.token, now, &nonce, &other);
        let covers = genuine.split("msg_signature=").nth(1).unwrap();
        let (query, body) = match dice.below(12) {
            0 => (genuine.clone(), envelope(&ours, "")),
            1 => (plain.clone(), envelope(&ours, "")),
            2 => (plain.clone(), document),
            3 => (genuine.clone(), document),
            4 => (genuine.replace(covers, ""), envelope(&ours, "")),
            5 => (genuine.replace(covers, &covers.to_uppercase()), envelope(&ours, "")),
            6 => (genuine.replace(covers, &covers[..39]), envelope(&ours, "")),
            7 => (sealed(&plain, "", now, &nonce, &ours), envelope(&ours, "")),
            8 => (sealed(&plain, &self.open.token, now, &nonce, &ours), envelope(&ours, "")),
            9 => (sealed(&plain, &account.token, now + 1, &nonce, &ours), envelope(&ours, "")),
            // Two of them, one covered: which is read has to be the one that is checked.
            10 => (genuine.clone(), envelope(&other, &format!("<Encrypt><![CDATA[{ours}]]></Encrypt>"))),
            _ => (genuine.replace("encrypt_type=aes", "encrypt_type=raw"), document),
        };
        refused("another body under a seal", post(&format!("/wechat/{SEALED}?{query}"), "", &body))
    }

    fn forged_webhook(&self, dice: &mut Dice) -> Request {
        let now = now_s();
        let good = callback(&self.im, now);
        let sign = good.split("Sign=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let another = |token: &str| good.replace(&sign, &im::callback_signature(token, &now.to_string()));
        let query = match dice.below(20) {
            0 => String::new(),
            1 => good.replace(&format!("Sign={sign}&"), ""),
            2 => good.replace(&sign, ""),
            3 => good.replace(&sign, &"0".repeat(64)),
            4 => good.replace(&sign, &sign[..dice.below(64) as usize]),
            5 => good.replace(&sign, &format!("{sign}00")),
            6 => good.replace(&format!("RequestTime={now}"), &format!("RequestTime={}", now - 1)),
            7 => good.replace(&format!("RequestTime={now}"), &format!("RequestTime=0{now}")),
            8 => good.replace(&format!("&RequestTime={now}"), ""),
            9 => callback(&self.im, now - 302 - dice.below(100_000) as i64),
            10 => callback(&self.im, now + 400 + dice.below(100_000) as i64),
            11 => good.replace("SdkAppid=", "SdkAppid=1"),
            12 => good.replace(&format!("SdkAppid={}", self.im.sdk_app_id), "SdkAppid="),
            13 => good.replace(&format!("SdkAppid={}", self.im.sdk_app_id), "SdkAppid=1400000002"),
            14 => another(""),
            15 => another(&self.open.token),
            16 => format!("{good}&Sign={sign}"),
            17 => format!("{good}&RequestTime={now}"),
            18 => good.replace("Sign=", "sign="),
            _ => format!("{good}&SdkAppid=1400000002"),
        };
        let body = format!(
            "{{\"CallbackCommand\":\"{AFTER}\",\"From_Account\":\"user1\",\"To_Account\":\"{}\",\"MsgSeq\":1,\"MsgRandom\":{},\
             \"MsgTime\":{now},\"MsgKey\":\"1_{}_3\",\"MsgBody\":[{{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{{\"Text\":\"{MARK}\"}}}}]}}",
            corpus::STRANGER,
            dice.below(1 << 31),
            dice.next()
        );
        refused("a forged webhook of IM", post(&format!("/imcallback?{query}"), "", body.as_bytes()))
    }

    fn forged_link(&self, dice: &mut Dice) -> Request {
        let link = pick(&self.links, dice);
        let mut parts: Vec<String> = link.trim_start_matches('/').split('/').map(str::to_owned).collect();
        let part = 1 + dice.below(2) as usize;
        let mut letters: Vec<char> = parts[part].chars().collect();
        let at = dice.below(letters.len() as u64) as usize;
        match dice.below(10) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, 'A'),
            2 => letters.truncate(at),
            3 => letters.extend("%00".chars()),
            4 => letters = "..%2f..%2f..%2ftsunagi.toml".chars().collect(),
            5 => letters = "%2e%2e".chars().collect(),
            6 => letters = "A".repeat(5_000).chars().collect(),
            7 => letters = "%e7%ba%bf\u{7ebf}".chars().filter(char::is_ascii).collect(),
            _ => letters[at] = if letters[at] == 'b' { 'c' } else { 'b' },
        }
        parts[part] = letters.into_iter().collect();
        let method = pick(&["GET", "GET", "GET", "HEAD"], dice);
        let bytes = format!("{method} /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", parts.join("/"));
        Request { ending: Ending::Wait, ..refused("a forged link", bytes.into()) }
    }

    /// Frames that are no HTTP, or more than one, and targets that lead elsewhere; never with a good signature.
    fn broken(&self, dice: &mut Dice) -> Request {
        let bad = signed("another token", now_s(), "1");
        let message = corpus::text(99, MARK);
        let target = format!("/wechat/shop?{bad}");
        let head = format!("POST {target} HTTP/1.1\r\nHost: kf.example.com\r\n");
        let words = String::from_utf8(message.clone()).unwrap();
        let second = String::from_utf8(post(&target, "", &message)).unwrap();
        let get = |target: &str| {
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
        };
        let (what, mut bytes): (_, Vec<u8>) = match dice.below(44) {
            0 => ("nothing", Vec::new()),
            1 => ("noise", (0..dice.below(4_000)).map(|_| dice.next() as u8).collect()),
            2 => ("a TLS hello", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec()),
            3 => ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
            4 => ("HTTP/0.9", b"GET /\r\n".to_vec()),
            5 => ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_vec()),
            6 => ("a line without an end", vec![b'G'; 100_000]),
            7 => ("a long target", get(&format!("/{}", "a".repeat(100_000)))),
            8 => ("a long header", format!("{head}X: {}\r\n\r\n", "a".repeat(500_000)).into()),
            9 => ("many headers", format!("{head}{}\r\n", "X: y\r\n".repeat(5_000)).into()),
            10 => ("a folded header", format!("{head}X: a\r\n b\r\n\tc\r\nContent-Length: 0\r\n\r\n").into()),
            11 => ("a NUL in a header", format!("{head}X: a\0b\r\n\r\n").into()),
            12 => ("bare carriage returns", head.replace("\r\n", "\r").into()),
            13 => {
                ("bare line feeds", format!("{head}Content-Length: 0\r\n\r\n").replace("\r\n", "\n").into())
            }
            14 => ("a space before the colon", format!("{head}Content-Length : 5\r\n\r\nhello").into()),
            15 => {
                ("two lengths", format!("{head}Content-Length: 5\r\nContent-Length: 500\r\n\r\nhello").into())
            }
            16 => ("a list of lengths", format!("{head}Content-Length: 5, 6\r\n\r\nhello").into()),
            17 => (
                "a length and chunks",
                format!("{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}")
                    .into(),
            ),
            18 => (
                "chunks and a length",
                format!(
                    "{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n{second}\r\n0\r\n\r\n"
                )
                .into(),
            ),
            19 => (
                "chunked twice",
                format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n")
                    .into(),
            ),
            20 => (
                "chunked with a tab",
                format!("{head}Transfer-Encoding:\tchunked, chunked\r\n\r\n0\r\n\r\n{second}").into(),
            ),
            21 => (
                "gzip and chunked",
                format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n").into(),
            ),
            22 => ("a negative length", format!("{head}Content-Length: -1\r\n\r\n").into()),
            23 => ("a signed length", format!("{head}Content-Length: +5\r\n\r\nhello").into()),
            24 => ("an endless length", format!("{head}Content-Length: 18446744073709551616\r\n\r\n").into()),
            25 => {
                ("the largest length", format!("{head}Content-Length: 18446744073709551615\r\n\r\nx").into())
            }
            26 => (
                "a chunk that is no number",
                format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n").into(),
            ),
            27 => (
                "a chunk too large",
                format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx").into(),
            ),
            28 => (
                "the largest chunk",
                format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx").into(),
            ),
            29 => (
                "a chunk's extension",
                format!(
                    "{head}Transfer-Encoding: chunked\r\n\r\n1;{}\r\nx\r\n0\r\n\r\n",
                    "a".repeat(100_000)
                )
                .into(),
            ),
            30 => (
                "many trailers",
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n", "X: y\r\n".repeat(5_000))
                    .into(),
            ),
            31 => ("a body too large", post(&target, "", &vec![b'x'; 1_048_577])),
            32 => ("no host", second.replace("Host: kf.example.com\r\n", "").into()),
            33 => ("two hosts", second.replace("Host:", "Host: y\r\nHost:").into()),
            34 => (
                "half a body",
                format!("{head}Content-Length: {}\r\n\r\n{}", words.len(), &words[..words.len() / 2]).into(),
            ),
            35 => ("two at once", format!("{}{second}", second.replace("Connection: close\r\n", "")).into()),
            36 => (
                "another method",
                second
                    .replace(
                        "POST",
                        pick(
                            &[
                                "PUT",
                                "DELETE",
                                "PATCH",
                                "OPTIONS",
                                "TRACE",
                                "CONNECT",
                                "POST\t",
                                "p\u{f6}st",
                                "GETS",
                            ],
                            dice,
                        ),
                    )
                    .into(),
            ),
            37 => ("a long method", second.replace("POST", &"A".repeat(3_000)).into()),
            38 => (
                "no path of ours",
                get(pick(
                    &[
                        "/wechat/../../etc/passwd",
                        "/wechat/shop/../vault",
                        "//wechat/shop",
                        "/wechat/",
                        "/wechat/%2e%2e%2fshop",
                        "/wechat/shop%00",
                        "/wechat/nobody",
                        "/wechat/\u{5e97}",
                        "/media/..%2f..%2f..%2fetc%2fpasswd/x",
                        "/media/%00/%00",
                        "/media//",
                        "/imcallback/../wechat/shop",
                        "/metrics",
                        "/readyz",
                        "/.env",
                        "*",
                        "http://other.example/wechat/shop",
                        "/wechat/shop?%=%&%zz=%q",
                        "/wechat/shop#signature=1",
                        "/wechat/shop?signature[]=1&signature[]=2",
                        "/wechat/shop?__proto__=1",
                    ],
                    dice,
                )),
            ),
            39 => (
                "another account",
                second
                    .replace(
                        "/wechat/shop",
                        pick(
                            &[
                                "/wechat/SHOP",
                                "/wechat/shop2",
                                "/wechat/sho",
                                "/wechat/%73hop%20",
                                "/wechat/shop;x=1",
                                "/wechat/shop/x",
                            ],
                            dice,
                        ),
                    )
                    .into(),
            ),
            40 => (
                "an upgrade",
                format!("{head}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
                    .into(),
            ),
            41 => (
                "HTTP/1.0 with chunks",
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                    .replace("HTTP/1.1", "HTTP/1.0")
                    .into(),
            ),
            42 => ("a proxy's header", format!("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n{second}").into()),
            _ => ("a mutated request", second.clone().into()),
        };
        if what == "a mutated request" || dice.below(4) == 0 {
            mutate(&mut bytes, &[second.into_bytes()], dice);
        }
        Request { what, bytes, pieces: 1, ending: Ending::HangUp, fate: Fate::Broken }
    }

    /// A request that is never complete, on a connection that stays.
    fn silent(&self, dice: &mut Dice) -> Request {
        let good = signed(&self.open.token, now_s(), "1");
        let bad = if dice.below(2) == 0 { good } else { signed("", now_s(), "1") };
        let head = format!("POST /wechat/shop?{bad} HTTP/1.1\r\nHost: x\r\n");
        let bytes = match dice.below(6) {
            0 => Vec::new(),
            1 => head.into_bytes(),
            2 => format!("{head}X-Slow: ").into_bytes(),
            3 => format!("{head}Content-Length: 10000\r\n\r\n{MARK}").into_bytes(),
            4 => format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").into_bytes(),
            _ => format!("{head}Transfer-Encoding: chunked\r\n\r\nfffff\r\n{MARK}").into_bytes(),
        };
        Request { what: "never complete", bytes, pieces: 1, ending: Ending::Silence, fate: Fate::Broken }
    }
}

fn refused(what: &'static str, bytes: Vec<u8>) -> Request {
    Request { what, bytes, pieces: 1, ending: Ending::Wait, fate: Fate::Refused }
}
