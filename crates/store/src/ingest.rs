//! A webhook becomes durable: the only way into the gateway.
//!
//! Requests queue up; a task takes what has gathered, writes it in one transaction (`batch.rs`), and each
//! request is answered after that commit. If the batch fails, its halves are tried, and theirs, so that a bad
//! row costs only itself.

use crate::batch::store;
use crate::open::{Options, Pool};
use crate::spool::Spool;
use crate::sql::{Error, Failure};
use crate::{ConversationId, InboxId, Source};
use desk::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Requests in one commit at most.
const BATCH: usize = 256;
/// Bytes of bodies in one commit at most, if it is more than one request.
const BATCH_BYTES: usize = 4 << 20;

/// A verified webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arrival {
    /// Its id in the inbox.
    #[serde(with = "id")]
    pub id: InboxId,
    /// From which cloud.
    pub source: Source,
    /// The account's id, or empty where the webhook belongs to none.
    pub account: String,
    /// What its repeats have in common with it and nothing else has.
    pub dedup_key: String,
    /// `push` or `webhook`, or `unreadable` where the body could not be read.
    #[serde(with = "kind")]
    pub kind: Kind,
    /// When it came.
    pub received_at: Millis,
    /// What besides the body is needed to read it later: the query string of an unreadable push, the command
    /// of a webhook.
    pub query: Option<String>,
    /// The decrypted body; the raw one where it could not be read.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
    /// The passive reply in any case; `None` stands for the plain acknowledgement.
    #[serde(with = "reply")]
    pub reply: Option<Vec<u8>>,
    /// What there is to do about it.
    pub work: Work,
    /// The trace that it begins, as a W3C `traceparent`; none where traces are off.
    pub trace: Option<String>,
    /// Whether its answer may be given before it is known to be the first copy, so that it can be sorted later (`spool.rs`).
    #[serde(skip)]
    pub may_wait: bool,
}

/// The word for a kind of webhook. (A name of its own, or serde would borrow it from what it reads.)
type Kind = &'static str;

/// What a webhook asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// It is kept, nothing else.
    Nothing,
    /// A job on the customer's lane towards the agent.
    Customer {
        /// Whose lane.
        openid: String,
        /// When it was said, by WeChat's clock (CreateTime).
        said_at: Millis,
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Effect {
    /// The customer wrote: opens a conversation if none is open.
    Write {
        /// The id that the conversation gets if this message opens it.
        #[serde(with = "id")]
        conversation: ConversationId,
        /// The passive reply if this message opens it.
        waiting: Option<Vec<u8>>,
    },
    /// The customer did something that opens no conversation, such as a tap on a menu item: there is a job, and its note
    /// is the open conversation.
    Act,
    /// The customer follows.
    Follow,
    /// The customer unfollowed: closes the conversation.
    Unfollow,
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// Whether it is the first copy.
    pub novelty: Novelty,
    /// The passive reply of the first copy; `None` stands for the plain acknowledgement.
    pub reply: Option<Vec<u8>>,
}

impl Ingested {
    /// Whether it is known to be the first copy.
    pub fn is_new(&self) -> bool {
        self.novelty == Novelty::New
    }
}

/// Whether a webhook is the first copy of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is.
    New,
    /// It came before.
    Repeat,
    /// It is stored, and that will be known when it is sorted.
    Unknown,
}

impl Novelty {
    /// The word used in metrics and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Novelty::New => "new",
            Novelty::Repeat => "repeat",
            Novelty::Unknown => "spooled",
        }
    }
}

/// Ids in the JSON of the spool.
mod id {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T, S: Serializer>(id: &desk::Id<T>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(id.as_str())
    }

    pub(super) fn deserialize<'de, T, D: Deserializer<'de>>(from: D) -> Result<desk::Id<T>, D::Error> {
        String::deserialize(from).map(desk::Id::from_text)
    }
}

/// Bodies in the JSON of the spool: a text, as nearly all of them are, or a list of numbers.
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Bytes {
        Text(String),
        Numbers(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => bytes.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::deserialize(from).map(|bytes| match bytes {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Numbers(numbers) => numbers,
        })
    }
}

