//! `POST /cgi-bin/message/custom/send` (§7.3): a message from the account to a customer.
//!
//! Not idempotent and without a message id, as in the real cloud: two calls are two messages.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Answer, Call, Refused};
use super::windows::Closed;
use crate::world::World;

const TEXT_LIMIT: usize = 2048;

/// Carries one call out.
pub(super) fn send(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let message = Message::read(app_id, &call.method, &call.body);
    let (openid, text) = message.as_ref().map_or(("", ""), |m| (m.openid.as_str(), m.text.as_str()));
    call.note("openid", openid);
    call.note("text", text);
    let message = message?;
    message.deliver(&call.world)?;
    call.delivered = Some(json!({"app_id": app_id, "openid": message.openid, "via": "custom_send",
                                 "msg_type": message.msg_type, "text": message.text}));
    Ok(Answer::Ok)
}

struct Message {
    app_id: String,
    openid: String,
    msg_type: String,
    text: String,
}

impl Message {
    fn read(app_id: &str, method: &Method, body: &[u8]) -> Result<Message, Refused> {
        if method != Method::POST {
            return Err(Refused(43002));
        }
        if body.is_empty() {
            return Err(Refused(44002));
        }
        let body = std::str::from_utf8(body).map_err(|_| Refused(47001))?;
        let body: Value = serde_json::from_str(&keep_escapes(body)).map_err(|_| Refused(47001))?;
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (openid, msg_type) = (field("touser"), field("msgtype"));
        if openid.is_empty() {
            return Err(Refused(40003));
        }
        let text = match msg_type.as_str() {
            "text" => body["text"]["content"].as_str().ok_or(Refused(44004))?.to_owned(),
            "image" | "voice" | "video" | "music" | "news" | "mpnews" | "mpnewsarticle" | "msgmenu"
            | "wxcard" | "miniprogrampage" => {
                body.get(&msg_type).filter(|v| v.is_object()).ok_or(Refused(47001))?;
                format!("[{msg_type}]")
            }
            _ => return Err(Refused(40008)),
        };
        Ok(Message { app_id: app_id.to_owned(), openid, msg_type, text })
    }

    fn deliver(&self, world: &World) -> Result<(), Refused> {
        let now_ms = world.clock.now_ms();
        let mut wechat = world.wechat();
        let account = wechat.accounts.get_mut(&self.app_id).ok_or(Refused(40001))?;
        let customer = account.known(&self.openid).ok_or(Refused(40003))?;
        if self.text.is_empty() {
            return Err(Refused(44004));
        }
        if self.text.len() > TEXT_LIMIT {
            return Err(Refused(45002));
        }
        if !customer.follows {
            return Err(Refused(45015));
        }
        customer.windows.check(now_ms).map_err(|closed| match closed {
            Closed::Time => Refused(45015),
            Closed::Count => Refused(45047),
        })?;
        customer.windows.consume(now_ms);
        customer.show(now_ms, "account", "custom_send", &self.msg_type, &self.text, None);
        Ok(())
    }
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

    fn text(body: &str) -> Result<String, Refused> {
        Message::read("wx", &Method::POST, body.as_bytes()).map(|message| message.text)
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
        assert_eq!(text(""), Err(Refused(44002)));
        assert_eq!(text("{"), Err(Refused(47001)));
        assert_eq!(text(r#"{"msgtype":"text","text":{"content":"x"}}"#), Err(Refused(40003)));
        assert_eq!(text(r#"{"touser":"o","msgtype":"txt"}"#), Err(Refused(40008)));
        assert_eq!(text(r#"{"touser":"o","msgtype":"text","text":{}}"#), Err(Refused(44004)));
        assert_eq!(Message::read("wx", &Method::GET, b"{}").err(), Some(Refused(43002)));
    }
}
