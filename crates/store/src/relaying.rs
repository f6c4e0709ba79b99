//! The commits of a customer's message on its way to IM, for all messages that want the same one at a time: it is taken in
//! (with the attempt that begins, where nothing has to be waited for), an attempt begins, its call ended well.
//!
//! What is not like most messages (of several parts, with a file, in a new conversation, of a customer for whom something
//! waits) is left to whoever asks, who has the long way for it; nothing of it is written then. Each message is inside the
//! fence of its own lane: one whose lane was lost takes nothing of its neighbours with it.

use crate::dialect;
use crate::ghost::GhostState;
use crate::group::Group;
use crate::lane::{Job, Lane, held};
use crate::message::Delivery;
use crate::open::{Pool, Store};
use crate::sql::{Conn, Error, Tx, column, execute, row};
use crate::{AttemptId, DeliveryId, MessageId};
use desk::{DeliveryState, Direction, Millis};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Works out a customer's reply windows after a message: from what was kept, what is to be kept and when the last one ends.
pub type AfterMessage = Arc<dyn Fn(&str) -> (String, Option<Millis>) + Send + Sync>;

/// A customer's message of one part, in a conversation, that carries nothing but words.
#[derive(Clone)]
pub struct PlainMessage {
    /// The lane, which is held.
    pub lane: Lane,
    /// The job at its head, about the webhook that brought it.
    pub job: Job,
    /// The id that it gets.
    pub message: MessageId,
    /// The id of its part.
    pub delivery: DeliveryId,
    /// `text`, …
    pub kind: &'static str,
    /// The conversation that it belongs to.
    pub conversation: String,
    /// What it says.
    pub words: String,
    /// `MsgId`.
    pub source_key: Option<String>,
    /// When it came.
    pub received_at: Millis,
    /// When it is taken in.
    pub now: Millis,
    /// The agents who may be given it.
    pub serving: Vec<String>,
    /// What it does to the customer's reply windows.
    pub windows: AfterMessage,
    /// The attempt that begins with it, if its ghost can send it at once.
    pub attempt: Option<AttemptId>,
}

impl std::fmt::Debug for PlainMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainMessage").field("message", &self.message).finish_non_exhaustive()
    }
}

/// A delivery to be made, and what decides about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The delivery, before any attempt that is to be made now.
    pub delivery: Delivery,
    /// Whether that attempt has begun: the call may be under way.
    pub begun: bool,
    /// How the ghost stands that sends it.
    pub ghost: Option<GhostState>,
    /// When the store was restored from a backup; 0 for never.
    pub restored_at: Millis,
    /// The account of the customer's reply windows, as it is set.
    pub windows: Option<String>,
}

/// A call that ended well.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The lane, which is held.
    pub lane: Lane,
    /// The job at its head, about the delivery's message.
    pub job: Job,
    /// The delivery.
    pub delivery: String,
    /// The state in which it was read.
    pub was: DeliveryState,
    /// What the other side said, for the log.
    pub detail: String,
    /// The key that IM gave.
    pub msg_key: Option<String>,
    /// When it ended.
    pub now: Millis,
}

/// A call that is to begin.
pub(crate) struct Beginning {
    lane: Lane,
    attempt: AttemptId,
    delivery: String,
    now: Millis,
}

/// Those who wait for the same.
#[derive(Clone)]
pub(crate) struct Relaying {
    taking: Group<PlainMessage, Option<Due>>,
    beginning: Group<Beginning, bool>,
    ending: Group<Delivered, Option<i64>>,
}

impl Relaying {
    pub(crate) fn start(pool: &Pool) -> Relaying {
        let (taking, beginning, ending) = (pool.clone(), pool.clone(), pool.clone());
        Relaying {
            taking: Group::start(move |messages| {
                let pool = taking.clone();
                Box::pin(async move {
                    pool.write(move |tx| Box::pin(async move { tx.take_in(&messages).await })).await
                })
            }),
            beginning: Group::start(move |calls| {
                let pool = beginning.clone();
                Box::pin(async move {
                    pool.write_at_once(move |tx| Box::pin(async move { tx.begin_attempts(&calls).await }))
                        .await
                })
            }),
            ending: Group::start(move |ended| {
                let pool = ending.clone();
                Box::pin(async move {
                    pool.write_at_once(move |tx| Box::pin(async move { tx.delivered(&ended).await })).await
                })
            }),
        }
    }
}

