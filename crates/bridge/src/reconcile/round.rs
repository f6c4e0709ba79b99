//! A round: every active conversation's history is read, by one node at a time, behind everything else.

use super::look::Blind;
use super::take::Taken;
use crate::{Account, Bridge};
use desk::Millis;
use futures_util::StreamExt;
use futures_util::stream;
use std::time::Duration;
use store::{Chat, Error};

/// Conversations in one step, and how many of them at once.
const STEP: i64 = 100;
const AT_ONCE: usize = 8;
/// How long the turn is kept without a sign of life.
const HOLD: Duration = Duration::from_secs(60);
/// A conversation that was closed less long ago is active as well, in milliseconds.
const RECENT: Millis = 86_400_000;
/// So many customers in a row whose chats cannot be read: IM is away, and the round ends.
const AWAY: usize = 20;

/// What could not be read in a round.
#[derive(Debug, Default)]
struct Blindness {
    in_a_row: usize,
    last: Option<String>,
}

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Customers whose chats were read.
    pub customers: usize,
    /// Messages that go on as answers.
    pub answers: usize,
    /// Messages that came too late.
    pub too_late: usize,
    /// Customers whose chats could not be read now; they are asked again soon.
    pub unread: usize,
}

impl Bridge {
    /// Waits until a round should begin before its time.
    pub async fn round_wanted(&self) {
        self.inner.gap.soon.notified().await;
    }

