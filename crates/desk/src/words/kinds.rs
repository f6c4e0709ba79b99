//! What stands in place of a customer's message that is not text.

use super::Language;
use crate::Millis;

/// What stands for a message that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is the kind of message")]
pub enum Kind {
    Image,
    Voice,
    Video,
    Location,
    Link,
    File,
    Unsupported,
}

/// The bracketed word for a kind of message: `[voice]`.
pub fn kind(language: Language, kind: Kind) -> &'static str {
    use Language::{En, Ja, Zh};
    match (kind, language) {
        (Kind::Image, Zh) => "[图片]",
        (Kind::Image, Ja) => "[画像]",
        (Kind::Image, En) => "[image]",
        (Kind::Voice, Zh) => "[语音]",
        (Kind::Voice, Ja) => "[音声]",
        (Kind::Voice, En) => "[voice]",
        (Kind::Video, Zh) => "[视频]",
        (Kind::Video, Ja) => "[動画]",
        (Kind::Video, En) => "[video]",
        (Kind::Location, Zh) => "[位置]",
        (Kind::Location, Ja) => "[位置情報]",
        (Kind::Location, En) => "[location]",
        (Kind::Link, Zh) => "[链接]",
        (Kind::Link, Ja) => "[リンク]",
        (Kind::Link, En) => "[link]",
        (Kind::File, Zh) => "[文件]",
        (Kind::File, Ja) => "[ファイル]",
        (Kind::File, En) => "[file]",
        (Kind::Unsupported, Zh) => "[微信无法转发的消息，请客户改用文字]",
        (Kind::Unsupported, Ja) => "[未対応のメッセージ：文字で送っていただくようお願いしてください]",
        (Kind::Unsupported, En) => "[unsupported message: please ask the customer to use text]",
    }
}

/// The mark before a customer's message that comes late, on a line of its own: `[received 3 hours ago]`.
pub fn late(language: Language, age: Millis) -> String {
    let span = span(language, age);
    language.pick(format!("[{span}前收到]"), format!("[{span}前に受信]"), format!("[received {span} ago]"))
}

/// A span of time in the unit that people use: `7 minutes`, `3小时`, `2日`.
pub(super) fn span(language: Language, span: Millis) -> String {
    let (count, unit) = match span / 60_000 {
        ..1 => (span / 1000, ["秒", "秒", "seconds"]),
        minutes @ 1..120 => (minutes, ["分钟", "分", "minutes"]),
        minutes @ 120..2_880 => (minutes / 60, ["小时", "時間", "hours"]),
        minutes => (minutes / 1_440, ["天", "日", "days"]),
    };
    let unit = language.pick(unit[0], unit[1], unit[2]);
    match language {
        Language::En if count == 1 => format!("1 {}", unit.trim_end_matches('s')),
        Language::En => format!("{count} {unit}"),
        _ => format!("{count}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_late_is_said_in_the_unit_that_people_use() {
        assert_eq!(late(Language::En, 7 * 60_000), "[received 7 minutes ago]");
        assert_eq!(late(Language::Zh, 3 * 3_600_000), "[3小时前收到]");
        assert_eq!(late(Language::Ja, 50 * 3_600_000), "[2日前に受信]");
    }
}