impl Store {
    /// Takes in a customer's message: its job is to relay it from then on, and what is to be delivered is given. `None` if
    /// there is more to it than this: nothing was written.
    ///
    /// # Errors
    /// The store failed, and it may have been taken in all the same.
    pub async fn take_in(&self, message: PlainMessage) -> Result<Option<Due>, Error> {
        self.relaying.taking.ask(message).await
    }

    /// Opens an attempt, if the lane is still held: when this returns, the call may be under way.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if somebody else has the lane now.
    pub async fn begin_attempt(
        &self,
        lane: &Lane,
        id: AttemptId,
        delivery: &str,
        now: Millis,
    ) -> Result<(), Error> {
        let beginning = Beginning { lane: lane.clone(), attempt: id, delivery: delivery.to_owned(), now };
        let begun = self.relaying.beginning.ask(beginning).await?;
        held(u64::from(begun))
    }

    /// Keeps that the last part of a message was sent, and removes the job: gives how many are left on the lane, which is
    /// released if there are none. `None` if there is more to it than this, or it is not as it was read: nothing was written.
    ///
    /// # Errors
    /// The store failed, and it may have been kept all the same.
    pub async fn delivered(&self, ended: Delivered) -> Result<Option<i64>, Error> {
        self.relaying.ending.ask(ended).await
    }
}

/// What a message meets: its number among those that are taken in with it, the customer's last number, last act and
/// windows; the conversation's agent and since when somebody waits there; the ghost; something parked; the last restoration.
type Standing = (
    i64,
    i64,
    Option<String>,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// A message that is taken in.
struct Taken<'a> {
    message: &'a PlainMessage,
    due: Due,
    msg_seq: i64,
    windows: String,
    until: Option<Millis>,
    waits_already: bool,
}

impl<'a> Taken<'a> {
    /// If the message is like most.
    fn of(message: &'a PlainMessage, standing: Standing) -> Result<Option<Taken<'a>>, Error> {
        let (_, last, last_act, windows, agent, waiting_since, ghost, state, parked, restored_at) = standing;
        let (Some(agent), Some(ghost), Some(state)) = (agent, ghost, state) else { return Ok(None) };
        if last_act.is_some() || parked.is_some() || !message.serving.contains(&agent) {
            return Ok(None);
        }
        let (windows, until) = (message.windows)(&windows);
        let msg_seq = last + 1;
        let delivery = Delivery {
            id: message.delivery.as_str().to_owned(),
            state: DeliveryState::Waiting,
            reason: None,
            body: message.words.clone(),
            content: None,
            sender: ghost,
            recipient: agent,
            msg_seq: Some(u32::try_from(msg_seq).map_err(|_| Error::Unknown("message number"))?),
            tries: 0,
            first_try_at: None,
            changed_at: message.now,
        };
        let ghost = GhostState::parse(&state)?;
        let restored_at = restored_at.and_then(|at| at.parse().ok()).unwrap_or(0);
        let begun = message.attempt.is_some() && ghost == GhostState::Living && message.now >= restored_at;
        let due = Due { delivery, begun, ghost: Some(ghost), restored_at, windows: Some(windows.clone()) };
        let waits_already = waiting_since.is_some();
        Ok(Some(Taken { message, due, msg_seq, windows, until, waits_already }))
    }

    fn attempt(&self) -> Option<&AttemptId> {
        self.message.attempt.as_ref().filter(|_| self.due.begun)
    }
}

impl Tx<'_> {
    async fn take_in(&mut self, messages: &[Arc<PlainMessage>]) -> Result<Vec<Option<Due>>, Error> {
        let mut taken = match self.conn {
            Conn::Sqlite(_) => self.take_in_each(messages).await?,
            Conn::Postgres(_) => self.take_in_all(messages).await?,
        };
        crate::faults::point("intake.before_commit");
        Ok(messages.iter().map(|message| taken.remove(message.lane.id.as_str())).collect())
    }

