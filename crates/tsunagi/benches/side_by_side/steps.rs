//! What is measured, one function for each.

use crate::Size;
use crate::load::{Pace, Stamps, Turn, send};
use crate::stand_in::StandIn;
use crate::subjects::{Home, Running, Server, Setting, Subject, agent_says, postgres, slow_disk};
use crate::traffic::{CUSTOMERS, Mode, Requests, Traffic, openid};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The steps, in their order, and what each is about.
pub(crate) const ALL: [(&str, &str); 9] = [
    ("accept", "webhooks answered per second, without the call that follows"),
    ("slow", "the same on a disk whose syncs take 1 ms and 5 ms longer"),
    ("relay", "webhooks handed on to IM per second"),
    ("latency", "from a webhook to the call that leaves"),
    ("drain", "a backlog worked off by one, two and three nodes"),
    ("memory", "idle, at full load and with a million stored; start to ready"),
    ("parse", "verifying, decrypting and parsing one push, beside wechat-oa-sdk and wechatpy"),
    ("stored", "ingest and claim with 100,000, a million and ten million messages stored"),
    ("burst", "10,000/s for one minute, 2,000/s for ten"),
];

pub(crate) type Rows = Vec<Value>;

const SUCCESS: &[u8] = b"success";
const LONG: Duration = Duration::from_secs(600);

pub(crate) async fn run(step: &str, size: Size) -> Rows {
    match step {
        "accept" => accept(size).await,
        "slow" => slow(size).await,
        "relay" => relay(size).await,
        "latency" => latency(size).await,
        "drain" => drain(size).await,
        "memory" => memory().await,
        "parse" => crate::parse::parse(),
        "stored" => crate::parse::stored(),
        _ => burst().await,
    }
}

/// Subjects that run side by side, each with a home of its own.
struct Side {
    subject: Subject,
    running: Running,
    home: Home,
}

async fn sides(subjects: &[Subject], setting: &Setting, size: Size) -> Vec<Side> {
    let mut sides = Vec::new();
    let wanted = |subject: &Subject| {
        let name = format!("{subject:?}").to_lowercase();
        size.only.is_none_or(|only| only.split(',').any(|only| only == name))
    };
    for subject in subjects.iter().copied().filter(wanted) {
        if subject == Subject::Postgres && postgres().is_none() {
            eprintln!("SKIPPED: PostgreSQL (TSUNAGI_TEST_POSTGRES is not set)");
            continue;
        }
        let home = Home::new(subject).await;
        sides.push(Side { subject, running: Running::start(subject, setting, &home), home });
    }
    sides
}

async fn end(sides: Vec<Side>) {
    for side in sides {
        side.running.stop();
        side.home.end().await;
    }
}

fn all_right(side: &Side, turn: &Turn) {
    let name = side.subject.name();
    assert!(
        turn.wrong == 0,
        "{name}: {} wrong answers, the first: {:?}\n{}",
        turn.wrong,
        turn.first_wrong,
        side.running.words()
    );
}

/// The median, and the range, of something of all turns.
pub(crate) fn spread<T>(turns: &[T], of: impl Fn(&T) -> f64) -> Value {
    let mut all: Vec<f64> = turns.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    json!({"median": round(all[all.len() / 2]), "least": round(all[0]), "most": round(all[all.len() - 1])})
}

