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

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Customers whose chats were read.
    pub customers: usize,
    /// Messages that go on as answers.
    pub answers: usize,
    /// Messages that came too late.
    pub too_late: usize,
}

/// Why a round ended early.
enum Ended {
    Blind(String),
    Store(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Store(error)
    }
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
    pub async fn reconcile(&self, number: u64) -> Result<Option<Round>, Error> {
        let every = self.inner.reconciling.every;
        if !self.inner.store.take_round(HOLD).await? {
            return Ok(None);
        }
        let mut round = Round::default();
        let ended = self.go_round(number, &mut round).await;
        // What IM does not tell now is asked again soon.
        let pause = if ended.is_ok() { every } else { every.min(Duration::from_secs(30)) };
        self.inner.store.next_round(pause).await?;
        match ended {
            Ok(()) => Ok(Some(round)),
            Err(Ended::Store(error)) => Err(error),
            Err(Ended::Blind(detail)) => {
                tracing::warn!(detail, "IM's history cannot be read; what its webhooks did not bring waits");
                metrics::counter!("tsunagi_reconcile_rounds_total", "outcome" => "unreadable").increment(1);
                Ok(None)
            }
        }
    }

    async fn go_round(&self, number: u64, round: &mut Round) -> Result<(), Ended> {
        let mut after = String::new();
        loop {
            let from = after.clone();
            let open =
                self.inner.store.read(move |tx| Box::pin(async move { tx.open_after(&from, STEP).await }));
            let open = open.await?;
            let Some((last, ..)) = open.last() else { break };
            after.clone_from(last);
            let of = open.into_iter().map(|(_, account, openid, _)| (account, openid)).collect();
            self.look_at(of, number, round).await?;
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
                self.look_at(of, number, round).await?;
            }
        }
        Ok(())
    }

    async fn look_at(
        &self,
        customers: Vec<(String, String)>,
        number: u64,
        round: &mut Round,
    ) -> Result<(), Ended> {
        let mut looks = stream::iter(customers)
            .map(|(account, openid)| self.look_at_one(account, openid, number))
            .buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            let (answers, too_late) = looked?;
            round.customers += 1;
            round.answers += answers;
            round.too_late += too_late;
        }
        drop(looks);
        self.inner.store.next_round(HOLD).await?;
        Ok(())
    }

    async fn look_at_one(
        &self,
        account: String,
        openid: String,
        number: u64,
    ) -> Result<(usize, usize), Ended> {
        let Some(account) = self.inner.accounts.get(&account) else { return Ok((0, 0)) };
        let (id, who) = (account.id.clone(), openid.clone());
        let (since, chat) = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { Ok((tx.since().await?, tx.chat(&id, &who).await?)) }))
            .await?;
        let Some(chat) = chat else { return Ok((0, 0)) };
        let after_gap = chat.until("").is_none_or(|until| until < since.gap);
        let agents = if after_gap { account.agents.clone() } else { self.agents_for(account, &chat, number) };
        let all = agents.len() == account.agents.len();
        let look = match self.look(&account.id, &openid, &chat, since, &agents, true).await {
            Ok(look) => look,
            Err(Blind::Im(detail)) => return Err(Ended::Blind(detail)),
            Err(Blind::Store(error)) => return Err(Ended::Store(error)),
        };
        if look.went_back {
            self.went_back().await?;
            return Ok((0, 0));
        }
        let take = self.take_of(account, &openid, look, all);
        let (id, who) = (account.id.clone(), openid.clone());
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
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
        Ok((taken.answers, taken.too_late))
    }

    /// Whose chats with a customer an ordinary round reads: whoever has the conversation or wrote in it, and of the others
    /// so many in turn that each is read twice before what it holds would be too late.
    fn agents_for(&self, account: &Account, chat: &Chat, number: u64) -> Vec<String> {
        let (mut read, others): (Vec<String>, Vec<String>) =
            account.agents.iter().cloned().partition(|agent| chat.writers.contains(agent));
        let every = i64::try_from(self.inner.reconciling.every.as_millis()).unwrap_or(i64::MAX).max(1);
        let rounds = (self.inner.reconciling.max_age / 2 / every).max(1);
        let rounds = usize::try_from(rounds).unwrap_or(1);
        let share = others.len().div_ceil(rounds);
        let first = usize::try_from(number).unwrap_or(0).wrapping_mul(share.max(1));
        let chosen = (0..share).map(|nth| others[first.wrapping_add(nth) % others.len()].clone());
        read.extend(chosen);
        read
    }

    /// This store sent what it knows nothing of: it is an older copy.
    pub(super) async fn went_back(&self) -> Result<(), Error> {
        metrics::counter!("tsunagi_alarms_total", "what" => "store_restored").increment(1);
        tracing::error!(
            "IM has messages that this store sent and does not know: it was restored from a backup. Nothing from before is sent on our own"
        );
        self.inner.store.mark_restored(self.inner.clock.now()).await
    }
}
