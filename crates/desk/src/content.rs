//! What a delivery carries beside its words: a file, or a place. Plain text has none.
//!
//! Kept as JSON with the delivery (`delivery.content`). A file is named by its id in the media store; the words of the
//! delivery stand in for it wherever it cannot be shown.

use serde::{Deserialize, Serialize};

/// As what a file was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// Anything else.
    File,
}

/// What a delivery carries beside its words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Content {
    /// A file that has still to be fetched.
    Wanted {
        /// Its id.
        media: String,
        /// As what it was sent.
        shape: Shape,
    },
    /// A picture.
    Image {
        /// The picture itself.
        media: String,
        /// Its size in bytes.
        size: u64,
        /// In points; 0 where it cannot be told.
        width: u32,
        /// In points; 0 where it cannot be told.
        height: u32,
        /// The ending of its name.
        extension: String,
        /// A small version of it.
        preview: Option<Still>,
    },
    /// A voice message.
    Voice {
        /// The sound, in a format that the other side plays.
        media: String,
        /// Its size in bytes.
        size: u64,
        /// Its length; 0 where it cannot be told.
        seconds: u64,
        /// The ending of its name.
        extension: String,
    },
    /// A video.
    Video {
        /// The video itself.
        media: String,
        /// Its size in bytes.
        size: u64,
        /// Its length; 0 where it cannot be told.
        seconds: u64,
        /// The ending of its name.
        extension: String,
        /// Its cover, a JPEG.
        cover: Still,
    },
    /// A file to download.
    File {
        /// The file itself.
        media: String,
        /// Its size in bytes.
        size: u64,
        /// Its name, without any folder.
        name: String,
        /// As what it was sent.
        shape: Shape,
    },
    /// A place on the map.
    Place {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What it is called.
        name: String,
    },
}

/// A small JPEG that stands for something larger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Still {
    /// Its id.
    pub media: String,
    /// Its size in bytes.
    pub size: u64,
    /// In points.
    pub width: u32,
    /// In points.
    pub height: u32,
}

impl Content {
    /// The id of its file and the name under which that is offered; none for a place, and while it is still wanted.
    pub fn file(&self) -> Option<(&str, String)> {
        match self {
            Content::Wanted { .. } | Content::Place { .. } => None,
            Content::Image { media, extension, .. } => Some((media, format!("image.{extension}"))),
            Content::Voice { media, extension, .. } => Some((media, format!("voice.{extension}"))),
            Content::Video { media, extension, .. } => Some((media, format!("video.{extension}"))),
            Content::File { media, name, .. } => Some((media, name.clone())),
        }
    }

    /// As it is stored.
    pub fn to_text(&self) -> String {
        // Numbers and texts always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads it back; none for what this version does not know.
    pub fn read(text: &str) -> Option<Content> {
        serde_json::from_str(text).ok()
    }
}

impl Shape {
    /// The word used in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Image => "image",
            Shape::Voice => "voice",
            Shape::Video => "video",
            Shape::File => "file",
        }
    }
}

/// The last part of a path, without what no file system and no header takes; never empty. At most 120 bytes.
pub fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    // Direction marks make an ending look like another.
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '"' | '<' | '>' | ':' | '|' | '?' | '*' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = last.chars().filter(|c| !odd(*c)).collect();
    let clean = clean.trim().trim_start_matches('.');
    if clean.is_empty() {
        return "file".to_owned();
    }
    if clean.len() <= 120 {
        return clean.to_owned();
    }
    let ending = clean.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| ending.len() <= 10);
    match ending {
        Some(ending) => {
            let stem = clean.floor_char_boundary(120 - ending.len() - 1);
            format!("{}.{ending}", &clean[..stem])
        }
        None => clean[..clean.floor_char_boundary(120)].to_owned(),
    }
}

/// A size for people: `812 B`, `14 KB`, `1.2 MB`.
pub fn size_words(bytes: u64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_read_back() {
        let still = Still { media: "b".into(), size: 1, width: 2, height: 3 };
        for content in [
            Content::Wanted { media: "a".into(), shape: Shape::Voice },
            Content::Image {
                media: "a".into(),
                size: 9,
                width: 1,
                height: 2,
                extension: "png".into(),
                preview: Some(still.clone()),
            },
            Content::Video { media: "a".into(), size: 9, seconds: 3, extension: "mp4".into(), cover: still },
            Content::Place { latitude: 31.2, longitude: 121.5, name: "x".into() },
        ] {
            assert_eq!(Content::read(&content.to_text()), Some(content));
        }
        assert_eq!(Content::read("{\"is\":\"hologram\"}"), None);
    }

    #[test]
    fn names_of_files_lead_nowhere() {
        for (given, name) in [
            ("报价单.pdf", "报价单.pdf"),
            ("file:///var/mobile/tmp/IMG 1.MOV", "IMG 1.MOV"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("../../", "file"),
            ("a/../", "file"),
            ("", "file"),
            ("...", "file"),
            ("a\"b\r\nSet-Cookie: x", "abSet-Cookie x"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
        ] {
            assert_eq!(file_name(given), name, "{given:?}");
        }
        let long = file_name(&format!("{}.xlsx", "长".repeat(200)));
        assert!(long.len() <= 120 && long.ends_with("长.xlsx"), "{long}");
    }

    #[test]
    fn sizes_are_said_in_the_unit_that_people_use() {
        assert_eq!(
            [0, 999, 1_000, 13_001, 1_240_000].map(size_words),
            ["0 B", "999 B", "1 KB", "14 KB", "1.2 MB"]
        );
    }
}
