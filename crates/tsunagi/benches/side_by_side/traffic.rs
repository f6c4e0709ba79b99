//! What the customers of a shop send, as WeChat pushes it: many texts, some events, now and then a repeat; few customers
//! write much, many write little.

use crate::dice::Dice;
use sim::WechatAccountConfig;
use std::ops::Range;

/// Customers, by Zipf's law; the busiest of them writes two of a hundred messages.
pub(crate) const CUSTOMERS: usize = 5_000;
const EXPONENT: f64 = 0.7;
/// Of a hundred pushes so many are events, and so many are a repeat of an earlier one.
const EVENTS: u64 = 10;
const REPEATS: u64 = 1;
/// How far back the push lies that is repeated: WeChat offers again after five seconds.
const BACK: u64 = 400;

/// Requests that are ready to be written to a connection, so that making them costs nothing while the clock runs.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, n: usize) -> &[u8] {
        let begin = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.bytes[begin..self.ends[n]]
    }

    fn add(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn of(requests: impl Iterator<Item = String>) -> Requests {
        let mut all = Requests { bytes: Vec::new(), ends: Vec::new() };
        requests.for_each(|request| all.add(request.as_bytes()));
        all
    }
}

/// How a push is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    Secure,
}

pub(crate) struct Traffic {
    /// Running sums of Zipf's weights.
    weights: Vec<f64>,
    shop: WechatAccountConfig,
    key: wechat::AesKey,
}

/// An openid has 28 characters.
pub(crate) fn openid(customer: usize) -> String {
    format!("oSideBySideCustomer{customer:09}")
}

/// The mark by which a text is known again when it leaves.
pub(crate) fn mark(n: u64) -> String {
    format!("#{n}#")
}

/// The number in the first such mark.
pub(crate) fn marked(text: &[u8]) -> Option<u64> {
    let begin = text.iter().position(|byte| *byte == b'#')? + 1;
    let end = begin + text[begin..].iter().position(|byte| *byte == b'#')?;
    std::str::from_utf8(&text[begin..end]).ok()?.parse().ok()
}

impl Traffic {
    pub(crate) fn new() -> Traffic {
        let mut sum = 0.0;
        let weights = (1..=CUSTOMERS)
            .map(|rank| {
                sum += (rank as f64).powf(-EXPONENT);
                sum
            })
            .collect();
        let shop = WechatAccountConfig::shop();
        let key = wechat::AesKey::parse(shop.encoding_aes_key.as_deref().unwrap()).unwrap();
        Traffic { weights, shop, key }
    }

    fn customer(&self, dice: &mut Dice) -> usize {
        let all = self.weights[CUSTOMERS - 1];
        let at = dice.next() as f64 / u64::MAX as f64 * all;
        self.weights.partition_point(|sum| *sum < at).min(CUSTOMERS - 1)
    }

    /// Pushes with the numbers of `range`.
    pub(crate) fn pushes(&self, range: Range<u64>, mode: Mode) -> Requests {
        Requests::of(range.map(|n| self.push(n, mode)))
    }

    /// Texts alone, without repeats: each is one message for an agent.
    pub(crate) fn texts(&self, range: Range<u64>, mode: Mode) -> Requests {
        Requests::of(range.map(|n| {
            let mut dice = Dice::new(n);
            let customer = self.customer(&mut dice);
            self.wrapped(&self.text(n, customer, &mut dice), n, mode)
        }))
    }

    /// One text of each customer of `range`.
    pub(crate) fn first_texts(&self, range: Range<usize>, from: u64) -> Requests {
        Requests::of(range.map(|customer| {
            let n = from + customer as u64;
            self.wrapped(&self.text(n, customer, &mut Dice::new(n)), n, Mode::Plain)
        }))
    }

    fn push(&self, n: u64, mode: Mode) -> String {
        let mut dice = Dice::new(n);
        let is_repeat = n > BACK && dice.below(100) < REPEATS;
        let of = if is_repeat { n - BACK } else { n };
        self.wrapped(&self.document(of), n, mode)
    }

    fn document(&self, n: u64) -> String {
        let mut dice = Dice::new(n ^ 0x5151);
        let customer = self.customer(&mut dice);
        if dice.below(100) >= EVENTS {
            return self.text(n, customer, &mut dice);
        }
        let (event, key) = match dice.below(3) {
            0 => ("VIEW", "https://shop.example.com/sale?from=menu"),
            1 => ("CLICK", "MENU_NEWS"),
            _ => ("TEMPLATESENDJOBFINISH", ""),
        };
        format!(
            "{}<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{event}]]></Event><EventKey><![CDATA[{key}]]></EventKey>\
             <MsgID>{n}</MsgID><Status><![CDATA[success]]></Status></xml>",
            self.head(customer, n)
        )
    }

    fn text(&self, n: u64, customer: usize, dice: &mut Dice) -> String {
        const WORDS: [&str; 6] = [
            "请问这件还有货吗？",
            "什么时候能发货呢",
            "好的，谢谢",
            "我的订单怎么还没有到",
            "可以换一个颜色吗",
            "hello, is anybody there?",
        ];
        let mut words = String::new();
        for _ in 0..=dice.below(5) {
            words.push_str(WORDS[dice.below(6) as usize]);
        }
        format!(
            "{}<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{} {words}]]></Content><MsgId>{}</MsgId></xml>",
            self.head(customer, n),
            mark(n),
            24_000_000_000_000_000 + n
        )
    }

    fn head(&self, customer: usize, n: u64) -> String {
        // Events are known again by who did what in which second: theirs differ.
        let at = 1_795_000_000 + n;
        format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[{}]]></FromUserName>\
             <CreateTime>{at}</CreateTime>",
            self.shop.gh_id,
            openid(customer)
        )
    }

    fn wrapped(&self, document: &str, n: u64, mode: Mode) -> String {
        let now = now_s().to_string();
        let nonce = (n.wrapping_mul(2_654_435_761) % 10_000_000_000).to_string();
        let signature = wechat::signature(&[&self.shop.token, &now, &nonce]);
        let mut query = format!("signature={signature}&timestamp={now}&nonce={nonce}");
        let body = match mode {
            Mode::Plain => document.to_owned(),
            Mode::Secure => {
                let prefix = *format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
                    .as_bytes()
                    .first_chunk()
                    .unwrap();
                let encrypt = self.key.encrypt(&self.shop.app_id, prefix, document.as_bytes());
                let signed = wechat::signature(&[&self.shop.token, &now, &nonce, &encrypt]);
                query.push_str(&format!("&encrypt_type=aes&msg_signature={signed}"));
                format!(
                    "<xml><ToUserName><![CDATA[{}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>",
                    self.shop.gh_id
                )
            }
        };
        post(&format!("/wechat/shop?{query}"), "text/xml", &body)
    }
}

/// One request as it goes over the wire.
pub(crate) fn post(path: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[expect(clippy::disallowed_methods, reason = "the gateway that is measured has the machine's clock")]
pub(crate) fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().cast_signed()
}
