//! `tsunagi restored`: the operator says that the database came from a backup.

use crate::beside;
use crate::cli::{Failure, clock, entropy};
use crate::config;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct RestoredArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs it.
pub(crate) async fn run(args: RestoredArgs) -> Result<ExitCode, Failure> {
    let config = config::load(&args.config, std::env::vars_os())?;
    let (clock, entropy) = (clock(), entropy());
    let store = beside::open(&config, false, &clock, &entropy).await?;
    let done = store.mark_restored(clock.now()).await;
    store.close().await;
    done.map_err(|error| Failure::new(error, "`tsunagi check` says more about the database"))?;
    say();
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what was done goes to stdout")]
fn say() {
    println!(
        "The database counts as restored from a backup. What waits in it, and what agents said before now, is not sent on \
         our own: agents are told in their chats, and `tsunagi jobs list --state unsure` and `--state failed` name it."
    );
}
