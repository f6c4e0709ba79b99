//! Passive replies: the answer to a push, in the body of the HTTP response. Start at [`Reply`].
//!
//! Vendor page: <https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html>

use crate::text::clean;
use crate::xml::{push_cdata, push_number};

/// The body that acknowledges a push without a reply; never encrypted.
pub const SUCCESS: &str = "success";

/// A passive reply. At most one per push, within five seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Words.
    Text {
        /// `ToUserName`: the customer's openid.
        to: String,
        /// `FromUserName`: the account's original id (`gh_…`).
        from: String,
        /// `CreateTime`, seconds since 1970.
        create_time_s: i64,
        /// At most 2,048 bytes of UTF-8 (measured by several people, not documented). An empty content is not
        /// an empty reply but a malformed one; [`crate::Seal::reply`] answers `success` in its place.
        content: String,
    },
}

impl Reply {
    /// The reply in XML. Characters that XML cannot carry are dropped, `]]>` is split over two sections.
    pub fn to_xml(&self) -> String {
        let Reply::Text { to, from, create_time_s, content } = self;
        let mut out = String::with_capacity(256 + content.len());
        out.push_str("<xml>");
        push_cdata(&mut out, "ToUserName", to);
        push_cdata(&mut out, "FromUserName", from);
        push_number(&mut out, "CreateTime", *create_time_s);
        push_cdata(&mut out, "MsgType", "text");
        push_cdata(&mut out, "Content", content);
        out.push_str("</xml>");
        out
    }

    /// The reply in JSON, for accounts whose data format is JSON. Raw UTF-8.
    pub fn to_json(&self) -> String {
        let Reply::Text { to, from, create_time_s, content } = self;
        let text = |s: &str| serde_json::Value::from(clean(s).into_owned());
        format!(
            r#"{{"ToUserName":{},"FromUserName":{},"CreateTime":{},"MsgType":"text","Content":{}}}"#,
            text(to),
            text(from),
            create_time_s,
            text(content),
        )
    }

    /// Whether nothing would be left to say once illegal characters are dropped.
    pub(crate) fn is_empty(&self) -> bool {
        let Reply::Text { content, .. } = self;
        clean(content).is_empty()
    }
}
