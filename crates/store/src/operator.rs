//! What the operator changes: a job is given up, a message is put on its lane again.
//!
//! Whoever works on a lane relies on nobody else changing its jobs, so each change first takes the lane out of
//! everybody's reach, in its own transaction: only a lane that nobody holds (or whose holder is dead) is touched, and
//! its epoch goes up, so that a holder who only stood still finds its results refused.

use crate::lane::{Along, Job, NewJob};
use crate::sql::{Error, Tx, execute, row, rows};
use desk::{Direction, Millis, Reason};

/// The kind of a job that was given up. It keeps its place until the lane comes to it, and then nothing is done: a
/// hole between positions would leave the lane's count wrong.
pub const DROPPED: &str = "dropped";

/// A job with its lane.
#[derive(Debug, Clone)]
pub struct OpenJob {
    /// The lane.
    pub lane: String,
    /// The lane's account.
    pub account: String,
    /// The lane's customer.
    pub openid: String,
    /// The lane's direction.
    pub direction: Direction,
    /// The job.
    pub job: Job,
}

/// A message of which everything has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedMessage {
    /// The account.
    pub account: String,
    /// The customer.
    pub openid: String,
    /// Which way it went.
    pub direction: Direction,
    /// `text`, …, `notice`.
    pub kind: String,
}

type Row = (String, String, String, String, i64, String, String, Option<String>, i64, i64);

fn open_job((lane, account, openid, direction, position, kind, subject, note, tries, since): Row) -> OpenJob {
    let job = Job { position, kind, subject, note, tries, since, trace: None, along: Along::Nothing };
    OpenJob { lane, account, openid, direction: way(&direction), job }
}

fn way(word: &str) -> Direction {
    if word == "in" { Direction::In } else { Direction::Out }
}

