//! Job `push`: a stored push becomes a message in a conversation, or a customer comes or goes.

use crate::act::{opened_by, opened_by_message};
use crate::assign::NOT_SERVED;
use crate::breaker::Operation;
use crate::convert::{self, Carried};
use crate::relay::Ahead;
use crate::window::When;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, OnUnsubscribe, erase, mailbox, notice, passive, tend};
use desk::split::{IM_TEXT_BYTES, split};
use desk::window::Action;
use desk::words::Notice;
use desk::{Content, Direction, Millis, Reason};
use std::sync::Arc;
use store::{
    Along, AttemptId, DeliveryId, Due, Error, GhostState, InboxRow, Job, MediaId, MessageId, NewMessage,
    PlainMessage, Tx, faults,
};
use wechat::{Event, Push, PushBody};

/// A message that waited longer than this before it was even taken in is marked with its time, in milliseconds.
const LATE: Millis = 120_000;

impl Bridge {
    /// The webhook that a job is about, once.
    pub(crate) async fn webhook_of(&self, job: &mut Job) -> Result<Option<InboxRow>, Error> {
        if let Along::Webhook(row) = std::mem::take(&mut job.along) {
            return Ok(Some(*row));
        }
        let subject = job.subject.clone();
        self.inner.store.look_up(move |tx| Box::pin(async move { tx.inbox(&subject).await })).await
    }

    pub(crate) async fn intake(&self, held: &mut Held, mut job: Job) -> Result<Step, Error> {
        let row = self.webhook_of(&mut job).await?;
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let push = row.as_ref().map(|row| Push::parse(&row.body));
        let (Some(row), Some(Ok(push))) = (row, push) else {
            tracing::error!(inbox = job.subject, "a stored push cannot be read; it stays in the inbox");
            return self.finish(held, &job).await;
        };
        let said = push.create_time.unwrap_or(row.received_at);
        let when = When { said, heard: row.received_at };
        match push.body {
            PushBody::Message(message) => {
                let action = opened_by_message(&message);
                let source_key = message.msg_id.map(|id| id.to_string());
                let (kind, mut words) = convert::words(&message, account.language);
                let carried = convert::carried(&message);
                // Its job began long after it came: it could not be read then. What goes out late says so.
                let late = job.since - row.received_at;
                let mut mark = None;
                if late > LATE {
                    let late = desk::words::late(account.language, late);
                    match carried {
                        Some(_) => mark = Some(late),
                        None => words = format!("{late}\n{words}"),
                    }
                }
                let tap = passive::tap_of(&message).is_some();
                let received_at = row.received_at;
                let taken = Taken { kind, mark, words, carried, source_key, received_at, when, action };
                if tap {
                    return self.take_tap(held, job, &account, taken).await;
                }
                self.take_message(held, job, &account, taken).await
            }
            // What came later has been said before: a late unfollow must not delete the ghost of somebody who is back.
            PushBody::Event(_) if job.note.as_deref() == Some(store::OVERTAKEN) => {
                self.finish(held, &job).await
            }
            PushBody::Event(event @ Event::Subscribe { .. }) => {
                let line = convert::line(&event, account.language);
                self.follow(held, job, &account, when, line).await
            }
            PushBody::Event(Event::Unsubscribe) => self.unfollow(held, job, &account, when).await,
            PushBody::Event(event) if erase::asked_by(&event).is_some() => {
                self.erase_job(held, job, &account).await
            }
            // A menu item that calls an agent opened a conversation, as a message does.
            PushBody::Event(event) if job.note.is_some() => {
                let words = convert::line(&event, account.language).unwrap_or_default();
                let action = opened_by(&event).unwrap_or(Action::Menu);
                let received_at = row.received_at;
                let taken = Taken {
                    kind: "act",
                    mark: None,
                    words,
                    carried: None,
                    source_key: None,
                    received_at,
                    when,
                    action,
                };
                self.take_message(held, job, &account, taken).await
            }
            PushBody::Event(event) => self.act(held, job, &account, event, when).await,
        }
    }

