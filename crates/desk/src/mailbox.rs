//! How answers that wait for a customer go into one passive reply: as many as fit, and a link to tap for the rest.
//!
//! An account that may not push has one text per message of its customer. The link makes the customer's phone send a
//! text by itself, which asks for the next ones; it is known by its id and is nobody's words.

use crate::Reason;
use crate::split::{WECHAT_TEXT_BYTES, split};

/// Between two answers in one reply, so that they read as two.
const BETWEEN: &str = "\n———\n";

/// Where so little room is left, in bytes, an answer that does not fit begins the next reply rather than being cut.
const NOT_WORTH_A_CUT: usize = 600;

/// How the id of a tap begins.
const TAP: &str = "tsunagi-";

/// Why an answer waits for the customer's next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// No reply window is open.
    WindowClosed,
    /// The replies of the window are used up.
    CountUsedUp,
    /// The account may only reply to what its customers write.
    Passive,
    /// Earlier answers to the same customer wait too.
    Behind,
}

impl Parked {
    /// Every one.
    pub const ALL: [Parked; 4] = [Parked::WindowClosed, Parked::CountUsedUp, Parked::Passive, Parked::Behind];

    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Parked::WindowClosed => "window_closed",
            Parked::CountUsedUp => "count_used_up",
            Parked::Passive => "passive",
            Parked::Behind => "behind",
        }
    }

    /// The reason that stands with the delivery; none where it only keeps its place.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Parked::WindowClosed => Some(Reason::WindowClosed),
            Parked::CountUsedUp => Some(Reason::CountUsedUp),
            Parked::Passive => Some(Reason::NoPermission),
            Parked::Behind => None,
        }
    }
}

/// What goes into a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text of the reply, at most 2,048 bytes.
    pub text: String,
    /// So many answers are in it as a whole.
    pub whole: usize,
    /// So many bytes of the next one are in it too.
    pub cut: Option<usize>,
}

/// Fits answers into one reply, in their order. `more`: whether others wait behind them. `link` is put at the end of a
/// reply that leaves something behind.
pub fn fit(waiting: &[&str], more: bool, link: &str) -> Fitted {
    let all = waiting.join(BETWEEN);
    if !more && all.len() <= WECHAT_TEXT_BYTES {
        return Fitted { text: all, whole: waiting.len(), cut: None };
    }
    let room = WECHAT_TEXT_BYTES.saturating_sub(link.len());
    let (mut text, mut whole, mut cut) = (String::new(), 0, None);
    for next in waiting {
        let between = if whole == 0 { "" } else { BETWEEN };
        let left = room.saturating_sub(text.len() + between.len());
        if next.len() <= left {
            text = text + between + next;
            whole += 1;
            continue;
        }
        if whole == 0 || left >= NOT_WORTH_A_CUT {
            let head = split(next, left.max(4)).first().copied().unwrap_or_default();
            text = text + between + head;
            cut = Some(head.len());
        }
        break;
    }
    text.push_str(link);
    Fitted { text, whole, cut }
}

/// A link that sends `says` when it is tapped. `id` tells taps apart: letters, digits and hyphens.
pub fn tap_link(label: &str, says: &str, id: &str) -> String {
    format!("\n\n<a href=\"weixin://bizmsgmenu?msgmenucontent={says}&msgmenuid={TAP}{id}\">{label}</a>")
}

/// The id of the link that was tapped, if the message comes from one of ours.
pub fn tapped(menu_id: &str) -> Option<&str> {
    menu_id.strip_prefix(TAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link() -> String {
        tap_link("还有更多回复，点此查看", "查看更多回复", "0123456789ab")
    }

    #[test]
    fn answers_that_fit_go_together_without_a_link() {
        let fitted = fit(&["在的", "明天发货\n请放心"], false, &link());
        assert_eq!(fitted.text, "在的\n———\n明天发货\n请放心");
        assert_eq!((fitted.whole, fitted.cut), (2, None));
        let exactly = "a".repeat(WECHAT_TEXT_BYTES);
        assert_eq!(fit(&[&exactly], false, &link()).text, exactly);
    }

    #[test]
    fn what_does_not_fit_is_behind_the_link() {
        let long = "长".repeat(500);
        let fitted = fit(&[&long, &long, "短"], false, &link());
        assert_eq!((fitted.whole, fitted.cut), (1, None), "what is left is not worth a cut");
        assert_eq!(fitted.text, format!("{long}{}", link()));
        let fitted = fit(&["短", &"长".repeat(682)], false, &link());
        assert_eq!(fitted.whole, 1);
        assert!(fitted.cut.is_some_and(|cut| cut > NOT_WORTH_A_CUT && cut % 3 == 0));
        let fitted = fit(&["one", "two"], true, &link());
        assert_eq!(fitted.text, format!("one\n———\ntwo{}", link()));
    }

    #[test]
    fn a_tap_is_known_by_its_id() {
        let link = link();
        let id = link.split("msgmenuid=").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(tapped(id), Some("0123456789ab"));
        assert_eq!(tapped("101"), None);
    }

    proptest! {
        #[test]
        fn every_reply_has_its_limit_and_all_of_them_together_are_all(
            texts in prop::collection::vec("[a-z长👨。 \n]{1,900}", 1..6)
        ) {
            let mut waiting: Vec<String> = texts.clone();
            let mut got = String::new();
            while !waiting.is_empty() {
                let views: Vec<&str> = waiting.iter().map(String::as_str).collect();
                let fitted = fit(&views, false, &link());
                prop_assert!(fitted.text.len() <= WECHAT_TEXT_BYTES);
                prop_assert!(fitted.whole > 0 || fitted.cut.is_some_and(|cut| cut > 0));
                let behind = fitted.whole < waiting.len();
                prop_assert_eq!(fitted.text.ends_with(&link()), behind);
                let text = fitted.text.strip_suffix(&link()).unwrap_or(&fitted.text);
                got.push_str(&text.replace(BETWEEN, ""));
                waiting.drain(..fitted.whole);
                if let Some(cut) = fitted.cut {
                    waiting[0] = waiting[0][cut..].to_owned();
                }
            }
            prop_assert_eq!(got, texts.concat().replace(BETWEEN, ""));
        }
    }
}
