//! Judging what the gateway's webhook answered to a push (§4, §5), with a parser of its own.

use roxmltree::Document;
use serde_json::Value;

use super::document::sign;
use crate::config::{Format, Mode, WechatAccountConfig};

/// The longest text reply, in bytes of UTF-8.
const TEXT_LIMIT: usize = 2048;

/// What an answer with status 200 is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// `success` or nothing: no repeat, nothing shown.
    Ack,
    /// A message that the customer sees.
    Shown { msg_type: String, text: String },
    /// The customer sees the failure line; the reason is for the journal.
    Malformed(&'static str),
}

/// A flat look at a reply: name, text (trimmed of nothing), whether it has children.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str())
    }
}

/// Judges the body of an answer with status 200.
pub(crate) fn judge(
    config: &WechatAccountConfig,
    key: Option<&::wechat::AesKey>,
    openid: &str,
    body: &[u8],
) -> Verdict {
    if body.is_empty() || body == b"success" {
        return Verdict::Ack;
    }
    message(config, key, openid, body).unwrap_or_else(Verdict::Malformed)
}

fn message(
    config: &WechatAccountConfig,
    key: Option<&::wechat::AesKey>,
    openid: &str,
    body: &[u8],
) -> Result<Verdict, &'static str> {
    let outer = read(config.format, body)?;
    let fields = match (outer.get("Encrypt"), config.mode) {
        (Some(_), Mode::Plain) => return Err("encrypted, in plaintext mode"),
        (None, Mode::Secure) => return Err("plaintext, in secure mode"),
        (None, _) => outer,
        (Some(encrypt), _) => {
            let timestamp = outer.get("TimeStamp").ok_or("no TimeStamp")?;
            let nonce = outer.get("Nonce").ok_or("no Nonce")?;
            let signature = outer.get("MsgSignature").ok_or("no MsgSignature")?;
            if sign(&[&config.token, timestamp, nonce, encrypt]) != signature {
                return Err("wrong MsgSignature");
            }
            let key = key.ok_or("encrypted, without a key")?;
            read(config.format, &key.decrypt(&config.app_id, encrypt).map_err(|_| "not decryptable")?)?
        }
    };
    if fields.get("ToUserName") != Some(openid) || fields.get("FromUserName") != Some(&config.gh_id) {
        return Err("the addresses are not swapped");
    }
    let time = fields.get("CreateTime").ok_or("no CreateTime")?;
    if time.is_empty() || time.len() > 10 || !time.bytes().all(|b| b.is_ascii_digit()) {
        return Err("CreateTime is not in seconds");
    }
    let msg_type = fields.get("MsgType").ok_or("no MsgType")?;
    let text = match msg_type {
        "text" => {
            let content = fields.get("Content").ok_or("no Content")?;
            if content.is_empty() {
                return Err("empty Content");
            }
            if content.len() > TEXT_LIMIT {
                return Err("Content over 2048 bytes");
            }
            content.to_owned()
        }
        "image" | "voice" | "video" | "music" | "news" => format!("[{msg_type}]"),
        "transfer_customer_service" => return Ok(Verdict::Ack),
        _ => return Err("unknown MsgType"),
    };
    Ok(Verdict::Shown { msg_type: msg_type.to_owned(), text })
}

