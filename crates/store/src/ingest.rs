//! A webhook becomes durable: the only way into the gateway.
//!
//! Requests queue up; a task takes what has gathered, writes it with a fixed number of statements in one
//! transaction, and each request is answered after that commit. If the batch fails, its halves are tried, and
//! theirs, so that a bad row costs only itself. Inside the transaction, in this order: the dedup key decides
//! what is new; the customer's row decides whether a conversation opens; the lane gives the position; inbox
//! and job rows follow.

use crate::dialect;
use crate::lane::NewJob;
use crate::open::Pool;
use crate::sql::{Conn, Error, Tx};
use crate::{ConversationId, InboxId, Source};
use desk::{Direction, Millis};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests in one commit at most.
const BATCH: usize = 256;
/// Bytes of bodies in one commit at most, if it is more than one request.
const BATCH_BYTES: usize = 4 << 20;
/// Requests that may wait; beyond it they are refused, so that the other side offers them again.
const QUEUE: usize = 8192;
/// How long a request waits for its commit. WeChat gives up after 5 s.
const DEADLINE: Duration = Duration::from_secs(3);

/// A verified webhook.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its id in the inbox.
    pub id: InboxId,
    /// From which cloud.
    pub source: Source,
    /// The account's id, or empty where the webhook belongs to none.
    pub account: String,
    /// What its repeats have in common with it and nothing else has.
    pub dedup_key: String,
    /// `push` or `webhook`, or `unreadable` where the body could not be read.
    pub kind: &'static str,
    /// When it came.
    pub received_at: Millis,
    /// What besides the body is needed to read it later: the query string of an unreadable push, the command
    /// of a webhook.
    pub query: Option<String>,
    /// The decrypted body; the raw one where it could not be read.
    pub body: Vec<u8>,
    /// The passive reply in any case; `None` stands for the plain acknowledgement.
    pub reply: Option<Vec<u8>>,
    /// What there is to do about it.
    pub work: Work,
}

/// What a webhook asks for.
#[derive(Debug, Clone)]
pub enum Work {
    /// It is kept, nothing else.
    Nothing,
    /// A job on the customer's lane towards the agent.
    Customer {
        /// Whose lane.
        openid: String,
        /// What it does to the customer's row at once.
        effect: Effect,
    },
    /// A job on the lane towards the customer for whom this ghost stands; none if it is nobody's.
    Ghost {
        /// UserID of the ghost.
        user_id: String,
    },
}

/// What a push does to the customer's row in the moment when it is stored.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The customer wrote: opens a conversation if none is open.
    Write {
        /// The id that the conversation gets if this message opens it.
        conversation: ConversationId,
        /// The passive reply if this message opens it.
        waiting: Option<Vec<u8>>,
    },
    /// The customer follows.
    Follow,
    /// The customer unfollowed: closes the conversation.
    Unfollow,
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// Whether it is the first copy.
    pub new: bool,
    /// The passive reply of the first copy; `None` stands for the plain acknowledgement.
    pub reply: Option<Vec<u8>>,
}

struct Waiting {
    arrival: Arrival,
    answer: oneshot::Sender<Result<Ingested, Error>>,
}

/// The queue in front of the inbox.
#[derive(Clone)]
pub(crate) struct Ingestion {
    queue: mpsc::Sender<Waiting>,
    pool: Pool,
    idle: Millis,
}

impl Ingestion {
    pub(crate) fn start(pool: Pool, idle: Millis, writers: usize) -> Ingestion {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        for _ in 0..writers {
            tokio::spawn(run(pool.clone(), idle, inbox.clone()));
        }
        Ingestion { queue, pool, idle }
    }

