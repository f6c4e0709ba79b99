//! The upstream matrix: every call of the gateway's to a cloud meets everything that can go wrong with it.
//!
//! `table.rs` says in which state the messages of a cell must end; `faults.rs` makes the fault, `plan.rs` what people do
//! meanwhile; `cell.rs` plays it in a world of its own, and `judge.rs` compares. A round is one operation under all
//! conditions, on one engine, beside a run without a fault.

mod cell;
mod faults;
mod judge;
mod plan;
#[expect(dead_code, reason = "shared with the test that draws the page")]
mod table;

use crate::dice::Dice;
use crate::scenario::{Form, Report, Round};
use crate::support::{Engine, engines};
use cell::Cell;
use judge::Judged;
use std::pin::Pin;
use std::sync::Arc;
use table::{CONDITIONS, OPERATIONS, Operation};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cells beside custom/send and sendmsg that the short form plays.
const SAMPLE: usize = 10;
/// Worlds at a time; they mostly wait.
const WORLDS: usize = 4;

/// How often a cell is played again whose only fault is that a machine with too much to do answered late.
const REPEATS: i64 = 2;

/// Whether more wants to run than this machine can, our own four worlds aside.
fn is_starved() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    load > 2.0 * cores as f64
}

/// One round for each operation on each engine; all conditions of two operations and a sample of the others in one round
/// of the short form.
pub(crate) fn rounds(form: Form) -> u64 {
    let all = OPERATIONS.len() as u64 * 2;
    form.of(1, all, all)
}

/// Plays a round.
pub(crate) fn play(round: Round) -> Pin<Box<dyn Future<Output = Report> + Send>> {
    Box::pin(async move {
        let mut report = Report::default();
        let (places, mut cells) = (Arc::new(Semaphore::new(WORLDS)), JoinSet::new());
        for cell in chosen(round) {
            let places = places.clone();
            cells.spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                let mut again = 0;
                loop {
                    // A panic is this cell's failure, not the end of the others.
                    let played = tokio::spawn(cell.play()).await;
                    let Judged { mut report, only_late } = played.unwrap_or_else(|error| Judged {
                        report: Report::broken(format!("{cell}: {error}")),
                        only_late: false,
                    });
                    if only_late && again < REPEATS && is_starved() {
                        again += 1;
                        continue;
                    }
                    report.add("cells played again on a busy machine", again);
                    break (cell, report);
                }
            });
        }
        while let Some(ended) = cells.join_next().await {
            let (cell, of_cell) = ended.unwrap();
            eprintln!("  {cell}: {of_cell}");
            report.add("cells", i64::from(cell.condition.is_some()));
            for (what, count) in of_cell.counts {
                if what.starts_with("worst") { report.most(&what, count) } else { report.add(&what, count) }
            }
            report.findings.extend(of_cell.findings);
        }
        report
    })
}

/// `TSUNAGI_TORTURE_CELL="custom/send × 502"` plays only the cells with this in their name.
fn chosen(round: Round) -> Vec<Cell> {
    let engines = engines();
    let engine = |n: u64| engines[(n as usize) % engines.len()];
    let cell = |operation: Operation, condition, engine: Engine| Cell {
        operation,
        condition,
        engine,
        messages: round.form.of(8, 50, 500),
        seed: round.seed,
    };
    let operations = OPERATIONS.len() as u64;
    let mut cells = Vec::new();
    if round.form == Form::Short {
        let mut dice = Dice::new(round.seed);
        cells.push(cell(Operation::CustomSend, None, engine(0)));
        let mut others: Vec<_> = Vec::new();
        for operation in OPERATIONS {
            for (n, condition) in (0u64..).zip(CONDITIONS) {
                let wanted = cell(operation, Some(condition), engine(n + round.seed));
                match operation {
                    Operation::CustomSend | Operation::SendMsg => cells.push(wanted),
                    _ => others.push(wanted),
                }
            }
        }
        for _ in 0..SAMPLE {
            cells.push(others.swap_remove(dice.below(others.len() as u64) as usize));
        }
    } else {
        let operation = OPERATIONS[(round.n % operations) as usize];
        // Each half of the rounds has both engines.
        let engine = engine(round.n / operations + round.n);
        cells.push(cell(operation, None, engine));
        cells.extend(CONDITIONS.map(|condition| cell(operation, Some(condition), engine)));
    }
    if let Ok(only) = std::env::var("TSUNAGI_TORTURE_CELL") {
        cells.retain(|cell| cell.to_string().contains(&only));
    }
    cells
}
