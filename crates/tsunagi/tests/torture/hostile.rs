//! Hostile input against the running gateway: ten thousand requests and more, made by a seed from a curated corpus.
//!
//! Some are signed with the clouds' own keys, so that what reads behind the signature is reached; others are forged in
//! every way that `hostile/requests.rs` knows, broken as HTTP, or never complete. Beside them customers and agents go on.
//! `hostile/burst.rs` measures memory, `hostile/fetching.rs` lets links lead where nothing may be fetched.

mod burst;
mod corpus;
mod fetching;
mod peer;
mod requests;

use crate::checker::{Observed, check};
use crate::dice::Dice;
use crate::drive::{People, openid};
use crate::scenario::{Form, Report, Round};
use crate::support::{Engine, Setup, World, http};
use peer::{Ending, exchange};
use requests::{Doors, Fate, MARK, Request, SEALED, sealed_account};
use serde_json::json;
use sim::{Format, Mode, WechatAccountConfig};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;

/// An answer that takes longer hangs.
const HANGS: Duration = Duration::from_secs(1);
/// What the gateway gives to headers and bodies here, in seconds.
const PATIENCE_S: u64 = 8;
/// Who attack at once.
const PEERS: usize = 8;
const HONEST: usize = 3;
/// So many findings are told in full.
const TOLD: usize = 12;

pub(crate) fn rounds(form: Form) -> u64 {
    form.of(1, 2, 2)
}

/// Both engines, in turn.
fn engine(round: Round) -> Option<Engine> {
    match round.n % 2 {
        0 => Some(Engine::Sqlite),
        _ => std::env::var_os("TSUNAGI_TEST_POSTGRES").map(|_| Engine::Postgres),
    }
}

pub(crate) fn play(round: Round) -> std::pin::Pin<Box<dyn Future<Output = Report> + Send>> {
    Box::pin(async move {
        let Some(engine) = engine(round) else {
            return Report::broken("TSUNAGI_TEST_POSTGRES is not set (scripts/postgres run …)");
        };
        let mut story = Story::begin(engine).await;
        let slow = slowness().await;
        story.report.most("worst slowness of the machine, %", (slow * 100.0) as i64);
        let requests = round.form.of(750, 6_000, 50_000);
        // Nobody else is there: whatever a forgery left would be seen.
        story.forgeries(round.seed, requests / 6).await;
        story.everything(round.seed, requests - requests / 6).await;
        burst::play(&mut story.world, round.form.of(24, 48, 96), &mut story.report).await;
        fetching::play(&story.world, &mut story.report).await;
        story.end().await
    })
}

struct Story {
    world: World,
    doors: Arc<Doors>,
    report: Report,
    /// Genuine and unreadable.
    unreadable: BTreeSet<(&'static str, Vec<u8>)>,
    breaches: usize,
}

/// What one worker has seen.
#[derive(Default)]
struct Seen {
    findings: Vec<String>,
    unreadable: Vec<(&'static str, Vec<u8>)>,
    counts: std::collections::BTreeMap<&'static str, i64>,
    took: Vec<Duration>,
}

impl Story {
    async fn begin(engine: Engine) -> Story {
        let sealed = sealed_account();
        let mut setup = Setup::new(engine).mode(Mode::Compatible, Format::Xml).account(&format!(
            "[[account]]\nid = \"{SEALED}\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\nencoding_aes_key = \"{}\"\n\
             base_url = \"{{wechat_url}}\"\nagents = [\"user1\"]",
            sealed.app_id,
            sealed.app_secret,
            sealed.token,
            sealed.encoding_aes_key.as_deref().unwrap()
        ));
        setup.clouds.wechat.push(sealed.clone());
        let world = setup
            .env("TSUNAGI__LOG__LEVEL", "info")
            .env("TSUNAGI__SERVER__HEADER_TIMEOUT", &PATIENCE_S.to_string())
            .env("TSUNAGI__SERVER__BODY_TIMEOUT", &PATIENCE_S.to_string())
            .env("TSUNAGI__SERVER__REQUEST_TIMEOUT", "20")
            // A burst of large bodies is written in the end, also by a machine that does much else.
            .env("TSUNAGI__STORE__INGEST_TIMEOUT", "8")
            // The clouds are at 127.0.0.1; whatever else is on the loopback is a neighbour's.
            .env("TSUNAGI__MEDIA__PRIVATE_NETWORKS", "127.0.0.1/32")
            .start()
            .await;
        let hook = format!("{}/wechat/{SEALED}", world.webhooks);
        world.control.configure(json!({"app_id": sealed.app_id, "webhook_url": hook})).await.unwrap();
        let links = fetching::links(&world).await;
        let doors =
            Arc::new(Doors { open: WechatAccountConfig::shop(), sealed, im: sim::ImConfig::shop(), links });
        Story { world, doors, report: Report::default(), unreadable: BTreeSet::new(), breaches: 0 }
    }

