//! `tsunagi jobs`: what waits, what could not be read, what failed or is unsure, and what to do about it.
//!
//! All three work beside running gateways, which take up by themselves what is put on a lane here. Customers are named
//! by their alias, and no words are shown, unless `--show-customers` asks for both.

mod list;

use crate::beside;
use crate::cli::{self, Failure, clock, entropy};
use crate::config::{self, Config};
use crate::serve::wiring;
use bridge::{Bridge, OperatorError, Retried};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum JobsCommand {
    /// Show what waits, on a lane or for its customer, what could not be read, and with --state what failed or is unsure.
    List(list::ListArgs),
    /// Have another try at what waits, failed, is unsure or could not be read.
    Retry(RetryArgs),
    /// Give up what waits or could not be read; it ends as failed, and its agent is told.
    Drop(DropArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RetryArgs {
    /// Ids that `jobs list` shows.
    #[arg(value_name = "ID", required_unless_present = "unreadable")]
    ids: Vec<String>,
    /// All pushes that could not be read, in the order in which they came.
    #[arg(long, conflicts_with = "ids")]
    unreadable: bool,
    /// With --unreadable: only this account's.
    #[arg(long, value_name = "ID", requires = "unreadable")]
    account: Option<String>,
    /// Also what may have arrived already: the customer may get it twice.
    #[arg(long)]
    unsure: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DropArgs {
    /// Ids that `jobs list` shows.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs one of them.
pub(crate) async fn run(command: JobsCommand) -> Result<ExitCode, Failure> {
    match command {
        JobsCommand::List(args) => list::run(args).await,
        JobsCommand::Retry(args) => retry(args).await,
        JobsCommand::Drop(args) => drop_all(args).await,
    }
}

/// The rooms that a change needs.
struct Desk {
    config: Config,
    bridge: Bridge,
}

impl Desk {
    async fn open(path: &Path) -> Result<Desk, Failure> {
        let config = config::load(path, std::env::vars_os())?;
        let (clock, entropy) = (clock(), entropy());
        let store = beside::open(&config, false, &clock, &entropy).await?;
        let bridge = wiring::bridge(&config, store, clock, entropy).await?;
        Ok(Desk { config, bridge })
    }

    fn credentials(&self, account: &str) -> Option<wechat::Credentials> {
        let found = self.config.accounts.iter().find(|known| known.id == account)?;
        found.credentials().ok()
    }

    async fn close(self, failed: bool) -> ExitCode {
        self.bridge.store().close().await;
        if failed { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}

async fn retry(args: RetryArgs) -> Result<ExitCode, Failure> {
    let desk = Desk::open(&args.config).await?;
    if args.unreadable {
        return retry_unreadable(desk, &args.account.unwrap_or_default()).await;
    }
    let mut failed = false;
    for id in &args.ids {
        if args.unsure {
            warn(&format!("{id}: parts that are unsure are sent again, and may arrive twice"));
        }
        match desk.bridge.retry(id, |account| desk.credentials(account), args.unsure).await {
            Ok(retried) => say(&format!("{id}: {}", words(retried))),
            Err(error) => {
                failed = true;
                complain(id, &error);
            }
        }
    }
    Ok(desk.close(failed).await)
}

fn words(retried: Retried) -> String {
    match retried {
        Retried::Read => "read, and put on its lane".to_owned(),
        Retried::Repeat => "read; a copy of it had come, so there is nothing to do".to_owned(),
        Retried::Queued(1) => "put on its lane again".to_owned(),
        Retried::Queued(parts) => format!("{parts} parts put on their lane again"),
        Retried::Hurried => "tried again at once".to_owned(),
    }
}

/// One after another, the oldest first, so that a customer's messages keep their order.
async fn retry_unreadable(desk: Desk, account: &str) -> Result<ExitCode, Failure> {
    const PAGE: i64 = 100;
    let store = desk.bridge.store().clone();
    let failure = |error: store::Error| Failure::new(error, "`tsunagi check` says more about the database");
    let (mut read, mut repeats, mut left) = (0u64, 0u64, 0u64);
    let mut last_trouble = None;
    let mut after = (i64::MIN, String::new());
    loop {
        let page = store.unreadable(account, (after.0, &after.1), PAGE).await.map_err(failure)?;
        let Some(newest) = page.last() else { break };
        after = (newest.received_at, newest.id.clone());
        for row in page {
            let Some(keys) = desk.credentials(&row.account) else {
                left += 1;
                last_trouble = Some(OperatorError::NoAccount(row.account));
                continue;
            };
            match desk.bridge.replay(&row.id, &keys).await {
                Ok(Retried::Repeat) => repeats += 1,
                Ok(_) => read += 1,
                // Somebody else was quicker.
                Err(OperatorError::NotFound) => {}
                Err(OperatorError::Store(error)) => return Err(failure(error)),
                Err(error) => {
                    left += 1;
                    last_trouble = Some(error);
                }
            }
        }
    }
    say(&format!("{read} read and put on their lanes, {repeats} were copies, {left} still cannot be read"));
    if let Some(error) = &last_trouble {
        complain("the last of them", error);
    }
    Ok(desk.close(left > 0).await)
}

async fn drop_all(args: DropArgs) -> Result<ExitCode, Failure> {
    let desk = Desk::open(&args.config).await?;
    let mut failed = false;
    for id in &args.ids {
        match desk.bridge.give_up(id).await {
            Ok(()) => say(&format!("{id}: dropped")),
            Err(error) => {
                failed = true;
                complain(id, &error);
            }
        }
    }
    Ok(desk.close(failed).await)
}

fn hint(error: &OperatorError) -> &'static str {
    match error {
        OperatorError::Store(_) => "`tsunagi check` says more about the database",
        OperatorError::NotFound => {
            "`tsunagi jobs list` shows the ids; with --state failed, unsure or all, those too"
        }
        OperatorError::Parked => "ask the customer to write, or have the answer dropped; its agent was told",
        OperatorError::AtWork => "try again in a moment",
        OperatorError::Ended => "`tsunagi jobs list --state failed` shows how; `jobs retry` tries it again",
        OperatorError::NoAccount(_) => "write the account into the configuration again, or drop it",
        OperatorError::StillUnreadable(_) => {
            "set encoding_aes_key (and app_id) to what WeChat's console had when it came; an older key goes to \
             previous_encoding_aes_key"
        }
        OperatorError::Unsure => "ask the customer first; then --unsure sends it again",
        OperatorError::Never(_) => "the agent has to write it anew, as text",
    }
}

/// What is done stays done, whether or not it can be said.
fn say(words: &str) {
    drop(cli::say(words));
}

#[expect(clippy::print_stderr, reason = "what went wrong goes to stderr")]
fn complain(id: &str, error: &OperatorError) {
    eprintln!("error: {id}: {error}\nhint: {}", hint(error));
}

#[expect(clippy::print_stderr, reason = "what may go wrong goes to stderr")]
fn warn(words: &str) {
    eprintln!("warning: {words}");
}