    pub(crate) async fn ingest(&self, mut arrival: Arrival) -> Result<Ingested, Error> {
        arrival.sanitize();
        let (answer, wait) = oneshot::channel();
        self.queue.try_send(Waiting { arrival, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                metrics::counter!("tsunagi_ingest_refused_total").increment(1);
                Error::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => Error::Closed,
        })?;
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(answer) => answer.map_err(|_| Error::Closed)?,
            Err(_) => Err(Error::Overloaded),
        }
    }

    pub(crate) async fn ingest_alone(&self, mut arrival: Arrival) -> Result<Ingested, Error> {
        arrival.sanitize();
        commit(&self.pool, self.idle, Arc::new(vec![arrival]))
            .await
            .and_then(|mut all| all.pop().ok_or(Error::Closed))
    }
}

impl Arrival {
    /// Text columns of PostgreSQL take no NUL; ids that carry one are never anybody's.
    fn sanitize(&mut self) {
        let texts = [Some(&mut self.account), Some(&mut self.dedup_key), self.query.as_mut()];
        let work = match &mut self.work {
            Work::Customer { openid, .. } => Some(openid),
            Work::Ghost { user_id } => Some(user_id),
            Work::Nothing => None,
        };
        for text in texts.into_iter().flatten().chain(work) {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
    }
}

async fn run(pool: Pool, idle: Millis, inbox: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let mut waiting = Vec::with_capacity(BATCH);
        if inbox.lock().await.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        // In the order of their arrival; whatever has to be tried again comes back to the front.
        let mut batches = VecDeque::from(cut(waiting));
        while let Some(mut batch) = batches.pop_front() {
            metrics::histogram!("tsunagi_ingest_batch_size").record(batch.len() as f64);
            let arrivals = Arc::new(column(&batch, |waiting| waiting.arrival.clone()));
            match commit(&pool, idle, arrivals).await {
                Ok(ingested) => {
                    for (waiting, ingested) in batch.into_iter().zip(ingested) {
                        let _ = waiting.answer.send(Ok(ingested));
                    }
                }
                Err(error) if batch.len() > 1 && may_be_one_row(&error) => {
                    tracing::warn!(%error, rows = batch.len(), "a batch of webhooks failed, trying its halves");
                    // Who has given up meanwhile was answered 503 and comes again: this bounds the effort.
                    batch.retain(|waiting| !waiting.answer.is_closed());
                    let second = batch.split_off(batch.len() / 2);
                    for half in [second, batch] {
                        if !half.is_empty() {
                            batches.push_front(half);
                        }
                    }
                }
                Err(error) => {
                    for waiting in batch {
                        tracing::error!(%error, inbox = %waiting.arrival.id, "a webhook could not be stored");
                        let _ = waiting.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}

/// Cuts what has gathered where the bodies of one commit would grow too large.
fn cut(waiting: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for waiting in waiting {
        bytes += waiting.arrival.body.len();
        if bytes > BATCH_BYTES && batches.last().is_some_and(|batch| !batch.is_empty()) {
            bytes = waiting.arrival.body.len();
            batches.push(Vec::new());
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(waiting);
        }
    }
    batches
}

/// Whether the database itself refused something, so that the other rows may still be stored. Without a
/// connection there is nothing to be gained by trying each.
fn may_be_one_row(error: &Error) -> bool {
    match error {
        Error::Database(error) => {
            matches!(**error, sqlx::Error::Database(_) | sqlx::Error::Encode(_) | sqlx::Error::Protocol(_))
        }
        Error::Unknown(_) => true,
        _ => false,
    }
}

async fn commit(pool: &Pool, idle: Millis, arrivals: Arc<Vec<Arrival>>) -> Result<Vec<Ingested>, Error> {
    crate::faults::point("ingest.before_commit");
    let ingested = pool.write(move |tx| Box::pin(async move { store(tx, &arrivals, idle).await })).await?;
    crate::faults::point("ingest.after_commit");
    Ok(ingested)
}

/// Stores a batch inside a transaction.
async fn store(tx: &mut Tx<'_>, arrivals: &[Arrival], idle: Millis) -> Result<Vec<Ingested>, Error> {
    let new = insert_keys(tx, arrivals).await?;
    let fresh: Vec<&Arrival> =
        arrivals.iter().zip(&new).filter(|(_, new)| **new).map(|(arrival, _)| arrival).collect();
    let customers = touch_customers(tx, &fresh, idle).await?;
    let ghosts = whose_ghosts(tx, &fresh).await?;
    let mut jobs = Vec::with_capacity(fresh.len());
    for arrival in &fresh {
        let lane = match &arrival.work {
            Work::Nothing => continue,
            Work::Customer { openid, .. } => (arrival.account.clone(), openid.clone(), Direction::In),
            Work::Ghost { user_id } => match ghosts.get(user_id) {
                Some((account, openid)) => (account.clone(), openid.clone(), Direction::Out),
                None => continue,
            },
        };
        jobs.push(NewJob {
            account: lane.0,
            openid: lane.1,
            direction: lane.2,
            kind: arrival.kind,
            subject: arrival.id.as_str().to_owned(),
            note: customers.conversation_of.get(arrival.id.as_str()).cloned(),
            since: arrival.received_at,
        });
    }
    insert_inbox(tx, &fresh).await?;
    tx.enqueue(&jobs).await?;
    set_replies(tx, &customers.opened).await?;
    answers(tx, arrivals, &new, &customers.opened).await
}

/// Inserts the dedup keys; tells for each arrival whether it is the first of its key, here and in the table.
async fn insert_keys(tx: &mut Tx<'_>, arrivals: &[Arrival]) -> Result<Vec<bool>, Error> {
    if crate::faults::sabotaged("no-dedup") {
        return Ok(vec![true; arrivals.len()]);
    }
    let mut seen = HashSet::new();
    let first: Vec<bool> = arrivals.iter().map(|arrival| seen.insert(arrival.dedup_key.as_str())).collect();
    let mut keys: Vec<&Arrival> =
        arrivals.iter().zip(&first).filter(|(_, first)| **first).map(|(arrival, _)| arrival).collect();
    // One order of locking for all nodes.
    keys.sort_by(|a, b| a.dedup_key.cmp(&b.dedup_key));
    let inserted: Vec<(String,)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows = json_rows(keys.iter().map(|a| {
                json!([a.dedup_key, a.id.as_str(), a.received_at, a.reply.as_ref().map(hex::encode)])
            }));
            sqlx::query_as(dialect::INSERT_DEDUP.sqlite).bind(rows).fetch_all(&mut **conn).await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::INSERT_DEDUP.postgres)
                .bind(column(&keys, |a| a.dedup_key.clone()))
                .bind(column(&keys, |a| a.id.as_str().to_owned()))
                .bind(column(&keys, |a| a.received_at))
                .bind(column(&keys, |a| a.reply.clone()))
                .fetch_all(&mut **conn)
                .await?
        }
    };
    let inserted: HashSet<String> = inserted.into_iter().map(|(key,)| key).collect();
    Ok(arrivals.iter().zip(first).map(|(a, first)| first && inserted.contains(&a.dedup_key)).collect())
}

#[derive(Default)]
struct Customers {
    /// Inbox id → the conversation that this message belongs to.
    conversation_of: HashMap<String, String>,
    /// Dedup key → the reply of a message that opened a conversation.
    opened: HashMap<String, Option<Vec<u8>>>,
}

/// Applies the effects of new pushes to the customers' rows.
///
/// One statement may touch a row once, so a customer's effects are cut into runs (quick messages in a row are
/// one run: only the first can open a conversation), and the n-th runs of all customers go together.
async fn touch_customers(tx: &mut Tx<'_>, fresh: &[&Arrival], idle: Millis) -> Result<Customers, Error> {
    let mut runs: BTreeMap<(&str, &str), Vec<Vec<&Arrival>>> = BTreeMap::new();
    for arrival in fresh {
        let Work::Customer { openid, effect } = &arrival.work else { continue };
        let runs = runs.entry((arrival.account.as_str(), openid.as_str())).or_default();
        let extends = matches!(effect, Effect::Write { .. })
            && runs.last().is_some_and(|run| matches!(run[0].effect(), Some(Effect::Write { .. })));
        match runs.last_mut() {
            Some(run) if extends => run.push(arrival),
            _ => runs.push(vec![arrival]),
        }
    }
    let mut customers = Customers::default();
    let rounds = runs.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        let heads: Vec<(&str, &str, &Vec<&Arrival>)> = runs
            .iter()
            .filter_map(|((account, openid), runs)| runs.get(round).map(|run| (*account, *openid, run)))
            .collect();
        let open = upsert_customers(tx, &heads, idle).await?;
        for (account, openid, run) in heads {
            let Some(Effect::Write { conversation: candidate, waiting }) = run[0].effect() else { continue };
            let Some(conversation) = open.get(&(account.to_owned(), openid.to_owned())) else { continue };
            if conversation == candidate.as_str() && waiting.is_some() {
                customers.opened.insert(run[0].dedup_key.clone(), waiting.clone());
            }
            for arrival in run {
                customers.conversation_of.insert(arrival.id.as_str().to_owned(), conversation.clone());
            }
        }
    }
    Ok(customers)
}

impl Arrival {
    fn effect(&self) -> Option<&Effect> {
        match &self.work {
            Work::Customer { effect, .. } => Some(effect),
            _ => None,
        }
    }

