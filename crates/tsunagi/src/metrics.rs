//! Every metric there is: its name, its labels, and what it says to an operator.
//!
//! Metrics are recorded where things happen, under the names listed here. The list gives Prometheus the help texts and
//! `docs/OPERATIONS.md` its table; tests hold both against what a running gateway shows, and the dashboard and the
//! alert rules against the list.

use metrics::Unit;

/// How a metric is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// With spaces between them.
    pub(crate) labels: &'static str,
    pub(crate) help: &'static str,
}

const fn counter(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

/// In the order of a message's way, then the machine.
pub(crate) const METRICS: &[Metric] = &[
    counter(
        "tsunagi_webhooks_total",
        "cloud status",
        "Requests to the webhook endpoints, by the HTTP status they got.",
    ),
    histogram("tsunagi_webhook_seconds", "cloud", "From the beginning of a webhook's request to its answer."),
    counter(
        "tsunagi_webhooks_refused_total",
        "cloud why",
        "Requests refused for their signature, address or query; nothing of them is stored.",
    ),
    counter(
        "tsunagi_inbox_total",
        "cloud account outcome",
        "Verified webhooks: new, repeat (of one that is stored), failed (answered 503). IM's have no account yet.",
    ),
    counter(
        "tsunagi_unreadable_total",
        "account",
        "Webhooks with a good signature that could not be read; they wait for `jobs retry`.",
    ),
    counter(
        "tsunagi_ingest_refused_total",
        "",
        "Webhooks answered 503 because the queue in front of the inbox was full.",
    ),
    gauge(
        "tsunagi_spooled",
        "",
        "Webhooks that came in a crowd: stored, answered, and not sorted into conversations yet.",
    ),
    counter(
        "tsunagi_spool_aside_total",
        "",
        "Of these, those that the database refused when they were sorted; they stay in the table spool.",
    ),
    histogram("tsunagi_ingest_batch_size", "", "Webhooks in one commit."),
    histogram("tsunagi_store_group_size", "", "Writers in one commit of SQLite's group commit."),
    counter(
        "tsunagi_webhooks_dropped_total",
        "why",
        "Webhooks of IM that are no agent's answer: echo, typing, not_sent, not_an_agent, repeat (known from the history).",
    ),
    counter(
        "tsunagi_webhook_gaps_total",
        "",
        "Webhooks of IM that could not be stored; what agents said is looked for in the history.",
    ),
    counter(
        "tsunagi_reconcile_rounds_total",
        "outcome",
        "Rounds over IM's history: whole, unreadable (IM does not answer), failed (the database).",
    ),
    gauge("tsunagi_reconcile_round_seconds", "", "How long the last whole round over IM's history took."),
    counter(
        "tsunagi_reconciled_total",
        "account outcome",
        "Agents' messages found in IM's history whose webhooks did not come: answer (they go out), too_late.",
    ),
    counter(
        "tsunagi_reconcile_skipped_total",
        "account",
        "Answers after a gap that went out although IM's history could not be read first.",
    ),
    gauge(
        "tsunagi_backlog_lanes",
        "account direction",
        "Conversations with something to do (at most 10000 are counted).",
    ),
    gauge("tsunagi_backlog_jobs", "account direction", "Jobs on these lanes."),
    gauge(
        "tsunagi_backlog_age_seconds",
        "account direction",
        "How long the oldest of these has been waiting since its webhook.",
    ),
    gauge(
        "tsunagi_parked",
        "account",
        "Answers that wait for their customer's next message (at most 10000 rows are counted).",
    ),
    gauge(
        "tsunagi_passive",
        "account",
        "1 for an account whose answers only go out as replies: configured so, or found out by 48001.",
    ),
    histogram(
        "tsunagi_hop_seconds",
        "hop account",
        "One hop of a message: accept (request to answer), queue (answer to the first run of its job), call (to a cloud).",
    ),
    histogram(
        "tsunagi_message_seconds",
        "account direction",
        "The whole way of a delivery, from its webhook to a final state.",
    ),
    counter(
        "tsunagi_deliveries_total",
        "account direction state reason",
        "Deliveries that came to a final state: sent, failed (with its reason), unsure.",
    ),
    histogram(
        "tsunagi_call_seconds",
        "account api outcome",
        "Calls to the clouds: ok, refused, not_sent (provably), unclear.",
    ),
    histogram(
        "tsunagi_rate_wait_seconds",
        "api",
        "How long a call to IM waited for its place under `im.rate`.",
    ),
    counter(
        "tsunagi_rate_draws_total",
        "api",
        "Slices of `im.rate` that this node drew from the bucket in the database (PostgreSQL only).",
    ),
    gauge(
        "tsunagi_breaker_open",
        "upstream account operation",
        "1 while a cloud does not answer these calls, so that they rest and one tries now and then.",
    ),
    counter("tsunagi_handovers_total", "account", "Conversations that went from one agent to another."),
    counter("tsunagi_token_fetches_total", "account outcome", "Access tokens fetched from WeChat."),
    gauge(
        "tsunagi_token_expires_seconds",
        "account",
        "How long the stored access token is still good; negative when it is over.",
    ),
    gauge(
        "tsunagi_windows_open",
        "account",
        "Customers who may be written to now: a reply window is open and something is left of it (at most 100000 are counted).",
    ),
    counter(
        "tsunagi_refused_before_total",
        "account reason",
        "Agents' messages that were refused before they were sent (C2C.CallbackBeforeSendMsg), because no reply can go out.",
    ),
    counter("tsunagi_alarms_total", "what", "Faults of the set-up that somebody has to mend."),
    counter(
        "tsunagi_job_errors_total",
        "",
        "Jobs that could not be carried on (the database, mostly); they are tried again.",
    ),
    counter("tsunagi_job_panics_total", "", "Jobs that hit a fault of the gateway; they are tried again."),
    counter("tsunagi_request_panics_total", "", "Requests that hit a fault of the gateway."),
    counter(
        "tsunagi_import_slowed_total",
        "account",
        "Times that an import of followers waited because IM asked it to.",
    ),
    counter(
        "tsunagi_erased_total",
        "account",
        "Customers who were erased, by command or because they asked for it.",
    ),
    counter(
        "tsunagi_media_total",
        "account, what, outcome",
        "Files: fetch (ok, late, lost), upload to WeChat (ok, failed), convert (smaller, link: what WeChat did not take).",
    ),
    counter("tsunagi_media_bytes_total", "account, what", "Bytes of files that were fetched and uploaded."),
    counter("tsunagi_media_requests_total", "status", "Requests for files by their links, by HTTP status."),
    counter(
        "tsunagi_media_store_errors_total",
        "",
        "Times that the media store did not answer, or had not what it should have.",
    ),
    counter("tsunagi_purged_total", "kind", "Rows removed because their retention is over."),
    counter("tsunagi_trace_spans_total", "outcome", "Spans that the trace collector took, or did not."),
    gauge(
        "tsunagi_clock_offset_seconds",
        "cloud",
        "This machine's clock minus the signed time of the last webhook; its way is part of it.",
    ),
    gauge("tsunagi_ready", "", "1 while /readyz says yes."),
    gauge("tsunagi_connections", "", "Connections that are open, on both listeners."),
    gauge("tsunagi_store_bytes", "", "Size of the SQLite file."),
    gauge("tsunagi_store_wal_bytes", "", "Size of SQLite's write-ahead log."),
    gauge("tsunagi_process_memory_bytes", "", "Resident memory of the process."),
    gauge("tsunagi_process_open_fds", "", "Open file descriptors of the process."),
    gauge("tsunagi_process_max_fds", "", "File descriptors that the process may open."),
    gauge("tsunagi_build_info", "version", "Always 1; the version is its label."),
];

/// Every `what` of `tsunagi_alarms_total`.
const ALARMS: [&str; 11] = [
    "account_limit",
    "account_paused",
    "agent_missing",
    "certification",
    "deletion_failed",
    "deletion_not_enabled",
    "erasure_failed",
    "other_platform",
    "passive_account",
    "store_restored",
    "token_contested",
];

/// Gives every metric its help text, and those without labels, or with the ones that rules ask for, their first zero:
/// a rule over a counter that is not there yet would miss its first step.
pub(crate) fn begin() {
    for metric in METRICS {
        let unit = if metric.name.ends_with("_seconds") {
            Unit::Seconds
        } else if metric.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.help),
        }
        if metric.kind == Kind::Counter && metric.labels.is_empty() {
            metrics::counter!(metric.name).increment(0);
        }
    }
    for cloud in ["wechat", "im"] {
        for why in ["signature", "stale", "query", "address", "other"] {
            metrics::counter!("tsunagi_webhooks_refused_total", "cloud" => cloud, "why" => why).increment(0);
        }
    }
    for what in ALARMS {
        metrics::counter!("tsunagi_alarms_total", "what" => what).increment(0);
    }
    for why in ["echo", "typing", "not_sent", "not_an_agent", "repeat"] {
        metrics::counter!("tsunagi_webhooks_dropped_total", "why" => why).increment(0);
    }
    for kind in store::Old::ALL {
        metrics::counter!("tsunagi_purged_total", "kind" => kind.as_str()).increment(0);
    }
    for outcome in ["ok", "failed"] {
        metrics::counter!("tsunagi_trace_spans_total", "outcome" => outcome).increment(0);
    }
}

