//! A crowd of webhooks is stored as it came, and sorted into lanes afterwards. Start with [`Spool`].
//!
//! To sort a webhook touches pages of the customer, the lane, the job and the key, which hardly any other shares; to store it as
//! it came appends a few hundred bytes. So while more wait than one commit should sort, `ingest.rs` hands a whole commit
//! here: one row. [`Spool::run`] takes the oldest rows and does what `batch.rs` does with a commit that nobody waits
//! for. While a row is left every push goes behind it, so that each customer's keep their order.
//!
//! What is answered before it is sorted may depend on nothing but the push and its customer: whether it was a repeat is
//! known later. So accounts whose answers go out as replies, and webhooks of IM, are never stored this way.

use crate::batch::store;
use crate::dialect;
use crate::ingest::{Arrival, Effect, Ingested, Novelty, Work};
use crate::open::{Pool, Store};
use crate::sql::{Conn, Error, Text, Tx, column, execute, json_rows, many, row, rows};
use crate::sqlite;
use desk::Millis;
use std::borrow::Cow;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Webhooks that are sorted in one commit.
const SORTED_AT_ONCE: i64 = 256;
/// Bytes of them, if it is more than one row.
const BYTES_AT_ONCE: i64 = 4 << 20;
/// So many may wait to be sorted: beyond it, a commit that adds to them waits until one is sorted.
const MOST: i64 = 1_000_000;
/// For so long after a crowd the next one is awaited.
const CROWDED: Duration = Duration::from_millis(100);
/// While webhooks come in crowds the sorting rests this many times as long as it worked: at first, and when there has been
/// something to sort for longer than [`FRESH`].
const REST: [u32; 2] = [8, 1];
/// So long a mass message brings back more than can be sorted meanwhile.
const FRESH: Duration = Duration::from_secs(60);
/// How often a node looks for what another one has left behind.
const LOOK: Duration = Duration::from_secs(1);
/// Until the sorting is tried again after a failure, or while another node does it.
const AGAIN: Duration = Duration::from_millis(250);

/// The webhooks that are not sorted yet.
pub(crate) struct Spool {
    pool: Pool,
    idle: Millis,
    /// From so many in one commit on they are stored as they came; 0: never.
    from: usize,
    /// Whether this process sorts.
    sorts: bool,
    state: Mutex<State>,
    hasher: RandomState,
    /// How many there are, as far as this process knows.
    waiting: AtomicI64,
    closed: AtomicBool,
    /// There is something to sort.
    bell: Notify,
    /// Something was sorted.
    sorted: Notify,
}

#[derive(Default)]
struct State {
    /// Commits that were begun since the spool was last seen empty; 0 says that it is.
    begun: u64,
    /// Those of them that have not ended.
    open: u64,
    /// When the first of them began.
    since: Option<Instant>,
    /// When a crowd was last met.
    crowd: Option<Instant>,
    /// Customers, as hashes, whom an answer has told that their conversation is open, before it was sorted.
    greeted: HashSet<u64>,
}

