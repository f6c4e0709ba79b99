//! Where spans go: OTLP over HTTP to one collector, or nowhere.
//!
//! What spans there are and what is in them is `bridge::trace`'s affair. They are sent in batches from a thread of
//! their own, so that a collector that is slow or gone holds up no message: what it does not take is dropped and
//! counted, and said once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};

use crate::config::Trace;

/// For one batch to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// For what is left when the process ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// A batch is sent after so long, or when it is full.
const DELAY: Duration = Duration::from_secs(1);
/// Spans that wait; beyond it new ones are dropped.
const QUEUE: usize = 8_192;

/// The end of the traces, once at the end of the process.
pub(crate) struct Traces(Option<SdkTracerProvider>);

/// Begins to send spans, if the configuration says where to.
///
/// # Errors
/// The endpoint cannot be used.
pub(crate) fn start(trace: &Trace) -> Result<Traces, String> {
    let Some(endpoint) = &trace.endpoint else { return Ok(Traces(None)) };
    let mut endpoint = endpoint.clone();
    if endpoint.path() == "/" {
        // As OpenTelemetry's own variables have it: without a path it is the collector's root.
        endpoint.set_path("/v1/traces");
    }
    // Made on a thread of its own: the blocking client does not start inside of a runtime.
    let client = std::thread::spawn(|| {
        reqwest::blocking::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(EXPORT_TIMEOUT)
            .build()
    });
    let client = client.join().map_err(|_| "the client for traces panicked".to_owned())?;
    let client = client.map_err(|error| error.to_string())?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint.as_str())
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| error.to_string())?;
    let batches =
        BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(DELAY).build();
    let exporter = Counted { exporter, failing: AtomicBool::new(false) };
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let resource = Resource::builder_empty()
        .with_service_name("tsunagi")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        // A message whose webhook is traced is traced to its end.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(trace.sample))))
        .with_resource(resource)
        .build();
    global::set_tracer_provider(provider.clone());
    bridge::trace::begin();
    Ok(Traces(Some(provider)))
}

impl Traces {
    /// Sends what is left, for a moment.
    pub(crate) async fn stop(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        if !matches!(ended.await, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent to the trace collector");
        }
    }
}

/// Counts what the collector took, and says once that it does not, and once that it does again.
#[derive(Debug)]
struct Counted {
    exporter: opentelemetry_otlp::SpanExporter,
    failing: AtomicBool,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let sent = self.exporter.export(batch).await;
        let outcome = if sent.is_ok() { "ok" } else { "failed" };
        metrics::counter!("tsunagi_trace_spans_total", "outcome" => outcome).increment(spans);
        match (&sent, self.failing.swap(sent.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(%error, "the trace collector takes no spans; they are dropped until it does");
            }
            (Ok(()), true) => tracing::info!("the trace collector takes spans again"),
            _ => {}
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
