//! Whether this database is the one that a gateway last worked with, or an older copy of it.
//!
//! A database that was restored from a backup still has on its lanes what was sent after the backup, so nothing from
//! before may go out of it on our own. What tells: the store counts its beats, in the database and, a moment later, in a
//! mark that lives outside of it (beside a SQLite file; on PostgreSQL the server's own identity of the tables). A mark
//! that is ahead of the database says that the database went back. A store that has been silent for long and has no
//! mark that agrees with it is in doubt, which counts as restored. What no mark can tell (the whole machine went back
//! a short while) is the operator's to say: `tsunagi restored`.

use crate::lane::NewJob;
use crate::migrate::{meta, set_meta};
use crate::open::{Pool, Store};
use crate::sql::{Conn, Error, Tx, execute, row, rows};
use desk::{Direction, Millis};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// By how much the numbers of all customers' messages go up after a restore: what was sent after the backup had some of
/// the next ones, and must not be taken for what is sent now.
const SKIPPED_NUMBERS: i64 = 1_000_000;

/// How a store was found at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// It was created just now.
    New,
    /// As it was left, so many milliseconds ago.
    AsLeft(Millis),
    /// Its mark is ahead of it, or its tables are others: an older copy.
    Restored,
    /// It has been silent for so many milliseconds, and nothing shows that it is not an older copy.
    InDoubt(Millis),
}

impl Woken {
    /// For how many milliseconds nobody served it, as far as is known; of a new one nobody expected that.
    pub fn was_away_for(self) -> Millis {
        match self {
            Woken::New => 0,
            Woken::AsLeft(silent) => silent,
            Woken::Restored | Woken::InDoubt(_) => Millis::MAX,
        }
    }
}

impl Store {
    /// To be called once at the start, before webhooks are taken: finds out whether the database was restored, and keeps
    /// that webhooks of IM may be missing. Silence of more than `doubt_after` ms without a mark counts as restored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn wake(&self, now: Millis, doubt_after: Millis) -> Result<Woken, Error> {
        let home = self.home().await;
        let (id, mark) = (self.id().to_owned(), self.mark_path().and_then(|path| read_mark(&path)));
        let (woken, beats) = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.be_patient().await?;
                    let woken = tx.judge(&id, mark, home.as_ref(), doubt_after).await?;
                    // First, as in every beat: two nodes that lock these rows in two orders would stop each other.
                    let beats = tx.beat().await?;
                    match woken {
                        Woken::Restored | Woken::InDoubt(_) => tx.mark_restored(now).await?,
                        Woken::New | Woken::AsLeft(_) => tx.record_gap(now).await?,
                    }
                    if let Some(home) = home {
                        home.keep(tx).await?;
                    }
                    Ok((woken, beats))
                })
            })
            .await?;
        self.mark(beats).await;
        Ok(woken)
    }

    /// Says that this database was restored from a backup: nothing that waits in it, and nothing that was said before
    /// `now`, is sent on our own.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mark_restored(&self, now: Millis) -> Result<(), Error> {
        self.write(move |tx| Box::pin(async move { tx.mark_restored(now).await })).await
    }

    /// Counts a beat, in the database and then in the mark.
    pub(crate) async fn beat(&self) -> Result<(), Error> {
        let (home, seen) = (self.home().await, self.beats.load(Ordering::SeqCst));
        let beats = self
            .write(move |tx| {
                Box::pin(async move {
                    let beats = tx.beat().await?;
                    if beats <= seen {
                        let now = row!(tx, (i64,), "SELECT now FROM clock")?.map_or(0, |(now,)| now);
                        tx.mark_restored(now).await?;
                    }
                    // A failover that lost nothing.
                    if let Some(home) = home {
                        home.keep(tx).await?;
                    }
                    Ok(beats)
                })
            })
            .await?;
        if beats <= seen {
            tracing::error!(
                "the database went back under a running gateway: commits were lost in a failover. Nothing from before is sent on our own"
            );
        }
        self.mark(beats).await;
        Ok(())
    }

    async fn mark(&self, beats: i64) {
        self.beats.fetch_max(beats, Ordering::SeqCst);
        if let Some(path) = self.mark_path() {
            let text = format!("{} {beats}\n", self.id());
            let written = tokio::task::spawn_blocking(move || write_mark(&path, &text)).await;
            if let Ok(Err(error)) = written {
                tracing::warn!(%error, "the mark beside the database cannot be written: a restored backup would be noticed later");
            }
        }
    }

    /// The mark's file.
    fn mark_path(&self) -> Option<PathBuf> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return None };
        let file = readers.path();
        let mut name = std::fs::canonicalize(&file).unwrap_or(file).into_os_string();
        name.push(".mark");
        Some(name.into())
    }

    /// What PostgreSQL itself says of where the tables are: cluster, timeline, database and table. A dump that is loaded,
    /// and a recovery to a point in time, give others.
    async fn home(&self) -> Option<Home> {
        let Pool::Postgres(pool) = &self.pool else { return None };
        let tables = "SELECT d.oid::text || '/' || 'meta'::regclass::oid::text, \
                      current_setting('synchronous_standby_names') <> '' \
                      FROM pg_database d WHERE d.datname = current_database()";
        let cluster = "SELECT s.system_identifier::text || '/' || c.timeline_id::text FROM pg_control_system() s, pg_control_checkpoint() c";
        let (tables, synchronous): (String, bool) = sqlx::query_as(tables).fetch_one(pool).await.ok()?;
        let cluster: Result<(String,), sqlx::Error> = sqlx::query_as(cluster).fetch_one(pool).await;
        match cluster {
            Ok((cluster,)) => Some(Home { at: format!("{cluster}/{tables}"), synchronous }),
            // Not for this role to know, today or tomorrow.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => {
                Some(Home { at: format!("/{tables}"), synchronous })
            }
            Err(_) => None,
        }
    }
}

