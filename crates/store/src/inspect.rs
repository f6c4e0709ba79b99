//! Looks at a database without opening it as a store: nothing is created, migrated or written. For `tsunagi check`,
//! which works beside a running gateway.

use crate::migrate;
use crate::open::{SQLITE_NEEDED, lock_path, sqlite_path, version_number};
use crate::sql::{Error, Failure};
use crate::sqlite::{Sqlite, query};
use rusqlite::{ErrorCode, OpenFlags};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long each step may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// Of the engine, such as `3.53.0` or `17.2`.
    pub version: String,
    /// Whether that version can be used.
    pub new_enough: bool,
    /// The number of the newest migration that was applied; `None` where there are no tables of ours yet.
    pub schema: Option<i64>,
    /// The number of the newest migration that this version of the gateway has.
    pub newest: i64,
    /// Whether a gateway has it open now.
    pub served: bool,
    /// Why nothing can be written, if so.
    pub read_only: Option<String>,
    /// Settings of the engine that matter for durability, by their own names.
    pub settings: Vec<(String, String)>,
}

impl Inspection {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why a database cannot be looked at. Shows no URL and no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The URL names no database.
    #[error("{0}")]
    Url(String),
    /// The folder of the SQLite file does not exist.
    #[error("the folder {0} does not exist")]
    NoFolder(String),
    /// The SQLite file cannot be opened.
    #[error("{0}")]
    NoFile(String),
    /// The file is there, and is something else.
    #[error("the file is not a SQLite database")]
    NotADatabase,
    /// Nothing answers as PostgreSQL.
    #[error("PostgreSQL cannot be reached: {0}")]
    NoServer(String),
    /// PostgreSQL does not know the user, or the password is wrong.
    #[error("PostgreSQL refuses the user: {0}")]
    NoLogin(String),
    /// PostgreSQL has no database of this name.
    #[error("PostgreSQL has no such database: {0}")]
    NoDatabase(String),
    /// Something else.
    #[error("the database failed: {0}")]
    Other(String),
}

/// Looks at the database at `sqlite:PATH` or `postgres://…`.
///
/// # Errors
/// See [`Trouble`].
pub async fn inspect(url: &str) -> Result<Inspection, Trouble> {
    if let Some(path) = sqlite_path(url) {
        inspect_sqlite(&path).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        inspect_postgres(url).await
    } else {
        Err(Trouble::Url("the store's url must begin with sqlite: or postgres://".into()))
    }
}

async fn inspect_sqlite(path: &Path) -> Result<Inspection, Trouble> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Trouble::NoFolder(folder.display().to_string()));
    }
    if path.is_dir() {
        return Err(Trouble::NoFile(format!("{} is a folder, not a file", path.display())));
    }
    let version = rusqlite::version().to_owned();
    let mut found = Inspection {
        engine: "sqlite",
        new_enough: version_number(&version) >= SQLITE_NEEDED,
        version,
        schema: None,
        newest: migrate::newest(),
        served: is_locked(path),
        // WAL, shared memory and lock are files beside the database.
        read_only: unwritable(folder),
        settings: Vec::new(),
    };
    if !path.exists() {
        return Ok(found);
    }
    let file = path.to_owned();
    let look = tokio::task::spawn_blocking(move || match look_into_sqlite(&file, &mut found) {
        Ok(()) => Ok(found),
        Err(error) => Err(trouble(&file, &error)),
    });
    let silent = || Trouble::Other("the file does not answer".into());
    tokio::time::timeout(LIMIT, look).await.map_err(|_| silent())?.map_err(|_| silent())?
}

fn look_into_sqlite(path: &Path, found: &mut Inspection) -> Result<(), Error> {
    let sqlite = Sqlite::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, &[("busy_timeout", "3000")])?;
    let word = |question: &'static str| query(question).row::<(String,)>(&sqlite);
    let mode = word("PRAGMA journal_mode")?;
    found.settings.extend(mode.map(|(mode,)| ("journal_mode".into(), mode)));
    if word("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'meta'")?.is_some() {
        found.schema = schema(word("SELECT value FROM meta WHERE key = 'schema'")?);
    }
    if found.read_only.is_none() {
        // Takes the writer's place for a moment and gives it back: nothing is written.
        found.read_only = sqlite.run("BEGIN IMMEDIATE").err().map(|error| error.to_string());
        let _ = sqlite.run("ROLLBACK");
    }
    Ok(sqlite.close()?)
}

fn trouble(path: &Path, error: &Error) -> Trouble {
    let code = match error {
        Error::Database(failure) => match &**failure {
            Failure::Sqlite(error) => error.sqlite_error_code(),
            Failure::Postgres(_) => None,
        },
        _ => None,
    };
    match code {
        Some(ErrorCode::NotADatabase) => Trouble::NotADatabase,
        Some(ErrorCode::CannotOpen) => Trouble::NoFile(format!("{} cannot be opened", path.display())),
        _ => Trouble::Other(error.to_string()),
    }
}

