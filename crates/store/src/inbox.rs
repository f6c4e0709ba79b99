//! What arrived: read back by jobs, purged when its time is over.

use crate::sql::{Error, Tx, execute, row};
use desk::Millis;
use serde::{Deserialize, Serialize};

/// The cloud that a webhook came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A push of WeChat.
    Wechat,
    /// A webhook of Tencent IM.
    Im,
}

impl Source {
    /// The word used in the database and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Wechat => "wechat",
            Source::Im => "im",
        }
    }
}

/// A stored webhook.
#[derive(Debug, Clone)]
pub struct InboxRow {
    /// The account's id.
    pub account: String,
    /// `push`, `webhook` or `unreadable`.
    pub kind: String,
    /// When it came.
    pub received_at: Millis,
    /// The query string of unreadable pushes; the command of webhooks.
    pub query: Option<String>,
    /// The decrypted body; the raw one where it could not be read.
    pub body: Vec<u8>,
}

impl Tx<'_> {
    /// A stored webhook.
    pub async fn inbox(&mut self, id: &str) -> Result<Option<InboxRow>, Error> {
        type Row = (String, String, i64, Option<String>, Vec<u8>);
        let row =
            row!(self, Row, "SELECT account, kind, received_at, query, body FROM inbox WHERE id = $1", id)?;
        Ok(row.map(|(account, kind, received_at, query, body)| InboxRow {
            account,
            kind,
            received_at,
            query,
            body,
        }))
    }

    /// Forgets dedup keys that are older than `before`, `most` at a time; tells how many.
    pub async fn purge_dedup(&mut self, before: Millis, most: i64) -> Result<u64, Error> {
        Ok(execute!(
            self,
            "DELETE FROM dedup WHERE key IN (SELECT key FROM dedup WHERE at < $1 ORDER BY at LIMIT $2)",
            before,
            most
        )?)
    }
}
