//! A connection to PostgreSQL for one piece of work, with an end to the waiting.
//!
//! The server's own limits say nothing when the server or the network is gone: a socket may then be silent for a
//! quarter of an hour, and whoever waits on it (the writers of the inbox, above all) would not notice that the
//! database is back.

use crate::sql::Error;
use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use std::time::Duration;

/// The longest that one transaction, or one read, may take; above `lock_timeout`, so that the server speaks first.
const LIMIT: Duration = Duration::from_secs(15);

/// Runs `work` on a connection of the pool.
///
/// # Errors
/// What `work` gave; [`Error::Overloaded`] when it ran into the limit.
pub(crate) async fn lend<T, F>(pool: &PgPool, work: F) -> Result<T, Error>
where
    F: for<'a> FnOnce(&'a mut PgConnection) -> BoxFuture<'a, Result<T, Error>>,
{
    // In a box: its state is large, and whoever waits for it carries it along in each of their own.
    let conn = Box::pin(pool.acquire()).await?;
    let mut lent = Lent { conn, ended: false };
    let done = tokio::time::timeout(LIMIT, work(&mut lent.conn)).await;
    lent.ended = done.is_ok();
    done.unwrap_or(Err(Error::Overloaded))
}

/// A connection whose work was not carried to its end, by the limit or because the caller gave up, is closed. The
/// pool would keep it and wait, without a limit, for its answer.
struct Lent {
    conn: PoolConnection<Postgres>,
    ended: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.ended {
            self.conn.close_on_drop();
        }
    }
}
