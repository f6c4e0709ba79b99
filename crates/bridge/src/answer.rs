//! Job `answer`: an agent's message goes to the customer by `custom/send`.
//!
//! WeChat knows no key that makes a repeat harmless. The attempt is committed before the call; a call whose
//! end is unknown, or that was under way when its holder died, is *unsure* for good and the agent is told.

use crate::assign::NOT_SERVED;
use crate::breaker::Operation;
use crate::convert::{Told, wechat_answers, wechat_outcome};
use crate::mailbox::UNPARK;
use crate::media::Library;
use crate::media::wanted;
use crate::token::Trouble;
use crate::window::{Known, Learned};
use crate::worker::{Held, Step};
use crate::{Account, Bridge, notice, recall, window};
use desk::delivery::{Past, after_answer};
use desk::mailbox::Parked;
use desk::words::{Notice, excerpt};
use desk::{Clock, DeliveryState, Entropy, Millis, Next, Reason, Tried};
use secrecy::SecretString;
use std::time::Instant;
use store::{AttemptId, Delivery, Error, Job, Lane, Outcome, Tx, faults};
use wechat::Outgoing;

/// After so many milliseconds an agent is told that an answer waits for somebody to mend the set-up.
const TELL_AFTER: Millis = 600_000;

/// WeChat does not know the media_id: it has expired.
const MEDIA_EXPIRED: &str = "40007";

/// How a call of `custom/send` ended.
struct Called {
    told: Told,
    code: Option<i64>,
    answered: bool,
}

impl Bridge {
    pub(crate) async fn answer(&self, held: &mut Held, job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let parts = self.parts(&job).await?;
        // An agent's links may be good for a short time: all files of the message come first.
        if let Some((part, media)) = parts.iter().find_map(|part| Some((part, wanted(part)?))) {
            return self.fetch_for_wechat(held, job, &account, part, media).await;
        }
        let Some((delivery, cost)) = self.next_part(&job, parts).await? else {
            return self.finish(held, &job).await;
        };
        match delivery.state {
            DeliveryState::Waiting => self.send_answer(held, job, &account, &delivery, cost).await,
            // A part that could not go out from the start: it is its turn now, and the agent is told.
            DeliveryState::Failed => {
                let reason = delivery.reason.unwrap_or(Reason::Refused);
                self.conclude(held, job, &account, &delivery, Next::Failed(reason), "taken in").await
            }
            // Somebody died with this call under way.
            _ => self.conclude(held, job, &account, &delivery, Next::Unsure, "taken over").await,
        }
    }

    /// The parts of the message that a job is about, in their order.
    pub(crate) async fn parts(&self, job: &Job) -> Result<Vec<Delivery>, Error> {
        let message = job.subject.clone();
        self.inner.store.look_up(move |tx| Box::pin(async move { tx.deliveries(&message).await })).await
    }

    /// The part whose turn it is, and how many there are from it on. Of a message that waited in the mailbox it is what is
    /// still to be delivered, and what had failed before was told of then.
    pub(crate) async fn next_part(
        &self,
        job: &Job,
        parts: Vec<Delivery>,
    ) -> Result<Option<(Delivery, u32)>, Error> {
        let waited = job.kind == UNPARK;
        let mut unsent: Vec<Delivery> = parts
            .into_iter()
            .filter(|part| match part.state {
                DeliveryState::Sent | DeliveryState::Parked => false,
                state => !(waited && state.is_final()),
            })
            .collect();
        if unsent.is_empty() {
            return Ok(None);
        }
        let cost = u32::try_from(unsent.len()).unwrap_or(u32::MAX);
        let mut next = unsent.swap_remove(0);
        // What carries a file goes as that, or with the words that it had.
        if waited && next.content.is_none() {
            let id = next.id.clone();
            let words =
                self.inner.store.look_up(move |tx| Box::pin(async move { tx.parked_words(&id).await }));
            if let Some(words) = words.await? {
                next.body = words;
            }
        }
        Ok(Some((next, cost)))
    }

