//! Job `relay`: a customer's message, or a notice of ours, goes to the agent's IM client.
//!
//! `sendmsg` has no key that makes a repeat harmless beyond one second, so a call without a clear end is
//! looked up in IM's history before it is repeated, with the same MsgSeq and MsgRandom.

use crate::assign::NOT_SERVED;
use crate::breaker::{Operation, Pass, Refusal};
use crate::convert::{Told, element, im_answers, im_outcome};
use crate::ghosts::Imported;
use crate::limiter::Turn;
use crate::media::wanted;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, trace};
use desk::delivery::{IM_BACKEND_TIMEOUT_MS, Past, after_relay};
use desk::ghost::Replies;
use desk::{DeliveryState, Millis, Next, Reason, Tried};
use std::time::Instant;
use store::{Along, AttemptId, Delivered, Delivery, Due, Error, GhostState, Job, Lane, Outcome, Tx, faults};

/// How far IM's clock and ours may be apart, in seconds.
const HISTORY_GRACE_S: i64 = 60;

/// Leave to make a call whose attempt has begun.
pub(crate) struct Ahead {
    pub(crate) pass: Pass,
    pub(crate) turn: Turn,
}

impl Bridge {
    pub(crate) async fn relay(&self, held: &mut Held, mut job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let due = match std::mem::take(&mut job.along) {
            Along::Delivery(due) => Some(*due),
            _ => self.due(held, &job).await?,
        };
        let Some(Due { delivery, ghost, restored_at, windows, .. }) = due else {
            return self.finish(held, &job).await;
        };
        if let Some(ahead) = held.ahead.take() {
            return self.send(held, job, &account, &delivery, windows, Some(ahead)).await;
        }
        if let Some(media) = wanted(&delivery) {
            return self.fetch_for_agent(held, job, &account, &delivery, media).await;
        }
        match delivery.state {
            // Somebody died with this call under way: give IM the time to finish it, then look.
            DeliveryState::Sending => {
                let told = Told { tried: Tried::Unclear, detail: "taken over".into() };
                self.settle(held, job, &account, &delivery, Next::CheckIn(IM_BACKEND_TIMEOUT_MS), &told, None)
                    .await
            }
            DeliveryState::Checking => self.check(held, job, &account, &delivery, windows).await,
            _ if !self.desk(&account).roster.serves(&delivery.recipient) => {
                self.redirect(held, job, &account, &delivery).await
            }
            // It waited in a backup that was restored since: perhaps it went out after the backup was made.
            _ if ghost == Some(GhostState::Living) && delivery.changed_at < restored_at => {
                self.check(held, job, &account, &delivery, windows).await
            }
            _ if ghost == Some(GhostState::Living) => {
                self.send(held, job, &account, &delivery, windows, None).await
            }
            _ if ghost == Some(GhostState::Planned) => {
                self.import_first(held, job, &account, &delivery).await
            }
            _ => self.without_ghost(held, job, &account, &delivery).await,
        }
    }

    /// The first part that is not at its end yet, and what decides about it.
    async fn due(&self, held: &Held, job: &Job) -> Result<Option<Due>, Error> {
        let (message, account, openid) =
            (job.subject.clone(), held.lane.account.clone(), held.lane.openid.clone());
        let due = self.inner.store.look_up(move |tx| {
            Box::pin(async move {
                let parts = tx.deliveries(&message).await?;
                let Some(delivery) = parts.into_iter().find(|part| !part.state.is_final()) else {
                    return Ok(None);
                };
                let (ghost, restored_at) = tx.sender(&delivery.sender).await?;
                let windows = tx.windows(&account, &openid).await?;
                Ok(Some(Due { delivery, begun: false, ghost, restored_at, windows }))
            })
        });
        due.await
    }

