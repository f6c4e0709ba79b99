//! Cutting a long text into parts that the other side takes.
//!
//! WeChat takes 2,048 bytes of UTF-8 in a text (measured by many, answered with 45002 beyond), so the limit
//! counts bytes; the cut never falls inside what a reader sees as one character, nor inside `<a …>…</a>`
//! where that can be avoided, and rather after a line break or a blank than in the middle of a word.

use unicode_segmentation::UnicodeSegmentation;

/// Bytes of UTF-8 in one text message towards WeChat.
pub const WECHAT_TEXT_BYTES: usize = 2048;

/// Bytes of UTF-8 in one text element towards IM: with JSON's escapes and our mark it stays below the
/// 12 KB that a message may have, and in most cases below the 8,000 bytes of the older limit.
pub const IM_TEXT_BYTES: usize = 5000;

/// Cuts `text` into parts of at most `limit` bytes, in order; together they are the whole text.
///
/// An empty text gives no part.
///
/// # Panics
/// If `limit` is smaller than 4, the longest character.
pub fn split(text: &str, limit: usize) -> Vec<&str> {
    assert!(limit >= 4, "a part must hold at least one character");
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > limit {
        let cut = cut_at(rest, limit);
        parts.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// Where to cut `text`, which is longer than `limit`: between 1 and `limit` bytes.
fn cut_at(text: &str, limit: usize) -> usize {
    let mut hard = 0;
    let mut soft = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        let end = at + cluster.len();
        if end > limit {
            break;
        }
        hard = end;
        if matches!(cluster, "\n" | "\r\n" | " " | "。" | "！" | "？" | "，" | "、") {
            soft = end;
        }
    }
    if hard == 0 {
        // One cluster longer than the limit: cut between its characters.
        return text.floor_char_boundary(limit);
    }
    let cut = if soft > limit / 2 { soft } else { hard };
    match text[..cut].rfind("<a ") {
        // The link that began there is not closed before the cut: begin the next part with it, if it fits there.
        Some(link)
            if link > 0 && !text[link..cut].contains("</a>") && closes_within(&text[link..], limit) =>
        {
            link
        }
        _ => cut,
    }
}

fn closes_within(link: &str, limit: usize) -> bool {
    link.find("</a>").is_some_and(|end| end + 4 <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn f37_long_texts_are_cut_by_bytes_between_graphemes() {
        assert_eq!(split("", 2048), Vec::<&str>::new());
        assert_eq!(split("short", 2048), ["short"]);
        let family = "👨‍👩‍👧‍👦".repeat(100);
        let parts = split(&family, 2048);
        assert!(parts.iter().all(|part| part.len() <= 2048 && part.len() % "👨‍👩‍👧‍👦".len() == 0));
        assert_eq!(parts.concat(), family);
        assert_eq!(split(&"あ".repeat(1000), 2048).iter().map(|p| p.len()).collect::<Vec<_>>(), [2046, 954]);
    }

    #[test]
    fn a_cut_prefers_line_breaks_and_spares_links() {
        assert_eq!(split("aaaaaaaa\nbbbbbbbb", 10), ["aaaaaaaa\n", "bbbbbbbb"]);
        let link = "<a href=\"https://shop.example.com/1\">dress</a>";
        let text = format!("{}{link}", "x".repeat(40));
        assert_eq!(split(&text, 60), [&text[..40], link]);
    }

    #[test]
    fn a_cluster_over_the_limit_is_cut_between_characters() {
        let zalgo = format!("a{}", "\u{301}".repeat(40));
        assert!(split(&zalgo, 16).iter().all(|part| part.len() <= 16 && !part.is_empty()));
    }

    proptest! {
        #[test]
        fn parts_fit_and_make_up_the_text(text in "(\\PC|<a href=\"x\">|</a>|\n| ){0,200}", limit in 4usize..64) {
            let parts = split(&text, limit);
            prop_assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= limit));
            prop_assert_eq!(parts.concat(), text);
        }
    }
}
