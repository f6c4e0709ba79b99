//! What an operator watches: how much waits and since when, how long tokens live, how large the files are.
//!
//! Every look is bounded: it is taken now and then on a connection for reading, also with a million lanes waiting.

use crate::migrate::{meta, set_meta};
use crate::open::{Pool, Store};
use crate::sql::{Error, rows};
use desk::Millis;

/// Lanes, and answers that wait, that one look counts at most. More than so many say the same to an operator.
pub const LANES_COUNTED: i64 = 10_000;

/// What waits for one account in one direction, as far as counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The account.
    pub account: String,
    /// `in` or `out`.
    pub direction: String,
    /// Lanes with something to do.
    pub lanes: i64,
    /// Jobs on them.
    pub jobs: i64,
    /// When the cause of the oldest job at the head of a lane came.
    pub oldest: Millis,
}

/// What an operator watches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// By account and direction; nothing where nothing waits.
    pub waiting: Vec<Queued>,
    /// Account and answers that wait for its customers, as far as counted.
    pub parked: Vec<(String, i64)>,
    /// AppID and the end of its access token.
    pub tokens: Vec<(String, Millis)>,
    /// Webhooks that are stored as they came and not sorted yet.
    pub spooled: i64,
    /// Bytes of the SQLite file and of its write-ahead log.
    pub files: Option<(u64, u64)>,
}

impl Store {
    /// Takes a look.
    pub async fn vitals(&self) -> Result<Vitals, Error> {
        type Row = (String, String, i64, i64, Option<i64>);
        let (waiting, parked, tokens, spooled) = self
            .read(|tx| {
                Box::pin(async move {
                    // The longest waiting ones are counted first.
                    let waiting: Vec<Row> = rows!(
                        tx,
                        Row,
                        "SELECT w.account, w.direction, COUNT(*), CAST(SUM(w.tail - w.head) AS BIGINT), MIN(j.since) \
                         FROM (SELECT id, account, direction, head, tail FROM lane WHERE ready_at IS NOT NULL \
                               ORDER BY ready_at LIMIT $1) AS w \
                         LEFT JOIN job j ON j.lane = w.id AND j.position = w.head \
                         GROUP BY w.account, w.direction",
                        LANES_COUNTED
                    )?;
                    let tokens =
                        rows!(tx, (String, i64), "SELECT app_id, expires_at FROM token WHERE token <> ''")?;
                    let parked = rows!(
                        tx,
                        (String, i64),
                        "SELECT b.account, COUNT(DISTINCT b.message) FROM (SELECT account, message FROM mailbox LIMIT $1) AS b \
                         GROUP BY b.account",
                        LANES_COUNTED
                    )?;
                    Ok((waiting, parked, tokens, tx.spooled().await?))
                })
            })
            .await?;
        let waiting = waiting.into_iter().filter_map(|(account, direction, lanes, jobs, oldest)| {
            Some(Queued { account, direction, lanes, jobs, oldest: oldest? })
        });
        if let Pool::Postgres(_) = self.pool {
            // Other nodes add to them and sort them, too.
            self.spool().count(spooled);
        }
        Ok(Vitals { waiting: waiting.collect(), parked, tokens, spooled, files: self.file_sizes() })
    }

    /// Leaves the fingerprint of this node's configuration, and tells whether another node has left another one within
    /// the last `life` ms. Nodes that agree leave the same; those that do not meet each other's again and again.
    pub async fn another_configuration(
        &self,
        fingerprint: &str,
        now: Millis,
        life: Millis,
    ) -> Result<bool, Error> {
        let mine = format!("{now} {fingerprint}");
        let found = self
            .write(move |tx| {
                Box::pin(async move {
                    let found = meta(tx, "configuration").await?;
                    set_meta(tx, "configuration", &mine).await?;
                    Ok(found)
                })
            })
            .await?;
        let other = found.as_deref().and_then(|found| found.split_once(' ')).filter(|(at, other)| {
            *other != fingerprint && at.parse().is_ok_and(|at: Millis| (now - at).abs() < life)
        });
        Ok(other.is_some())
    }

    fn file_sizes(&self) -> Option<(u64, u64)> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return None };
        let file = readers.path();
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |found| found.len());
        Some((size(&file), size(log.as_ref())))
    }
}
