//! Lanes and jobs: work is claimed by lane, never by job, and results are committed only under the epoch
//! that was claimed.
//!
//! A lane is (account, customer, direction), for life; its row is all that a claim reads and writes, so a
//! claim costs the same with ten jobs behind it and with a million. Lease time is the database's clock.
//! `ready_at` is the only thing that a claim looks at: null when there is nothing to do, the next try while
//! the head waits, the end of the lease while somebody holds it. A holder that dies therefore gives its lane
//! back by doing nothing.
//!
//! Where one transaction touches several rows, it locks the customer's row first, then lanes in the order of
//! their ids (`in` before `out`), as `ingest.rs` does; otherwise two of them may wait for each other.

use crate::dialect;
use crate::inbox::InboxRow;
use crate::open::Store;
use crate::relaying::Due;
use crate::sql::{Conn, Error, Tx, column, execute, json_rows, many, row, rows};
use crate::sqlite;
use desk::{Direction, Millis};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The key of a lane.
pub fn lane_id(account: &str, openid: &str, direction: Direction) -> String {
    format!("{}/{account}/{openid}", direction.as_str())
}

/// A job that is to be put on a lane.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The lane's account.
    pub account: String,
    /// The lane's customer.
    pub openid: String,
    /// The lane's direction.
    pub direction: Direction,
    /// Which job; the vocabulary is `bridge`'s.
    pub kind: &'static str,
    /// Id of the row that it is about.
    pub subject: String,
    /// A second id, or a word.
    pub note: Option<String>,
    /// When the cause came.
    pub since: Millis,
    /// The trace that its spans belong to, as a W3C `traceparent`.
    pub trace: Option<String>,
}

/// A lane that this process holds.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its key.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its customer.
    pub openid: String,
    /// Its direction: `in` or `out`.
    pub direction: Direction,
    /// The epoch under which it was claimed.
    pub epoch: i64,
    /// Until when nothing may be begun without renewing, on this machine's monotonic clock.
    pub deadline: Instant,
    /// The job that was at its head when it was claimed, for whoever begins with it.
    pub head: Option<Job>,
}

/// The job at the head of a lane.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its position on the lane.
    pub position: i64,
    /// Which job.
    pub kind: String,
    /// Id of the row that it is about.
    pub subject: String,
    /// A second id, or a word.
    pub note: Option<String>,
    /// How often it was put off.
    pub tries: i64,
    /// When the cause came.
    pub since: Millis,
    /// The trace that its spans belong to, as a W3C `traceparent`.
    pub trace: Option<String>,
    /// What it is about, if that was read with it.
    pub along: Along,
}

/// What was read along with a job, so that nobody has to look it up.
#[derive(Debug, Clone, Default)]
pub enum Along {
    /// Nothing.
    #[default]
    Nothing,
    /// The webhook that it is about.
    Webhook(Box<InboxRow>),
    /// The delivery that is due.
    Delivery(Box<Due>),
}

/// What `dialect::HEAD` gives.
type HeadRow = (
    i64,
    String,
    String,
    Option<String>,
    i64,
    i64,
    Option<String>,
    Option<Millis>,
    Option<String>,
    Option<Vec<u8>>,
);

impl Job {
    /// The head of a lane of this account.
    fn head_of(account: &str, row: HeadRow) -> Job {
        let (position, kind, subject, note, tries, since, trace, received_at, query, body) = row;
        let along = match (received_at, body) {
            (Some(received_at), Some(body)) => {
                let (account, kind) = (account.to_owned(), kind.clone());
                Along::Webhook(Box::new(InboxRow { account, kind, received_at, query, body }))
            }
            _ => Along::Nothing,
        };
        Job { position, kind, subject, note, tries, since, trace, along }
    }
}

/// A lane that was claimed.
type ClaimedRow = (String, String, String, String, i64);

/// The same with its head, if it was found with it.
type WithHead = (
    String,
    String,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<Millis>,
    Option<String>,
    Option<Vec<u8>>,
);

fn part(row: WithHead) -> (ClaimedRow, Option<HeadRow>) {
    let (
        id,
        account,
        openid,
        direction,
        epoch,
        position,
        kind,
        subject,
        note,
        tries,
        since,
        trace,
        at,
        query,
        body,
    ) = row;
    let head = match (position, kind, subject, tries, since) {
        (Some(position), Some(kind), Some(subject), Some(tries), Some(since)) => {
            Some((position, kind, subject, note, tries, since, trace, at, query, body))
        }
        _ => None,
    };
    ((id, account, openid, direction, epoch), head)
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Lanes with something to do.
    pub lanes: i64,
    /// Jobs on them.
    pub jobs: i64,
    /// Milliseconds that the most overdue lane has been waiting to be claimed.
    pub overdue: Millis,
}

