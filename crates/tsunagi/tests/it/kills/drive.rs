//! The people: customers and agents who go on whatever happens to the gateway.
//!
//! Every text is unique and in brackets, so that none is part of another. WeChat offers a push three times. IM tells
//! of an agent's message once, so an agent whose message was not taken says it again, in other words.

use super::dice::Dice;
use crate::support::{Database, PATIENCE, World};
use serde_json::json;
use sim::{Clock, Control, WechatAccountConfig};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The clock of clouds and gateways.
pub(crate) fn now_ms() -> i64 {
    Clock::real().now_ms()
}

/// A customer's openid.
pub(crate) fn openid(n: usize) -> String {
    format!("oAbCdEfGhIjKlMnOpQrStUvWx{n:03}")
}

/// How long a customer waits for an agent: more than the ten seconds in which WeChat offers a push, and what a gateway needs
/// to be back.
const ASKS_AGAIN: Duration = Duration::from_secs(30);

/// Everybody. Cheap to clone.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) control: Control,
    app_id: String,
    database: Database,
    /// Where readiness is asked for.
    admin: Arc<Mutex<String>>,
    seen: Arc<Mutex<Seen>>,
    /// How long anybody waits for anything.
    patience: Duration,
    _tail: Arc<Tail>,
}

/// What the journal has told so far.
#[derive(Default)]
struct Seen {
    /// Text → the ghost that said it, and the agent who heard it.
    heard: HashMap<String, (String, String)>,
    /// MsgKey → whether the gateway took the message.
    taken: HashMap<String, bool>,
}