fn read(format: Format, body: &[u8]) -> Result<Fields, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    if format == Format::Json && text.trim_start().starts_with('{') {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return Err("broken JSON") };
        let flat = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return Ok(Fields(fields.into_iter().map(|(name, value)| (name, flat(value))).collect()));
    }
    let document = Document::parse(text).map_err(|_| "broken XML")?;
    let root = document.root_element();
    if !root.has_tag_name("xml") {
        return Err("the root is not <xml>");
    }
    let flat = |node: roxmltree::Node<'_, '_>| {
        let text: String = node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect();
        (node.tag_name().name().to_owned(), text)
    };
    Ok(Fields(root.children().filter(|node| node.is_element()).map(flat).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";

    fn config(mode: Mode, format: Format) -> WechatAccountConfig {
        WechatAccountConfig { mode, format, ..WechatAccountConfig::shop() }
    }

    fn key(config: &WechatAccountConfig) -> ::wechat::AesKey {
        ::wechat::AesKey::parse(config.encoding_aes_key.as_deref().unwrap()).unwrap()
    }

    fn xml(content: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[{USER}]]></ToUserName><FromUserName>gh_0123456789ab</FromUserName>\
             <CreateTime>1760000010</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content>{content}</Content></xml>"
        )
    }

    fn plain(body: &str) -> Verdict {
        judge(&config(Mode::Plain, Format::Xml), None, USER, body.as_bytes())
    }

    #[test]
    fn success_and_nothing_are_acknowledgements() {
        assert_eq!(plain(""), Verdict::Ack);
        assert_eq!(plain("success"), Verdict::Ack);
        for nearly in ["success\n", "\"success\"", "SUCCESS", "ok", "{}", "<xml/>"] {
            assert!(matches!(plain(nearly), Verdict::Malformed(_)), "{nearly:?}");
        }
    }

    #[test]
    fn a_text_is_shown_and_split_cdata_comes_together() {
        let shown = |text: &str| Verdict::Shown { msg_type: "text".into(), text: text.into() };
        assert_eq!(plain(&xml("<![CDATA[您好]]>")), shown("您好"));
        assert_eq!(plain(&xml("<![CDATA[a]]]]><![CDATA[>b]]>")), shown("a]]>b"));
        assert_eq!(plain(&xml("a &lt;b&gt;")), shown("a <b>"));
        assert_eq!(plain(&xml(&"字".repeat(682))), shown(&"字".repeat(682)));
    }

    #[test]
    fn what_wechat_would_not_show_is_malformed() {
        let ok = xml("x");
        let cases = [
            (xml(""), "empty Content"),
            (xml(&"字".repeat(683)), "Content over 2048 bytes"),
            (ok.replace(USER, "oSomebodyElse"), "the addresses are not swapped"),
            (ok.replace("1760000010", "1760000010123"), "CreateTime is not in seconds"),
            (ok.replace("[text]", "[txet]"), "unknown MsgType"),
            (ok.replace("</xml>", ""), "broken XML"),
            (xml("\u{b}"), "broken XML"),
        ];
        for (body, reason) in cases {
            assert_eq!(plain(&body), Verdict::Malformed(reason), "{body}");
        }
        let secure = config(Mode::Secure, Format::Xml);
        let verdict = judge(&secure, Some(&key(&secure)), USER, ok.as_bytes());
        assert_eq!(verdict, Verdict::Malformed("plaintext, in secure mode"));
    }

    #[test]
    fn f24_vector_6_is_a_valid_encrypted_reply() {
        let config = WechatAccountConfig {
            token: "GatewayTestToken01".into(),
            app_id: "wx0123456789abcdef".into(),
            ..config(Mode::Secure, Format::Xml)
        };
        let encrypt = "0xX0iF+dN2Gb/G4LPoWu/HOrAdvPEQ3zfAii6zE59DNmmhDqxOfK9eERzwsVX1ZOoJF8bBcm9fyX+ax2MjtVgSYdhjnzl3KXjHcL1aI8XeuEWEmKtLCmhvujcYVEDmtCf9ykhZtKsZsDweXF/zgewCyeMKqQVYxLkqwCUeCx7RoSCigUpxAvjA1O7PIDR7Vv26dCborivxmP4EpPwWw9j/8ujWTLeHzoEJjHteUn6tYaDFXpOpXTsEkjzLngrTQjFJppdlyaeBT0z+AXWxnK4RGDqfjC70rgKUbwjguZQNYAIpo+Hbp3qZUml64YRkbzMQw3x5mW1VQ5kWI2QnKYpgIQ2uueAyGfcXIPfQSgzU1eLjXBZveRhWr/SeGN8rW1j4VFGi7VXYMKfk7qfQT9W47kYGYousoIVul844JxHd0=";
        let body = format!(
            "<xml>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n<MsgSignature><![CDATA[1e00f8222bcaf1d9f3387109cf327bdbc10bf851]]></MsgSignature>\n\
             <TimeStamp>1760000002</TimeStamp>\n<Nonce><![CDATA[889900]]></Nonce>\n</xml>"
        );
        let shown =
            Verdict::Shown { msg_type: "text".into(), text: "您好，客服马上为您处理。".into() };
        assert_eq!(judge(&config, Some(&key(&config)), USER, body.as_bytes()), shown);
        let forged = body.replace("889900", "889901");
        let verdict = judge(&config, Some(&key(&config)), USER, forged.as_bytes());
        assert_eq!(verdict, Verdict::Malformed("wrong MsgSignature"));
    }
}
