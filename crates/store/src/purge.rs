//! Old rows go, in steps that cost the same however much there is.
//!
//! A step reads at most so many candidates in the order of their age, through an index that begins with the account,
//! and removes those that no lane still needs. Where it ended is a [`Mark`]: rows that have to stay are passed once per
//! sweep, not once per step. What stays in any case: whatever has a job, or a delivery without a final state.
//! Customers, lanes, ghosts (the retired ones above all) and tokens are never purged.

use crate::dialect::{self, Old};
use crate::open::Store;
use crate::sql::{Conn, Error, Text, Tx, json_rows, row, rows};
use crate::sqlite;
use desk::Millis;

/// Where a sweep stands: everything up to this row has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    at: Millis,
    id: String,
}

impl Default for Mark {
    /// The beginning.
    fn default() -> Self {
        Mark { at: Millis::MIN, id: String::new() }
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Rows that are gone, those that went with others included.
    pub removed: u64,
    /// Where the next step begins; none when the sweep has come to the rows that are too young.
    pub next: Option<Mark>,
}

impl Store {
    /// One step of a sweep: removes up to `most` rows of `account` that are older than `before`, from `mark` on.
    ///
    /// `unreadable_before` counts for webhooks that could not be read, which somebody may still want to read with
    /// another key. Messages take their deliveries along; `most` counts their attempts as well.
    pub async fn purge(
        &self,
        what: Old,
        account: &str,
        before: Millis,
        unreadable_before: Millis,
        mark: &Mark,
        most: i64,
    ) -> Result<Swept, Error> {
        let (owner, from) = (account.to_owned(), mark.clone());
        let found: Vec<(String, i64)> = self
            .read(move |tx| {
                Box::pin(async move {
                    Ok(rows!(
                        tx,
                        (String, i64),
                        what.candidates(),
                        owner.as_str(),
                        before,
                        from.at,
                        from.id.as_str(),
                        most
                    )?)
                })
            })
            .await?;
        let full = found.len() as i64 == most;
        let next = found.last().map(|(id, at)| Mark { at: *at, id: id.clone() }).filter(|_| full);
        let ids: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
        if ids.is_empty() {
            return Ok(Swept { removed: 0, next: None });
        }
        let (removed, unfinished) = self
            .write(move |tx| {
                Box::pin(async move {
                    match what {
                        Old::Messages => tx.purge_messages(ids, most).await,
                        Old::Inbox => {
                            let removed = tx.by_ids(dialect::PURGE_INBOX, ids, unreadable_before).await?;
                            Ok((removed.len() as u64, false))
                        }
                        Old::Attempts => {
                            let removed = tx.by_ids(dialect::PURGE_ATTEMPTS, ids, most).await?;
                            Ok((removed.len() as u64, false))
                        }
                        Old::Conversations => {
                            let removed = tx.by_ids(dialect::PURGE_CONVERSATIONS, ids, before).await?;
                            Ok((removed.len() as u64, false))
                        }
                    }
                })
            })
            .await?;
        Ok(Swept { removed, next: if unfinished { Some(mark.clone()) } else { next } })
    }

    /// Every account that has rows of this kind, configured or not; the cost grows with their number alone.
    pub async fn accounts_with(&self, what: Old) -> Result<Vec<String>, Error> {
        self.read(move |tx| {
            Box::pin(async move {
                // Webhooks that belong to nobody have an empty one.
                let mut accounts = vec![String::new()];
                while let Some((Some(next),)) = row!(
                    tx,
                    (Option<String>,),
                    what.next_account(),
                    accounts.last().map_or("", String::as_str)
                )? {
                    accounts.push(next);
                }
                Ok(accounts)
            })
        })
        .await
    }
}

impl Tx<'_> {
    /// Tells how many rows went, and whether there are more of the same messages.
    async fn purge_messages(&mut self, ids: Vec<String>, most: i64) -> Result<(u64, bool), Error> {
        let removable = self.by_ids(dialect::PURGEABLE_MESSAGES, ids, most).await?;
        let attempts = self.by_ids(dialect::PURGE_ATTEMPTS_OF, removable.clone(), most).await?.len();
        if attempts as i64 == most {
            return Ok((attempts as u64, true));
        }
        let deliveries = self.by_ids(dialect::PURGE_DELIVERIES_OF, removable.clone(), most).await?.len();
        let messages = self.by_ids(dialect::PURGE_MESSAGES, removable, most).await?.len();
        Ok(((attempts + deliveries + messages) as u64, false))
    }

    /// Runs a statement with many ids and one number; gives the ids that it answers.
    async fn by_ids(&mut self, text: Text, ids: Vec<String>, number: i64) -> Result<Vec<String>, Error> {
        let found: Vec<(String,)> = match &mut self.conn {
            Conn::Sqlite(conn) => {
                let ids = json_rows(ids.into_iter());
                sqlite::query(text.sqlite).bind(ids).bind(number).rows(conn)?
            }
            Conn::Postgres(conn) => {
                sqlx::query_as(text.postgres).bind(ids).bind(number).fetch_all(&mut **conn).await?
            }
        };
        Ok(found.into_iter().map(|(id,)| id).collect())
    }
}
