//! The journal: what both clouds saw and did, one JSON object a line, append-only.
//!
//! A checker joins what customers and agents sent, what arrived, and what the gateway called. Each line has `n` (1, 2,
//! 3 …), `at_ms` (the simulator's clock), `cloud` (`wechat` or `im`) and `kind`; `README.md` lists the kinds and their
//! fields. Secrets, tokens and UserSigs never get in; openids and texts of invented people do.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::clock::Clock;

/// Lines kept in memory for `/sim/journal`; the file keeps all.
const KEPT: usize = 200_000;

pub(crate) struct Journal {
    clock: Clock,
    pages: Mutex<Pages>,
    last: watch::Sender<u64>,
}

struct Pages {
    next: u64,
    lines: VecDeque<Value>,
    file: Option<File>,
}

impl Journal {
    /// A journal in memory, and in the file where one is named (appended to, made when missing).
    pub(crate) fn open(clock: Clock, file: Option<&Path>) -> std::io::Result<Journal> {
        let file =
            file.map(|path| std::fs::OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Journal {
            clock,
            pages: Mutex::new(Pages { next: 1, lines: VecDeque::new(), file }),
            last: watch::Sender::new(0),
        })
    }

    /// Appends one line; `fields` must be an object.
    pub(crate) fn write(&self, cloud: &str, kind: &str, fields: Value) {
        let mut pages = self.pages();
        let n = pages.next;
        pages.next += 1;
        let mut line = Map::new();
        line.insert("n".into(), n.into());
        line.insert("at_ms".into(), self.clock.now_ms().into());
        line.insert("cloud".into(), cloud.into());
        line.insert("kind".into(), kind.into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let line = Value::Object(line);
        if let Some(file) = &mut pages.file {
            // One write per line, so that a reader never sees half of one. A full disk must not stop the clouds.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        pages.lines.push_back(line);
        if pages.lines.len() > KEPT {
            pages.lines.pop_front();
        }
        drop(pages);
        self.last.send_replace(n);
    }

    /// The lines after number `n`, oldest first.
    pub(crate) fn after(&self, n: u64) -> Vec<Value> {
        let pages = self.pages();
        let first = pages.next - pages.lines.len() as u64;
        let skip = usize::try_from((n + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        pages.lines.iter().skip(skip).cloned().collect()
    }

    /// As [`Journal::after`], but waits up to `patience` for a first line.
    pub(crate) async fn wait_after(&self, n: u64, patience: Duration) -> Vec<Value> {
        let mut last = self.last.subscribe();
        let _ = tokio::time::timeout(patience, last.wait_for(|last| *last > n)).await;
        self.after(n)
    }

    /// The number of the newest line; 0 when there is none.
    pub(crate) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_numbered_and_stay_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(Clock::real(), Some(&path)).unwrap();
        journal.write("wechat", "said", json!({"text": "一\n二"}));
        journal.write("im", "delivered", json!({"to": "user1"}));
        assert_eq!(journal.after(1)[0]["to"], "user1");
        assert_eq!(journal.after(0).len(), 2);
        assert!(journal.after(2).is_empty() && journal.after(99).is_empty());

        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines, journal.after(0));
        assert_eq!((&lines[0]["n"], &lines[0]["kind"]), (&json!(1), &json!("said")));
    }

    #[tokio::test]
    async fn a_reader_can_wait_for_the_next_line() {
        let journal = std::sync::Arc::new(Journal::open(Clock::real(), None).unwrap());
        let writer = journal.clone();
        let waiting = tokio::spawn(async move { journal.wait_after(0, Duration::from_secs(2)).await });
        writer.write("im", "said", json!({}));
        assert_eq!(waiting.await.unwrap().len(), 1);
    }
}
