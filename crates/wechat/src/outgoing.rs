//! What `custom/send` can send to a customer. Start at [`Outgoing`].
//!
//! Vendor page: `/doc/service/api/customer/message/api_sendcustommessage`.

use std::fmt;

use crate::content::{ContentError, required, text};
use crate::text::clean;
use crate::wire;

/// A customer-service message. Media must have been uploaded before; temporary and permanent ids both do.
///
/// `Debug` shows the kind alone. Characters that no chat can show are dropped on the way out.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Words.
    Text {
        /// At most [`crate::MAX_TEXT`] bytes, or 45002. `<a href="…">` is a link, also into a mini program.
        content: String,
    },
    /// A picture.
    Image {
        /// From an upload as [`crate::MediaKind::Image`]; 40007 when it is unknown or has expired.
        media_id: String,
    },
    /// A voice message.
    Voice {
        /// From an upload as [`crate::MediaKind::Voice`].
        media_id: String,
    },
    /// A video.
    Video {
        /// From an upload as [`crate::MediaKind::Video`].
        media_id: String,
        /// Its still picture, from an upload as [`crate::MediaKind::Thumb`].
        thumb_media_id: String,
        /// Its title.
        title: Option<String>,
        /// Its description.
        description: Option<String>,
    },
    /// A piece of music.
    Music {
        /// Its title.
        title: String,
        /// Its description.
        description: String,
        /// Its address.
        url: String,
        /// Its address in high quality, taken where there is Wi-Fi.
        hq_url: Option<String>,
        /// Its picture, from an upload as [`crate::MediaKind::Thumb`].
        thumb_media_id: String,
    },
    /// A link card; WeChat takes one per message (45008).
    News(Card),
    /// An article of the old material library. Deprecated by WeChat for [`Outgoing::PublishedArticle`].
    MaterialArticle {
        /// Its `media_id`.
        media_id: String,
    },
    /// A published article.
    PublishedArticle {
        /// Its `article_id`.
        article_id: String,
    },
    /// A question with answers to tap. A tap comes back as a text with the entry's id.
    Menu {
        /// The words before the entries.
        head: Option<String>,
        /// At least one. WeChat does not publish the limits: 45098 for too many, 45099 for too long.
        entries: Vec<Entry>,
        /// The words after the entries.
        tail: Option<String>,
    },
    /// A voucher; not one with custom codes.
    Voucher {
        /// Its `card_id`.
        card_id: String,
    },
    /// A page of a mini program that is linked to the account (else 45064).
    MiniProgramPage {
        /// Its title.
        title: String,
        /// The mini program's AppID.
        app_id: String,
        /// The page, with its parameters.
        page_path: String,
        /// Its picture, best 520×416 pixels, from an upload as [`crate::MediaKind::Image`].
        thumb_media_id: String,
    },
}

/// A link card of [`Outgoing::News`]. All fields are required.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Where a tap leads.
    pub url: String,
    /// Its picture's address.
    pub pic_url: String,
}

/// An entry of [`Outgoing::Menu`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Comes back as `menu_id` of the text.
    pub id: String,
    /// What is shown, and comes back as the text.
    pub content: String,
}

/// In whose name a message is shown. The default is the account's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// An agent of WeChat's own console (`name@account`), whose name and picture are shown. 61452 or 65401 when
    /// there is none.
    pub kf_account: Option<String>,
    /// `Some(true)` adds a grey line that says that a machine wrote the message.
    pub made_by_ai: Option<bool>,
}

