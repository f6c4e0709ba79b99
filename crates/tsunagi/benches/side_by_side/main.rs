//! The gateway beside what people use instead, in one run: `make bench`, which installs the others first, or
//! `scripts/bench STEP… [--rounds N] [--seconds N] [--record]`.
//!
//! Start at [`steps`]. `subjects` starts who is measured, `load` sends what `traffic` has prepared and looks at every answer,
//! `stand_in` is both clouds, and `record` keeps the figures (docs/benchmarks/results.json) and draws docs/BENCHMARKS.md
//! from them.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a run takes long and tells how far it is")]

#[path = "../../tests/it/kills/dice.rs"]
mod dice;
mod load;
mod parse;
mod record;
mod servers;
mod stand_in;
mod steps;
mod subjects;
mod traffic;

use record::Record;
use std::time::Duration;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Turns of each side.
    pub(crate) rounds: usize,
    /// Of one turn.
    pub(crate) turn: Duration,
    /// With so many connections only.
    pub(crate) connections: Option<usize>,
    /// These sides only, by their names in the code and with commas between.
    pub(crate) only: Option<&'static str>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match words.first().map(String::as_str) {
        Some("ceiling") => return runtime.block_on(servers::ceiling()),
        Some("proxy") => return runtime.block_on(servers::proxy()),
        _ => {}
    }
    let mut size = Size { rounds: 5, turn: Duration::from_secs(3), connections: None, only: None };
    let (mut steps, mut is_kept) = (Vec::new(), false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--only" {
            size.only = words.next().map(|names| &*names.to_lowercase().leak());
            continue;
        }
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_else(|| usage());
        match word.as_str() {
            "--rounds" => size.rounds = number().max(1) as usize,
            "--seconds" => size.turn = Duration::from_secs(number().max(1)),
            "--connections" => size.connections = Some(number() as usize),
            "--record" => is_kept = true,
            step if steps::ALL.iter().any(|(name, _)| *name == step) => steps.push(word),
            _ => usage(),
        }
    }
    let mut record = Record::open();
    assert!(!is_kept || (size.connections, size.only) == (None, None), "what is recorded is the whole");
    for (name, _) in
        steps::ALL.iter().filter(|(name, _)| steps.is_empty() || steps.iter().any(|step| step == name))
    {
        eprintln!("== {name}");
        let rows = runtime.block_on(steps::run(name, size));
        record.keep(name, size, rows);
        if is_kept {
            record.save();
        }
    }
    eprintln!("{}", record.table());
}

fn usage() -> ! {
    eprintln!("usage: scripts/bench [STEP…] [--rounds N] [--seconds N] [--record]\n");
    eprintln!(
        "To look closer, of accept and relay: [--connections N] [--only sqlite,postgres,node,python,ceiling]\n"
    );
    for (name, about) in steps::ALL {
        eprintln!("  {name:<10} {about}");
    }
    std::process::exit(2)
}
