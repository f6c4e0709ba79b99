//! The gateway's database, looked into from outside: both engines, a fresh one for each story.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, FromRow, PgPool, SqlitePool};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// The engines that stories can run on here. Says loudly what is skipped; with `CI=true` nothing may be.
pub(crate) fn engines() -> Vec<Engine> {
    if std::env::var_os("TSUNAGI_TEST_POSTGRES").is_some() {
        return vec![Engine::Sqlite, Engine::Postgres];
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "TSUNAGI_TEST_POSTGRES is not set, and CI skips nothing"
    );
    eprintln!("SKIPPED: PostgreSQL (TSUNAGI_TEST_POSTGRES is not set; `make test` sets it)");
    vec![Engine::Sqlite]
}

#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) url: String,
    pool: Pool,
}

#[derive(Clone)]
enum Pool {
    Sqlite(SqlitePool),
    /// A file that may be taken away: opened for each look, and never while [`Database::hold`] is held.
    Fresh(Box<SqliteConnectOptions>, Arc<RwLock<()>>),
    Postgres(PgPool),
}

impl Database {
    pub(crate) async fn create(engine: Engine, folder: &Path) -> Database {
        match engine {
            Engine::Sqlite => {
                let path = folder.join("tsunagi.db");
                let options =
                    SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(5));
                let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
                Database { url: format!("sqlite:{}", path.display()), pool: Pool::Sqlite(pool) }
            }
            Engine::Postgres => {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let server = std::env::var("TSUNAGI_TEST_POSTGRES").unwrap();
                let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
                let admin = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
                sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
                admin.close().await;
                let options = PgConnectOptions::from_str(&server).unwrap().database(&name);
                let url = options.to_url_lossy().to_string();
                let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
                Database { url, pool: Pool::Postgres(pool) }
            }
        }
    }

    /// One that is there already, on a server that may go away for a while.
    pub(crate) fn at(url: &str) -> Database {
        let options = PgConnectOptions::from_str(url).unwrap();
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        Database { url: url.to_owned(), pool: Pool::Postgres(pool.connect_lazy_with(options)) }
    }

    /// The same SQLite file, which may be taken away and laid back.
    pub(crate) fn fresh(&self) -> Database {
        let Pool::Sqlite(pool) = &self.pool else { panic!("only a file can be taken away") };
        let options = pool.connect_options().as_ref().clone().read_only(true);
        Database { url: self.url.clone(), pool: Pool::Fresh(Box::new(options), Arc::default()) }
    }

    /// Keeps everybody from looking.
    pub(crate) async fn hold(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        match &self.pool {
            Pool::Fresh(_, gate) => Some(gate.clone().write_owned().await),
            _ => None,
        }
    }

    /// One number.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let rows: Vec<(i64,)> = self.rows(sql).await;
        rows[0].0
    }

    /// How much is left to do.
    pub(crate) async fn left(&self) -> i64 {
        self.count("SELECT (SELECT COUNT(*) FROM job) + (SELECT COUNT(*) FROM spool)").await
    }

    /// Rows of two texts.
    pub(crate) async fn pairs(&self, sql: &'static str) -> Vec<(String, String)> {
        self.rows(sql).await
    }

    /// Rows, as tuples.
    pub(crate) async fn rows<T>(&self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let begun = Instant::now();
        loop {
            let rows = match &self.pool {
                Pool::Sqlite(pool) => sqlx::query_as(sql).fetch_all(pool).await,
                Pool::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await,
                Pool::Fresh(options, gate) => {
                    let _looking = gate.read().await;
                    match options.connect().await {
                        Ok(mut file) => sqlx::query_as(sql).fetch_all(&mut file).await,
                        Err(error) => Err(error),
                    }
                }
            };
            match rows {
                Err(error) if is_away(&error) && begun.elapsed() < super::PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                rows => return rows.unwrap(),
            }
        }
    }

    /// Changes something behind the gateway's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        self.execute_text(sql).await;
    }

    pub(crate) async fn execute_text(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.pool {
            Pool::Fresh(..) => panic!("it is only looked at"),
            Pool::Sqlite(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
            Pool::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
        }
    }

    /// Every row of every table as text, in order: what is compared when nothing may have been stored.
    pub(crate) async fn contents(&self) -> Vec<String> {
        let tables: Vec<(String,)> = match &self.pool {
            Pool::Fresh(..) => return Vec::new(),
            Pool::Sqlite(_) => {
                self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").await
            }
            Pool::Postgres(_) => {
                let tables = "SELECT table_name::text FROM information_schema.tables \
                              WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1";
                self.rows(tables).await
            }
        };
        let mut all = Vec::new();
        for (table,) in tables {
            let rows: Vec<String> = match &self.pool {
                Pool::Fresh(..) => Vec::new(),
                Pool::Sqlite(pool) => {
                    let names = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
                    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(pool).await.unwrap();
                    let quoted: Vec<String> = names.iter().map(|name| format!("quote(\"{name}\")")).collect();
                    let rows = format!("SELECT {} FROM \"{table}\" ORDER BY 1", quoted.join(" || ', ' || "));
                    sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(pool).await.unwrap()
                }
                Pool::Postgres(pool) => {
                    let rows = format!("SELECT t::text FROM \"{table}\" t ORDER BY 1");
                    sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(pool).await.unwrap()
                }
            };
            all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        all
    }

    /// Makes a copy of it, as it is now. No gateway may be running.
    pub(crate) async fn backup(&self) -> String {
        match &self.pool {
            Pool::Fresh(..) => panic!("it is only looked at"),
            Pool::Sqlite(pool) => {
                let copy = format!("{}.backup", self.url.trim_start_matches("sqlite:"));
                self.execute_text(&format!("VACUUM INTO '{copy}'")).await;
                pool.close().await;
                copy
            }
            Pool::Postgres(pool) => {
                let name = pool.connect_options().get_database().unwrap().to_owned();
                pool.close().await;
                server(&format!("CREATE DATABASE {name}_backup TEMPLATE {name}")).await;
                format!("{name}_backup")
            }
        }
    }

    /// The same database once the copy has taken its place. No gateway may be running.
    pub(crate) async fn restored(&self, copy: &str) -> Database {
        match &self.pool {
            Pool::Fresh(..) => panic!("it is only looked at"),
            Pool::Sqlite(pool) => {
                pool.close().await;
                let path = self.url.trim_start_matches("sqlite:");
                for beside in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{path}{beside}"));
                }
                std::fs::copy(copy, path).unwrap();
            }
            Pool::Postgres(pool) => {
                let name = pool.connect_options().get_database().unwrap().to_owned();
                pool.close().await;
                server(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
                server(&format!("CREATE DATABASE {name} TEMPLATE {copy}")).await;
            }
        }
        self.again()
    }

    /// A new connection to it.
    pub(crate) fn again(&self) -> Database {
        let pool = match &self.pool {
            Pool::Fresh(options, gate) => Pool::Fresh(options.clone(), gate.clone()),
            Pool::Sqlite(pool) => {
                let options = pool.connect_options().as_ref().clone();
                Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options))
            }
            Pool::Postgres(pool) => {
                let options = pool.connect_options().as_ref().clone();
                Pool::Postgres(PgPoolOptions::new().max_connections(1).connect_lazy_with(options))
            }
        };
        Database { url: self.url.clone(), pool }
    }

    /// Gives a server its room back, when a story has ended well.
    pub(crate) async fn discard(&self) {
        if let Pool::Postgres(pool) = &self.pool {
            let name = pool.connect_options().get_database().unwrap().to_owned();
            pool.close().await;
            let server = std::env::var("TSUNAGI_TEST_POSTGRES").unwrap();
            let admin = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
            let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::query(drop).execute(&admin).await.unwrap();
            admin.close().await;
        }
    }
}

/// Whether the server was killed, restarted or replaced just now: whoever looks in from outside tries again.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| {
                // The last ones of a file that its new owner is just recovering.
                code.starts_with("57P")
                    || code.starts_with("08")
                    || ["5", "14", "261", "8", "776"].contains(&&*code)
            })
        }
        _ => false,
    }
}

/// Something about databases as a whole.
async fn server(sql: &str) {
    let server = std::env::var("TSUNAGI_TEST_POSTGRES").unwrap();
    let admin = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&admin).await.unwrap();
    admin.close().await;
}