impl Tx<'_> {
    /// The jobs that stand at this position of any lane.
    pub async fn jobs_at(&mut self, position: i64) -> Result<Vec<OpenJob>, Error> {
        let found = rows!(
            self,
            Row,
            "SELECT l.id, l.account, l.openid, l.direction, j.position, j.kind, j.subject, j.note, j.tries, j.since \
             FROM job j JOIN lane l ON l.id = j.lane WHERE j.position = $1 AND j.kind <> 'dropped'",
            position
        )?;
        Ok(found.into_iter().map(open_job).collect())
    }

    /// The job that is about this row.
    pub async fn job_about(&mut self, subject: &str) -> Result<Option<OpenJob>, Error> {
        let found = row!(
            self,
            Row,
            "SELECT l.id, l.account, l.openid, l.direction, j.position, j.kind, j.subject, j.note, j.tries, j.since \
             FROM job j JOIN lane l ON l.id = j.lane WHERE j.subject = $1 AND j.kind <> 'dropped'",
            subject
        )?;
        Ok(found.map(open_job))
    }

    /// Takes a lane out of everybody's reach until this transaction ends; from then on it is ready. False if
    /// somebody works on it.
    pub async fn seize_lane(&mut self, lane: &str) -> Result<bool, Error> {
        let seized = execute!(
            self,
            "UPDATE lane SET holder = NULL, epoch = epoch + 1, ready_at = (SELECT now FROM clock) \
             WHERE id = $1 AND ready_at IS NOT NULL AND (holder IS NULL OR ready_at <= (SELECT now FROM clock))",
            lane
        )?;
        Ok(seized == 1)
    }

    /// Lets a lane be claimed at once, whatever its head waits for. False if somebody works on it, or it is empty.
    pub async fn hurry_lane(&mut self, lane: &str) -> Result<bool, Error> {
        let hurried = execute!(
            self,
            "UPDATE lane SET ready_at = (SELECT now FROM clock) WHERE id = $1 AND ready_at IS NOT NULL AND holder IS NULL",
            lane
        )?;
        Ok(hurried == 1)
    }

    /// Gives a job up, on a lane that this transaction has seized. False if it is not as it was read.
    pub async fn drop_job(&mut self, open: &OpenJob) -> Result<bool, Error> {
        let dropped = execute!(
            self,
            "UPDATE job SET kind = 'dropped' WHERE lane = $1 AND position = $2 AND kind = $3 AND subject = $4",
            open.lane.as_str(),
            open.job.position,
            open.job.kind.as_str(),
            open.job.subject.as_str()
        )?;
        Ok(dropped == 1)
    }

    /// Ends a message of which a job was given up: what was not tried, or provably not sent, failed; what was under
    /// way when its holder died is unsure. Tells whether anything is unsure.
    pub async fn give_up(&mut self, message: &str, reason: Reason, now: Millis) -> Result<bool, Error> {
        execute!(
            self,
            "UPDATE attempt SET ended_at = $2, outcome = 'unsure', detail = 'dropped' \
             WHERE ended_at IS NULL AND delivery IN (SELECT id FROM delivery WHERE message = $1)",
            message,
            now
        )?;
        let unsure = execute!(
            self,
            "UPDATE delivery SET state = 'unsure', changed_at = $2 WHERE message = $1 AND state IN ('sending', 'checking')",
            message,
            now
        )?;
        execute!(
            self,
            "UPDATE delivery SET state = 'failed', reason = $2, changed_at = $3 WHERE message = $1 AND state = 'waiting'",
            message,
            reason.as_str(),
            now
        )?;
        Ok(unsure > 0)
    }

    /// Changes what a webhook of the inbox is: `unreadable` to `dropped`, say. False if it is not `from` (any more).
    pub async fn turn_inbox(&mut self, id: &str, from: &str, to: &str) -> Result<bool, Error> {
        Ok(execute!(self, "UPDATE inbox SET kind = $3 WHERE id = $1 AND kind = $2", id, from, to)? == 1)
    }

    /// A message whose every part has ended and that no job is about; `None` if there is none such.
    pub async fn ended_message(&mut self, id: &str) -> Result<Option<EndedMessage>, Error> {
        let found = row!(
            self,
            (String, String, String, String),
            "SELECT m.account, m.openid, m.direction, m.kind FROM message m WHERE m.id = $1 \
               AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id AND d.state NOT IN ('sent', 'failed', 'unsure')) \
               AND NOT EXISTS (SELECT 1 FROM job j WHERE j.subject = m.id AND j.kind <> 'dropped')",
            id
        )?;
        Ok(found.map(|(account, openid, direction, kind)| EndedMessage {
            account,
            openid,
            direction: way(&direction),
            kind,
        }))
    }

    /// Lets the parts of an ended message that failed be tried again; unsure ones too, where `unsure` names the
    /// state that they go to. Tells how many.
    pub async fn reopen(
        &mut self,
        message: &str,
        unsure: Option<&'static str>,
        now: Millis,
    ) -> Result<u64, Error> {
        let mut reopened = execute!(
            self,
            "UPDATE delivery SET state = 'waiting', reason = NULL, changed_at = $2 WHERE message = $1 AND state = 'failed'",
            message,
            now
        )?;
        if let Some(state) = unsure {
            reopened += execute!(
                self,
                "UPDATE delivery SET state = $2, reason = NULL, changed_at = $3 WHERE message = $1 AND state = 'unsure'",
                message,
                state,
                now
            )?;
        }
        Ok(reopened)
    }

    /// Puts a job about an ended message on its lane again, behind what is there.
    pub async fn enqueue_again(
        &mut self,
        of: &EndedMessage,
        kind: &'static str,
        message: &str,
        now: Millis,
    ) -> Result<(), Error> {
        self.enqueue(&[NewJob {
            account: of.account.clone(),
            openid: of.openid.clone(),
            direction: of.direction,
            kind,
            subject: message.to_owned(),
            note: None,
            since: now,
            trace: None,
        }])
        .await
    }
}
