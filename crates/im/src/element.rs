//! What a message is made of. Start at [`Element`].
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/33527>

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient;

/// Fields that this version does not know, kept as they came.
pub type Other = Map<String, Value>;

/// One element of a `MsgBody`.
///
/// Reading never fails on content: an element of a type that is not listed, or whose fields are not of the
/// documented types, is [`Element::Unknown`] and written again as it was read. Sizes are in bytes, lengths of
/// sounds and videos in seconds, pictures in pixels. REST callers must host media themselves and give its URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "MsgType", content = "MsgContent")]
#[non_exhaustive]
pub enum Element {
    /// `TIMTextElem`.
    #[serde(rename = "TIMTextElem")]
    Text {
        /// The text. UI kits write their emoji as names in brackets, such as `[TUIEmoji_Smile]`.
        #[serde(rename = "Text")]
        text: String,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMLocationElem`.
    #[serde(rename = "TIMLocationElem")]
    Location {
        /// The place's name.
        #[serde(rename = "Desc", default, skip_serializing_if = "Option::is_none")]
        desc: Option<String>,
        /// Degrees; Tencent does not say in which coordinate system.
        #[serde(rename = "Latitude", deserialize_with = "lenient::float")]
        latitude: f64,
        /// Degrees.
        #[serde(rename = "Longitude", deserialize_with = "lenient::float")]
        longitude: f64,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMFaceElem`: a sticker of a pack that the app defines.
    #[serde(rename = "TIMFaceElem")]
    Face {
        /// Number of the sticker.
        #[serde(
            rename = "Index",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        index: Option<i64>,
        /// What the app defines; may have control characters.
        #[serde(rename = "Data", default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMCustomElem`: at most one in a message.
    #[serde(rename = "TIMCustomElem")]
    Custom {
        /// The payload, often JSON.
        #[serde(rename = "Data", default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// What an offline push says.
        #[serde(rename = "Desc", default, skip_serializing_if = "Option::is_none")]
        desc: Option<String>,
        /// More payload.
        #[serde(rename = "Ext", default, skip_serializing_if = "Option::is_none")]
        ext: Option<String>,
        /// The sound of an APNs push.
        #[serde(rename = "Sound", default, skip_serializing_if = "Option::is_none")]
        sound: Option<String>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMSoundElem`.
    #[serde(rename = "TIMSoundElem")]
    Sound {
        /// Where to download it. Missing from very old clients. Links may live for a short time only.
        #[serde(rename = "Url", default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// A unique name, by habit the file's MD5.
        #[serde(rename = "UUID", default, skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        /// Size.
        #[serde(
            rename = "Size",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        size: Option<u64>,
        /// Length.
        #[serde(
            rename = "Second",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        second: Option<u64>,
        /// 2: download from the URL.
        #[serde(
            rename = "Download_Flag",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        download_flag: Option<u32>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMImageElem`.
    #[serde(rename = "TIMImageElem")]
    Image {
        /// A unique name, by habit the file's MD5.
        #[serde(rename = "UUID", default, skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        /// 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other.
        #[serde(
            rename = "ImageFormat",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        image_format: Option<u32>,
        /// The same picture in up to three sizes.
        #[serde(rename = "ImageInfoArray", default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<ImageInfo>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMFileElem`.
    #[serde(rename = "TIMFileElem")]
    File {
        /// Where to download it.
        #[serde(rename = "Url", default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// A unique name, by habit the file's MD5.
        #[serde(rename = "UUID", default, skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        /// May be a whole path (`file:///…`): do not use it as one.
        #[serde(rename = "FileName", default, skip_serializing_if = "Option::is_none")]
        file_name: Option<String>,
        /// Size.
        #[serde(
            rename = "FileSize",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        file_size: Option<u64>,
        /// 2: download from the URL.
        #[serde(
            rename = "Download_Flag",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        download_flag: Option<u32>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMVideoFileElem`: always with a cover picture, the thumb.
    #[serde(rename = "TIMVideoFileElem")]
    Video {
        /// Where to download the video.
        #[serde(rename = "VideoUrl", default, skip_serializing_if = "Option::is_none")]
        video_url: Option<String>,
        /// A unique name of the video.
        #[serde(rename = "VideoUUID", default, skip_serializing_if = "Option::is_none")]
        video_uuid: Option<String>,
        /// Size of the video.
        #[serde(
            rename = "VideoSize",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        video_size: Option<u64>,
        /// Length; may be 0 from web clients.
        #[serde(
            rename = "VideoSecond",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        video_second: Option<u64>,
        /// Such as `mp4`.
        #[serde(rename = "VideoFormat", default, skip_serializing_if = "Option::is_none")]
        video_format: Option<String>,
        /// 2: download from the URL.
        #[serde(
            rename = "VideoDownloadFlag",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        video_download_flag: Option<u32>,
        /// Where to download the thumb.
        #[serde(rename = "ThumbUrl", default, skip_serializing_if = "Option::is_none")]
        thumb_url: Option<String>,
        /// A unique name of the thumb.
        #[serde(rename = "ThumbUUID", default, skip_serializing_if = "Option::is_none")]
        thumb_uuid: Option<String>,
        /// Size of the thumb.
        #[serde(
            rename = "ThumbSize",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        thumb_size: Option<u64>,
        /// Width of the thumb.
        #[serde(
            rename = "ThumbWidth",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        thumb_width: Option<u64>,
        /// Height of the thumb.
        #[serde(
            rename = "ThumbHeight",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        thumb_height: Option<u64>,
        /// Such as `JPG`.
        #[serde(rename = "ThumbFormat", default, skip_serializing_if = "Option::is_none")]
        thumb_format: Option<String>,
        /// 2: download from the URL.
        #[serde(
            rename = "ThumbDownloadFlag",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        thumb_download_flag: Option<u32>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// `TIMRelayElem`: several messages forwarded as one.
    #[serde(rename = "TIMRelayElem")]
    Relay {
        /// Its heading.
        #[serde(rename = "Title", default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// How many messages there are.
        #[serde(
            rename = "MsgNum",
            default,
            deserialize_with = "lenient::opt_number",
            skip_serializing_if = "Option::is_none"
        )]
        msg_num: Option<u64>,
        /// What to show where such messages cannot be shown.
        #[serde(rename = "CompatibleText", default, skip_serializing_if = "Option::is_none")]
        compatible_text: Option<String>,
        /// The first messages, as one line each.
        #[serde(rename = "AbstractList", default, skip_serializing_if = "Vec::is_empty")]
        abstract_list: Vec<String>,
        /// The messages, as they came; missing when they are more than 12 KB.
        #[serde(rename = "MsgList", default, skip_serializing_if = "Option::is_none")]
        msg_list: Option<Vec<Value>>,
        /// Where the messages are, when they are more than 12 KB.
        #[serde(rename = "JsonMsgKey", default, skip_serializing_if = "Option::is_none")]
        json_msg_key: Option<String>,
        /// Fields that this version does not know.
        #[serde(flatten)]
        other: Other,
    },
    /// Any other element, or one of the above whose fields are not as documented.
    #[serde(untagged)]
    Unknown {
        /// `MsgType`; empty when the array's item is no element at all.
        #[serde(rename = "MsgType")]
        msg_type: String,
        /// `MsgContent` as it came, or the array's item when that is no element at all.
        #[serde(rename = "MsgContent", default, skip_serializing_if = "Value::is_null")]
        content: Value,
    },
}

/// One size of a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// 1 original, 2 large, 3 thumbnail.
    #[serde(
        rename = "Type",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<u32>,
    /// Bytes.
    #[serde(
        rename = "Size",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub size: Option<u64>,
    /// Pixels.
    #[serde(
        rename = "Width",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub width: Option<u64>,
    /// Pixels.
    #[serde(
        rename = "Height",
        default,
        deserialize_with = "lenient::opt_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub height: Option<u64>,
    /// Where to download it.
    #[serde(rename = "URL", default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Other,
}

impl Element {
    /// A `TIMTextElem`.
    pub fn text(text: impl Into<String>) -> Element {
        Element::Text { text: text.into(), other: Other::new() }
    }

    /// A `TIMCustomElem` with a payload and what an offline push says; without `desc` nothing is pushed.
    pub fn custom(data: impl Into<String>, desc: Option<&str>) -> Element {
        Element::Custom {
            data: Some(data.into()),
            desc: desc.map(str::to_owned),
            ext: None,
            sound: None,
            other: Other::new(),
        }
    }

    /// `MsgType`.
    pub fn msg_type(&self) -> &str {
        match self {
            Element::Text { .. } => "TIMTextElem",
            Element::Location { .. } => "TIMLocationElem",
            Element::Face { .. } => "TIMFaceElem",
            Element::Custom { .. } => "TIMCustomElem",
            Element::Sound { .. } => "TIMSoundElem",
            Element::Image { .. } => "TIMImageElem",
            Element::File { .. } => "TIMFileElem",
            Element::Video { .. } => "TIMVideoFileElem",
            Element::Relay { .. } => "TIMRelayElem",
            Element::Unknown { msg_type, .. } => msg_type,
        }
    }
}

/// Reads a `MsgBody`; what is no element is kept as [`Element::Unknown`]. Absent and null are an empty body.
pub(crate) fn elements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Element>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => return Err(D::Error::custom("MsgBody is no array")),
    };
    Ok(items.into_iter().map(element).collect())
}

fn element(item: Value) -> Element {
    Element::deserialize(&item).unwrap_or(Element::Unknown { msg_type: String::new(), content: item })
}
