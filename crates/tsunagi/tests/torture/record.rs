//! The book of what was played: one line of JSON per round in `docs/reliability/runs.jsonl`, and tables drawn from it.

use crate::scenario::{Report, Round};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reliability")
}

/// The newest commit that touches what is tested, so that a note in the docs does not begin the count anew.
fn commit() -> &'static str {
    static COMMIT: OnceLock<String> = OnceLock::new();
    COMMIT.get_or_init(|| {
        let sources = [":(glob)crates/*/src/**", "Cargo.toml", "Cargo.lock"];
        let told = Command::new("git")
            .args(["log", "-1", "--format=%h", "--"])
            .args(sources)
            .current_dir(folder().join("../.."))
            .output()
            .unwrap();
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    })
}

fn lines() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("runs.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether this round was played at this commit, and passed.
pub(crate) fn is_there(scenario: &str, round: &Round) -> bool {
    lines().iter().any(|line| {
        line["scenario"] == scenario
            && line["seed"] == round.seed
            && line["form"] == format!("{:?}", round.form).to_lowercase()
            && line["commit"] == commit()
            && line["findings"].as_array().is_some_and(Vec::is_empty)
    })
}

/// Writes a round down.
pub(crate) fn keep(scenario: &str, round: &Round, report: &Report, seconds: f64) {
    std::fs::create_dir_all(folder()).unwrap();
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let form = format!("{:?}", round.form).to_lowercase();
    let line = json!({
        "scenario": scenario, "seed": round.seed, "form": form, "commit": commit(), "profile": profile,
        "command": format!("make torture ARGS='{scenario} --form {form} --round {} --seed {}'", round.n, round.seed - round.n),
        "seconds": seconds.round(), "counts": report.counts, "findings": report.findings,
    });
    let mut book =
        std::fs::OpenOptions::new().create(true).append(true).open(folder().join("runs.jsonl")).unwrap();
    writeln!(book, "{line}").unwrap();
}

/// Draws `docs/reliability/README.md` anew: what was played of each scenario, added up over its rounds.
pub(crate) fn draw() {
    let mut table: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    // What was played again counts as it ended last.
    let mut latest: BTreeMap<String, Value> = BTreeMap::new();
    for line in lines() {
        let key = format!("{} {} {} {}", line["scenario"], line["form"], line["seed"], line["commit"]);
        latest.insert(key, line);
    }
    for line in latest.into_values() {
        table.entry(line["scenario"].as_str().unwrap_or_default().to_owned()).or_default().push(line);
    }
    let mut page = String::from(
        "# What was played\n\nDrawn by `make torture ARGS=--record` from [runs.jsonl](runs.jsonl): one line per round, with its seed, commit and the \
         command that plays it again. Counts are added up over rounds; those that begin with `worst` are the largest.\n\n\
         | Scenario | Rounds | Commits | Minutes | Counts | Breaches |\n| --- | --: | --- | --: | --- | --: |\n",
    );
    for (scenario, lines) in &table {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        let mut commits: Vec<&str> = Vec::new();
        let (mut seconds, mut breaches) = (0.0, 0);
        for line in lines {
            seconds += line["seconds"].as_f64().unwrap_or(0.0);
            breaches += line["findings"].as_array().map_or(0, Vec::len);
            let commit = line["commit"].as_str().unwrap_or("?");
            if !commits.contains(&commit) {
                commits.push(commit);
            }
            for (what, count) in line["counts"].as_object().into_iter().flatten() {
                let (kept, count) = (counts.entry(what.clone()).or_default(), count.as_i64().unwrap_or(0));
                *kept = if what.starts_with("worst") { count.max(*kept) } else { *kept + count };
            }
        }
        let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        writeln!(
            page,
            "| {scenario} | {} | {} | {:.0} | {} | {breaches} |",
            lines.len(),
            commits.join(", "),
            seconds / 60.0,
            counts.join(", ")
        )
        .unwrap();
    }
    std::fs::write(folder().join("README.md"), page).unwrap();
}
