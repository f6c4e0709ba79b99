//! What was found, line by line as it is found.
//!
//! Each finding has a name, for programs: it stays the same when the words become better ones.

use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Which part of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Group {
    Configuration,
    Database,
    Clock,
    Wechat,
    Im,
    Webhooks,
    Media,
}

impl Group {
    fn as_str(self) -> &'static str {
        match self {
            Group::Configuration => "configuration",
            Group::Database => "database",
            Group::Clock => "clock",
            Group::Wechat => "wechat",
            Group::Im => "im",
            Group::Webhooks => "webhooks",
            Group::Media => "media",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// It works, or will; somebody should know.
    Warning,
    /// Messages are or will be lost or late.
    Fault,
}

#[derive(Debug, Serialize)]
struct Finding<'a> {
    group: Group,
    /// The account's id or the host; empty where there is but one.
    #[serde(skip_serializing_if = "str::is_empty")]
    about: &'a str,
    level: Level,
    name: &'a str,
    what: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    todo: &'a str,
}

/// Prints findings, and remembers how bad it is. Cheap to clone.
#[derive(Clone)]
pub(super) struct Board(Arc<Inner>);

struct Inner {
    json: bool,
    colour: bool,
    /// Warnings and faults.
    counts: Mutex<(usize, usize)>,
}

impl Board {
    pub(super) fn new(json: bool) -> Board {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = !json && !plain && std::io::stdout().is_terminal();
        Board(Arc::new(Inner { json, colour, counts: Mutex::default() }))
    }

    /// Findings about one part, or one account of it.
    pub(super) fn section(&self, group: Group, about: &str) -> Section {
        Section { board: self.clone(), group, about: about.to_owned() }
    }

    /// Prints how bad it is; true if there is no fault.
    pub(super) fn conclude(&self) -> bool {
        let (warnings, faults) = *self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.json {
            print(&serde_json::json!({ "faults": faults, "warnings": warnings }).to_string());
        } else {
            let count =
                |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
            print(&format!("\n{}, {}", count(faults, "fault"), count(warnings, "warning")));
        }
        faults == 0
    }

    fn add(&self, finding: &Finding<'_>) {
        // Held while it is printed, so that the two lines of a finding stay together.
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match finding.level {
            Level::Ok => {}
            Level::Warning => counts.0 += 1,
            Level::Fault => counts.1 += 1,
        }
        if self.0.json {
            print(&serde_json::to_string(finding).unwrap_or_default());
        } else {
            print(&self.text(finding));
        }
    }

    fn text(&self, finding: &Finding<'_>) -> String {
        let (word, code) = match finding.level {
            Level::Ok => ("ok", "32"),
            Level::Warning => ("warning", "33"),
            Level::Fault => ("fault", "31"),
        };
        let word = format!("{word:<8}");
        let word = if self.0.colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word };
        let about = if finding.about.is_empty() { String::new() } else { format!(" {}", finding.about) };
        let mut text = format!("{word} {}{about}: {}", finding.group.as_str(), finding.what);
        if !finding.todo.is_empty() {
            text.push_str(&format!("\n         → {}", finding.todo));
        }
        text
    }
}

/// Findings about one part, or one account of it.
#[derive(Clone)]
pub(super) struct Section {
    board: Board,
    group: Group,
    about: String,
}

impl Section {
    pub(super) fn ok(&self, name: &str, what: impl AsRef<str>) {
        self.add(Level::Ok, name, what.as_ref(), "");
    }

    pub(super) fn warn(&self, name: &str, what: impl AsRef<str>, todo: impl AsRef<str>) {
        self.add(Level::Warning, name, what.as_ref(), todo.as_ref());
    }

    pub(super) fn fault(&self, name: &str, what: impl AsRef<str>, todo: impl AsRef<str>) {
        self.add(Level::Fault, name, what.as_ref(), todo.as_ref());
    }

    fn add(&self, level: Level, name: &str, what: &str, todo: &str) {
        self.board.add(&Finding { group: self.group, about: &self.about, level, name, what, todo });
    }
}

/// What was asked for goes to stdout. Who stops reading is no fault of the set-up.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