    fn address(&self) -> String {
        self.world.webhooks.trim_start_matches("http://").to_owned()
    }

    fn find(&mut self, why: String) {
        self.breaches += 1;
        if self.breaches <= TOLD {
            self.report.findings.push(why);
        }
    }

    /// Forgeries and broken frames alone: not one row more.
    async fn forgeries(&mut self, seed: u64, count: u64) {
        idle(&self.world).await;
        let before = self.world.database.count("SELECT COUNT(*) FROM inbox").await;
        self.attack(seed ^ 0xf0f0, count, |request| matches!(request.fate, Fate::Refused | Fate::Broken))
            .await;
        let after = self.world.database.count("SELECT COUNT(*) FROM inbox").await;
        if after != before {
            self.find(format!("{} rows in the inbox of which nobody signed anything", after - before));
        }
    }

    /// All kinds, while customers and agents go on.
    async fn everything(&mut self, seed: u64, count: u64) {
        let (people, enough) = (People::of(&self.world), Arc::new(AtomicBool::new(false)));
        let honest: Vec<_> =
            (0..HONEST).map(|n| tokio::spawn(converse(people.clone(), n, enough.clone()))).collect();
        self.attack(seed, count, |_| true).await;
        enough.store(true, Ordering::Relaxed);
        for one in honest {
            match one.await {
                Ok(messages) => self.report.add("honest messages meanwhile", messages),
                Err(error) => self.find(format!("an honest customer was not served: {error}")),
            }
        }
    }

    async fn attack(&mut self, seed: u64, count: u64, fits: fn(&Request) -> bool) {
        let (next, calm) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let workers: Vec<_> = (0..PEERS)
            .map(|_| {
                let calm = Arc::clone(&calm);
                tokio::spawn(work(self.address(), self.doors.clone(), calm, next.clone(), seed, count, fits))
            })
            .collect();
        let mut took = Vec::new();
        for worker in workers {
            let seen = worker.await.unwrap();
            for finding in seen.findings {
                self.find(finding);
            }
            for (what, count) in seen.counts {
                self.report.add(what, count);
            }
            self.unreadable.extend(seen.unreadable);
            took.extend(seen.took);
        }
        took.sort_unstable();
        let at = |part: f64| {
            took.get((took.len() as f64 * part) as usize).map_or(0, |took| took.as_millis() as i64)
        };
        self.report.most("worst median answer ms", at(0.5));
        self.report.most("worst p99 answer ms", at(0.99));
        self.report.most("worst answer ms", took.last().map_or(0, |took| took.as_millis() as i64));
        if let Some(status) = self.world.died() {
            self.find(format!("the gateway ended: {status}\n{}", self.world.keep_log()));
        }
    }

