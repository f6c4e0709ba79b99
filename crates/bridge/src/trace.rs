//! Spans of a message on its way, and how they find each other.
//!
//! A webhook begins a trace; its [`stored`] form lies beside the job, so that whoever runs the job, also another
//! process after a crash, goes on with the same trace. Spans are made by hand rather than from log lines: what is in
//! them is exactly what is written here, and that is names of accounts, our own ids, codes and times, never an
//! openid, a text or a URL (F66). Without an exporter (`[trace] endpoint = ""`) nothing is recorded or stored.

use crate::worker::Step;
use desk::Millis;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer,
};
use opentelemetry::{Context, KeyValue, global};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use store::{Error, Job, Lane};

/// Whether spans go anywhere. What is recorded nowhere is not even made: that costs every webhook a dozen texts.
static ON: AtomicBool = AtomicBool::new(false);

/// Spans go to the global tracer from now on.
pub fn begin() {
    ON.store(true, Ordering::Relaxed);
}

/// The name of this instrumentation in every span.
const SCOPE: &str = "tsunagi";

/// When the webhook came that caused the job at hand.
#[derive(Clone, Copy)]
struct Since(Millis);

/// Begins the trace of a webhook whose request began `ago`; make the answer inside the context that this gives
/// (`FutureExt::with_context`).
pub fn webhook(cloud: &'static str, account: &str, ago: Duration) -> Context {
    if !ON.load(Ordering::Relaxed) {
        return Context::new();
    }
    let span = SpanBuilder::from_name(format!("webhook {cloud}"))
        .with_kind(SpanKind::Server)
        .with_start_time(before(ago))
        .with_attributes([text("hop", "accept"), text("cloud", cloud), text("account", account)]);
    let context = Context::new();
    let span = global::tracer(SCOPE).build_with_context(span, &context);
    context.with_span(span)
}

/// Ends the span of a webhook: which row of the inbox it became, and what became of it.
pub fn webhook_ended(context: &Context, inbox: &str, outcome: &'static str) {
    if !context.has_active_span() {
        return;
    }
    let span = context.span();
    span.set_attributes([text("inbox", inbox), text("outcome", outcome)]);
    if outcome == "failed" {
        span.set_status(Status::error("not stored"));
    }
    span.end();
}

/// The current span as a W3C `traceparent`, if it is recorded.
pub(crate) fn stored() -> Option<String> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_sampled().then(|| format!("00-{}-{}-01", span.trace_id(), span.span_id()))
}

/// The context that [`stored`] wrote; `None` where nothing was recorded.
fn parse(stored: &str) -> Option<SpanContext> {
    let mut parts = stored.split('-');
    let (Some("00"), Some(trace), Some(span), Some("01"), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// The span of one run of one job.
pub(crate) struct Hop(Context);

impl Hop {
    /// Begins it. What a job waited for before its first run is a span, and a metric, of its own.
    pub(crate) fn begin(lane: &Lane, job: &Job, now: Millis) -> Hop {
        let context = Context::new().with_value(Since(job.since));
        let waited = Duration::from_millis((now - job.since).max(0) as u64);
        let first = job.tries == 0 && matches!(job.kind.as_str(), "push" | "webhook");
        if first {
            self::hop("queue", &lane.account).record(waited);
        }
        let Some(parent) = job.trace.as_deref().and_then(parse) else { return Hop(context) };
        let context = context.with_remote_span_context(parent);
        let of = [text("account", &lane.account), text("direction", lane.direction.as_str())];
        if first {
            let queue = SpanBuilder::from_name("queue")
                .with_start_time(before(waited))
                .with_attributes(of.clone().into_iter().chain([text("hop", "queue")]));
            drop(global::tracer(SCOPE).build_with_context(queue, &context));
        }
        let mut attributes = of.to_vec();
        attributes.extend([text("hop", &job.kind), KeyValue::new("tsunagi.tries", job.tries)]);
        match job.kind.as_str() {
            "push" | "webhook" => attributes.push(text("inbox", &job.subject)),
            "relay" | "answer" => attributes.push(text("message", &job.subject)),
            // The subject of the others may hold an openid.
            _ => {}
        }
        let span = SpanBuilder::from_name(format!("job {}", job.kind))
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes);
        let span = global::tracer(SCOPE).build_with_context(span, &context);
        Hop(context.with_span(span))
    }

    /// What the job runs in.
    pub(crate) fn context(&self) -> Context {
        self.0.clone()
    }

    /// Ends it.
    pub(crate) fn end(self, done: &Result<Step, Error>) {
        let span = self.0.span();
        // An error of the database may quote a row, so only its kind goes out.
        match done {
            Ok(_) => {}
            Err(Error::LeaseLost) => span.set_status(Status::error("lease lost")),
            Err(_) => span.set_status(Status::error("not carried on")),
        }
        span.end();
    }
}

/// A call to one of the clouds that has just ended, as a span of the job at hand and as a hop in the metrics.
pub(crate) fn call(account: &str, api: &'static str, outcome: &'static str, detail: &str, took: Duration) {
    hop("call", account).record(took);
    let context = Context::current();
    if !context.span().span_context().is_sampled() {
        return;
    }
    let span = SpanBuilder::from_name(format!("call {api}"))
        .with_kind(SpanKind::Client)
        .with_start_time(before(took))
        .with_attributes([
            text("hop", "call"),
            text("account", account),
            text("api", api),
            text("outcome", outcome),
            text("detail", detail),
        ]);
    let span = context.with_span(global::tracer(SCOPE).build_with_context(span, &context));
    if outcome != "ok" {
        span.span().set_status(Status::error(outcome));
    }
    span.span().end();
}

/// Where a delivery stands after the job at hand.
pub(crate) fn outcome(delivery: &str, state: &str, reason: &str, detail: &str) {
    let context = Context::current();
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    span.set_attributes([text("delivery", delivery), text("outcome", state), text("detail", detail)]);
    if !reason.is_empty() {
        span.set_attribute(text("reason", reason));
        span.set_status(Status::error(reason.to_owned()));
    }
}

/// When the webhook came that caused the job at hand.
pub(crate) fn since() -> Option<Millis> {
    Context::current().get::<Since>().map(|since| since.0)
}

/// One hop of a message's way, by account: `accept` (from the request to its answer), `queue` (from there to the
/// first run of its job), `call` (to one of the clouds).
pub fn hop(hop: &'static str, account: &str) -> metrics::Histogram {
    metrics::histogram!("tsunagi_hop_seconds", "hop" => hop, "account" => account.to_owned())
}

fn text(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(format!("tsunagi.{name}"), value.to_owned())
}

/// Spans are told in real time, whatever clock the rules follow.
#[expect(clippy::disallowed_methods, reason = "the collector compares with other services' real time")]
fn before(ago: Duration) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(ago).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = parse(good).unwrap();
        assert_eq!(read.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(read.span_id().to_string(), "b7ad6b7169203331");
        assert!(read.is_remote() && read.is_sampled());
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-x-y-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
