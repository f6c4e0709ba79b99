//! A customer is erased: every row with something of them goes. Start with [`OF_A_CUSTOMER`].
//!
//! What stays is a digest with the generation of the last ghost: a UserID that was deleted in IM is never used again.

use crate::dialect;
use crate::lane::Lane;
use crate::open::{Pool, Store};
use crate::sql::{Conn, Error, Tx, execute, json_rows, row, rows};
use crate::sqlite::{self, Sqlite};
use desk::Millis;
use rusqlite::OpenFlags;
use std::path::Path;
use std::time::Duration;

/// Every table with rows of one customer, and the statement that removes them ($1 account, $2 openid), in the order in
/// which they go. A table that is added with something of customers in it gets its line here; a test asks for it.
/// Beside these, `inbox` and `dedup` are searched for the customer's ids, and `spool` is sorted before.
const OF_A_CUSTOMER: &[(&str, &str)] = &[
    (
        "attempt",
        "DELETE FROM attempt WHERE delivery IN \
         (SELECT d.id FROM delivery d JOIN message m ON m.id = d.message WHERE m.account = $1 AND m.openid = $2)",
    ),
    (
        "delivery",
        "DELETE FROM delivery WHERE message IN (SELECT id FROM message WHERE account = $1 AND openid = $2)",
    ),
    ("message", "DELETE FROM message WHERE account = $1 AND openid = $2"),
    ("conversation", "DELETE FROM conversation WHERE account = $1 AND openid = $2"),
    ("job", "DELETE FROM job WHERE lane IN ('in/' || $1 || '/' || $2, 'out/' || $1 || '/' || $2)"),
    ("lane", "DELETE FROM lane WHERE id IN ('in/' || $1 || '/' || $2, 'out/' || $1 || '/' || $2)"),
    ("mailbox", "DELETE FROM mailbox WHERE account = $1 AND openid = $2"),
    ("slot", "DELETE FROM slot WHERE account = $1 AND openid = $2"),
    // The files themselves have gone before.
    ("media", "DELETE FROM media WHERE account = $1 AND openid = $2"),
    ("reconciled", "DELETE FROM reconciled WHERE account = $1 AND openid = $2"),
    ("ghost", "DELETE FROM ghost WHERE account = $1 AND openid = $2"),
    // Where an import of followers stands: it begins its page again.
    ("import", "UPDATE import SET next_openid = '' WHERE account = $1 AND next_openid = $2"),
    ("customer", "DELETE FROM customer WHERE account = $1 AND openid = $2"),
];

/// Rows that are looked into at once.
const PAGE: i64 = 200;
/// SQLite gives its room back only if nobody else is kept waiting for long.
const COMPACTED_BESIDE: u64 = 64 << 20;

/// What there is of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// Whether there is a row of the customer.
    pub known: bool,
    /// Messages in both directions.
    pub messages: i64,
    /// UserIDs of every ghost that there ever was.
    pub ghosts: Vec<String>,
    /// Whoever wrote to the customer or was written to.
    pub agents: Vec<String>,
    /// Ids of webhooks with one of these ids in them.
    pub inbox: Vec<String>,
    /// Keys of webhooks whose answer has one in it.
    pub keys: Vec<String>,
    /// Pushes of the account that nobody could read so far, and so nobody can search.
    pub unreadable: i64,
    /// They were erased before.
    pub erased: bool,
}

impl Traces {
    /// Whether there is nothing of them.
    pub fn is_empty(&self) -> bool {
        !self.known
            && self.messages == 0
            && self.ghosts.is_empty()
            && self.inbox.is_empty()
            && self.keys.is_empty()
    }
}

/// Whether the file keeps no page with what was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compacted {
    /// The engine does that by itself in time.
    ByTheServer,
    /// Every page was written anew.
    Whole,
    /// Removed rows are overwritten, but the file was not written anew: it is large, and somebody works with it.
    Overwritten,
}