    /// The customer left after this was put on the lane, and a retired ghost is never used again: its successor
    /// says it, or nobody.
    async fn without_ghost(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
    ) -> Result<Step, Error> {
        let (id, openid) = (account.id.clone(), held.lane.openid.clone());
        let successor = self
            .inner
            .store
            .look_up(move |tx| Box::pin(async move { tx.ghost_of(&id, &openid).await }))
            .await?;
        match successor {
            Some(ghost) => self.hand_over(held, &job, ghost.user_id).await,
            None => {
                let told = Told { tried: Tried::Never(Reason::Unsubscribed), detail: "no ghost".into() };
                let next = Next::Failed(Reason::Unsubscribed);
                self.settle(held, job, account, delivery, next, &told, None).await
            }
        }
    }

    /// The agent does not serve any more: whoever has the conversation now gets what is left of the message.
    async fn redirect(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
    ) -> Result<Step, Error> {
        let (lane, message, now) = (held.lane.clone(), job.subject.clone(), self.inner.clock.now());
        let (desk, from) = (self.desk(account), delivery.recipient.clone());
        let moved = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.lock_customer(&lane.account, &lane.openid).await?;
                let conversation = tx.message(&message).await?.and_then(|message| message.conversation);
                let to = desk.agent_for(tx, &lane.openid, conversation.as_deref(), now).await?;
                tx.change_recipient(&message, &to).await?;
                tx.fence(&lane).await?;
                Ok(to != from)
            })
        });
        if moved.await? {
            return Ok(Step::Again);
        }
        // Nobody serves: whoever comes first gets it.
        if self.out_of_patience(&job, delivery) {
            let told = Told { tried: Tried::Setup(Reason::Setup), detail: "no agent".into() };
            return self.settle(held, job, account, delivery, Next::Failed(Reason::Setup), &told, None).await;
        }
        self.put_off(held, &job, self.pause(job.tries)).await
    }

    /// Lets another ghost send what is left of the message.
    async fn hand_over(&self, held: &Held, job: &Job, other: String) -> Result<Step, Error> {
        let (lane, message) = (held.lane.clone(), job.subject.clone());
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.fence(&lane).await?;
                    tx.change_sender(&message, &other).await
                })
            })
            .await?;
        Ok(Step::Again)
    }

    /// The ghost has to exist before it can write.
    async fn import_first(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
    ) -> Result<Step, Error> {
        let patient = !self.out_of_patience(&job, delivery);
        match self.import(held, account, &delivery.sender, job.tries > 0, patient).await? {
            Imported::Living => Ok(Step::Again),
            Imported::Renamed(other) => self.hand_over(held, &job, other).await,
            Imported::NotYet(told) if self.out_of_patience(&job, delivery) => {
                let reason = match told.tried {
                    Tried::Setup(reason) | Tried::Never(reason) => reason,
                    _ => Reason::Unreachable,
                };
                self.settle(held, job, account, delivery, Next::Failed(reason), &told, None).await
            }
            Imported::NotYet(_) => self.put_off(held, &job, self.pause(job.tries)).await,
            Imported::Held(refusal) => self.hold_off(held, &refusal).await,
        }
    }

    /// `windows` is what is kept of the customer's reply windows: the agent's client shows what is left of them.
    async fn send(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        windows: Option<String>,
        ahead: Option<Ahead>,
    ) -> Result<Step, Error> {
        let replies = match self.is_passive(account) {
            true => Replies::Passive,
            false => windows.map_or(Replies::Unknown, |kept| {
                Replies::Open(self.known().open(Some(kept), self.inner.clock.now()))
            }),
        };
        let Ahead { pass, turn } = match ahead {
            Some(ahead) => ahead,
            None => match self.begin(held, &job, delivery).await? {
                Ok(begun) => begun,
                Err(refusal) => return self.hold_off(held, &refusal).await,
            },
        };
        let delivery = &Delivery { state: DeliveryState::Sending, ..delivery.clone() };
        if turn.is_over() {
            let _ = held.renewing(self, self.inner.im_rate.wait("sendmsg")).await??;
        }
        held.before_call(self).await?;
        faults::point("relay.before_call");
        let started = Instant::now();
        let request =
            self.request(delivery).with_cloud_custom_data(desk::ghost::mark(&delivery.id, &replies));
        let call = self.inner.im.send_msg(&request, self.inner.entropy.u32(), self.inner.clock.now_s());
        let result = held.while_ours(call).await?;
        faults::point("relay.after_call");
        let told = im_outcome(&result);
        if told.tried == Tried::NotSent {
            self.inner.breakers.remember(pass.operation(), &held.lane.id);
        }
        pass.end(im_answers(&result));
        self.observe(&account.id, "sendmsg", &told, started);
        if told.tried == Tried::Missing {
            self.repair(held, delivery).await?;
        }
        let next = after_relay(told.tried, self.past(&job, delivery));
        let msg_key = result.ok().map(|sent| sent.msg_key);
        let step = self.settle(held, job, account, delivery, next, &told, msg_key.as_deref()).await?;
        faults::point("relay.after_outcome");
        Ok(step)
    }

    /// Begins an attempt, when there is leave to make its call.
    async fn begin(
        &self,
        held: &mut Held,
        job: &Job,
        delivery: &Delivery,
    ) -> Result<Result<Ahead, Refusal>, Error> {
        let (retry, patient) = (delivery.tries > 0, !self.out_of_patience(job, delivery));
        let pass = match self.may_call(Operation::im("sendmsg"), held, retry, patient) {
            Ok(pass) => pass,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let turn = held.renewing(self, self.inner.im_rate.wait("sendmsg")).await??;
        // Those before it in the line may have learned that nobody answers.
        if let (true, Err(refusal)) = (patient, pass.check()) {
            return Ok(Err(refusal));
        }
        held.before_call(self).await?;
        faults::point("relay.before_attempt");
        let attempt = AttemptId::new(&self.inner.clock, &self.inner.entropy);
        let now = self.inner.clock.now();
        self.inner.store.begin_attempt(&held.lane, attempt, &delivery.id, now).await?;
        Ok(Ok(Ahead { pass, turn }))
    }

    /// Looks for the message in the agent's history.
    async fn check(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        windows: Option<String>,
    ) -> Result<Step, Error> {
        let patient = !self.out_of_patience(&job, delivery);
        let pass = match self.may_call(Operation::im("admin_getroammsg"), held, false, patient) {
            Ok(pass) => pass,
            Err(refusal) => return self.hold_off(held, &refusal).await,
        };
        let started = Instant::now();
        let found = self.find_in_history(held, delivery, job.since).await?;
        pass.end(im_answers(&found));
        let told = im_outcome(&found);
        self.observe(&account.id, "admin_getroammsg", &told, started);
        match found {
            Ok(Some(msg_key)) => {
                let told = Told { tried: Tried::Done, detail: "found in history".into() };
                self.settle(held, job, account, delivery, Next::Sent, &told, Some(&msg_key)).await
            }
            // The history is the proof that it was not sent; without an end of patience a call that never
            // ends clearly would hold the lane for ever.
            Ok(None) if self.out_of_patience(&job, delivery) => {
                let told = Told { tried: Tried::NotSent, detail: "not in the history".into() };
                let next = Next::Failed(Reason::Unreachable);
                self.settle(held, job, account, delivery, next, &told, None).await
            }
            Ok(None) => self.send(held, job, account, delivery, windows, None).await,
            Err(_) if self.out_of_patience(&job, delivery) => {
                self.settle(held, job, account, delivery, Next::Unsure, &told, None).await
            }
            Err(_) => self.put_off(held, &job, self.pause(job.tries)).await,
        }
    }

    async fn find_in_history(
        &self,
        held: &mut Held,
        delivery: &Delivery,
        since: Millis,
    ) -> Result<Result<Option<String>, im::CallError>, Error> {
        let (now_s, first) = (self.inner.clock.now_s(), delivery.first_try_at.unwrap_or(since));
        let request = self.request(delivery);
        let mut query = im::HistoryQuery {
            operator: delivery.recipient.clone(),
            peer: delivery.sender.clone(),
            max_count: 100,
            // IM's clock and ours differ, and what is not found is sent again; MsgSeq and MsgRandom tell ours.
            min_time: first.div_euclid(1000) - HISTORY_GRACE_S,
            max_time: now_s + HISTORY_GRACE_S,
            last_msg_key: None,
        };
        // A page holds about 13 KB; a bound keeps a server that never says `Complete` from holding the lane.
        for _ in 0..100 {
            let _ = held.renewing(self, self.inner.im_rate.wait("admin_getroammsg")).await??;
            held.before_call(self).await?;
            let page = match self.inner.im.history(&query, self.inner.entropy.u32(), now_s).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let ours = page.messages.iter().find(|message| {
                message.from == delivery.sender
                    && Some(message.msg_seq) == request.msg_seq
                    && message.msg_random == request.msg_random
            });
            if let Some(message) = ours {
                return Ok(Ok(Some(message.msg_key.clone())));
            }
            match page.next(&query) {
                Some(next) => query = next,
                None => return Ok(Ok(None)),
            }
        }
        // There is more that was not looked at: nothing is proven.
        Ok(Err(im::CallError::Unclear(im::Fault::Unreadable)))
    }

    /// The same request at every try.
    fn request(&self, delivery: &Delivery) -> im::SendMsg {
        let seq = delivery.msg_seq.unwrap_or_default();
        let random = desk::ghost::msg_random(self.inner.store.id(), &delivery.sender, seq);
        let content = delivery.content.as_ref();
        let element =
            content.and_then(|content| element(content, |id, name| self.inner.library.link(id, name)));
        let element = element.unwrap_or_else(|| im::Element::text(self.as_words(delivery)));
        im::SendMsg::new(&delivery.sender, &delivery.recipient, seq, random, vec![element])
    }

    /// IM says that one of the two accounts is missing: import both again. A retired ghost stays retired.
    async fn repair(&self, held: &mut Held, delivery: &Delivery) -> Result<(), Error> {
        self.make_agent(&delivery.recipient).await;
        let (lane, sender, now) = (held.lane.clone(), delivery.sender.clone(), self.inner.clock.now());
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.fence(&lane).await?;
                    match tx.ghost(&sender).await? {
                        Some(ghost) if ghost.state == GhostState::Living => {
                            tx.set_ghost(&sender, GhostState::Planned, now).await
                        }
                        _ => Ok(()),
                    }
                })
            })
            .await?;
        held.before_call(self).await
    }

    /// Milliseconds since the first try; before it, since the message came.
    fn waited(&self, job: &Job, delivery: &Delivery) -> Millis {
        self.inner.clock.now() - delivery.first_try_at.unwrap_or(job.since)
    }

    fn out_of_patience(&self, job: &Job, delivery: &Delivery) -> bool {
        self.waited(job, delivery) > self.inner.patience.relay
    }

    fn past(&self, job: &Job, delivery: &Delivery) -> Past {
        Past {
            tries: delivery.tries + 1,
            waited: self.waited(job, delivery),
            patience: self.inner.patience.relay,
            dice: self.inner.entropy.u32(),
        }
    }

    /// Commits how a try ended and what follows from it.
    #[expect(clippy::too_many_arguments, reason = "the whole of one try")]
    async fn settle(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        next: Next,
        told: &Told,
        msg_key: Option<&str>,
    ) -> Result<Step, Error> {
        let (state, reason, delay) = match next {
            Next::Sent => (DeliveryState::Sent, None, None),
            Next::RetryIn(delay) => (DeliveryState::Waiting, None, Some(delay)),
            Next::CheckIn(delay) => (DeliveryState::Checking, None, Some(delay)),
            Next::Failed(reason) => (DeliveryState::Failed, Some(reason), None),
            // Nothing waits for a customer on its way to an agent.
            Next::Unsure | Next::Park(_) => (DeliveryState::Unsure, None, None),
        };
        self.count(account, &held.lane, delivery, state, reason, &told.detail);
        let now = self.inner.clock.now();
        if state == DeliveryState::Sent {
            let ended = Delivered {
                lane: held.lane.clone(),
                job: job.clone(),
                delivery: delivery.id.clone(),
                was: delivery.state,
                detail: told.detail.clone(),
                msg_key: msg_key.map(str::to_owned),
                now,
            };
            // Where that says nothing, or fails, the long way finds out why, and tries for longer.
            if let Ok(Some(left)) = self.inner.store.delivered(ended).await {
                return Ok(Step::after_finish(left > 0));
            }
        }
        let settlement = Settlement {
            lane: held.lane.clone(),
            job,
            delivery: (delivery.id.clone(), delivery.state),
            state,
            reason,
            delay,
            detail: told.detail.clone(),
            msg_key: msg_key.map(str::to_owned),
            now,
        };
        self.keep(held, settlement, |tx, settlement| Box::pin(settlement.commit(tx))).await
    }

    /// Logs and counts where a delivery stands after a try, without a word of it.
    pub(crate) fn count(
        &self,
        account: &Account,
        lane: &store::Lane,
        delivery: &Delivery,
        state: DeliveryState,
        reason: Option<Reason>,
        detail: &str,
    ) {
        let (direction, state_word) = (lane.direction.as_str(), state.as_str());
        let reason = reason.map_or("", Reason::as_str);
        if state == DeliveryState::Sent {
            tracing::info!(account = account.id, direction, delivery = delivery.id, "delivered");
        } else if state == DeliveryState::Parked {
            tracing::info!(
                account = account.id,
                delivery = delivery.id,
                detail,
                "kept for the customer's next message"
            );
        } else {
            tracing::warn!(
                account = account.id,
                direction,
                delivery = delivery.id,
                state = state_word,
                reason,
                detail,
                "not delivered"
            );
        }
        trace::outcome(&delivery.id, state_word, reason, detail);
        if state.is_final() {
            if let Some(since) = trace::since() {
                let waited = (self.inner.clock.now() - since).max(0) as f64 / 1000.0;
                metrics::histogram!("tsunagi_message_seconds", "account" => account.id.clone(), "direction" => direction)
                    .record(waited);
            }
            metrics::counter!("tsunagi_deliveries_total", "account" => account.id.clone(),
                "direction" => direction, "state" => state_word, "reason" => reason)
            .increment(1);
        }
    }
}

