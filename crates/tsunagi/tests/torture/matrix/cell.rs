//! One cell: a world, a burst, a fault in the middle of it.

use super::faults::{closes_the_door, faults, targets};
use super::judge::{Judged, judge};
use super::plan::{Act, Customer, plan};
use super::table::{Condition, End, Operation, end};
use crate::drive::{People, now_ms, openid};
use crate::scenario::Report;
use crate::support::{AGENT, Engine, Setup, World, http};
use base64::Engine as _;
use serde_json::{Value, json};
use sim::{Fault, Kind, PushConfig};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a fault lasts at least.
const WINDOW: Duration = Duration::from_secs(4);
/// The same for files: longer than a try at either address, when their patience is over.
const FILE_WINDOW: Duration = Duration::from_secs(8);
/// A machine that is busy with other things may need longer to feel it.
const UNFELT: Duration = Duration::from_secs(30);
/// Faults are taken back before this is over, in milliseconds.
const LONG: u64 = 120_000;
/// How long a cell may take to end after that.
const PATIENCE: Duration = Duration::from_secs(120);
/// Customers who write all the time, whatever the fault is about.
const BYSTANDERS: usize = 3;
const PAUSE: Duration = Duration::from_millis(150);
const DAY: i64 = 86_400_000;
/// China is eight hours ahead of UTC.
const CHINA: i64 = 8 * 3_600_000;
/// Any picture; one of its own length is another picture.
pub(super) const PICTURE: &[u8] = include_bytes!("../../../../sim/src/wechat/samples/picture.jpg");

#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) operation: Operation,
    /// None: without a fault, for comparison.
    pub(super) condition: Option<Condition>,
    pub(super) engine: Engine,
    pub(super) messages: usize,
    pub(super) seed: u64,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.condition.map_or("no fault", Condition::title);
        write!(f, "{} × {condition} ({:?}, seed {})", self.operation.title(), self.engine, self.seed)
    }
}

/// A cell while it is played.
#[derive(Clone)]
pub(super) struct Played {
    pub(super) world: Arc<World>,
    people: People,
    /// Openid → her ghost and her agent.
    ghosts: Arc<HashMap<String, (String, String)>>,
    /// Whose picture has which number.
    pictures: Arc<Mutex<Vec<String>>>,
    next_word: Arc<AtomicUsize>,
}

impl Cell {
    pub(super) fn end(self) -> End {
        self.condition.map_or(End::Sent, |condition| end(self.operation, condition))
    }

    fn window(self) -> Duration {
        if self.operation == Operation::MediaGet { FILE_WINDOW } else { WINDOW }
    }

    fn setup(self) -> Setup {
        let mut setup = Setup::new(self.engine);
        // WeChat's own times: an answer within five seconds, or another attempt.
        setup.clouds.push = PushConfig::default();
        // Long, so that no other call takes too long on a busy machine; where a call is never answered, short.
        let timeout = match self.condition {
            Some(Condition::Silent | Condition::OneByte) => 5,
            _ => 15,
        };
        let media = match self.condition {
            None | Some(Condition::Late) => "fetch_timeout = 20",
            // How large a file is shows when it comes, however slowly.
            Some(Condition::Flood) => "fetch_timeout = 20\nmax_bytes = 1048576",
            Some(_) => "fetch_timeout = 5\nfetch_patience = 2",
        };
        setup.store("lease = 40").media(media).desk(&format!(
            "[calls]\nconnect_timeout = 1\ntimeout = {timeout}\n\
             [jobs]\nrelay_patience = 172800\nanswer_patience = 172800\n\
             [desk]\nreconcile_every = {}\n",
            if self.operation == Operation::History { 2 } else { 300 },
        ))
    }

