//! A client that sends what is prepared over many connections, looks at every answer, and takes little of the machine for
//! itself: one thread, no library between it and the socket.

use crate::traffic::Requests;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one turn gave.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) answered: usize,
    pub(crate) seconds: f64,
    /// From the moment in which each was due, in µs, sorted.
    times: Vec<u32>,
    /// Answers that were not what they should be, and the first of them.
    pub(crate) wrong: usize,
    pub(crate) first_wrong: Option<String>,
}

impl Turn {
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    /// In milliseconds; `of` from 0 to 1.
    pub(crate) fn quantile(&self, of: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        let at = (self.times.len() as f64 * of) as usize;
        self.times.get(at.min(last)).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
    }
}

/// How the requests are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Each connection sends its next one when it has its answer.
    Closed,
    /// So many a second, whatever the answers do; times count from when a request was due.
    Open(f64),
}

/// When each request was sent, in µs after a common beginning; for whoever sees it come out on the other side.
pub(crate) struct Stamps {
    pub(crate) begun: Instant,
    pub(crate) at: Vec<AtomicU64>,
}

impl Stamps {
    pub(crate) fn new(most: usize) -> Arc<Stamps> {
        Arc::new(Stamps { begun: Instant::now(), at: (0..most).map(|_| AtomicU64::new(0)).collect() })
    }

    pub(crate) fn stamp(&self, n: usize) {
        if let Some(at) = self.at.get(n) {
            let now = self.begun.elapsed().as_micros() as u64;
            let _ = at.compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, n: usize) -> Option<u64> {
        self.at.get(n).map(|at| at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// Sends all of `requests`, or as many as `limit` allows, on a thread of its own.
pub(crate) fn send(
    to: SocketAddr,
    requests: &Arc<Requests>,
    connections: usize,
    pace: Pace,
    limit: Duration,
    answer: &'static [u8],
    stamps: Option<Arc<Stamps>>,
) -> Turn {
    let (requests, next, begun) = (requests.clone(), Arc::default(), Instant::now());
    let sender = Sender { to, requests, next, pace, begun, limit, answer, stamps };
    let sending = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(sender, connections))
    });
    sending.join().unwrap()
}

async fn run(mut sender: Sender, connections: usize) -> Turn {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(connect(sender.to).await);
    }
    // With all connections open.
    sender.begun = Instant::now();
    let tasks: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(sender.clone().run(stream))).collect();
    let mut turn = Turn { answered: 0, seconds: 0.0, times: Vec::new(), wrong: 0, first_wrong: None };
    for task in tasks {
        let done = task.await.unwrap();
        turn.answered += done.times.len();
        turn.times.extend(done.times);
        turn.wrong += done.wrong;
        turn.first_wrong = turn.first_wrong.or(done.first_wrong);
    }
    turn.seconds = sender.begun.elapsed().as_secs_f64();
    turn.times.sort_unstable();
    turn
}

async fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[derive(Clone)]
struct Sender {
    to: SocketAddr,
    requests: Arc<Requests>,
    next: Arc<AtomicUsize>,
    pace: Pace,
    begun: Instant,
    limit: Duration,
    answer: &'static [u8],
    stamps: Option<Arc<Stamps>>,
}

#[derive(Default)]
struct Done {
    times: Vec<u32>,
    wrong: usize,
    first_wrong: Option<String>,
}

impl Sender {
    async fn run(self, mut stream: TcpStream) -> Done {
        let mut done = Done::default();
        let mut buffer = Vec::with_capacity(4_096);
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if n >= self.requests.len() {
                return done;
            }
            let due = match self.pace {
                Pace::Closed => self.begun.elapsed(),
                Pace::Open(rate) => Duration::from_secs_f64(n as f64 / rate),
            };
            if due > self.limit {
                return done;
            }
            if let Some(early) = due.checked_sub(self.begun.elapsed()).filter(|early| !early.is_zero()) {
                tokio::time::sleep(early).await;
            }
            if let Some(stamps) = &self.stamps {
                stamps.stamp(n);
            }
            match ask(&mut stream, self.requests.get(n), &mut buffer).await {
                Ok(Answer { status: 200, body }) if &buffer[body.clone()] == self.answer => {
                    let took = self.begun.elapsed().saturating_sub(due).as_micros();
                    done.times.push(u32::try_from(took).unwrap_or(u32::MAX));
                }
                Ok(_) => {
                    done.wrong += 1;
                    done.first_wrong.get_or_insert_with(|| String::from_utf8_lossy(&buffer).into_owned());
                }
                Err(error) => {
                    done.wrong += 1;
                    done.first_wrong.get_or_insert_with(|| error.to_string());
                    stream = connect(self.to).await;
                }
            }
        }
    }
}

struct Answer {
    status: u16,
    body: std::ops::Range<usize>,
}

async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<Answer> {
    stream.write_all(request).await?;
    buffer.clear();
    let body = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::Error::other(format!("closed after {:?}", String::from_utf8_lossy(buffer))));
        }
        if let Some(body) = message(buffer) {
            break body;
        }
    };
    let status = std::str::from_utf8(&buffer[9..12]).ok().and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body })
}

/// Where the body of a whole message lies, by its Content-Length; `None` while there is more to come.
pub(crate) fn message(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut length = 0;
    for line in bytes[..head].split(|byte| *byte == b'\n') {
        const NAME: &[u8] = b"content-length:";
        if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
            length = std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok()?;
        }
    }
    let begin = head + 4;
    (bytes.len() >= begin + length).then_some(begin..begin + length)
}
