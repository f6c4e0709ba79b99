//! Ghosts: the IM accounts that stand for customers, generation after generation.

use crate::sql::{Error, Tx, execute, row};
use desk::Millis;

/// Where a ghost stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GhostState {
    /// Its UserID is chosen; IM may not know it yet.
    Planned,
    /// IM has it.
    Living,
    /// Given up: deleted in IM, or about to be. Never used again.
    Retired,
}

impl GhostState {
    fn as_str(self) -> &'static str {
        match self {
            GhostState::Planned => "planned",
            GhostState::Living => "living",
            GhostState::Retired => "retired",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<GhostState, Error> {
        [GhostState::Planned, GhostState::Living, GhostState::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(Error::Unknown("state of a ghost"))
    }
}

/// A ghost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ghost {
    /// Its UserID in IM.
    pub user_id: String,
    /// Whose account.
    pub account: String,
    /// For whom it stands.
    pub openid: String,
    /// 1 for the customer's first.
    pub generation: i64,
    /// Where it stands.
    pub state: GhostState,
}

type Row = (String, String, String, i64, String);

fn ghost((user_id, account, openid, generation, state): Row) -> Result<Ghost, Error> {
    Ok(Ghost { user_id, account, openid, generation, state: GhostState::parse(&state)? })
}

impl Tx<'_> {
    /// How a ghost stands that is to send something, and when the store was restored from a backup; 0 for never.
    pub async fn sender(&mut self, user_id: &str) -> Result<(Option<GhostState>, Millis), Error> {
        let row = row!(
            self,
            (Option<String>, Option<String>),
            "SELECT (SELECT state FROM ghost WHERE user_id = $1), (SELECT value FROM meta WHERE key = 'restored_at')",
            user_id
        )?;
        let (state, restored_at) = row.unwrap_or_default();
        let state = state.as_deref().map(GhostState::parse).transpose()?;
        Ok((state, restored_at.and_then(|at| at.parse().ok()).unwrap_or(0)))
    }

    /// How a ghost stands that was written to, and the agent of the conversation that is open with its customer.
    pub async fn addressee(
        &mut self,
        user_id: &str,
        conversation: Option<&str>,
    ) -> Result<(Option<GhostState>, Option<String>), Error> {
        let row = row!(
            self,
            (Option<String>, Option<String>),
            "SELECT (SELECT state FROM ghost WHERE user_id = $1), (SELECT agent FROM conversation WHERE id = $2)",
            user_id,
            conversation
        )?;
        let (state, agent) = row.unwrap_or_default();
        Ok((state.as_deref().map(GhostState::parse).transpose()?, agent))
    }

    /// The customer's newest ghost, unless it is retired.
    pub async fn ghost_of(&mut self, account: &str, openid: &str) -> Result<Option<Ghost>, Error> {
        let row = row!(
            self,
            Row,
            "SELECT g.user_id, g.account, g.openid, g.generation, g.state FROM customer c \
             JOIN ghost g ON g.account = c.account AND g.openid = c.openid AND g.generation = c.generation \
             WHERE c.account = $1 AND c.openid = $2 AND g.state <> 'retired'",
            account,
            openid
        )?;
        row.map(ghost).transpose()
    }

    /// The ghost with this UserID.
    pub async fn ghost(&mut self, user_id: &str) -> Result<Option<Ghost>, Error> {
        let row = row!(
            self,
            Row,
            "SELECT user_id, account, openid, generation, state FROM ghost WHERE user_id = $1",
            user_id
        )?;
        row.map(ghost).transpose()
    }

    /// Plans the customer's ghost of this generation under the first of `names` that nobody has (also not in
    /// other case). If somebody else has planned it meanwhile, that one is given.
    pub async fn plan_ghost(
        &mut self,
        account: &str,
        openid: &str,
        generation: i64,
        names: &[String],
        now: Millis,
    ) -> Result<Ghost, Error> {
        for name in names {
            let planned = execute!(
                self,
                "INSERT INTO ghost (user_id, account, openid, generation, state, changed_at) \
                 VALUES ($1, $2, $3, $4, 'planned', $5) ON CONFLICT DO NOTHING",
                name.as_str(),
                account,
                openid,
                generation,
                now
            )?;
            if planned == 1 {
                execute!(
                    self,
                    "UPDATE customer SET generation = $3 WHERE account = $1 AND openid = $2",
                    account,
                    openid,
                    generation
                )?;
                return Ok(Ghost {
                    user_id: name.clone(),
                    account: account.to_owned(),
                    openid: openid.to_owned(),
                    generation,
                    state: GhostState::Planned,
                });
            }
            let row = row!(
                self,
                Row,
                "SELECT user_id, account, openid, generation, state FROM ghost \
                 WHERE account = $1 AND openid = $2 AND generation = $3",
                account,
                openid,
                generation
            )?;
            if let Some(row) = row {
                return ghost(row);
            }
        }
        Err(Error::Unknown("ghost under every name tried"))
    }

    /// Records where a ghost stands now.
    pub async fn set_ghost(&mut self, user_id: &str, state: GhostState, now: Millis) -> Result<(), Error> {
        execute!(
            self,
            "UPDATE ghost SET state = $2, changed_at = $3 WHERE user_id = $1",
            user_id,
            state.as_str(),
            now
        )?;
        Ok(())
    }
}
