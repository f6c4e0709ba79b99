//! F32, F40: an account that may not push. Agents' answers wait in the mailbox and go out as the reply to the customer's
//! next message, once, whatever happens to WeChat's attempts and to the gateway.

use super::on_every_engine;
use super::wire;
use crate::support::{AGENT, Engine, OPENID, Setup, World, engines};
use futures_util::future::join;
use serde_json::{Value, json};
use sim::{Fault, Format, Kind, Mode, PushConfig, Report};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;
use store::faults::MAILBOX_POINTS;

/// How long a reply takes to count as delivered, and then some: the machine may be busy.
const SETTLED: Duration = Duration::from_secs(90);
const WAITING: &str = "正在为您转接";
const KEPT: &str = "已留存，客户下次发来消息时送达";
const DELIVERED: &str = "留存的回复已送达";
const BETWEEN: &str = "\n———\n";

fn personal(engine: Engine) -> Setup {
    let mut setup = Setup::new(engine).account("reply = \"passive\"");
    setup.clouds.wechat[0].certified = false;
    setup
}

/// A reply without its link, and the id that the link has.
fn without_link(reply: &str) -> (String, Option<String>) {
    match reply.split_once("\n\n<a href=\"weixin://bizmsgmenu?msgmenucontent=") {
        Some((text, link)) => {
            let id = link.split("msgmenuid=").nth(1).unwrap().split('"').next().unwrap();
            assert!(link.ends_with("</a>"), "{link}");
            (text.to_owned(), Some(id.to_owned()))
        }
        None => (reply.to_owned(), None),
    }
}

impl World {
    async fn says(&self, text: &str) -> Report {
        self.control.say(&self.app_id(), OPENID, text).await.unwrap()
    }

    /// The customer taps a link; gives the reply.
    async fn taps(&self, id: &str) -> String {
        let tap = json!({"MsgType": "text", "Content": "查看回复", "bizmsgmenuid": id});
        let report = self.control.push(&self.app_id(), OPENID, tap).await.unwrap();
        report.reply.unwrap_or_else(|| panic!("a tap is answered: {}", report.outcome))
    }