    async fn take_message(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        taken: Taken,
    ) -> Result<Step, Error> {
        let (clock, entropy) = (&self.inner.clock, &self.inner.entropy);
        let now = clock.now();
        let parts: Vec<(DeliveryId, String)> = taken
            .mark
            .as_deref()
            .into_iter()
            .chain(split(&taken.words, IM_TEXT_BYTES))
            .map(|part| (DeliveryId::new(clock, entropy), part.to_owned()))
            .collect();
        let message = MessageId::new(clock, entropy);
        if let Some(due) = self.take_plain(held, &job, account, &taken, &message, &parts).await? {
            faults::point("intake.after_commit");
            return Ok(Step::Next(relaying(job, &message, Along::Delivery(Box::new(due)))));
        }
        let file = MediaId::new(clock, entropy);
        // For what the customer did before the conversation.
        let before = DeliveryId::new(clock, entropy);
        let (lane, account, desk) = (held.lane.clone(), account.clone(), self.desk(account));
        let (known, passive) = (self.known(), self.is_passive(&account));
        let next = relaying(job.clone(), &message, Along::Nothing);
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut parts = parts;
                    let count = parts.len() as i64;
                    let begun = tx.begin_message(&lane.account, &lane.openid, count).await?;
                    if let Some(line) = begun.last_act {
                        parts.insert(0, (before, line));
                    }
                    known.act_after(tx, &lane, Some(begun.windows), taken.action, taken.when).await?;
                    let conversation = job.note.clone();
                    let agent = desk.agent_for(tx, &lane.openid, conversation.as_deref(), now).await?;
                    if let Some(conversation) = &conversation {
                        tx.wait_for_answer(conversation, taken.received_at).await?;
                    }
                    let ghost = ghost_for(tx, &account, &lane.openid, now).await?;
                    tx.insert_message(NewMessage {
                        id: &message,
                        account: &lane.account,
                        openid: &lane.openid,
                        direction: Direction::In,
                        kind: taken.kind,
                        conversation: conversation.as_deref(),
                        author: None,
                        source_key: taken.source_key.as_deref(),
                        said: None,
                        inbox: Some(&job.subject),
                        created_at: taken.received_at,
                    })
                    .await?;
                    for ((at, (id, body)), seq) in parts.iter().enumerate().zip(begun.first..) {
                        tx.insert_delivery(
                            id,
                            &message,
                            at as i64,
                            body,
                            &ghost,
                            &agent,
                            Some(seq),
                            None,
                            now,
                        )
                        .await?;
                    }
                    if let (Some(carried), Some((id, body))) = (taken.carried, parts.last()) {
                        let content = match carried {
                            Carried::Content(content) => content,
                            Carried::File(shape, source) => {
                                let source = serde_json::to_string(&source).unwrap_or_default();
                                let (of, openid) = (&lane.account, &lane.openid);
                                tx.want_media(file.as_str(), of, openid, id.as_str(), &source, now).await?;
                                Content::Wanted { media: file.as_str().to_owned(), shape }
                            }
                        };
                        tx.set_content(id.as_str(), Some(&content), body).await?;
                    }
                    tx.become_job(&lane, &job, "relay", message.as_str()).await?;
                    if !passive {
                        let (account, since) = (&lane.account, taken.received_at);
                        mailbox::enqueue_unpark(tx, account, &lane.openid, &job.subject, since).await?;
                    }
                    faults::point("intake.before_commit");
                    Ok(())
                })
            })
            .await?;
        faults::point("intake.after_commit");
        Ok(Step::Next(next))
    }

    /// The short way of most messages, many of them in one commit; `None` if there is more to this one.
    ///
    /// Where nobody waits for IM, the attempt begins with it, and the leave to call is fetched meanwhile. (A customer who
    /// turns out to be new lets that leave lapse; with a line before IM it would be missed, and is not fetched.)
    async fn take_plain(
        &self,
        held: &mut Held,
        job: &Job,
        account: &Account,
        taken: &Taken,
        message: &MessageId,
        parts: &[(DeliveryId, String)],
    ) -> Result<Option<Due>, Error> {
        let (Some(conversation), [(delivery, words)], None) = (&job.note, parts, &taken.carried) else {
            return Ok(None);
        };
        let pass = match self.inner.im_rate.is_idle("sendmsg") {
            true => self.may_call(Operation::im("sendmsg"), held, false, true).ok(),
            false => None,
        };
        let attempt = pass.as_ref().map(|_| AttemptId::new(&self.inner.clock, &self.inner.entropy));
        let (known, action, when) = (self.known(), taken.action, taken.when);
        let plain = PlainMessage {
            lane: held.lane.clone(),
            job: job.clone(),
            message: message.clone(),
            delivery: delivery.clone(),
            kind: taken.kind,
            conversation: conversation.clone(),
            words: words.clone(),
            source_key: taken.source_key.clone(),
            received_at: taken.received_at,
            now: self.inner.clock.now(),
            serving: self.desk(account).roster.serving(),
            windows: Arc::new(move |kept: &str| known.after(kept, action, when)),
            attempt,
        };
        let Some(pass) = pass else { return self.inner.store.take_in(plain).await };
        faults::point("relay.before_attempt");
        let both = Box::pin(async {
            tokio::join!(self.inner.store.take_in(plain), self.inner.im_rate.wait("sendmsg"))
        });
        let (due, turn) = held.renewing(self, both).await?;
        let due = due?;
        if due.as_ref().is_some_and(|due| due.begun) {
            held.ahead = Some(Ahead { pass, turn: turn? });
        }
        Ok(due)
    }

    /// A tap on a link of ours asks for what waits; nobody wrote it, so the agent does not see it.
    async fn take_tap(&self, held: &Held, job: Job, account: &Account, tap: Taken) -> Result<Step, Error> {
        let (lane, passive) = (held.lane.clone(), self.is_passive(account));
        let known = self.known();
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&lane.account, &lane.openid).await?;
                known.act(tx, &lane, tap.action, tap.when).await?;
                let more = tx.finish(&lane, &job).await?;
                if !passive {
                    let (account, openid) = (&lane.account, &lane.openid);
                    mailbox::enqueue_unpark(tx, account, openid, &job.subject, tap.received_at).await?;
                }
                Ok(more)
            })
        });
        let more = work.await?;
        self.wake();
        Ok(Step::after_finish(more))
    }

    /// `line`: by which QR code they followed, for whoever serves them first.
    async fn follow(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        when: When,
        line: Option<String>,
    ) -> Result<Step, Error> {
        let (now, known) = (self.inner.clock.now(), self.known());
        let (lane, account) = (held.lane.clone(), account.clone());
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.lock_customer(&lane.account, &lane.openid).await?;
                    known.act(tx, &lane, Action::Follow, when).await?;
                    if let Some(line) = line {
                        tx.set_last_act(&lane.account, &lane.openid, &line).await?;
                    }
                    let ghost = ghost_for(tx, &account, &lane.openid, now).await?;
                    tx.become_job(&lane, &job, "import", &ghost).await
                })
            })
            .await?;
        Ok(Step::Again)
    }

    /// Closes the conversation. The ghost is given up in the store before IM is asked to delete it.
    async fn unfollow(&self, held: &Held, job: Job, account: &Account, when: When) -> Result<Step, Error> {
        let (now, known) = (self.inner.clock.now(), self.known());
        let (lane, account) = (held.lane.clone(), account.clone());
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        faults::point("unfollow.before_retire");
        let more = self
            .inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.lock_customer(&lane.account, &lane.openid).await?;
                    known.act(tx, &lane, Action::Leave, when).await?;
                    let agent = tx.latest_agent(&lane.account, &lane.openid).await?;
                    let ghost = tx.ghost_of(&lane.account, &lane.openid).await?;
                    if let (OnUnsubscribe::Keep, Some(agent)) = (account.on_unsubscribe, agent) {
                        notice::enqueue(
                            tx,
                            &clock,
                            &entropy,
                            &account,
                            &lane.openid,
                            &agent,
                            Notice::CustomerLeft,
                        )
                        .await?;
                    }
                    // Without the chat there is nobody to tell: the rows keep what happened.
                    let told = Some(&account).filter(|of| of.on_unsubscribe == OnUnsubscribe::Keep);
                    for parked in tx.parked_messages(&lane.account, &lane.openid).await? {
                        let gone = Reason::Unsubscribed;
                        tend::fail_parked(tx, &clock, &entropy, told, &parked, gone).await?;
                    }
                    tx.close_conversations(&lane.account, &lane.openid, "unfollow", now).await?;
                    match (ghost, account.on_unsubscribe) {
                        (Some(ghost), OnUnsubscribe::Delete) => {
                            tx.set_ghost(&ghost.user_id, GhostState::Retired, now).await?;
                            tx.become_job(&lane, &job, "delete", &ghost.user_id).await?;
                            Ok(true)
                        }
                        _ => tx.finish(&lane, &job).await,
                    }
                })
            })
            .await?;
        faults::point("unfollow.after_retire");
        Ok(Step::after_finish(more))
    }
}

