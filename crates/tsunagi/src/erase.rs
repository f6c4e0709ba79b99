//! `tsunagi erase`: removes a customer everywhere, and says what stays.
//!
//! Works beside a running gateway, which notices that the customer's lanes are gone. May be repeated.

use crate::beside;
use crate::cli::{Failure, clock, entropy};
use crate::config;
use crate::serve::wiring;
use bridge::{AtIm, Bridge, EraseError, Erased};
use secrecy::ExposeSecret;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use store::{Compacted, Traces};

#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    /// The customer's openid under this account.
    #[arg(value_name = "OPENID", allow_hyphen_values = true)]
    openid: String,
    /// The account's id in the configuration.
    #[arg(long, value_name = "ID")]
    account: String,
    /// Do not ask first.
    #[arg(long)]
    yes: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs it.
pub(crate) async fn run(args: EraseArgs) -> Result<ExitCode, Failure> {
    let config = config::load(&args.config, std::env::vars_os())?;
    let served = store::inspect(config.store.url.expose_secret()).await.is_ok_and(|found| found.served);
    let (clock, entropy) = (clock(), entropy());
    let store = beside::open(&config, false, &clock, &entropy).await?;
    let bridge = wiring::bridge(&config, store, clock, entropy).await?;
    let done = erase(&bridge, &args, served).await;
    bridge.store().close().await;
    done
}

async fn erase(bridge: &Bridge, args: &EraseArgs, served: bool) -> Result<ExitCode, Failure> {
    let (account, openid) = (args.account.as_str(), args.openid.as_str());
    if bridge.account(account).is_none() {
        return Err(failure(&EraseError::NoAccount(account.to_owned())));
    }
    let traces = bridge.traces_of(account, openid).await.map_err(|error| failure(&error))?;
    let alias = desk::ghost::nickname(account, openid);
    if traces.is_empty() {
        if traces.erased {
            say(&format!("{alias} was erased before; nothing of this customer is here"));
            return Ok(ExitCode::SUCCESS);
        }
        return Err(Failure::new(
            "nothing of such a customer is here",
            "compare the openid and the account; `jobs list --show-customers` shows openids",
        ));
    }
    if !args.yes && !confirmed(&alias, &traces)? {
        return Err(Failure::new("nothing was removed", "answer y, or give --yes"));
    }
    let erased = bridge.erase(account, openid).await.map_err(|error| failure(&error))?;
    if served {
        bridge.erase_echoes(&erased).await.map_err(|error| failure(&error))?;
    }
    let compacted = bridge.store().compact(served).await;
    report(&alias, &erased, compacted.as_ref().ok().copied(), served);
    match compacted {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(
            format!("the rows are gone, but the file's free pages could not be cleared: {error}"),
            "run the command again, or `VACUUM` while the gateway is stopped",
        )),
    }
}

#[expect(clippy::print_stderr, reason = "a question is no output")]
fn confirmed(alias: &str, traces: &Traces) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("this removes a customer for good", "give --yes where nobody can be asked"));
    }
    eprint!(
        "{alias}: {} messages, {} webhooks and {} IM accounts are removed for good. Go on? [y/N] ",
        traces.messages,
        traces.inbox.len(),
        traces.ghosts.len()
    );
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn report(alias: &str, erased: &Erased, compacted: Option<Compacted>, served: bool) {
    say(&format!("{alias} was erased."));
    let rows: Vec<String> = erased
        .rows
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(table, count)| format!("{count} {table}"))
        .collect();
    if !rows.is_empty() {
        say(&format!("Removed rows: {}.", rows.join(", ")));
    }
    match erased.im {
        AtIm::Nothing => say("IM had no account for this customer."),
        AtIm::Deleted(messages) => {
            say(&format!("IM: {messages} messages were recalled, and the customer's accounts deleted."));
        }
        AtIm::Kept(messages) => say(&format!(
            "IM: {messages} messages were recalled. The customer's accounts stay, without messages: deletion is not enabled in \
             the IM console. Enable it and run this again, or delete them there."
        )),
    }
    say("What stays, and is not in the gateway's hands:");
    let mut stays = vec![
        "backups of the database and of the media, until they are deleted",
        "what WeChat keeps, and what agents' clients keep on their devices",
        "logs of proxies in front of the gateway (its own hold neither openids nor words)",
        "a digest that keeps the IM UserID from being used again; it tells nothing of the customer",
    ];
    if erased.unreadable > 0 {
        stays.push(
            "pushes that could not be read: whose they are is not known (`tsunagi jobs list`, `jobs drop`)",
        );
    }
    match compacted {
        Some(Compacted::ByTheServer) => {
            stays.push(
                "what PostgreSQL has not cleaned up yet (VACUUM) and its write-ahead log; a dump has nothing",
            );
        }
        Some(Compacted::Overwritten) => {
            stays.push("perhaps old copies in free parts of the database file: `VACUUM` it while the gateway is stopped");
        }
        Some(Compacted::Whole) | None => {}
    }
    if served {
        stays.push("a follower who writes again, or is imported again, is a new customer");
    }
    for what in stays {
        say(&format!("- {what}"));
    }
}

fn failure(error: &EraseError) -> Failure {
    let hint = match error {
        EraseError::Store(_) => "`tsunagi check` says more about the database",
        EraseError::NoAccount(_) => "name an account of the configuration with --account",
        EraseError::Im(_) => "`tsunagi check` tries IM; then run this again",
        EraseError::Media => "`tsunagi check` tries the media store; then run this again",
        EraseError::Busy => "run this again when the customer is quiet",
    };
    Failure::new(error, hint)
}

#[expect(clippy::print_stdout, reason = "what was done goes to stdout")]
fn say(words: &str) {
    println!("{words}");
}
