//! Who serves whom: a conversation is given to an agent, taken over by another, and closed by silence.
//!
//! The rule is [`desk::routing`]; here it meets the database. One conversation of an account is given away at a time
//! (`Tx::take_turn`), so that two customers who come at once, to two workers or two nodes, are spread. Rows are locked in
//! one order: customer, turn, lanes.

use crate::{Account, Bridge, notice};
use desk::routing::{Candidate, choose, choose_instead, is_left_alone};
use desk::words::{Notice, excerpt};
use desk::{Clock, Entropy, Millis};
use std::collections::HashMap;
use store::{Error, Tx};

/// Conversations handed over, and looked at for silence, in one step.
const STEP: i64 = 100;
/// Words of the customer that whoever takes over gets to read.
const RECENT: i64 = 5;

/// How long conversations live and agents may be away, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Hours {
    /// Without a message for so long a conversation is closed.
    pub idle: Millis,
    /// An agent may be offline for so long before a waiting customer is given to another; 0: for ever.
    pub grace: Millis,
}

impl Default for Hours {
    /// Two days, which is also WeChat's reply window, and five minutes.
    fn default() -> Self {
        Hours { idle: 172_800_000, grace: 300_000 }
    }
}

/// The agents of an account at one moment, to be taken into a transaction.
#[derive(Debug, Clone)]
pub(crate) struct Roster(Vec<(String, bool)>);

impl Roster {
    /// Whether this agent may be given messages: configured, and not missing in IM.
    pub(crate) fn serves(&self, agent: &str) -> bool {
        self.0.iter().any(|(who, _)| who == agent)
    }

    /// Those agents.
    pub(crate) fn serving(&self) -> Vec<String> {
        self.0.iter().map(|(agent, _)| agent.clone()).collect()
    }

    /// The agent for a conversation, or who takes over from `from`. Holds the account's turn until the transaction ends.
    async fn choose(
        &self,
        tx: &mut Tx<'_>,
        account: &str,
        from: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let turn = tx.take_turn(account).await?;
        let agents = self.serving();
        let loads: HashMap<String, i64> = tx.loads(account, &agents).await?.into_iter().collect();
        let turns: HashMap<String, i64> = tx.turns(account).await?.into_iter().collect();
        let candidates: Vec<Candidate<'_>> = self
            .0
            .iter()
            .map(|(agent, reachable)| Candidate {
                agent,
                open: loads.get(agent).copied().unwrap_or(0),
                turn: turns.get(agent).copied().unwrap_or(0),
                reachable: *reachable,
            })
            .collect();
        let chosen = match from {
            Some(from) if self.serves(from) => choose_instead(&candidates, from),
            _ => choose(&candidates),
        };
        if let Some(agent) = chosen {
            tx.give_turn(account, agent, turn).await?;
        }
        Ok(chosen.map(str::to_owned))
    }
}

/// What a hand-over needs besides the transaction.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) account: Account,
    pub(crate) roster: Roster,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
}

impl Desk {
    /// Who serves this conversation. A new one is opened; one whose agent does not serve any more is given to another.
    pub(crate) async fn agent_for(
        &self,
        tx: &mut Tx<'_>,
        openid: &str,
        conversation: Option<&str>,
        now: Millis,
    ) -> Result<String, Error> {
        let account = &self.account.id;
        let current = match conversation {
            Some(conversation) => tx.conversation_agent(conversation).await?,
            // A message that was stored without one goes to whoever serves the customer now.
            None => tx.latest_agent(account, openid).await?,
        };
        match (current, conversation) {
            (Some(agent), _) if self.roster.serves(&agent) => Ok(agent),
            (Some(from), Some(conversation)) => {
                if let Some(agent) = self.hand_over(tx, conversation, openid, &from).await? {
                    return Ok(agent);
                }
                // Somebody else was quicker, or it was closed meanwhile, or nobody serves at all.
                self.instead(tx, conversation, openid, from).await
            }
            (None, Some(conversation)) => {
                let agent = self.roster.choose(tx, account, None).await?.or_else(|| self.first());
                let agent = agent.ok_or(Error::Unknown("agent"))?;
                tx.open_conversation(conversation, account, openid, &agent, now).await?;
                Ok(agent)
            }
            (_, None) => self.first().ok_or(Error::Unknown("agent")),
        }
    }