    /// One after the other; gives what is due on each lane.
    async fn take_in_each(&mut self, messages: &[Arc<PlainMessage>]) -> Result<HashMap<String, Due>, Error> {
        let mut done = HashMap::with_capacity(messages.len());
        for message in messages {
            let (lane, id) = (&message.lane, message.message.as_str());
            let (account, openid) = (lane.account.as_str(), lane.openid.as_str());
            let conversation = message.conversation.as_str();
            let standing = row!(self, Standing, dialect::STANDING, account, openid, conversation, 0_i64)?;
            let Some(standing) = standing else { continue };
            let Some(taken) = Taken::of(message, standing)? else { continue };
            match self.become_job(lane, &message.job, "relay", id).await {
                Err(Error::LeaseLost) => continue,
                done => done?,
            }
            execute!(
                self,
                "UPDATE customer SET msg_seq = $3, windows = $4, window_until = $5 WHERE account = $1 AND openid = $2",
                account,
                openid,
                taken.msg_seq,
                taken.windows.as_str(),
                taken.until
            )?;
            if !taken.waits_already {
                self.wait_for_answer(conversation, message.received_at).await?;
            }
            self.insert_message(crate::NewMessage {
                id: &message.message,
                account,
                openid,
                direction: Direction::In,
                kind: message.kind,
                conversation: Some(conversation),
                author: None,
                source_key: message.source_key.as_deref(),
                said: None,
                inbox: Some(&message.job.subject),
                created_at: message.received_at,
            })
            .await?;
            let part = &taken.due.delivery;
            let attempt = taken.attempt();
            let state = if attempt.is_some() { DeliveryState::Sending } else { DeliveryState::Waiting };
            execute!(
                self,
                "INSERT INTO delivery (id, message, part, state, body, sender, recipient, msg_seq, tries, first_try_at, changed_at) \
                 VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10)",
                part.id.as_str(),
                id,
                state.as_str(),
                part.body.as_str(),
                part.sender.as_str(),
                part.recipient.as_str(),
                taken.msg_seq,
                i64::from(attempt.is_some()),
                attempt.map(|_| message.now),
                message.now
            )?;
            if let Some(attempt) = attempt {
                let attempt = attempt.as_str();
                execute!(
                    self,
                    dialect::BEGIN_ONE,
                    lane.id.as_str(),
                    lane.epoch,
                    attempt,
                    part.id.as_str(),
                    message.now
                )?;
            }
            done.insert(lane.id.clone(), taken.due);
        }
        Ok(done)
    }

    /// All at once: customers are locked in the order of their keys, lanes in that of their ids, as everywhere.
    async fn take_in_all(&mut self, messages: &[Arc<PlainMessage>]) -> Result<HashMap<String, Due>, Error> {
        let Conn::Postgres(conn) = &mut self.conn else { return Ok(HashMap::new()) };
        let mut lanes = HashSet::new();
        let mut rows: Vec<&PlainMessage> = messages
            .iter()
            .map(|message| &**message)
            .filter(|of| lanes.insert(of.lane.id.as_str()))
            .collect();
        rows.sort_by(|a, b| (&a.lane.account, &a.lane.openid).cmp(&(&b.lane.account, &b.lane.openid)));
        let accounts = column(&rows, |of| of.lane.account.clone());
        let openids = column(&rows, |of| of.lane.openid.clone());
        sqlx::query(dialect::LOCK_CUSTOMERS).bind(&accounts).bind(&openids).execute(&mut **conn).await?;
        // A statement of its own: what others did to those customers before they were locked is seen only by the next.
        let standing: Vec<Standing> = sqlx::query_as(dialect::STANDING.postgres)
            .bind(&accounts)
            .bind(&openids)
            .bind(column(&rows, |of| of.conversation.clone()))
            .fetch_all(&mut **conn)
            .await?;
        let mut taken = Vec::with_capacity(rows.len());
        for standing in standing {
            let at = usize::try_from(standing.0 - 1).map_err(|_| Error::Unknown("row"))?;
            let message = rows.get(at).copied().ok_or(Error::Unknown("row"))?;
            taken.extend(Taken::of(message, standing)?);
        }
        if taken.is_empty() {
            return Ok(HashMap::new());
        }
        taken.sort_by(|a, b| a.message.lane.id.cmp(&b.message.lane.id));
        let now = taken.iter().map(|of| of.message.now).max().unwrap_or(0);
        let kept: Vec<(String,)> = sqlx::query_as(dialect::TAKE_IN)
            .bind(column(&taken, |of| of.message.lane.id.clone()))
            .bind(column(&taken, |of| of.message.lane.epoch))
            .bind(column(&taken, |of| of.message.job.position))
            .bind(column(&taken, |of| of.message.job.subject.clone()))
            .bind(column(&taken, |of| of.message.lane.account.clone()))
            .bind(column(&taken, |of| of.message.lane.openid.clone()))
            .bind(column(&taken, |of| of.msg_seq))
            .bind(column(&taken, |of| of.windows.clone()))
            .bind(column(&taken, |of| of.until))
            .bind(column(&taken, |of| of.message.conversation.clone()))
            .bind(column(&taken, |of| of.message.received_at))
            .bind(column(&taken, |of| of.message.message.as_str().to_owned()))
            .bind(column(&taken, |of| of.message.kind.to_owned()))
            .bind(column(&taken, |of| of.message.source_key.clone()))
            .bind(column(&taken, |of| of.due.delivery.id.clone()))
            .bind(column(&taken, |of| of.due.delivery.body.clone()))
            .bind(column(&taken, |of| of.due.delivery.sender.clone()))
            .bind(column(&taken, |of| of.due.delivery.recipient.clone()))
            .bind(column(&taken, |of| of.attempt().map(|id| id.as_str().to_owned())))
            .bind(now)
            .fetch_all(&mut **conn)
            .await?;
        let kept: HashSet<String> = kept.into_iter().map(|(lane,)| lane).collect();
        let taken = taken.into_iter().map(|of| (of.message.lane.id.clone(), of.due));
        Ok(taken.filter(|(lane, _)| kept.contains(lane)).collect())
    }

