//! What a recall asks for: which message it is about, and what of it can still be withdrawn.

use crate::sql::{Error, Tx, execute, row, rows};
use desk::{Millis, Reason};

impl Tx<'_> {
    /// The agent and the MsgKey of a message, with each ghost that its customer ever had.
    pub async fn message_keys(&mut self, message: &str) -> Result<Vec<(String, String, String)>, Error> {
        rows!(
            self,
            (String, String, String),
            "SELECT m.author, m.source_key, g.user_id FROM message m \
             JOIN ghost g ON g.account = m.account AND g.openid = m.openid \
             WHERE m.id = $1 AND m.author IS NOT NULL AND m.source_key IS NOT NULL",
            message
        )
    }

    /// The message that an agent wrote under this MsgKey.
    pub async fn message_by_key(
        &mut self,
        account: &str,
        openid: &str,
        author: &str,
        msg_key: &str,
    ) -> Result<Option<String>, Error> {
        let found = row!(
            self,
            (String,),
            "SELECT id FROM message WHERE account = $1 AND openid = $2 AND author = $3 AND source_key = $4",
            account,
            openid,
            author,
            msg_key
        )?;
        Ok(found.map(|(id,)| id))
    }

    /// Withdraws what of a message waits for the customer to write again and is not bound to a reply yet. Gives the
    /// words of the first part of it.
    pub async fn withdraw(&mut self, message: &str, now: Millis) -> Result<Option<String>, Error> {
        let parked = rows!(
            self,
            (String, String),
            "SELECT d.id, d.body FROM delivery d WHERE d.message = $1 AND d.state = 'parked' \
               AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.delivery = d.id AND m.slot IS NOT NULL) ORDER BY d.part",
            message
        )?;
        for (delivery, _) in &parked {
            execute!(self, "DELETE FROM mailbox WHERE delivery = $1 AND slot IS NULL", delivery.as_str())?;
            execute!(
                self,
                "UPDATE delivery SET state = 'failed', reason = $2, changed_at = $3 WHERE id = $1",
                delivery.as_str(),
                Reason::Recalled.as_str(),
                now
            )?;
        }
        Ok(parked.into_iter().next().map(|(_, body)| body))
    }
}
