//! What the gateway says to people, in Chinese, Japanese and English.
//!
//! One catalogue: [`notices`](notice) to agents, the [reasons](reason_words) why a delivery failed, the
//! [kinds](kind) of message that are not text. Each notice says what happened and what to do. To add a
//! sentence, begin in `notices.rs` or `reasons.rs`; the compiler asks for all three languages.

mod kinds;
mod notices;
mod reasons;

pub use kinds::{Kind, kind};
pub use notices::{Notice, notice};
pub use reasons::reason_words;

use serde::{Deserialize, Serialize};

/// The languages of the catalogue (`language` of an account).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese (simplified).
    #[default]
    Zh,
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl Language {
    /// Every language of the catalogue.
    pub const ALL: [Language; 3] = [Language::Zh, Language::Ja, Language::En];

    /// The one of three texts that is in this language.
    fn pick<T>(self, zh: T, ja: T, en: T) -> T {
        match self {
            Language::Zh => zh,
            Language::Ja => ja,
            Language::En => en,
        }
    }
}

/// How every notice begins, so that nobody takes it for the customer's words.
pub const SIGNATURE: &str = "【Tsunagi】";

/// The beginning of a text for a notice: at most 20 characters.
pub fn excerpt(text: &str) -> String {
    let line = text.trim().replace(['\n', '\r'], " ");
    let mut short: String = line.chars().take(20).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn every_notice_is_signed_and_differs_by_language() {
        let notices = [
            Notice::Failed { excerpt: "x", reason: Reason::Busy },
            Notice::Unsure { excerpt: "x" },
            Notice::UnsupportedKind,
            Notice::CustomerLeft,
            Notice::OtherAgentAnswered { agent: "a2", excerpt: "x" },
            Notice::NotYours { owner: "a1" },
            Notice::NowYours { from: "a2", recent: "x" },
            Notice::TakenAway { to: "a2" },
            Notice::Delayed { excerpt: "x", reason: Reason::Setup },
        ];
        for which in notices {
            let texts = [Language::Zh, Language::Ja, Language::En].map(|language| notice(language, which));
            assert!(texts.iter().all(|text| text.starts_with(SIGNATURE)));
            assert!(texts[0] != texts[1] && texts[1] != texts[2]);
        }
    }

    #[test]
    fn excerpts_are_short_and_one_line() {
        assert_eq!(
            excerpt("5月になりますので、\nフォローをよろしくお願いいたします！"),
            "5月になりますので、 フォローをよろしく…"
        );
        assert_eq!(excerpt("短い"), "短い");
    }
}
