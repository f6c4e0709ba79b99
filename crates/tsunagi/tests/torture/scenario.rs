//! What can be played, and what comes of it.

use crate::support::Engine;
use crate::{backlog, day, disk, hostile, kills, matrix, nodes, sabotage, webhooks};
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;

/// How much of each scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    Short,
    Normal,
    Long,
}

impl Form {
    /// One of three numbers.
    pub(crate) fn of<T>(self, short: T, normal: T, long: T) -> T {
        match self {
            Form::Short => short,
            Form::Normal => normal,
            Form::Long => long,
        }
    }
}

/// One round of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) form: Form,
    pub(crate) n: u64,
    pub(crate) seed: u64,
}

impl Round {
    /// Both engines, in turn.
    pub(crate) fn engine(&self) -> Engine {
        if self.n.is_multiple_of(2) { Engine::Sqlite } else { Engine::Postgres }
    }

    /// Whether times are judged, and not only told: not in the short form, which is played on any machine.
    pub(crate) fn is_timed(&self) -> bool {
        self.form != Form::Short
    }
}

/// What came of a round.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was played and measured, by name: messages, kills, the worst time to ready in ms, …
    pub(crate) counts: BTreeMap<String, i64>,
    /// What broke the promise; nothing: it was kept.
    pub(crate) findings: Vec<String>,
}

impl Report {
    pub(crate) fn broken(why: impl Into<String>) -> Report {
        Report { findings: vec![why.into()], ..Report::default() }
    }

    /// Adds to a count.
    pub(crate) fn add(&mut self, what: &str, count: i64) {
        *self.counts.entry(what.to_owned()).or_default() += count;
    }

    /// Keeps the largest.
    pub(crate) fn most(&mut self, what: &str, value: i64) {
        let kept = self.counts.entry(what.to_owned()).or_insert(value);
        *kept = value.max(*kept);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        write!(f, "{}", counts.join(", "))?;
        for finding in &self.findings {
            write!(f, "\n  BREACH: {finding}")?;
        }
        Ok(())
    }
}

type Played = Pin<Box<dyn Future<Output = Report> + Send>>;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) rounds: fn(Form) -> u64,
    pub(crate) play: fn(Round) -> Played,
}

/// All of them, the quickest to fail first.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kills",
        what: "kill -9 of the one gateway under load, on SQLite and on PostgreSQL",
        rounds: kills::rounds,
        play: |round| Box::pin(kills::play(round)),
    },
    Scenario {
        name: "nodes",
        what: "two and three nodes on PostgreSQL: kills, freezes, restarts, failovers, cut lines",
        rounds: nodes::rounds,
        play: |round| Box::pin(nodes::play(round)),
    },
    Scenario {
        name: "disk",
        what: "a disk that is slow, full, broken, read-only, or loses what was not synced",
        rounds: disk::rounds,
        play: |round| Box::pin(disk::play(round)),
    },
    Scenario {
        name: "webhooks",
        what: "a million webhooks, 30 of 100 of them copies, in disorder",
        rounds: webhooks::rounds,
        play: |round| Box::pin(webhooks::play(round)),
    },
    Scenario {
        name: "backlog",
        what: "both clouds are away while 20,000 messages queue up, and come back",
        rounds: backlog::rounds,
        play: |round| Box::pin(backlog::play(round)),
    },
    Scenario {
        name: "matrix",
        what: "every call to a cloud fails in every way",
        rounds: matrix::rounds,
        play: matrix::play,
    },
    Scenario {
        name: "sabotage",
        what: "gateways without dedup, fencing or syncs: the checker must find each of them",
        rounds: sabotage::rounds,
        play: |round| Box::pin(sabotage::play(round)),
    },
    Scenario {
        name: "hostile",
        what: "hostile requests, forged signatures, links to forbidden addresses",
        rounds: hostile::rounds,
        play: hostile::play,
    },
    Scenario {
        name: "day",
        what: "days compressed by the moved clock",
        rounds: day::rounds,
        play: day::play,
    },
];
