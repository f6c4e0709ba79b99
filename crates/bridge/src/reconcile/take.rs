//! Keeps what a look has found: answers on the customer's lane, what comes too late as failed, and how far was read.

use super::FOUND;
use super::look::{Look, said};
use crate::convert::{Part, parts};
use crate::webhook::want;
use crate::{Account, Bridge, notice};
use desk::words::{Notice, excerpt};
use desk::{Clock, Direction, Entropy, Millis, Reason};
use im::{C2cMessage, HistoryMessage};
use store::{
    Arrival, DeliveryId, Error, GhostState, InboxId, Job, Lane, MessageId, NewJob, NewMessage, Source, Tx,
    Work,
};

/// An agent is told of lateness beyond this, in milliseconds.
const LATE: Millis = 120_000;
/// Beginnings of messages that a notice quotes at most.
const QUOTED: usize = 5;

/// What is to be kept, made before the transaction.
pub(super) struct Take {
    account: Account,
    openid: String,
    ghost: String,
    answers: Vec<Found>,
    too_late: Vec<Found>,
    agents: Vec<String>,
    until: Millis,
    all: bool,
    now: Millis,
    clock: Clock,
    entropy: Entropy,
}

struct Found {
    message: HistoryMessage,
    arrival: Arrival,
}

/// What was kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) answers: usize,
    pub(super) too_late: usize,
}

/// The webhook at the head of a lane that waits for the look.
pub(super) struct Gated {
    pub(super) lane: Lane,
    pub(super) job: Job,
    /// When IM took its message, in seconds.
    pub(super) said_s: i64,
}

impl Bridge {
    /// Prepares what a look has found. `all`: every agent's chat was read.
    pub(super) fn take_of(
        &self,
        account: &Account,
        openid: &str,
        ghost: &str,
        look: Look,
        all: bool,
    ) -> Take {
        let found = |messages: Vec<HistoryMessage>| -> Vec<Found> {
            messages.into_iter().map(|message| self.found(account, message)).collect()
        };
        Take {
            account: account.clone(),
            openid: openid.to_owned(),
            ghost: ghost.to_owned(),
            answers: found(look.missing),
            too_late: found(look.too_late),
            agents: look.agents,
            until: look.until,
            all,
            now: self.inner.clock.now(),
            clock: self.inner.clock.clone(),
            entropy: self.inner.entropy.clone(),
        }
    }

    /// The webhook that should have come.
    fn found(&self, account: &Account, message: HistoryMessage) -> Found {
        let webhook = im::Webhook::AfterSendMsg(im::AfterSend {
            message: C2cMessage {
                from: message.from.clone(),
                to: message.to.clone(),
                msg_seq: message.msg_seq,
                msg_random: message.msg_random,
                msg_time: message.msg_time,
                msg_key: message.msg_key.clone(),
                body: message.body.clone(),
                cloud_custom_data: message.cloud_custom_data.clone(),
                ..C2cMessage::default()
            },
            ..im::AfterSend::default()
        });
        let arrival = Arrival {
            id: InboxId::new(&self.inner.clock, &self.inner.entropy),
            source: Source::Im,
            account: account.id.clone(),
            dedup_key: self.history_key(&message),
            kind: "webhook",
            received_at: self.inner.clock.now(),
            query: Some(webhook.command().to_owned()),
            body: webhook.to_value().to_string().into_bytes(),
            reply: None,
            work: Work::Nothing,
            trace: None,
            may_wait: false,
        };
        Found { message, arrival }
    }

    /// Says and counts what was kept.
    pub(super) fn report(&self, account: &Account, taken: Taken) {
        let Taken { answers, too_late } = taken;
        if answers + too_late == 0 {
            return;
        }
        tracing::warn!(
            account = account.id,
            answers,
            too_late,
            "messages of agents were found in IM's history whose webhooks did not come"
        );
        let count = |outcome, count| {
            metrics::counter!("tsunagi_reconciled_total", "account" => account.id.clone(), "outcome" => outcome)
                .increment(count as u64);
        };
        count("answer", answers);
        count("too_late", too_late);
        let reason = Reason::FoundTooLate.as_str();
        metrics::counter!("tsunagi_deliveries_total", "account" => account.id.clone(), "direction" => "out",
            "state" => "failed", "reason" => reason)
        .increment(too_late as u64);
        self.wake();
    }
}