impl Store {
    /// Claims up to `most` lanes that are ready, for `lease`: those of the direction `first` before the others, and
    /// within each those that have been ready for longest.
    pub async fn claim(
        &self,
        holder: &str,
        most: i64,
        lease: Duration,
        first: Direction,
    ) -> Result<Vec<Lane>, Error> {
        let then = match first {
            Direction::In => Direction::Out,
            Direction::Out => Direction::In,
        };
        // Read before the statement, so that our idea of the lease ends before the database's.
        let unfenced = crate::faults::sabotaged("no-fence");
        let deadline = Instant::now() + if unfenced { lease * 1_000 } else { lease * 4 / 5 };
        let (holder, lease) = (holder.to_owned(), lease.as_millis() as i64);
        let claimed = self
            .write_at_once(move |tx| {
                Box::pin(async move {
                    let claimed = tx.claim(&holder, lease, most, first, then).await?;
                    if unfenced {
                        execute!(tx, "UPDATE lane SET epoch = 0")?;
                    }
                    Ok(claimed)
                })
            })
            .await?;
        let lane = |((id, account, openid, direction, epoch), head): (ClaimedRow, Option<HeadRow>)| {
            let direction = if direction == "in" { Direction::In } else { Direction::Out };
            let head = head.map(|head| Job::head_of(&account, head));
            Lane { id, account, openid, direction, epoch: if unfenced { 0 } else { epoch }, deadline, head }
        };
        Ok(claimed.into_iter().map(lane).collect())
    }

    /// Whether any lane is ready, so that claiming would find something. Costs no write.
    pub async fn anything_ready(&self) -> Result<bool, Error> {
        self.look_up(|tx| {
            Box::pin(async move {
                // Each direction is a range of the index.
                let ready = crate::sql::Text {
                    sqlite: "SELECT 1 FROM lane WHERE direction IN ('in', 'out') AND ready_at <= (SELECT now FROM clock) LIMIT 1",
                    postgres: "SELECT 1::bigint FROM lane WHERE direction IN ('in', 'out') AND ready_at <= (SELECT now FROM clock) LIMIT 1",
                };
                Ok(row!(tx, (i64,), ready)?.is_some())
            })
        })
        .await
    }

    /// Holds a lane for another `lease`.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if somebody else has claimed it since.
    pub async fn renew(&self, lane: &mut Lane, lease: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + lease * 4 / 5;
        let (id, epoch, lease) = (lane.id.clone(), lane.epoch, lease.as_millis() as i64);
        self.write_at_once(move |tx| {
            Box::pin(async move {
                let renewed = execute!(
                    tx,
                    "UPDATE lane SET ready_at = (SELECT now FROM clock) + $1 \
                     WHERE id = $2 AND epoch = $3 AND holder IS NOT NULL",
                    lease,
                    id.as_str(),
                    epoch
                )?;
                held(renewed)
            })
        })
        .await?;
        lane.deadline = deadline;
        Ok(())
    }

    /// The job at the head of a lane.
    pub async fn next_job(&self, lane: &Lane) -> Result<Option<Job>, Error> {
        let (id, account) = (lane.id.clone(), lane.account.clone());
        self.look_up(move |tx| {
            Box::pin(async move {
                let row = row!(tx, HeadRow, dialect::HEAD, id.as_str())?;
                Ok(row.map(|row| Job::head_of(&account, row)))
            })
        })
        .await
    }

    /// How much is waiting.
    pub async fn backlog(&self) -> Result<Backlog, Error> {
        self.read(|tx| {
            Box::pin(async move {
                // The clock is read once: two looks at it may lie a millisecond apart.
                let (lanes, jobs, overdue): (i64, i64, i64) = row!(
                    tx,
                    (i64, i64, i64),
                    "SELECT COUNT(*), CAST(COALESCE(SUM(tail - head), 0) AS BIGINT), \
                     COALESCE((SELECT now FROM clock) - MIN(ready_at), 0) \
                     FROM lane WHERE ready_at IS NOT NULL"
                )?
                .unwrap_or_default();
                Ok(Backlog { lanes, jobs, overdue: overdue.max(0) })
            })
        })
        .await
    }
}

