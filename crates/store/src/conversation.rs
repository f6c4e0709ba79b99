//! Conversations: who serves whom, from when to when.

use crate::sql::{Error, Tx, execute, row};
use desk::Millis;

impl Tx<'_> {
    /// The agent of a conversation; `None` before it is opened.
    pub async fn conversation_agent(&mut self, id: &str) -> Result<Option<String>, Error> {
        let row = row!(self, (String,), "SELECT agent FROM conversation WHERE id = $1", id)?;
        Ok(row.map(|(agent,)| agent))
    }

    /// The agent of the customer's newest open conversation.
    pub async fn latest_agent(&mut self, account: &str, openid: &str) -> Result<Option<String>, Error> {
        let row = row!(
            self,
            (String,),
            "SELECT agent FROM conversation WHERE account = $1 AND openid = $2 AND closed_at IS NULL \
             ORDER BY id DESC LIMIT 1",
            account,
            openid
        )?;
        Ok(row.map(|(agent,)| agent))
    }

    /// How many open conversations an agent has under an account.
    pub async fn open_conversations(&mut self, account: &str, agent: &str) -> Result<i64, Error> {
        let row = row!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM conversation WHERE account = $1 AND agent = $2 AND closed_at IS NULL",
            account,
            agent
        )?;
        Ok(row.map_or(0, |(count,)| count))
    }

    /// Opens a conversation, and closes what the customer still had open.
    pub async fn open_conversation(
        &mut self,
        id: &str,
        account: &str,
        openid: &str,
        agent: &str,
        now: Millis,
    ) -> Result<(), Error> {
        self.close_conversations(account, openid, "idle", now).await?;
        execute!(
            self,
            "INSERT INTO conversation (id, account, openid, agent, opened_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO NOTHING",
            id,
            account,
            openid,
            agent,
            now
        )?;
        Ok(())
    }

    /// Gives a conversation to another agent.
    pub async fn assign_conversation(&mut self, id: &str, agent: &str) -> Result<(), Error> {
        execute!(self, "UPDATE conversation SET agent = $2 WHERE id = $1", id, agent)?;
        Ok(())
    }

    /// Closes what the customer has open. `by` says why: `idle`, `unfollow`, `command`.
    pub async fn close_conversations(
        &mut self,
        account: &str,
        openid: &str,
        by: &str,
        now: Millis,
    ) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE conversation SET closed_at = $3, closed_by = $4 \
             WHERE account = $1 AND openid = $2 AND closed_at IS NULL",
            account,
            openid,
            now,
            by
        )?;
        Ok(())
    }
}
