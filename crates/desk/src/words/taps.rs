//! What a customer of an account that may not push reads beside the agents' answers: links that fetch them.

use super::Language;

/// Words around a link to tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tap {
    /// Below answers that leave others behind.
    More,
    /// Below the words that ask for patience.
    Look,
    /// In the place of an answer, when a tap finds none yet; the link is below.
    Nothing,
}

impl Tap {
    /// Every one.
    pub const ALL: [Tap; 3] = [Tap::More, Tap::Look, Tap::Nothing];

    /// The word for lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Tap::More => "more",
            Tap::Look => "look",
            Tap::Nothing => "nothing",
        }
    }
}

/// What the customer reads.
pub fn tap(language: Language, which: Tap) -> &'static str {
    match which {
        Tap::More => {
            language.pick("还有更多回复，点此查看", "続きの返信を見る", "There is more: tap to read on")
        }
        Tap::Look => language.pick("点此查看回复", "返信を確認する", "Tap to look for an answer"),
        Tap::Nothing => language.pick(
            "暂时还没有新的回复，请稍后再查看。",
            "新しい返信はまだありません。しばらくしてからご確認ください。",
            "There is no new answer yet. Please look again in a while.",
        ),
    }
}

/// What the customer's phone sends when the link is tapped.
pub fn tap_says(language: Language) -> &'static str {
    language.pick("查看回复", "返信を確認", "Show answers")
}
