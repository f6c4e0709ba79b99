//! Logs: one line an event, to stderr, as JSON or text.
//!
//! What is logged are our own ids, names of accounts and codes of the clouds; never secrets, tokens, UserSigs,
//! openids or texts (F66).

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Begins to log. Has no effect when something else in the process already does.
pub(crate) fn start(log: &Log) {
    // The configuration's check has parsed it once already.
    let mut filter: EnvFilter = log.level.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    if let (false, Ok(quiet)) = (log.level.contains("opentelemetry"), "opentelemetry-otlp=error".parse()) {
        // It warns of each batch that a collector does not take; `traces` says it once.
        filter = filter.add_directive(quiet);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
}
