//! Passive replies: the answer to a push, in the body of the HTTP response. Start at [`Reply`].
//!
//! How a reply is written in XML and JSON is in `reply/write.rs`.
//! Vendor page: <https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html>

mod write;

use std::fmt;

use crate::content::{ContentError, required, text};
use crate::message::{Message, MessageKind};
use crate::push::{Push, PushBody};
use write::Node;

/// The body that acknowledges a push without a reply; never encrypted.
pub const SUCCESS: &str = "success";
/// Most articles of a reply to something other than a message, such as a follow or a tap on a menu.
pub const MAX_ARTICLES: usize = 8;

/// A passive reply. At most one per push, within five seconds. [`Push::reply`] fills in the addresses.
///
/// `Debug` shows neither the addresses nor the content.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// `ToUserName`: the customer's openid.
    pub to: String,
    /// `FromUserName`: the account's original id (`gh_…`).
    pub from: String,
    /// `CreateTime`, seconds since 1970.
    pub create_time_s: i64,
    /// What the customer gets.
    pub body: ReplyBody,
}

/// What a passive reply can be. Media must have been uploaded before; temporary and permanent ids both do.
#[derive(Clone, PartialEq, Eq)]
pub enum ReplyBody {
    /// Words.
    Text {
        /// At most [`crate::MAX_TEXT`] bytes. Line feeds are kept; `<a href="…">` is a link. An empty content is not
        /// an empty reply but a malformed one; [`crate::Seal::reply`] answers `success` in its place.
        content: String,
    },
    /// A picture; not an animated one.
    Image {
        /// `MediaId`.
        media_id: String,
    },
    /// A voice message.
    Voice {
        /// `MediaId`.
        media_id: String,
    },
    /// A video.
    Video {
        /// `MediaId`.
        media_id: String,
        /// `Title`.
        title: Option<String>,
        /// `Description`.
        description: Option<String>,
    },
    /// A piece of music.
    Music {
        /// `Title`.
        title: Option<String>,
        /// `Description`.
        description: Option<String>,
        /// `MusicUrl`.
        url: Option<String>,
        /// `HQMusicUrl`, taken where there is Wi-Fi.
        hq_url: Option<String>,
        /// `ThumbMediaId`: the only required field.
        thumb_media_id: String,
    },
    /// Link cards. One only in answer to a text, image, voice, video, news or location message; up to
    /// [`MAX_ARTICLES`] otherwise. [`Reply::check`] knows.
    News {
        /// The cards.
        articles: Vec<Article>,
    },
}

/// A link card of a reply. All fields are required.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// `Title`.
    pub title: String,
    /// `Description`.
    pub description: String,
    /// `PicUrl`: JPG or PNG, 360×200 pixels for the first card, 200×200 for the others.
    pub pic_url: String,
    /// `Url`: where a tap leads.
    pub url: String,
}

/// Hands a customer over to WeChat's own agent console (`transfer_customer_service`).
///
/// This is not one of the [`ReplyBody`] kinds, because of what it does: once an agent there accepts, the
/// customer's messages **are no longer pushed** until that session ends or 30 minutes pass. So it has a type, a way to be
/// made ([`Push::hand_over`]) and a way to be sealed ([`crate::Seal::hand_over`]) of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct HandOver {
    to: String,
    from: String,
    create_time_s: i64,
    kf_account: Option<String>,
}

impl Push {
    /// A passive reply to this push: sender and receiver swapped, time in seconds.
    pub fn reply(&self, body: ReplyBody, now_s: i64) -> Reply {
        Reply { to: self.from.clone(), from: self.to.clone(), create_time_s: now_s, body }
    }

    /// A passive text reply to this push.
    pub fn text_reply(&self, content: impl Into<String>, now_s: i64) -> Reply {
        self.reply(ReplyBody::Text { content: content.into() }, now_s)
    }

    /// How many articles a reply to this push may have: 1 or [`MAX_ARTICLES`].
    pub fn article_limit(&self) -> usize {
        match &self.body {
            PushBody::Message(Message {
                kind: MessageKind::Link { .. } | MessageKind::File { .. }, ..
            })
            | PushBody::Event(_) => MAX_ARTICLES,
            // One is never wrong; more are, for most kinds of messages.
            PushBody::Message(_) => 1,
        }
    }

    /// Hands the customer over to WeChat's own agent console, to one agent when `kf_account` (`name@account`)
    /// is given: also when that agent is offline or busy. Read [`HandOver`] first. `None` for an event: only
    /// what a customer sent can be handed over.
    pub fn hand_over(&self, kf_account: Option<&str>, now_s: i64) -> Option<HandOver> {
        let PushBody::Message(_) = self.body else { return None };
        Some(HandOver {
            to: self.from.clone(),
            from: self.to.clone(),
            create_time_s: now_s,
            kf_account: kf_account.map(str::to_owned),
        })
    }
}

