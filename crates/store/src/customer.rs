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

type CustomerRow = (i64, Option<String>, i64);

fn customer(account: &str, openid: &str, (subscribed, conversation, generation): CustomerRow) -> Customer {
    let (account, openid) = (account.to_owned(), openid.to_owned());
    Customer { account, openid, subscribed: subscribed != 0, conversation, generation }
}

/// What a message of the customer's begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The number of its first part.
    pub first: u32,
    /// What the customer did before there was a conversation: a part more, before the others.
    pub last_act: Option<String>,
    /// The account of the customer's reply windows, as it was set.
    pub windows: String,
}

impl Tx<'_> {
    /// A customer's row.
    pub async fn customer(&mut self, account: &str, openid: &str) -> Result<Option<Customer>, Error> {
        let row = row!(
            self,
            CustomerRow,
            "SELECT subscribed, conversation, generation FROM customer WHERE account = $1 AND openid = $2",
            account,
            openid
        )?;
        Ok(row.map(|row| customer(account, openid, row)))
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

    /// For a message of the customer's in `count` parts: takes their numbers, and what [`Tx::set_last_act`] kept, which is
    /// a part before them.
    pub async fn begin_message(&mut self, account: &str, openid: &str, count: i64) -> Result<Begun, Error> {
        let taken = row!(
            self,
            (i64, Option<String>, String),
            "UPDATE customer SET msg_seq = msg_seq + $3 WHERE account = $1 AND openid = $2 \
             RETURNING msg_seq, last_act, windows",
            account,
            openid,
            count
        )?;
        let (last, last_act, windows) = taken.ok_or(Error::Unknown("customer"))?;
        let first = first_of(last, count)?;
        if last_act.is_some() {
            execute!(
                self,
                "UPDATE customer SET msg_seq = msg_seq + 1, last_act = NULL WHERE account = $1 AND openid = $2",
                account,
                openid
            )?;
        }
        Ok(Begun { first, last_act, windows })
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
        first_of(last, count)
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

    /// Keeps the open conversation alive: somebody wrote at `at`. Gives the customer.
    pub async fn touch_conversation(
        &mut self,
        account: &str,
        openid: &str,
        at: Millis,
    ) -> Result<Option<Customer>, Error> {
        let row = row!(
            self,
            CustomerRow,
            "UPDATE customer SET conversation_at = CASE WHEN conversation_at < $3 THEN $3 ELSE conversation_at END \
             WHERE account = $1 AND openid = $2 RETURNING subscribed, conversation, generation",
            account,
            openid,
            at
        )?;
        Ok(row.map(|row| customer(account, openid, row)))
    }
}

/// The first of `count` numbers of which this is the last.
fn first_of(last: i64, count: i64) -> Result<u32, Error> {
    u32::try_from(last - count + 1).map_err(|_| Error::Unknown("message number"))
}
