//! What a recall asks for: which message it is about, and what of it can still be withdrawn.

use crate::sql::{Error, Tx, execute, row, rows};
use desk::{Millis, Reason};

/// What decides whether an agent's message may go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerStanding {
    /// The customer does not follow the account.
    pub unsubscribed: bool,
    /// Something that was said before waits for the customer.
    pub older: bool,
    /// When the store was restored from a backup; 0 for never.
    pub restored_at: Millis,
    /// By what IM may have called it: author, MsgKey, ghost.
    pub keys: Vec<(String, String, String)>,
}

impl Tx<'_> {
    /// What decides whether an agent's message may go out; `None` if there is no such message.
    pub async fn answer_standing(&mut self, message: &str) -> Result<Option<AnswerStanding>, Error> {
        type Row =
            (Option<i64>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);
        let rows = rows!(
            self,
            Row,
            "SELECT c.subscribed, \
               (SELECT b.delivery FROM mailbox b WHERE b.account = m.account AND b.openid = m.openid AND b.slot IS NULL LIMIT 1), \
               (SELECT value FROM meta WHERE key = 'restored_at'), m.author, m.source_key, g.user_id \
             FROM message m \
             LEFT JOIN customer c ON c.account = m.account AND c.openid = m.openid \
             LEFT JOIN ghost g ON g.account = m.account AND g.openid = m.openid WHERE m.id = $1",
            message
        )?;
        let mut standing = None;
        for (subscribed, parked, restored_at, author, source_key, ghost) in rows {
            let standing = standing.get_or_insert_with(|| AnswerStanding {
                unsubscribed: subscribed == Some(0),
                older: parked.is_some(),
                restored_at: restored_at.and_then(|at| at.parse().ok()).unwrap_or(0),
                keys: Vec::new(),
            });
            if let (Some(author), Some(key), Some(ghost)) = (author, source_key, ghost) {
                standing.keys.push((author, key, ghost));
            }
        }
        Ok(standing)
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
