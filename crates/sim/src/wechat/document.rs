//! What a push looks like on the wire: its fields as XML or JSON, its envelope, its signed query (§2, §3).

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

use crate::chance::Chance;
use crate::config::{Format, Mode, WechatAccountConfig};

/// One message or event on its way to the gateway; the same for all attempts.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) app_id: String,
    pub(crate) openid: String,
    /// What the journal joins on: the MsgId, or a name of the simulator's own for events.
    pub(crate) id: String,
    /// `text`, …, or for events `event:subscribe`.
    pub(crate) what: String,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Fields in order.
    Fields(Vec<(String, Value)>),
    /// The document word for word, for what no well-behaved cloud would send.
    Verbatim(Vec<u8>),
}

/// One attempt, ready to be sent.
#[derive(Clone)]
pub(crate) struct Request {
    /// The account as it was set up then: the answer is judged by it, though the console may have been changed since.
    pub(crate) account: Arc<WechatAccountConfig>,
    pub(crate) key: Option<::wechat::AesKey>,
    pub(crate) url: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// What an encrypted body says.
    pub(crate) inside: Option<Vec<u8>>,
}

/// `sha1_hex(concat(sort(parts)))`, written here a second time on purpose: a mistake in the library's must show.
pub(crate) fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat().as_bytes()))
}

/// Signs and, where the mode wants it, encrypts one attempt.
pub(crate) fn request(
    config: &Arc<WechatAccountConfig>,
    key: Option<&::wechat::AesKey>,
    webhook_url: &str,
    push: &Push,
    now_s: i64,
    chance: &Chance,
) -> Request {
    let (timestamp, nonce) = (now_s.to_string(), chance.nonce());
    let signature = sign(&[&config.token, &timestamp, &nonce]);
    let separator = if webhook_url.contains('?') { '&' } else { '?' };
    let mut url = format!(
        "{webhook_url}{separator}signature={signature}&timestamp={timestamp}&nonce={nonce}&openid={}",
        push.openid
    );
    let plain = match &push.content {
        Content::Verbatim(bytes) => bytes.clone(),
        Content::Fields(fields) => render(config.format, fields),
    };
    let content_type = match config.format {
        Format::Xml => "text/xml",
        Format::Json => "application/json",
    };
    let made = |url: String, body: Vec<u8>, inside: Option<Vec<u8>>| Request {
        inside,
        account: config.clone(),
        key: key.cloned(),
        url,
        content_type,
        body,
    };
    let (Some(key), true) = (key, config.mode != Mode::Plain) else { return made(url, plain, None) };
    let encrypt = key.encrypt(&config.app_id, chance.prefix16(), &plain);
    let msg_signature = sign(&[&config.token, &timestamp, &nonce, &encrypt]);
    let _ = write!(url, "&encrypt_type=aes&msg_signature={msg_signature}");
    let to = ("ToUserName".to_owned(), Value::from(config.gh_id.as_str()));
    let mut fields = match (&push.content, config.mode) {
        (Content::Fields(fields), Mode::Compatible) => fields.clone(),
        _ => vec![to],
    };
    fields.push(("Encrypt".to_owned(), encrypt.into()));
    made(url, render(config.format, &fields), Some(plain))
}

fn render(format: Format, fields: &[(String, Value)]) -> Vec<u8> {
    match format {
        Format::Xml => {
            let mut xml = String::from("<xml>");
            for (name, value) in fields {
                element(&mut xml, name, value);
            }
            xml.push_str("</xml>");
            xml.into_bytes()
        }
        Format::Json => {
            let map: Map<String, Value> = fields.iter().cloned().collect();
            Value::Object(map).to_string().into_bytes()
        }
    }
}

/// Strings as CDATA, numbers bare, arrays as repeated elements.
fn element(xml: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            element(xml, name, item);
        }
        return;
    }
    let _ = write!(xml, "<{name}>");
    match value {
        Value::Null | Value::Array(_) => {}
        Value::String(text) => {
            let _ = write!(xml, "<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| element(xml, name, value)),
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(xml, "{value}");
        }
    }
    let _ = write!(xml, "</{name}>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn signatures_are_those_of_the_vectors() {
        assert_eq!(sign(&["AAAAA", "1714036504", "1514711492"]), "f464b24fc39322e44b38aa78f5edd27bd1441696");
        assert_eq!(sign(&["AAAAA", "1714037059", "486452656"]), "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    }

    fn push() -> Push {
        let fields =
            json!({"Content": "a]]>b", "MsgId": 25033203329280739_u64, "N": {"item": [{"A": 1}, {"A": 2}]}});
        let Value::Object(fields) = fields else { unreachable!() };
        Push {
            app_id: "wx5aa5aa5aa5aa5aa5".into(),
            openid: "oAbC".into(),
            id: "1".into(),
            what: "text".into(),
            content: Content::Fields(fields.into_iter().collect()),
        }
    }

    fn made(mode: Mode, format: Format) -> (Arc<WechatAccountConfig>, Request) {
        let config = Arc::new(WechatAccountConfig { mode, format, ..WechatAccountConfig::shop() });
        let key = ::wechat::AesKey::parse(config.encoding_aes_key.as_deref().unwrap()).unwrap();
        let request =
            request(&config, Some(&key), "http://g/wechat/shop", &push(), 1_760_000_000, &Chance::new(3));
        (config, request)
    }

    #[test]
    fn plain_xml_splits_cdata_and_keeps_big_numbers() {
        let (_, request) = made(Mode::Plain, Format::Xml);
        assert_eq!(
            String::from_utf8(request.body).unwrap(),
            "<xml><Content><![CDATA[a]]]]><![CDATA[>b]]></Content><MsgId>25033203329280739</MsgId>\
             <N><item><A>1</A></item><item><A>2</A></item></N></xml>"
        );
        assert!(request.url.contains("&openid=oAbC") && !request.url.contains("msg_signature"));
    }

    #[test]
    fn compatible_mode_has_both_and_secure_mode_only_the_envelope() {
        let (_, both) = made(Mode::Compatible, Format::Json);
        let both: Value = serde_json::from_slice(&both.body).unwrap();
        assert!(both["Content"].is_string() && both["Encrypt"].is_string());
        let (config, secure) = made(Mode::Secure, Format::Json);
        let body: Value = serde_json::from_slice(&secure.body).unwrap();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["Encrypt", "ToUserName"]);
        let key = ::wechat::AesKey::parse(config.encoding_aes_key.as_deref().unwrap()).unwrap();
        let inner = key.decrypt(&config.app_id, body["Encrypt"].as_str().unwrap()).unwrap();
        assert!(inner.starts_with(b"{\"Content\""));
        assert!(secure.url.contains("&encrypt_type=aes&msg_signature="));
    }
}
