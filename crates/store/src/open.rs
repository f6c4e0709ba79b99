//! Opening a store, and running transactions on it.

use crate::ingest::{Arrival, Ingested, Ingestion};
use crate::lent;
use crate::migrate;
use crate::relaying::Relaying;
use crate::spool::Spool;
use crate::sql::{Conn, Error, Tx};
use crate::sqlite::{Readers, Sqlite};
use crate::writer::Writer;
use desk::{Clock, Entropy, Millis};
use futures_util::future::BoxFuture;
use rusqlite::OpenFlags;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Refuse a SQLite file that another process has opened with this (`serve`); other commands leave it off.
    pub exclusive: bool,
    /// A conversation without a message for so long (ms) is over; the next message opens a new one.
    pub conversation_idle: Millis,
    /// Connections to PostgreSQL, or readers of SQLite.
    pub connections: u32,
    /// Webhooks that may wait for their commit; beyond it they are refused.
    pub ingest_queue: usize,
    /// From so many webhooks in one commit on, they are stored as they came and sorted afterwards; 0: never. A store that is
    /// not opened for `serve` sorts only if this says so.
    pub spool_from: usize,
    /// How long a webhook waits for its commit. WeChat gives up after 5 s.
    pub ingest_timeout: Duration,
    /// How long a node's claims last: what one that stands still has locked in PostgreSQL is free again well before.
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            exclusive: false,
            conversation_idle: 48 * 3_600_000,
            connections: 8,
            ingest_queue: 8192,
            spool_from: 0,
            ingest_timeout: Duration::from_secs(3),
            lease: Duration::from_secs(30),
        }
    }
}

/// The database: cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) pool: Pool,
    ingestion: Ingestion,
    pub(crate) relaying: Relaying,
    id: Arc<str>,
    /// The highest count of its beats that this process has seen.
    pub(crate) beats: Arc<AtomicI64>,
    /// Held as long as the store lives; released by the operating system when the process dies.
    _lock: Option<Arc<File>>,
}

#[derive(Clone)]
pub(crate) enum Pool {
    Sqlite { readers: Readers, writer: Writer },
    Postgres(PgPool),
}

