//! The types of message and what each must have (§7.3).
//!
//! Which code a missing field gets is published for few fields: where it is not, 40035 stands here.

use serde_json::{Map, Value};

use crate::wechat::api::Refused;
use crate::wechat::media::{MediaKind, MediaStore};
use crate::wechat::rules::AccountRules;

const TEXT_LIMIT: usize = 2048;

/// One message, in the right form; whether its files exist is not known yet.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) openid: String,
    pub(super) msg_type: String,
    /// The text, or the type in brackets.
    pub(super) text: String,
    /// What a customer sees of it, for all types but plain text.
    pub(super) fields: Option<Value>,
    content: Map<String, Value>,
    kf_account: Option<String>,
}

impl Message {
    pub(super) fn read(body: &[u8]) -> Result<Message, Refused> {
        let body = std::str::from_utf8(body).map_err(|_| Refused(47001))?;
        let mut body: Map<String, Value> =
            serde_json::from_str(&keep_escapes(body)).map_err(|_| Refused(47001))?;
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (openid, msg_type) = (field("touser"), field("msgtype"));
        if openid.is_empty() {
            return Err(Refused(40003));
        }
        const TYPES: [&str; 11] = [
            "text",
            "image",
            "voice",
            "video",
            "music",
            "news",
            "mpnews",
            "mpnewsarticle",
            "msgmenu",
            "wxcard",
            "miniprogrampage",
        ];
        if !TYPES.contains(&msg_type.as_str()) {
            return Err(Refused(40008));
        }
        let kf_account = match body.get("customservice") {
            None => None,
            Some(service) => Some(service["kf_account"].as_str().ok_or(Refused(40035))?.to_owned()),
        };
        let by_ai = body.get("aimsgcontext").is_some_and(|context| context["is_ai_msg"] == 1);
        let content = match body.remove(&msg_type) {
            Some(Value::Object(content)) => content,
            None if msg_type == "text" => return Err(Refused(44004)),
            _ => return Err(Refused(47001)),
        };
        let text = match msg_type.as_str() {
            "text" => content.get("content").and_then(Value::as_str).ok_or(Refused(44004))?.to_owned(),
            _ => format!("[{msg_type}]"),
        };
        let mut fields = if msg_type == "text" { Map::new() } else { content.clone() };
        if let Some(kf_account) = &kf_account {
            fields.insert("kf_account".into(), kf_account.as_str().into());
        }
        if by_ai {
            fields.insert("note".into(), "内容由第三方AI生成".into());
        }
        let fields = (!fields.is_empty()).then_some(Value::Object(fields));
        let message = Message { openid, msg_type, text, fields, content, kf_account };
        message.complete()?;
        Ok(message)
    }

