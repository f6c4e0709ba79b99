//! Judging what the gateway's webhook answered to a push (§4, §5), with a parser of its own.

use roxmltree::Document;
use serde_json::Value;

use super::document::sign;
use super::media::MediaKind;
use crate::config::{Format, Mode, WechatAccountConfig};

/// The longest text reply, in bytes of UTF-8.
const TEXT_LIMIT: usize = 2048;

/// The most articles of a reply to a message; other events may get more.
const ARTICLES: [usize; 2] = [1, 8];

/// What an answer with status 200 is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// `success` or nothing: no repeat, nothing shown.
    Ack,
    /// A message that the customer sees.
    Shown(Shown),
    /// The message goes to WeChat's own agents (§5.3); nothing is shown.
    HandedOver,
    /// The customer sees the failure line; the reason is for the journal.
    Malformed(&'static str),
}

/// A passive reply that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) msg_type: String,
    /// The text, or the type in brackets.
    pub(crate) text: String,
    /// What else the customer sees.
    pub(crate) fields: Option<Value>,
    /// The file that the account must have.
    pub(crate) file: Option<NamedFile>,
}

/// A media id, and what the file behind it may be.
type NamedFile = (String, &'static [MediaKind]);

/// What a reply is judged by.
pub(crate) struct Judge<'a> {
    pub(crate) config: &'a WechatAccountConfig,
    pub(crate) key: Option<&'a ::wechat::AesKey>,
    pub(crate) openid: &'a str,
    /// The type of what is replied to: `text`, …, `event:subscribe`, …
    pub(crate) to: &'a str,
}

/// An element of a reply, or a member of a JSON object.
struct Node {
    name: String,
    /// Untrimmed.
    text: String,
    children: Vec<Node>,
}

impl Node {
    fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of a field that must be there and not be empty.
    fn need(&self, name: &str, reason: &'static str) -> Result<String, &'static str> {
        self.get(name).map(str::to_owned).filter(|text| !text.is_empty()).ok_or(reason)
    }

    fn fields(&self, names: &[&str]) -> Value {
        let pairs = names.iter().filter_map(|name| Some(((*name).to_owned(), self.get(name)?.into())));
        Value::Object(pairs.collect())
    }
}

impl Judge<'_> {
    /// Judges the body of an answer with status 200.
    pub(crate) fn judge(&self, body: &[u8]) -> Verdict {
        if body.is_empty() || body == b"success" {
            return Verdict::Ack;
        }
        self.message(body).unwrap_or_else(Verdict::Malformed)
    }