impl Store {
    /// Opens (and creates, and migrates) the database at `sqlite:PATH` or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Setup`] with a sentence for the operator; [`Error::Database`] where the engine fails.
    pub async fn open(url: &str, options: Options, clock: &Clock, entropy: &Entropy) -> Result<Store, Error> {
        let (pool, lock, writers) = if let Some(path) = sqlite_path(url) {
            if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
                return Err(Error::Setup(
                    "the store's url must name a file, such as sqlite:tsunagi.db".into(),
                ));
            }
            let lock = if options.exclusive { Some(Arc::new(lock_file(&path)?)) } else { None };
            (open_sqlite(&path, &options).await?, lock, 1)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (open_postgres(url, &options).await?, None, 2)
        } else {
            return Err(Error::Setup("the store's url must begin with sqlite: or postgres://".into()));
        };
        let fresh_id = desk::Id::<()>::new(clock, entropy);
        let created_at = clock.now();
        let exclusive = options.exclusive;
        let (id, spooled) = pool
            .write(move |tx| {
                Box::pin(async move {
                    tx.be_patient().await?;
                    if let Conn::Postgres(conn) = &mut tx.conn {
                        // One node migrates; the others wait for its commit.
                        sqlx::query("SELECT pg_advisory_xact_lock(7835310)").execute(&mut **conn).await?;
                    }
                    migrate::migrate(tx).await?;
                    if let (true, Conn::Sqlite(_)) = (exclusive, &tx.conn) {
                        tx.take_back_lanes().await?;
                    }
                    if exclusive {
                        tx.take_back_aside().await?;
                    }
                    let spooled = tx.spooled().await?;
                    match migrate::meta(tx, "store").await? {
                        Some(id) => Ok((id, spooled)),
                        None => {
                            migrate::set_meta(tx, "store", fresh_id.as_str()).await?;
                            migrate::set_meta(tx, "created_at", &created_at.to_string()).await?;
                            Ok((fresh_id.as_str().to_owned(), spooled))
                        }
                    }
                })
            })
            .await?;
        let ingestion = Ingestion::start(pool.clone(), &options, writers, spooled);
        let relaying = Relaying::start(&pool);
        Ok(Store { pool, ingestion, relaying, id: id.into(), beats: Arc::default(), _lock: lock })
    }

    /// Runs `work` in one transaction, and answers when it is durable. An error of `work` rolls it back.
    ///
    /// `work` must hand on every error of a statement: PostgreSQL rolls back a transaction in which one failed,
    /// also if `work` then says that all is well.
    ///
    /// # Errors
    /// What `work` gave, or [`Error::Database`] when the commit failed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        self.pool.write(work).await
    }

    /// As [`Store::write`], for work that changes rows in one statement only: PostgreSQL makes that a transaction by itself,
    /// without a BEGIN and a COMMIT to wait for.
    pub(crate) async fn write_at_once<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        self.pool.write_at_once(work).await
    }

    /// As [`Store::read`], for a few rows by their keys: SQLite finds them on the thread that asks, which is quicker than to
    /// hand them from another.
    ///
    /// # Errors
    /// What `work` gave.
    pub async fn look_up<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        match &self.pool {
            Pool::Sqlite { readers, .. } => readers.look_up(work).await,
            Pool::Postgres(_) => self.pool.write_at_once(work).await,
        }
    }

    /// Runs `work` on a connection for reading, outside of any transaction.
    ///
    /// # Errors
    /// What `work` gave.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        match &self.pool {
            Pool::Sqlite { readers, .. } => readers.read(work).await,
            Pool::Postgres(_) => self.pool.write_at_once(work).await,
        }
    }

    /// Stores a webhook: the answer may be given when this returns.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when the queue is full or the commit takes over `ingest_timeout` (the webhook may then still
    /// be stored; its repeat finds it), [`Error::Database`] when nothing was stored.
    pub async fn ingest(&self, arrival: Arrival) -> Result<Ingested, Error> {
        self.ingestion.ingest(arrival).await
    }

    /// How many webhooks wait for the next commit.
    pub fn webhooks_waiting(&self) -> usize {
        self.ingestion.waiting()
    }

    /// Stores one webhook in a transaction of its own: what `ingest` is measured against.
    #[doc(hidden)]
    pub async fn ingest_alone(&self, arrival: Arrival) -> Result<Ingested, Error> {
        self.ingestion.ingest_alone(arrival).await
    }

    /// Whether a webhook could be stored now: the queue in front of the inbox is open, and the database takes a
    /// write, the store's next beat, and makes it durable.
    ///
    /// # Errors
    /// What a webhook would meet.
    pub async fn probe(&self) -> Result<(), Error> {
        if self.ingestion.is_closed() {
            return Err(Error::Closed);
        }
        self.beat().await
    }

    pub(crate) fn spool(&self) -> &Spool {
        self.ingestion.spool()
    }

    /// When a conversation is over, in ms without a message.
    pub(crate) fn idle(&self) -> Millis {
        self.ingestion.idle()
    }

    /// The id of this store, made when the database was created.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite { .. } => "sqlite",
            Pool::Postgres(_) => "postgres",
        }
    }

    /// Waits for what is under way and closes all connections. On SQLite the last one to close, if it may write, moves the
    /// log into the file: a stopped gateway leaves one file with everything in it.
    pub async fn close(&self) {
        self.spool().close();
        match &self.pool {
            Pool::Sqlite { readers, writer } => {
                let _ = writer.write(|_| Box::pin(async { Ok(()) })).await;
                readers.close().await;
                writer.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine()).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Pool {
    /// See [`Store::write_at_once`].
    pub(crate) async fn write_at_once<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        match self {
            Pool::Sqlite { writer, .. } => writer.write(work).await,
            Pool::Postgres(pool) => {
                lent::lend(pool, |conn| {
                    Box::pin(async move { work(&mut Tx { conn: Conn::Postgres(conn) }).await })
                })
                .await
            }
        }
    }

    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        match self {
            Pool::Sqlite { writer, .. } => writer.write(work).await,
            Pool::Postgres(pool) => {
                lent::lend(pool, |conn| {
                    Box::pin(async move {
                        let mut transaction = conn.begin().await?;
                        let value = work(&mut Tx { conn: Conn::Postgres(&mut transaction) }).await?;
                        transaction.commit().await?;
                        Ok(value)
                    })
                })
                .await
            }
        }
    }
}

/// The writer's page cache, in KiB with a minus sign: the rows of some hundred thousand customers. With SQLite's own 2 MiB most
/// pages were read again for every batch.
const CACHE_KIB: &str = "-16384";
/// Pages of the log before they are moved into the file: 8 MiB. What is written often is moved once in that time; with more,
/// the commit that has to wait for it would wait for longer.
const LOG_PAGES: &str = "2048";

