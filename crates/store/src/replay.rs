//! A push that could not be read when it came becomes one, once its cause is mended.
//!
//! Everything happens in one transaction, so that it counts once, however often it is asked for and whoever dies
//! meanwhile. It goes behind what its customer has on the lane by now: what is found late goes out late.

use crate::batch;
use crate::ingest::Arrival;
use crate::open::Store;
use crate::sql::{Error, execute, row};
use desk::Millis;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It is stored as what it is.
    Stored,
    /// A copy of it is there already, which could be read.
    Repeat,
    /// It is not unreadable any more: somebody was quicker.
    Gone,
}

impl Store {
    /// Stores `arrival`, which is what the unreadable row `old` really was, under the time at which `old` came.
    pub async fn replay(&self, old: &str, arrival: Arrival) -> Result<Replayed, Error> {
        let (old, idle) = (old.to_owned(), self.idle());
        self.write(move |tx| {
            Box::pin(async move {
                let came = row!(
                    tx,
                    (i64,),
                    "UPDATE inbox SET kind = 'replayed' WHERE id = $1 AND kind = 'unreadable' RETURNING received_at",
                    old.as_str()
                )?;
                let Some((came,)) = came else { return Ok(Replayed::Gone) };
                let id = arrival.id.clone();
                let stored = batch::store(tx, &[arrival], idle).await?;
                if !stored.first().is_some_and(|stored| stored.is_new()) {
                    return Ok(Replayed::Repeat);
                }
                // Its job waits from now on, but the message is as old as it is.
                execute!(tx, "UPDATE inbox SET received_at = $2 WHERE id = $1", id.as_str(), came)?;
                Ok(Replayed::Stored)
            })
        })
        .await
    }

    /// Whether a customer did something after `at`: wrote, followed or left. An event of before then says nothing
    /// about today any more.
    pub async fn customer_changed_since(
        &self,
        account: &str,
        openid: &str,
        at: Millis,
    ) -> Result<bool, Error> {
        let (account, openid) = (account.to_owned(), openid.to_owned());
        self.read(move |tx| {
            Box::pin(async move {
                let found = row!(
                    tx,
                    (String,),
                    "SELECT c.openid FROM customer c WHERE c.account = $1 AND c.openid = $2 AND (c.created_at > $3 \
                       OR c.conversation_at > $3 \
                       OR EXISTS (SELECT 1 FROM ghost g WHERE g.account = c.account AND g.openid = c.openid AND g.changed_at > $3) \
                       OR EXISTS (SELECT 1 FROM conversation v WHERE v.account = c.account AND v.openid = c.openid AND v.closed_at > $3))",
                    account.as_str(),
                    openid.as_str(),
                    at
                )?;
                Ok(found.is_some())
            })
        })
        .await
    }
}