    async fn end(mut self) -> Report {
        if self.report.counts.get("asked again after more than 1 s").copied().unwrap_or(0) * 50
            > self.report.counts["hostile inputs"]
        {
            self.find("one in fifty answers takes more than a second".into());
        }
        // Still there, and served as ever.
        let people = People::of(&self.world);
        let enough = Arc::new(AtomicBool::new(true));
        if let Err(error) = tokio::spawn(converse(people, HONEST, enough)).await {
            self.find(format!("an honest customer was not served in the end: {error}"));
        }
        if !idle(&self.world).await {
            self.find("work is left".into());
        }
        self.stored().await;
        let log = self.world.log();
        let panics = log.matches("panicked").count() as f64
            + metric(&self.world, "tsunagi_job_panics_total").await
            + metric(&self.world, "tsunagi_request_panics_total").await;
        if panics > 0.0 {
            self.find(format!("{panics} panics"));
        }
        let mut run = Observed::of(&self.world, &[]).await;
        let honest: BTreeSet<String> = (0..=HONEST).map(openid).collect();
        // Some of the others are made to be slow to search through.
        run.inbox
            .retain(|body| body.len() < 10_000 && honest.iter().any(|openid| body.contains(openid.as_str())));
        run.said.retain(|said| honest.contains(&said.openid));
        run.received.retain(|received| honest.contains(&received.openid));
        run.deliveries.retain(|delivery| honest.contains(&delivery.openid));
        let known: BTreeSet<&str> = run.deliveries.iter().map(|delivery| delivery.id.as_str()).collect();
        run.attempts.retain(|attempt| known.contains(attempt.delivery.as_str()));
        for finding in check(&run) {
            self.find(finding.to_string());
        }
        self.report.add("honest messages", run.said.len() as i64);
        if self.breaches > TOLD {
            self.report.findings.push(format!("and {} more", self.breaches - TOLD));
        }
        match self.report.findings.is_empty() {
            true => self.world.database.discard().await,
            false => self.report.findings.push(self.world.keep_log()),
        }
        self.report
    }

    /// What is genuine and unreadable is there once; what is forged is not.
    async fn stored(&mut self) {
        let rows: Vec<(String, String, Vec<u8>)> =
            self.world.database.rows("SELECT account, kind, body FROM inbox").await;
        let forged = rows.iter().filter(|(_, _, body)| String::from_utf8_lossy(body).contains(MARK)).count();
        if forged > 0 {
            self.find(format!("{forged} forgeries are stored"));
        }
        let mut kept: Vec<(&str, &[u8])> = rows
            .iter()
            .filter(|(_, kind, _)| kind == "unreadable")
            .map(|(account, _, body)| (account.as_str(), body.as_slice()))
            .collect();
        kept.sort_unstable();
        let wanted: Vec<(&str, &[u8])> =
            self.unreadable.iter().map(|(account, body)| (*account, body.as_slice())).collect();
        let (sent, once) = (wanted.len(), kept == wanted);
        let found = kept.len();
        if !once {
            self.find(format!("{found} unreadable pushes are kept, of {sent} that were sent"));
        }
        self.report.add("unreadable, kept raw", sent as i64);
        self.report.add("rows in the inbox", rows.len() as i64);
    }
}

/// Sends request after request until all are sent; each is made from its own number.
async fn work(
    address: String,
    doors: Arc<Doors>,
    calm: Arc<RwLock<()>>,
    next: Arc<AtomicU64>,
    seed: u64,
    count: u64,
    fits: fn(&Request) -> bool,
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return seen;
        }
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(n));
        let request = loop {
            let request = doors.request(&mut dice);
            if fits(&request) {
                break request;
            }
        };
        // A tenth comes twice, as WeChat itself repeats: the second must change nothing.
        for _ in 0..=u64::from(dice.below(10) == 0) {
            play_one(&address, &calm, &request, n, &mut seen).await;
        }
    }
}

