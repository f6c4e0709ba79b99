//! The wire: every HTTP exchange at the clouds' sockets, as it happens, for whoever wants to watch.
//!
//! The journal says what the clouds did; the wire keeps what was really sent and answered, with the time it took. It is
//! bounded: the newest [`KEPT`] hops, and of their bodies [`KEPT_BYTES`]. `tap.rs` fills it; what is told outside has
//! its secrets masked (`mask.rs`).

mod mask;
mod tap;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use mask::Secrets;
pub(crate) use tap::{Begun, about, client_calls, im_api, judge, wechat_api};

use crate::clock::Clock;

/// Hops that are kept.
const KEPT: usize = 2_000;
/// Bytes of bodies that are kept, over all hops.
const KEPT_BYTES: usize = 16 << 20;
/// The longest part of a body that is kept.
pub(crate) const BODY: usize = 16 << 10;

/// Who stands at an end of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Party {
    /// The customer's WeChat.
    Customer,
    /// WeChat's servers.
    Wechat,
    Gateway,
    Im,
    /// The agent's IM client.
    Agent,
}

/// What became of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Under way.
    Open,
    /// Answered, and well.
    Done,
    /// Answered with an error code, or with a status that is none of success.
    Refused,
    /// Nobody knows: no answer, or none that can be read.
    Lost,
    /// Something that happened to a party, no exchange.
    Mark,
}

/// One side of an exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    /// Method and path with query, or the status.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// How long the body was before it was cut.
    pub(crate) size: u64,
    /// What an encrypted body says inside.
    pub(crate) inside: Option<Bytes>,
}

#[derive(Debug)]
struct Hop {
    id: u64,
    /// Rises with each change of any hop.
    change: u64,
    at_ms: i64,
    started: Instant,
    from: Party,
    to: Party,
    name: String,
    outcome: Outcome,
    took_ms: u64,
    status: Option<u16>,
    code: Option<i64>,
    /// The beginning of what is said.
    note: String,
    /// A word on why it was refused or lost.
    why: &'static str,
    /// The openid or the ghost that it is about.
    who: String,
    msg_key: String,
    request: Side,
    answer: Side,
}

/// What is known when a hop begins.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) name: String,
    pub(crate) who: String,
    pub(crate) msg_key: String,
    pub(crate) note: String,
    pub(crate) request: Side,
}

/// What is known when it has ended.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<i64>,
    /// Why it was refused or lost, where the answer does not say so.
    pub(crate) why: &'static str,
    pub(crate) answer: Side,
}

pub(crate) struct Wire {
    clock: Clock,
    shelf: Mutex<Shelf>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Shelf {
    next: u64,
    change: u64,
    bytes: usize,
    hops: VecDeque<Hop>,
}

impl Hop {
    fn bytes(&self) -> usize {
        let side = |side: &Side| side.body.len() + side.inside.as_ref().map_or(0, Bytes::len);
        side(&self.request) + side(&self.answer)
    }

    fn told(&self) -> Value {
        json!({"id": self.id, "change": self.change, "at_ms": self.at_ms, "from": self.from, "to": self.to,
               "name": self.name, "outcome": self.outcome, "took_ms": self.took_ms, "status": self.status,
               "code": self.code, "note": self.note, "why": self.why, "who": self.who, "msg_key": self.msg_key})
    }
}

impl Shelf {
    fn push(&mut self, hop: Hop) {
        self.bytes += hop.bytes();
        self.hops.push_back(hop);
        while self.hops.len() > KEPT || (self.bytes > KEPT_BYTES && self.hops.len() > 1) {
            let gone = self.hops.pop_front().map_or(0, |hop| hop.bytes());
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }

    fn find(&mut self, id: u64) -> Option<&mut Hop> {
        let first = self.hops.front()?.id;
        let at = usize::try_from(id.checked_sub(first)?).ok()?;
        self.hops.get_mut(at)
    }
}

impl Wire {
    pub(crate) fn new(clock: Clock) -> Wire {
        Wire { clock, shelf: Mutex::default(), last: watch::Sender::new(0) }
    }

    /// A hop begins; its number.
    pub(crate) fn begin(&self, start: Start) -> u64 {
        self.add(start, Outcome::Open)
    }

    /// Something that happened to a party.
    pub(crate) fn mark(&self, party: Party, name: &str, note: &str) {
        let start = Start {
            from: party,
            to: party,
            name: name.into(),
            who: String::new(),
            msg_key: String::new(),
            note: note.into(),
            request: Side::default(),
        };
        self.add(start, Outcome::Mark);
    }

