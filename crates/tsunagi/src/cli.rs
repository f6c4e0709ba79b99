//! The command line. Errors go to stderr with a hint; exit codes are 0, 1 (failed) and 2 (usage).

use crate::config::{self, Config, ConfigError};
use crate::{logging, serve};
use clap::{Args, Parser, Subcommand};
use desk::{Clock, Entropy};
use secrecy::ExposeSecret;
use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A gateway between WeChat Official Accounts and Tencent Cloud IM.
#[derive(Debug, Parser)]
#[command(name = "tsunagi", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Both clouds simulated on this machine, the gateway between them, and a page to play with.
    #[cfg(feature = "demo")]
    Demo(crate::demo::DemoArgs),
    /// Run the gateway.
    Serve(ServeArgs),
    /// Look whether everything is set up, and say what to do about what is not.
    Check(crate::check::CheckArgs),
    /// About customers' accounts in IM.
    Accounts {
        #[command(subcommand)]
        command: AccountsCommand,
    },
    /// About work that waits, failed or could not be read.
    Jobs {
        #[command(subcommand)]
        command: crate::jobs::JobsCommand,
    },
    /// Remove a customer everywhere: database, media, IM. Says what stays.
    Erase(crate::erase::EraseArgs),
    /// Say that the database was restored from a backup: nothing from before is sent on our own.
    Restored(crate::restored::RestoredArgs),
    /// Make a UserSig, or look into one.
    Usersig(UsersigArgs),
    /// About the configuration file.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// For `tsunagi demo` alone: follow the clock that is kept in this file, and end when stdin does.
    #[cfg(feature = "demo")]
    #[arg(long, hide = true, value_name = "FILE")]
    demo_clock: Option<PathBuf>,
}

impl ServeArgs {
    fn clock(&self) -> Clock {
        #[cfg(feature = "demo")]
        if let Some(file) = &self.demo_clock {
            crate::demo::end_with_the_demo();
            return clock_moved_by(file.clone());
        }
        clock()
    }
}

#[derive(Debug, Args)]
struct UsersigArgs {
    /// Whose UserSig.
    #[arg(required_unless_present = "verify", conflicts_with = "verify")]
    user: Option<String>,
    /// How long it is good.
    #[arg(long, value_name = "SECONDS", default_value_t = 30 * 86_400, value_parser = clap::value_parser!(u64).range(1..=1_576_800_000))]
    expires: u64,
    /// Look into this one instead.
    #[arg(long, value_name = "SIG", allow_hyphen_values = true)]
    verify: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// Give every follower a chat partner in IM; goes on where it was interrupted.
    Import(crate::import::ImportArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the commented default file.
    Example,
    /// Print the reference of every key, in Markdown.
    Docs,
}

/// Why a command failed, for a person: each fault, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(Vec<(String, String)>);

impl Failure {
    /// One fault.
    pub(crate) fn new(error: impl ToString, hint: &str) -> Failure {
        Failure(vec![(error.to_string(), hint.to_owned())])
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure(error.0.into_iter().map(|problem| (problem.to_string(), problem.hint)).collect())
    }
}

impl From<serve::ServeError> for Failure {
    fn from(error: serve::ServeError) -> Failure {
        let hint = match &error {
            serve::ServeError::Store(_) => {
                "check store.url in the configuration, and that the database can be written"
            }
            serve::ServeError::Listen { .. } => "another program may listen there; choose another address",
            serve::ServeError::Wiring(_) => "compare with `tsunagi config example`",
        };
        Failure::new(error, hint)
    }
}

/// Runs the command that was asked for.
pub(crate) fn run() -> ExitCode {
    // A usage error ends the process with 2 here.
    let cli = Cli::parse();
    let done = match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => runtime(crate::demo::run(args)),
        Command::Serve(args) => serve_command(&args),
        Command::Check(args) => runtime(crate::check::run(args)),
        Command::Accounts { command: AccountsCommand::Import(args) } => runtime(crate::import::run(args)),
        Command::Jobs { command } => runtime(crate::jobs::run(command)),
        Command::Erase(args) => runtime(crate::erase::run(args)),
        Command::Restored(args) => runtime(crate::restored::run(args)),
        Command::Usersig(args) => usersig(args),
        Command::Config { command: ConfigCommand::Example } => say(config::EXAMPLE.trim_end()),
        Command::Config { command: ConfigCommand::Docs } => say(config::page().trim_end()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            complain(&failure);
            ExitCode::from(1)
        }
    }
}

fn serve_command(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let config = config::load(&args.config.config, std::env::vars_os())?;
    logging::start(&config.log);
    runtime(serve_until_told(config, args.clock()))
}

async fn serve_until_told(config: Config, clock: Clock) -> Result<ExitCode, Failure> {
    serve::run(&config, clock, entropy()).await?;
    Ok(ExitCode::SUCCESS)
}

