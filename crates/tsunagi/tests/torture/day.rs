//! Days compressed by a clock that is moved: tokens, UserSigs, reply windows, conversations and retention turn over while
//! customers and agents go on, and memory, file descriptors and latency stay as they are.
//!
//! Sockets, leases and everything else that waits for real goes by the real clock. Nobody has a webhook under way while
//! the clock moves, so none is taken for an old one. What is purged is noted before, so that the checker judges it all.

mod picture;
mod samples;

use crate::checker::{Attempt, Delivery, Observed, check};
use crate::drive::{People, openid};
use crate::scenario::{Form, Report, Round};
use crate::support::{Engine, Setup, World};
use samples::{Sample, Watch};
use serde_json::json;
use sim::{Format, Mode};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;

const HOUR: i64 = 3_600_000;
/// Customers who write all the time, and their agents answer.
const STEADY: usize = 4;
/// Customers who write, are silent for longer than their reply window, and write again.
const SILENT: usize = 2;
/// How long those are silent: more than the 48 hours of the window.
const SILENCE_H: i64 = 49;
/// One who sends pictures.
const PAINTER: usize = 90;
/// Lines that the clouds keep of their journal.
const JOURNAL: u64 = 200_000;

pub(crate) fn rounds(_: Form) -> u64 {
    2
}

pub(crate) fn play(round: Round) -> std::pin::Pin<Box<dyn Future<Output = Report> + Send>> {
    Box::pin(async move {
        let engine = match round.n % 2 {
            0 => Engine::Sqlite,
            _ if std::env::var_os("TSUNAGI_TEST_POSTGRES").is_some() => Engine::Postgres,
            _ => return Report::broken("TSUNAGI_TEST_POSTGRES is not set (scripts/postgres run …)"),
        };
        let hours = round.form.of(54, 78, 240);
        // But for the short form, less than the last minutes of a token, in which nobody calls with it any more.
        let steps = round.form.of(6, 15, 15);
        let pace = round.form.of(120, 250, 900);
        // Between two looks into IM's history more time passes than messages are kept here.
        let looks = round.form.of(30, 300, 300);
        let mut day = Day::begin(engine, Duration::from_millis(pace), looks).await;
        day.is_timed = round.is_timed();
        day.play(hours, steps).await
    })
}

struct Day {
    world: World,
    engine: Engine,
    people: People,
    /// Whoever has a webhook under way holds it; who moves the clock wants it alone.
    calm: Arc<RwLock<()>>,
    enough: Arc<AtomicBool>,
    /// From a customer's words to the agent's screen, in real ms.
    relayed: Arc<Mutex<Vec<u64>>>,
    /// How far the clock is, in simulated hours.
    hours: Arc<std::sync::atomic::AtomicI64>,
    pace: Duration,
    /// Whether answer times are judged.
    is_timed: bool,
    kept: Kept,
    report: Report,
}

/// All rows there ever were, as last seen.
#[derive(Default)]
struct Kept {
    inbox: BTreeMap<String, usize>,
    deliveries: BTreeMap<String, Delivery>,
    attempts: BTreeMap<(String, i64), Attempt>,
}

impl Kept {
    async fn note(&mut self, world: &World) {
        let mut now = Observed::default();
        now.read_database(&world.database).await;
        let mut bodies: BTreeMap<String, usize> = BTreeMap::new();
        now.inbox.into_iter().for_each(|body| *bodies.entry(body).or_default() += 1);
        for (body, times) in bodies {
            let most = self.inbox.entry(body).or_default();
            *most = times.max(*most);
        }
        self.deliveries.extend(now.deliveries.into_iter().map(|one| (one.id.clone(), one)));
        self.attempts
            .extend(now.attempts.into_iter().map(|one| ((one.delivery.clone(), one.started_at), one)));
    }
}

impl Day {
    async fn begin(engine: Engine, pace: Duration, reconcile_every: u64) -> Day {
        let world = Setup::new(engine)
            .mode(Mode::Secure, Format::Xml)
            .agents(&["user1", "user2"])
            .account(
                "retention_messages = 1\nretention_inbox = 1\nretention_attempts = 1\nretention_media = 1",
            )
            .media("link_lifetime = 3600")
            // Shorter than the silence, longer than any pause of the others.
            .desk(&format!("[desk]\nconversation_idle = 43200\nreconcile_every = {reconcile_every}\n"))
            .env("TSUNAGI__LOG__LEVEL", "info")
            .start()
            .await;
        let people = People::of(&world);
        Day {
            world,
            engine,
            people,
            calm: Arc::default(),
            enough: Arc::default(),
            relayed: Arc::default(),
            hours: Arc::default(),
            pace,
            is_timed: true,
            kept: Kept::default(),
            report: Report::default(),
        }
    }

