//! Goes over the whole catalogue: what must hold for every sentence, and `docs/WORDS.md`, where a person can read all.

use super::*;
use crate::mailbox::Parked;
use crate::{DeliveryState, Direction, Reason};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The most bytes of a message's body in IM. <https://www.tencentcloud.com/document/product/1047/34919>
const IM_LIMIT: usize = 12 * 1024;

const EXCERPT: &str = "…";

/// Every notice, with its name.
fn notices() -> Vec<(String, Notice<'static>)> {
    let excerpt = EXCERPT;
    let mut all = vec![
        ("unsure".to_owned(), Notice::Unsure { excerpt }),
        ("unsupported kind".to_owned(), Notice::UnsupportedKind),
        ("customer left".to_owned(), Notice::CustomerLeft),
        ("another agent answered".to_owned(), Notice::OtherAgentAnswered { agent: "user2", excerpt }),
        ("not yours".to_owned(), Notice::NotYours { owner: "user1" }),
        ("now yours".to_owned(), Notice::NowYours { from: "user1", recent: "" }),
        ("now yours, with what was said".to_owned(), Notice::NowYours { from: "user1", recent: EXCERPT }),
        ("taken away".to_owned(), Notice::TakenAway { to: "user2" }),
        ("one reply left".to_owned(), Notice::RepliesLeft { left: 1, lasts: 46 * 3_600_000 }),
        ("no reply left".to_owned(), Notice::RepliesLeft { left: 0, lasts: 46 * 3_600_000 }),
        ("window closes soon".to_owned(), Notice::ClosesSoon { lasts: 7_200_000 }),
        ("found late".to_owned(), Notice::FoundLate { count: 3, minutes: 42 }),
        ("found too late".to_owned(), Notice::FoundTooLate { count: 3, excerpts: EXCERPT }),
        ("recall impossible".to_owned(), Notice::RecallImpossible { excerpt }),
        ("recall unsure".to_owned(), Notice::RecallUnsure { excerpt }),
    ];
    for why in Parked::ALL {
        all.push((format!("parked: {}", why.as_str()), Notice::Parked { excerpt, why }));
    }
    all.push(("delivered after all".to_owned(), Notice::Delivered { excerpt }));
    for reason in Reason::ALL {
        all.push((format!("failed: {}", reason.as_str()), Notice::Failed { excerpt, reason: *reason }));
        all.push((format!("delayed: {}", reason.as_str()), Notice::Delayed { excerpt, reason: *reason }));
    }
    all
}

const KINDS: [(&str, Kind); 7] = [
    ("image", Kind::Image),
    ("voice", Kind::Voice),
    ("video", Kind::Video),
    ("location", Kind::Location),
    ("link", Kind::Link),
    ("file", Kind::File),
    ("unsupported", Kind::Unsupported),
];

const ACTS: [Act; 6] = [Act::Menu, Act::Scan, Act::FollowedBy, Act::ScannedCode, Act::Pictures, Act::Place];

const STATES: [DeliveryState; 7] = [
    DeliveryState::Waiting,
    DeliveryState::Sending,
    DeliveryState::Checking,
    DeliveryState::Parked,
    DeliveryState::Sent,
    DeliveryState::Failed,
    DeliveryState::Unsure,
];

#[test]
fn every_notice_is_signed_whole_and_fits_in_every_language() {
    for (name, which) in notices() {
        let texts = Language::ALL.map(|language| notice(language, which));
        for text in &texts {
            let words =
                text.strip_prefix(SIGNATURE).unwrap_or_else(|| panic!("{name} is not signed: {text}"));
            assert!(words.chars().count() > 5, "{name}: {text}");
            assert!(!text.contains(['{', '}']), "{name} has a placeholder left: {text}");
            // Twenty characters of an excerpt and two UserIDs of 32 bytes come on top.
            assert!(text.len() + 200 < IM_LIMIT, "{name}");
            assert!(text.ends_with(['。', '.', '…']), "{name}: {text}");
        }
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 3, "{name} is the same in two languages");
    }
}