impl Store {
    /// Looks for everything that there is of a customer. Reads all webhooks of the account and those of nobody.
    pub async fn traces_of(&self, account: &str, openid: &str) -> Result<Traces, Error> {
        // What came in a crowd is found once it is sorted.
        self.sort_all().await?;
        let (id, who) = (account.to_owned(), openid.to_owned());
        let mut traces = self.read(move |tx| Box::pin(async move { tx.rows_of(&id, &who).await })).await?;
        let mut ids: Vec<String> = traces.ghosts.clone();
        ids.push(openid.to_owned());
        for of in [account, ""] {
            let mut after = (Millis::MIN, String::new());
            loop {
                let (of, from) = (of.to_owned(), after.clone());
                type Row = (String, i64, Option<String>, Vec<u8>);
                let page: Vec<Row> = self
                    .read(move |tx| {
                        Box::pin(async move {
                            Ok(rows!(
                                tx,
                                Row,
                                "SELECT id, received_at, query, body FROM inbox WHERE account = $1 \
                                 AND (received_at, id) > ($2, $3) ORDER BY received_at, id LIMIT $4",
                                of.as_str(),
                                from.0,
                                from.1.as_str(),
                                PAGE
                            )?)
                        })
                    })
                    .await?;
                let Some((last, at, ..)) = page.last() else { break };
                after = (*at, last.clone());
                let fits = |row: &Row| {
                    mentions(&row.3, &ids) || mentions(row.2.as_deref().unwrap_or("").as_bytes(), &ids)
                };
                traces.inbox.extend(page.into_iter().filter(fits).map(|(id, ..)| id));
            }
        }
        let mut after = String::new();
        loop {
            let from = after.clone();
            let page: Vec<(String, Option<Vec<u8>>)> = self
                .read(move |tx| {
                    Box::pin(async move {
                        Ok(rows!(
                            tx,
                            (String, Option<Vec<u8>>),
                            "SELECT key, reply FROM dedup WHERE key > $1 ORDER BY key LIMIT $2",
                            from.as_str(),
                            PAGE
                        )?)
                    })
                })
                .await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            let fits = |row: &(String, Option<Vec<u8>>)| {
                mentions(row.0.as_bytes(), &ids)
                    || row.1.as_deref().is_some_and(|reply| mentions(reply, &ids))
            };
            traces.keys.extend(page.into_iter().filter(fits).map(|(key, _)| key));
        }
        traces.inbox.sort();
        traces.inbox.dedup();
        Ok(traces)
    }

    /// Removes everything that was found and whatever has come since. `deleted` are the UserIDs that IM has forgotten; if
    /// there is another by now, or a file has come, nothing is removed and the answer is `None`: look again.
    ///
    /// With `lane`, only for as long as that is held.
    ///
    /// # Errors
    /// The database failed, or the lane is somebody else's by now.
    pub async fn erase(
        &self,
        account: &str,
        openid: &str,
        traces: Traces,
        lane: Option<Lane>,
        now: Millis,
    ) -> Result<Option<Vec<(&'static str, u64)>>, Error> {
        let (account, openid) = (account.to_owned(), openid.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&account, &openid).await?;
                if let Some(lane) = &lane {
                    tx.fence(lane).await?;
                }
                tx.erase(&account, &openid, traces, now).await
            })
        })
        .await
    }

    /// Removes webhooks of IM that name one of these UserIDs and came since: IM tells of messages that were taken back.
    pub async fn erase_echoes(&self, ghosts: Vec<String>, since: Millis) -> Result<u64, Error> {
        let named: Vec<String> = ghosts.iter().map(|ghost| format!("\"{ghost}\"")).collect();
        self.write(move |tx| {
            Box::pin(async move {
                let rows = rows!(
                    tx,
                    (String, Vec<u8>),
                    "SELECT id, body FROM inbox WHERE account = '' AND received_at >= $1 ORDER BY received_at, id",
                    since
                )?;
                let fits = |(_, body): &(String, Vec<u8>)| mentions(body, &named);
                let ids: Vec<String> = rows.into_iter().filter(fits).map(|(id, _)| id).collect();
                tx.remove_all(dialect::ERASE_DEDUP_OF, &ids).await?;
                tx.remove_all(dialect::ERASE_INBOX, &ids).await
            })
        })
        .await
    }

    /// Sees to it that no page of the file, and no page of its log, keeps what was removed.
    pub async fn compact(&self, beside_a_gateway: bool) -> Result<Compacted, Error> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return Ok(Compacted::ByTheServer) };
        let path = readers.path();
        let compacted = tokio::task::spawn_blocking(move || compact(&path, beside_a_gateway)).await;
        compacted.map_err(|_| Error::Closed)?
    }
}