    fn person(&self, n: usize) -> Person {
        Person {
            people: self.people.clone(),
            calm: self.calm.clone(),
            enough: self.enough.clone(),
            relayed: self.relayed.clone(),
            hours: self.hours.clone(),
            openid: openid(n),
            pause: self.pace * 3 / 2,
        }
    }

    /// So many hours, each in so many steps of the clock.
    async fn play(mut self, hours: i64, steps: i64) -> Report {
        let mut all = Vec::new();
        for n in 0..STEADY {
            all.push(tokio::spawn(self.person(n).steady()));
        }
        for n in STEADY..STEADY + SILENT {
            all.push(tokio::spawn(self.person(n).silent()));
        }
        let mut watch = Watch::new(self.engine);
        let mut samples: Vec<Sample> = Vec::new();
        let (mut pictures, mut first_link) = (0, None);
        for step in 1..=hours * steps {
            tokio::time::sleep(self.pace).await;
            {
                let _alone = self.calm.write().await;
                self.world.advance(HOUR / steps).await;
            }
            if step % steps != 0 {
                continue;
            }
            let hour = self.hours.fetch_add(1, Ordering::SeqCst) + 1;
            self.kept.note(&self.world).await;
            let relayed = std::mem::take(&mut *self.relayed.lock().unwrap());
            samples.push(watch.sample(&self.world, hour, relayed).await);
            if hour % 4 == 1 {
                let link = self.paints(&mut pictures).await;
                first_link.get_or_insert(link);
            }
            if let Some(status) = self.world.died() {
                self.report.findings.push(format!("the gateway ended: {status}"));
                break;
            }
        }
        self.enough.store(true, Ordering::SeqCst);
        for one in all {
            if let Err(error) = one.await {
                self.report.findings.push(format!("somebody was not served: {error}"));
            }
        }
        self.judge(&samples, watch.journal_end(), pictures, first_link.unwrap_or_default()).await;
        picture::draw(self.engine, &samples);
        self.report
    }

