//! The two drivers behind one transaction type, and the macros that run one statement on either.
//!
//! A statement is a `&'static str` that both engines take, or a [`Text`] from `dialect.rs` with one form
//! for each. Placeholders are `$1`, `$2`, …

use crate::sqlite::Sqlite;
use rusqlite::ErrorCode;
use serde::Serialize;
use sqlx::PgConnection;
use std::sync::Arc;

/// What can go wrong in the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database did not take a statement or a commit, or cannot be reached.
    #[error("the database failed: {0}")]
    Database(#[from] Arc<Failure>),
    /// The lane was taken over by somebody else; nothing of this transaction was kept.
    #[error("the lane is held by somebody else now")]
    LeaseLost,
    /// The writer's queue is full, or its answer took too long.
    #[error("the store is overloaded")]
    Overloaded,
    /// Webhooks that came before are not sorted yet.
    #[error("webhooks that came before are to be sorted first")]
    Spooled,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// A row holds what this version does not understand.
    #[error("the database holds an unknown {0}")]
    Unknown(&'static str),
    /// The database cannot be opened as asked.
    #[error("{0}")]
    Setup(String),
}

impl Error {
    /// Whether the database refuses a row for what is in it, and not for what it is itself short of at the moment.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Error::Unknown(_) => true,
            Error::Database(failure) => match &**failure {
                Failure::Sqlite(error) => matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
                ),
                Failure::Postgres(sqlx::Error::Encode(_)) => true,
                // Data that is no such data, and rows that clash with others.
                Failure::Postgres(_) => self.is_of_class(&["22", "23"]),
            },
            _ => false,
        }
    }

    /// Whether it comes of single rows of a transaction of which nothing was kept: one of them is refused, or somebody else
    /// has it locked.
    pub(crate) fn is_of_single_rows(&self) -> bool {
        // A deadlock, a lock that was waited for too long.
        self.is_refusal() || self.is_of_class(&["40", "55"])
    }

    /// Whether it is one of these classes of PostgreSQL's.
    fn is_of_class(&self, classes: &[&str]) -> bool {
        let Error::Database(failure) = self else { return false };
        let Failure::Postgres(sqlx::Error::Database(error)) = &**failure else { return false };
        error.code().is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
    }
}

/// What a driver says.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Failure {
    /// Of SQLite.
    Sqlite(#[from] rusqlite::Error),
    /// Of PostgreSQL.
    Postgres(#[from] sqlx::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Database(Arc::new(error.into()))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Error::Database(Arc::new(error.into()))
    }
}

/// One statement, in the words of each engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl From<&'static str> for Text {
    fn from(both: &'static str) -> Self {
        Text { sqlite: both, postgres: both }
    }
}

/// A connection of either engine.
pub(crate) enum Conn<'c> {
    Sqlite(&'c mut Sqlite),
    Postgres(&'c mut PgConnection),
}

/// A transaction (or, for reading, a connection): the table families add their methods to it.
pub struct Tx<'c> {
    pub(crate) conn: Conn<'c>,
}

impl Tx<'_> {
    /// At a start there is nobody who waits for this transaction: it outlives the locks of a node that stands still.
    pub(crate) async fn be_patient(&mut self) -> Result<(), Error> {
        if let Conn::Postgres(conn) = &mut self.conn {
            sqlx::query("SET LOCAL lock_timeout = '12s'").execute(&mut **conn).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tx")
    }
}

/// Rows in one of SQLite's statements at most.
pub(crate) const ROWS: usize = 256;

/// A statement of SQLite with parameters for so many rows where it says ROWS, and for the one after them where it says LAST.
/// Gives for how many rows there is room: of few sizes, so that each text is prepared once. What has no row is null.
pub(crate) fn with_rows(template: &'static str, columns: usize, rows: usize) -> (String, usize) {
    let room = rows.next_power_of_two();
    let row = format!("({})", vec!["?"; columns].join(","));
    let values = format!("(VALUES {})", vec![row.as_str(); room].join(","));
    let text = template.replace("ROWS", &values).replace("LAST", &format!("?{}", columns * room + 1));
    (text, room)
}

/// Runs one of SQLite's statements, whose text is made for them, on so many columns of each row, and on one more value for all;
/// gives the rows that it answers. (As one parameter in JSON, SQLite would read each row again for each of its columns.)
macro_rules! many {
    ($conn:expr, $row:ty, $template:expr, $rows:expr, |$each:pat_param| $($value:expr),+ $(; $last:expr)? $(,)?) => {{
        let columns = [$(stringify!($value)),+].len();
        let mut answered: Vec<$row> = Vec::new();
        for rows in $rows.chunks($crate::sql::ROWS) {
            let (text, room) = $crate::sql::with_rows($template, columns, rows.len());
            let mut query = $crate::sqlite::query(text);
            for $each in rows {
                query = query$(.bind($value))+;
            }
            for _ in columns * rows.len()..columns * room {
                query = query.bind(None::<i64>);
            }
            answered.extend(query$(.bind($last))?.rows::<$row>($conn)?);
        }
        answered
    }};
}

/// Many rows as the one parameter of SQLite's statements, where they are few or short.
pub(crate) fn json_rows(rows: impl Iterator<Item: Serialize>) -> String {
    let rows: Vec<_> = rows.collect();
    // Texts, numbers and tuples of them always have a JSON form.
    serde_json::to_string(&rows).unwrap_or_default()
}

/// One column of many rows, as PostgreSQL's statements take it.
pub(crate) fn column<R, C>(rows: &[R], of: impl Fn(&R) -> C) -> Vec<C> {
    rows.iter().map(of).collect()
}

/// Runs a statement; gives the number of rows that it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {{
        let text = $crate::sql::Text::from($sql);
        match &mut $tx.conn {
            $crate::sql::Conn::Sqlite(conn) => $crate::sqlite::query(text.sqlite)$(.bind($arg))*.execute(conn),
            $crate::sql::Conn::Postgres(conn) => sqlx::query(text.postgres)$(.bind($arg))*
                .execute(&mut **conn)
                .await
                .map(|done| done.rows_affected())
                .map_err($crate::sql::Error::from),
        }
    }};
}

/// Runs a statement; gives all its rows as tuples of the given type.
macro_rules! rows {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        let text = $crate::sql::Text::from($sql);
        match &mut $tx.conn {
            $crate::sql::Conn::Sqlite(conn) => $crate::sqlite::query(text.sqlite)$(.bind($arg))*.rows::<$row>(conn),
            $crate::sql::Conn::Postgres(conn) => sqlx::query_as::<_, $row>(text.postgres)$(.bind($arg))*
                .fetch_all(&mut **conn)
                .await
                .map_err($crate::sql::Error::from),
        }
    }};
}

/// Runs a statement; gives its first row, if there is one.
macro_rules! row {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        let text = $crate::sql::Text::from($sql);
        match &mut $tx.conn {
            $crate::sql::Conn::Sqlite(conn) => $crate::sqlite::query(text.sqlite)$(.bind($arg))*.row::<$row>(conn),
            $crate::sql::Conn::Postgres(conn) => sqlx::query_as::<_, $row>(text.postgres)$(.bind($arg))*
                .fetch_optional(&mut **conn)
                .await
                .map_err($crate::sql::Error::from),
        }
    }};
}

pub(crate) use {execute, many, row, rows};
