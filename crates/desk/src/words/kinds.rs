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

/// What a customer did besides writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Tapped a menu item.
    Menu,
    /// Scanned the account's QR code, as a follower.
    Scan,
    /// Followed the account by its QR code.
    FollowedBy,
    /// Scanned a code by a menu item.
    ScannedCode,
    /// Sent pictures by a menu item; they follow.
    Pictures,
    /// Chose a place by a menu item.
    Place,
}

/// What a customer did, with its key, scene or result: `[menu: CALL_AGENT]`.
pub fn act(language: Language, act: Act, more: &str) -> String {
    let name = match act {
        Act::Menu => language.pick("点击菜单", "メニュー", "menu"),
        Act::Scan => language.pick("扫描二维码", "QRコード読み取り", "scanned QR code"),
        Act::FollowedBy => language.pick("扫码关注", "QRコードからフォロー", "followed by QR code"),
        Act::ScannedCode => language.pick("扫码", "コード読み取り", "scanned"),
        Act::Pictures => language.pick("菜单发图", "メニューから画像", "pictures by menu"),
        Act::Place => language.pick("选择位置", "場所の選択", "chose a place"),
    };
    let colon = language.pick("：", "：", ": ");
    if more.is_empty() { format!("[{name}]") } else { format!("[{name}{colon}{more}]") }
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

/// The mark before an answer that goes out after a later one, on a line of its own: `[written 42 minutes ago]`.
pub fn late_answer(language: Language, age: Millis) -> String {
    let span = span(language, age);
    language.pick(format!("[{span}前的回复]"), format!("[{span}前の返信]"), format!("[written {span} ago]"))
}

/// Stands behind the word for a medium that did not come in time; it follows if it comes.
pub fn still_loading(language: Language) -> &'static str {
    language.pick(
        "（暂时无法读取，读取成功后会补发）",
        "（まだ取得できません。取得でき次第お送りします）",
        "(cannot be loaded yet; it follows once it can)",
    )
}

/// Stands behind the word for a medium that will not come.
pub fn not_loaded(language: Language) -> &'static str {
    language.pick(
        "（无法读取，请客户重新发送）",
        "（取得できません。お客様に再送をお願いしてください）",
        "(cannot be loaded; please ask the customer to send it again)",
    )
}

/// Stands behind the word for a medium that can be opened by nobody, since the gateway has no public address.
pub fn no_link(language: Language) -> &'static str {
    language.pick(
        "（网关没有公网地址，无法显示；请通知管理员设置 server.public_url）",
        "（公開URLが未設定のため表示できません。管理者に server.public_url の設定を依頼してください）",
        "(cannot be shown: the gateway has no public address; please tell an administrator to set server.public_url)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_late_is_said_in_the_unit_that_people_use() {
        assert_eq!(late(Language::En, 7 * 60_000), "[received 7 minutes ago]");
        assert_eq!(late(Language::Zh, 3 * 3_600_000), "[3小时前收到]");
        assert_eq!(late_answer(Language::En, 42 * 60_000), "[written 42 minutes ago]");
        assert_eq!(late(Language::Ja, 50 * 3_600_000), "[2日前に受信]");
    }
}