    /// Waits until so many answers wait in the mailbox.
    async fn parked(&self, many: i64) {
        let mut seen = -1;
        for _ in 0..600 {
            seen = self.database.count("SELECT COUNT(*) FROM mailbox WHERE slot IS NULL").await;
            if seen == many {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{seen} answers wait, not {many}:\n{}", self.log());
    }

    /// Waits until nothing is on its way any more.
    async fn settled(&self) {
        let open = "SELECT COUNT(*) FROM delivery WHERE state NOT IN ('sent', 'failed', 'unsure')";
        let begun = std::time::Instant::now();
        while self.database.count(open).await != 0 {
            assert!(begun.elapsed() < SETTLED, "something has not ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.drained().await;
    }

    /// How often the customer's phone shows this answer, alone or with others.
    async fn shown_in_replies(&self, answer: &str) -> usize {
        let received = self.control.received(&self.app_id(), OPENID).await.unwrap();
        let parts = received.iter().flat_map(|reply| {
            let (text, _) = without_link(reply);
            text.split(BETWEEN).map(str::to_owned).collect::<Vec<_>>()
        });
        parts.filter(|part| part == answer).count()
    }

    async fn told(&self, words: &str, answer: &str) -> usize {
        let notice = format!("{words}：「{answer}」");
        self.shown_to_agent(|text| text.contains(&notice)).await
    }

    async fn fault_lines(&self) -> usize {
        self.shown_to_customer("该公众号提供的服务出现故障，请稍后再试").await
    }

    async fn state_of(&self, answer: &str) -> String {
        let all = self.database.pairs("SELECT body, state FROM delivery").await;
        all.into_iter().find(|(body, _)| body == answer).map(|(_, state)| state).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_the_story_of_a_personal_account() {
    on_every_engine(|engine| async move {
        let world = personal(engine).start().await;
        world.control.follow(&world.app_id(), OPENID).await.unwrap();
        let (words, link) = without_link(&world.says("question").await.reply.unwrap());
        assert_eq!((words.as_str(), link.is_some()), (WAITING, true));
        let ghost = world.agent_sees("question").await;
        // The clocks move, so that the customer writes next after so long.
        for (n, (after, away)) in [
            ("after 1 s", 1_000),
            ("after 10 s", 10_000),
            ("after 1 min", 60_000),
            ("after 1 day", 86_400_000),
        ]
        .into_iter()
        .enumerate()
        {
            world.agent_says(&ghost, after).await;
            world.notice(&format!("{KEPT}：「{after}」")).await;
            world.parked(1).await;
            assert_eq!(world.shown_in_replies(after).await, 0, "nothing is pushed");
            world.advance(away).await;
            let next = format!("next {n}");
            assert_eq!(world.says(&next).await.reply.as_deref(), Some(after));
            world.agent_sees(&next).await;
        }
        let nothing = world.says("thanks").await;
        assert_eq!((nothing.outcome.as_str(), nothing.attempts), ("ack", 1), "nothing waits");
        world.settled().await;
        for after in ["after 1 s", "after 10 s", "after 1 min", "after 1 day"] {
            assert_eq!(world.shown_in_replies(after).await, 1);
            assert_eq!(world.state_of(after).await, "sent");
            assert_eq!(world.told(DELIVERED, after).await, 1);
        }
        assert_eq!(world.calls("wechat.custom_send").await.len(), 0);
        assert_eq!(world.fault_lines().await, 0);
        assert_eq!(world.metric("tsunagi_passive").await, 1.0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_three_long_answers_are_read_to_their_end_by_tapping() {
    on_every_engine(|engine| async move {
        for (mode, format) in [(Mode::Plain, Format::Json), (Mode::Secure, Format::Xml)] {
            let world = personal(engine).mode(mode, format).start().await;
            world.says("question").await;
            let ghost = world.agent_sees("question").await;
            let long = |what: &str| -> String { (0..150).map(|n| format!("{what}第{n}句。")).collect() };
            let (first, second, third) = (long("一"), long("二"), long("三"));
            for answer in [&first, &second, &third] {
                assert!(answer.len() > 2_048);
                world.agent_says(&ghost, answer).await;
            }
            world.parked(6).await;
            let mut reply = world.says("and?").await.reply.unwrap();
            let mut read = String::new();
            let mut taps = 0;
            loop {
                assert!(reply.len() <= 2_048);
                let (text, link) = without_link(&reply);
                read.push_str(&text.replace(BETWEEN, ""));
                let Some(link) = link else { break };
                taps += 1;
                assert!(taps < 12, "it never ends");
                reply = world.taps(&link).await;
            }
            assert_eq!(read, format!("{first}{second}{third}"));
            world.agent_sees("and?").await;
            world.settled().await;
            assert_eq!(world.shown_to_agent(|text| text.contains("查看回复")).await, 0, "a tap is nobody's words");
            let ends = world.database.count("SELECT COUNT(*) FROM delivery d, message m WHERE m.id = d.message AND m.direction = 'out' AND d.state = 'sent'").await;
            assert_eq!(ends, 6);
            for answer in [&first, &second, &third] {
                let begins: String = answer.chars().take(20).collect();
                assert_eq!(world.told(DELIVERED, &format!("{begins}…")).await, 1);
            }
            // A tap when nothing waits is answered too, with another link.
            let (words, link) = without_link(&world.taps("tsunagi-000000000000").await);
            assert!(words.contains("暂时还没有新的回复") && link.is_some());
            world.drained().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_an_agent_who_is_quick_is_waited_for() {
    let held = |engine| {
        let mut setup = personal(engine).account("passive_hold = 14");
        setup.clouds.push = PushConfig::default();
        setup
    };
    // One world each, at once: they are all waiting.
    let quick = async {
        let world = held(Engine::Sqlite).start().await;
        let agent = async {
            let ghost = world.agent_sees("quick?").await;
            world.agent_says(&ghost, "within a second").await;
        };
        let (report, ()) = join(world.says("quick?"), agent).await;
        assert_eq!((report.reply.as_deref(), report.attempts), (Some("within a second"), 1));
        world.settled().await;
        assert_eq!(world.state_of("within a second").await, "sent");
        assert_eq!(world.notices().await, 0, "it went out like any other answer");
        assert_eq!(world.fault_lines().await, 0);
    };
    let slow = async {
        let world = held(Engine::Sqlite).start().await;
        let agent = async {
            let ghost = world.agent_sees("slow?").await;
            tokio::time::sleep(Duration::from_secs(11)).await;
            world.agent_says(&ghost, "on the last attempt").await;
        };
        let (report, ()) = join(world.says("slow?"), agent).await;
        assert_eq!((report.reply.as_deref(), report.attempts), (Some("on the last attempt"), 3));
        world.settled().await;
        assert_eq!(world.state_of("on the last attempt").await, "sent");
        assert_eq!(world.notices().await, 0);
        assert_eq!(world.fault_lines().await, 0);
    };
    let late = async {
        let world = held(Engine::Sqlite).start().await;
        let report = world.says("nobody?").await;
        let (words, link) = without_link(&report.reply.unwrap());
        assert_eq!((words.as_str(), link.is_some(), report.attempts), (WAITING, true, 3));
        let ghost = world.agent_sees("nobody?").await;
        world.agent_says(&ghost, "too late for that").await;
        world.notice(&format!("{KEPT}：「too late for that」")).await;
        assert_eq!(world.taps(&link.unwrap()).await, "too late for that");
        assert_eq!(world.fault_lines().await, 0);
    };
    join(join(quick, slow), late).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_attempts_that_are_lost_get_the_same_bytes_and_count_once() {
    on_every_engine(|engine| async move {
        for identical in [false, true] {
            let mut setup = personal(engine).mode(Mode::Secure, Format::Xml);
            setup.clouds.push.identical = identical;
            let world = setup.start().await;
            world.says("question").await;
            let ghost = world.agent_sees("question").await;
            let cases = [
                (Fault::once("wechat.push", Kind::ResetAfter), "answer lost once", "sent"),
                (Fault::times("wechat.push", Kind::ResetAfter, 2), "answer lost twice", "unsure"),
                (Fault::once("wechat.push", Kind::Duplicate), "asked for again", "sent"),
                (Fault::once("wechat.push", Kind::Overlap).value(2), "two at once", "sent"),
                (Fault::times("wechat.push", Kind::ResetBefore, 2), "only the last attempt", "sent"),
            ];
            for (n, (fault, answer, _)) in cases.iter().enumerate() {
                world.agent_says(&ghost, answer).await;
                world.parked(1).await;
                world.fault(fault.clone()).await;
                let report = world.says(&format!("next {n}")).await;
                assert_eq!(report.reply.as_deref(), Some(*answer), "{answer}");
            }
            world.settled().await;
            for (_, answer, state) in &cases {
                assert_eq!(world.shown_in_replies(answer).await, 1, "{answer}");
                assert_eq!(world.state_of(answer).await, *state, "{answer}");
            }
            // Who cannot know says so: three timely answers, two of which were lost.
            assert_eq!(world.told("无法确认是否送达", "answer lost twice").await, 1);
            assert_eq!(world.fault_lines().await, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_an_attempt_on_another_node_gets_the_same_bytes() {
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let world = personal(Engine::Postgres).mode(Mode::Secure, Format::Xml).start().await;
    let second = world.second().await;
    world.says("question").await;
    let ghost = world.agent_sees("question").await;
    world.agent_says(&ghost, "one answer").await;
    world.parked(1).await;
    let document = wire::text(OPENID, 77_001, "next");
    let first = world.push_sealed(&document, "1").await;
    world.agent_says(&ghost, "another answer").await;
    world.parked(1).await;
    let (query, body) = wire::envelope(&wire::encrypted(&document, None), "", "2");
    let repeat = wire::post(format!("{}/wechat/shop?{query}", second.webhooks), body).await;
    assert_eq!((first.status, repeat.status), (200, 200));
    assert!(first.text().contains("<Encrypt>"));
    assert_eq!(first.body, repeat.body, "sealed once");
    world.parked(1).await;
    // Both at once, to both nodes: one binds, both say the same.
    let document = wire::text(OPENID, 77_002, "and next");
    let (query, body) = wire::envelope(&wire::encrypted(&document, None), "", "3");
    let elsewhere = wire::post(format!("{}/wechat/shop?{query}", second.webhooks), body);
    let (here, there) = join(world.push_sealed(&document, "4"), elsewhere).await;
    assert_eq!((here.status, &here.body), (there.status, &there.body));
    assert_ne!(here.body, first.body);
    world.settled().await;
    assert_eq!(world.state_of("one answer").await, "sent");
    assert_eq!(world.state_of("another answer").await, "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_an_account_that_turns_out_to_be_passive_is_treated_so() {
    on_every_engine(|engine| async move {
        let mut setup = Setup::new(engine).store("lease = 2");
        setup.clouds.wechat[0].certified = false;
        let mut world = setup.start().await;
        assert_eq!(world.says("question").await.reply.as_deref(), Some(WAITING));
        let ghost = world.agent_sees("question").await;
        world.agent_says(&ghost, "refused with 48001").await;
        world.notice(&format!("{KEPT}：「refused with 48001」")).await;
        assert_eq!(world.metric("tsunagi_alarms_total{what=\"passive_account\"}").await, 1.0);
        assert!(world.log().contains("may not") || world.log().contains("48001"), "{}", world.log());
        // A restart remembers it.
        world.drained().await;
        world.kill();
        world.spawn(&[]);
        world.ready().await;
        assert_eq!(world.says("next").await.reply.as_deref(), Some("refused with 48001"));
        world.agent_says(&ghost, "not tried again").await;
        world.notice(&format!("{KEPT}：「not tried again」")).await;
        assert_eq!(world.calls("wechat.custom_send").await.len(), 1);
        assert_eq!(world.says("again").await.reply.as_deref(), Some("not tried again"));

        // A day later it is tried again, by one answer; refused once more, that one waits like the others.
        let a_day_later = "UPDATE passive SET probe_at = 0";
        world.database.execute(a_day_later).await;
        world.agent_says(&ghost, "tried in vain").await;
        world.notice(&format!("{KEPT}：「tried in vain」")).await;
        assert_eq!(world.calls("wechat.custom_send").await.len(), 2);
        assert_eq!(world.says("still").await.reply.as_deref(), Some("tried in vain"));
        world.control.configure(json!({"app_id": world.app_id(), "certified": true})).await.unwrap();
        world.database.execute(a_day_later).await;
        world.agent_says(&ghost, "pushed").await;
        world.customer_sees("pushed").await;
        world.agent_says(&ghost, "pushed too").await;
        world.customer_sees("pushed too").await;
        world.settled().await;
        assert_eq!(world.database.count("SELECT COUNT(*) FROM passive").await, 0);
        for answer in ["refused with 48001", "not tried again", "tried in vain", "pushed", "pushed too"] {
            assert_eq!(world.shown_in_replies(answer).await, 1, "{answer}");
            assert_eq!(world.state_of(answer).await, "sent", "{answer}");
        }
        assert_eq!(world.fault_lines().await, 0);
    })
    .await;
}

/// The story of a personal account with a gateway that dies at one point and is started again.
async fn killed_at(engine: Engine, point: &'static str) -> Result<(), String> {
    let mut setup = personal(engine).store("lease = 2").env("TSUNAGI_KILL_AT", point);
    // Time enough for a gateway to come back between two attempts.
    setup.clouds.push = PushConfig::quick(4_000, 3_000);
    // Its way back to pushing.
    if point == "unpark.after_commit" {
        setup.account.push_str("park = true\n");
        setup.account = setup.account.replace("reply = \"passive\"\n", "");
        setup.clouds.wechat[0].certified = true;
    }
    let mut world = setup.start().await;
    let died = std::sync::atomic::AtomicBool::new(false);
    let answers = ["[one]", "[two]", "[three]"];
    let (control, app_id, database) = (world.control.clone(), world.app_id(), world.database.clone());
    let people = async {
        if point == "unpark.after_commit" {
            control.fault(Fault::once("wechat.custom_send", Kind::Errcode).value(45015)).await.unwrap();
        }
        control.say(&app_id, OPENID, "question").await.unwrap();
        let heard = |text: &'static str| {
            let control = control.clone();
            async move {
                let line = control
                    .wait_for(SETTLED, move |line| line["kind"] == "delivered" && line["text"] == text)
                    .await
                    .map_err(|error| error.to_string())?;
                Ok::<Value, String>(line["from"].clone())
            }
        };
        let ghost = heard("question").await?;
        let ghost = ghost.as_str().unwrap();
        for (answer, next) in answers.into_iter().zip(["next 1", "next 2", "next 3"]) {
            // IM tells of it once; what comes while nobody is there is found in its history.
            control.agent_say(AGENT, ghost, answer).await.unwrap().unwrap();
            for _ in 0..600 {
                let taken = database.pairs("SELECT body, state FROM delivery").await;
                if taken
                    .iter()
                    .any(|(body, state)| body == answer && state != "waiting" && state != "sending")
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            control.say(&app_id, OPENID, next).await.unwrap();
            heard(next).await?;
        }
        Ok::<(), String>(())
    };
    let watched = async {
        let mut people = std::pin::pin!(people);
        loop {
            tokio::select! {
                done = &mut people => return done,
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            if let Some(status) = world.died() {
                assert_eq!(status.signal(), Some(9), "the gateway ended by itself:\n{}", world.log());
                died.store(true, std::sync::atomic::Ordering::SeqCst);
                world.spawn(&[]);
            }
        }
    };
    watched.await?;
    // What is under way is settled, and at some points that is where it dies.
    let begun = std::time::Instant::now();
    loop {
        if let Some(status) = world.died() {
            assert_eq!(status.signal(), Some(9), "the gateway ended by itself:\n{}", world.log());
            died.store(true, std::sync::atomic::Ordering::SeqCst);
            world.spawn(&[]);
            world.ready().await;
        }
        let open = "SELECT COUNT(*) FROM delivery WHERE state NOT IN ('sent', 'failed', 'unsure')";
        if world.database.count(open).await == 0
            && world.database.count("SELECT COUNT(*) FROM job").await == 0
        {
            break;
        }
        if begun.elapsed() > SETTLED {
            return Err(format!("something has not ended; {}", world.keep_log()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut wrong = Vec::new();
    if !died.into_inner() {
        wrong.push("the story did not pass this point".to_owned());
    }
    let mut states = BTreeMap::new();
    for answer in answers {
        let (shown, state) = (world.shown_in_replies(answer).await, world.state_of(answer).await);
        let unsure = world.told("无法确认是否送达", answer).await;
        let fits = match state.as_str() {
            "sent" => shown == 1 && unsure == 0,
            "unsure" => shown <= 1 && unsure == 1,
            _ => false,
        };
        if !fits {
            wrong.push(format!("{answer} is {state}, shown {shown} times, {unsure} notices of unsure"));
        }
        states.insert(answer, state);
    }
    // Where nothing was written before the end, nothing is unsure.
    let sure = !matches!(point, "slot.after_bind" | "slot.before_written");
    if sure && states.values().any(|state| state == "unsure") {
        wrong.push(format!("{states:?}"));
    }
    if world.fault_lines().await > 0 {
        wrong.push("the customer saw the fault notice".to_owned());
    }
    if wrong.is_empty() {
        world.database.discard().await;
        return Ok(());
    }
    Err(format!("{}\n{}", wrong.join("\n"), world.keep_log()))
}

async fn killed_at_every_point(engine: Engine) {
    let places = Arc::new(tokio::sync::Semaphore::new(3));
    let trials = MAILBOX_POINTS.iter().map(|point| {
        let places = places.clone();
        async move {
            let _place = places.acquire_owned().await.unwrap();
            (*point, killed_at(engine, point).await)
        }
    });
    let ends = futures_util::future::join_all(trials).await;
    let failed: Vec<String> =
        ends.into_iter().filter_map(|(point, end)| end.err().map(|why| format!("{point}: {why}"))).collect();
    assert!(failed.is_empty(), "{} points failed:\n{}", failed.len(), failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_f40_killed_at_every_point_of_a_waiting_answer_on_sqlite() {
    killed_at_every_point(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_f40_killed_at_every_point_of_a_waiting_answer_on_postgres() {
    if engines().contains(&Engine::Postgres) {
        killed_at_every_point(Engine::Postgres).await;
    }
}