/// What waits goes out by itself: no words may ask for it to be sent again, and every reason is said in its language.
#[test]
fn what_waits_is_not_to_be_sent_again() {
    for reason in [Reason::Busy, Reason::TooFast, Reason::QuotaUsedUp, Reason::Unreachable] {
        let words =
            Language::ALL.map(|language| notice(language, Notice::Delayed { excerpt: EXCERPT, reason }));
        let again = ["再发", "もう一度", "send it again later", "send it again tomorrow", "send it again in"];
        for text in &words {
            assert!(!again.iter().any(|asked| text.contains(asked)), "{text}");
        }
        assert!(words[0].contains("请不要重复发送") && words[1].contains("送り直さないで"), "{words:?}");
        assert!(words[2].ends_with("please do not send it again."), "{words:?}");
    }
}

#[test]
fn every_reason_has_sentences_and_a_name_of_its_own() {
    for language in Language::ALL {
        let sentences: BTreeSet<_> =
            Reason::ALL.iter().map(|reason| reason_words(language, *reason)).collect();
        let labels: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason_label(language, *reason)).collect();
        assert_eq!((sentences.len(), labels.len()), (Reason::ALL.len(), Reason::ALL.len()));
        assert!(labels.iter().all(|label| !label.is_empty() && label.chars().count() <= 24));
        assert!(sentences.iter().all(|words| !words.contains('|')), "the page is a table");
    }
    for reason in Reason::ALL {
        assert!(reason_words(Language::En, *reason).is_ascii(), "{}", reason.as_str());
        let kana = |c: char| ('\u{3040}'..='\u{30ff}').contains(&c);
        assert!(!reason_words(Language::Zh, *reason).contains(kana), "{}", reason.as_str());
        assert!(reason_words(Language::Ja, *reason).contains(kana), "{}", reason.as_str());
    }
}

/// The page: a table a language.
fn page() -> String {
    let mut page = String::from(
        "# Words\n\nAll that the gateway says to people, in its three languages. This page is written by a test from \
         `crates/desk/src/words`: do not edit it, run `UPDATE_GOLDEN=1 cargo test -p desk words`.\n\
         `…` stands for the beginning of a message, `user1` and `user2` for agents.\n",
    );
    for (language, title) in
        [(Language::Zh, "Chinese"), (Language::Ja, "Japanese"), (Language::En, "English")]
    {
        let _ = write!(page, "\n## {title}\n\n### Notices to agents\n\n| notice | words |\n| --- | --- |\n");
        for (name, which) in notices() {
            let shown = match which {
                Notice::Failed { reason, .. } => reason == Reason::Busy,
                Notice::Delayed { reason, .. } => {
                    reason == Reason::Setup
                        || waiting_words(language, reason) != reason_words(language, reason)
                }
                _ => true,
            };
            if shown {
                let words = notice(language, which).replace('\n', "<br>");
                let _ = writeln!(page, "| {name} | {words} |");
            }
        }
        let _ = write!(page, "\n### Reasons\n\n| reason | name | words |\n| --- | --- | --- |\n");
        for reason in Reason::ALL {
            let (name, words) = (reason_label(language, *reason), reason_words(language, *reason));
            let _ = writeln!(page, "| `{}` | {name} | {words} |", reason.as_str());
        }
        let _ = write!(page, "\n### Names\n\n| of | name |\n| --- | --- |\n");
        for state in STATES {
            let _ = writeln!(page, "| state `{}` | {} |", state.as_str(), state_label(language, state));
        }
        for outcome in [None, Some("waiting"), Some("?")] {
            let label = outcome_label(language, outcome);
            let _ = writeln!(page, "| outcome `{}` | {label} |", outcome.unwrap_or("-"));
        }
        for way in [Direction::In, Direction::Out] {
            let _ = writeln!(page, "| direction `{}` | {} |", way.as_str(), direction_label(language, way));
        }
        for which in Tap::ALL {
            let _ = writeln!(page, "| tap `{}` | {} |", which.as_str(), tap(language, which));
        }
        let _ = writeln!(page, "| tap `says` | {} |", tap_says(language));
        for (name, which) in KINDS {
            let _ = writeln!(page, "| kind `{name}` | {} |", kind(language, which));
        }
        for which in ACTS {
            let _ = writeln!(page, "| act | {} |", act(language, which, "…"));
        }
        for (name, words) in [
            ("not in time", still_loading(language)),
            ("not at all", not_loaded(language)),
            ("without a public address", no_link(language)),
        ] {
            let _ = writeln!(page, "| a file that comes {name} | {words} |");
        }
    }
    page
}

#[test]
fn the_page_of_words_is_that_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/WORDS.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page(), "docs/WORDS.md is out of date: run UPDATE_GOLDEN=1 cargo test -p desk words");
}
