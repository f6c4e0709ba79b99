//! What opens a window, for how long and for how many messages: data, so that an operator can correct it when WeChat
//! changes it.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// What a customer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A message of any kind.
    #[serde(rename = "w")]
    Write,
    /// A tap on a menu item that opens a window (`CLICK`, `scancode_push`, `scancode_waitmsg`).
    #[serde(rename = "m")]
    Menu,
    /// A tap on an entry of a menu message or on a tap-to-send link. It arrives as a message; WeChat's page counts it as
    /// a tap on a menu item, and so do we, but whether it really does is not known.
    #[serde(rename = "t")]
    Tap,
    /// A follow.
    #[serde(rename = "f")]
    Follow,
    /// A scan of a parametric QR code.
    #[serde(rename = "q")]
    Scan,
    /// An unfollow, which closes all windows.
    #[serde(rename = "u")]
    Leave,
}

/// What one action allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// So many messages; 0: the action opens nothing.
    pub replies: u32,
    /// For so long, in milliseconds.
    pub lasts: Millis,
}

/// What each action allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A message.
    pub write: Rule,
    /// A tap on a menu item.
    pub menu: Rule,
    /// A follow.
    pub follow: Rule,
    /// A scan.
    pub scan: Rule,
}

const MINUTE: Millis = 60_000;

impl Default for Rules {
    /// WeChat's own, as published in 2025: 5 messages in 48 hours after a message, 3 in a minute after the others.
    fn default() -> Self {
        let three = Rule { replies: 3, lasts: MINUTE };
        Rules { write: Rule { replies: 5, lasts: 48 * 60 * MINUTE }, menu: three, follow: three, scan: three }
    }
}

impl Rules {
    /// The rule for an action; `None` where it opens nothing.
    pub fn of(&self, action: Action) -> Option<Rule> {
        let rule = match action {
            Action::Write => self.write,
            Action::Menu | Action::Tap => self.menu,
            Action::Follow => self.follow,
            Action::Scan => self.scan,
            Action::Leave => return None,
        };
        (rule.replies > 0 && rule.lasts > 0).then_some(rule)
    }
}
