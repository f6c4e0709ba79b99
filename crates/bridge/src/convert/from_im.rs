//! An agent's message as parts that WeChat takes.

use desk::split::{WECHAT_TEXT_BYTES, split};
use im::Element;

/// One part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Words, at most 2,048 bytes.
    Text(String),
    /// An element that cannot go to WeChat; the word is its type.
    Unsupported(String),
}

/// The parts of a message, in order.
pub(crate) fn parts(elements: &[Element]) -> Vec<Part> {
    let mut parts = Vec::new();
    for element in elements {
        match element {
            Element::Text { text, .. } => {
                let text = printable(text);
                parts.extend(
                    split(&text, WECHAT_TEXT_BYTES).into_iter().map(|part| Part::Text(part.to_owned())),
                );
            }
            other => parts.push(Part::Unsupported(other.msg_type().to_owned())),
        }
    }
    // A part of blanks alone would be refused (44004).
    parts.retain(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
    parts
}

/// Without the control characters that neither XML nor a chat can show.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f37_a_long_answer_is_cut_into_parts_in_order() {
        let long = "春".repeat(1500);
        let parts = parts(&[Element::text(long.clone())]);
        let texts: Vec<&str> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Unsupported(_) => panic!("a text became something else"),
            })
            .collect();
        assert_eq!(texts.len(), 3);
        assert!(texts.iter().all(|text| text.len() <= 2048));
        assert_eq!(texts.concat(), long);
    }

    #[test]
    fn f07_control_characters_do_not_reach_wechat() {
        let parts = parts(&[Element::text("a\u{0}b\u{b}c\n")]);
        assert_eq!(parts, [Part::Text("abc\n".into())]);
    }
}