    /// Who gets a message of a conversation that cannot be handed over: whoever has it by now; if it was closed while the
    /// message waited, whoever serves the customer, or anybody who serves. Only where nobody does it stays with `from`.
    async fn instead(
        &self,
        tx: &mut Tx<'_>,
        conversation: &str,
        openid: &str,
        from: String,
    ) -> Result<String, Error> {
        let account = &self.account.id;
        let has_it = tx.conversation_agent(conversation).await?;
        let serving = match has_it.filter(|agent| self.roster.serves(agent)) {
            Some(agent) => Some(agent),
            None => tx.latest_agent(account, openid).await?.filter(|agent| self.roster.serves(agent)),
        };
        Ok(match serving {
            Some(agent) => agent,
            None => self.roster.choose(tx, account, None).await?.unwrap_or(from),
        })
    }

    /// The first who serves; if nobody does, the first of the configuration, who may come back.
    fn first(&self) -> Option<String> {
        let serving = self.roster.0.first().map(|(agent, _)| agent.clone());
        serving.or_else(|| self.account.agents.first().cloned())
    }

    /// Gives an open conversation to another agent, with a word to both; `None` if nobody can take it over, or somebody
    /// else was quicker. The customer's row is locked by the caller.
    async fn hand_over(
        &self,
        tx: &mut Tx<'_>,
        conversation: &str,
        openid: &str,
        from: &str,
    ) -> Result<Option<String>, Error> {
        let Some(to) = self.roster.choose(tx, &self.account.id, Some(from)).await? else { return Ok(None) };
        if !tx.reassign(conversation, from, &to).await? {
            return Ok(None);
        }
        let recent = tx.recent_words(conversation, RECENT).await?;
        let recent: Vec<String> = recent.iter().map(|words| excerpt(words)).collect();
        let told = Notice::NowYours { from, recent: &recent.join("\n") };
        self.tell(tx, openid, &to, told).await?;
        if self.roster.serves(from) {
            self.tell(tx, openid, from, Notice::TakenAway { to: &to }).await?;
        }
        metrics::counter!("tsunagi_handovers_total", "account" => self.account.id.clone()).increment(1);
        Ok(Some(to))
    }

    /// Any agent may answer. If it is not the owner of the conversation, the owner is told what was said, and the agent,
    /// once, whose it is.
    pub(crate) async fn tell_of_another(
        &self,
        tx: &mut Tx<'_>,
        openid: &str,
        (conversation, owner): (&str, Option<String>),
        agent: &str,
        excerpt: &str,
    ) -> Result<(), Error> {
        let Some(owner) = owner.filter(|owner| owner != agent && self.roster.serves(owner)) else {
            return Ok(());
        };
        self.tell(tx, openid, &owner, Notice::OtherAgentAnswered { agent, excerpt }).await?;
        if tx.tell_once(conversation, agent).await? {
            self.tell(tx, openid, agent, Notice::NotYours { owner: &owner }).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        tx: &mut Tx<'_>,
        openid: &str,
        agent: &str,
        notice: Notice<'_>,
    ) -> Result<(), Error> {
        notice::enqueue(tx, &self.clock, &self.entropy, &self.account, openid, agent, notice).await
    }
}

impl Bridge {
    pub(crate) fn desk(&self, account: &Account) -> Desk {
        let now = self.inner.clock.now();
        let presence = &self.inner.presence;
        let serving = account.agents.iter().filter(|agent| !presence.is_missing(agent));
        let roster = serving.map(|agent| (agent.clone(), presence.is_reachable(agent, now))).collect();
        Desk {
            account: account.clone(),
            roster: Roster(roster),
            clock: self.inner.clock.clone(),
            entropy: self.inner.entropy.clone(),
        }
    }

