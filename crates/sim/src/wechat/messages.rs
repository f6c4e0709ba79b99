//! What customers send beside plain text (§3.2): the fields of each message, its file put into the account's store.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use super::formats::{Format, samples};
use super::media::{Media, MediaKind};
use super::{Account, Wechat};
use crate::chance::Chance;

/// What WeChat says instead of a sticker, a card or another message that it does not pass on.
const UNSUPPORTED: &str = "【收到不支持的消息类型，暂无法显示】";

/// A message, as the control endpoint gets it. Whatever is left out has a sane value.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Message {
    Text {
        text: String,
        /// The id of the entry of a `msgmenu` that was tapped.
        menu_id: Option<String>,
        /// The article that she wrote under: `MsgDataId`, and its number in the push.
        article: Option<String>,
        article_index: Option<u32>,
    },
    Image {
        base64: Option<String>,
    },
    Voice {
        base64: Option<String>,
        /// `amr`, when absent.
        format: Option<String>,
        recognition: Option<String>,
    },
    Video {
        base64: Option<String>,
    },
    Shortvideo {
        base64: Option<String>,
    },
    Location {
        latitude: Option<f64>,
        longitude: Option<f64>,
        scale: Option<u32>,
        label: Option<String>,
    },
    Link {
        title: Option<String>,
        description: Option<String>,
        url: Option<String>,
    },
    File {
        name: Option<String>,
        base64: Option<String>,
    },
    /// A sticker, a card: WeChat sends words in its place.
    Unsupported,
    /// A type of message that is in no document.
    Unknown {
        name: Option<String>,
    },
}

impl Message {
    /// The fields of its document; an error in words when the file cannot be read.
    pub(crate) fn fields(
        self,
        wechat: &mut Wechat,
        app_id: &str,
        now_ms: i64,
        chance: &Chance,
    ) -> Result<Map<String, Value>, String> {
        let base_url = wechat.base_url.clone();
        let account = wechat.accounts.get_mut(app_id).ok_or("no such account")?;
        let mut keep = Keep { account, now_ms, chance };
        let fields = match self {
            Message::Text { text, menu_id, article, article_index } => {
                let index = article.as_ref().map(|_| article_index.unwrap_or(1));
                given(json!({"MsgType": "text", "Content": text, "bizmsgmenuid": menu_id,
                             "MsgDataId": article, "Idx": index}))
            }
            Message::Image { base64 } => {
                let bytes = decoded(base64, || samples::JPEG.to_vec())?;
                let media_id = keep.file(MediaKind::Image, bytes, Format::Jpeg);
                let path = keep.account.media.file(&media_id).map(Media::path).unwrap_or_default();
                given(json!({"MsgType": "image", "PicUrl": format!("{base_url}{path}"), "MediaId": media_id}))
            }
            Message::Voice { base64, format, recognition } => {
                let bytes = decoded(base64, samples::amr)?;
                let media_id = keep.file(MediaKind::Voice, bytes.clone(), Format::Amr);
                let better = keep.file(MediaKind::Voice, bytes, Format::Amr);
                given(json!({"MsgType": "voice", "MediaId": media_id, "MediaId16K": better,
                             "Format": format.unwrap_or("amr".into()), "Recognition": recognition}))
            }
            Message::Video { base64 } => keep.film("video", base64)?,
            Message::Shortvideo { base64 } => keep.film("shortvideo", base64)?,
            Message::Location { latitude, longitude, scale, label } => {
                let degrees = |given: Option<f64>, otherwise: f64| {
                    Value::String(format!("{:.6}", given.unwrap_or(otherwise)))
                };
                let label = label.unwrap_or("上海市黄浦区人民大道".into());
                given(json!({"MsgType": "location", "Location_X": degrees(latitude, 31.230_416),
                             "Location_Y": degrees(longitude, 121.473_701), "Scale": scale.unwrap_or(16),
                             "Label": label}))
            }
            Message::Link { title, description, url } => {
                given(json!({"MsgType": "link", "Title": title.unwrap_or("商品页".into()),
                             "Description": description.unwrap_or("同款".into()),
                             "Url": url.unwrap_or("https://shop.example.com/1".into())}))
            }
            Message::File { name, base64 } => {
                let bytes = decoded(base64, || b"%PDF-1.4\n".to_vec())?;
                // 32 digits, as an MD5 has; nobody can compare it, for the file itself cannot be fetched.
                let digest = hex::encode(Sha1::digest(&bytes));
                given(
                    json!({"MsgType": "file", "Title": name.unwrap_or("发票.pdf".into()), "Description": "",
                             "FileKey": chance.hex(32), "FileMd5": digest[..32], "FileTotalLen": bytes.len()}),
                )
            }
            Message::Unsupported => given(json!({"MsgType": "text", "Content": UNSUPPORTED})),
            Message::Unknown { name } => {
                given(json!({"MsgType": name.unwrap_or("hologram".into()), "Payload": "x"}))
            }
        };
        Ok(fields)
    }
}

struct Keep<'a> {
    account: &'a mut Account,
    now_ms: i64,
    chance: &'a Chance,
}

impl Keep<'_> {
    /// Customers send what they have: a file that is nothing known counts as what it was sent for.
    fn file(&mut self, kind: MediaKind, bytes: Bytes, otherwise: Format) -> String {
        let format = Format::of(&bytes).unwrap_or(otherwise);
        self.account.media.add(Media::new(kind, format, bytes), self.now_ms, self.chance)
    }

    fn film(&mut self, msg_type: &str, base64: Option<String>) -> Result<Map<String, Value>, String> {
        let bytes = decoded(base64, || samples::MP4.to_vec())?;
        let media_id = self.file(MediaKind::Video, bytes, Format::Mp4);
        let thumb = self.file(MediaKind::Thumb, Bytes::from_static(samples::JPEG), Format::Jpeg);
        Ok(given(json!({"MsgType": msg_type, "MediaId": media_id, "ThumbMediaId": thumb})))
    }
}

/// The members that are there.
fn given(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { return Map::new() };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

pub(crate) fn decoded(base64: Option<String>, otherwise: impl Fn() -> Vec<u8>) -> Result<Bytes, String> {
    match base64 {
        None => Ok(otherwise().into()),
        Some(text) => STANDARD.decode(text).map(Bytes::from).map_err(|error| format!("base64: {error}")),
    }
}