    fn get(&self, name: &str) -> &str {
        self.content.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether all required fields are there.
    fn complete(&self) -> Result<(), Refused> {
        let needs = |names: &[&str], code: i64| {
            if names.iter().all(|name| !self.get(name).is_empty()) { Ok(()) } else { Err(Refused(code)) }
        };
        match self.msg_type.as_str() {
            "text" if self.text.is_empty() => Err(Refused(44004)),
            "text" if self.text.len() > TEXT_LIMIT => Err(Refused(45002)),
            "image" | "voice" | "mpnews" => needs(&["media_id"], 40007),
            "video" => needs(&["media_id", "thumb_media_id"], 40007),
            "music" => {
                needs(&["title", "description", "musicurl"], 40035)?;
                needs(&["thumb_media_id"], 40007)
            }
            "news" => self.one_article(),
            "mpnewsarticle" => needs(&["article_id"], 40035),
            "wxcard" => needs(&["card_id"], 40035),
            "miniprogrampage" => {
                needs(&["title", "appid", "pagepath"], 40035)?;
                needs(&["thumb_media_id"], 40007)
            }
            _ => Ok(()),
        }
    }

    fn one_article(&self) -> Result<(), Refused> {
        let articles = self.content.get("articles").and_then(Value::as_array).ok_or(Refused(44003))?;
        match articles.as_slice() {
            [] => Err(Refused(44003)),
            [one] => {
                let there = |name: &&str| one[*name].as_str().is_some_and(|text| !text.is_empty());
                let complete = ["title", "description", "url", "picurl"].iter().all(there);
                if complete { Ok(()) } else { Err(Refused(40035)) }
            }
            _ => Err(Refused(45008)),
        }
    }

    /// Whether the account has what the message names.
    pub(super) fn check(&self, rules: &AccountRules, media: &MediaStore, now_ms: i64) -> Result<(), Refused> {
        let has = |field: &str, kinds: &[MediaKind]| {
            if media.usable(self.get(field), kinds, now_ms) { Ok(()) } else { Err(Refused(40007)) }
        };
        const PICTURE: [MediaKind; 2] = [MediaKind::Thumb, MediaKind::Image];
        if self.kf_account.as_ref().is_some_and(|account| !rules.kf_accounts.contains(account)) {
            return Err(Refused(65401));
        }
        match self.msg_type.as_str() {
            "text" => check_links(&self.text, rules),
            "image" => has("media_id", &[MediaKind::Image]),
            "voice" => has("media_id", &[MediaKind::Voice]),
            "video" => {
                has("media_id", &[MediaKind::Video])?;
                has("thumb_media_id", &PICTURE)
            }
            "music" => has("thumb_media_id", &PICTURE),
            "mpnews" => has("media_id", &[MediaKind::News]),
            "miniprogrampage" => {
                if !linked(self.get("appid"), rules) {
                    return Err(Refused(45064));
                }
                has("thumb_media_id", &PICTURE)
            }
            "msgmenu" => self.check_menu(rules),
            _ => Ok(()),
        }
    }

    fn check_menu(&self, rules: &AccountRules) -> Result<(), Refused> {
        let entries = self.content.get("list").and_then(Value::as_array).ok_or(Refused(40035))?;
        if entries.is_empty() {
            return Err(Refused(40035));
        }
        if entries.len() > rules.menu_entries {
            return Err(Refused(45098));
        }
        for entry in entries {
            let id = entry["id"].as_str().map(str::len).or(entry["id"].as_u64().map(|_| 1));
            let content = entry["content"].as_str().unwrap_or_default();
            if id.is_none_or(|length| length == 0) || content.is_empty() {
                return Err(Refused(40035));
            }
            if content.len() > rules.menu_entry_bytes {
                return Err(Refused(45099));
            }
        }
        Ok(())
    }
}

fn linked(app_id: &str, rules: &AccountRules) -> bool {
    app_id.starts_with("wx")
        && rules.mini_programs.as_ref().is_none_or(|linked| linked.iter().any(|one| one == app_id))
}

/// Links to mini programs must name one that is linked to the account (§5.4): 45086.
fn check_links(text: &str, rules: &AccountRules) -> Result<(), Refused> {
    for named in text.split("data-miniprogram-appid=").skip(1) {
        let app_id = named.strip_prefix(['"', '\'']).and_then(|rest| rest.split(['"', '\'']).next());
        if !app_id.is_some_and(|app_id| linked(app_id, rules)) {
            return Err(Refused(45086));
        }
    }
    Ok(())
}

/// The real cloud shows `\u4f60` literally (§6.1): every escape but those of control characters stays as it came.
fn keep_escapes(json: &str) -> String {
    let mut kept = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        kept.push_str(before);
        let unicode = escape.strip_prefix("\\u").and_then(|digits| digits.get(..4));
        let code = unicode.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if code.is_some_and(|code| code >= 0x20) {
            kept.push('\\');
        }
        let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
        if code.is_some_and(|code| code >= 0x20) {
            kept.push_str("\\u");
        } else {
            kept.push_str(&escape[..end]);
        }
        rest = &escape[end..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(body: &str) -> Result<String, Refused> {
        Message::read(body.as_bytes()).map(|message| message.text)
    }

    #[test]
    fn f38_escaped_characters_are_shown_as_they_came() {
        let sent =
            |content: &str| format!(r#"{{"touser":"o","msgtype":"text","text":{{"content":"{content}"}}}}"#);
        assert_eq!(text(&sent("你好")).unwrap(), "你好");
        assert_eq!(text(&sent("\\u4f60")).unwrap(), "\\u4f60");
        assert_eq!(text(&sent("\\u003ca\\u003e \\n \\\\u \\u0001")).unwrap(), "\\u003ca\\u003e \n \\u \u{1}");
    }

    #[test]
    fn broken_requests_have_their_codes() {
        assert_eq!(text("{"), Err(Refused(47001)));
        assert_eq!(text(r#"{"msgtype":"text","text":{"content":"x"}}"#), Err(Refused(40003)));
        assert_eq!(text(r#"{"touser":"o","msgtype":"txt"}"#), Err(Refused(40008)));
        assert_eq!(text(r#"{"touser":"o","msgtype":"text","text":{}}"#), Err(Refused(44004)));
    }

    #[test]
    fn each_type_has_its_required_fields() {
        let complete = [
            ("image", json!({"media_id": "M1"})),
            ("voice", json!({"media_id": "M2"})),
            ("video", json!({"media_id": "M3", "thumb_media_id": "T3"})),
            (
                "music",
                json!({"title": "曲", "description": "说明", "musicurl": "https://a.example/m.mp3",
                             "thumb_media_id": "T1"}),
            ),
            ("mpnews", json!({"media_id": "M4"})),
            ("mpnewsarticle", json!({"article_id": "ART1"})),
            ("wxcard", json!({"card_id": "CARD1"})),
            (
                "miniprogrampage",
                json!({"title": "订单", "appid": "wxMINI", "pagepath": "p", "thumb_media_id": "M5"}),
            ),
        ];
        let read = |msg_type: &str, content: &Value| {
            let mut body = json!({"touser": "o", "msgtype": msg_type});
            body[msg_type] = content.clone();
            Message::read(body.to_string().as_bytes()).map(|message| message.text)
        };
        for (msg_type, content) in complete {
            assert_eq!(read(msg_type, &content).unwrap(), format!("[{msg_type}]"));
            for name in content.as_object().unwrap().keys() {
                let mut without = content.clone();
                without.as_object_mut().unwrap().remove(name);
                let code = if name.ends_with("media_id") { 40007 } else { 40035 };
                assert_eq!(read(msg_type, &without), Err(Refused(code)), "{msg_type} without {name}");
            }
            assert_eq!(read(msg_type, &json!("x")), Err(Refused(47001)));
        }
        let article =
            json!({"title": "帮助", "description": "FAQ", "url": "https://a.example", "picurl": "p"});
        let news = |articles: Value| read("news", &json!({"articles": articles})).err();
        assert_eq!(news(json!([article])), None);
        assert_eq!(news(json!([article, article])), Some(Refused(45008)));
        assert_eq!(news(json!([])), Some(Refused(44003)));
        assert_eq!(news(json!([{"title": "帮助"}])), Some(Refused(40035)));
    }

    #[test]
    fn menus_and_links_are_checked_against_the_accounts_rules() {
        let rules = AccountRules {
            menu_entries: 2,
            menu_entry_bytes: 6,
            mini_programs: Some(vec!["wxMINI".into()]),
            ..AccountRules::default()
        };
        let check = |body: Value| {
            let message = Message::read(body.to_string().as_bytes()).unwrap();
            message.check(&rules, &MediaStore::default(), 0).err()
        };
        let menu = |list: Value| {
            check(
                json!({"touser": "o", "msgtype": "msgmenu", "msgmenu": {"head_content": "?", "list": list}}),
            )
        };
        let one = json!({"id": "101", "content": "满意"});
        assert_eq!(menu(json!([one, one])), None);
        assert_eq!(menu(json!([one, one, one])), Some(Refused(45098)));
        assert_eq!(menu(json!([{"id": "1", "content": "不满意"}])), Some(Refused(45099)));
        assert_eq!(menu(json!([{"id": "", "content": "满意"}])), Some(Refused(40035)));
        assert_eq!(menu(json!([])), Some(Refused(40035)));
        let link = |app_id: &str| {
            let text = format!("<a href=\"u\" data-miniprogram-appid=\"{app_id}\">x</a>");
            check(json!({"touser": "o", "msgtype": "text", "text": {"content": text}}))
        };
        assert_eq!((link("wxMINI"), link("wxOther")), (None, Some(Refused(45086))));
        let named = |account: &str| {
            check(json!({"touser": "o", "msgtype": "text", "text": {"content": "x"},
                         "customservice": {"kf_account": account}}))
        };
        assert_eq!((named("agent01@myshop"), named("nobody@myshop")), (None, Some(Refused(65401))));
    }
}