    fn candidate(&self) -> Option<String> {
        match self.effect() {
            Some(Effect::Write { conversation, .. }) => Some(conversation.as_str().to_owned()),
            _ => None,
        }
    }

    fn subscribed(&self) -> i64 {
        i64::from(!matches!(self.effect(), Some(Effect::Unfollow)))
    }
}

async fn upsert_customers(
    tx: &mut Tx<'_>,
    heads: &[(&str, &str, &Vec<&Arrival>)],
    idle: Millis,
) -> Result<HashMap<(String, String), String>, Error> {
    let rows: Vec<(String, String, Option<String>)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows = json_rows(heads.iter().map(|(account, openid, run)| {
                // The newest of the run keeps the conversation alive.
                json!([account, openid, run[0].subscribed(), run[0].candidate(), newest(run)])
            }));
            sqlx::query_as(dialect::UPSERT_CUSTOMER.sqlite)
                .bind(rows)
                .bind(idle)
                .fetch_all(&mut **conn)
                .await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::UPSERT_CUSTOMER.postgres)
                .bind(column(heads, |h| h.0.to_owned()))
                .bind(column(heads, |h| h.1.to_owned()))
                .bind(column(heads, |h| h.2[0].subscribed()))
                .bind(column(heads, |h| h.2[0].candidate()))
                .bind(column(heads, |h| newest(h.2)))
                .bind(idle)
                .fetch_all(&mut **conn)
                .await?
        }
    };
    Ok(rows.into_iter().filter_map(|(account, openid, open)| Some(((account, openid), open?))).collect())
}