/// What one look at the spool did.
enum Sorted {
    /// Nothing is left to sort.
    Nothing,
    /// Another node is at it.
    ByAnother,
    /// These were sorted: cloud, account and outcome of each.
    Some(Vec<(&'static str, String, Novelty)>),
}

/// A row of the spool, and the id of its first webhook if the row can be read.
type Tried = (i64, Option<String>);

impl Spool {
    pub(crate) fn new(pool: Pool, idle: Millis, from: usize, sorts: bool, waiting: i64) -> Spool {
        Spool {
            pool,
            idle,
            from,
            sorts,
            state: Mutex::new(State { begun: u64::from(waiting > 0), ..State::default() }),
            hasher: RandomState::new(),
            waiting: AtomicI64::new(waiting),
            closed: AtomicBool::new(false),
            bell: Notify::new(),
            sorted: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a commit of so many webhooks is stored as it came.
    pub(crate) fn takes(&self, webhooks: usize) -> bool {
        let crowd = self.sorts && self.from > 0 && webhooks >= self.from;
        let mut state = self.state();
        if crowd {
            state.crowd = Some(Instant::now());
        }
        crowd || state.begun > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().begun == 0
    }

    /// Another node has left something to be sorted first.
    pub(crate) fn not_empty(&self) {
        self.state().begun += 1;
        self.bell.notify_one();
    }

    pub(crate) fn waiting(&self) -> i64 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, waiting: i64) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    pub(crate) async fn sorted(&self) {
        self.sorted.notified().await;
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.bell.notify_one();
    }

    /// Stores webhooks as they came; gives their answers.
    pub(crate) async fn add(self: &Arc<Self>, arrivals: Arc<Vec<Arrival>>) -> Result<Vec<Ingested>, Error> {
        while self.waiting() > MOST {
            match self.sort_some().await? {
                Sorted::Some(_) => {}
                Sorted::Nothing => break,
                Sorted::ByAnother => tokio::time::sleep(AGAIN).await,
            }
        }
        self.begin();
        let webhooks = arrivals.len() as i64;
        let (spool, idle) = (self.clone(), self.idle);
        crate::faults::point("spool.before_commit");
        let added = self
            .pool
            .write_at_once(move |tx| {
                Box::pin(async move {
                    let talking = tx.talking(&arrivals, idle).await?;
                    let kept = spool.answered(&arrivals, &talking);
                    tx.spool(&kept, None).await?;
                    Ok(kept.iter().map(|arrival| arrival.reply.clone()).collect::<Vec<_>>())
                })
            })
            .await;
        {
            let mut state = self.state();
            state.open -= 1;
            match added {
                Ok(_) => drop(self.waiting.fetch_add(webhooks, Ordering::Relaxed)),
                // Who was greeted in vain is greeted again; that others may be, too, is the smaller evil.
                Err(_) => state.greeted.clear(),
            }
        }
        self.bell.notify_one();
        let answers = added?;
        crate::faults::point("spool.after_commit");
        Ok(answers.into_iter().map(|reply| Ingested { novelty: Novelty::Unknown, reply }).collect())
    }

    fn begin(&self) {
        let mut state = self.state();
        state.begun += 1;
        state.open += 1;
        state.since.get_or_insert_with(Instant::now);
    }

    /// The arrivals with their answers decided: of a customer's messages the first one is greeted, if no conversation is open.
    fn answered<'a>(
        &self,
        arrivals: &'a [Arrival],
        talking: &HashSet<(String, String)>,
    ) -> Vec<Cow<'a, Arrival>> {
        let mut state = self.state();
        let decide = |arrival: &'a Arrival| {
            let Some(openid) = greeted(arrival) else { return Cow::Borrowed(arrival) };
            let customer = (arrival.account.clone(), openid.to_owned());
            let mut decided = arrival.clone();
            if let Work::Customer { effect: Effect::Write { waiting, .. }, .. } = &mut decided.work
                && let words @ Some(_) = waiting.take()
                && !talking.contains(&customer)
                && state.greeted.insert(self.hasher.hash_one(&customer))
            {
                decided.reply = words;
            }
            Cow::Owned(decided)
        };
        arrivals.iter().map(decide).collect()
    }

    /// Sorts until there is nothing left of what is there now.
    pub(crate) async fn sort_all(&self) -> Result<(), Error> {
        let last = self.pool.write_at_once(|tx| Box::pin(async move { tx.last_spooled().await })).await?;
        while let Some(first) =
            self.pool.write_at_once(|tx| Box::pin(async move { tx.first_spooled().await })).await?
            && last.is_some_and(|last| first <= last)
        {
            if let Sorted::ByAnother = self.sort_some().await? {
                tokio::time::sleep(AGAIN).await;
            }
        }
        Ok(())
    }