impl Reply {
    /// Whether WeChat would take this reply to that push.
    ///
    /// # Errors
    ///
    /// See [`ContentError`]. WeChat shows its failure line to the customer for each of them.
    pub fn check(&self, push: &Push) -> Result<(), ContentError> {
        self.body.check()?;
        match (&self.body, push.article_limit()) {
            (ReplyBody::News { articles }, limit) if articles.len() > limit => {
                Err(ContentError::Articles { given: articles.len(), limit })
            }
            _ => Ok(()),
        }
    }

    /// The reply in XML. Characters that XML cannot carry are dropped, `]]>` is split over two sections.
    pub fn to_xml(&self) -> String {
        write::xml(&self.nodes())
    }

    /// The reply in JSON, for accounts whose data format is JSON. Raw UTF-8. The fields have their names of the
    /// XML; that `Articles` is a plain array is taken from the lists that WeChat itself sends, no page says so.
    pub fn to_json(&self) -> String {
        write::json(&self.nodes())
    }

    /// Whether WeChat would take it for malformed, for want of a required field.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.body.check(), Err(ContentError::Empty(_)))
    }

    fn nodes(&self) -> Vec<(&'static str, Node<'_>)> {
        let mut nodes = write::header(&self.to, &self.from, self.create_time_s, self.body.name());
        self.body.push_nodes(&mut nodes);
        nodes
    }
}

impl ReplyBody {
    /// `MsgType`.
    pub fn name(&self) -> &'static str {
        match self {
            ReplyBody::Text { .. } => "text",
            ReplyBody::Image { .. } => "image",
            ReplyBody::Voice { .. } => "voice",
            ReplyBody::Video { .. } => "video",
            ReplyBody::Music { .. } => "music",
            ReplyBody::News { .. } => "news",
        }
    }

    /// Whether the required fields are there and the limits kept, whatever push it answers.
    ///
    /// # Errors
    ///
    /// See [`ContentError`].
    pub fn check(&self) -> Result<(), ContentError> {
        match self {
            ReplyBody::Text { content } => text("Content", content),
            ReplyBody::Image { media_id }
            | ReplyBody::Voice { media_id }
            | ReplyBody::Video { media_id, .. } => required("MediaId", media_id),
            ReplyBody::Music { thumb_media_id, .. } => required("ThumbMediaId", thumb_media_id),
            ReplyBody::News { articles } => match articles.len() {
                0 => Err(ContentError::Empty("Articles")),
                1..=MAX_ARTICLES => articles.iter().try_for_each(Article::check),
                given => Err(ContentError::Articles { given, limit: MAX_ARTICLES }),
            },
        }
    }

    fn push_nodes<'a>(&'a self, into: &mut Vec<(&'static str, Node<'a>)>) {
        let media = |name, id: &'a str| (name, Node::Object(vec![("MediaId", Node::Text(id))]));
        match self {
            ReplyBody::Text { content } => into.push(("Content", Node::Text(content))),
            ReplyBody::Image { media_id } => into.push(media("Image", media_id)),
            ReplyBody::Voice { media_id } => into.push(media("Voice", media_id)),
            ReplyBody::Video { media_id, title, description } => {
                let mut fields = vec![("MediaId", Node::Text(media_id))];
                write::optional(&mut fields, [("Title", title), ("Description", description)]);
                into.push(("Video", Node::Object(fields)));
            }
            ReplyBody::Music { title, description, url, hq_url, thumb_media_id } => {
                let mut fields = Vec::new();
                write::optional(&mut fields, [("Title", title), ("Description", description)]);
                write::optional(&mut fields, [("MusicUrl", url), ("HQMusicUrl", hq_url)]);
                fields.push(("ThumbMediaId", Node::Text(thumb_media_id)));
                into.push(("Music", Node::Object(fields)));
            }
            ReplyBody::News { articles } => {
                into.push(("ArticleCount", Node::Number(articles.len() as i64)));
                into.push(("Articles", Node::Items(articles.iter().map(Article::fields).collect())));
            }
        }
    }
}

impl Article {
    fn check(&self) -> Result<(), ContentError> {
        required("Title", &self.title)?;
        required("Description", &self.description)?;
        required("PicUrl", &self.pic_url)?;
        required("Url", &self.url)
    }

    fn fields(&self) -> Vec<(&'static str, Node<'_>)> {
        vec![
            ("Title", Node::Text(&self.title)),
            ("Description", Node::Text(&self.description)),
            ("PicUrl", Node::Text(&self.pic_url)),
            ("Url", Node::Text(&self.url)),
        ]
    }
}

impl HandOver {
    /// The hand-over in XML.
    pub fn to_xml(&self) -> String {
        write::xml(&self.nodes())
    }

    /// The hand-over in JSON.
    pub fn to_json(&self) -> String {
        write::json(&self.nodes())
    }

    fn nodes(&self) -> Vec<(&'static str, Node<'_>)> {
        let mut nodes = write::header(&self.to, &self.from, self.create_time_s, "transfer_customer_service");
        if let Some(account) = &self.kf_account {
            nodes.push(("TransInfo", Node::Object(vec![("KfAccount", Node::Text(account))])));
        }
        nodes
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("body", &self.body).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Article {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Article")
    }
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandOver")
    }
}
