//! `tsunagi accounts import`: customers who followed before the gateway came get their chat partner in IM.
//!
//! What is imported and how it goes on after an interruption is `bridge`'s; here are progress and report.

use crate::beside;
use crate::cli::{Failure, clock, entropy, say};
use crate::config;
use crate::serve::wiring;
use bridge::{ImportError, ImportWatcher, NotImported};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::ImportState;

/// What `accounts import` may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this account; otherwise one after another.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Where each follower who could not be imported is written, one JSON object a line (appended).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Name openids in the report.
    #[arg(long)]
    show_customers: bool,
}

/// Imports; 0 if everybody could be imported.
pub(crate) async fn run(args: ImportArgs) -> Result<ExitCode, Failure> {
    let config = config::load(&args.config, std::env::vars_os())?;
    let wanted: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.id.clone())
        .filter(|id| args.account.as_ref().is_none_or(|wanted| wanted == id))
        .collect();
    if wanted.is_empty() {
        let ids: Vec<&str> = config.accounts.iter().map(|account| account.id.as_str()).collect();
        return Err(Failure::new(
            "there is no such account in the configuration",
            &format!("known: {}", ids.join(", ")),
        ));
    }
    let report = args.report.as_deref().map(open_report).transpose()?;
    let (clock, entropy) = (clock(), entropy());
    let store = beside::open(&config, true, &clock, &entropy).await?;
    let bridge = wiring::bridge(&config, store.clone(), clock, entropy).await?;
    let stop = until_interrupted();
    let mut watcher = Watcher::new(report, args.show_customers);
    let mut all = true;
    for id in &wanted {
        let Some(account) = bridge.account(id).cloned() else { continue };
        watcher.begin(id);
        let ended = bridge.import_followers(&account, &mut watcher, stop.clone()).await;
        let complete = ended.as_ref().is_ok_and(|complete| *complete);
        watcher.end(complete);
        all &= complete && watcher.state.failed == 0;
        ended.map_err(|error| failure(&error))?;
        if !complete {
            store.close().await;
            return Err(Failure::new("interrupted", "the same command goes on from here"));
        }
    }
    store.close().await;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn open_report(path: &Path) -> Result<File, Failure> {
    let file = File::options().create(true).append(true).open(path);
    file.map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()), "name a file that can be written")
    })
}

/// True from the first Ctrl-C (or SIGTERM) on: the round that is under way ends. The second one ends the process.
fn until_interrupted() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    tokio::spawn(async move {
        crate::serve::told_to_stop().await;
        told.store(true, Ordering::Relaxed);
        crate::serve::told_to_stop().await;
        std::process::exit(1);
    });
    stop
}

fn failure(error: &ImportError) -> Failure {
    let hint = match error {
        ImportError::Im(code) if code.code == 70398 => {
            "the edition of the IM app allows no more accounts (trial: 100): upgrade it in the Tencent Cloud console, \
             then run the same command again; it goes on from here"
        }
        ImportError::Followers(wechat::CallError::Refused(errcode)) if errcode.code == 48001 => {
            "only certified accounts (认证) may list their followers; the others get their chat with their first message"
        }
        ImportError::Followers(wechat::CallError::Refused(errcode)) if errcode.code == 45009 => {
            "today's calls are used up; run the same command again tomorrow, it goes on from here"
        }
        ImportError::Store(_) => {
            "`tsunagi check` says more about the database; the same command goes on from here"
        }
        _ => "`tsunagi check` says what to do; the same command then goes on from here",
    };
    Failure::new(error, hint)
}

/// Shows progress on stderr: one line that changes on a terminal, a line every few seconds elsewhere.
struct Watcher {
    account: String,
    state: ImportState,
    report: Option<File>,
    show_customers: bool,
    terminal: bool,
    begun: Instant,
    /// Followers that an earlier run had seen.
    before: Option<i64>,
    shown: Option<Instant>,
}

const SHOW_EVERY: Duration = Duration::from_secs(5);

impl Watcher {
    fn new(report: Option<File>, show_customers: bool) -> Watcher {
        Watcher {
            account: String::new(),
            state: ImportState::default(),
            report,
            show_customers,
            terminal: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            before: None,
            shown: None,
        }
    }

    fn begin(&mut self, account: &str) {
        self.account = account.to_owned();
        self.state = ImportState::default();
        (self.begun, self.before, self.shown) = (Instant::now(), None, None);
    }

    fn seen(&self) -> i64 {
        self.state.imported + self.state.present + self.state.failed
    }

    /// Followers a second in this run.
    fn rate(&self) -> f64 {
        (self.seen() - self.before.unwrap_or_default()) as f64 / self.begun.elapsed().as_secs_f64().max(0.001)
    }

    fn line(&self) -> String {
        let (seen, all) = (self.seen(), self.state.followers.max(self.seen()));
        let rate = self.rate();
        let left = if rate > 0.0 { ((all - seen) as f64 / rate).ceil() } else { 0.0 };
        let bar = 20 * usize::try_from(seen).unwrap_or(0) / usize::try_from(all.max(1)).unwrap_or(1);
        format!(
            "{}: [{:<20}] {seen} of {all} followers, {rate:.0} a second, {left:.0} s left, {} failed",
            self.account,
            "#".repeat(bar.min(20)),
            self.state.failed
        )
    }

    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    fn end(&self, complete: bool) {
        if self.terminal {
            eprintln!();
        }
        // What is imported stays so, whether or not it can be said.
        drop(say(&format!(
            "{}: {} {} of {} followers: {} imported, {} there before, {} failed, in {:.1} s ({:.0} a second)",
            self.account,
            if complete { "saw" } else { "stopped after" },
            self.seen(),
            self.state.followers.max(self.seen()),
            self.state.imported,
            self.state.present,
            self.state.failed,
            self.begun.elapsed().as_secs_f64(),
            self.rate()
        )));
    }
}

impl ImportWatcher for Watcher {
    #[expect(clippy::print_stderr, reason = "progress goes to stderr")]
    fn progress(&mut self, state: &ImportState) {
        // What the first round shows minus what it did is what was there before; near enough for a rate.
        self.before.get_or_insert_with(|| (state.imported + state.present + state.failed - 1_000).max(0));
        self.state = state.clone();
        if self.terminal {
            eprint!("\r\u{1b}[K{}", self.line());
            let _ = std::io::stderr().flush();
        } else if self.shown.is_none_or(|shown| shown.elapsed() >= SHOW_EVERY) {
            eprintln!("{}", self.line());
            self.shown = Some(Instant::now());
        }
    }

    fn not_imported(&mut self, who: &NotImported) {
        let Some(report) = &mut self.report else { return };
        let mut line = serde_json::json!({
            "account": who.account,
            "customer": desk::ghost::nickname(&who.account, &who.openid),
            // The alias is short and may be shared; this is not.
            "id": fingerprint(&who.account, &who.openid),
            "code": who.code,
            "reason": im::describe(who.code),
        });
        if self.show_customers {
            line["openid"] = who.openid.clone().into();
        }
        let _ = writeln!(report, "{line}");
    }
}

/// A name for a customer that says nothing about them.
fn fingerprint(account: &str, openid: &str) -> String {
    let digest = Sha256::digest(format!("{account}\n{openid}"));
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
