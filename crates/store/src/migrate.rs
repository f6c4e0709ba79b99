//! Migrations: one numbered list for both engines, each applied once, in a transaction.

use crate::dialect;
use crate::sql::{Conn, Error, Tx, execute, row};

const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/0001_spine.sql")),
    (2, include_str!("../migrations/0002_desk.sql")),
    (3, include_str!("../migrations/0003_operations.sql")),
    (4, include_str!("../migrations/0004_import.sql")),
    (5, include_str!("../migrations/0005_windows.sql")),
    (6, include_str!("../migrations/0006_mailbox.sql")),
    (7, include_str!("../migrations/0007_media.sql")),
    (8, include_str!("../migrations/0008_nothing_missed.sql")),
    (9, include_str!("../migrations/0009_limits.sql")),
    (10, include_str!("../migrations/0010_spool.sql")),
];

/// The number of the newest migration that this version has.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(number, _)| *number)
}

/// Brings the database to this version. Runs inside a transaction that nobody else is in.
pub(crate) async fn migrate(tx: &mut Tx<'_>) -> Result<(), Error> {
    execute!(tx, "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")?;
    let version = meta(tx, "schema").await?.and_then(|text| text.parse().ok()).unwrap_or(0i64);
    let newest = newest();
    if version > newest {
        return Err(Error::Setup(format!(
            "the database has schema {version}, this version of tsunagi knows {newest}; use the newer tsunagi"
        )));
    }
    for (number, text) in MIGRATIONS.iter().filter(|(number, _)| *number > version) {
        match &mut tx.conn {
            Conn::Sqlite(conn) => {
                let types = dialect::TYPES_IN_MIGRATIONS.iter();
                let text =
                    types.fold((*text).to_owned(), |text, (postgres, sqlite)| text.replace(postgres, sqlite));
                conn.script(&text)?;
            }
            Conn::Postgres(conn) => {
                sqlx::raw_sql(*text).execute(&mut **conn).await?;
            }
        }
        match number {
            1 => drop(execute!(tx, dialect::CLOCK_VIEW)?),
            10 => drop(execute!(tx, dialect::SPOOL_AS_IT_IS)?),
            _ => {}
        }
        set_meta(tx, "schema", &number.to_string()).await?;
    }
    Ok(())
}

/// A value of the store about itself.
pub(crate) async fn meta(tx: &mut Tx<'_>, key: &str) -> Result<Option<String>, Error> {
    Ok(row!(tx, (String,), "SELECT value FROM meta WHERE key = $1", key)?.map(|(value,)| value))
}

/// Sets a value of the store about itself.
pub(crate) async fn set_meta(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value
    )?;
    Ok(())
}