fn usersig(args: UsersigArgs) -> Result<ExitCode, Failure> {
    let im = config::load_im(&args.config.config, std::env::vars_os())?;
    let now = clock().now_s();
    if let Some(sig) = &args.verify {
        return verify(&im, sig.trim(), now);
    }
    let user = args.user.unwrap_or_default();
    if !im::is_valid_user_id(&user) {
        return Err(Failure::new(
            "this is not a UserID",
            "a UserID is 1 to 32 bytes of letters, digits, _ and -",
        ));
    }
    let sig = im::sign(&im.secret_key, im.sdk_app_id, &user, now, args.expires, None);
    say(sig.expose_secret())
}

/// What a UserSig holds, if it is ours, and whether it is valid now.
fn verify(im: &config::Im, sig: &str, now: i64) -> Result<ExitCode, Failure> {
    // At the beginning of time nothing has expired yet: what an expired one holds is worth seeing, too.
    let held = im::verify(&im.secret_key, im.sdk_app_id, None, sig, i64::MIN);
    let verdict = im::verify(&im.secret_key, im.sdk_app_id, None, sig, now);
    if let Ok(claims) = held {
        let expires = claims.time.saturating_add_unsigned(claims.expire);
        say(&format!(
            "identifier: {}\nsdk_app_id: {}\nissued: {} ({})\nexpires: {} ({})\nvalid: {}",
            claims.identifier,
            claims.sdk_app_id,
            claims.time,
            from_now(claims.time.saturating_sub(now)),
            expires,
            from_now(expires.saturating_sub(now)),
            if verdict.is_ok() { "yes" } else { "no" },
        ))?;
    }
    match verdict {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(
            format!("not valid: {error} (IM answers {})", error.code()),
            "make a new one with `tsunagi usersig USER --config FILE`",
        )),
    }
}

/// A distance in time, in words: "in 29 days", "5 hours ago".
fn from_now(seconds: i64) -> String {
    let (count, unit) = match seconds.unsigned_abs() {
        span @ 172_800.. => (span / 86_400, "days"),
        span @ 7_200.. => (span / 3_600, "hours"),
        span @ 120.. => (span / 60, "minutes"),
        span => (span, "seconds"),
    };
    if seconds < 0 { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}

/// The system's clock. A test moves it by naming a file in a variable; see [`clock_moved_by`].
pub(crate) fn clock() -> Clock {
    #[cfg(feature = "faults")]
    if let Some(file) = std::env::var_os("TSUNAGI_CLOCK_AHEAD") {
        return clock_moved_by(file.into());
    }
    Clock::new(system_ms)
}

/// The system's clock, moved by as many milliseconds as the file says, if it is there. The file is read each time: a push
/// that was signed right after the clouds' clock was moved must be judged by the new time.
#[cfg(any(feature = "demo", feature = "faults"))]
pub(crate) fn clock_moved_by(file: PathBuf) -> Clock {
    Clock::new(move || {
        let ahead = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<i64>().ok());
        system_ms().saturating_add(ahead.unwrap_or(0))
    })
}

#[expect(clippy::disallowed_methods, reason = "the edge of the process reads the clock for everybody")]
fn system_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The system's randomness, fetched for many ids at a time.
#[expect(clippy::disallowed_methods, reason = "the edge of the process draws random numbers for everybody")]
#[expect(clippy::expect_used, reason = "without randomness there is nothing that may go on")]
pub(crate) fn entropy() -> Entropy {
    const FETCHED: usize = 1024;
    thread_local! {
        static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    Entropy::new(|buffer| {
        LEFT.with_borrow_mut(|left| {
            for byte in buffer {
                if left.is_empty() {
                    left.resize(FETCHED, 0);
                    getrandom::fill(left).expect("the system gives random numbers");
                }
                // What was given away is kept nowhere else.
                *byte = left.pop().unwrap_or_default();
            }
        });
    })
}

fn runtime(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    // reqwest has no TLS provider of its own here.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(
            format!("the runtime does not start: {error}"),
            "check the limits of processes and files",
        )
    })?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

/// What a command was asked for goes to stdout. Who stops reading, such as `head`, is no fault.
///
/// # Errors
/// It cannot be written, as on a full disk.
pub(crate) fn say(words: &str) -> Result<ExitCode, Failure> {
    match writeln!(std::io::stdout().lock(), "{words}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            format!("the output cannot be written: {error}"),
            "write it somewhere with room for it",
        )),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[expect(clippy::print_stderr, reason = "what went wrong goes to stderr")]
fn complain(failure: &Failure) {
    for (error, hint) in &failure.0 {
        eprintln!("error: {error}");
        if !hint.is_empty() {
            eprintln!("hint: {hint}");
        }
    }
}