    fn message(&self, body: &[u8]) -> Result<Verdict, &'static str> {
        let config = self.config;
        let outer = read(config.format, body)?;
        let reply = match (outer.get("Encrypt"), config.mode) {
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
                let key = self.key.ok_or("encrypted, without a key")?;
                read(config.format, &key.decrypt(&config.app_id, encrypt).map_err(|_| "not decryptable")?)?
            }
        };
        if reply.get("ToUserName") != Some(self.openid) || reply.get("FromUserName") != Some(&config.gh_id) {
            return Err("the addresses are not swapped");
        }
        let time = reply.get("CreateTime").ok_or("no CreateTime")?;
        if time.is_empty() || time.len() > 10 || !time.bytes().all(|b| b.is_ascii_digit()) {
            return Err("CreateTime is not in seconds");
        }
        let msg_type = reply.get("MsgType").ok_or("no MsgType")?.to_owned();
        if msg_type == "transfer_customer_service" {
            return Ok(Verdict::HandedOver);
        }
        if msg_type == "text" {
            let text = reply.get("Content").ok_or("no Content")?.to_owned();
            return match text.len() {
                0 => Err("empty Content"),
                1..=TEXT_LIMIT => Ok(Verdict::Shown(Shown { msg_type, text, fields: None, file: None })),
                _ => Err("Content over 2048 bytes"),
            };
        }
        let (fields, file) = self.payload(&msg_type, &reply)?;
        let text = format!("[{msg_type}]");
        Ok(Verdict::Shown(Shown { msg_type, text, fields: Some(fields), file }))
    }

    /// What a reply shows that is no text, and the file that it needs.
    fn payload(&self, msg_type: &str, reply: &Node) -> Result<(Value, Option<NamedFile>), &'static str> {
        use MediaKind::{Image, Thumb, Video, Voice};
        let inner = |name: &str| reply.child(name).ok_or("its element is missing");
        let one = |node: &Node, name: &str, names: &[&str], kinds: &'static [MediaKind]| {
            Ok((node.fields(names), Some((node.need(name, "no media id")?, kinds))))
        };
        match msg_type {
            "image" => one(inner("Image")?, "MediaId", &["MediaId"], &[Image]),
            "voice" => one(inner("Voice")?, "MediaId", &["MediaId"], &[Voice]),
            "video" => one(inner("Video")?, "MediaId", &["MediaId", "Title", "Description"], &[Video]),
            "music" => {
                let names = ["Title", "Description", "MusicUrl", "HQMusicUrl", "ThumbMediaId"];
                one(inner("Music")?, "ThumbMediaId", &names, &[Thumb, Image])
            }
            "news" => self.news(reply).map(|fields| (fields, None)),
            _ => Err("unknown MsgType"),
        }
    }

    /// ArticleCount and articles agree; one article only in answer to a message (§5.2).
    fn news(&self, reply: &Node) -> Result<Value, &'static str> {
        let said: usize =
            reply.get("ArticleCount").and_then(|n| n.trim().parse().ok()).ok_or("no ArticleCount")?;
        let outer = reply.child("Articles").ok_or("no Articles")?;
        let items: Vec<&Node> = match outer.child("item") {
            Some(_) => outer.children.iter().filter(|child| child.name == "item").collect(),
            // A JSON array of articles.
            None => {
                reply.children.iter().filter(|n| n.name == "Articles" && !n.children.is_empty()).collect()
            }
        };
        if said != items.len() {
            return Err("ArticleCount is not the number of articles");
        }
        let messages = ["text", "image", "voice", "video", "news", "location"];
        let most = if messages.contains(&self.to) { ARTICLES[0] } else { ARTICLES[1] };
        if items.is_empty() || items.len() > most {
            return Err("too many articles, or none");
        }
        let names = ["Title", "Description", "PicUrl", "Url"];
        if items.iter().any(|item| names.iter().any(|name| item.child(name).is_none())) {
            return Err("an article is not complete");
        }
        let articles: Vec<Value> = items.iter().map(|item| item.fields(&names)).collect();
        Ok(serde_json::json!({"Articles": articles}))
    }
}

fn read(format: Format, body: &[u8]) -> Result<Node, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    if format == Format::Json && text.trim_start().starts_with('{') {
        let value = serde_json::from_str(text).map_err(|_| "broken JSON")?;
        return Ok(Node { name: String::new(), text: String::new(), children: members(value) });
    }
    let document = Document::parse(text).map_err(|_| "broken XML")?;
    let root = document.root_element();
    if !root.has_tag_name("xml") {
        return Err("the root is not <xml>");
    }
    Ok(element(root))
}

fn element(node: roxmltree::Node<'_, '_>) -> Node {
    Node {
        name: node.tag_name().name().to_owned(),
        text: node.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect(),
        children: node.children().filter(roxmltree::Node::is_element).map(element).collect(),
    }
}

fn members(value: Value) -> Vec<Node> {
    let Value::Object(fields) = value else { return Vec::new() };
    let each = |(name, value): (String, Value)| -> Vec<Node> {
        match value {
            Value::Array(items) => {
                items.into_iter().map(|item| Node { name: name.clone(), ..member(item) }).collect()
            }
            value => vec![Node { name, ..member(value) }],
        }
    };
    fields.into_iter().flat_map(each).collect()
}