    async fn send_answer(
        &self,
        held: &mut Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        cost: u32,
    ) -> Result<Step, Error> {
        let (message, app) = (job.subject.clone(), self.inner.im.sdk_app_id());
        let standing = self.inner.store.look_up(move |tx| {
            Box::pin(async move {
                let Some(standing) = tx.answer_standing(&message).await? else { return Ok(None) };
                let recalled = recall::is_recalled(tx, app, &standing.keys).await?;
                Ok(Some((standing, recalled)))
            })
        });
        let (standing, recalled) = standing.await?.ok_or(Error::Unknown("message"))?;
        if delivery.changed_at < standing.restored_at {
            // It waited in a backup that was restored since; it may have gone out after the backup was made.
            return self.conclude(held, job, account, delivery, Next::Unsure, "restored").await;
        }
        if standing.unsubscribed {
            return self
                .conclude(held, job, account, delivery, Next::Failed(Reason::Unsubscribed), "unfollowed")
                .await;
        }
        if recalled {
            return self
                .conclude(held, job, account, delivery, Next::Failed(Reason::Recalled), "recalled")
                .await;
        }
        let patient = self.is_patient(&job);
        self.inner.pauses.refresh(&account.id).await?;
        if !patient && self.inner.pauses.why(&account.id).is_none() {
            // Its account was not served for long: nobody waits for this any more.
            let next = Next::Failed(Reason::Unreachable);
            return self.conclude(held, job, account, delivery, next, "out of patience").await;
        }
        if let Some(why) = self.must_wait(&job, account, standing.older).await? {
            return self.park(held, job, account, delivery, why).await;
        }
        // What rested for longer than its patience is tried once more when the rest is over.
        if let Some((left, why)) = self.inner.pauses.left_over(&account.id, self.inner.clock.now()).await? {
            if !patient {
                return self
                    .conclude(held, job, account, delivery, Next::Failed(why), "out of patience")
                    .await;
            }
            return self.rest(held, job, account, delivery, left, why).await;
        }
        // Where what does not fit may wait, the parts that do go out.
        if !account.park && self.is_too_much(held, account, cost).await? {
            let next = Next::Failed(Reason::TooFewLeft);
            return self.conclude(held, job, account, delivery, next, "more than is left").await;
        }
        let send = Operation::wechat(&account.id, "custom/send");
        let pass = match self.may_call(send, held, delivery.tries > 0, patient) {
            Ok(pass) => pass,
            Err(refusal) => return self.hold_off(held, &refusal).await,
        };
        let token = match self.inner.tokens.current(account).await {
            Ok(token) => token,
            Err(trouble) => return self.no_token(held, job, account, delivery, &trouble).await,
        };
        let outgoing = match self.outgoing(held, account, delivery, &token).await? {
            Ok(outgoing) => outgoing,
            Err(trouble) if self.learn_permission(account, &trouble.detail, false).await? => {
                return self.park(held, job, account, delivery, Parked::Passive).await;
            }
            Err(trouble) => return self.no_token(held, job, account, delivery, &trouble).await,
        };
        if let (true, Err(refusal)) = (patient, pass.check()) {
            return self.hold_off(held, &refusal).await;
        }
        held.before_call(self).await?;
        faults::point("answer.before_attempt");
        let attempt = AttemptId::new(&self.inner.clock, &self.inner.entropy);
        let now = self.inner.clock.now();
        self.inner.store.begin_attempt(&held.lane, attempt, &delivery.id, now).await?;
        let delivery = &Delivery { state: DeliveryState::Sending, ..delivery.clone() };
        held.before_call(self).await?;
        let (told, answered) = self.call(held, account, delivery, &outgoing, token).await?;
        if told.tried == Tried::NotSent {
            self.inner.breakers.remember(pass.operation(), &held.lane.id);
        }
        pass.end(answered);
        if self.learn_permission(account, &told.detail, told.tried == Tried::Done).await? {
            return self.park(held, job, account, delivery, Parked::Passive).await;
        }
        self.learn(account, told.tried).await;
        let mut past = self.answer_past(&job, delivery);
        if told.tried == Tried::Busy {
            // Only what WeChat itself answered counts here, not what never reached it.
            past.tries = self.answered_before(delivery, &told.detail).await? + 1;
        }
        let mut next = after_answer(told.tried, past);
        if told.detail == MEDIA_EXPIRED && self.answered_before(delivery, MEDIA_EXPIRED).await? == 0 {
            // Refused, so nothing was sent: our copy goes up again, and the message with it.
            self.forget_uploads(held, &job, delivery).await?;
            next = Next::RetryIn(0);
        }
        let next = if account.park { next.parking() } else { next };
        let step = self.conclude(held, job, account, delivery, next, &told.detail).await?;
        faults::point("answer.after_outcome");
        Ok(step)
    }

