//! The traces of messages, as a collector gets them over real HTTP.

use super::on_every_engine;
use crate::support::{AGENT, Engine, OPENID, PATIENCE, Setup, World};
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A collector that keeps what it gets.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Collector {
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let kept = bodies.clone();
        let take = post(move |body: Bytes| async move { kept.lock().unwrap().push(body) });
        let router = axum::Router::new().route("/v1/traces", take);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        tokio::spawn(axum::serve(socket, router).into_future());
        Collector { url, bodies }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().concat()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        requests
            .flat_map(|request| request.resource_spans)
            .inspect(|of| {
                let names = &of.resource.as_ref().unwrap().attributes;
                assert!(names.iter().any(|name| name.key == "service.name"), "{names:?}");
            })
            .flat_map(|of| of.scope_spans)
            .flat_map(|of| of.spans)
            .collect()
    }

    /// The spans of the trace in which a job of this kind came to an end, in the order of their beginnings.
    async fn trace_of(&self, job: &str, world: &World) -> Vec<Span> {
        let begun = Instant::now();
        loop {
            let spans = self.spans();
            let done = |span: &&Span| span.name == job && !attribute(span, "tsunagi.outcome").is_empty();
            if let Some(trace) = spans.iter().find(done).map(|span| span.trace_id.clone()) {
                let mut spans: Vec<Span> = spans.into_iter().filter(|span| span.trace_id == trace).collect();
                // The queue's span begins at a whole millisecond, which may be before the request's true beginning.
                spans.sort_by_key(|span| (!span.parent_span_id.is_empty(), span.start_time_unix_nano));
                // The webhook's own span may end after those of a quick job, and come in a later batch.
                if spans[0].parent_span_id.is_empty() {
                    return spans;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no trace ends with {job}:\n{}", world.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|attribute| attribute.key == key);
    match value.and_then(|attribute| attribute.value.as_ref()).and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// Every hop in its order, each in its time, each under one that was told too.
fn told(spans: &[Span], hops: &[&str]) {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let mut rest = names.iter();
    for hop in hops {
        assert!(rest.any(|name| name == hop), "{hop} is missing, or out of its order, in {names:?}");
    }
    assert_eq!(names.iter().filter(|name| **name == hops[0]).count(), 1, "{names:?}");
    for span in spans {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{}", span.name);
        let parent = spans.iter().find(|other| other.span_id == span.parent_span_id);
        assert_eq!(parent.is_none(), span.name == hops[0], "{} has its place", span.name);
        if span.name != "webhook im" {
            assert_eq!(attribute(span, "tsunagi.account"), "shop", "{}", span.name);
        }
        let whole_way =
            Duration::from_nanos(span.end_time_unix_nano.saturating_sub(spans[0].start_time_unix_nano));
        assert!(whole_way < PATIENCE, "{}: {whole_way:?}", span.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_one_trace_from_the_webhook_to_the_outcome_in_both_directions() {
    on_every_engine(|engine| async move {
        let collector = Collector::start().await;
        let world = Setup::new(engine).env("TSUNAGI__TRACE__ENDPOINT", &collector.url).start().await;
        let ghost = world.opened(OPENID, "服の新商品は planted-text").await;
        let question = collector.trace_of("job relay", &world).await;
        let hops = [
            "webhook wechat",
            "queue",
            "job push",
            "job relay",
            "call account_import",
            "job relay",
            "call sendmsg",
        ];
        told(&question, &hops);
        let relay = question.iter().rfind(|span| span.name == "job relay").unwrap();
        assert_eq!(attribute(relay, "tsunagi.outcome"), "sent");
        let deliveries = world.database.pairs("SELECT id, state FROM delivery").await;
        assert_eq!(deliveries, [(attribute(relay, "tsunagi.delivery"), "sent".to_owned())]);
        let inbox = world.database.pairs("SELECT id, kind FROM inbox WHERE kind = 'push'").await;
        assert_eq!(attribute(&question[0], "tsunagi.inbox"), inbox[0].0);
        assert_eq!(attribute(&question[0], "tsunagi.outcome"), "new");

        world.agent_says(&ghost, "planted-answer 五月").await;
        world.customer_sees("planted-answer 五月").await;
        let answer = collector.trace_of("job answer", &world).await;
        told(&answer, &["webhook im", "queue", "job webhook", "job answer", "call custom/send"]);
        let sent = answer.iter().rfind(|span| span.name == "job answer").unwrap();
        assert_eq!(attribute(sent, "tsunagi.outcome"), "sent");
        assert_eq!(attribute(sent, "tsunagi.direction"), "out");
        assert_ne!(answer[0].trace_id, question[0].trace_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f66_spans_hold_no_secret_no_openid_and_no_text() {
    let collector = Collector::start().await;
    let mut world = Setup::new(Engine::Sqlite)
        .env("TSUNAGI__TRACE__ENDPOINT", &format!("{}/v1/traces", collector.url))
        .start()
        .await;
    let ghost = world.opened(OPENID, "planted-question").await;
    world.agent_says(&ghost, "planted-answer").await;
    world.customer_sees("planted-answer").await;
    // Refused, unclear and cut off: what the errors of the clients say goes into spans, too.
    for fault in [
        sim::Fault::once("wechat.custom_send", sim::Kind::Errcode).value(45015),
        sim::Fault::once("wechat.custom_send", sim::Kind::ResetAfter),
        sim::Fault::once("im.sendmsg", sim::Kind::ResetBefore),
    ] {
        world.fault(fault).await;
    }
    world.agent_says(&ghost, "planted-refused").await;
    world.agent_says(&ghost, "planted-unclear").await;
    world.control.unfollow(&world.app_id(), OPENID).await.unwrap();
    world.drained().await;
    assert!(world.stop().unwrap().success());
    let spans = collector.spans();
    for name in ["job answer", "job delete", "call account_delete", "call custom/send"] {
        assert!(spans.iter().any(|span| span.name == name), "what is left is sent at the end: {name}");
    }
    let bytes = collector.bytes();
    let (shop, app) = (sim::WechatAccountConfig::shop(), sim::ImConfig::shop());
    for planted in [
        OPENID,
        AGENT,
        "planted",
        "access_token",
        "usersig",
        "http://",
        shop.app_secret.as_str(),
        shop.token.as_str(),
        app.secret_key.as_str(),
    ] {
        let found = bytes.windows(planted.len()).any(|window| window == planted.as_bytes());
        assert!(!found, "{planted} is in a span");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_costs_one_warning() {
    let gone = format!("http://127.0.0.1:{}", crate::support::free_port());
    let mut world = Setup::new(Engine::Sqlite).env("TSUNAGI__TRACE__ENDPOINT", &gone).start().await;
    let ghost = world.opened(OPENID, "hello").await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let begun = Instant::now();
    world.agent_says(&ghost, "hello, too").await;
    world.customer_sees("hello, too").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let begun = Instant::now();
    assert!(world.stop().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let log = world.log();
    assert_eq!(log.matches("the trace collector takes no spans").count(), 1, "{log}");
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| {
            line.contains("opentelemetry") && (line.contains(" WARN ") || line.contains(" ERROR "))
        })
        .collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}
