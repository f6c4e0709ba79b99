//! What the operator sees: work that waits, pushes that could not be read, deliveries that ended badly.
//! Read only; `operator.rs` changes what is found here.

use crate::open::Store;
use crate::sql::{Error, row, rows};
use desk::{Direction, Millis};

/// A job that waits on its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its lane.
    pub lane: String,
    /// Its position there.
    pub position: i64,
    /// The lane's account.
    pub account: String,
    /// The lane's customer.
    pub openid: String,
    /// The lane's direction.
    pub direction: Direction,
    /// Which job.
    pub kind: String,
    /// The row that it is about.
    pub subject: String,
    /// How often it was put off.
    pub tries: i64,
    /// When the cause came.
    pub since: Millis,
    /// Whether somebody works on the lane now.
    pub held: bool,
    /// Whether others on the lane go first.
    pub behind: bool,
    /// What the other side said last: a code, never a text of a person.
    pub last: Option<String>,
    /// The words that wait to be delivered, as far as they are known.
    pub words: Option<String>,
}

/// A push that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id in the inbox.
    pub id: String,
    /// The account.
    pub account: String,
    /// When it came.
    pub received_at: Millis,
}

/// A message of which a part failed or is unsure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The message's id.
    pub message: String,
    /// The account.
    pub account: String,
    /// The customer.
    pub openid: String,
    /// `in` or `out`.
    pub direction: String,
    /// `text`, `notice`, …
    pub kind: String,
    /// `failed` or `unsure`.
    pub state: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// Attempts at the part that ended it.
    pub tries: i64,
    /// When it ended.
    pub at: Millis,
    /// What the other side said last.
    pub last: Option<String>,
    /// The words of the part.
    pub words: String,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Jobs that wait.
    pub waiting: i64,
    /// Parts that wait for their customer's next message.
    pub parked: i64,
    /// Pushes that could not be read.
    pub unreadable: i64,
    /// Parts that failed.
    pub failed: i64,
    /// Parts that are unsure.
    pub unsure: i64,
}

impl Store {
    /// Jobs that wait, the oldest first; of all accounts where `account` is empty.
    pub async fn waiting(&self, account: &str, most: i64) -> Result<Vec<Waiting>, Error> {
        type Row = (
            String,
            i64,
            String,
            String,
            String,
            String,
            String,
            i64,
            i64,
            Option<String>,
            i64,
            Option<String>,
            Option<String>,
        );
        let account = account.to_owned();
        let found: Vec<Row> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        Row,
                        "SELECT j.lane, j.position, l.account, l.openid, l.direction, j.kind, j.subject, j.tries, j.since, \
                           l.holder, l.head, \
                           (SELECT a.detail FROM attempt a JOIN delivery d ON d.id = a.delivery \
                            WHERE d.message = j.subject AND a.detail IS NOT NULL ORDER BY a.started_at DESC, a.id DESC LIMIT 1), \
                           (SELECT d.body FROM delivery d WHERE d.message = j.subject AND d.state <> 'sent' ORDER BY d.part LIMIT 1) \
                         FROM job j JOIN lane l ON l.id = j.lane \
                         WHERE ($1 = '' OR l.account = $1) AND j.kind <> 'dropped' \
                         ORDER BY j.since, j.lane, j.position LIMIT $2",
                        account.as_str(),
                        most
                    )?)
                })
            })
            .await?;
        let waiting = |row: Row| {
            let (
                lane,
                position,
                account,
                openid,
                direction,
                kind,
                subject,
                tries,
                since,
                holder,
                head,
                last,
                words,
            ) = row;
            Waiting {
                lane,
                position,
                account,
                openid,
                direction: if direction == "in" { Direction::In } else { Direction::Out },
                kind,
                subject,
                tries,
                since,
                held: holder.is_some(),
                behind: position > head,
                last,
                words,
            }
        };
        Ok(found.into_iter().map(waiting).collect())
    }

    /// Pushes that could not be read and came after `after` (its time and id), the oldest first.
    pub async fn unreadable(
        &self,
        account: &str,
        after: (Millis, &str),
        most: i64,
    ) -> Result<Vec<Unreadable>, Error> {
        let (account, at, id) = (account.to_owned(), after.0, after.1.to_owned());
        let found: Vec<(String, String, i64)> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        (String, String, i64),
                        "SELECT id, account, received_at FROM inbox \
                         WHERE kind = 'unreadable' AND ($1 = '' OR account = $1) \
                           AND (received_at > $2 OR (received_at = $2 AND id > $3)) \
                         ORDER BY received_at, id LIMIT $4",
                        account.as_str(),
                        at,
                        id.as_str(),
                        most
                    )?)
                })
            })
            .await?;
        let unreadable = |(id, account, received_at)| Unreadable { id, account, received_at };
        Ok(found.into_iter().map(unreadable).collect())
    }

    /// Messages that ended as `failed` or `unsure`, the newest first. Of each the part that ended it.
    pub async fn ended(&self, account: &str, state: &'static str, most: i64) -> Result<Vec<Ended>, Error> {
        type Row = (String, String, String, String, String, Option<String>, i64, i64, Option<String>, String);
        let account = account.to_owned();
        let found: Vec<Row> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        Row,
                        "SELECT m.id, m.account, m.openid, m.direction, m.kind, d.reason, d.tries, d.changed_at, \
                           (SELECT a.detail FROM attempt a WHERE a.delivery = d.id AND a.detail IS NOT NULL \
                            ORDER BY a.started_at DESC, a.id DESC LIMIT 1), d.body \
                         FROM delivery d JOIN message m ON m.id = d.message \
                         WHERE d.state IN ('failed', 'unsure') AND d.state = $1 AND ($2 = '' OR m.account = $2) \
                           AND (d.reason IS NULL OR d.reason <> 'earlier_part') \
                           AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.message = d.message AND e.part < d.part AND e.state <> 'sent') \
                         ORDER BY d.changed_at DESC, d.id LIMIT $3",
                        state,
                        account.as_str(),
                        most
                    )?)
                })
            })
            .await?;
        let ended =
            |(message, account, openid, direction, kind, reason, tries, at, last, words): Row| Ended {
                message,
                account,
                openid,
                direction,
                kind,
                state: state.to_owned(),
                reason,
                tries,
                at,
                last,
                words,
            };
        Ok(found.into_iter().map(ended).collect())
    }

    /// How many there are of each; of all accounts where `account` is empty.
    pub async fn counts(&self, account: &str) -> Result<Counts, Error> {
        let account = account.to_owned();
        let counts = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(row!(
                        tx,
                        (i64, i64, i64, i64, i64),
                        "SELECT \
                           (SELECT COUNT(*) FROM job j JOIN lane l ON l.id = j.lane WHERE ($1 = '' OR l.account = $1) AND j.kind <> 'dropped'), \
                           (SELECT COUNT(DISTINCT delivery) FROM mailbox WHERE ($1 = '' OR account = $1)), \
                           (SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable' AND ($1 = '' OR account = $1)), \
                           (SELECT COUNT(*) FROM delivery d JOIN message m ON m.id = d.message \
                            WHERE d.state = 'failed' AND ($1 = '' OR m.account = $1)), \
                           (SELECT COUNT(*) FROM delivery d JOIN message m ON m.id = d.message \
                            WHERE d.state = 'unsure' AND ($1 = '' OR m.account = $1))",
                        account.as_str()
                    )?)
                })
            })
            .await?;
        let (waiting, parked, unreadable, failed, unsure) = counts.unwrap_or_default();
        Ok(Counts { waiting, parked, unreadable, failed, unsure })
    }
}
