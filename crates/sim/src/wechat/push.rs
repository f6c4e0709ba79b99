//! The push engine: three attempts, five seconds each, five seconds apart (§4).
//!
//! Every push runs in a task of its own, so that customers do not wait for each other; no order is promised, as WeChat
//! promises none.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::document::{self, Content, Push, Request};
use super::reply::{Judge, Shown, Verdict};
use super::{FAILURE_LINE, SYSTEM_SENDER};
use crate::chance::Chance;
use crate::config::PushConfig;
use crate::faults::{Fault, Kind};
use crate::wire::{Begun, End, Outcome, Party, Side, Start, beginning, cut};
use crate::world::World;

/// How a push ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The MsgId, or the simulator's own name for an event.
    pub msg_id: String,
    /// Attempts made, repeats after the success not counted.
    pub attempts: u32,
    /// `ack`, `reply`, `handed_over`, `malformed` or `failed`; `not_pushed` while WeChat's own agents have the customer.
    pub outcome: String,
    /// The passive reply that the customer saw.
    pub reply: Option<String>,
}

/// What one attempt came to.
enum Attempt {
    Answered(u16, Verdict),
    /// The next attempt is due; the word is for the journal.
    Failed(Option<u16>, &'static str),
}

/// Runs one push to its end.
pub(crate) async fn run(world: Arc<World>, push: Push) -> Report {
    let settings = world.wechat().push.clone();
    let mut report = Report { msg_id: push.id.clone(), attempts: 0, outcome: "failed".into(), reply: None };
    let mut first: Option<Request> = None;
    hold(&settings, &world.chance).await;
    while report.attempts < settings.attempts {
        report.attempts += 1;
        let started = Instant::now();
        let fault = world.faults.take("wechat.push");
        let request = match (settings.identical, &first) {
            (true, Some(first)) => Some(first.clone()),
            _ => prepare(&world, &push),
        };
        first = first.or_else(|| request.clone());
        let attempt = attempt(&world, &push, request.as_ref(), fault.as_ref(), settings.deadline).await;
        note(&world, &push, report.attempts, "push", &attempt, fault.as_ref(), started);
        if let Attempt::Answered(_, verdict) = attempt {
            settle(&world, &push, verdict, &mut report);
            if let (Some(request), Some(fault)) = (request, fault.filter(|f| f.kind == Kind::Duplicate)) {
                repeat(&world, &push, &request, &fault, settings.deadline).await;
            }
            break;
        }
        if report.attempts < settings.attempts {
            tokio::time::sleep_until(started + settings.gap + jitter(&settings, &world.chance)).await;
        }
    }
    if report.outcome == "failed" {
        show(&world, &push, "system", "failure", &failure());
    }
    world.journal.write(
        "wechat",
        "push_end",
        json!({"app_id": push.app_id, "openid": push.openid, "msg_id": push.id, "what": push.what,
               "attempts": report.attempts, "outcome": report.outcome}),
    );
    report
}

/// A random part of the jitter.
fn jitter(settings: &PushConfig, chance: &Chance) -> Duration {
    let most = u64::try_from(settings.jitter.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(chance.u64() % most.saturating_add(1).max(1))
}

/// Before the first attempt: the jitter, and for some pushes so long a rest that later ones overtake them.
async fn hold(settings: &PushConfig, chance: &Chance) {
    let mut pause = jitter(settings, chance);
    if chance.u64() % 100 < u64::from(settings.held_percent) {
        pause += settings.held;
    }
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

fn prepare(world: &World, push: &Push) -> Option<Request> {
    let wechat = world.wechat();
    let account = wechat.accounts.get(&push.app_id)?;
    let url = account.config.webhook_url.as_deref()?;
    let now_s = world.clock.now_s();
    Some(document::request(&account.config, account.key.as_ref(), url, push, now_s, &world.chance))
}

async fn attempt(
    world: &Arc<World>,
    push: &Push,
    request: Option<&Request>,
    fault: Option<&Fault>,
    deadline: Duration,
) -> Attempt {
    let Some(request) = request else { return Attempt::Failed(None, "no webhook_url") };
    let kind = fault.map(|fault| fault.kind);
    let ends = Instant::now() + deadline;
    match kind {
        Some(kind) if kind.never_leaves() => {
            begin(world, push, request).lost("not sent");
            return Attempt::Failed(None, "connect");
        }
        Some(Kind::Hang) => {
            let begun = begin(world, push, request);
            tokio::time::sleep_until(ends).await;
            begun.lost(TOO_LATE);
            return Attempt::Failed(None, "timeout");
        }
        Some(Kind::Delay) => tokio::time::sleep(fault.map(Fault::pause).unwrap_or_default()).await,
        _ => {}
    }
    let send = send(world, push, request);
    let sent = match fault.filter(|fault| fault.kind == Kind::Overlap) {
        None => tokio::time::timeout_at(ends, send).await,
        Some(fault) => {
            let extra = (1..fault.number(2)).map(|_| self::send(world, push, request));
            let all = std::iter::once(send).chain(extra).map(Box::pin).collect::<Vec<_>>();
            tokio::time::timeout_at(ends, race(world, push, all)).await
        }
    };
    match (sent, kind) {
        (Err(_), _) => Attempt::Failed(None, "timeout"),
        (
            Ok(_),
            Some(Kind::ResetAfter | Kind::ResetInside | Kind::DelayAnswer | Kind::Drip | Kind::Truncated),
        ) => Attempt::Failed(None, "answer lost"),
        (Ok(attempt), _) => attempt,
    }
}

/// Several copies at once: all are waited for, the last good one counts, the others are noted.
async fn race<F: Future<Output = Attempt>>(
    world: &World,
    push: &Push,
    copies: Vec<std::pin::Pin<Box<F>>>,
) -> Attempt {
    let started = Instant::now();
    let mut best = Attempt::Failed(None, "connect");
    for ended in join_all(copies).await {
        note(world, push, 0, "push_copy", &ended, None, started);
        if matches!(ended, Attempt::Answered(..)) || !matches!(best, Attempt::Answered(..)) {
            best = ended;
        }
    }
    best
}

async fn join_all<F: Future<Output = Attempt>>(mut futures: Vec<std::pin::Pin<Box<F>>>) -> Vec<Attempt> {
    let mut ended: Vec<Option<Attempt>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in futures.iter_mut().zip(&mut ended) {
            if slot.is_none()
                && let std::task::Poll::Ready(attempt) = future.as_mut().poll(cx)
            {
                *slot = Some(attempt);
            }
        }
        if ended.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    ended.into_iter().flatten().collect()
}

/// What is said of a hop that the deadline ended.
const TOO_LATE: &str = "no answer in time";

/// The hop of one attempt.
fn begin(world: &Arc<World>, push: &Push, request: &Request) -> Begun {
    let path = url::Url::parse(&request.url).map_or_else(
        |_| request.url.clone(),
        |url| format!("{}?{}", url.path(), url.query().unwrap_or_default()),
    );
    let note = match &push.content {
        Content::Fields(fields) => fields.iter().find(|(name, _)| name == "Content" || name == "EventKey"),
        Content::Verbatim(_) => None,
    };
    let start = Start {
        from: Party::Wechat,
        to: Party::Gateway,
        name: format!("push {}", push.what),
        who: push.openid.clone(),
        msg_key: String::new(),
        note: note.and_then(|(_, text)| text.as_str()).map(beginning).unwrap_or_default(),
        request: Side {
            line: format!("POST {path}"),
            headers: vec![("content-type".into(), request.content_type.into())],
            size: request.body.len() as u64,
            body: cut(request.body.clone().into()),
            inside: request.inside.clone().map(|inside| cut(inside.into())),
        },
    };
    Begun::new(world, start, TOO_LATE)
}

async fn send(world: &Arc<World>, push: &Push, request: &Request) -> Attempt {
    let begun = begin(world, push, request);
    let call = world
        .http
        .post(&request.url)
        .header("content-type", request.content_type)
        .body(request.body.clone())
        .send();
    let response = match call.await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            begun.lost("connection refused");
            return Attempt::Failed(None, "connect");
        }
        Err(_) => {
            begun.lost("connection broke");
            return Attempt::Failed(None, "broken");
        }
    };
    let (line, status) = (response.status().to_string(), response.status().as_u16());
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let headers =
        content_type.map(|value| ("content-type".to_owned(), value.to_owned())).into_iter().collect();
    let Ok(body) = response.bytes().await else {
        begun.lost("connection broke");
        return Attempt::Failed(Some(status), "broken");
    };
    let answer = Side { line, headers, size: body.len() as u64, body: cut(body.clone()), inside: None };
    let mut end = End { status: Some(status), answer, ..End::default() };
    if status != 200 {
        begun.end(Outcome::Refused, end);
        return Attempt::Failed(Some(status), "status");
    }
    let wechat = world.wechat();
    let Some(account) = wechat.accounts.get(&push.app_id) else {
        return Attempt::Failed(None, "account gone");
    };
    let judge =
        Judge { config: &request.account, key: request.key.as_ref(), openid: &push.openid, to: &push.what };
    let verdict = match judge.judge(&body) {
        Verdict::Shown(Shown { file: Some((media_id, kinds)), .. })
            if !account.media.usable(&media_id, kinds, world.clock.now_ms()) =>
        {
            Verdict::Malformed("no such media id")
        }
        verdict => verdict,
    };
    drop(wechat);
    let outcome = if let Verdict::Malformed(why) = &verdict {
        end.why = why;
        Outcome::Refused
    } else {
        Outcome::Done
    };
    begun.end(outcome, end);
    Attempt::Answered(status, verdict)
}

/// What the answer does to the customer's chat.
fn settle(world: &World, push: &Push, verdict: Verdict, report: &mut Report) {
    match verdict {
        Verdict::Ack => report.outcome = "ack".into(),
        Verdict::Shown(shown) => {
            report.outcome = "reply".into();
            show(world, push, "account", "passive_reply", &shown);
            report.reply = Some(shown.text);
        }
        Verdict::HandedOver => report.outcome = "handed_over".into(),
        Verdict::Malformed(_) => {
            report.outcome = "malformed".into();
            show(world, push, "system", "failure", &failure());
        }
    }
}

fn failure() -> Shown {
    Shown { msg_type: "text".into(), text: FAILURE_LINE.into(), fields: None, file: None }
}

fn show(world: &World, push: &Push, who: &'static str, via: &'static str, shown: &Shown) {
    // Who is no customer has no chat.
    if push.openid == SYSTEM_SENDER {
        return;
    }
    let now_ms = world.clock.now_ms();
    let Shown { msg_type, text, fields, .. } = shown;
    let follows = {
        let mut wechat = world.wechat();
        let Some(account) = wechat.accounts.get_mut(&push.app_id) else { return };
        let customer = account.customer(&push.openid);
        // Somebody who has left sees nothing more.
        if customer.follows {
            let id = Some(push.id.clone());
            customer.show(now_ms, who, via, msg_type, text, id).fields = fields.clone();
            if who == "account" {
                customer.exchanged_ms = Some(now_ms);
                customer.typing_until_ms = 0;
            }
        }
        customer.follows
    };
    let fields = json!({"app_id": push.app_id, "openid": push.openid, "msg_id": push.id, "via": via,
                        "msg_type": msg_type, "text": text, "fields": fields});
    if follows {
        world.customer_sees(fields);
    } else {
        world.journal.write("wechat", "not_shown", fields);
    }
}

/// The same push again, though it had succeeded. What is answered is noted and not shown again.
async fn repeat(world: &Arc<World>, push: &Push, request: &Request, fault: &Fault, deadline: Duration) {
    let identical = world.wechat().push.identical;
    for n in 1..=fault.number(1) {
        let fresh = if identical { None } else { prepare(world, push) };
        let started = Instant::now();
        let again = fresh.as_ref().unwrap_or(request);
        let sent = tokio::time::timeout(deadline, send(world, push, again)).await;
        let ended = sent.unwrap_or(Attempt::Failed(None, "timeout"));
        note(world, push, u32::try_from(n).unwrap_or(u32::MAX), "push_repeat", &ended, None, started);
    }
}

fn note(
    world: &World,
    push: &Push,
    attempt: u32,
    kind: &str,
    ended: &Attempt,
    fault: Option<&Fault>,
    started: Instant,
) {
    let (status, outcome, detail) = match ended {
        Attempt::Answered(status, Verdict::Ack) => (Some(*status), "ack", Value::Null),
        Attempt::Answered(status, Verdict::Shown(shown)) => (Some(*status), "reply", json!(shown.text)),
        Attempt::Answered(status, Verdict::HandedOver) => (Some(*status), "handed_over", Value::Null),
        Attempt::Answered(status, Verdict::Malformed(reason)) => (Some(*status), "malformed", json!(reason)),
        Attempt::Failed(status, why) => (*status, *why, Value::Null),
    };
    world.journal.write(
        "wechat",
        kind,
        json!({"app_id": push.app_id, "openid": push.openid, "msg_id": push.id, "what": push.what,
               "attempt": attempt, "status": status, "outcome": outcome, "detail": detail,
               "fault": fault.map(|f| f.kind), "took_ms": started.elapsed().as_millis() as u64}),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_jitter_within_its_bound() {
        let most = Duration::from_millis(300);
        let settings = PushConfig { jitter: most, ..PushConfig::default() };
        let of = |seed| {
            let chance = Chance::new(seed);
            (0..50).map(|_| jitter(&settings, &chance)).collect::<Vec<_>>()
        };
        assert_eq!(of(7), of(7));
        assert!(of(7) != of(8) && of(7).iter().all(|pause| *pause <= most));
        assert_eq!(jitter(&PushConfig::default(), &Chance::new(7)), Duration::ZERO);
    }
}
