//! `make torture`: real gateways, a real PostgreSQL and the simulated clouds, under every fault; a checker joins what people
//! sent, what the database holds and what people received.
//!
//! A scenario is played in rounds, each with a world and a seed of its own. A round that has ended is written to
//! `docs/reliability/runs.jsonl`, and is not played again when a run with the same seed goes on at the same commit.
//! `record.rs` keeps that book and draws its tables.

#![expect(clippy::unwrap_used, reason = "a round that cannot go on has failed")]
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "progress and results are for a person")]

mod backlog;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../it/checker/mod.rs"]
mod checker;
mod cluster;
mod day;
#[path = "../it/kills/dice.rs"]
mod dice;
mod disk;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../it/kills/drive.rs"]
mod drive;
mod hostile;
mod kills;
mod link;
mod matrix;
mod nodes;
mod record;
mod sabotage;
mod scenario;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod town;
mod webhooks;

use clap::Parser;
use scenario::{Form, Report, Round, SCENARIOS};
use std::process::ExitCode;
use std::time::Instant;

/// Plays faults against real processes and checks that nothing is lost, doubled or out of order.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Args {
    /// Which scenarios; all, if none is named.
    scenarios: Vec<String>,
    /// How much of each: `short` takes ten minutes, `normal` what docs/RELIABILITY.md shows, `long` a night's work.
    #[arg(long, value_enum, default_value_t = Form::Normal)]
    form: Form,
    /// The seed of the first round; each round adds its number. The same seed plays the same faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plays only this round.
    #[arg(long)]
    round: Option<u64>,
    /// Writes each round that has ended to docs/reliability, and skips those that stand there for this commit and seed.
    #[arg(long)]
    record: bool,
    /// Lists the scenarios.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        for scenario in SCENARIOS {
            println!("{:<10} {} rounds: {}", scenario.name, (scenario.rounds)(args.form), scenario.what);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = args.scenarios.iter().find(|name| !SCENARIOS.iter().any(|s| s.name == **name)) {
        eprintln!("error: there is no scenario {unknown:?}\nhint: --list shows them");
        return ExitCode::from(2);
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), 0);
    for scenario in SCENARIOS {
        if !args.scenarios.is_empty() && !args.scenarios.iter().any(|name| name == scenario.name) {
            continue;
        }
        let rounds = (scenario.rounds)(args.form);
        for n in (0..rounds).filter(|n| args.round.is_none_or(|only| only == *n)) {
            let round = Round { form: args.form, n, seed: args.seed + n };
            if args.record && record::is_there(scenario.name, &round) {
                skipped += 1;
                continue;
            }
            eprintln!("{} {}/{rounds} (seed {}) …", scenario.name, n + 1, round.seed);
            let begun = Instant::now();
            // A panic is this round's failure, not the end of the others.
            let played = runtime.block_on(async {
                let task = tokio::spawn((scenario.play)(round));
                task.await.unwrap_or_else(|error| Report::broken(error.to_string()))
            });
            let seconds = begun.elapsed().as_secs_f64();
            eprintln!("{} {}/{rounds}: {played} [{seconds:.0} s]", scenario.name, n + 1);
            if args.record {
                record::keep(scenario.name, &round, &played, seconds);
            }
            match played.findings.is_empty() {
                true => passed += 1,
                false => failed.push(format!("{} {} (seed {})", scenario.name, n + 1, round.seed)),
            }
        }
    }
    if args.record {
        record::draw();
    }
    for name in &failed {
        eprintln!("FAILED: {name}");
    }
    if skipped > 0 {
        eprintln!("{skipped} rounds stand in docs/reliability already");
    }
    println!("{passed} passed, {} failed", failed.len());
    ExitCode::from(u8::from(!failed.is_empty()))
}