    /// What a client is shown by its cloud. How it comes there is the cloud's own affair, so there is no HTTP to see.
    pub(crate) fn shown(&self, from: Party, to: Party, name: &str, who: &str, note: &str, what: &Value) {
        let body = Bytes::from(what.to_string());
        let request = Side { size: body.len() as u64, body: cut(body), ..Side::default() };
        let start = Start {
            from,
            to,
            name: name.into(),
            who: who.into(),
            msg_key: what["msg_key"].as_str().unwrap_or_default().into(),
            note: beginning(note),
            request,
        };
        self.add(start, Outcome::Done);
    }

    fn add(&self, start: Start, outcome: Outcome) -> u64 {
        let Start { from, to, name, who, msg_key, note, request } = start;
        let at_ms = self.clock.now_ms();
        let mut shelf = self.shelf();
        shelf.next += 1;
        shelf.change += 1;
        let (id, change) = (shelf.next, shelf.change);
        shelf.push(Hop {
            id,
            change,
            at_ms,
            started: Instant::now(),
            from,
            to,
            name,
            outcome,
            took_ms: 0,
            status: None,
            code: None,
            note,
            why: "",
            who,
            msg_key,
            request,
            answer: Side::default(),
        });
        drop(shelf);
        self.last.send_replace(change);
        id
    }

    /// A hop has ended. One that has left the shelf meanwhile is not missed.
    pub(crate) fn end(&self, id: u64, outcome: Outcome, end: End) {
        let mut shelf = self.shelf();
        let change = shelf.change + 1;
        let Some(hop) = shelf.find(id) else { return };
        let before = hop.bytes();
        hop.change = change;
        hop.outcome = outcome;
        hop.took_ms = u64::try_from(hop.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        (hop.status, hop.code, hop.answer) = (end.status, end.code, end.answer);
        hop.why = end.why;
        let after = hop.bytes();
        shelf.change = change;
        shelf.bytes = (shelf.bytes + after).saturating_sub(before);
        drop(shelf);
        self.last.send_replace(change);
    }

    /// The hops that changed after number `n`, waiting up to `patience` for the first; and the newest number.
    pub(crate) async fn after(&self, n: u64, patience: Duration) -> (u64, Vec<Value>) {
        let mut last = self.last.subscribe();
        let _ = tokio::time::timeout(patience, last.wait_for(|last| *last > n)).await;
        let shelf = self.shelf();
        (shelf.change, shelf.hops.iter().filter(|hop| hop.change > n).map(Hop::told).collect())
    }

    /// All about one hop, its secrets masked.
    pub(crate) fn told(&self, id: u64, secrets: &Secrets) -> Option<Value> {
        let mut shelf = self.shelf();
        let hop = shelf.find(id)?;
        let mut told = hop.told();
        told["request"] = secrets.side(&hop.request);
        told["answer"] = secrets.side(&hop.answer);
        Some(told)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a body that is kept; a copy, so that the rest is let go.
pub(crate) fn cut(body: Bytes) -> Bytes {
    if body.len() <= BODY { body } else { Bytes::copy_from_slice(&body[..BODY]) }
}

/// The beginning of a text, for a line.
pub(crate) fn beginning(text: &str) -> String {
    let mut begun: String = text.chars().take(60).collect();
    if begun.len() < text.len() {
        begun.push('…');
    }
    begun
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(name: &str, body: &[u8]) -> Start {
        let request = Side { body: Bytes::copy_from_slice(body), ..Side::default() };
        Start {
            from: Party::Gateway,
            to: Party::Im,
            name: name.into(),
            who: String::new(),
            msg_key: String::new(),
            note: String::new(),
            request,
        }
    }

    #[tokio::test]
    async fn a_hop_is_told_when_it_begins_and_again_when_it_ends() {
        let wire = Wire::new(Clock::real());
        let id = wire.begin(start("sendmsg", b"{}"));
        let (last, hops) = wire.after(0, Duration::ZERO).await;
        assert_eq!((last, hops[0]["outcome"].as_str()), (1, Some("open")));
        wire.end(id, Outcome::Done, End { status: Some(200), ..End::default() });
        let (last, hops) = wire.after(last, Duration::ZERO).await;
        assert_eq!((last, hops[0]["outcome"].as_str(), hops.len()), (2, Some("done"), 1));
        assert!(wire.after(last, Duration::ZERO).await.1.is_empty());
        assert!(wire.told(id, &Secrets::default()).is_some() && wire.told(99, &Secrets::default()).is_none());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_in_number_and_bytes() {
        let wire = Wire::new(Clock::real());
        for _ in 0..KEPT + 10 {
            wire.begin(start("small", b""));
        }
        assert_eq!(wire.after(0, Duration::ZERO).await.1.len(), KEPT);
        wire.end(1, Outcome::Done, End::default());
        let large = vec![b'x'; BODY];
        for _ in 0..KEPT {
            wire.begin(start("large", &large));
        }
        let kept = wire.after(0, Duration::ZERO).await.1.len();
        assert!(kept <= KEPT_BYTES / BODY && kept > 0, "{kept}");
    }
}