    /// The call; if WeChat refuses the token, once more with another.
    async fn call(
        &self,
        held: &mut Held,
        account: &Account,
        delivery: &Delivery,
        outgoing: &Outgoing,
        token: SecretString,
    ) -> Result<(Told, bool), Error> {
        let Called { told, code, answered } =
            self.call_once(held, account, delivery, outgoing, &token).await?;
        let refused = matches!(code, Some(code) if wechat::verdict(code) == wechat::Verdict::Token);
        if !refused {
            return Ok((told, answered));
        }
        match self.inner.tokens.instead_of(account, &token).await {
            Ok(token) => {
                held.before_call(self).await?;
                let Called { told, code, answered } =
                    self.call_once(held, account, delivery, outgoing, &token).await?;
                if matches!(code, Some(code) if wechat::verdict(code) == wechat::Verdict::Token) {
                    metrics::counter!("tsunagi_alarms_total", "what" => "token_contested").increment(1);
                    tracing::error!(
                        account = account.id,
                        code,
                        "WeChat refuses a fresh access token: something else replaces this account's tokens by force (an old tool, a second deployment), or app_id and app_secret are another account's"
                    );
                }
                Ok((told, answered))
            }
            Err(trouble) => Ok((Told { tried: trouble.tried, detail: trouble.detail }, true)),
        }
    }

    async fn call_once(
        &self,
        held: &Held,
        account: &Account,
        delivery: &Delivery,
        outgoing: &Outgoing,
        token: &SecretString,
    ) -> Result<Called, Error> {
        faults::point("answer.before_call");
        let started = Instant::now();
        let call = account.client.send(token, &delivery.recipient, outgoing);
        let result = held.while_ours(call).await?;
        faults::point("answer.after_call");
        let told = wechat_outcome(&result);
        self.observe(&account.id, "custom/send", &told, started);
        let code = match &result {
            Err(wechat::CallError::Refused(errcode)) => Some(errcode.code),
            _ => None,
        };
        Ok(Called { told, code, answered: wechat_answers(&result) })
    }

    async fn no_token(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        trouble: &Trouble,
    ) -> Result<Step, Error> {
        if let (Some(refusal), true) = (&trouble.held, self.is_patient(&job)) {
            return self.hold_off(held, refusal).await;
        }
        self.learn(account, trouble.tried).await;
        if trouble.tried == Tried::NotSent {
            // With the next token it need not wait for longer than the others.
            self.inner.breakers.remember(&Operation::wechat(&account.id, "token"), &held.lane.id);
        }
        // Counted by the job's own tries: no attempt is open.
        let past = Past {
            tries: u32::try_from(job.tries).unwrap_or(u32::MAX).saturating_add(1),
            ..self.answer_past(&job, delivery)
        };
        match after_answer(trouble.tried, past) {
            Next::RetryIn(delay) => self.put_off(held, &job, delay).await,
            next => self.conclude(held, job, account, delivery, next, &trouble.detail).await,
        }
    }

    /// Keeps what a call's end says of the account as a whole; an alarm when its calls begin to rest.
    async fn learn(&self, account: &Account, tried: Tried) {
        let (now, dice) = (self.inner.clock.now(), self.inner.entropy.u32());
        let begun = self.inner.pauses.learn_for_all(&account.id, tried, now, dice).await;
        if let Some(why) = begun {
            let reason = why.as_str();
            metrics::counter!("tsunagi_alarms_total", "what" => "account_paused").increment(1);
            tracing::error!(account = account.id, reason, "calls to WeChat rest for a while");
        }
    }

    /// The account's calls rest. An agent whose answer has waited for long is told once.
    async fn rest(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        left: Millis,
        why: Reason,
    ) -> Result<Step, Error> {
        let waited = self.inner.clock.now() - job.since;
        if waited < TELL_AFTER || job.note.is_some() {
            return self.put_off(held, &job, left).await;
        }
        let (lane, account) = (held.lane.clone(), account.clone());
        let (clock, entropy) = (self.inner.clock.clone(), self.inner.entropy.clone());
        let words = excerpt(&delivery.body);
        let work = self.inner.store.write(move |tx| {
            Box::pin(async move {
                let author = tx.message(&job.subject).await?.and_then(|message| message.author);
                if let Some(author) = author {
                    let told = Notice::Delayed { excerpt: &words, reason: why };
                    notice::enqueue(tx, &clock, &entropy, &account, &lane.openid, &author, told).await?;
                }
                tx.note_job(&lane, &job, "told of the delay").await?;
                tx.put_off(&lane, &job, left).await
            })
        });
        work.await?;
        self.wake();
        Ok(Step::Released)
    }

    /// Whether it is still worth waiting.
    fn is_patient(&self, job: &Job) -> bool {
        self.inner.clock.now() - job.since <= self.inner.patience.answer
    }

    fn answer_past(&self, job: &Job, delivery: &Delivery) -> Past {
        Past {
            tries: delivery.tries + 1,
            waited: self.inner.clock.now() - job.since,
            patience: self.inner.patience.answer,
            dice: self.inner.entropy.u32(),
        }
    }