    async fn begin_attempts(&mut self, calls: &[Arc<Beginning>]) -> Result<Vec<bool>, Error> {
        let begun: HashSet<String> = match &mut self.conn {
            Conn::Sqlite(_) => {
                let mut begun = HashSet::with_capacity(calls.len());
                for call in calls {
                    let (lane, id) = (&call.lane, call.attempt.as_str());
                    let delivery = call.delivery.as_str();
                    let fenced = execute!(
                        self,
                        dialect::BEGIN_ONE,
                        lane.id.as_str(),
                        lane.epoch,
                        id,
                        delivery,
                        call.now
                    )?;
                    if fenced == 1 {
                        self.sending(delivery, call.now).await?;
                        begun.insert(id.to_owned());
                    }
                }
                begun
            }
            Conn::Postgres(conn) => {
                let mut rows: Vec<&Beginning> = calls.iter().map(|call| &**call).collect();
                rows.sort_by(|a, b| a.lane.id.cmp(&b.lane.id));
                let begun: Vec<(String,)> = sqlx::query_as(dialect::BEGIN_ATTEMPTS)
                    .bind(column(&rows, |of| of.lane.id.clone()))
                    .bind(column(&rows, |of| of.lane.epoch))
                    .bind(column(&rows, |of| of.attempt.as_str().to_owned()))
                    .bind(column(&rows, |of| of.delivery.clone()))
                    .bind(column(&rows, |of| of.now))
                    .fetch_all(&mut **conn)
                    .await?;
                begun.into_iter().map(|(id,)| id).collect()
            }
        };
        Ok(calls.iter().map(|call| begun.contains(call.attempt.as_str())).collect())
    }

    async fn delivered(&mut self, ended: &[Arc<Delivered>]) -> Result<Vec<Option<i64>>, Error> {
        let left: HashMap<String, i64> = match &mut self.conn {
            Conn::Sqlite(_) => {
                let mut left = HashMap::with_capacity(ended.len());
                for one in ended {
                    let (lane, job) = (&one.lane, &one.job);
                    let sent = execute!(
                        self,
                        dialect::SENT_ONE,
                        lane.id.as_str(),
                        lane.epoch,
                        job.position,
                        job.tries,
                        one.delivery.as_str(),
                        one.was.as_str(),
                        one.msg_key.as_deref(),
                        one.now
                    )?;
                    if sent == 1 {
                        self.close_attempts(&one.delivery, DeliveryState::Sent, &one.detail, one.now).await?;
                        left.insert(lane.id.clone(), self.finish_counting(lane, job).await?);
                    }
                }
                left
            }
            Conn::Postgres(conn) => {
                let mut rows: Vec<&Delivered> = ended.iter().map(|one| &**one).collect();
                rows.sort_by(|a, b| a.lane.id.cmp(&b.lane.id));
                let left: Vec<(String, i64)> = sqlx::query_as(dialect::DELIVERED)
                    .bind(column(&rows, |of| of.lane.id.clone()))
                    .bind(column(&rows, |of| of.lane.epoch))
                    .bind(column(&rows, |of| of.job.position))
                    .bind(column(&rows, |of| of.job.tries))
                    .bind(column(&rows, |of| of.delivery.clone()))
                    .bind(column(&rows, |of| of.was.as_str().to_owned()))
                    .bind(column(&rows, |of| of.detail.clone()))
                    .bind(column(&rows, |of| of.msg_key.clone()))
                    .bind(column(&rows, |of| of.now))
                    .fetch_all(&mut **conn)
                    .await?;
                left.into_iter().collect()
            }
        };
        Ok(ended.iter().map(|one| left.get(one.lane.id.as_str()).copied()).collect())
    }
}
