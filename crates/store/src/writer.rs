//! The one writer of a SQLite file: whatever queued up while the last commit was syncing goes into the next
//! one, and each caller is answered after *its* commit.
//!
//! It has a thread of its own, on which everything of a group runs from BEGIN to COMMIT.
//!
//! There is no timer: waiting for company costs more than it brings (measured, see `docs/decisions.md`).
//! Inside a shared transaction each caller's work stands behind a savepoint, so that one that fails, or even
//! panics, takes nothing of its neighbours with it. PostgreSQL has a group commit of its own and does not use
//! this.

use crate::sql::{Conn, Error, Tx};
use crate::sqlite::Sqlite;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use tokio::runtime::Handle;
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

enum Order {
    /// With others in one commit.
    Do(Work),
    /// In a commit of its own.
    DoAlone(Work),
    /// Close the connection, and tell when that is done.
    Close(oneshot::Sender<()>),
}

/// The writer's queue; the writer ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Order>,
}

/// Opens the connection, at the start and after a commit that failed.
type Open = Box<dyn Fn() -> Result<Sqlite, Error> + Send>;

impl Writer {
    /// Starts the writer.
    ///
    /// # Errors
    /// What opening the connection gives.
    pub(crate) async fn start(open: Open) -> Result<Writer, Error> {
        let (queue, orders) = mpsc::channel(8192);
        let (opened, is_open) = oneshot::channel();
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("sqlite-writer".into());
        thread
            .spawn(move || match open() {
                Ok(sqlite) => {
                    let _ = opened.send(Ok(()));
                    run(sqlite, &open, orders, &runtime);
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|error| Error::Setup(format!("no thread can be started: {error}")))?;
        is_open.await.map_err(|_| Error::Closed)??;
        Ok(Writer { queue })
    }

    /// Closes the connection; what is written afterwards fails.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Order::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Runs `work` in a transaction of its own on the same connection: what the group is measured against.
    pub(crate) async fn write_alone<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        self.order(work, Order::DoAlone).await
    }

    /// Runs `work` in a transaction and answers when it is on disk. A panic of `work` is its caller's.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        self.order(work, Order::Do).await
    }

    async fn order<T, F>(&self, work: F, how: fn(Work) -> Order) -> Result<T, Error>
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
        self.queue.send(how(work)).await.map_err(|_| Error::Closed)?;
        match answer.await.map_err(|_| Error::Closed)? {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn run(first: Sqlite, open: &Open, mut queue: mpsc::Receiver<Order>, runtime: &Handle) {
    let mut sqlite = Some(first);
    let mut orders = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut orders, GROUP) > 0 {
        let mut group = Vec::with_capacity(orders.len());
        for order in orders.drain(..) {
            match order {
                Order::Do(work) => group.push(work),
                Order::DoAlone(work) => {
                    runtime.block_on(commit(&mut sqlite, open, std::mem::take(&mut group)));
                    runtime.block_on(commit(&mut sqlite, open, vec![work]));
                }
                Order::Close(done) => {
                    queue.close();
                    runtime.block_on(commit(&mut sqlite, open, std::mem::take(&mut group)));
                    if let Some(Err(error)) = sqlite.take().map(Sqlite::close) {
                        tracing::warn!(%error, "the database did not close in order");
                    }
                    let _ = done.send(());
                    return;
                }
            }
        }
        runtime.block_on(commit(&mut sqlite, open, group));
    }
}

/// Runs and commits a group, and tells everybody.
async fn commit(sqlite: &mut Option<Sqlite>, open: &Open, group: Vec<Work>) {
    if group.is_empty() {
        return;
    }
    metrics::histogram!("tsunagi_store_group_size").record(group.len() as f64);
    let mut acknowledge = Vec::with_capacity(group.len());
    let mut group = group.into_iter();
    let opened = match sqlite.take() {
        Some(sqlite) => Ok(sqlite),
        None => open(),
    };
    let committed = match opened {
        Ok(mut opened) => {
            let committed = commit_group(&mut opened, &mut group, &mut acknowledge).await;
            // The connection's state is unknown after a failed commit: the next group opens a new one.
            if committed.is_ok() {
                *sqlite = Some(opened);
            }
            committed
        }
        Err(error) => Err(error),
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

/// Runs the works of a group and commits; on an error the rest of the group has not been run.
async fn commit_group(
    sqlite: &mut Sqlite,
    group: &mut impl ExactSizeIterator<Item = Work>,
    acknowledge: &mut Vec<Acknowledge>,
) -> Result<(), Error> {
    let alone = group.len() == 1;
    sqlite.run("BEGIN IMMEDIATE")?;
    for work in group {
        if !alone && let Err(error) = sqlite.run("SAVEPOINT one") {
            acknowledge.push(work(Err(error.clone())).await.acknowledge);
            return Err(error);
        }
        let ran = work(Ok(&mut Tx { conn: Conn::Sqlite(&mut *sqlite) })).await;
        acknowledge.push(ran.acknowledge);
        match (ran.keep, alone) {
            (true, true) => {}
            (false, true) => return sqlite.run("ROLLBACK"),
            (true, false) => sqlite.run("RELEASE one")?,
            // The name stays on the stack after a rollback to it, and is taken off at once.
            (false, false) => {
                sqlite.run("ROLLBACK TO one")?;
                sqlite.run("RELEASE one")?;
            }
        }
    }
    sqlite.run("COMMIT")
}
