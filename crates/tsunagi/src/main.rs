//! The gateway's binary: HTTP, command line, configuration, wiring, lifecycle.
//!
//! Start with `cli.rs`; `serve/` joins the rooms, `http/` takes webhooks, `config/` reads the file.

mod admin;
mod beside;
mod check;
mod cli;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod erase;
mod http;
mod import;
mod jobs;
mod logging;
mod metrics;
mod restored;
mod serve;
mod traces;

fn main() -> std::process::ExitCode {
    cli::run()
}