/// Whether a gateway holds the lock beside the file.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(lock_path(path)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Why no file can be made in the folder.
fn unwritable(folder: &Path) -> Option<String> {
    let probe = folder.join(format!(".tsunagi-check-{}", std::process::id()));
    let made = File::create(&probe).err();
    let _ = std::fs::remove_file(&probe);
    made.map(|error| format!("no file can be made in {}: {error}", folder.display()))
}

async fn inspect_postgres(url: &str) -> Result<Inspection, Trouble> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Trouble::Url(format!("the store's url is not valid: {error}")))?
        // Not the gateway's own name, by which it is found.
        .application_name("tsunagi-check")
        .options([("statement_timeout", "5000"), ("lock_timeout", "2000")])
        .log_slow_statements(tracing::log::LevelFilter::Off, Duration::ZERO);
    let mut conn = tokio::time::timeout(LIMIT, PgConnection::connect_with(&options))
        .await
        .map_err(|_| Trouble::NoServer("no answer within 5 s".into()))?
        .map_err(|error| refused(&error))?;
    let looked = tokio::time::timeout(LIMIT * 2, look_into_postgres(&mut conn)).await;
    let _ = tokio::time::timeout(LIMIT, conn.close()).await;
    looked
        .map_err(|_| Trouble::NoServer("no answer within 10 s".into()))?
        .map_err(|error| Trouble::Other(error.to_string()))
}

fn refused(error: &sqlx::Error) -> Trouble {
    let Some(said) = error.as_database_error() else { return Trouble::NoServer(error.to_string()) };
    match said.code().as_deref() {
        Some("3D000") => Trouble::NoDatabase(said.message().to_owned()),
        Some(code) if code.starts_with("28") => Trouble::NoLogin(said.message().to_owned()),
        _ => Trouble::NoServer(said.message().to_owned()),
    }
}

async fn look_into_postgres(conn: &mut PgConnection) -> Result<Inspection, sqlx::Error> {
    let (number,): (String,) = sqlx::query_as("SHOW server_version_num").fetch_one(&mut *conn).await?;
    let (version,): (String,) = sqlx::query_as("SHOW server_version").fetch_one(&mut *conn).await?;
    let settings: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, reset_val FROM pg_settings WHERE name IN \
         ('fsync', 'full_page_writes', 'synchronous_commit', 'default_transaction_read_only', 'max_connections')",
    )
    .fetch_all(&mut *conn)
    .await?;
    let (served,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tsunagi'",
    )
    .fetch_one(&mut *conn)
    .await?;
    let (ours,): (bool,) =
        sqlx::query_as("SELECT to_regclass('meta') IS NOT NULL").fetch_one(&mut *conn).await?;
    let schema = if ours {
        schema(
            sqlx::query_as("SELECT value FROM meta WHERE key = 'schema'").fetch_optional(&mut *conn).await?,
        )
    } else {
        None
    };
    let newest = migrate::newest();
    let mut read_only = postgres_read_only(conn, schema.is_some()).await?;
    if read_only.is_none() && schema.is_none_or(|schema| schema < newest) {
        let may = "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)";
        let (may,): (bool,) = sqlx::query_as(may).fetch_one(&mut *conn).await?;
        read_only = (!may).then(|| "the user may not create tables in the schema".to_owned());
    }
    Ok(Inspection {
        engine: "postgres",
        version,
        new_enough: number.parse().unwrap_or(0) >= 150_000,
        schema,
        newest,
        served: served > 0,
        read_only,
        settings,
    })
}

/// Writes a value over itself and takes it back.
async fn postgres_read_only(conn: &mut PgConnection, ours: bool) -> Result<Option<String>, sqlx::Error> {
    let (standby,): (bool,) = sqlx::query_as("SELECT pg_is_in_recovery()").fetch_one(&mut *conn).await?;
    if standby {
        return Ok(Some("this server is a standby".to_owned()));
    }
    let (mode,): (String,) = sqlx::query_as("SHOW transaction_read_only").fetch_one(&mut *conn).await?;
    if mode == "on" {
        return Ok(Some("the database is set to read-only transactions".to_owned()));
    }
    if !ours {
        return Ok(None);
    }
    let mut transaction = conn.begin().await?;
    let written =
        sqlx::query("UPDATE meta SET value = value WHERE key = 'store'").execute(&mut *transaction).await;
    transaction.rollback().await?;
    Ok(written
        .err()
        .map(|error| error.as_database_error().map_or(error.to_string(), |e| e.message().to_owned())))
}

fn schema(row: Option<(String,)>) -> Option<i64> {
    row.and_then(|(text,)| text.parse().ok())
}
