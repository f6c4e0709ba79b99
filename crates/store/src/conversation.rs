//! Conversations: who serves whom, from when to when.

use crate::dialect;
use crate::sql::{Conn, Error, Tx, execute, json_rows, row, rows};
use crate::sqlite;
use desk::Millis;

/// Open conversations of one agent that are counted. Who has more is no fuller; without a bound the minute after a mass message
/// would count thousands for each customer who writes.
pub const LOAD_COUNTED: i64 = 200;

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

    /// Takes the account's next turn: until this transaction ends, nobody else gives one of its conversations away.
    pub async fn take_turn(&mut self, account: &str) -> Result<i64, Error> {
        let row = row!(
            self,
            (i64,),
            "INSERT INTO desk (account, turn) VALUES ($1, 1) \
             ON CONFLICT (account) DO UPDATE SET turn = desk.turn + 1 RETURNING turn",
            account
        )?;
        row.map(|(turn,)| turn).ok_or(Error::Unknown("turn"))
    }

    /// How many open conversations each of these agents has under an account, counted up to [`LOAD_COUNTED`].
    pub async fn loads(&mut self, account: &str, agents: &[String]) -> Result<Vec<(String, i64)>, Error> {
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                let loads = sqlite::query(dialect::LOADS.sqlite).bind(account).bind(json_rows(agents.iter()));
                loads.bind(LOAD_COUNTED).rows(conn)
            }
            Conn::Postgres(conn) => {
                let loads = sqlx::query_as(dialect::LOADS.postgres).bind(account).bind(agents);
                Ok(loads.bind(LOAD_COUNTED).fetch_all(&mut **conn).await?)
            }
        }
    }

    /// The turn at which each agent of an account was last given a conversation.
    pub async fn turns(&mut self, account: &str) -> Result<Vec<(String, i64)>, Error> {
        Ok(rows!(self, (String, i64), "SELECT agent, turn FROM agent WHERE account = $1", account)?)
    }

    /// Keeps that an agent was given a conversation at this turn.
    pub async fn give_turn(&mut self, account: &str, agent: &str, turn: i64) -> Result<(), Error> {
        execute!(
            self,
            "INSERT INTO agent (account, agent, turn) VALUES ($1, $2, $3) \
             ON CONFLICT (account, agent) DO UPDATE SET turn = excluded.turn",
            account,
            agent,
            turn
        )?;
        Ok(())
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

    /// Gives an open conversation to another agent; false if `from` does not have it any more.
    pub async fn reassign(&mut self, id: &str, from: &str, to: &str) -> Result<bool, Error> {
        let changed = execute!(
            self,
            "UPDATE conversation SET agent = $3 WHERE id = $1 AND agent = $2 AND closed_at IS NULL",
            id,
            from,
            to
        )?;
        Ok(changed == 1)
    }

    /// The customer wrote at `at`, and waits for an answer from then on.
    pub async fn wait_for_answer(&mut self, id: &str, at: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE conversation SET waiting_since = $2 WHERE id = $1 AND waiting_since IS NULL",
            id,
            at
        )?;
        Ok(())
    }

    /// Somebody answered.
    pub async fn answered(&mut self, id: &str) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE conversation SET waiting_since = NULL WHERE id = $1 AND waiting_since IS NOT NULL",
            id
        )?;
        Ok(())
    }

    /// Whether an agent has not been told yet whose conversation this is; from now on they have.
    pub async fn tell_once(&mut self, id: &str, agent: &str) -> Result<bool, Error> {
        let told = execute!(
            self,
            "UPDATE conversation SET told = told || ',' || $2 || ',' \
             WHERE id = $1 AND replace(told, ',' || $2 || ',', '') = told",
            id,
            agent
        )?;
        Ok(told == 1)
    }

    /// Whoever has open conversations under an account.
    pub async fn busy_agents(&mut self, account: &str) -> Result<Vec<String>, Error> {
        let rows = rows!(
            self,
            (String,),
            "SELECT DISTINCT agent FROM conversation WHERE account = $1 AND closed_at IS NULL",
            account
        )?;
        Ok(rows.into_iter().map(|(agent,)| agent).collect())
    }

    /// Open conversations of an agent, and whose they are.
    pub async fn conversations_of(
        &mut self,
        account: &str,
        agent: &str,
        most: i64,
    ) -> Result<Vec<(String, String)>, Error> {
        Ok(rows!(
            self,
            (String, String),
            "SELECT id, openid FROM conversation WHERE account = $1 AND agent = $2 AND closed_at IS NULL LIMIT $3",
            account,
            agent,
            most
        )?)
    }

    /// Open conversations of an agent in which the customer has been waiting since before `before`.
    pub async fn left_alone(
        &mut self,
        account: &str,
        agent: &str,
        before: Millis,
        most: i64,
    ) -> Result<Vec<(String, String)>, Error> {
        Ok(rows!(
            self,
            (String, String),
            "SELECT id, openid FROM conversation \
             WHERE account = $1 AND agent = $2 AND waiting_since <= $3 AND closed_at IS NULL \
             ORDER BY waiting_since LIMIT $4",
            account,
            agent,
            before,
            most
        )?)
    }

    /// Open conversations after `id`, in order: id, account, openid, and when somebody last wrote.
    pub async fn open_after(
        &mut self,
        id: &str,
        most: i64,
    ) -> Result<Vec<(String, String, String, Millis)>, Error> {
        Ok(rows!(
            self,
            (String, String, String, i64),
            "SELECT c.id, c.account, c.openid, \
               CASE WHEN u.conversation = c.id THEN u.conversation_at ELSE c.opened_at END \
             FROM conversation c JOIN customer u ON u.account = c.account AND u.openid = c.openid \
             WHERE c.closed_at IS NULL AND c.id > $1 ORDER BY c.id LIMIT $2",
            id,
            most
        )?)
    }

    /// Closes a conversation unless somebody has written since `before`; tells whether it did.
    pub async fn close_idle(
        &mut self,
        id: &str,
        account: &str,
        openid: &str,
        before: Millis,
        now: Millis,
    ) -> Result<bool, Error> {
        // The customer's row decides, as it does when a message opens a conversation.
        execute!(
            self,
            "UPDATE customer SET conversation = NULL \
             WHERE account = $1 AND openid = $2 AND conversation = $3 AND conversation_at < $4",
            account,
            openid,
            id,
            before
        )?;
        let closed = execute!(
            self,
            "UPDATE conversation SET closed_at = $4, closed_by = 'idle' WHERE id = $3 AND closed_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM customer WHERE account = $1 AND openid = $2 AND conversation = $3)",
            account,
            openid,
            id,
            now
        )?;
        Ok(closed == 1)
    }

    /// Closes what a customer has open, because somebody says so; the next message opens another. Tells whether there was
    /// anything.
    pub async fn close_by_command(
        &mut self,
        account: &str,
        openid: &str,
        now: Millis,
    ) -> Result<bool, Error> {
        let open = execute!(
            self,
            "UPDATE customer SET conversation = NULL WHERE account = $1 AND openid = $2 AND conversation IS NOT NULL",
            account,
            openid
        )?;
        self.close_conversations(account, openid, "command", now).await?;
        Ok(open == 1)
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