/// The job that follows: the message goes to the agent.
fn relaying(taken_in: Job, message: &MessageId, along: Along) -> Job {
    Job { kind: "relay".into(), subject: message.as_str().to_owned(), tries: 0, along, ..taken_in }
}

struct Taken {
    kind: &'static str,
    /// How late it is, where words cannot say so.
    mark: Option<String>,
    words: String,
    carried: Option<Carried>,
    source_key: Option<String>,
    received_at: Millis,
    when: When,
    action: Action,
}

/// The UserID of the customer's ghost, planned if there is none.
pub(crate) async fn ghost_for(
    tx: &mut Tx<'_>,
    account: &Account,
    openid: &str,
    now: Millis,
) -> Result<String, Error> {
    if let Some(ghost) = tx.ghost_of(&account.id, openid).await? {
        return Ok(ghost.user_id);
    }
    let customer = tx.customer(&account.id, openid).await?.ok_or(Error::Unknown("customer"))?;
    // Whoever was erased and is back must not get a UserID that was deleted.
    let retired = tx.retired_generation(&account.id, openid).await?;
    let generation = customer.generation.max(retired) + 1;
    let names = names(account, openid, generation);
    Ok(tx.plan_ghost(&account.id, openid, generation, &names, now).await?.user_id)
}

/// The UserIDs that a ghost may have, best first.
pub(crate) fn names(account: &Account, openid: &str, generation: i64) -> Vec<String> {
    let plain = desk::ghost::user_id(&account.id, openid, generation);
    let digest = desk::ghost::user_id_by_digest(&account.id, openid, generation);
    let is_agent = account.agents.iter().any(|agent| agent.eq_ignore_ascii_case(&plain));
    if is_agent { vec![digest] } else { vec![plain, digest] }
}
