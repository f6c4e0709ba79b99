//! Webhooks made durable per second at 64 concurrent waiters: `Store::ingest` (many requests, one commit)
//! beside `Store::ingest_alone` (one commit per request), on SQLite and, where `TSUNAGI_TEST_POSTGRES` names
//! a server, on PostgreSQL.
//!
//! `cargo bench -p store --bench ingest [seconds per turn] [rounds]`. The two take turns inside one run, each
//! on a database that grows with the run; on a shared machine only the ratio of one run means anything.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the table is its result")]

use desk::{Clock, Entropy, Millis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Arrival, Effect, Options, Source, Store, Work};

const WAITERS: usize = 64;
const CUSTOMERS: usize = 5_000;
const BODY: usize = 400;
const NOW: Millis = 1_795_000_000_000;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let turn = Duration::from_secs(numbers.next().unwrap_or(3).max(1));
    let rounds = numbers.next().unwrap_or(7).max(1) as usize;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{WAITERS} waiters, {rounds} rounds of {} s each way, {BODY}-byte bodies", turn.as_secs());
        println!("load average before: {}", load());
        on_sqlite(turn, rounds).await;
        match std::env::var("TSUNAGI_TEST_POSTGRES") {
            Ok(server) => on_postgres(&server, turn, rounds).await,
            Err(_) => println!("SKIPPED: PostgreSQL (TSUNAGI_TEST_POSTGRES is not set)"),
        }
    });
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into()).trim().to_owned()
}

async fn on_sqlite(turn: Duration, rounds: usize) {
    // Not in a folder that may be in memory: a sync there costs nothing.
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    compare("SQLite, synchronous=FULL", &open(&url).await, turn, rounds).await;
}

async fn on_postgres(server: &str, turn: Duration, rounds: usize) {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};
    let mut admin = PgConnection::connect(server).await.unwrap();
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut admin).await.unwrap();
    if fsync != "on" {
        println!("the server has fsync={fsync}: nothing here is durable, the figures mean nothing");
    }
    let name = format!("tsunagi_bench_{}", std::process::id());
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let store = open(&format!("{base}/{name}")).await;
    compare(&format!("PostgreSQL, fsync={fsync}"), &store, turn, rounds).await;
    store.close().await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
}

async fn open(url: &str) -> Store {
    let options = Options { connections: 16, ..Options::default() };
    Store::open(url, options, &Clock::new(|| NOW), &entropy(0)).await.unwrap()
}

async fn compare(engine: &str, store: &Store, turn: Duration, rounds: usize) {
    let arrivals = Arc::new(Arrivals::new());
    let (mut grouped, mut alone) = (Vec::new(), Vec::new());
    measure(store, &arrivals, true, Duration::from_millis(500)).await;
    measure(store, &arrivals, false, Duration::from_millis(500)).await;
    for _ in 0..rounds {
        grouped.push(measure(store, &arrivals, true, turn).await);
        alone.push(measure(store, &arrivals, false, turn).await);
    }
    println!("\n{engine}");
    println!("  {:<22} {:>9} {:>19} {:>9} {:>9}", "", "rows/s", "range", "p50 ms", "p99 ms");
    let grouped_rate = line("group commit", &mut grouped);
    let alone_rate = line("commit per request", &mut alone);
    println!("  ratio of the medians: {:.1}   (load average {})", grouped_rate / alone_rate, load());
}

/// What one turn gave.
struct Turn {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

fn line(name: &str, turns: &mut [Turn]) -> f64 {
    turns.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let median = &turns[turns.len() / 2];
    let range = format!("{:.0}–{:.0}", turns[0].rate, turns[turns.len() - 1].rate);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("  {name:<22} {:>9.0} {range:>19} {:>9.1} {:>9.1}", median.rate, ms(median.p50), ms(median.p99));
    median.rate
}

async fn measure(store: &Store, arrivals: &Arc<Arrivals>, grouped: bool, turn: Duration) -> Turn {
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let waiters: Vec<_> = (0..WAITERS)
        .map(|waiter| {
            let (store, arrivals, stop) = (store.clone(), arrivals.clone(), stop.clone());
            tokio::spawn(async move {
                let entropy = entropy(begun.elapsed().as_nanos() as u64 ^ ((waiter as u64) << 56));
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let arrival = arrivals.next(&entropy);
                    let asked = Instant::now();
                    let stored = match grouped {
                        true => store.ingest(arrival).await,
                        false => store.ingest_alone(arrival).await,
                    };
                    assert!(stored.unwrap().is_new());
                    times.push(asked.elapsed());
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(turn).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for waiter in waiters {
        times.extend(waiter.await.unwrap());
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    Turn { rate, p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

/// Webhooks as a shop gets them: few customers write much, many write little; one in ten is an event that
/// is only kept.
struct Arrivals {
    /// Running sums of Zipf's weights.
    weights: Vec<f64>,
    count: AtomicU64,
    begun: Instant,
}

impl Arrivals {
    fn new() -> Arrivals {
        let mut sum = 0.0;
        let weights = (1..=CUSTOMERS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Arrivals { weights, count: AtomicU64::new(24_000_000_000_000_000), begun: Instant::now() }
    }

    fn next(&self, entropy: &Entropy) -> Arrival {
        let now = NOW + self.begun.elapsed().as_millis() as Millis;
        let clock = Clock::new(move || now);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let sum = self.weights[CUSTOMERS - 1];
        let point = f64::from(entropy.u32()) / f64::from(u32::MAX) * sum;
        let rank = self.weights.partition_point(|weight| *weight < point).min(CUSTOMERS - 1);
        let openid = format!("oBench_customer_{rank:012}");
        let event = entropy.u32().is_multiple_of(10);
        let dedup_key = match event {
            true => format!("e:{:012}:{number:032x}", now / 1000),
            false => format!("m:{number:020}:shop:{openid}"),
        };
        let conversation = store::ConversationId::new(&clock, entropy);
        let effect = Effect::Write { conversation, waiting: Some("お繋ぎしています".into()) };
        Arrival {
            id: store::InboxId::new(&clock, entropy),
            source: Source::Wechat,
            account: "shop".into(),
            dedup_key,
            kind: "push",
            received_at: now,
            query: None,
            body: "新商品の販売".bytes().cycle().take(BODY).collect(),
            reply: None,
            work: if event { Work::Nothing } else { Work::Customer { openid, said_at: 1, effect } },
            trace: None,
            may_wait: false,
        }
    }
}

/// Random bytes (SplitMix64) that differ from seed to seed.
fn entropy(seed: u64) -> Entropy {
    let state = AtomicU64::new(seed);
    Entropy::new(move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            let mut x = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..chunk.len()]);
        }
    })
}
