//! `tsunagi jobs list`.

use crate::beside;
use crate::cli::{Failure, clock, entropy, say};
use crate::config;
use desk::ghost::nickname;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use store::{Counts, Ended, ParkedMessage, Store, Unreadable, Waiting};

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only what stands there; otherwise what waits and what could not be read.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only this account's.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// At most so many of each.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Name openids, and show the words.
    #[arg(long)]
    show_customers: bool,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    /// On a lane.
    Waiting,
    /// Until the customer writes.
    Parked,
    /// In the inbox, and no key opens it.
    Unreadable,
    /// Ended as failed.
    Failed,
    /// Ended as unsure.
    Unsure,
    /// All five.
    All,
}

/// One line.
#[derive(Debug, Default, Serialize)]
struct Entry {
    id: String,
    /// The message or the webhook that it is about, as logs name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    state: String,
    account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    direction: String,
    kind: String,
    /// Whether somebody works on its lane, or others on the lane go first.
    #[serde(skip_serializing_if = "str::is_empty")]
    place: &'static str,
    tries: i64,
    /// Seconds since it came; for what has ended, since it ended.
    age_s: i64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the other side said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// The customer's alias.
    customer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

pub(super) async fn run(args: ListArgs) -> Result<ExitCode, Failure> {
    let config = config::load(&args.config, std::env::vars_os())?;
    let (clock, entropy) = (clock(), entropy());
    let store = beside::open(&config, false, &clock, &entropy).await?;
    let found = find(&store, &args, clock.now()).await;
    store.close().await;
    let (entries, counts) =
        found.map_err(|error| Failure::new(error, "`tsunagi check` says more about the database"))?;
    let mut lines = Vec::new();
    if args.json {
        lines.extend(entries.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default()));
    } else {
        lines.extend(table(&entries));
        lines.extend(summary(&counts));
    }
    if lines.is_empty() { Ok(ExitCode::SUCCESS) } else { say(&lines.join("\n")) }
}

async fn find(store: &Store, args: &ListArgs, now: i64) -> Result<(Vec<Entry>, Counts), store::Error> {
    let account = args.account.as_deref().unwrap_or_default();
    let wanted = |state| match args.state {
        None => matches!(state, State::Waiting | State::Parked | State::Unreadable),
        Some(asked) => asked == state || asked == State::All,
    };
    let mut entries = Vec::new();
    if wanted(State::Waiting) {
        let waiting = store.waiting(account, args.limit).await?;
        entries.extend(waiting.into_iter().map(|job| waits(job, now)));
    }
    if wanted(State::Parked) {
        let parked = store.all_parked(account, args.limit).await?;
        entries.extend(parked.into_iter().map(|message| kept(message, now)));
    }
    if wanted(State::Unreadable) {
        let unreadable = store.unreadable(account, (i64::MIN, ""), args.limit).await?;
        entries.extend(unreadable.into_iter().map(|push| unread(push, now)));
    }
    for (state, word) in [(State::Failed, "failed"), (State::Unsure, "unsure")] {
        if wanted(state) {
            let ended = store.ended(account, word, args.limit).await?;
            entries.extend(ended.into_iter().map(|message| over(message, now)));
        }
    }
    if !args.show_customers {
        for entry in &mut entries {
            (entry.openid, entry.words) = (None, None);
        }
    }
    Ok((entries, store.counts(account).await?))
}

fn waits(job: Waiting, now: i64) -> Entry {
    // The subject of those two is a UserID, which may be an openid.
    let subject = if matches!(job.kind.as_str(), "import" | "delete") { None } else { Some(job.subject) };
    Entry {
        id: bridge::job_id(&job.lane, job.position),
        subject,
        state: "waiting".to_owned(),
        customer: nickname(&job.account, &job.openid),
        account: job.account,
        direction: job.direction.as_str().to_owned(),
        kind: job.kind,
        place: match (job.behind, job.held) {
            (true, _) => "behind",
            (false, true) => "at work",
            (false, false) => "",
        },
        tries: job.tries,
        age_s: (now - job.since).max(0) / 1000,
        reason: None,
        last: job.last,
        openid: Some(job.openid),
        words: job.words,
    }
}

fn kept(message: ParkedMessage, now: i64) -> Entry {
    Entry {
        id: message.message,
        state: "parked".to_owned(),
        customer: nickname(&message.account, &message.openid),
        account: message.account,
        direction: "out".to_owned(),
        kind: "answer".to_owned(),
        age_s: (now - message.parked_at).max(0) / 1000,
        openid: Some(message.openid),
        words: Some(message.words),
        ..Entry::default()
    }
}

fn unread(push: Unreadable, now: i64) -> Entry {
    Entry {
        id: push.id,
        state: "unreadable".to_owned(),
        account: push.account,
        direction: "in".to_owned(),
        kind: "push".to_owned(),
        age_s: (now - push.received_at).max(0) / 1000,
        ..Entry::default()
    }
}

fn over(message: Ended, now: i64) -> Entry {
    Entry {
        id: message.message,
        subject: None,
        state: message.state,
        customer: nickname(&message.account, &message.openid),
        account: message.account,
        direction: message.direction,
        kind: message.kind,
        place: "",
        tries: message.tries,
        age_s: (now - message.at).max(0) / 1000,
        reason: message.reason,
        last: message.last,
        openid: Some(message.openid),
        words: Some(message.words),
    }
}

/// Columns with their heads, and an empty line after them.
fn table(entries: &[Entry]) -> Vec<String> {
    if entries.is_empty() {
        return Vec::new();
    }
    let mut head = vec!["ID", "STATE", "ACCOUNT", "DIRECTION", "KIND", "TRIES", "AGE", "CUSTOMER", "LAST"];
    if entries.iter().any(|entry| entry.openid.is_some()) {
        head.extend(["OPENID", "WORDS"]);
    }
    let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    let mut rows = vec![head.clone()];
    rows.extend(entries.iter().map(|entry| {
        let state = if entry.place.is_empty() {
            entry.state.clone()
        } else {
            format!("{}, {}", entry.state, entry.place)
        };
        let last: Vec<&str> = entry.reason.iter().chain(&entry.last).map(String::as_str).collect();
        let mut row = vec![
            entry.id.clone(),
            state,
            entry.account.clone(),
            entry.direction.clone(),
            entry.kind.clone(),
            entry.tries.to_string(),
            age(entry.age_s),
            entry.customer.clone(),
            last.join(", "),
        ];
        row.extend(entry.openid.clone());
        row.extend(entry.words.as_ref().map(|words| words.replace(['\n', '\r', '\u{1b}'], " ")));
        row
    }));
    let widths: Vec<usize> = (0..head.len())
        .map(|at| {
            rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: Vec<String>| {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let width = widths.get(at).copied().unwrap_or(0);
            format!("{cell:<width$}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.into_iter().map(line).chain([String::new()]).collect()
}

fn summary(counts: &Counts) -> Vec<String> {
    let Counts { waiting, parked, unreadable, failed, unsure } = counts;
    let mut lines = vec![format!(
        "{waiting} waiting, {parked} parked, {unreadable} unreadable; parts of messages: {failed} failed, {unsure} unsure"
    )];
    if *unreadable > 0 {
        lines.push("unreadable: correct encoding_aes_key, then `tsunagi jobs retry --unreadable`".to_owned());
    }
    if *failed + *unsure > 0 {
        lines.push(
            "failed, unsure: `tsunagi jobs list --state all` names them, `tsunagi jobs retry ID` tries one again"
                .to_owned(),
        );
    }
    lines
}

/// `59s`, `3m`, `2h`, `5d`.
fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