fn newest(run: &[&Arrival]) -> Millis {
    run.iter().map(|arrival| arrival.received_at).max().unwrap_or(0)
}

async fn whose_ghosts(
    tx: &mut Tx<'_>,
    fresh: &[&Arrival],
) -> Result<HashMap<String, (String, String)>, Error> {
    let ids: Vec<String> = fresh
        .iter()
        .filter_map(|arrival| match &arrival.work {
            Work::Ghost { user_id } => Some(user_id.clone()),
            _ => None,
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let ids = json_rows(ids.into_iter().map(Value::String));
            sqlx::query_as(dialect::SELECT_GHOSTS.sqlite).bind(ids).fetch_all(&mut **conn).await?
        }
        Conn::Postgres(conn) => {
            sqlx::query_as(dialect::SELECT_GHOSTS.postgres).bind(ids).fetch_all(&mut **conn).await?
        }
    };
    Ok(rows.into_iter().map(|(id, account, openid)| (id, (account, openid))).collect())
}

async fn insert_inbox(tx: &mut Tx<'_>, fresh: &[&Arrival]) -> Result<(), Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows = json_rows(fresh.iter().map(|a| {
                let body = hex::encode(&a.body);
                json!([a.id.as_str(), a.source.as_str(), a.account, a.kind, a.received_at, a.query, body])
            }));
            sqlx::query(dialect::INSERT_INBOX.sqlite).bind(rows).execute(&mut **conn).await?;
        }
        Conn::Postgres(conn) => {
            sqlx::query(dialect::INSERT_INBOX.postgres)
                .bind(column(fresh, |a| a.id.as_str().to_owned()))
                .bind(column(fresh, |a| a.source.as_str().to_owned()))
                .bind(column(fresh, |a| a.account.clone()))
                .bind(column(fresh, |a| a.kind.to_owned()))
                .bind(column(fresh, |a| a.received_at))
                .bind(column(fresh, |a| a.query.clone()))
                .bind(column(fresh, |a| a.body.clone()))
                .execute(&mut **conn)
                .await?;
        }
    }
    Ok(())
}

