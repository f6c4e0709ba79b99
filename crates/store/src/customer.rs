//! Customers: one row per person and account. `ingest.rs` creates and touches them.

use crate::sql::{Error, Tx, execute, row};
use desk::Millis;

/// A customer of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The account's id.
    pub account: String,
    /// WeChat's id of the person under this account.
    pub openid: String,
    /// Whether the person follows the account, as far as we know.
    pub subscribed: bool,
    /// The open conversation.
    pub conversation: Option<String>,
    /// The generation of the newest ghost; 0 before the first.
    pub generation: i64,
}

impl Tx<'_> {
    /// A customer's row.
    pub async fn customer(&mut self, account: &str, openid: &str) -> Result<Option<Customer>, Error> {
        let row = row!(
            self,
            (i64, Option<String>, i64),
            "SELECT subscribed, conversation, generation FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        Ok(row.map(|(subscribed, conversation, generation)| Customer {
            account: account.to_owned(),
            openid: openid.to_owned(),
            subscribed: subscribed != 0,
            conversation,
            generation,
        }))
    }

    /// Locks a customer's row until the transaction ends, before rows of lanes are touched.
    pub async fn lock_customer(&mut self, account: &str, openid: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE customer SET msg_seq = msg_seq WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        Ok(())
    }

    /// Takes the next `count` numbers for messages from this customer's ghost; gives the first.
    pub async fn take_seqs(&mut self, account: &str, openid: &str, count: i64) -> Result<u32, Error> {
        let row = row!(
            self,
            (i64,),
            "UPDATE customer SET msg_seq = msg_seq + $3 WHERE account = $1 AND openid = $2 RETURNING msg_seq",
            account,
            openid,
            count
        )?;
        let (last,) = row.ok_or(Error::Unknown("customer"))?;
        u32::try_from(last - count + 1).map_err(|_| Error::Unknown("message number"))
    }

    /// Keeps what a customer without an open conversation did last, for whoever serves them next.
    pub async fn set_last_act(&mut self, account: &str, openid: &str, line: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE customer SET last_act = $3 WHERE account = $1 AND openid = $2",
            account,
            openid,
            line
        )?;
        Ok(())
    }

    /// Gives that, once.
    pub async fn take_last_act(&mut self, account: &str, openid: &str) -> Result<Option<String>, Error> {
        let row = row!(
            self,
            (Option<String>,),
            "SELECT last_act FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        let line = row.and_then(|(line,)| line);
        if line.is_some() {
            execute!(
                self,
                "UPDATE customer SET last_act = NULL WHERE account = $1 AND openid = $2",
                account,
                openid
            )?;
        }
        Ok(line)
    }

    /// When a message was last exchanged with the customer; 0 for never.
    pub async fn last_exchange(&mut self, account: &str, openid: &str) -> Result<Millis, Error> {
        let row = row!(
            self,
            (i64,),
            "SELECT conversation_at FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        Ok(row.map_or(0, |(at,)| at))
    }

    /// Keeps the open conversation alive: somebody wrote at `at`.
    pub async fn touch_conversation(&mut self, account: &str, openid: &str, at: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE customer SET conversation_at = $3 WHERE account = $1 AND openid = $2 AND conversation_at < $3",
            account,
            openid,
            at
        )?;
        Ok(())
    }
}
