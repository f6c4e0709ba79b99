//! What the gateway says to people, in Chinese, Japanese and English.
//!
//! One catalogue: [`notices`](notice) to agents, the [reasons](reason_words) why a delivery failed, the
//! [kinds](kind) of message that are not text, and short [labels](state_label) for lists. Each notice says what happened and what to do. To add a
//! sentence, begin in `notices.rs` or `reasons.rs`; the compiler asks for all three languages.

mod kinds;
mod labels;
mod notices;
mod reasons;
#[cfg(test)]
mod snapshot;
mod taps;

pub use kinds::{Act, Kind, act, kind, late, late_answer, no_link, not_loaded, still_loading};
pub use labels::{direction_label, outcome_label, state_label};
pub use notices::{Notice, notice};
pub use reasons::{reason_label, reason_words, waiting_words};
pub use taps::{Tap, tap, tap_says};

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

    #[test]
    fn excerpts_are_short_and_one_line() {
        assert_eq!(
            excerpt("5月になりますので、\nフォローをよろしくお願いいたします！"),
            "5月になりますので、 フォローをよろしく…"
        );
        assert_eq!(excerpt("短い"), "短い");
    }
}