    /// The painter sends a picture, and the agent opens it; gives the link.
    async fn paints(&mut self, pictures: &mut usize) -> String {
        let openid = openid(PAINTER);
        let sent =
            self.world.control.send(&self.world.app_id(), &openid, json!({"type": "image"})).await.unwrap();
        *pictures += 1;
        let begun = Instant::now();
        loop {
            let mut links = Vec::new();
            for agent in ["user1", "user2"] {
                let chats = self.world.control.chat(agent, &openid).await.unwrap();
                let elements = chats.iter().flat_map(|message| message.body.as_array().unwrap());
                links.extend(elements.filter_map(|element| {
                    Some(element["MsgContent"]["ImageInfoArray"][0]["URL"].as_str()?.to_owned())
                }));
            }
            if links.len() == *pictures {
                let link = links.pop().unwrap();
                let status = samples::status(&link).await;
                if status != 200 {
                    self.report.findings.push(format!("a new picture is answered {status}"));
                }
                return links.into_iter().next().unwrap_or(link);
            }
            if begun.elapsed() > Duration::from_secs(20) {
                self.report.findings.push(format!("picture {pictures} did not come ({sent:?}): {links:?}"));
                *pictures = links.len();
                return String::new();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn judge(&mut self, samples: &[Sample], journal_end: u64, pictures: usize, first_link: String) {
        self.world.drained().await;
        self.kept.note(&self.world).await;
        let mut run = Observed::of(&self.world, &[]).await;
        let kept = std::mem::take(&mut self.kept);
        run.inbox = kept.inbox.into_iter().flat_map(|(body, times)| vec![body; times]).collect();
        // Pictures have no words of their own; they are counted.
        run.deliveries = kept.deliveries.into_values().filter(|one| !is_picture(&one.text)).collect();
        run.attempts = kept.attempts.into_values().collect();
        run.received.retain(|received| !is_picture(&received.text));
        let known: std::collections::BTreeSet<&str> =
            run.deliveries.iter().map(|one| one.id.as_str()).collect();
        run.attempts.retain(|attempt| known.contains(attempt.delivery.as_str()));
        let findings = check(&run);
        self.report.findings.extend(findings.iter().take(12).map(ToString::to_string));
        if findings.len() > 12 {
            self.report.findings.push(format!("and {} more", findings.len() - 12));
        }
        let hours = samples.last().map_or(0, |sample| sample.hour);
        self.report.add("simulated hours", hours);
        self.report.add("messages", run.said.len() as i64);
        self.report.add("pictures", pictures as i64);
        if journal_end >= JOURNAL {
            self.report.findings.push(format!("{journal_end} lines are more than the clouds' journal keeps"));
        }
        self.turned_over(hours, first_link).await;
        samples::judge(samples, self.is_timed, &mut self.report);
        if self.world.log().contains("panicked") {
            self.report.findings.push("a panic".into());
        }
        match self.report.findings.is_empty() {
            true => self.world.database.discard().await,
            false => self.report.findings.push(self.world.keep_log()),
        }
    }

    /// Tokens, UserSigs, windows, conversations, links and retention had their turn.
    async fn turned_over(&mut self, hours: i64, first_link: String) {
        let lines = self.world.control.journal(0).await.unwrap();
        let calls = |api: &str| {
            lines.iter().filter(|line| line["kind"] == "call" && line["api"] == api).count() as i64
        };
        let tokens = calls("wechat.token");
        let refused = |code: i64| {
            let named = |field: &str| {
                lines.iter().filter(|line| line["kind"] == "call" && line[field] == code).count() as i64
            };
            named("errcode") + named("error_code")
        };
        // Whose conversation has closed is told again that an agent comes.
        let opened =
            lines.iter().filter(|line| line["via"] == "passive_reply" && line["text"] == "正在为您转接");
        let opened = opened.count() as i64;
        let late = lines.iter().filter(|line| {
            let text = line["text"].as_str().unwrap_or_default();
            line["kind"] == "delivered" && text.starts_with("【Tsunagi】未送达") && text.contains("late")
        });
        let late = late.count() as i64;
        let purged = samples::metric(&self.world, "tsunagi_purged_total").await;
        let report = &mut self.report;
        report.add("token renewals", tokens - 1);
        report.add("lives of a UserSig", hours / 24);
        report.add("answers after the window", late);
        report.add("conversations opened", opened);
        report.add("rows purged", purged);
        // A token lives for two hours, and is renewed once in them.
        if !(hours / 2 - 1..=hours).contains(&tokens) {
            report.findings.push(format!("{tokens} tokens in {hours} hours"));
        }
        // A call that was under way while the clock moved may arrive with it: once per token at most.
        let ended = refused(42001);
        report.add("calls with a token that had just ended", ended);
        if ended > tokens {
            report.findings.push(format!("an old access_token was used {ended} times"));
        }
        for (what, code) in [("an unknown access_token", 40001), ("an old UserSig", 70001)] {
            let times = refused(code);
            if times > 0 {
                report.findings.push(format!("{what} was used {times} times"));
            }
        }
        let wanted = SILENT as i64 * (hours / (SILENCE_H + 2));
        if late < wanted {
            report
                .findings
                .push(format!("{wanted} answers came after the reply window, and {late} were refused"));
        }
        if hours > 30 && purged == 0 {
            report.findings.push("no old row was purged".into());
        }
        let people = (STEADY + SILENT + 1) as i64;
        if opened < people + SILENT as i64 * (hours / (SILENCE_H + 2)) {
            report.findings.push(format!("{opened} conversations of {people} people were opened"));
        }
        let status = samples::status(&first_link).await;
        if status != 404 {
            report.findings.push(format!("a link of the first hour is answered {status}"));
        }
    }
}

fn is_picture(text: &str) -> bool {
    text == "[TIMImageElem]" || text.starts_with("[图片]")
}

struct Person {
    people: People,
    calm: Arc<RwLock<()>>,
    enough: Arc<AtomicBool>,
    relayed: Arc<Mutex<Vec<u64>>>,
    hours: Arc<std::sync::atomic::AtomicI64>,
    openid: String,
    pause: Duration,
}

impl Person {
    /// The customer writes and the agent sees it; gives the ghost and the agent.
    async fn asks(&self, what: &str) -> (String, String) {
        let (question, begun) = {
            let _calm = self.calm.read().await;
            let begun = Instant::now();
            (self.people.say(&self.openid, what).await, begun)
        };
        let heard = self.people.who_heard(&question).await;
        self.relayed.lock().unwrap().push(begun.elapsed().as_millis() as u64);
        heard
    }

    async fn answers(&self, to: &(String, String), what: &str) {
        let _calm = self.calm.read().await;
        self.people.answer(&to.1, &to.0, what).await;
    }

    async fn steady(self) {
        self.people.follow(&self.openid).await;
        let mut round = 0;
        while !self.enough.load(Ordering::SeqCst) {
            round += 1;
            let heard = self.asks(&format!("q{round}")).await;
            self.answers(&heard, &format!("a{round}")).await;
            tokio::time::sleep(self.pause).await;
        }
        self.people.idle(&self.openid).await;
    }

    /// Question, answer, silence; an answer that comes too late; a question, and the answer arrives again.
    async fn silent(self) {
        {
            let _calm = self.calm.read().await;
            self.people.follow(&self.openid).await;
        }
        for round in 1.. {
            let heard = self.asks(&format!("q{round}")).await;
            self.answers(&heard, &format!("a{round}")).await;
            self.people.idle(&self.openid).await;
            let until = self.hours.load(Ordering::SeqCst) + SILENCE_H + 1;
            while self.hours.load(Ordering::SeqCst) < until {
                if self.enough.load(Ordering::SeqCst) {
                    return;
                }
                tokio::time::sleep(self.pause).await;
            }
            self.answers(&heard, &format!("late{round}")).await;
            self.people.idle(&self.openid).await;
        }
    }
}