    /// Sorts what there is, and what comes, until the store is closed.
    pub(crate) async fn keep_sorting(self: Arc<Self>) {
        while let Err(error) = tokio::spawn(self.clone().run()).await {
            // A fault of ours; whatever was in hand is still there.
            tracing::error!(%error, "the sorting of webhooks has ended, and begins again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn run(self: Arc<Self>) {
        let mut failed = false;
        while !self.closed.load(Ordering::SeqCst) {
            let seen = self.seen();
            let at = Instant::now();
            match self.sort_some().await {
                Ok(Sorted::Some(_)) => {
                    failed = false;
                    tokio::time::sleep(at.elapsed() * self.rest()).await;
                }
                Ok(Sorted::Nothing) => {
                    failed = false;
                    self.emptied(seen);
                    match self.pool {
                        Pool::Sqlite { .. } => self.bell.notified().await,
                        Pool::Postgres(_) => drop(tokio::time::timeout(LOOK, self.bell.notified()).await),
                    }
                }
                Ok(Sorted::ByAnother) => tokio::time::sleep(AGAIN).await,
                Err(Error::Closed) => return,
                Err(error) => {
                    // Said once; the database's absence has an alarm of its own.
                    if !failed {
                        tracing::error!(%error, "webhooks that are stored cannot be sorted yet");
                    }
                    failed = true;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    pub(crate) fn is_crowded(&self) -> bool {
        self.state().crowd.is_some_and(|crowd| crowd.elapsed() < CROWDED)
    }

    /// How often as long as it worked the sorting has to rest.
    fn rest(&self) -> u32 {
        let crowded = self.is_crowded();
        let state = self.state();
        if !crowded || self.waiting() > MOST / 2 {
            return 0;
        }
        REST[usize::from(state.since.is_none_or(|since| since.elapsed() > FRESH))]
    }

    /// How many commits have begun, if all of them have ended: whoever looks afterwards sees what they left.
    fn seen(&self) -> Option<u64> {
        let state = self.state();
        (state.open == 0).then_some(state.begun)
    }

    /// It was empty some time after `seen`.
    fn emptied(&self, seen: Option<u64>) {
        let mut state = self.state();
        if seen == Some(state.begun) {
            *state = State { crowd: state.crowd, ..State::default() };
            self.waiting.store(0, Ordering::Relaxed);
        }
    }

    /// Sorts the oldest, as many as one commit takes; where one of them is refused, one at a time.
    async fn sort_some(&self) -> Result<Sorted, Error> {
        let idle = self.idle;
        if let Pool::Postgres(_) = self.pool {
            // One look costs less than a transaction.
            let first = self.pool.write_at_once(|tx| Box::pin(async move { tx.first_spooled().await }));
            if first.await?.is_none() {
                return Ok(Sorted::Nothing);
            }
        }
        let sorted = match self.pool.write(move |tx| Box::pin(async move { tx.sort(idle).await })).await {
            Err(error) if error.is_refusal() => {
                tracing::warn!(%error, "a batch of webhooks could not be sorted, trying one at a time");
                // Somebody else may sort meanwhile: what is set aside has to be what was refused.
                let tried = Arc::new(Mutex::new(None));
                let told = tried.clone();
                let one =
                    self.pool.write(move |tx| Box::pin(async move { tx.sort_first(idle, &told).await }));
                match one.await {
                    Err(error) if error.is_refusal() => {
                        let tried = tried.lock().unwrap_or_else(PoisonError::into_inner).take();
                        self.set_aside(tried, &error).await?;
                        Sorted::Some(Vec::new())
                    }
                    one => one?,
                }
            }
            sorted => sorted?,
        };
        if let Sorted::Some(webhooks) = &sorted {
            crate::faults::point("sort.after_commit");
            self.waiting.fetch_sub(webhooks.len() as i64, Ordering::Relaxed);
            for (cloud, account, outcome) in webhooks {
                let labels = [
                    ("cloud", (*cloud).to_owned()),
                    ("account", account.clone()),
                    ("outcome", outcome.as_str().to_owned()),
                ];
                metrics::counter!("tsunagi_inbox_total", &labels).increment(1);
            }
            self.sorted.notify_one();
        }
        Ok(sorted)
    }

    async fn set_aside(&self, tried: Option<Tried>, error: &Error) -> Result<(), Error> {
        let Some(tried) = tried else { return Ok(()) };
        let (id, why) = (tried.1.clone().unwrap_or_default(), error.to_string());
        let aside = self.pool.write(move |tx| Box::pin(async move { tx.set_aside(&tried, &why).await }));
        if aside.await? {
            tracing::error!(%error, inbox = id, "a webhook could not be sorted; it stays in the table spool");
            metrics::counter!("tsunagi_spool_aside_total").increment(1);
        }
        Ok(())
    }
}

impl Store {
    /// Waits until webhooks that were stored as they came have become work on the lanes.
    pub async fn sorted(&self) {
        self.spool().sorted().await;
    }

    /// Whether webhooks come in crowds at this moment.
    pub fn is_crowded(&self) -> bool {
        self.spool().is_crowded()
    }

    /// Sorts what was stored as it came up to now.
    ///
    /// # Errors
    /// [`Error::Database`]; what is not sorted then stays where it is.
    pub async fn sort_all(&self) -> Result<(), Error> {
        self.spool().sort_all().await
    }
}

impl Tx<'_> {
    /// How many webhooks wait to be sorted.
    pub(crate) async fn spooled(&mut self) -> Result<i64, Error> {
        let sum = "SELECT CAST(COALESCE(SUM(webhooks), 0) AS BIGINT) FROM spool WHERE aside IS NULL";
        Ok(row!(self, (i64,), sum)?.map_or(0, |(sum,)| sum))
    }

    /// What was set aside is tried again.
    pub(crate) async fn take_back_aside(&mut self) -> Result<(), Error> {
        execute!(self, "UPDATE spool SET aside = NULL WHERE aside IS NOT NULL")?;
        Ok(())
    }

    /// Whether a node that shares the database has stored webhooks that are not sorted yet; of its own this process knows.
    pub(crate) async fn another_spooled(&mut self) -> Result<bool, Error> {
        match self.conn {
            Conn::Sqlite(_) => Ok(false),
            Conn::Postgres(_) => Ok(self.first_spooled().await?.is_some()),
        }
    }

    async fn first_spooled(&mut self) -> Result<Option<i64>, Error> {
        Ok(row!(self, (i64,), "SELECT id FROM spool WHERE aside IS NULL ORDER BY id LIMIT 1")?
            .map(|(id,)| id))
    }

    async fn last_spooled(&mut self) -> Result<Option<i64>, Error> {
        Ok(row!(self, (i64,), "SELECT id FROM spool ORDER BY id DESC LIMIT 1")?.map(|(id,)| id))
    }

    /// Which of the customers who would be greeted are in a conversation already.
    async fn talking<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        idle: Millis,
    ) -> Result<HashSet<(String, String)>, Error> {
        let ask = |arrival: &'a Arrival| {
            greeted(arrival).map(|openid| (arrival.account.as_str(), openid, arrival.received_at))
        };
        let asked: Vec<(&str, &str, Millis)> = arrivals.iter().filter_map(ask).collect();
        if asked.is_empty() {
            return Ok(HashSet::new());
        }
        let found: Vec<(String, String)> = match &mut self.conn {
            Conn::Sqlite(conn) => many!(
                conn,
                (String, String),
                dialect::TALKING.sqlite,
                asked,
                |(account, openid, at)| *account,
                *openid,
                *at;
                idle
            ),
            Conn::Postgres(conn) => {
                sqlx::query_as(dialect::TALKING.postgres)
                    .bind(column(&asked, |one| one.0.to_owned()))
                    .bind(column(&asked, |one| one.1.to_owned()))
                    .bind(column(&asked, |one| one.2))
                    .bind(idle)
                    .fetch_all(&mut **conn)
                    .await?
            }
        };
        Ok(found.into_iter().collect())
    }

    /// Adds a row; `aside` says why it is not to be sorted.
    async fn spool(&mut self, arrivals: &[Cow<'_, Arrival>], aside: Option<&str>) -> Result<(), Error> {
        let json = written(arrivals)?;
        execute!(
            self,
            "INSERT INTO spool (webhooks, size, aside, arrivals) VALUES ($1, $2, $3, $4)",
            arrivals.len() as i64,
            json.len() as i64,
            aside,
            json.as_str()
        )?;
        Ok(())
    }

    /// One node sorts at a time, so that what one has in its hands no other one passes.
    async fn may_sort(&mut self) -> Result<bool, Error> {
        match &mut self.conn {
            Conn::Sqlite(_) => Ok(true),
            Conn::Postgres(conn) => {
                let (mine,): (bool,) = sqlx::query_as("SELECT pg_try_advisory_xact_lock(7835311)")
                    .fetch_one(&mut **conn)
                    .await?;
                Ok(mine)
            }
        }
    }

    async fn sort(&mut self, idle: Millis) -> Result<Sorted, Error> {
        if !self.may_sort().await? {
            return Ok(Sorted::ByAnother);
        }
        let oldest = "SELECT id, webhooks, size FROM spool WHERE aside IS NULL ORDER BY id LIMIT $1";
        let oldest = rows!(self, (i64, i64, i64), oldest, SORTED_AT_ONCE)?;
        let (mut ids, mut webhooks, mut bytes) = (Vec::new(), 0, 0);
        for (id, more, size) in oldest {
            (webhooks, bytes) = (webhooks + more, bytes + size);
            if !ids.is_empty() && (webhooks > SORTED_AT_ONCE || bytes > BYTES_AT_ONCE) {
                break;
            }
            ids.push(id);
        }
        if ids.is_empty() {
            return Ok(Sorted::Nothing);
        }
        let kept: Vec<(String,)> = self.of_spool(dialect::SPOOLED, &ids).await?;
        let mut arrivals = Vec::new();
        for (kept,) in &kept {
            arrivals.extend(read(kept)?);
        }
        let stored = store(self, &arrivals, idle).await?;
        let _: Vec<(i64,)> = self.of_spool(dialect::SORTED, &ids).await?;
        crate::faults::point("sort.before_commit");
        Ok(Sorted::of(&arrivals, stored))
    }

    async fn of_spool<R>(&mut self, text: Text, ids: &[i64]) -> Result<Vec<R>, Error>
    where
        R: sqlite::Columns + Send + Unpin + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::query(text.sqlite).bind(json_rows(ids.iter())).rows(conn),
            Conn::Postgres(conn) => {
                Ok(sqlx::query_as(text.postgres).bind(ids).fetch_all(&mut **conn).await?)
            }
        }
    }

    /// Sorts the oldest one alone; says which one that is before it is tried.
    async fn sort_first(&mut self, idle: Millis, tried: &Mutex<Option<Tried>>) -> Result<Sorted, Error> {
        if !self.may_sort().await? {
            return Ok(Sorted::ByAnother);
        }
        let Some((row, kept)) = self.oldest_row().await? else { return Ok(Sorted::Nothing) };
        let arrivals = read(&kept);
        *tried.lock().unwrap_or_else(PoisonError::into_inner) = Some((row, first_id(&arrivals)));
        let first = self.take_first(row, arrivals?).await?;
        let stored = store(self, std::slice::from_ref(&first), idle).await?;
        Ok(Sorted::of(&[first], stored))
    }

    /// Puts the oldest one aside, or its whole row if that cannot be read, if it is still the one that was tried.
    async fn set_aside(&mut self, tried: &Tried, why: &str) -> Result<bool, Error> {
        if !self.may_sort().await? {
            return Ok(false);
        }
        let Some((row, kept)) = self.oldest_row().await? else { return Ok(false) };
        let arrivals = read(&kept);
        if *tried != (row, first_id(&arrivals)) {
            return Ok(false);
        }
        match arrivals {
            Ok(arrivals) => {
                let first = self.take_first(row, arrivals).await?;
                self.spool(&[Cow::Borrowed(&first)], Some(why)).await?;
            }
            Err(_) => drop(execute!(self, "UPDATE spool SET aside = $2 WHERE id = $1", row, why)?),
        }
        Ok(true)
    }

    async fn oldest_row(&mut self) -> Result<Option<(i64, String)>, Error> {
        let oldest = "SELECT id, arrivals FROM spool WHERE aside IS NULL ORDER BY id LIMIT 1";
        Ok(row!(self, (i64, String), oldest)?)
    }

    /// Takes the first one out of a row.
    async fn take_first(&mut self, row: i64, mut arrivals: Vec<Arrival>) -> Result<Arrival, Error> {
        let first = arrivals.remove(0);
        if arrivals.is_empty() {
            execute!(self, "DELETE FROM spool WHERE id = $1", row)?;
        } else {
            let rest: Vec<_> = arrivals.iter().map(Cow::Borrowed).collect();
            let json = written(&rest)?;
            execute!(
                self,
                "UPDATE spool SET webhooks = $2, size = $3, arrivals = $4 WHERE id = $1",
                row,
                arrivals.len() as i64,
                json.len() as i64,
                json.as_str()
            )?;
        }
        Ok(first)
    }
}

impl Sorted {
    fn of(arrivals: &[Arrival], stored: Vec<Ingested>) -> Sorted {
        let one = |(arrival, ingested): (&Arrival, Ingested)| {
            (arrival.source.as_str(), arrival.account.clone(), ingested.novelty)
        };
        Sorted::Some(arrivals.iter().zip(stored).map(one).collect())
    }
}

/// The openid of a customer who is greeted if this opens a conversation.
fn greeted(arrival: &Arrival) -> Option<&str> {
    match &arrival.work {
        Work::Customer { openid, effect: Effect::Write { waiting: Some(_), .. }, .. } => Some(openid),
        _ => None,
    }
}

fn first_id(arrivals: &Result<Vec<Arrival>, Error>) -> Option<String> {
    arrivals.as_ref().ok()?.first().map(|first| first.id.as_str().to_owned())
}

fn written(arrivals: &[Cow<'_, Arrival>]) -> Result<String, Error> {
    // With room for all the rest, so that it need not be moved.
    let room = arrivals.iter().map(|arrival| arrival.body.len() + 1024).sum();
    let mut json = Vec::with_capacity(room);
    serde_json::to_writer(&mut json, arrivals).map_err(|_| Error::Unknown("webhook"))?;
    String::from_utf8(json).map_err(|_| Error::Unknown("webhook"))
}

/// The webhooks of a row: one at least.
fn read(row: &str) -> Result<Vec<Arrival>, Error> {
    let read: Option<Vec<Arrival>> = serde_json::from_str(row).ok();
    read.filter(|arrivals| !arrivals.is_empty()).ok_or(Error::Unknown("webhook in the table spool"))
}