impl Tx<'_> {
    async fn beat(&mut self) -> Result<i64, Error> {
        execute!(
            self,
            "UPDATE meta SET value = CAST((SELECT now FROM clock) AS TEXT) WHERE key = 'beat_at'"
        )?;
        let beats = row!(
            self,
            (String,),
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'beats' RETURNING value"
        )?;
        Ok(beats.map_or(0, |(beats,)| beats.parse().unwrap_or(0)))
    }

    async fn judge(
        &mut self,
        id: &str,
        mark: Option<(String, i64)>,
        home: Option<&Home>,
        doubt_after: Millis,
    ) -> Result<Woken, Error> {
        let beats: i64 = number(self, "beats").await?;
        // By the database's clock, as leases.
        let silent = row!(self, (i64,), "SELECT now FROM clock")?.map_or(0, |(now,)| now);
        let silent = (silent - number(self, "beat_at").await?).max(0);
        if beats == 0 {
            return Ok(Woken::New);
        }
        let left_at = meta(self, "home").await?;
        if let (Some(was), Some(is)) = (left_at.as_deref(), home) {
            let promoted = is_promotion(was, &is.at)
                && meta(self, "synchronous").await?.as_deref() == Some("1")
                && silent <= FAILOVER;
            return Ok(if was == is.at || promoted { Woken::AsLeft(silent) } else { Woken::Restored });
        }
        match mark {
            Some((of, marked)) if of == id && marked > beats => Ok(Woken::Restored),
            // The last beat's mark may not have been written any more.
            Some((of, marked)) if of == id && beats - marked <= 1 => Ok(Woken::AsLeft(silent)),
            // A file that came here without its mark, such as a copy on a new machine.
            None if home.is_none() && matches!(self.conn, Conn::Sqlite(_)) => Ok(Woken::InDoubt(silent)),
            _ if silent > doubt_after => Ok(Woken::InDoubt(silent)),
            _ => Ok(Woken::AsLeft(silent)),
        }
    }

    /// See [`Store::mark_restored`].
    pub async fn mark_restored(&mut self, now: Millis) -> Result<(), Error> {
        set_meta(self, "restored_at", &now.to_string()).await?;
        self.record_gap(now).await?;
        self.unpark_all(now).await?;
        execute!(
            self,
            "UPDATE customer SET msg_seq = msg_seq + $1 WHERE msg_seq < 4000000000",
            SKIPPED_NUMBERS
        )?;
        Ok(())
    }
}