    /// Plays it, and gives what came of it.
    pub(super) async fn play(self) -> Judged {
        let world = Arc::new(self.setup().start().await);
        let people = People::of(&world);
        let customers = plan(self.operation, self.messages);
        let ghosts = opened(&people, &customers).await;
        let played = Played {
            world,
            people,
            ghosts: Arc::new(ghosts),
            pictures: Arc::default(),
            next_word: Arc::default(),
        };
        let enough = Arc::new(AtomicBool::new(false));
        let bystanders: Vec<_> = (0..BYSTANDERS)
            .map(|n| tokio::spawn(stand_by(played.people.clone(), 990 + n, enough.clone())))
            .collect();
        // Its webhooks are answered then; most of its calls are still to be made.
        finish(played.clone().wave(&customers, 0)).await;
        if self.condition.is_some_and(closes_the_door) || self.operation == Operation::Delete {
            // A call under way is cut when the door shuts, which is another cell; what still waits when somebody leaves
            // is failed by design.
            enough.store(true, Ordering::Relaxed);
        }
        let bystanders = match enough.load(Ordering::Relaxed) {
            true => {
                finish(bystanders).await;
                if let Err(left) = played.drained(self.end(), PATIENCE).await {
                    return self.stuck(&played, "before the fault", left);
                }
                enough.store(false, Ordering::Relaxed);
                let again = |n| tokio::spawn(stand_by(played.people.clone(), 990 + n, enough.clone()));
                (0..BYSTANDERS).map(again).collect()
            }
            false => bystanders,
        };
        let begun = Instant::now();
        if let Some(condition) = self.condition {
            played.break_it(self, condition).await;
        }
        finish(played.clone().wave(&customers, 1)).await;
        while begun.elapsed() < self.window() || (!self.is_felt(&played).await && begun.elapsed() < UNFELT) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        enough.store(true, Ordering::Relaxed);
        finish(bystanders).await;
        played.world.control.clear_faults().await.unwrap();
        played.pass_the_time(self.end()).await;
        finish(played.clone().wave(&customers, 2)).await;
        if let Err(left) = played.drained(self.end(), PATIENCE).await {
            return self.stuck(&played, "after the fault", left);
        }
        let judged = judge(self, &played, &customers, targets(self.operation)).await;
        if judged.report.findings.is_empty() {
            played.world.database.discard().await;
        }
        judged
    }

    /// Whether the fault has met enough calls to be over.
    async fn is_felt(self, played: &Played) -> bool {
        // One fetches the token for all; what rests is not asked for again.
        let once = self.operation == Operation::Token || matches!(self.end(), End::NextMinute | End::NextDay);
        let enough = if once || self.messages < 20 { 1 } else { 3 };
        if self.condition.is_none_or(closes_the_door) {
            return true;
        }
        if self.end() == End::FailedBusy {
            let failed = "SELECT COUNT(*) FROM delivery WHERE state = 'failed'";
            return played.world.database.count(failed).await > 0;
        }
        let lines = played.world.control.journal(0).await.unwrap();
        let targets = targets(self.operation);
        lines
            .iter()
            .filter(|line| line["kind"] == "fault" && targets.iter().any(|api| line["api"] == *api))
            .count()
            >= enough
    }

    fn stuck(self, played: &Played, when: &str, left: Vec<(String, String)>) -> Judged {
        let kept = played.world.keep_log();
        let report = Report::broken(format!("{self}: {when} work is left for ever: {left:?}; {kept}"));
        Judged { report, only_late: false }
    }
}

/// Lets the customers write who are known before the fault; gives their ghosts and agents.
async fn opened(people: &People, customers: &[Customer]) -> HashMap<String, (String, String)> {
    let open = |openid: String| {
        let people = people.clone();
        tokio::spawn(async move {
            people.follow(&openid).await;
            let question = people.say(&openid, "q").await;
            let heard = people.who_heard(&question).await;
            people.idle(&openid).await;
            (openid, heard)
        })
    };
    let known = customers.iter().filter(|customer| customer.opened).map(|customer| customer.openid.clone());
    let mut ghosts = HashMap::new();
    for opening in known.map(open).collect::<Vec<_>>() {
        let (openid, heard) = opening.await.unwrap();
        ghosts.insert(openid, heard);
    }
    ghosts
}

async fn stand_by(people: People, n: usize, enough: Arc<AtomicBool>) {
    static WORD: AtomicUsize = AtomicUsize::new(0);
    let openid = openid(n);
    while !enough.load(Ordering::Relaxed) {
        people.say(&openid, &format!("b{}", WORD.fetch_add(1, Ordering::Relaxed))).await;
        tokio::time::sleep(PAUSE).await;
    }
}

type Tasks = Vec<tokio::task::JoinHandle<()>>;

async fn finish(tasks: Tasks) {
    for task in tasks {
        task.await.unwrap();
    }
}

impl Played {
    /// All customers do at once what they do in this wave, each in her order.
    fn wave(self, customers: &[Customer], n: usize) -> Tasks {
        let acting = customers.iter().filter(|customer| !customer.waves[n].is_empty()).cloned();
        let act = |customer: Customer| {
            let played = self.clone();
            tokio::spawn(async move {
                for act in &customer.waves[n] {
                    played.act(&customer.openid, *act).await;
                }
            })
        };
        acting.map(act).collect()
    }

