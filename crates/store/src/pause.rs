//! Calls to WeChat that have to rest: what one node is told of an account, all keep to, and one of them tries after it.

use crate::open::Store;
use crate::sql::{Error, execute, row};
use desk::{Millis, Reason};

/// A rest of an account's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Until when, on the business clock.
    pub until: Millis,
    /// What WeChat said.
    pub why: Reason,
    /// How often in a row.
    pub strikes: u32,
    /// It is over, and somebody tries.
    pub probed: bool,
}

impl Store {
    /// The rest of an account's calls, if there is one, or if it is over and nobody has tried since.
    pub async fn pause(&self, account: &str) -> Result<Option<Pause>, Error> {
        let account = account.to_owned();
        type Row = (i64, String, i64, i64);
        self.read(move |tx| {
            Box::pin(async move {
                let row = row!(
                    tx,
                    Row,
                    "SELECT until, why, strikes, probed FROM pause WHERE account = $1",
                    account.as_str()
                )?;
                // A reason that only a newer version knows is still a refusal.
                Ok(row.map(|(until, why, strikes, probed)| Pause {
                    until,
                    why: Reason::parse(&why).unwrap_or(Reason::Refused),
                    strikes: u32::try_from(strikes).unwrap_or(u32::MAX),
                    probed: probed != 0,
                }))
            })
        })
        .await
    }

    /// Lets an account's calls rest, or rest anew.
    pub async fn set_pause(&self, account: &str, pause: Pause) -> Result<(), Error> {
        let account = account.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                execute!(
                    tx,
                    "INSERT INTO pause (account, until, why, strikes, probed) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (account) DO UPDATE SET until = excluded.until, why = excluded.why, \
                       strikes = excluded.strikes, probed = excluded.probed",
                    account.as_str(),
                    pause.until,
                    pause.why.as_str(),
                    i64::from(pause.strikes),
                    i64::from(pause.probed)
                )?;
                Ok(())
            })
        })
        .await
    }

    /// Tries to become the one who tries after a rest; the others wait until `until` for what becomes of it.
    pub async fn probe_pause(&self, account: &str, now: Millis, until: Millis) -> Result<bool, Error> {
        let account = account.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let mine = execute!(
                    tx,
                    "UPDATE pause SET until = $3, probed = 1 WHERE account = $1 AND until <= $2",
                    account.as_str(),
                    now,
                    until
                )?;
                Ok(mine == 1)
            })
        })
        .await
    }

    /// An account's calls go through again.
    pub async fn end_pause(&self, account: &str) -> Result<(), Error> {
        let account = account.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                execute!(tx, "DELETE FROM pause WHERE account = $1", account.as_str())?;
                Ok(())
            })
        })
        .await
    }
}
