//! What a customer can send into the chat. Start at [`MessageKind`].
//!
//! Vendor page: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html>

use crate::fields::Fields;

/// What WeChat puts in the place of a message that it does not pass on: stickers, cards, shared mini programs.
pub const UNSUPPORTED_TEXT: &str = "【收到不支持的消息类型，暂无法显示】";

/// A message from a customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `MsgId`, the same on every repeat. `None` where it is missing, zero or not a number.
    pub msg_id: Option<u64>,
    /// `MsgDataId`: set when the message was sent from an article.
    pub msg_data_id: Option<String>,
    /// `Idx`: which article of a push, from 1.
    pub idx: Option<u32>,
    /// What was sent.
    pub kind: MessageKind,
}

/// The kinds of messages. A text field that is missing is empty; an `Option` is `None` when missing or empty.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageKind {
    /// Words.
    Text {
        /// As the customer wrote it, white space included.
        content: String,
        /// `bizmsgmenuid`: set when the text came from a tap on a menu message or a `weixin://bizmsgmenu` link.
        menu_id: Option<String>,
    },
    /// A picture.
    Image {
        /// Address on WeChat's CDN, readable without a token; for how long is not documented.
        pic_url: String,
        /// For `media/get`, valid for three days.
        media_id: String,
    },
    /// A voice message.
    Voice {
        /// 8 kHz AMR, for `media/get`.
        media_id: String,
        /// The 16 kHz variant.
        media_id_16k: Option<String>,
        /// Normally `amr`, also `speex`.
        format: String,
        /// Recognised words. WeChat withdrew this in 2023.
        recognition: Option<String>,
    },
    /// A video.
    Video {
        /// For `media/get`.
        media_id: String,
        /// Of its still picture.
        thumb_media_id: String,
    },
    /// A video taken in the chat.
    ShortVideo {
        /// For `media/get`.
        media_id: String,
        /// Of its still picture.
        thumb_media_id: String,
    },
    /// A place chosen on the map.
    Location {
        /// `Location_X`, degrees north.
        latitude: Option<f64>,
        /// `Location_Y`, degrees east.
        longitude: Option<f64>,
        /// Zoom of the map.
        scale: Option<f64>,
        /// Name of the place.
        label: String,
    },
    /// A shared page.
    Link {
        /// Its title.
        title: String,
        /// Its description.
        description: String,
        /// Its address.
        url: String,
    },
    /// A file. Not documented by WeChat; it has no media id, so its content cannot be fetched.
    File {
        /// The file's name.
        title: String,
        /// Often empty.
        description: String,
        /// `FileKey`.
        key: String,
        /// `FileMd5`, hexadecimal.
        md5: String,
        /// `FileTotalLen`, bytes.
        total_len: Option<u64>,
    },
    /// WeChat says that it does not pass this message on ([`UNSUPPORTED_TEXT`]).
    Unsupported,
    /// A kind that this crate does not know; its fields are in [`crate::Push::fields`].
    Unknown {
        /// `MsgType` as received.
        msg_type: String,
    },
}

impl Message {
    pub(crate) fn read(msg_type: &str, fields: &Fields) -> Message {
        Message {
            msg_id: fields.number("MsgId").filter(|&id| id != 0),
            msg_data_id: fields.optional("MsgDataId"),
            idx: fields.number("Idx"),
            kind: MessageKind::read(msg_type, fields),
        }
    }
}

impl MessageKind {
    fn read(msg_type: &str, fields: &Fields) -> MessageKind {
        let string = |name| fields.string(name);
        match msg_type.to_ascii_lowercase().as_str() {
            "text" => match fields.get("Content").unwrap_or_default() {
                content if content.trim() == UNSUPPORTED_TEXT => MessageKind::Unsupported,
                content => MessageKind::Text {
                    content: content.to_owned(),
                    menu_id: fields.optional("bizmsgmenuid"),
                },
            },
            "image" => MessageKind::Image { pic_url: string("PicUrl"), media_id: string("MediaId") },
            "voice" => MessageKind::Voice {
                media_id: string("MediaId"),
                media_id_16k: fields.optional("MediaId16K"),
                format: string("Format"),
                recognition: fields.optional("Recognition"),
            },
            "video" => {
                MessageKind::Video { media_id: string("MediaId"), thumb_media_id: string("ThumbMediaId") }
            }
            "shortvideo" => MessageKind::ShortVideo {
                media_id: string("MediaId"),
                thumb_media_id: string("ThumbMediaId"),
            },
            "location" => MessageKind::Location {
                latitude: fields.decimal("Location_X"),
                longitude: fields.decimal("Location_Y"),
                scale: fields.decimal("Scale"),
                label: string("Label"),
            },
            "link" => MessageKind::Link {
                title: string("Title"),
                description: string("Description"),
                url: string("Url"),
            },
            "file" => MessageKind::File {
                title: string("Title"),
                description: string("Description"),
                key: string("FileKey"),
                md5: string("FileMd5"),
                total_len: fields.number("FileTotalLen"),
            },
            _ => MessageKind::Unknown { msg_type: msg_type.to_owned() },
        }
    }

    /// `MsgType` in its canonical spelling; for [`MessageKind::Unknown`] as received.
    pub fn name(&self) -> &str {
        match self {
            MessageKind::Text { .. } | MessageKind::Unsupported => "text",
            MessageKind::Image { .. } => "image",
            MessageKind::Voice { .. } => "voice",
            MessageKind::Video { .. } => "video",
            MessageKind::ShortVideo { .. } => "shortvideo",
            MessageKind::Location { .. } => "location",
            MessageKind::Link { .. } => "link",
            MessageKind::File { .. } => "file",
            MessageKind::Unknown { msg_type } => msg_type,
        }
    }
}
