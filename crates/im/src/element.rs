//! Message elements, `MsgBody`: typed where known, whole where not.
//!
//! Vendor page: <https://www.tencentcloud.com/document/product/1047/33527>

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// One element of a message. Fields of a known element that are missing are empty or `None`.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// `TIMTextElem`
    Text {
        /// The words.
        text: String,
    },
    /// `TIMLocationElem`
    Location {
        /// Description of the place.
        desc: String,
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
    },
    /// `TIMFaceElem`: a sticker of the app's own packs.
    Face {
        /// Number of the sticker.
        index: i64,
        /// Anything the app likes.
        data: String,
    },
    /// `TIMCustomElem`: at most one in a message.
    Custom {
        /// Payload.
        data: String,
        /// Text for offline push.
        desc: String,
        /// Extension.
        ext: String,
        /// Sound of the push.
        sound: String,
    },
    /// `TIMSoundElem`
    Sound {
        /// Where it can be downloaded.
        url: String,
        /// Unique id.
        uuid: String,
        /// Bytes.
        size: u64,
        /// Seconds.
        second: u64,
    },
    /// `TIMImageElem`
    Image {
        /// Unique id.
        uuid: String,
        /// 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other.
        format: u64,
        /// Original, large and thumbnail.
        images: Vec<ImageInfo>,
    },
    /// `TIMFileElem`
    File {
        /// Where it can be downloaded.
        url: String,
        /// Unique id.
        uuid: String,
        /// Name; may be a path of the sender's machine.
        name: String,
        /// Bytes.
        size: u64,
    },
    /// `TIMVideoFileElem`; its many fields are kept as they are.
    Video {
        /// `VideoUrl`
        url: String,
        /// `VideoUUID`
        uuid: String,
        /// All fields.
        content: Map<String, Value>,
    },
    /// `TIMRelayElem`: merged and forwarded messages.
    Relay {
        /// Title.
        title: String,
        /// What the messages begin with.
        abstracts: Vec<String>,
        /// All fields.
        content: Map<String, Value>,
    },
    /// Any other, or a known one in an unknown shape.
    Unknown {
        /// `MsgType`
        msg_type: String,
        /// `MsgContent`
        content: Value,
    },
}

/// One size of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// 1 original, 2 large, 3 thumbnail.
    pub kind: u64,
    /// Bytes.
    pub size: u64,
    /// Pixels.
    pub width: u64,
    /// Pixels.
    pub height: u64,
    /// Where it can be downloaded.
    pub url: String,
}

impl Element {
    /// `MsgType`
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

    /// From one entry of `MsgBody`. What is not understood is kept whole.
    pub fn from_value(value: &Value) -> Element {
        let msg_type = value.get("MsgType").and_then(Value::as_str).unwrap_or_default().to_owned();
        let content = value.get("MsgContent").cloned().unwrap_or(Value::Null);
        let known = content.as_object().and_then(|fields| known(&msg_type, fields));
        known.unwrap_or(Element::Unknown { msg_type, content })
    }

    /// As one entry of `MsgBody`.
    pub fn to_value(&self) -> Value {
        json!({ "MsgType": self.msg_type(), "MsgContent": self.content() })
    }

    fn content(&self) -> Value {
        match self {
            Element::Text { text } => json!({ "Text": text }),
            Element::Location { desc, latitude, longitude } => {
                json!({ "Desc": desc, "Latitude": latitude, "Longitude": longitude })
            }
            Element::Face { index, data } => json!({ "Index": index, "Data": data }),
            Element::Custom { data, desc, ext, sound } => {
                json!({ "Data": data, "Desc": desc, "Ext": ext, "Sound": sound })
            }
            Element::Sound { url, uuid, size, second } => {
                json!({ "Url": url, "UUID": uuid, "Size": size, "Second": second, "Download_Flag": 2 })
            }
            Element::Image { uuid, format, images } => {
                let images: Vec<Value> = images
                    .iter()
                    .map(|image| {
                        json!({ "Type": image.kind, "Size": image.size, "Width": image.width,
                                "Height": image.height, "URL": image.url })
                    })
                    .collect();
                json!({ "UUID": uuid, "ImageFormat": format, "ImageInfoArray": images })
            }
            Element::File { url, uuid, name, size } => {
                json!({ "Url": url, "UUID": uuid, "FileSize": size, "FileName": name, "Download_Flag": 2 })
            }
            Element::Video { content, .. } | Element::Relay { content, .. } => Value::Object(content.clone()),
            Element::Unknown { content, .. } => content.clone(),
        }
    }
}

fn known(msg_type: &str, fields: &Map<String, Value>) -> Option<Element> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| fields.get(name).and_then(Value::as_u64).unwrap_or_default();
    let element = match msg_type {
        "TIMTextElem" => Element::Text { text: fields.get("Text")?.as_str()?.to_owned() },
        "TIMLocationElem" => Element::Location {
            desc: text("Desc"),
            latitude: fields.get("Latitude")?.as_f64()?,
            longitude: fields.get("Longitude")?.as_f64()?,
        },
        "TIMFaceElem" => Element::Face {
            index: fields.get("Index").and_then(Value::as_i64).unwrap_or_default(),
            data: text("Data"),
        },
        "TIMCustomElem" => {
            Element::Custom { data: text("Data"), desc: text("Desc"), ext: text("Ext"), sound: text("Sound") }
        }
        "TIMSoundElem" => Element::Sound {
            url: text("Url"),
            uuid: text("UUID"),
            size: number("Size"),
            second: number("Second"),
        },
        "TIMImageElem" => Element::Image {
            uuid: text("UUID"),
            format: fields.get("ImageFormat").and_then(Value::as_u64).unwrap_or(255),
            images: fields.get("ImageInfoArray")?.as_array()?.iter().map(image).collect(),
        },
        "TIMFileElem" => Element::File {
            url: text("Url"),
            uuid: text("UUID"),
            name: text("FileName"),
            size: number("FileSize"),
        },
        "TIMVideoFileElem" => {
            Element::Video { url: text("VideoUrl"), uuid: text("VideoUUID"), content: fields.clone() }
        }
        "TIMRelayElem" => Element::Relay {
            title: text("Title"),
            abstracts: fields
                .get("AbstractList")
                .and_then(Value::as_array)
                .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
            content: fields.clone(),
        },
        _ => return None,
    };
    Some(element)
}

fn image(value: &Value) -> ImageInfo {
    let number = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    ImageInfo {
        kind: number("Type"),
        size: number("Size"),
        width: number("Width"),
        height: number("Height"),
        url: value.get("URL").and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Element::from_value(&Value::deserialize(deserializer)?))
    }
}