async fn open_sqlite(path: &Path, options: &Options) -> Result<Pool, Error> {
    let version = rusqlite::version();
    if version_number(version) < SQLITE_NEEDED {
        return Err(Error::Setup(format!("SQLite {version} is too old, 3.51.3 is needed")));
    }
    let synchronous = if crate::faults::sabotaged("sync-off") { "OFF" } else { "FULL" };
    let file = path.to_owned();
    let open = move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let pragmas = [
            ("journal_mode", "WAL"),
            ("synchronous", synchronous),
            ("foreign_keys", "ON"),
            ("cache_size", CACHE_KIB),
            ("wal_autocheckpoint", LOG_PAGES),
            // What a statement would need to be taken back stays in memory, and is not written a second time.
            ("temp_store", "MEMORY"),
            // What is removed is overwritten: people's words do not linger in pages that are free.
            ("secure_delete", "ON"),
        ];
        Ok(Sqlite::open(&file, flags, &pragmas)?)
    };
    let writer = Writer::start(Box::new(open)).await.map_err(|error| match error {
        Error::Database(error) => Error::Setup(format!("{} cannot be opened: {error}", path.display())),
        error => error,
    })?;
    Ok(Pool::Sqlite { readers: Readers::new(path, options.connections), writer })
}

async fn open_postgres(url: &str, options: &Options) -> Result<Pool, Error> {
    let durable = if crate::faults::sabotaged("sync-off") { "off" } else { "on" };
    let idle = (options.lease / 2).clamp(Duration::from_millis(500), Duration::from_secs(5)).as_millis();
    let connect = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Setup(format!("the store's url is not valid: {error}")))?
        .application_name("tsunagi")
        // A session setting wins over a server on which somebody switched durable commits off.
        .options([("synchronous_commit", durable), ("statement_timeout", "30000")])
        // Below the 3 s that a webhook waits: one locked row is not to cost a whole batch its commit.
        .options([("lock_timeout", "1500")])
        // A node that stands still or vanishes inside a transaction must not keep its locks until the network gives
        // up: WeChat offers a push for 15 s, and the second or third offer has to find the customer's row free. Nor may they
        // outlast its lease, after which the others take over.
        .options([("idle_in_transaction_session_timeout", idle.to_string())])
        .options([("tcp_keepalives_idle", "15")])
        .options([("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")])
        // Statements that wait for a row have to see what it holds then, whatever the server's default is.
        .options([("default_transaction_isolation", "read committed")])
        // The tables of what waits are empty in one minute and have a million rows in the next, so statistics say nothing of
        // them: a plan that reads such a table from end to end is right once and then slow for hours. Every statement here has
        // its index; one plan for all its parameters also saves planning it each time, which took longer than to run it.
        .options([("plan_cache_mode", "force_generic_plan"), ("jit", "off")])
        .options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")]);
    let pool = PgPoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(Duration::from_secs(5))
        // One that was used a moment ago is there, or its next statement says so as well as a ping would.
        .test_before_acquire(false)
        .before_acquire(|conn, found| {
            Box::pin(async move {
                if found.idle_for > Duration::from_secs(1) {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await
        .map_err(|error| Error::Setup(format!("PostgreSQL cannot be reached: {error}")))?;
    let (version,): (String,) = sqlx::query_as("SHOW server_version_num").fetch_one(&pool).await?;
    if version.parse().unwrap_or(0) < 150_000 {
        return Err(Error::Setup(format!("PostgreSQL 15 or newer is needed, this is {version}")));
    }
    for setting in ["SHOW fsync", "SHOW full_page_writes"] {
        let (value,): (String,) = sqlx::query_as(setting).fetch_one(&pool).await?;
        if value != "on" {
            tracing::warn!(
                setting,
                value,
                "this PostgreSQL may lose acknowledged messages when the machine stops"
            );
        }
    }
    Ok(Pool::Postgres(pool))
}

/// Refuses a second `serve` on the same file; the lock ends with the process.
fn lock_file(path: &Path) -> Result<File, Error> {
    let name = lock_path(path);
    let file = File::create(&name)
        .map_err(|error| Error::Setup(format!("{} cannot be written: {error}", name.display())))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::Setup(format!(
            "{} is in use by another tsunagi; stop that one, or use PostgreSQL for several nodes",
            path.display()
        )),
        TryLockError::Error(error) => Error::Setup(format!("{} cannot be locked: {error}", name.display())),
    })?;
    Ok(file)
}

/// The file whose lock says that a gateway serves this database. Two paths to one file have one lock.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = file.into_os_string();
    name.push(".lock");
    name.into()
}

/// The file that a URL names, if it is one of SQLite.
pub(crate) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// Older ones can corrupt a WAL file when two connections checkpoint at once.
pub(crate) const SQLITE_NEEDED: (u32, u32, u32) = (3, 51, 3);

pub(crate) fn version_number(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