    /// Reads the history of every active conversation, if it is this node's turn; `None` if it is not, or IM cannot be
    /// read now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reconcile(&self) -> Result<Option<Round>, Error> {
        let every = self.inner.reconciling.every;
        if !self.inner.store.take_round(HOLD).await? {
            return Ok(None);
        }
        let mut round = Round::default();
        let mut blind = Blindness::default();
        let ended = self.go_round(&mut round, &mut blind).await;
        // What IM does not tell now is asked again soon.
        let whole = ended.is_ok() && round.unread == 0;
        let pause = if whole { every } else { every.min(Duration::from_secs(30)) };
        self.inner.store.next_round(pause).await?;
        ended?;
        if let Some(detail) = blind.last {
            let unread = round.unread;
            tracing::warn!(
                detail,
                unread,
                "IM's history cannot be read of some; what its webhooks did not bring waits"
            );
            metrics::counter!("tsunagi_reconcile_rounds_total", "outcome" => "unreadable").increment(1);
        }
        Ok(whole.then_some(round))
    }

    async fn go_round(&self, round: &mut Round, blind: &mut Blindness) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let from = after.clone();
            let open =
                self.inner.store.read(move |tx| Box::pin(async move { tx.open_after(&from, STEP).await }));
            let open = open.await?;
            let Some((last, ..)) = open.last() else { break };
            after.clone_from(last);
            let of = open.into_iter().map(|(_, account, openid, _)| (account, openid)).collect();
            if !self.look_at(of, round, blind).await? {
                return Ok(());
            }
        }
        let recently = self.inner.clock.now() - RECENT;
        for account in self.inner.accounts.keys() {
            let mut after = (recently, String::new());
            loop {
                let (from, id) = (after.clone(), account.clone());
                let closed = self.inner.store.read(move |tx| {
                    Box::pin(async move { tx.closed_after(&id, (from.0, &from.1), STEP).await })
                });
                let closed = closed.await?;
                let Some((id, _, at)) = closed.last() else { break };
                after = (*at, id.clone());
                let of = closed.into_iter().map(|(_, openid, _)| (account.clone(), openid)).collect();
                if !self.look_at(of, round, blind).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One whose chat cannot be read keeps nobody else from being looked at; false: IM is away.
    async fn look_at(
        &self,
        customers: Vec<(String, String)>,
        round: &mut Round,
        blind: &mut Blindness,
    ) -> Result<bool, Error> {
        let mut looks = stream::iter(customers)
            .map(|(account, openid)| self.look_at_one(account, openid))
            .buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            match looked {
                Ok(Taken { answers, too_late }) => {
                    blind.in_a_row = 0;
                    round.customers += 1;
                    round.answers += answers;
                    round.too_late += too_late;
                }
                Err(Blind::Store(error)) => return Err(error),
                Err(Blind::Im(detail)) => {
                    round.unread += 1;
                    blind.in_a_row += 1;
                    blind.last = Some(detail);
                    if blind.in_a_row >= AWAY {
                        return Ok(false);
                    }
                }
            }
        }
        drop(looks);
        self.inner.store.next_round(HOLD).await?;
        Ok(true)
    }

    async fn look_at_one(&self, account: String, openid: String) -> Result<Taken, Blind> {
        let nothing = Taken::default();
        let Some(account) = self.inner.accounts.get(&account) else { return Ok(nothing) };
        let (id, who) = (account.id.clone(), openid.clone());
        let (since, chat) = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { Ok((tx.since().await?, tx.chat(&id, &who).await?)) }))
            .await?;
        let Some(chat) = chat else { return Ok(nothing) };
        let after_gap = chat.until("").is_none_or(|until| until < since.gap);
        let agents = if after_gap { account.agents.clone() } else { self.agents_for(account, &chat) };
        let all = agents.len() == account.agents.len();
        let look = self.look(&account.id, &openid, &chat, since, &agents, true).await?;
        if look.went_back {
            self.went_back(&account.id, &openid, &chat.ghost).await?;
            return Ok(nothing);
        }
        let take = self.take_of(account, &openid, &chat.ghost, look, all);
        let (id, who) = (account.id.clone(), openid.clone());
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&id, &who).await?;
                if !take.is_still_theirs(tx).await? {
                    return Ok(Taken::default());
                }
                if take.is_empty() {
                    take.keep_marks(tx).await?;
                    return Ok(Taken::default());
                }
                // A webhook that came after the gap and has not gone on yet looks for itself, so that the order holds.
                if after_gap && tx.waits_since(&id, &who, since.gap).await? {
                    return Ok(Taken::default());
                }
                take.keep(tx, None).await
            })
        });
        let taken = kept.await?;
        self.report(account, taken);
        Ok(taken)
    }

    /// Whose chats with a customer an ordinary round reads: whoever has the conversation or wrote in it, and of the others
    /// so many of those who were not read for longest that each is read twice before what it holds would be too late.
    fn agents_for(&self, account: &Account, chat: &Chat) -> Vec<String> {
        let (mut read, mut others): (Vec<String>, Vec<String>) =
            account.agents.iter().cloned().partition(|agent| chat.writers.contains(agent));
        let every = i64::try_from(self.inner.reconciling.every.as_millis()).unwrap_or(i64::MAX).max(1);
        let rounds = (self.inner.reconciling.max_age / 2 / every).max(1);
        let rounds = usize::try_from(rounds).unwrap_or(1);
        let share = others.len().div_ceil(rounds);
        others.sort_by_key(|agent| chat.until(agent));
        read.extend(others.into_iter().take(share));
        read
    }

    /// This store sent what it knows nothing of: it is an older copy.
    pub(super) async fn went_back(&self, account: &str, openid: &str, ghost: &str) -> Result<(), Error> {
        let (id, who) = (account.to_owned(), openid.to_owned());
        let read = self.inner.store.read(move |tx| Box::pin(async move { tx.chat(&id, &who).await }));
        // Erased while the chat was read: then we may well know nothing of it.
        if read.await?.is_none_or(|chat| chat.ghost != ghost) {
            return Ok(());
        }
        metrics::counter!("tsunagi_alarms_total", "what" => "store_restored").increment(1);
        tracing::error!(
            "IM has messages that this store sent and does not know: it was restored from a backup. Nothing from before is sent on our own"
        );
        self.inner.store.mark_restored(self.inner.clock.now()).await
    }
}
