//! The reply windows of customers, as far as SQL knows of them: when the last one ends, and whether somebody was warned.

use crate::sql::{Error, Tx, execute, row, rows};
use desk::Millis;

/// Customers that one count goes through at most.
const MOST_COUNTED: i64 = 100_000;

impl Tx<'_> {
    /// The account of a customer's reply windows, as it was set.
    pub async fn windows(&mut self, account: &str, openid: &str) -> Result<Option<String>, Error> {
        let row = row!(
            self,
            (String,),
            "SELECT windows FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        Ok(row.map(|(windows,)| windows))
    }

    /// Sets the account of a customer's reply windows, and when the last one ends in which something is left.
    pub async fn set_windows(
        &mut self,
        account: &str,
        openid: &str,
        windows: &str,
        until: Option<Millis>,
    ) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE customer SET windows = $3, window_until = $4 WHERE account = $1 AND openid = $2",
            account,
            openid,
            windows,
            until
        )?;
        Ok(())
    }

    /// Customers with an open conversation whose last window ends between two times and who were not warned of it: openid
    /// and the end.
    pub async fn closing_windows(
        &mut self,
        account: &str,
        from: Millis,
        to: Millis,
        most: i64,
    ) -> Result<Vec<(String, Millis)>, Error> {
        Ok(rows!(
            self,
            (String, i64),
            "SELECT openid, window_until FROM customer \
             WHERE account = $1 AND window_until > $2 AND window_until <= $3 AND window_warned < window_until \
               AND EXISTS (SELECT 1 FROM conversation c WHERE c.account = customer.account AND c.openid = customer.openid \
                 AND c.closed_at IS NULL AND c.waiting_since IS NOT NULL) \
             ORDER BY window_until LIMIT $4",
            account,
            from,
            to,
            most
        )?)
    }

    /// Keeps that somebody is warned of the end of a window; false if it has changed meanwhile or was warned of.
    pub async fn warned_of_window(
        &mut self,
        account: &str,
        openid: &str,
        until: Millis,
    ) -> Result<bool, Error> {
        let warned = execute!(
            self,
            "UPDATE customer SET window_warned = $3 \
             WHERE account = $1 AND openid = $2 AND window_until = $3 AND window_warned < $3",
            account,
            openid,
            until
        )?;
        Ok(warned == 1)
    }

    /// The agent for whose answer a customer waits.
    pub async fn waiting_agent(&mut self, account: &str, openid: &str) -> Result<Option<String>, Error> {
        let row = row!(
            self,
            (String,),
            "SELECT agent FROM conversation WHERE account = $1 AND openid = $2 AND closed_at IS NULL \
             AND waiting_since IS NOT NULL ORDER BY id DESC LIMIT 1",
            account,
            openid
        )?;
        Ok(row.map(|(agent,)| agent))
    }

    /// How many customers of an account have an open window with something left.
    pub async fn open_windows(&mut self, account: &str, now: Millis) -> Result<i64, Error> {
        let row = row!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM (SELECT 1 FROM customer WHERE account = $1 AND window_until > $2 LIMIT $3) AS open",
            account,
            now,
            MOST_COUNTED
        )?;
        Ok(row.map_or(0, |(count,)| count))
    }
}