/// Follows the journal; ends with the last clone.
struct Tail(JoinHandle<()>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl People {
    pub(crate) fn of(world: &World) -> People {
        People::new(world.control.clone(), world.database.clone(), &world.admin)
    }

    /// Of the shop's customers and agents; `admin` is asked whether a gateway is ready.
    pub(crate) fn new(control: Control, database: Database, admin: &str) -> People {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let tail = tokio::spawn(follow_journal(control.clone(), seen.clone()));
        People {
            control,
            app_id: WechatAccountConfig::shop().app_id,
            database,
            admin: Arc::new(Mutex::new(admin.to_owned())),
            seen,
            patience: PATIENCE,
            _tail: Arc::new(Tail(tail)),
        }
    }

    /// The same, who wait for longer.
    pub(crate) fn patient(self, patience: Duration) -> People {
        People { patience, ..self }
    }

    /// From now on, another gateway is meant by "ready".
    pub(crate) fn ask(&self, admin: &str) {
        *self.admin.lock().unwrap() = admin.to_owned();
    }

    /// The whole story of so many customers at once.
    pub(crate) async fn stories(self, customers: usize) {
        let stories = (0..customers).map(|n| tokio::spawn(self.clone().story(n)));
        for story in stories.collect::<Vec<_>>() {
            story.await.unwrap();
        }
    }

    /// Follow, two questions, two answers, unfollow, follow again, question, answer.
    async fn story(self, n: usize) {
        let openid = openid(n);
        self.control.follow(&self.app_id, &openid).await.unwrap();
        self.say(&openid, "q1").await;
        let question = self.say(&openid, "q2").await;
        let (ghost, agent) = self.who_heard(&question).await;
        self.answer(&agent, &ghost, "a1").await;
        self.answer(&agent, &ghost, "a2").await;
        // What is still under way when somebody leaves is failed by design: another story.
        self.idle(&openid).await;
        self.control.unfollow(&self.app_id, &openid).await.unwrap();
        self.control.follow(&self.app_id, &openid).await.unwrap();
        let question = self.say(&openid, "q3").await;
        let (ghost, agent) = self.who_heard(&question).await;
        assert_eq!(ghost, format!("{openid}-2"), "a deleted UserID is not used again");
        self.answer(&agent, &ghost, "a3").await;
        self.idle(&openid).await;
    }

    /// One customer and whoever answers her, until it is enough: they come, talk and leave again.
    pub(crate) async fn converse(self, n: usize, mut dice: Dice, enough: Arc<AtomicBool>) {
        let openid = openid(n);
        let mut round = 0;
        while !enough.load(Ordering::Relaxed) {
            self.follow(&openid).await;
            let (ghost, agent) = self.get_through(&openid, &mut round).await;
            for _ in 0..=dice.below(20) {
                if enough.load(Ordering::Relaxed) {
                    break;
                }
                round += 1;
                self.say(&openid, &format!("q{round}")).await;
                self.answer(&agent, &ghost, &format!("a{round}")).await;
                tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
                // Nobody writes much further while nothing comes back.
                if round % 4 == 0 {
                    self.idle(&openid).await;
                }
            }
            // What is still under way when somebody leaves is failed by design: another story.
            self.idle(&openid).await;
            self.unfollow(&openid).await;
            round += 1;
        }
        self.idle(&openid).await;
    }

    pub(crate) async fn follow(&self, openid: &str) {
        self.control.follow(&self.app_id, openid).await.unwrap();
    }

    pub(crate) async fn unfollow(&self, openid: &str) {
        self.control.unfollow(&self.app_id, openid).await.unwrap();
    }

    /// The customer writes; gives the text.
    pub(crate) async fn say(&self, openid: &str, what: &str) -> String {
        let text = format!("[{} {what}]", &openid[25..]);
        self.control.say(&self.app_id, openid, &text).await.unwrap();
        text
    }

    /// The customer asks until an agent hears it; gives the ghost that said it, and the agent.
    ///
    /// WeChat gives up a push after three offers, and a gateway that may not take it (its disk is full) refuses all three.
    /// Whoever gets no answer asks again; a push that was acknowledged and did not arrive is for the checker to find.
    async fn get_through(&self, openid: &str, round: &mut u32) -> (String, String) {
        let begun = Instant::now();
        loop {
            let question = self.say(openid, &format!("q{round}")).await;
            let heard = || self.seen.lock().unwrap().heard.get(&question).cloned();
            match tokio::time::timeout(ASKS_AGAIN, self.until(&question, heard)).await {
                Ok(who) => return who,
                Err(_) => assert!(begun.elapsed() < self.patience, "nobody saw {question}"),
            }
            *round += 1;
        }
    }

    /// The agent writes when the gateway is there, and again if it died over it.
    pub(crate) async fn answer(&self, agent: &str, ghost: &str, what: &str) {
        for attempt in 1.. {
            self.ready().await;
            let text = format!("[{} {what}/{attempt}]", &ghost[25..]);
            let message =
                json!({"to": ghost, "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]});
            let key = self.control.agent_send(agent, message).await.unwrap().unwrap();
            let took = || self.seen.lock().unwrap().taken.get(&key).copied();
            if self.until("the webhook's end", took).await {
                return;
            }
        }
    }

    /// Waits until an agent sees the text; gives the ghost that said it, and the agent, whose conversation it is.
    pub(crate) async fn who_heard(&self, text: &str) -> (String, String) {
        self.until(text, || self.seen.lock().unwrap().heard.get(text).cloned()).await
    }

    /// Waits until nothing is left to do for a customer.
    pub(crate) async fn idle(&self, openid: &str) {
        let begun = Instant::now();
        loop {
            // Whatever is not sorted yet may be this customer's.
            let left = "SELECT lane, kind FROM job UNION ALL SELECT 'spool', arrivals FROM spool";
            let left = self.database.pairs(left).await;
            let left: Vec<_> =
                left.iter().filter(|(lane, _)| lane == "spool" || lane.ends_with(openid)).collect();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < self.patience, "work is left: {left:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ready(&self) {
        let begun = Instant::now();
        loop {
            let admin = self.admin.lock().unwrap().clone();
            let asked = reqwest::Client::new().get(format!("{admin}/readyz")).timeout(Duration::from_secs(1));
            if asked.send().await.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(begun.elapsed() < self.patience, "the gateway does not come back");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn until<T>(&self, what: &str, known: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(value) = known() {
                return value;
            }
            assert!(begun.elapsed() < self.patience, "nobody saw {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn follow_journal(control: Control, seen: Arc<Mutex<Seen>>) {
    let mut n = 0;
    loop {
        // The clouds end before whoever follows them.
        let Ok(lines) = control.journal(n).await else { return };
        for line in lines {
            n = line["n"].as_u64().unwrap();
            let word = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let mut seen = seen.lock().unwrap();
            if line["cloud"] == "im" && line["kind"] == "delivered" && !line["cloud_custom_data"].is_null() {
                seen.heard.insert(word("text"), (word("from"), word("to")));
            } else if line["kind"] == "callback" {
                let taken = word("outcome") == "answered" && line["error_code"] == 0;
                seen.taken.insert(word("msg_key"), taken);
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