/// Replies in the JSON of the spool.
mod reply {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Reply(#[serde(with = "super::bytes")] Vec<u8>);

    pub(super) fn serialize<S: Serializer>(reply: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        match reply {
            Some(reply) => super::bytes::serialize(reply, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Reply>::deserialize(from)?.map(|reply| reply.0))
    }
}

/// Kinds in the JSON of the spool.
mod kind {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(kind: &'static str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<&'static str, D::Error> {
        let kind = String::deserialize(from)?;
        let known = ["push", "webhook", "unreadable"].into_iter().find(|known| *known == kind);
        known.ok_or_else(|| serde::de::Error::custom("an unknown kind of webhook"))
    }
}

struct Waiting {
    arrival: Arrival,
    answer: Answer,
}

/// The queue in front of the inbox.
#[derive(Clone)]
pub(crate) struct Ingestion {
    queue: mpsc::Sender<Waiting>,
    pool: Pool,
    idle: Millis,
    deadline: Duration,
    spool: Arc<Spool>,
}

impl Ingestion {
    /// Starts it; `spooled` webhooks were left to be sorted.
    pub(crate) fn start(pool: Pool, options: &Options, writers: usize, spooled: i64) -> Ingestion {
        let idle = options.conversation_idle;
        let (queue, inbox) = mpsc::channel(options.ingest_queue);
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        let sorts = options.exclusive || options.spool_from > 0;
        let spool = Arc::new(Spool::new(pool.clone(), idle, options.spool_from, sorts, spooled));
        if sorts {
            tokio::spawn(spool.clone().keep_sorting());
        }
        for _ in 0..writers {
            tokio::spawn(run(pool.clone(), idle, inbox.clone(), spool.clone()));
        }
        Ingestion { queue, pool, idle, deadline: options.ingest_timeout, spool }
    }

    pub(crate) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    pub(crate) fn idle(&self) -> Millis {
        self.idle
    }

    /// Webhooks that wait for the next commit.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
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
        match tokio::time::timeout(self.deadline, wait).await {
            Ok(answer) => answer.map_err(|_| Error::Closed)?,
            Err(_) => Err(Error::Overloaded),
        }
    }

    pub(crate) async fn ingest_alone(&self, mut arrival: Arrival) -> Result<Ingested, Error> {
        arrival.sanitize();
        let (arrivals, idle) = (Arc::new(vec![arrival]), self.idle);
        let stored = match &self.pool {
            Pool::Sqlite { writer, .. } => {
                writer.write_alone(move |tx| Box::pin(async move { store(tx, &arrivals, idle).await })).await
            }
            Pool::Postgres(_) => {
                self.pool.write(move |tx| Box::pin(async move { store(tx, &arrivals, idle).await })).await
            }
        };
        stored.and_then(|mut all| all.pop().ok_or(Error::Closed))
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

async fn run(
    pool: Pool,
    idle: Millis,
    inbox: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting>>>,
    spool: Arc<Spool>,
) {
    loop {
        let mut waiting = Vec::with_capacity(BATCH);
        if inbox.lock().await.recv_many(&mut waiting, BATCH).await == 0 {
            return;
        }
        // In the order of their arrival; whatever has to be tried again comes back to the front.
        let mut batches = VecDeque::from(cut(waiting));
        while let Some(batch) = batches.pop_front() {
            let later = batch.how == How::Later;
            if batch.how == How::AsUsual && spool.takes(batch.len()) {
                for part in batch.parted().into_iter().rev().filter(|part| part.len() > 0) {
                    batches.push_front(part);
                }
                continue;
            }
            metrics::histogram!("tsunagi_ingest_batch_size").record(batch.len() as f64);
            let committed = match later {
                true => spool.add(batch.arrivals.clone()).await,
                false => commit(&pool, idle, &batch, &spool).await,
            };
            match committed {
                Ok(ingested) => {
                    for (answer, ingested) in batch.answers.into_iter().zip(ingested) {
                        let _ = answer.send(Ok(ingested));
                    }
                }
                Err(Error::Spooled) => {
                    spool.not_empty();
                    batches.push_front(batch);
                }
                Err(error) if batch.len() > 1 && may_be_one_row(&error) => {
                    tracing::warn!(%error, rows = batch.len(), "a batch of webhooks failed, trying its halves");
                    for half in batch.halves().into_iter().rev().filter(|half| half.len() > 0) {
                        batches.push_front(half);
                    }
                }
                Err(error) => {
                    for (answer, arrival) in batch.answers.into_iter().zip(batch.arrivals.iter()) {
                        tracing::error!(%error, inbox = %arrival.id, "a webhook could not be stored");
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }
}

type Answer = oneshot::Sender<Result<Ingested, Error>>;

/// What goes into one commit, and who waits for it.
struct Batch {
    arrivals: Arc<Vec<Arrival>>,
    answers: Vec<Answer>,
    how: How,
}

/// How a batch is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// On the lanes, unless it is a crowd or comes behind one.
    AsUsual,
    /// As it came.
    Later,
    /// On the lanes: nothing that is not sorted yet may be of the same lanes.
    AtOnce,
}

impl Batch {
    fn len(&self) -> usize {
        self.answers.len()
    }

    /// Two batches of those who still wait. A push whose sender has given up meanwhile was answered 503 and comes
    /// again, which bounds the effort; IM repeats nothing, so its webhooks are kept if that can still be done.
    fn halves(self) -> [Batch; 2] {
        let mut waiting: Vec<Waiting> = self
            .answers
            .into_iter()
            .zip(self.arrivals.iter())
            .filter(|(answer, arrival)| arrival.source == Source::Im || !answer.is_closed())
            .map(|(answer, arrival)| Waiting { arrival: arrival.clone(), answer })
            .collect();
        let second = waiting.split_off(waiting.len() / 2);
        [Batch::new(waiting, self.how), Batch::new(second, self.how)]
    }

    /// Those that can be sorted later, and those that cannot.
    fn parted(self) -> [Batch; 2] {
        let arrivals = Arc::try_unwrap(self.arrivals).unwrap_or_else(|shared| shared.to_vec());
        let waiting =
            arrivals.into_iter().zip(self.answers).map(|(arrival, answer)| Waiting { arrival, answer });
        let (later, at_once) = waiting.partition(|waiting| waiting.arrival.may_wait);
        [Batch::new(later, How::Later), Batch::new(at_once, How::AtOnce)]
    }

    fn new(waiting: Vec<Waiting>, how: How) -> Batch {
        let (arrivals, answers) = waiting.into_iter().map(|w| (w.arrival, w.answer)).unzip();
        Batch { arrivals: Arc::new(arrivals), answers, how }
    }
}

/// Cuts what has gathered where the bodies of one commit would grow too large.
fn cut(waiting: Vec<Waiting>) -> Vec<Batch> {
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
    batches.into_iter().map(|batch| Batch::new(batch, How::AsUsual)).collect()
}

/// Whether the database itself refused something, so that the other rows may still be stored. Without a
/// connection there is nothing to be gained by trying each.
fn may_be_one_row(error: &Error) -> bool {
    match error {
        Error::Database(error) => {
            use sqlx::Error::{Database, Encode, Protocol};
            matches!(**error, Failure::Sqlite(_) | Failure::Postgres(Database(_) | Encode(_) | Protocol(_)))
        }
        Error::Unknown(_) => true,
        _ => false,
    }
}

/// Stores a batch on the lanes, behind whatever of the same customers is not sorted yet.
async fn commit(
    pool: &Pool,
    idle: Millis,
    batch: &Batch,
    spool: &Arc<Spool>,
) -> Result<Vec<Ingested>, Error> {
    let as_usual = batch.how == How::AsUsual;
    if !as_usual && !spool.is_empty() && batch.arrivals.iter().any(|arrival| arrival.source == Source::Wechat)
    {
        spool.sort_all().await?;
    }
    let arrivals = batch.arrivals.clone();
    crate::faults::point("ingest.before_commit");
    let write = pool.write(move |tx| {
        Box::pin(async move {
            if as_usual && tx.another_spooled().await? {
                return Err(Error::Spooled);
            }
            store(tx, &arrivals, idle).await
        })
    });
    let ingested = write.await?;
    crate::faults::point("ingest.after_commit");
    Ok(ingested)
}