impl Tx<'_> {
    /// What waited for its customer, or was bound to a reply, goes onto its lane, where it is found to be older than the
    /// restore, and told.
    async fn unpark_all(&mut self, now: Millis) -> Result<(), Error> {
        let parked = rows!(
            self,
            (String, String, String),
            "SELECT DISTINCT m.account, m.openid, m.id FROM message m JOIN delivery d ON d.message = m.id \
             WHERE d.state = 'parked' OR d.id IN (SELECT delivery FROM mailbox WHERE slot IS NOT NULL) \
             ORDER BY m.account, m.openid, m.id"
        )?;
        let job = |(account, openid, subject): (String, String, String)| NewJob {
            account,
            openid,
            direction: Direction::Out,
            kind: "answer",
            subject,
            note: None,
            since: now,
            trace: None,
        };
        execute!(self, "DELETE FROM mailbox")?;
        execute!(self, "UPDATE delivery SET state = 'waiting' WHERE state = 'parked'")?;
        let jobs: Vec<NewJob> = parked.into_iter().map(job).collect();
        self.enqueue(&jobs).await
    }
}

/// Where PostgreSQL keeps the tables.
struct Home {
    /// Cluster, timeline, database and table.
    at: String,
    /// Whether commits wait for a standby.
    synchronous: bool,
}

/// A standby that had every commit and takes over does so within this time, in milliseconds. (A recovery to a point in time is a
/// new timeline, too, but what it brings back is older.)
const FAILOVER: Millis = 600_000;

impl Home {
    async fn keep(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        set_meta(tx, "home", &self.at).await?;
        set_meta(tx, "synchronous", if self.synchronous { "1" } else { "0" }).await
    }
}

/// Whether two homes differ by a later timeline alone.
fn is_promotion(was: &str, is: &str) -> bool {
    let parts = |home: &str| {
        let mut parts = home.splitn(3, '/').map(str::to_owned);
        Some((parts.next()?, parts.next()?.parse::<u64>().ok()?, parts.next()?))
    };
    match (parts(was), parts(is)) {
        (Some((cluster, before, tables)), Some((same_cluster, after, same_tables))) => {
            cluster == same_cluster && tables == same_tables && after > before
        }
        _ => false,
    }
}

async fn number(tx: &mut Tx<'_>, key: &str) -> Result<i64, Error> {
    Ok(meta(tx, key).await?.and_then(|value| value.parse().ok()).unwrap_or(0))
}

/// The store's id and its beats.
fn read_mark(path: &Path) -> Option<(String, i64)> {
    let text = std::fs::read_to_string(path).ok()?;
    let (id, beats) = text.trim().split_once(' ')?;
    Some((id.to_owned(), beats.parse().ok()?))
}

/// Takes the place of the old one at once, or not at all.
fn write_mark(path: &Path, text: &str) -> std::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::is_promotion;

    #[test]
    fn a_promotion_is_a_later_timeline_of_the_same_tables() {
        assert!(is_promotion("7123/1/5/16384", "7123/2/5/16384"));
        for other in [
            "7123/1/5/16384",
            "7123/0/5/16384",
            "7124/2/5/16384",
            "7123/2/6/16384",
            "7123/2/5/16390",
            "/5/16384",
        ] {
            assert!(!is_promotion("7123/1/5/16384", other), "{other}");
        }
    }
}