/// How fast the turns were.
fn speed(turns: &[Turn]) -> [(&'static str, Value); 3] {
    [
        ("per_second", spread(turns, Turn::rate)),
        ("p50_ms", spread(turns, |turn| turn.quantile(0.5))),
        ("p99_ms", spread(turns, |turn| turn.quantile(0.99))),
    ]
}

pub(crate) fn row(words: Value, figures: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut row: Map<String, Value> = words.as_object().cloned().unwrap_or_default();
    row.extend(figures.into_iter().map(|(name, value)| (name.to_owned(), value)));
    eprintln!("  {}", Value::Object(row.clone()));
    Value::Object(row)
}

async fn accept(size: Size) -> Rows {
    let clouds = StandIn::start();
    let setting = Setting { relay: false, clouds: clouds.address, env: Vec::new() };
    let subjects = [Subject::Sqlite, Subject::Postgres, Subject::Node, Subject::Python, Subject::Ceiling];
    let sides = sides(&subjects, &setting, size).await;
    let traffic = Traffic::new();
    let mut rows = Rows::new();
    let mut from = 1;
    for mode in [Mode::Plain, Mode::Secure] {
        for connections in
            [1, 32, 64, 256].into_iter().filter(|n| size.connections.is_none_or(|only| only == *n))
        {
            let who: Vec<&Side> = sides.iter().filter(|side| side.subject.speaks(mode)).collect();
            let mut turns: Vec<Vec<Turn>> = who.iter().map(|_| Vec::new()).collect();
            let mut sorted: Vec<Vec<f64>> = who.iter().map(|_| Vec::new()).collect();
            for round in 0..=size.rounds {
                // The first is to get warm.
                let turn = if round == 0 { size.turn / 4 } else { size.turn };
                let most = (turn.as_secs_f64() * 45_000.0) as u64;
                let requests = Arc::new(traffic.pushes(from..from + most, mode));
                from += most;
                for ((side, turns), sorted) in who.iter().zip(&mut turns).zip(&mut sorted) {
                    let done =
                        send(side.running.address, &requests, connections, Pace::Closed, turn, SUCCESS, None);
                    all_right(side, &done);
                    // Before the next side's turn, what was stored as it came is sorted.
                    let later = side.home.sorted(side.subject).await;
                    if round > 0 {
                        sorted.push(done.answered as f64 / (done.seconds + later));
                        turns.push(done);
                    }
                }
            }
            for ((side, turns), sorted) in who.iter().zip(&turns).zip(&sorted) {
                let words = json!({"who": side.subject.name(), "mode": format!("{mode:?}").to_lowercase(), "connections": connections});
                let keeps = matches!(side.subject, Subject::Sqlite | Subject::Postgres);
                let sorted = keeps.then(|| ("sorted_per_second", spread(sorted, |rate| *rate)));
                rows.push(row(words, speed(turns).into_iter().chain(sorted)));
            }
        }
    }
    end(sides).await;
    rows
}

async fn slow(size: Size) -> Rows {
    let clouds = StandIn::start();
    let traffic = Traffic::new();
    let mut rows = Rows::new();
    let mut from = 1;
    for milliseconds in [1, 5] {
        for subject in [Subject::Sqlite, Subject::Postgres] {
            let mut setting = Setting { relay: false, clouds: clouds.address, env: Vec::new() };
            let mut home = Home::new(Subject::Sqlite).await;
            // The system's folder: the server runs as somebody else, who has to read the library.
            let beside = tempfile::tempdir().unwrap();
            open_to_all(beside.path());
            let mut server = None;
            if subject == Subject::Sqlite {
                setting.env = slow_disk(beside.path(), home.folder.path(), milliseconds);
            } else {
                let env =
                    slow_disk(beside.path(), &std::env::temp_dir().join("tsunagi-postgres"), milliseconds);
                let server = server.insert(Server::start(env));
                home = Home::on(&server.url, home.folder).await;
            }
            let side = Side { subject, running: Running::start(subject, &setting, &home), home };
            for connections in [1, 64, 256] {
                let mut turns = Vec::new();
                for _ in 0..size.rounds {
                    let most = (size.turn.as_secs_f64() * 30_000.0) as u64;
                    let requests = Arc::new(traffic.pushes(from..from + most, Mode::Plain));
                    from += most;
                    let done = send(
                        side.running.address,
                        &requests,
                        connections,
                        Pace::Closed,
                        size.turn,
                        SUCCESS,
                        None,
                    );
                    all_right(&side, &done);
                    side.home.sorted(subject).await;
                    turns.push(done);
                }
                let words = json!({"who": subject.name(), "sync": format!("+{milliseconds} ms"), "connections": connections});
                rows.push(row(words, speed(&turns)));
            }
            end(vec![side]).await;
            drop(server);
        }
    }
    rows
}

fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn relay(size: Size) -> Rows {
    let clouds = StandIn::start();
    let setting = Setting { relay: true, clouds: clouds.address, env: Vec::new() };
    let sides =
        sides(&[Subject::Sqlite, Subject::Postgres, Subject::Node, Subject::Python], &setting, size).await;
    let traffic = Traffic::new();
    let mut turns: Vec<Vec<f64>> = sides.iter().map(|_| Vec::new()).collect();
    let mut from = 1;
    for side in &sides {
        get_known(side, &traffic, &clouds, &mut from);
    }
    for round in 0..=size.rounds {
        let most = (size.turn.as_secs_f64() * 6_000.0) as u64;
        let requests = Arc::new(traffic.texts(from..from + most, Mode::Plain));
        from += most;
        for (side, turns) in sides.iter().zip(&mut turns) {
            let (before, begun) = (clouds.messages(), Instant::now());
            let done = send(side.running.address, &requests, 64, Pace::Closed, size.turn, SUCCESS, None);
            all_right(side, &done);
            let came = clouds.wait_for(before + done.answered) - before;
            assert!(
                came == done.answered,
                "{}: {came} of {} came\n{}",
                side.subject.name(),
                done.answered,
                side.running.words()
            );
            if round > 0 {
                turns.push(came as f64 / begun.elapsed().as_secs_f64());
            }
        }
    }
    let rows = sides.iter().zip(&turns);
    let rows = rows
        .map(|(side, turns)| {
            row(json!({"who": side.subject.name()}), [("per_second", spread(turns, |rate| *rate))])
        })
        .collect();
    end(sides).await;
    rows
}

/// Every customer has written once: from then on each message is one call.
fn get_known(side: &Side, traffic: &Traffic, clouds: &StandIn, from: &mut u64) {
    let before = clouds.messages();
    let known = Arc::new(traffic.first_texts(0..CUSTOMERS, *from));
    *from += CUSTOMERS as u64;
    let done = send(side.running.address, &known, 32, Pace::Closed, LONG, SUCCESS, None);
    all_right(side, &done);
    clouds.wait_for(before + done.answered);
}

/// The first answer to a customer after a start has IM's history read before it: it is not what is measured.
fn answer_all(side: &Side, clouds: &StandIn, from: &mut usize) {
    let before = clouds.messages();
    let first = *from;
    *from += CUSTOMERS;
    let answers = Arc::new(Requests::of((0..CUSTOMERS).map(|n| agent_says((first + n) as u64, &openid(n)))));
    let answer = answer_of(side.subject, "to customer");
    let done = send(side.running.address, &answers, 32, Pace::Closed, LONG, answer, None);
    all_right(side, &done);
    clouds.wait_for(before + CUSTOMERS);
}

/// Times between two stamps of the same number, in ms, sorted.
fn between(sent: &Stamps, came: &Stamps, count: usize, offset: usize) -> Vec<f64> {
    let mut times: Vec<f64> = (0..count)
        .filter_map(|n| Some((came.get(offset + n)? as f64 - sent.get(n)? as f64) / 1_000.0))
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

async fn latency(size: Size) -> Rows {
    let clouds = StandIn::start();
    let setting = Setting { relay: true, clouds: clouds.address, env: Vec::new() };
    let sides = sides(&[Subject::Proxy, Subject::Sqlite, Subject::Postgres], &setting, size).await;
    let traffic = Traffic::new();
    let mut known = 1;
    for side in &sides {
        get_known(side, &traffic, &clouds, &mut known);
    }
    let mut rows = Rows::new();
    let (mut from, mut customer) = (known as usize, 0);
    for side in &sides {
        answer_all(side, &clouds, &mut from);
    }
    for (pace, rate, seconds) in [("idle", 20.0, 10.0), ("200/s", 200.0, 10.0)] {
        let count = (rate * seconds) as usize;
        for way in ["to agent", "to customer"] {
            let mut turns: Vec<Vec<Vec<f64>>> = sides.iter().map(|_| Vec::new()).collect();
            for _ in 0..size.rounds {
                // Each customer is answered once: WeChat allows only so many answers to one message.
                let first = customer;
                let requests = match way {
                    "to agent" => traffic.texts(from as u64..(from + count) as u64, Mode::Plain),
                    _ => Requests::of(
                        (0..count).map(|n| agent_says((from + n) as u64, &openid((first + n) % CUSTOMERS))),
                    ),
                };
                if way == "to customer" {
                    customer += count;
                }
                let requests = Arc::new(requests);
                for (side, turns) in sides.iter().zip(&mut turns) {
                    let (sent, came) = (Stamps::new(count), Stamps::new(from + count));
                    let skew = came.begun.duration_since(sent.begun).as_secs_f64() * 1_000.0;
                    clouds.note(Some(came.clone()));
                    let before = clouds.messages();
                    // IM takes JSON, and WeChat a word.
                    let answer = answer_of(side.subject, way);
                    let done = send(
                        side.running.address,
                        &requests,
                        16,
                        Pace::Open(rate),
                        LONG,
                        answer,
                        Some(sent.clone()),
                    );
                    all_right(side, &done);
                    let arrived = clouds.wait_for(before + count) - before;
                    assert!(
                        arrived == count,
                        "{} {way}: {arrived} of {count} came\n{}",
                        side.subject.name(),
                        side.running.words()
                    );
                    turns.push(between(&sent, &came, count, from).into_iter().map(|ms| ms + skew).collect());
                }
                clouds.note(None);
                from += count;
            }
            for (side, turns) in sides.iter().zip(&turns) {
                let at = |of: f64| {
                    move |times: &Vec<f64>| times[((times.len() as f64 * of) as usize).min(times.len() - 1)]
                };
                let words = json!({"who": side.subject.name(), "way": way, "pace": pace, "messages": count});
                rows.push(row(
                    words,
                    [("p50_ms", spread(turns, at(0.5))), ("p99_ms", spread(turns, at(0.99)))],
                ));
            }
        }
    }
    end(sides).await;
    rows
}

fn answer_of(subject: Subject, way: &str) -> &'static [u8] {
    if way == "to agent" || subject == Subject::Proxy {
        SUCCESS
    } else {
        br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#
    }
}

async fn drain(size: Size) -> Rows {
    let clouds = StandIn::start();
    let traffic = Traffic::new();
    let mut rows = Rows::new();
    let count = size.turn.as_secs() * 2_000;
    let mut from = 1;
    for (subject, nodes) in
        [(Subject::Sqlite, 1), (Subject::Postgres, 1), (Subject::Postgres, 2), (Subject::Postgres, 3)]
    {
        if subject == Subject::Postgres && postgres().is_none() {
            continue;
        }
        let home = Home::new(subject).await;
        let setting = Setting { relay: true, clouds: clouds.address, env: Vec::new() };
        let side = Side { subject, running: Running::start(subject, &setting, &home), home };
        get_known(&side, &traffic, &clouds, &mut from);
        let Side { running, home, .. } = side;
        running.stop();
        let mut turns = Vec::new();
        for round in 0..=size.rounds.min(3) {
            let setting = Setting { relay: false, ..setting.clone() };
            let taking = Running::start(subject, &setting, &home);
            let requests = Arc::new(traffic.texts(from..from + count, Mode::Plain));
            from += count;
            let done = send(taking.address, &requests, 64, Pace::Closed, LONG, SUCCESS, None);
            assert!(done.wrong == 0, "{:?}", done.first_wrong);
            taking.stop();
            let setting = Setting { relay: true, ..setting };
            let (before, begun) = (clouds.messages(), Instant::now());
            let working: Vec<Running> =
                (0..nodes).map(|_| Running::start(subject, &setting, &home)).collect();
            let came = clouds.wait_for(before + done.answered) - before;
            let took = begun.elapsed();
            assert!(came == done.answered, "{came} of {}", done.answered);
            working.into_iter().for_each(Running::stop);
            if round > 0 {
                turns.push(came as f64 / took.as_secs_f64());
            }
        }
        rows.push(row(
            json!({"who": subject.name(), "nodes": nodes, "messages": count}),
            [("per_second", spread(&turns, |rate| *rate))],
        ));
        home.end().await;
    }
    rows
}

async fn memory() -> Rows {
    let clouds = StandIn::start();
    let traffic = Traffic::new();
    let mut rows = Rows::new();
    for subject in [Subject::Sqlite, Subject::Postgres, Subject::Node, Subject::Python] {
        if subject == Subject::Postgres && postgres().is_none() {
            continue;
        }
        let home = Home::new(subject).await;
        let setting = Setting { relay: true, clouds: clouds.address, env: Vec::new() };
        let running = Running::start(subject, &setting, &home);
        std::thread::sleep(Duration::from_secs(3));
        // What the process holds itself, and with the pages of its program, which the system may take back.
        let (own, idle) = (running.memory("RssAnon"), running.memory("VmRSS"));
        let requests = Arc::new(traffic.texts(1..120_000, Mode::Plain));
        let before = clouds.messages();
        let done =
            send(running.address, &requests, 256, Pace::Closed, Duration::from_secs(10), SUCCESS, None);
        assert!(done.wrong == 0, "{:?}", done.first_wrong);
        clouds.wait_for(before + done.answered);
        let loaded = running.memory("VmHWM");
        running.stop();
        let mut figures =
            vec![("idle_mib", json!(idle)), ("idle_own_mib", json!(own)), ("load_mib", json!(loaded))];
        if matches!(subject, Subject::Sqlite | Subject::Postgres) {
            let setting = Setting { relay: false, ..setting };
            let taking = Running::start(subject, &setting, &home);
            for from in (200_000..1_200_000).step_by(100_000) {
                let requests = Arc::new(traffic.texts(from..from + 100_000, Mode::Plain));
                let done = send(taking.address, &requests, 64, Pace::Closed, LONG, SUCCESS, None);
                assert!(done.wrong == 0, "{:?}", done.first_wrong);
            }
            figures.push(("backlog_mib", json!(taking.memory("VmRSS"))));
            taking.stop();
            let mut starts = Vec::new();
            for _ in 0..5 {
                let again = Running::start(subject, &setting, &home);
                starts.push(again.ready_after.as_secs_f64() * 1_000.0);
                again.stop();
            }
            figures.push(("ready_ms", spread(&starts, |ms| *ms)));
            let size = std::fs::metadata(env!("CARGO_BIN_EXE_tsunagi")).unwrap().len();
            figures.push(("binary_mib", json!(size as f64 / f64::from(1 << 20))));
        }
        rows.push(row(json!({"who": subject.name()}), figures));
        home.end().await;
    }
    rows
}

async fn burst() -> Rows {
    let clouds = StandIn::start();
    let traffic = Traffic::new();
    let mut rows = Rows::new();
    for (subject, rate, seconds) in [
        (Subject::Sqlite, 10_000, 60),
        (Subject::Postgres, 10_000, 60),
        (Subject::Sqlite, 2_000, 600),
        (Subject::Postgres, 2_000, 600),
    ] {
        if subject == Subject::Postgres && postgres().is_none() {
            continue;
        }
        let home = Home::new(subject).await;
        let setting = Setting { relay: true, clouds: clouds.address, env: Vec::new() };
        let running = Running::start(subject, &setting, &home);
        let before = clouds.messages();
        let idle = running.memory("VmRSS");
        let (mut worst, mut answered, mut p99) = (0.0_f64, 0, Vec::new());
        let mut held = Vec::new();
        // In pieces, so that what is prepared does not take the whole memory.
        let piece = 30;
        for begin in (0..seconds).step_by(piece) {
            let from = 1 + (begin * rate) as u64;
            let requests = Arc::new(traffic.texts(from..from + (piece * rate) as u64, Mode::Plain));
            let done = send(running.address, &requests, 256, Pace::Open(rate as f64), LONG, SUCCESS, None);
            assert!(done.wrong == 0, "{} wrong: {:?}\n{}", done.wrong, done.first_wrong, running.words());
            worst = worst.max(done.quantile(1.0));
            p99.push(done.quantile(0.99));
            answered += done.answered;
            held.push(running.memory("VmRSS"));
        }
        let sorted_after = home.sorted(subject).await;
        let stored = home.count("SELECT COUNT(*) FROM inbox").await;
        rows.push(row(
            json!({"who": subject.name(), "rate": rate, "seconds": seconds}),
            [
                ("answered", json!(answered)),
                ("not_stored", json!(answered as i64 - stored)),
                ("sorted_after_s", json!(sorted_after)),
                ("relayed_meanwhile", json!(clouds.messages() - before)),
                ("p99_ms", spread(&p99, |ms| *ms)),
                ("worst_ms", json!(worst)),
                ("memory_mib", spread(&held, |mib| *mib)),
                ("idle_mib", json!(idle)),
            ],
        ));
        running.stop();
        home.end().await;
    }
    rows
}
