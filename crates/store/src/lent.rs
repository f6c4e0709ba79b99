//! A connection to PostgreSQL for one piece of work, with an end to the waiting.
//!
//! The server's own limits say nothing when the server or the network is gone: a socket may then be silent for a
//! quarter of an hour, and whoever waits on it (the writers of the inbox, above all) would not notice that the
//! database is back.

use crate::sql::Error;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use std::time::Duration;
use tokio::time::error::Elapsed;

/// The longest that one transaction, or one read, may take; above `lock_timeout`, so that the server speaks first.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// A connection whose work was not carried to its end, by the limit or because the caller gave up, is closed. The
/// pool would keep it and wait, without a limit, for its answer.
pub(crate) struct Lent {
    conn: PoolConnection<Postgres>,
    ended: bool,
}

impl Lent {
    pub(crate) async fn from(pool: &PgPool) -> Result<Lent, Error> {
        Ok(Lent { conn: pool.acquire().await?, ended: false })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        &mut self.conn
    }

    /// Gives the connection back, or closes it if `done` ran into the limit.
    pub(crate) fn end<T>(mut self, done: Result<Result<T, Error>, Elapsed>) -> Result<T, Error> {
        self.ended = done.is_ok();
        done.unwrap_or(Err(Error::Overloaded))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.ended {
            self.conn.close_on_drop();
        }
    }
}