fn compact(path: &Path, beside_a_gateway: bool) -> Result<Compacted, Error> {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    let sqlite = Sqlite::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, &[])?;
    let whole = !beside_a_gateway || size <= COMPACTED_BESIDE;
    if whole {
        sqlite.run("VACUUM")?;
    }
    // Readers may be in the way for a moment.
    for _ in 0..40 {
        let found = sqlite::query("PRAGMA wal_checkpoint(TRUNCATE)").row::<(i64, i64, i64)>(&sqlite)?;
        if found.is_some_and(|(busy, ..)| busy == 0) {
            sqlite.close()?;
            return Ok(if whole { Compacted::Whole } else { Compacted::Overwritten });
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Err(Error::Overloaded)
}

impl Tx<'_> {
    async fn rows_of(&mut self, account: &str, openid: &str) -> Result<Traces, Error> {
        let known = row!(
            self,
            (i64,),
            "SELECT generation FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        let messages = row!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM message WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        let ghosts = rows!(
            self,
            (String,),
            "SELECT user_id FROM ghost WHERE account = $1 AND openid = $2 ORDER BY generation",
            account,
            openid
        )?;
        let agents = rows!(
            self,
            (String,),
            "SELECT author FROM message WHERE account = $1 AND openid = $2 AND author IS NOT NULL \
             UNION SELECT d.recipient FROM message m JOIN delivery d ON d.message = m.id \
               WHERE m.account = $1 AND m.openid = $2 AND m.direction = 'in'",
            account,
            openid
        )?;
        let inbox = rows!(
            self,
            (String,),
            "SELECT inbox FROM message WHERE account = $1 AND openid = $2 AND inbox IS NOT NULL \
             UNION SELECT subject FROM job WHERE lane IN ('in/' || $1 || '/' || $2, 'out/' || $1 || '/' || $2)",
            account,
            openid
        )?;
        let unreadable = row!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM inbox WHERE kind = 'unreadable' AND account = $1",
            account
        )?;
        let one = |rows: Vec<(String,)>| rows.into_iter().map(|(text,)| text).collect();
        Ok(Traces {
            known: known.is_some(),
            messages: messages.map_or(0, |(count,)| count),
            ghosts: one(ghosts),
            agents: one(agents),
            inbox: one(inbox),
            keys: Vec::new(),
            unreadable: unreadable.map_or(0, |(count,)| count),
            erased: self.retired_generation(account, openid).await? > 0,
        })
    }

    /// Gives up every ghost of a customer, before IM is asked to forget them.
    pub async fn retire_ghosts(&mut self, account: &str, openid: &str, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE ghost SET state = 'retired', changed_at = $3 \
             WHERE account = $1 AND openid = $2 AND state <> 'retired'",
            account,
            openid,
            now
        )?;
        Ok(())
    }

    /// The generation of the last ghost of a customer who was erased; 0 for whoever was not.
    pub async fn retired_generation(&mut self, account: &str, openid: &str) -> Result<i64, Error> {
        let digest = desk::ghost::erased_digest(account, openid);
        let row = row!(self, (i64,), "SELECT generation FROM erased WHERE digest = $1", digest)?;
        Ok(row.map_or(0, |(generation,)| generation))
    }

    /// The customer's row is locked.
    async fn erase(
        &mut self,
        account: &str,
        openid: &str,
        traces: Traces,
        now: Millis,
    ) -> Result<Option<Vec<(&'static str, u64)>>, Error> {
        // Whoever works on one of the lanes commits nothing from here on.
        execute!(
            self,
            "UPDATE lane SET epoch = epoch + 1, holder = NULL \
             WHERE id IN ('in/' || $1 || '/' || $2, 'out/' || $1 || '/' || $2)",
            account,
            openid
        )?;
        let fresh = self.rows_of(account, openid).await?;
        if fresh.ghosts.iter().any(|ghost| !traces.ghosts.contains(ghost)) {
            return Ok(None);
        }
        // A row that goes without its bytes would leave them where nobody finds them.
        if !self.media_of_customer(account, openid, 1).await?.is_empty() {
            return Ok(None);
        }
        let last = row!(
            self,
            (Option<i64>,),
            "SELECT MAX(generation) FROM ghost WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        if let Some((Some(generation),)) = last {
            execute!(
                self,
                "INSERT INTO erased (digest, generation, at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET \
                   generation = CASE WHEN erased.generation < excluded.generation THEN excluded.generation ELSE erased.generation END, \
                   at = excluded.at",
                desk::ghost::erased_digest(account, openid),
                generation,
                now
            )?;
        }
        let inbox: Vec<String> = traces.inbox.into_iter().chain(fresh.inbox).collect();
        let keyed = self.remove_all(dialect::ERASE_DEDUP_OF, &inbox).await?;
        let keys = self.remove_all(dialect::ERASE_DEDUP, &traces.keys).await?;
        let webhooks = self.remove_all(dialect::ERASE_INBOX, &inbox).await?;
        let mut removed = vec![("inbox", webhooks), ("dedup", keyed + keys)];
        for (table, statement) in OF_A_CUSTOMER {
            removed.push((*table, execute!(self, *statement, account, openid)?));
        }
        Ok(Some(removed))
    }

    async fn remove_all(&mut self, text: crate::sql::Text, ids: &[String]) -> Result<u64, Error> {
        let done = match &mut self.conn {
            Conn::Sqlite(conn) => sqlite::query(text.sqlite).bind(json_rows(ids.iter())).execute(conn)?,
            Conn::Postgres(conn) => {
                sqlx::query(text.postgres).bind(ids.to_vec()).execute(&mut **conn).await?.rows_affected()
            }
        };
        Ok(done)
    }
}

/// Whether one of these ids stands in a body.
fn mentions(body: &[u8], ids: &[String]) -> bool {
    let text = String::from_utf8_lossy(body);
    ids.iter().any(|id| !id.is_empty() && text.contains(id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables with nothing of a customer in them, the two that are searched, and the one that is sorted before.
    const OF_NOBODY: [&str; 11] =
        ["meta", "desk", "agent", "token", "erased", "inbox", "dedup", "spool", "passive", "bucket", "pause"];

    #[test]
    fn every_table_of_the_migrations_is_spoken_for() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut found = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for table in text.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split_whitespace().next())
            {
                let spoken =
                    OF_A_CUSTOMER.iter().any(|(known, _)| *known == table) || OF_NOBODY.contains(&table);
                assert!(spoken, "{table} is in neither list: what becomes of it when a customer is erased?");
                found += 1;
            }
        }
        assert!(found > 12);
    }
}