    async fn act(&self, openid: &str, act: Act) {
        let word = format!("m{}", self.next_word.fetch_add(1, Ordering::Relaxed));
        let control = &self.world.control;
        match act {
            Act::Say => drop(self.people.say(openid, &word).await),
            Act::Answer => {
                let (ghost, agent) = &self.ghosts[openid];
                self.people.answer(agent, ghost, &word).await;
            }
            Act::LostAnswer => {
                let (ghost, agent) = &self.ghosts[openid];
                let text = format!("[{} {word}/lost]", &openid[25..]);
                let element = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
                control.fault(Fault::once("im.callback_after", Kind::Refuse)).await.unwrap();
                control.agent_send(agent, json!({"to": ghost, "body": element})).await.unwrap().unwrap();
            }
            Act::SendPicture => {
                let picture = base64::engine::general_purpose::STANDARD.encode(self.picture(openid));
                let message = json!({"type": "image", "base64": picture});
                control.send(&self.world.app_id(), openid, message).await.unwrap();
            }
            Act::AnswerPicture => {
                let (ghost, agent) = &self.ghosts[openid];
                let address =
                    format!("{}/sim/im/agents/{AGENT}/upload?name=p.jpg", self.world.clouds.control_url);
                let told = http().post(address).body(self.picture(openid)).send().await.unwrap();
                let url = told.json::<Value>().await.unwrap()["url"].clone();
                let element = json!([{"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1,
                    "ImageInfoArray": [{"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": url}]}}]);
                control.agent_send(agent, json!({"to": ghost, "body": element})).await.unwrap().unwrap();
            }
            Act::Return => {
                self.people.unfollow(openid).await;
                self.people.follow(openid).await;
            }
        }
    }

    /// A picture that is told from all others by its length.
    fn picture(&self, openid: &str) -> Vec<u8> {
        let mut pictures = self.pictures.lock().unwrap();
        pictures.push(openid.to_owned());
        [PICTURE, &vec![0; pictures.len()][..]].concat()
    }

    /// Whose they are, by number.
    pub(super) fn pictures(&self) -> Vec<String> {
        self.pictures.lock().unwrap().clone()
    }

    async fn break_it(&self, cell: Cell, condition: Condition) {
        let (control, operation) = (&self.world.control, cell.operation);
        let door = closes_the_door(condition);
        let for_ms = if door { cell.window().as_millis() as u64 } else { LONG };
        if operation == Operation::History {
            // What the history is asked about.
            let unclear = Fault::lasting("im.sendmsg", Kind::ResetAfter, LONG);
            if !door {
                control.fault(unclear).await.unwrap();
            }
        }
        for fault in faults(operation, condition, for_ms) {
            control.fault(fault).await.unwrap();
        }
        if operation == Operation::Token || condition == Condition::TokenInvalid {
            // Last, so that nobody fetches another before it.
            let revoke = format!("/sim/wechat/{}/revoke_tokens", self.world.app_id());
            control.post(&revoke, json!({})).await.unwrap();
        }
    }

    /// Until what rests may go on.
    async fn pass_the_time(&self, end: End) {
        match end {
            End::NextMinute => self.world.advance(66_000).await,
            End::NextDay => {
                let midnight = DAY - (now_ms() + CHINA).rem_euclid(DAY);
                self.world.advance(midnight + 61_000).await;
            }
            _ => {}
        }
    }

    /// Waits until nothing is left to do, files that are late included; gives what is left when that takes too long.
    async fn drained(&self, end: End, patience: Duration) -> Result<(), Vec<(String, String)>> {
        let database = &self.world.database;
        let begun = Instant::now();
        loop {
            // First what becomes a job when it comes.
            let late = database.pairs("SELECT id, state FROM media WHERE state IN ('late', 'wanted')").await;
            let left = database
                .pairs("SELECT lane, kind FROM job UNION ALL SELECT 'spool', arrivals FROM spool")
                .await;
            if left.is_empty() && late.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err([left, late].concat());
            }
            if matches!(end, End::NextMinute | End::NextDay) {
                // Lanes wait by the database's clock, which does not move with ours.
                let now = "UPDATE lane SET ready_at = 0 WHERE ready_at IS NOT NULL AND holder IS NULL";
                database.execute(now).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