fn member(value: Value) -> Node {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Node { name: String::new(), text, children: members(value) }
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

    fn judged(config: &WechatAccountConfig, key: Option<&::wechat::AesKey>, to: &str, body: &str) -> Verdict {
        Judge { config, key, openid: USER, to }.judge(body.as_bytes())
    }

    fn shown(text: &str) -> Verdict {
        Verdict::Shown(Shown { msg_type: "text".into(), text: text.into(), fields: None, file: None })
    }

    fn plain(body: &str) -> Verdict {
        judged(&config(Mode::Plain, Format::Xml), None, "text", body)
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
        let verdict = judged(&secure, Some(&key(&secure)), "text", &ok);
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
        let verdict = judged(&config, Some(&key(&config)), "text", &body);
        assert_eq!(verdict, shown("您好，客服马上为您处理。"));
        let forged = body.replace("889900", "889901");
        let verdict = judged(&config, Some(&key(&config)), "text", &forged);
        assert_eq!(verdict, Verdict::Malformed("wrong MsgSignature"));
    }

    fn other(msg_type: &str, payload: &str) -> String {
        xml("x").replace("[text]", &format!("[{msg_type}]")).replace("<Content>x</Content>", payload)
    }

    #[test]
    fn each_type_shows_its_fields_and_names_its_file() {
        let file = |verdict: Verdict| match verdict {
            Verdict::Shown(shown) => Ok((shown.text, shown.file.map(|(id, _)| id))),
            Verdict::Malformed(reason) => Err(reason),
            _ => Err("something else"),
        };
        let cases = [
            ("image", "<Image><MediaId>M1</MediaId></Image>", "M1"),
            ("voice", "<Voice><MediaId>M2</MediaId></Voice>", "M2"),
            ("video", "<Video><MediaId>M3</MediaId><Title>演示</Title></Video>", "M3"),
            ("music", "<Music><ThumbMediaId>T1</ThumbMediaId></Music>", "T1"),
        ];
        for (msg_type, payload, id) in cases {
            let judged = file(plain(&other(msg_type, payload)));
            assert_eq!(judged, Ok((format!("[{msg_type}]"), Some(id.to_owned()))));
            assert_eq!(file(plain(&other(msg_type, ""))), Err("its element is missing"));
            assert_eq!(file(plain(&other(msg_type, &payload.replace(id, "")))), Err("no media id"));
        }
        assert_eq!(plain(&other("transfer_customer_service", "")), Verdict::HandedOver);
        assert_eq!(plain(&other("transfer_biz_ai_ivr", "")), Verdict::Malformed("unknown MsgType"));
    }

    #[test]
    fn one_article_answers_a_message_and_eight_an_event() {
        let item = "<item><Title>a</Title><Description/><PicUrl>p</PicUrl><Url>u</Url></item>";
        let news = |to: &str, said: usize, item: &str, times: usize| {
            let payload =
                format!("<ArticleCount>{said}</ArticleCount><Articles>{}</Articles>", item.repeat(times));
            match judged(&config(Mode::Plain, Format::Xml), None, to, &other("news", &payload)) {
                Verdict::Shown(shown) => shown.fields.unwrap()["Articles"].as_array().unwrap().len(),
                _ => 0,
            }
        };
        for (to, most) in [("text", 1), ("location", 1), ("link", 8), ("event:CLICK", 8)] {
            assert_eq!((news(to, most, item, most), news(to, most + 1, item, most + 1)), (most, 0), "{to}");
        }
        assert_eq!(news("text", 2, item, 1), 0, "a wrong count");
        assert_eq!(news("text", 0, item, 0), 0);
        assert_eq!(news("text", 1, "<item><Title>a</Title></item>", 1), 0, "not complete");
    }

    #[test]
    fn f23_json_accounts_may_answer_in_json() {
        let json = |rest: &str| {
            let body = format!(
                r#"{{"ToUserName":"{USER}","FromUserName":"gh_0123456789ab","CreateTime":1760000010,{rest}}}"#
            );
            judged(&config(Mode::Plain, Format::Json), None, "text", &body)
        };
        assert_eq!(json(r#""MsgType":"text","Content":"您好""#), shown("您好"));
        let Verdict::Shown(image) = json(r#""MsgType":"image","Image":{"MediaId":"M1"}"#) else { panic!() };
        assert_eq!(image.file.unwrap().0, "M1");
        let article = r#"{"Title":"a","Description":"","PicUrl":"p","Url":"u"}"#;
        for articles in [format!("[{article}]"), format!(r#"{{"item":[{article}]}}"#)] {
            let news = json(&format!(r#""MsgType":"news","ArticleCount":1,"Articles":{articles}"#));
            assert!(matches!(news, Verdict::Shown(_)), "{news:?}");
        }
        assert_eq!(json(r#""MsgType":"text""#), Verdict::Malformed("no Content"));
    }
}
