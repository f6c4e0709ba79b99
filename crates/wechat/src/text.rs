//! Which characters a push or a reply may carry. Start at [`clean`].
//!
//! XML 1.0 cannot carry most control characters, PostgreSQL cannot store U+0000, and one of them in a reply
//! makes WeChat show its failure line. They never mean anything in a chat, so they are dropped on every way in
//! and out.

use std::borrow::Cow;

/// Whether XML 1.0 can carry the character (its production `Char`).
pub(crate) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Whether all of it is legal. By bytes and without a branch, since almost every text is.
pub(crate) fn is_clean(text: &str) -> bool {
    // Control characters, and the first byte of U+F000 to U+FFFF.
    let is_doubtful = text.bytes().fold(false, |seen, byte| seen | (byte < b' ') | (byte == 0xEF));
    !is_doubtful || text.chars().all(is_legal)
}

/// The text without the characters that XML 1.0 cannot carry.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if is_clean(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|&c| is_legal(c)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_tab_line_feed_and_carriage_return_only() {
        let all: String = ('\0'..' ').collect();
        assert_eq!(clean(&all), "\t\n\r");
        assert_eq!(clean("a\u{FFFE}b\u{FFFF}c\u{7f}😀"), "abc\u{7f}😀");
        assert!(matches!(clean("你好"), Cow::Borrowed(_)));
    }
}