async fn set_replies(tx: &mut Tx<'_>, opened: &HashMap<String, Option<Vec<u8>>>) -> Result<(), Error> {
    if opened.is_empty() {
        return Ok(());
    }
    match &mut tx.conn {
        Conn::Sqlite(conn) => {
            let rows =
                json_rows(opened.iter().map(|(key, reply)| json!([key, reply.as_ref().map(hex::encode)])));
            sqlx::query(dialect::SET_REPLY.sqlite).bind(rows).execute(&mut **conn).await?;
        }
        Conn::Postgres(conn) => {
            let (keys, replies): (Vec<_>, Vec<_>) = opened.clone().into_iter().unzip();
            sqlx::query(dialect::SET_REPLY.postgres).bind(keys).bind(replies).execute(&mut **conn).await?;
        }
    }
    Ok(())
}

/// The answers, for repeats those of their first copy.
async fn answers(
    tx: &mut Tx<'_>,
    arrivals: &[Arrival],
    new: &[bool],
    opened: &HashMap<String, Option<Vec<u8>>>,
) -> Result<Vec<Ingested>, Error> {
    let repeats: Vec<String> = arrivals
        .iter()
        .zip(new)
        .filter(|(_, new)| !**new)
        .map(|(arrival, _)| arrival.dedup_key.clone())
        .collect();
    let kept: HashMap<String, Option<Vec<u8>>> = if repeats.is_empty() {
        HashMap::new()
    } else {
        let rows: Vec<(String, Option<Vec<u8>>)> = match &mut tx.conn {
            Conn::Sqlite(conn) => {
                let keys = json_rows(repeats.into_iter().map(Value::String));
                sqlx::query_as(dialect::SELECT_DEDUP.sqlite).bind(keys).fetch_all(&mut **conn).await?
            }
            Conn::Postgres(conn) => {
                sqlx::query_as(dialect::SELECT_DEDUP.postgres).bind(repeats).fetch_all(&mut **conn).await?
            }
        };
        rows.into_iter().collect()
    };
    let answer = |(arrival, new): (&Arrival, &bool)| {
        let reply = if *new {
            opened.get(&arrival.dedup_key).cloned().unwrap_or_else(|| arrival.reply.clone())
        } else {
            kept.get(&arrival.dedup_key).cloned().flatten()
        };
        Ingested { new: *new, reply }
    };
    Ok(arrivals.iter().zip(new).map(answer).collect())
}

/// Many rows as the one parameter of SQLite's statements.
pub(crate) fn json_rows(rows: impl Iterator<Item = Value>) -> String {
    Value::Array(rows.collect()).to_string()
}

/// One column of many rows, as PostgreSQL's statements take it.
pub(crate) fn column<R, C>(rows: &[R], of: impl Fn(&R) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}