impl Tx<'_> {
    /// Claims lanes; gives them with their heads, where those are found at once.
    async fn claim(
        &mut self,
        holder: &str,
        lease: i64,
        most: i64,
        first: Direction,
        then: Direction,
    ) -> Result<Vec<(ClaimedRow, Option<HeadRow>)>, Error> {
        let (first, then) = (first.as_str(), then.as_str());
        if let Conn::Postgres(_) = self.conn {
            let claimed = rows!(self, WithHead, dialect::CLAIM, holder, lease, most, first, then)?;
            return Ok(claimed.into_iter().map(part).collect());
        }
        let claimed = rows!(self, ClaimedRow, dialect::CLAIM, holder, lease, most, first, then)?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let mut heads = self.heads(claimed.iter().map(|(id, ..)| id.as_str())).await?;
        let with_head = |lane: ClaimedRow| {
            let head = heads.remove(&lane.0);
            (lane, head)
        };
        Ok(claimed.into_iter().map(with_head).collect())
    }

    async fn heads<'a>(
        &mut self,
        lanes: impl Iterator<Item = &'a str>,
    ) -> Result<HashMap<String, HeadRow>, Error> {
        type Row = (
            String,
            i64,
            String,
            String,
            Option<String>,
            i64,
            i64,
            Option<String>,
            Option<Millis>,
            Option<String>,
            Option<Vec<u8>>,
        );
        let found = rows!(self, Row, dialect::HEADS, json_rows(lanes))?;
        let head = |(lane, a, b, c, d, e, f, g, h, i, j): Row| (lane, (a, b, c, d, e, f, g, h, i, j));
        Ok(found.into_iter().map(head).collect())
    }

    /// Puts jobs on their lanes, behind what is there, and makes idle lanes ready.
    pub async fn enqueue(&mut self, jobs: &[NewJob]) -> Result<(), Error> {
        let mut lanes: BTreeMap<String, Vec<&NewJob>> = BTreeMap::new();
        for job in jobs {
            lanes.entry(lane_id(&job.account, &job.openid, job.direction)).or_default().push(job);
        }
        if lanes.is_empty() {
            return Ok(());
        }
        // In the order of their keys, so that two transactions never wait for each other.
        let lanes: Vec<(String, Vec<&NewJob>)> = lanes.into_iter().collect();
        let tails: Vec<(String, i64)> = match &mut self.conn {
            Conn::Sqlite(conn) => many!(
                conn,
                (String, i64),
                dialect::EXTEND_LANES.sqlite,
                lanes,
                |(id, jobs)| id.as_str(),
                jobs[0].account.as_str(),
                jobs[0].openid.as_str(),
                jobs[0].direction.as_str(),
                jobs.len() as i64
            ),
            Conn::Postgres(conn) => {
                sqlx::query_as(dialect::EXTEND_LANES.postgres)
                    .bind(column(&lanes, |lane| lane.0.clone()))
                    .bind(column(&lanes, |lane| lane.1[0].account.clone()))
                    .bind(column(&lanes, |lane| lane.1[0].openid.clone()))
                    .bind(column(&lanes, |lane| lane.1[0].direction.as_str().to_owned()))
                    .bind(column(&lanes, |lane| lane.1.len() as i64))
                    .fetch_all(&mut **conn)
                    .await?
            }
        };
        let tails: BTreeMap<String, i64> = tails.into_iter().collect();
        let mut placed: Vec<(&str, i64, &NewJob)> = Vec::with_capacity(jobs.len());
        for (id, jobs) in &lanes {
            let tail = tails.get(id).copied().ok_or(Error::Unknown("lane"))?;
            let first = tail - jobs.len() as i64;
            placed.extend(jobs.iter().zip(first..).map(|(job, position)| (id.as_str(), position, *job)));
        }
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                many!(
                    conn,
                    (i64,),
                    dialect::INSERT_JOBS.sqlite,
                    placed,
                    |(id, at, job)| *id,
                    *at,
                    job.kind,
                    job.subject.as_str(),
                    job.note.as_deref(),
                    job.since,
                    job.trace.as_deref()
                );
            }
            Conn::Postgres(conn) => {
                sqlx::query(dialect::INSERT_JOBS.postgres)
                    .bind(column(&placed, |row| row.0.to_owned()))
                    .bind(column(&placed, |row| row.1))
                    .bind(column(&placed, |row| row.2.kind.to_owned()))
                    .bind(column(&placed, |row| row.2.subject.clone()))
                    .bind(column(&placed, |row| row.2.note.clone()))
                    .bind(column(&placed, |row| row.2.since))
                    .bind(column(&placed, |row| row.2.trace.clone()))
                    .execute(&mut **conn)
                    .await?;
            }
        }
        Ok(())
    }

    /// Takes back every lane that is held, and the lock of whoever was fetching a token. Only for the one process
    /// that may serve this database: whoever held them is dead.
    pub(crate) async fn take_back_lanes(&mut self) -> Result<(), Error> {
        execute!(self, "UPDATE token SET refresher = NULL, refresh_until = 0")?;
        execute!(
            self,
            "UPDATE lane SET holder = NULL, epoch = epoch + 1, ready_at = (SELECT now FROM clock) \
             WHERE ready_at IS NOT NULL AND holder IS NOT NULL"
        )?;
        Ok(())
    }

    /// Takes part in the lane's fence: whatever this transaction does is kept only if the lane is still held.
    pub async fn fence(&mut self, lane: &Lane) -> Result<(), Error> {
        let found = row!(self, (String,), dialect::FENCE, lane.id.as_str(), lane.epoch)?;
        held(u64::from(found.is_some()))
    }

    /// Removes the finished head; tells whether there is more, otherwise the lane is released.
    pub async fn finish(&mut self, lane: &Lane, job: &Job) -> Result<bool, Error> {
        Ok(self.finish_counting(lane, job).await? > 0)
    }

    /// The same; tells how much more.
    pub(crate) async fn finish_counting(&mut self, lane: &Lane, job: &Job) -> Result<i64, Error> {
        let (id, after) = (lane.id.as_str(), job.position + 1);
        let left = row!(self, (i64,), dialect::FINISH, id, lane.epoch, after)?;
        held(u64::from(left.is_some()))?;
        if let Conn::Sqlite(_) = self.conn {
            execute!(self, "DELETE FROM job WHERE lane = $1 AND position = $2", id, job.position)?;
        }
        Ok(left.map_or(0, |(left,)| left))
    }

    /// Turns the head into the next job of the same chain, at the same position.
    pub async fn become_job(
        &mut self,
        lane: &Lane,
        job: &Job,
        kind: &'static str,
        subject: &str,
    ) -> Result<(), Error> {
        let was = job.subject.as_str();
        held(execute!(
            self,
            dialect::BECOME_JOB,
            lane.id.as_str(),
            lane.epoch,
            job.position,
            kind,
            subject,
            was
        )?)
    }

    /// Keeps a word with the head.
    pub async fn note_job(&mut self, lane: &Lane, job: &Job, note: &str) -> Result<(), Error> {
        self.fence(lane).await?;
        execute!(
            self,
            "UPDATE job SET note = $3 WHERE lane = $1 AND position = $2",
            lane.id.as_str(),
            job.position,
            note
        )?;
        Ok(())
    }

    /// Makes lanes ready at once that were put off for longer than `delay` ms: their account is served again. Gives how
    /// many.
    pub async fn wake_lanes(&mut self, account: &str, delay: Millis) -> Result<u64, Error> {
        Ok(execute!(
            self,
            "UPDATE lane SET ready_at = (SELECT now FROM clock) \
             WHERE account = $1 AND holder IS NULL AND ready_at > (SELECT now FROM clock) + $2",
            account,
            delay
        )?)
    }

    /// Makes these lanes ready at once that were put off: what they wait for is there again. Gives how many.
    pub async fn wake_these(&mut self, lanes: &[String]) -> Result<u64, Error> {
        let done = match &mut self.conn {
            Conn::Sqlite(conn) => {
                sqlite::query(dialect::WAKE_LANES.sqlite).bind(json_rows(lanes.iter())).execute(conn)?
            }
            Conn::Postgres(conn) => sqlx::query(dialect::WAKE_LANES.postgres)
                .bind(lanes.to_vec())
                .execute(&mut **conn)
                .await?
                .rows_affected(),
        };
        Ok(done)
    }

    /// Whether there is anything on a lane.
    pub async fn lane_has_work(&mut self, lane: &str) -> Result<bool, Error> {
        let row = row!(self, (String,), "SELECT id FROM lane WHERE id = $1 AND head < tail", lane)?;
        Ok(row.is_some())
    }

    /// How many jobs wait for accounts, by account.
    pub async fn waiting_accounts(&mut self) -> Result<Vec<(String, i64)>, Error> {
        Ok(rows!(
            self,
            (String, i64),
            "SELECT account, CAST(SUM(tail - head) AS BIGINT) FROM lane WHERE ready_at IS NOT NULL GROUP BY account"
        )?)
    }

    /// Releases the lane; its head is tried again after `delay` ms.
    pub async fn put_off(&mut self, lane: &Lane, job: &Job, delay: Millis) -> Result<(), Error> {
        self.release(lane, delay).await?;
        execute!(
            self,
            "UPDATE job SET tries = tries + 1 WHERE lane = $1 AND position = $2",
            lane.id.as_str(),
            job.position
        )?;
        Ok(())
    }

    /// Releases the lane; it is ready again after `delay` ms if there is anything on it.
    pub async fn release(&mut self, lane: &Lane, delay: Millis) -> Result<(), Error> {
        held(execute!(
            self,
            "UPDATE lane SET holder = NULL, ready_at = CASE WHEN head < tail THEN (SELECT now FROM clock) + $3 ELSE NULL END \
             WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            lane.id.as_str(),
            lane.epoch,
            delay
        )?)
    }
}

pub(crate) fn held(rows: u64) -> Result<(), Error> {
    if rows == 1 || crate::faults::sabotaged("no-fence") { Ok(()) } else { Err(Error::LeaseLost) }
}
