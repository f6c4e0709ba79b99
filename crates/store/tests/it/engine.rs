//! A database of its own for each story, on either engine.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use store::{Options, Store};
use tempfile::TempDir;

/// Declares a story and runs it on each engine.
macro_rules! story {
    ($(#[$meta:meta])* async fn $name:ident($db:ident: &Db) $body:block) => {
        $(#[$meta])*
        mod $name {
            #[expect(clippy::allow_attributes, reason = "a story need not use everything around it")]
            #[allow(unused_imports)]
            use super::*;

            async fn story($db: &$crate::engine::Db) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::engine::on_sqlite(async |db| story(db).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::engine::on_postgres(async |db| story(db).await).await;
            }
        }
    };
}
pub(crate) use story;

/// The database of one story.
pub(crate) enum Db {
    Sqlite { folder: TempDir },
    Postgres { url: String },
}

/// A connection beside the store's own: to look at what is stored, and to get in its way.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub(crate) async fn on_sqlite(story: impl AsyncFnOnce(&Db)) {
    story(&Db::Sqlite { folder: TempDir::new().unwrap() }).await;
}

pub(crate) async fn on_postgres(story: impl AsyncFnOnce(&Db)) {
    let Ok(server) = std::env::var("TSUNAGI_TEST_POSTGRES") else {
        assert!(std::env::var("CI").is_err(), "CI has to set TSUNAGI_TEST_POSTGRES");
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the capture of the test runner: a skipped half should be seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED: PostgreSQL (TSUNAGI_TEST_POSTGRES is not set): {name}");
        return;
    };
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("tsunagi_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.expect("TSUNAGI_TEST_POSTGRES cannot be reached");
    let create = format!("CREATE DATABASE {name} STRATEGY wal_log");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    let db = Db::Postgres { url: with_database(&server, &name) };
    let told = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(story(&db))).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    if let Err(panic) = told {
        std::panic::resume_unwind(panic);
    }
}

fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let end = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

impl Db {
    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Db::Sqlite { .. })
    }

    /// The SQLite file.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Db::Sqlite { folder } => folder.path().join("tsunagi.db"),
            Db::Postgres { .. } => panic!("PostgreSQL has no file"),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Db::Sqlite { .. } => format!("sqlite:{}", self.path().display()),
            Db::Postgres { url } => url.clone(),
        }
    }

    pub(crate) async fn open(&self, options: Options) -> Result<Store, store::Error> {
        Store::open(&self.url(), options, &crate::given::clock(), &crate::given::entropy()).await
    }

    /// A store on this database; a second one is a second node.
    pub(crate) async fn store(&self) -> Store {
        self.open(Options::default()).await.unwrap()
    }

    pub(crate) async fn raw(&self) -> Raw {
        match self {
            Db::Sqlite { .. } => Raw::Sqlite(SqliteConnection::connect(&self.url()).await.unwrap()),
            Db::Postgres { url } => Raw::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.raw().await.count(sql).await
    }

    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.raw().await.texts(sql).await
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.raw().await.execute(sql).await;
    }

    /// Holds up every webhook until `release`: what arrives meanwhile goes into one batch.
    pub(crate) async fn stall(&self) -> Stall {
        let mut raw = self.raw().await;
        raw.execute(match self {
            Db::Sqlite { .. } => "BEGIN IMMEDIATE",
            Db::Postgres { .. } => "BEGIN; LOCK TABLE dedup IN EXCLUSIVE MODE",
        })
        .await;
        Stall(raw)
    }
}

pub(crate) struct Stall(Raw);

impl Stall {
    pub(crate) async fn release(mut self) {
        self.0.execute("ROLLBACK").await;
    }
}

impl Raw {
    pub(crate) async fn execute(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Raw::Sqlite(conn) => sqlx::raw_sql(sql).execute(conn).await.map(|_| ()),
            Raw::Postgres(conn) => sqlx::raw_sql(sql).execute(conn).await.map(|_| ()),
        }
        .unwrap();
    }

    pub(crate) async fn count(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Raw::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await,
            Raw::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await,
        }
        .unwrap()
    }

    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Raw::Sqlite(conn) => sqlx::query_scalar(sql).fetch_all(conn).await,
            Raw::Postgres(conn) => sqlx::query_scalar(sql).fetch_all(conn).await,
        }
        .unwrap()
    }
}
