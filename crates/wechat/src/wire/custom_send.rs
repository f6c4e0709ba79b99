//! The bodies of `custom/send` and `custom/typing`. Start at [`CustomSend`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// Body of [`super::CUSTOM_SEND`]: of the objects the one that is named like `msgtype` is there, and no other.
///
/// `Debug` shows the kind alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomSend {
    /// The customer's openid.
    pub touser: String,
    /// Which object is there.
    pub msgtype: String,
    /// Words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextContent>,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<MediaId>,
    /// A voice message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<MediaId>,
    /// A video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Video>,
    /// A piece of music.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub music: Option<Music>,
    /// A link card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub news: Option<News>,
    /// An article of the old material library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpnews: Option<MediaId>,
    /// A published article.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpnewsarticle: Option<ArticleId>,
    /// A question with answers to tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msgmenu: Option<Menu>,
    /// A voucher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wxcard: Option<CardId>,
    /// A page of a mini program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniprogrampage: Option<MiniProgramPage>,
    /// In whose name it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customservice: Option<CustomService>,
    /// Whether a machine wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aimsgcontext: Option<AiMsgContext>,
}

impl fmt::Debug for CustomSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSend").field("msgtype", &self.msgtype).finish_non_exhaustive()
    }
}

/// `text`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextContent {
    /// At most 2,048 bytes.
    pub content: String,
}

/// `image`, `voice` and `mpnews`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaId {
    /// Of temporary or permanent media.
    pub media_id: String,
}

/// `video`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    /// The video.
    pub media_id: String,
    /// Its still picture.
    pub thumb_media_id: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `music`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Music {
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
    /// Its address.
    pub musicurl: String,
    /// Its address in high quality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hqmusicurl: Option<String>,
    /// Its picture.
    pub thumb_media_id: String,
}

/// `news`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Exactly one.
    pub articles: Vec<NewsArticle>,
}

/// The card of a [`News`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewsArticle {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Where a tap leads.
    pub url: String,
    /// Its picture's address.
    pub picurl: String,
}

/// `mpnewsarticle`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleId {
    /// Of a published article.
    pub article_id: String,
}

/// `msgmenu`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    /// The words before the entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_content: Option<String>,
    /// What can be tapped.
    pub list: Vec<MenuEntry>,
    /// The words after the entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail_content: Option<String>,
}

/// An entry of a [`Menu`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuEntry {
    /// Comes back as `bizmsgmenuid`.
    pub id: String,
    /// Comes back as the text.
    pub content: String,
}

/// `wxcard`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardId {
    /// Of the voucher.
    pub card_id: String,
}

/// `miniprogrampage`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiniProgramPage {
    /// Its title.
    pub title: String,
    /// The mini program.
    pub appid: String,
    /// The page, with its parameters.
    pub pagepath: String,
    /// Its picture.
    pub thumb_media_id: String,
}

/// `customservice`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomService {
    /// An agent of WeChat's own console, `name@account`.
    pub kf_account: String,
}

/// `aimsgcontext`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiMsgContext {
    /// 1 adds a line that says that a machine wrote it.
    pub is_ai_msg: u8,
}

/// Body of [`super::TYPING`]. `Debug` hides the openid.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypingRequest {
    /// The customer's openid.
    pub touser: String,
    /// `Typing` or `CancelTyping`.
    pub command: String,
}

impl fmt::Debug for TypingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypingRequest").field("command", &self.command).finish_non_exhaustive()
    }
}

/// What a customer reads is not for a log.
macro_rules! hide {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

hide!(TextContent MediaId Video Music News NewsArticle ArticleId Menu MenuEntry CardId MiniProgramPage);