impl Outgoing {
    /// `msgtype`.
    pub fn name(&self) -> &'static str {
        match self {
            Outgoing::Text { .. } => "text",
            Outgoing::Image { .. } => "image",
            Outgoing::Voice { .. } => "voice",
            Outgoing::Video { .. } => "video",
            Outgoing::Music { .. } => "music",
            Outgoing::News(_) => "news",
            Outgoing::MaterialArticle { .. } => "mpnews",
            Outgoing::PublishedArticle { .. } => "mpnewsarticle",
            Outgoing::Menu { .. } => "msgmenu",
            Outgoing::Voucher { .. } => "wxcard",
            Outgoing::MiniProgramPage { .. } => "miniprogrampage",
        }
    }

    /// Whether the required fields are there and the known limits kept. [`crate::Client::send`] does not ask:
    /// the limits are WeChat's to change, and it says no without harm.
    ///
    /// # Errors
    ///
    /// See [`ContentError`].
    pub fn check(&self) -> Result<(), ContentError> {
        match self {
            Outgoing::Text { content } => text("content", content),
            Outgoing::Image { media_id }
            | Outgoing::Voice { media_id }
            | Outgoing::MaterialArticle { media_id } => required("media_id", media_id),
            Outgoing::Video { media_id, thumb_media_id, .. } => {
                required("media_id", media_id)?;
                required("thumb_media_id", thumb_media_id)
            }
            Outgoing::Music { title, description, url, thumb_media_id, .. } => {
                required("title", title)?;
                required("description", description)?;
                required("musicurl", url)?;
                required("thumb_media_id", thumb_media_id)
            }
            Outgoing::News(card) => {
                required("title", &card.title)?;
                required("description", &card.description)?;
                required("url", &card.url)?;
                required("picurl", &card.pic_url)
            }
            Outgoing::PublishedArticle { article_id } => required("article_id", article_id),
            Outgoing::Menu { entries, .. } if entries.is_empty() => Err(ContentError::Empty("list")),
            Outgoing::Menu { entries, .. } => entries.iter().try_for_each(|entry| {
                required("id", &entry.id)?;
                required("content", &entry.content)
            }),
            Outgoing::Voucher { card_id } => required("card_id", card_id),
            Outgoing::MiniProgramPage { title, app_id, page_path, thumb_media_id } => {
                required("title", title)?;
                required("appid", app_id)?;
                required("pagepath", page_path)?;
                required("thumb_media_id", thumb_media_id)
            }
        }
    }

    /// The body of the call.
    pub(crate) fn to_wire(&self, openid: &str, sender: &Sender) -> wire::CustomSend {
        let text = |text: &str| clean(text).into_owned();
        let optional = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned());
        let media = |id: &str| Some(wire::MediaId { media_id: text(id) });
        let mut body = wire::CustomSend {
            touser: openid.to_owned(),
            msgtype: self.name().to_owned(),
            customservice: optional(&sender.kf_account).map(|kf_account| wire::CustomService { kf_account }),
            aimsgcontext: sender.made_by_ai.map(|ai| wire::AiMsgContext { is_ai_msg: u8::from(ai) }),
            ..wire::CustomSend::default()
        };
        match self {
            Outgoing::Text { content } => body.text = Some(wire::TextContent { content: text(content) }),
            Outgoing::Image { media_id } => body.image = media(media_id),
            Outgoing::Voice { media_id } => body.voice = media(media_id),
            Outgoing::MaterialArticle { media_id } => body.mpnews = media(media_id),
            Outgoing::Video { media_id, thumb_media_id, title, description } => {
                body.video = Some(wire::Video {
                    media_id: text(media_id),
                    thumb_media_id: text(thumb_media_id),
                    title: optional(title),
                    description: optional(description),
                });
            }
            Outgoing::Music { title, description, url, hq_url, thumb_media_id } => {
                body.music = Some(wire::Music {
                    title: text(title),
                    description: text(description),
                    musicurl: text(url),
                    hqmusicurl: optional(hq_url),
                    thumb_media_id: text(thumb_media_id),
                });
            }
            Outgoing::News(card) => {
                let card = wire::NewsArticle {
                    title: text(&card.title),
                    description: text(&card.description),
                    url: text(&card.url),
                    picurl: text(&card.pic_url),
                };
                body.news = Some(wire::News { articles: vec![card] });
            }
            Outgoing::PublishedArticle { article_id } => {
                body.mpnewsarticle = Some(wire::ArticleId { article_id: text(article_id) });
            }
            Outgoing::Menu { head, entries, tail } => {
                let entry = |e: &Entry| wire::MenuEntry { id: text(&e.id), content: text(&e.content) };
                body.msgmenu = Some(wire::Menu {
                    head_content: optional(head),
                    list: entries.iter().map(entry).collect(),
                    tail_content: optional(tail),
                });
            }
            Outgoing::Voucher { card_id } => body.wxcard = Some(wire::CardId { card_id: text(card_id) }),
            Outgoing::MiniProgramPage { title, app_id, page_path, thumb_media_id } => {
                body.miniprogrampage = Some(wire::MiniProgramPage {
                    title: text(title),
                    appid: text(app_id),
                    pagepath: text(page_path),
                    thumb_media_id: text(thumb_media_id),
                });
            }
        }
        body
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card")
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}