    /// How many earlier attempts WeChat answered with this code.
    async fn answered_before(&self, delivery: &Delivery, code: &str) -> Result<u32, Error> {
        let (id, code) = (delivery.id.clone(), code.to_owned());
        self.inner.store.look_up(move |tx| Box::pin(async move { tx.attempts_with(&id, &code).await })).await
    }

    /// Commits how a try ended and what follows from it; the agent is told of failed and unsure in the same
    /// transaction.
    pub(crate) async fn conclude(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        delivery: &Delivery,
        next: Next,
        detail: &str,
    ) -> Result<Step, Error> {
        let (state, reason, delay) = match next {
            Next::Sent => (DeliveryState::Sent, None, None),
            Next::RetryIn(delay) => (DeliveryState::Waiting, None, Some(delay)),
            Next::Failed(reason) => (DeliveryState::Failed, Some(reason), None),
            Next::Park(why) => (DeliveryState::Parked, why.reason(), None),
            Next::Unsure | Next::CheckIn(_) => (DeliveryState::Unsure, None, None),
        };
        self.count(account, &held.lane, delivery, state, reason, detail);
        let message = job.subject.clone();
        let conclusion = Conclusion {
            lane: held.lane.clone(),
            job,
            account: account.clone(),
            delivery: delivery.clone(),
            state,
            reason,
            delay,
            parked: if let Next::Park(why) = next { Some(why) } else { None },
            detail: detail.to_owned(),
            clock: self.inner.clock.clone(),
            entropy: self.inner.entropy.clone(),
            known: self.known(),
            library: self.inner.library.clone(),
        };
        let step = self.keep(held, conclusion, |tx, conclusion| Box::pin(conclusion.commit(tx))).await;
        if state == DeliveryState::Sent {
            self.was_handed_over(&account.id, &held.lane.openid, &message);
        }
        step.inspect(|_| self.wake())
    }
}

/// How a try ended and what follows from it.
#[derive(Clone)]
pub(crate) struct Conclusion {
    pub(crate) lane: Lane,
    pub(crate) job: Job,
    pub(crate) account: Account,
    delivery: Delivery,
    state: DeliveryState,
    reason: Option<Reason>,
    delay: Option<Millis>,
    parked: Option<Parked>,
    detail: String,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    known: Known,
    pub(crate) library: Library,
}

impl Conclusion {
    async fn commit(self, tx: &mut Tx<'_>) -> Result<Step, Error> {
        let Conclusion { lane, job, account, delivery, state, reason, detail, clock, entropy, known, .. } =
            &self;
        let (state, reason) = (*state, *reason);
        let Some(unsent) = tx.still_open(lane, job, &delivery.id, delivery.state).await? else {
            // Kept already; or taken over, and then the lane's next statement says so.
            return Ok(Step::Again);
        };
        let now = clock.now();
        let began = tx.attempt_began(&delivery.id).await?;
        tx.lock_customer(&lane.account, &lane.openid).await?;
        let left = match (began, Learned::from_call(state, detail)) {
            (Some(began), Some(learned)) => Some(known.learn(tx, lane, (began, now), learned).await?),
            _ => None,
        };
        let excerpt = &excerpt(&delivery.body);
        let told = match (state, reason) {
            (DeliveryState::Failed, Some(Reason::UnsupportedKind)) => Some(Notice::UnsupportedKind),
            (DeliveryState::Failed, reason) => {
                Some(Notice::Failed { excerpt, reason: reason.unwrap_or(Reason::Refused) })
            }
            (DeliveryState::Unsure, _) => Some(Notice::Unsure { excerpt }),
            (DeliveryState::Sent, _) if unsent <= 1 => left.and_then(|left| window::last_ones(left, now)),
            _ => None,
        };
        let author = tx.message(&job.subject).await?.and_then(|message| message.author);
        if let (Some(told), Some(author)) = (told, author) {
            notice::enqueue(tx, clock, entropy, account, &lane.openid, &author, told).await?;
        }
        let outcome = Outcome { state, reason, detail, msg_key: None };
        if let Some(why) = self.parked {
            tx.end_attempt(&delivery.id, outcome, now).await?;
            return self.park(tx, why).await;
        }
        tx.fence(lane).await?;
        tx.end_attempt(&delivery.id, outcome, now).await?;
        match (self.delay, state) {
            (Some(delay), _) => {
                tx.put_off(lane, job, delay).await?;
                Ok(Step::Released)
            }
            (None, DeliveryState::Sent) if unsent > 1 => Ok(Step::Again),
            (None, DeliveryState::Sent) => self.done(tx, true).await,
            (None, _) => {
                tx.fail_rest(&job.subject, now).await?;
                self.done(tx, false).await
            }
        }
    }
}