    /// Whether it is known that no agent of this account can be reached.
    pub(crate) fn nobody_is_there(&self, account: &Account) -> bool {
        let now = self.inner.clock.now();
        !account.agents.iter().any(|agent| self.inner.presence.is_reachable(agent, now))
    }

    /// Hands over what agents had who do not serve any more, and customers whom an agent has left waiting. Gives how many
    /// conversations changed hands.
    ///
    /// # Errors
    /// The store failed; what was handed over before stays so.
    pub async fn hand_over_conversations(&self) -> Result<u64, Error> {
        let (now, grace) = (self.inner.clock.now(), self.inner.hours.grace);
        let mut handed = 0;
        for account in self.inner.accounts.values() {
            let desk = self.desk(account);
            let id = account.id.clone();
            let busy =
                self.inner.store.read(move |tx| Box::pin(async move { tx.busy_agents(&id).await })).await?;
            for agent in busy {
                let (id, from) = (account.id.clone(), agent.clone());
                let found = if !desk.roster.serves(&agent) {
                    let all = self
                        .inner
                        .store
                        .read(move |tx| Box::pin(async move { tx.conversations_of(&id, &from, STEP).await }));
                    all.await?
                } else if let Some(since) = self.inner.presence.offline_since(&agent, now)
                    && is_left_alone(now, since, since, grace)
                {
                    let before = now - grace;
                    let waiting = self.inner.store.read(move |tx| {
                        Box::pin(async move { tx.left_alone(&id, &from, before, STEP).await })
                    });
                    waiting.await?
                } else {
                    continue;
                };
                for (conversation, openid) in found {
                    let (desk, from) = (desk.clone(), agent.clone());
                    let work = self.inner.store.write(move |tx| {
                        Box::pin(async move {
                            tx.lock_customer(&desk.account.id, &openid).await?;
                            desk.hand_over(tx, &conversation, &openid, &from).await
                        })
                    });
                    handed += u64::from(work.await?.is_some());
                }
            }
        }
        if handed > 0 {
            tracing::info!(conversations = handed, "conversations changed hands");
            self.wake();
        }
        Ok(handed)
    }

    /// Closes conversations in which nobody has written for long, from `after` on, in one small step. Gives where the next
    /// step begins; `None` at the end.
    ///
    /// # Errors
    /// The store failed.
    pub async fn close_idle(&self, after: String) -> Result<Option<String>, Error> {
        let now = self.inner.clock.now();
        let before = now - self.inner.hours.idle;
        let open = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { tx.open_after(&after, STEP).await }))
            .await?;
        let next = (open.len() as i64 == STEP).then(|| open.last().map(|(id, ..)| id.clone())).flatten();
        for (id, account, openid, last) in open {
            if last >= before {
                continue;
            }
            let close = self.inner.store.write(move |tx| {
                Box::pin(async move { tx.close_idle(&id, &account, &openid, before, now).await })
            });
            close.await?;
        }
        Ok(next)
    }

    /// What is done once at start: lanes of accounts that are configured again go on, and those of accounts that are not
    /// are named.
    ///
    /// # Errors
    /// The store failed.
    pub async fn take_stock(&self) -> Result<(), Error> {
        let waiting =
            self.inner.store.read(|tx| Box::pin(async move { tx.waiting_accounts().await })).await?;
        for (account, jobs) in waiting {
            if self.inner.accounts.contains_key(&account) {
                let delay = NOT_SERVED / 2;
                self.inner
                    .store
                    .write(move |tx| Box::pin(async move { tx.wake_lanes(&account, delay).await }))
                    .await?;
            } else {
                tracing::warn!(
                    account,
                    jobs,
                    "work waits for an account that is not configured: it goes on when the account is back, `tsunagi jobs drop` ends it"
                );
            }
        }
        Ok(())
    }
}

/// How long the lane of an account that is not configured is left alone, in milliseconds.
pub(crate) const NOT_SERVED: Millis = 3_600_000;