/// How a try ended and what follows from it.
#[derive(Clone)]
struct Settlement {
    lane: Lane,
    job: Job,
    delivery: (String, DeliveryState),
    state: DeliveryState,
    reason: Option<Reason>,
    delay: Option<Millis>,
    detail: String,
    msg_key: Option<String>,
    now: Millis,
}

impl Settlement {
    async fn commit(self, tx: &mut Tx<'_>) -> Result<Step, Error> {
        let Settlement { lane, job, delivery: (id, was), state, reason, delay, detail, msg_key, now } = self;
        tx.fence(&lane).await?;
        let Some(unsent) = tx.still_open(&lane, &job, &id, was).await? else {
            // An earlier try of this commit was kept.
            return Ok(Step::Again);
        };
        let outcome = Outcome { state, reason, detail: &detail, msg_key: msg_key.as_deref() };
        tx.end_attempt(&id, outcome, now).await?;
        match (delay, state) {
            (Some(delay), _) => {
                tx.put_off(&lane, &job, delay).await?;
                Ok(Step::Released)
            }
            (None, DeliveryState::Sent) if unsent > 1 => Ok(Step::Again),
            (None, state) => {
                if state != DeliveryState::Sent {
                    tx.fail_rest(&job.subject, now).await?;
                }
                Ok(Step::after_finish(tx.finish(&lane, &job).await?))
            }
        }
    }
}