impl Take {
    /// Whether there is anything but the mark of how far was read.
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.too_late.is_empty()
    }

    /// Whether the chats that were read are still the customer's: not erased, not deleted meanwhile. The customer's row is
    /// locked.
    pub(super) async fn is_still_theirs(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        let ghost = tx.ghost_of(&self.account.id, &self.openid).await?;
        Ok(ghost.is_some_and(|ghost| ghost.user_id == self.ghost && ghost.state == GhostState::Living))
    }

    /// Keeps how far was read, and nothing else.
    pub(super) async fn keep_marks(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let account = &self.account.id;
        for agent in &self.agents {
            tx.set_reconciled(account, &self.openid, agent, self.until).await?;
        }
        if self.all {
            tx.set_reconciled(account, &self.openid, "", self.until).await?;
        }
        Ok(())
    }

    /// Keeps everything: what was said before the gated webhook goes before it, the rest to the lane's end.
    pub(super) async fn keep(self, tx: &mut Tx<'_>, gated: Option<&Gated>) -> Result<Taken, Error> {
        tx.lock_customer(&self.account.id, &self.openid).await?;
        if !self.is_still_theirs(tx).await? {
            return Ok(Taken::default());
        }
        self.keep_marks(tx).await?;
        let too_late = self.keep_too_late(tx).await?;
        let arrivals: Vec<Arrival> = self.answers.iter().map(|found| found.arrival.clone()).collect();
        let new = tx.insert_found(&arrivals).await?;
        let fresh: Vec<&Found> =
            self.answers.iter().zip(new).filter(|(_, new)| *new).map(|(found, _)| found).collect();
        self.tell_late(tx, &fresh).await?;
        // IM tells whole seconds. What was said in the same one as the gated message may have been said after it, with its
        // webhook still on its way: only what is surely older goes before what is stored already.
        let is_before = |found: &&Found| gated.is_some_and(|gated| found.message.msg_time < gated.said_s);
        let (before, after): (Vec<&Found>, Vec<&Found>) = fresh.iter().partition(|found| is_before(found));
        let jobs = |of: Vec<&Found>| -> Vec<NewJob> { of.into_iter().map(|found| self.job(found)).collect() };
        if let Some(gated) = gated {
            tx.put_in_front(&gated.lane, &gated.job, &jobs(before)).await?;
        }
        tx.enqueue(&jobs(after)).await?;
        Ok(Taken { answers: fresh.len(), too_late })
    }

    fn job(&self, found: &Found) -> NewJob {
        NewJob {
            account: self.account.id.clone(),
            openid: self.openid.clone(),
            direction: Direction::Out,
            kind: "webhook",
            subject: found.arrival.id.as_str().to_owned(),
            note: Some(FOUND.to_owned()),
            since: self.now,
            trace: None,
        }
    }

    /// Each agent hears once that messages of theirs come late.
    async fn tell_late(&self, tx: &mut Tx<'_>, fresh: &[&Found]) -> Result<(), Error> {
        for agent in &self.agents {
            let late = fresh.iter().map(|found| &found.message).filter(|message| message.from == *agent);
            let late: Vec<Millis> = late.map(|message| self.now - message.msg_time * 1000).collect();
            let oldest = late.iter().copied().max().unwrap_or(0);
            if oldest > LATE {
                let told = Notice::FoundLate { count: late.len(), minutes: oldest / 60_000 };
                self.tell(tx, agent, told).await?;
            }
        }
        Ok(())
    }

    /// What is too old ends as failed at once, and each agent hears once of theirs.
    async fn keep_too_late(&self, tx: &mut Tx<'_>) -> Result<usize, Error> {
        let arrivals: Vec<Arrival> = self.too_late.iter().map(|found| found.arrival.clone()).collect();
        let new = tx.insert_found(&arrivals).await?;
        let fresh: Vec<&Found> =
            self.too_late.iter().zip(new).filter(|(_, new)| *new).map(|(found, _)| found).collect();
        for found in &fresh {
            self.fail(tx, found).await?;
        }
        for agent in &self.agents {
            let words = fresh.iter().map(|found| &found.message).filter(|message| message.from == *agent);
            let words: Vec<String> =
                words.map(|message| quote(&message.body, self.account.language)).collect();
            if words.is_empty() {
                continue;
            }
            let newest = words[words.len().saturating_sub(QUOTED)..].join("\n");
            self.tell(tx, agent, Notice::FoundTooLate { count: words.len(), excerpts: &newest }).await?;
        }
        Ok(fresh.len())
    }

    async fn fail(&self, tx: &mut Tx<'_>, found: &Found) -> Result<(), Error> {
        let id = MessageId::new(&self.clock, &self.entropy);
        tx.insert_message(NewMessage {
            id: &id,
            account: &self.account.id,
            openid: &self.openid,
            direction: Direction::Out,
            kind: "text",
            conversation: None,
            author: Some(&found.message.from),
            source_key: Some(&found.message.msg_key),
            said: Some(said(&found.message)),
            inbox: Some(found.arrival.id.as_str()),
            created_at: self.now,
        })
        .await?;
        for (at, part) in parts(&found.message.body, self.account.language).into_iter().enumerate() {
            let (body, reason) = match &part {
                Part::Text(body) | Part::File(_, body) => (body, Reason::FoundTooLate),
                Part::Unsupported(body) => (body, Reason::UnsupportedKind),
            };
            let of = DeliveryId::new(&self.clock, &self.entropy);
            tx.insert_delivery(&of, &id, at as i64, body, "", &self.openid, None, Some(reason), self.now)
                .await?;
            let (made, whose) = ((&self.clock, &self.entropy), (&*self.account.id, &*self.openid));
            want(tx, made, whose, &of, &part, self.now).await?;
        }
        Ok(())
    }

    async fn tell(&self, tx: &mut Tx<'_>, agent: &str, told: Notice<'_>) -> Result<(), Error> {
        notice::enqueue(tx, &self.clock, &self.entropy, &self.account, &self.openid, agent, told).await
    }
}

/// The beginning of a message, for a notice.
fn quote(body: &[im::Element], language: desk::Language) -> String {
    let text = parts(body, language).into_iter().find_map(|part| match part {
        Part::Text(text) | Part::File(_, text) => Some(excerpt(&text)),
        Part::Unsupported(_) => None,
    });
    format!("「{}」", text.unwrap_or_else(|| "…".to_owned()))
}