/// Gives the counters of one account that rules ask for their first zero.
pub(crate) fn begin_account(account: &str) {
    let account = || account.to_owned();
    metrics::counter!("tsunagi_unreadable_total", "account" => account()).increment(0);
    metrics::counter!("tsunagi_import_slowed_total", "account" => account()).increment(0);
    for outcome in ["ok", "failed"] {
        metrics::counter!("tsunagi_token_fetches_total", "account" => account(), "outcome" => outcome)
            .increment(0);
    }
    for outcome in ["answer", "too_late"] {
        metrics::counter!("tsunagi_reconciled_total", "account" => account(), "outcome" => outcome)
            .increment(0);
    }
    for direction in ["in", "out"] {
        for state in ["sent", "unsure"] {
            metrics::counter!("tsunagi_deliveries_total", "account" => account(), "direction" => direction,
                "state" => state, "reason" => "")
            .increment(0);
        }
    }
}

/// The table of every metric, in Markdown.
#[cfg(test)]
fn table() -> String {
    let mut table = "| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in METRICS {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let labels = metric.labels.replace(' ', ", ");
        table.push_str(&format!("| `{}` | {kind} | {labels} | {} |\n", metric.name, metric.help));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn doc(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
    }

    /// Holds a file against what the code says; writes it where the environment asks for that.
    fn holds(path: &Path, made: &str) {
        if std::env::var_os("TSUNAGI_WRITE_DOCS").is_some() {
            std::fs::write(path, made).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == made,
            "{} is not what the code says; run `TSUNAGI_WRITE_DOCS=1 cargo test -p tsunagi docs_are`",
            path.display()
        );
    }

    #[test]
    fn docs_are_made_from_the_keys() {
        holds(&doc("CONFIG.md"), &crate::config::page());
    }

    #[test]
    fn docs_are_made_from_the_metrics() {
        const MARKS: [&str; 2] = ["<!-- metrics: made from the code -->\n", "<!-- end of metrics -->"];
        let path = doc("OPERATIONS.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(MARKS[0]).unwrap();
        let (_, after) = rest.split_once(MARKS[1]).unwrap();
        holds(&path, &format!("{before}{}{}{}{after}", MARKS[0], table(), MARKS[1]));
    }

    /// Every quoted word after `before` in the sources of this and the other rooms.
    fn quoted_after(before: &str) -> Vec<String> {
        let mut folders: Vec<PathBuf> = ["bridge", "store", "tsunagi"]
            .map(|room| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(room).join("src"))
            .to_vec();
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("tests.rs") {
                    let source = std::fs::read_to_string(&path).unwrap();
                    let words = source.split(before).skip(1).filter_map(|rest| rest.split('"').next());
                    found.extend(words.map(str::to_owned));
                }
            }
        }
        assert!(found.len() > 5, "{before} is found in the sources");
        found
    }

    #[test]
    fn what_is_recorded_anywhere_is_in_the_list() {
        for name in quoted_after("!(\"").into_iter().filter(|name| name.starts_with("tsunagi_")) {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{name} is not in METRICS");
        }
        for what in quoted_after("\"tsunagi_alarms_total\", \"what\" => \"") {
            assert!(ALARMS.contains(&what.as_str()), "{what} is not in ALARMS");
            let page = std::fs::read_to_string(doc("OPERATIONS.md")).unwrap();
            assert!(page.contains(&format!("`{what}`")), "{what} has no remedy in docs/OPERATIONS.md");
        }
    }

    #[test]
    fn every_alert_has_its_remedy_in_the_docs() {
        let rules = include_str!("../../../ops/alerts.yml");
        let page = std::fs::read_to_string(doc("OPERATIONS.md")).unwrap();
        let mut alerts = 0;
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            assert!(page.contains(&format!("`{alert}`")), "{alert} is not in docs/OPERATIONS.md");
            alerts += 1;
        }
        assert!(alerts > 10);
    }

    #[test]
    fn every_key_is_in_the_reference() {
        let page = crate::config::page();
        for key in
            ["retention_messages", "callback_ips", "previous_token", "ingest_timeout", "sample", "welcome"]
        {
            assert_eq!(page.matches(&format!("| `{key}` |")).count(), 1, "{key}");
        }
    }
}
