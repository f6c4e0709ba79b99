//! SQLite as the store uses it: a connection, its statements with their parameters and rows, and the readers.
//!
//! A statement runs on the thread that asks. So a whole piece of work is handed to another thread once, and not with each
//! of its statements: see `writer.rs` for the one that writes, [`Readers`] for those that read.

use crate::sql::{Conn, Error, Tx};
use futures_util::future::BoxFuture;
use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row, ToSql};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Statements that stay prepared: those of a batch in nine sizes each, and all others.
const STATEMENTS: usize = 400;
/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);

/// A connection to a SQLite file.
pub(crate) struct Sqlite {
    conn: Connection,
}

impl Sqlite {
    /// Opens the file, and makes it if `flags` say so; `pragmas` are set in their order.
    pub(crate) fn open(
        path: &Path,
        flags: OpenFlags,
        pragmas: &[(&str, &str)],
    ) -> Result<Sqlite, rusqlite::Error> {
        // A connection is used by one thread at a time, and a file's name is no URL.
        let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        // A statement is planned once, and not again for a value that it is given.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        for (name, value) in pragmas {
            // Some answer with what they are now, some do not.
            conn.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                error => Err(error),
            })?;
        }
        Ok(Sqlite { conn })
    }

    /// Runs statements without parameters and rows, one after the other.
    pub(crate) fn script(&self, text: &str) -> Result<(), rusqlite::Error> {
        self.conn.execute_batch(text)
    }

    /// Runs one statement without parameters and rows.
    pub(crate) fn run(&self, text: &'static str) -> Result<(), Error> {
        query(text).execute(self).map(drop)
    }

    /// Closes it; what the log holds goes into the file if nobody else has it open.
    pub(crate) fn close(self) -> Result<(), rusqlite::Error> {
        self.conn.close().map_err(|(_, error)| error)
    }
}

/// What is bound to a parameter.
pub(crate) enum Arg<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(ToSqlOutput::Borrowed(match self {
            Arg::Null => ValueRef::Null,
            Arg::Integer(number) => ValueRef::Integer(*number),
            Arg::Text(text) => ValueRef::Text(text.as_bytes()),
            Arg::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

macro_rules! args {
    ($($from:ty => |$value:ident| $arg:expr;)+) => {$(
        impl<'a> From<$from> for Arg<'a> {
            fn from($value: $from) -> Self {
                $arg
            }
        }
    )+};
}

args! {
    i64 => |number| Arg::Integer(number);
    bool => |yes| Arg::Integer(i64::from(yes));
    &'a str => |text| Arg::Text(text.into());
    &'a String => |text| Arg::Text(text.as_str().into());
    String => |text| Arg::Text(text.into());
    &'a [u8] => |bytes| Arg::Blob(bytes.into());
    Vec<u8> => |bytes| Arg::Blob(bytes.into());
}

impl<'a, T: Into<Arg<'a>>> From<Option<T>> for Arg<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Arg::Null, Into::into)
    }
}

/// A row, as a tuple of its columns.
pub(crate) trait Columns: Sized {
    fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error>;
}

macro_rules! columns {
    ($($name:ident)+) => {
        impl<$($name: FromSql),+> Columns for ($($name,)+) {
            fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
                let mut at = 0..;
                let mut next = || at.next().unwrap_or_default();
                Ok(($(row.get::<usize, $name>(next())?,)+))
            }
        }
    };
}

columns!(A);
columns!(A B);
columns!(A B C);
columns!(A B C D);
columns!(A B C D E);
columns!(A B C D E F);
columns!(A B C D E F G);
columns!(A B C D E F G H);
columns!(A B C D E F G H I);
columns!(A B C D E F G H I J);
columns!(A B C D E F G H I J K);
columns!(A B C D E F G H I J K L);
columns!(A B C D E F G H I J K L M);
columns!(A B C D E F G H I J K L M N);
columns!(A B C D E F G H I J K L M N O);
columns!(A B C D E F G H I J K L M N O P);

/// A statement and its parameters: `$1`, `$2`, … in any order and number, or `?` in the order in which they stand.
pub(crate) struct Query<'a> {
    text: Cow<'static, str>,
    args: Vec<Arg<'a>>,
}

pub(crate) fn query<'a>(text: impl Into<Cow<'static, str>>) -> Query<'a> {
    Query { text: text.into(), args: Vec::new() }
}

impl<'a> Query<'a> {
    pub(crate) fn bind(mut self, arg: impl Into<Arg<'a>>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn prepare<'c>(&self, sqlite: &'c Sqlite) -> Result<CachedStatement<'c>, rusqlite::Error> {
        let mut statement = sqlite.conn.prepare_cached(&self.text)?;
        for at in 1..=statement.parameter_count() {
            // SQLite numbers `$2` by where it stands first; here it is the second.
            let number =
                statement.parameter_name(at).and_then(|name| name.get(1..)?.parse().ok()).unwrap_or(at);
            // What has no value is null.
            if let Some(arg) = self.args.get(number - 1) {
                statement.raw_bind_parameter(at, arg)?;
            }
        }
        Ok(statement)
    }

    /// Runs it; gives the number of rows that it touched.
    pub(crate) fn execute(self, sqlite: &Sqlite) -> Result<u64, Error> {
        Ok(self.prepare(sqlite)?.raw_execute()? as u64)
    }

    /// Runs it; gives all its rows.
    pub(crate) fn rows<R: Columns>(self, sqlite: &Sqlite) -> Result<Vec<R>, Error> {
        let mut statement = self.prepare(sqlite)?;
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(R::of(row)?);
        }
        Ok(all)
    }

    /// Runs it; gives its first row.
    pub(crate) fn row<R: Columns>(self, sqlite: &Sqlite) -> Result<Option<R>, Error> {
        let mut statement = self.prepare(sqlite)?;
        let mut rows = statement.raw_query();
        Ok(rows.next()?.map(R::of).transpose()?)
    }
}

/// Connections that read, opened as they are needed, each used by one piece of work at a time.
#[derive(Clone)]
pub(crate) struct Readers {
    path: Arc<Path>,
    idle: Arc<Mutex<Vec<Sqlite>>>,
    free: Arc<Semaphore>,
    most: u32,
}

impl Readers {
    pub(crate) fn new(path: &Path, most: u32) -> Readers {
        let most = most.max(1);
        Readers {
            path: path.into(),
            idle: Arc::default(),
            free: Arc::new(Semaphore::new(most as usize)),
            most,
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    /// Runs `work` on a connection for reading, outside of any transaction, on a thread where it may take its time.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        let (readers, runtime) = (self.clone(), Handle::current());
        let read = tokio::task::spawn_blocking(move || runtime.block_on(readers.look_up(work)));
        match read.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Closed),
            },
        }
    }

    /// The same on the thread that asks, which others wait for.
    pub(crate) async fn look_up<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: for<'a> FnOnce(&'a mut Tx<'a>) -> BoxFuture<'a, Result<T, Error>>,
    {
        let _permit = self.free.acquire().await.map_err(|_| Error::Closed)?;
        let known = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sqlite = match known {
            Some(sqlite) => sqlite,
            None => Sqlite::open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY, &[("query_only", "ON")])?,
        };
        let done = work(&mut Tx { conn: Conn::Sqlite(&mut sqlite) }).await;
        // After an error nobody knows what it met: the next one opens another.
        if done.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sqlite);
        }
        done
    }

    /// Waits for who reads, and closes all connections.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(self.most).await;
        self.free.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
