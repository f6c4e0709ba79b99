//! The one writer of a SQLite file: whatever queued up while the last commit was syncing goes into the next
//! one, and each caller is answered after *its* commit.
//!
//! There is no timer: waiting for company costs more than it brings (measured, see `docs/decisions.md`).
//! Inside a shared transaction each caller's work stands behind a savepoint, so that one that fails, or even
//! panics, takes nothing of its neighbours with it. PostgreSQL has a group commit of its own and does not use
//! this.

use crate::sql::{Conn, Error, Tx};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use std::panic::AssertUnwindSafe;
use tokio::sync::{mpsc, oneshot};

/// Callers in one commit at most.
const GROUP: usize = 256;

type Acknowledge = Box<dyn FnOnce(Result<(), Error>) + Send>;

struct Ran {
    keep: bool,
    acknowledge: Acknowledge,
}

/// What a caller wants done, or is told when it cannot be.
type Work = Box<dyn for<'a> FnOnce(Result<&'a mut Tx<'a>, Error>) -> BoxFuture<'a, Ran> + Send>;

/// The writer's queue; the writer ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Work>,
    pool: SqlitePool,
}

impl Writer {
    /// Starts the writer on a pool that holds one connection.
    pub(crate) fn start(pool: SqlitePool) -> Writer {
        let (queue, inbox) = mpsc::channel(8192);
        tokio::spawn(run(pool.clone(), inbox));
        Writer { queue, pool }
    }

    /// Closes the connection; what is written afterwards fails.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Runs `work` in a transaction of its own on the same connection: what the group is measured against.
    pub(crate) async fn write_alone<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>>,
    {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let value = work(&mut Tx { conn: Conn::Sqlite(&mut transaction) }).await?;
        transaction.commit().await?;
        Ok(value)
    }

    /// Runs `work` in a transaction and answers when it is on disk. A panic of `work` is its caller's.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        let (done, answer) = oneshot::channel();
        let work: Work = Box::new(move |tx| {
            Box::pin(async move {
                let result = match tx {
                    Ok(tx) => AssertUnwindSafe(async { work(tx).await }).catch_unwind().await,
                    Err(error) => Ok(Err(error)),
                };
                let keep = matches!(result, Ok(Ok(_)));
                let acknowledge = move |commit: Result<(), Error>| {
                    let _ = done.send(result.map(|own| own.and_then(|value| commit.map(|()| value))));
                };
                Ran { keep, acknowledge: Box::new(acknowledge) }
            })
        });
        self.queue.send(work).await.map_err(|_| Error::Closed)?;
        match answer.await.map_err(|_| Error::Closed)? {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

async fn run(pool: SqlitePool, mut queue: mpsc::Receiver<Work>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        metrics::histogram!("tsunagi_store_group_size").record(group.len() as f64);
        let mut acknowledge = Vec::with_capacity(group.len());
        let mut group = group.drain(..);
        let committed = match pool.acquire().await {
            Ok(mut conn) => {
                let committed = commit_group(&mut conn, &mut group, &mut acknowledge).await;
                if committed.is_err() {
                    // The connection's state is unknown after a failed commit: the pool opens a new one.
                    let _ = conn.detach().close_hard().await;
                }
                committed
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &committed {
            for work in group {
                acknowledge.push(work(Err(error.clone())).await.acknowledge);
            }
        }
        for acknowledge in acknowledge {
            acknowledge(committed.clone());
        }
    }
}

/// Runs the works of a group and commits; on an error the rest of the group has not been run.
async fn commit_group(
    conn: &mut SqliteConnection,
    group: &mut impl ExactSizeIterator<Item = Work>,
    acknowledge: &mut Vec<Acknowledge>,
) -> Result<(), Error> {
    let alone = group.len() == 1;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    for work in group {
        if !alone && let Err(error) = sqlx::query("SAVEPOINT one").execute(&mut *conn).await {
            let error = Error::from(error);
            acknowledge.push(work(Err(error.clone())).await.acknowledge);
            return Err(error);
        }
        let ran = work(Ok(&mut Tx { conn: Conn::Sqlite(&mut *conn) })).await;
        acknowledge.push(ran.acknowledge);
        match (ran.keep, alone) {
            (true, true) => {}
            (false, true) => {
                sqlx::query("ROLLBACK").execute(&mut *conn).await?;
                return Ok(());
            }
            (true, false) => {
                sqlx::query("RELEASE one").execute(&mut *conn).await?;
            }
            // The name stays on the stack after a rollback to it, and is taken off at once.
            (false, false) => {
                sqlx::query("ROLLBACK TO one").execute(&mut *conn).await?;
                sqlx::query("RELEASE one").execute(&mut *conn).await?;
            }
        }
    }
    sqlx::query("COMMIT").execute(&mut *conn).await?;
    Ok(())
}