async fn play_one(address: &str, calm: &RwLock<()>, request: &Request, n: u64, seen: &mut Seen) {
    let limit = match request.ending {
        Ending::Silence => HANGS + Duration::from_secs(PATIENCE_S),
        _ => HANGS,
    };
    let others = calm.read().await;
    let mut answer = exchange(address, &request.bytes, request.pieces, request.ending).await;
    drop(others);
    // What hangs hangs again when it is alone; a machine that was busy with something else is not the gateway's.
    for _ in 0..3 {
        if answer.took > limit && !answer.hangs {
            let _alone = calm.write().await;
            *seen.counts.entry("asked again after more than 1 s").or_default() += 1;
            answer = exchange(address, &request.bytes, request.pieces, request.ending).await;
        }
    }
    let status = answer.status();
    *seen.counts.entry("hostile inputs").or_default() += 1;
    let kind = match request.fate {
        Fate::Taken | Fate::Unreadable { .. } => "signed inputs",
        Fate::Refused => "forged inputs",
        Fate::Broken => "broken frames",
    };
    *seen.counts.entry(kind).or_default() += 1;
    let text = String::from_utf8_lossy(answer.body());
    let right = match &request.fate {
        Fate::Taken => {
            let acknowledged = text == "success" || text.starts_with("<xml>") || text.starts_with('{');
            status == Some(200) && acknowledged
        }
        Fate::Unreadable { account, body } => {
            seen.unreadable.push((account, body.clone()));
            status == Some(200) && text == "success"
        }
        Fate::Refused => status.is_some_and(|status| (400..500).contains(&status)),
        Fate::Broken => status.is_none_or(|status| (400..500).contains(&status) || status == 505),
    };
    if request.ending != Ending::Silence {
        seen.took.push(answer.took);
    }
    let late = answer.hangs || (answer.took > limit && answer.took > limit.mul_f64(slowness().await));
    let echoed = String::from_utf8_lossy(&answer.bytes).contains(MARK);
    if right && !late && !echoed {
        return;
    }
    let head: String = String::from_utf8_lossy(&request.bytes).chars().take(300).collect();
    seen.findings.push(format!(
        "input {n} ({}): {status:?} after {:?}{}, wanted {:.40}; it said {head:?}, the answer was {:.200}",
        request.what,
        answer.took,
        if answer.hangs { ", and no end" } else { "" },
        format!("{:?}", request.fate),
        text
    ));
}

/// How many times longer the same work takes now than it took this process at its quickest: what others do on the machine.
async fn slowness() -> f64 {
    static QUICKEST: AtomicU64 = AtomicU64::new(u64::MAX);
    let work = || {
        let (begun, mut dice) = (Instant::now(), Dice::new(1));
        let last = (0..1_000_000).map(|_| dice.next()).max();
        std::hint::black_box(last);
        begun.elapsed().as_micros() as u64
    };
    let mut took = Vec::new();
    for _ in 0..5 {
        took.push(tokio::task::spawn_blocking(work).await.unwrap());
    }
    let quickest =
        QUICKEST.fetch_min(*took.iter().min().unwrap(), Ordering::Relaxed).min(*took.iter().min().unwrap());
    took.sort_unstable();
    took[took.len() / 2] as f64 / quickest.max(1) as f64
}

/// A customer and her agent, question and answer, until it is enough; gives how many messages.
async fn converse(people: People, n: usize, enough: Arc<AtomicBool>) -> i64 {
    let (openid, mut round) = (openid(n), 0);
    people.follow(&openid).await;
    loop {
        round += 1;
        let question = people.say(&openid, &format!("q{round}")).await;
        let (ghost, agent) = people.who_heard(&question).await;
        people.answer(&agent, &ghost, &format!("a{round}")).await;
        if enough.load(Ordering::Relaxed) {
            people.idle(&openid).await;
            return round * 2;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until nothing is left to do; hostile work may be more than a story has patience for.
async fn idle(world: &World) -> bool {
    let begun = Instant::now();
    while world.database.left().await != 0 {
        if begun.elapsed() > Duration::from_secs(120) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    true
}

/// A metric, summed up over its labels.
async fn metric(world: &World, name: &str) -> f64 {
    let page = http().get(format!("{}/metrics", world.admin)).send().await.unwrap().text().await.unwrap();
    let of = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
    };
    page.lines().filter_map(of).sum()
}
