//! `tsunagi check`: is everything set up so that messages can flow, and if not, what is to be done.
//!
//! Start with [`run`]. Each part of the set-up is looked at in a file of its own, and tells what it finds to the
//! [`Board`], which prints it at once. Nothing is changed, and no secret is shown. What is to be found: of the
//! configuration (`config/`, which also `serve` asks), `database.rs` and `disk.rs`, files (`media.rs`), the clocks and ways to both
//! clouds (`reach.rs`), `wechat.rs`, `im.rs`, and the way back from the clouds to us (`webhooks.rs`).

mod board;
mod database;
mod disk;
mod im;
mod media;
mod reach;
mod transport;
mod webhooks;
mod wechat;

use crate::cli::{Failure, clock, entropy};
use crate::config::{self, Config, ConfigError};
use board::{Board, Group};
use desk::{Clock, Entropy};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `check` may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// What every part needs.
struct Surroundings {
    config: Config,
    clock: Clock,
    entropy: Entropy,
    /// Follows no redirect, as the gateway's own.
    http: reqwest::Client,
}

/// Looks at everything; 0 if there is no fault.
pub(crate) async fn run(args: CheckArgs) -> Result<ExitCode, Failure> {
    let board = Board::new(args.json);
    match config::load(&args.config, std::env::vars_os()) {
        Ok(config) => look(config, &board).await?,
        Err(error) => misconfigured(&error, &board),
    }
    Ok(if board.conclude() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn misconfigured(error: &ConfigError, board: &Board) {
    let section = board.section(Group::Configuration, "");
    for problem in &error.0 {
        section.fault("configuration", problem.to_string(), &problem.hint);
    }
}

async fn look(config: Config, board: &Board) -> Result<(), Failure> {
    let http = ::wechat::http()
        .build()
        .map_err(|error| Failure::new(error, "check the certificates of this machine"))?;
    let around = Surroundings { config, clock: clock(), entropy: entropy(), http };
    configuration(&around.config, board);
    let clouds = async {
        let ways = reach::clouds(&around, board).await;
        let accounts =
            around.config.accounts.iter().map(|account| wechat::account(&around, account, &ways, board));
        tokio::join!(futures_util::future::join_all(accounts), im::app(&around, &ways, board));
    };
    // The database says whether a gateway runs, without which nobody can answer a webhook.
    let ours = async {
        let served = database::look(&around.config, board).await;
        webhooks::look(&around, served, board).await;
    };
    tokio::join!(clouds, ours, media::look(&around, board));
    Ok(())
}

fn configuration(config: &Config, board: &Board) {
    let section = board.section(Group::Configuration, "");
    let agents: std::collections::BTreeSet<&String> =
        config.accounts.iter().flat_map(|account| &account.agents).collect();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    section.ok(
        "configuration",
        format!("complete: {}, {}", count(config.accounts.len(), "account"), count(agents.len(), "agent")),
    );
    if config.im.callback_token.is_none() {
        section.warn(
            "callback_unsigned",
            "im.callback_token is empty: webhooks of IM are accepted from anybody who reaches the listener",
            "set the authentication token in the IM console, and the same in im.callback_token",
        );
    }
    for account in config.accounts.iter().filter(|account| account.encoding_aes_key.is_none()) {
        board.section(Group::Configuration, &account.id).warn(
            "plaintext",
            "there is no encoding_aes_key: pushes come as plain text, and their content is not signed",
            "choose secure mode (安全模式) in the account's console, and set its EncodingAESKey here",
        );
    }
}
