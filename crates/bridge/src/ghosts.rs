//! The customer's IM account: jobs `import` and `delete`, and the import on first use.

use crate::assign::NOT_SERVED;
use crate::breaker::{Operation, Refusal};
use crate::convert::{Told, im_answers, im_outcome};
use crate::intake::ghost_for;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, trace};
use desk::delivery::{Past, backoff};
use desk::{Millis, Tried};
use std::time::Instant;
use store::{Error, GhostState, Job, faults};

/// The deletion of accounts is not enabled in the console.
const DELETION_NOT_ENABLED: i64 = 71000;
/// The edition's accounts are used up.
const NO_ROOM: i64 = 70398;
/// A deleted account cannot be imported again for three months.
const DELETED_RECENTLY: i64 = 70399;

/// How long a deletion may hold the customer's lane, in milliseconds. Who comes back gets a new UserID anyway and is
/// not to wait for it.
const DELETION_PATIENCE: Millis = 180_000;

/// What became of an import.
pub(crate) enum Imported {
    /// The ghost lives.
    Living,
    /// This UserID cannot be had; the customer's ghost has the given one now.
    Renamed(String),
    /// Not yet.
    NotYet(Told),
    /// IM does not answer: it was not tried.
    Held(Refusal),
}

impl Bridge {
    /// Job `import`: a customer followed.
    pub(crate) async fn import_ghost(&self, held: &mut Held, job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let user_id = job.subject.clone();
        let ghost =
            self.inner.store.read(move |tx| Box::pin(async move { tx.ghost(&user_id).await })).await?;
        if ghost.is_none_or(|ghost| ghost.state != GhostState::Planned) {
            return self.finish(held, &job).await;
        }
        let patient = self.inner.clock.now() - job.since <= self.inner.patience.relay;
        match self.import(held, &account, &job.subject, job.tries > 0, patient).await? {
            Imported::Held(refusal) => self.hold_off(held, &refusal).await,
            Imported::Living => self.finish(held, &job).await,
            Imported::Renamed(other) => {
                let lane = held.lane.clone();
                self.inner
                    .store
                    .write(move |tx| {
                        Box::pin(async move { tx.become_job(&lane, &job, "import", &other).await })
                    })
                    .await?;
                Ok(Step::Again)
            }
            Imported::NotYet(told) => {
                let waited = self.inner.clock.now() - job.since;
                if waited > self.inner.patience.relay || matches!(told.tried, Tried::Never(_)) {
                    // The first message imports on first use.
                    tracing::error!(
                        account = account.id,
                        detail = told.detail,
                        "a follower could not be imported"
                    );
                    return self.finish(held, &job).await;
                }
                self.put_off(held, &job, self.pause(job.tries)).await
            }
        }
    }

    /// Imports a planned ghost. Repeating an import changes nothing.
    pub(crate) async fn import(
        &self,
        held: &mut Held,
        account: &Account,
        user_id: &str,
        retry: bool,
        patient: bool,
    ) -> Result<Imported, Error> {
        let pass = match self.may_call(Operation::im("account_import"), held, retry, patient) {
            Ok(pass) => pass,
            Err(refusal) => return Ok(Imported::Held(refusal)),
        };
        let _ = held.renewing(self, self.inner.im_rate.wait("account_import")).await??;
        if let (true, Err(refusal)) = (patient, pass.check()) {
            return Ok(Imported::Held(refusal));
        }
        held.before_call(self).await?;
        let nick = desk::ghost::nickname(&account.id, &held.lane.openid);
        faults::point("ghost.before_call");
        let started = Instant::now();
        let result = self
            .inner
            .im
            .account_import(user_id, Some(&nick), None, self.inner.entropy.u32(), self.inner.clock.now_s())
            .await;
        faults::point("ghost.after_call");
        let told = im_outcome(&result);
        if told.tried == Tried::NotSent {
            self.inner.breakers.remember(pass.operation(), &held.lane.id);
        }
        pass.end(im_answers(&result));
        self.observe(&account.id, "account_import", &told, started);
        let now = self.inner.clock.now();
        if told.tried == Tried::Done {
            let (lane, user_id) = (held.lane.clone(), user_id.to_owned());
            self.inner
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        // Whoever has taken the lane over may have retired the ghost.
                        tx.fence(&lane).await?;
                        tx.set_ghost(&user_id, GhostState::Living, now).await
                    })
                })
                .await?;
            faults::point("ghost.after_commit");
            return Ok(Imported::Living);
        }
        if matches!(&result, Err(im::CallError::Refused(code)) if code.code == NO_ROOM) {
            metrics::counter!("tsunagi_alarms_total", "what" => "account_limit").increment(1);
            tracing::error!(
                account = account.id,
                "the IM application holds no more accounts (70398): new customers' messages wait until its edition is upgraded or accounts are deleted"
            );
        }
        if matches!(&result, Err(im::CallError::Refused(code)) if code.code == DELETED_RECENTLY) {
            let (lane, user_id, account) = (held.lane.clone(), user_id.to_owned(), account.clone());
            let renamed = self
                .inner
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.set_ghost(&user_id, GhostState::Retired, now).await?;
                        let other = ghost_for(tx, &account, &lane.openid, now).await?;
                        tx.fence(&lane).await?;
                        Ok(other)
                    })
                })
                .await?;
            return Ok(Imported::Renamed(renamed));
        }
        if !matches!(told.tried, Tried::NotSent | Tried::Unclear) {
            tracing::warn!(
                account = account.id,
                detail = told.detail,
                "a customer's account could not be imported"
            );
        }
        Ok(Imported::NotYet(told))
    }

    /// Job `delete`: a customer left, and the ghost is already given up in the store.
    pub(crate) async fn delete_ghost(&self, held: &mut Held, job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let patient = self.inner.clock.now() - job.since < DELETION_PATIENCE;
        let pass = match self.may_call(Operation::im("account_delete"), held, job.tries > 0, patient) {
            Ok(pass) => pass,
            Err(refusal) => return self.hold_off(held, &refusal).await,
        };
        let _ = held.renewing(self, self.inner.im_rate.wait("account_delete")).await??;
        held.before_call(self).await?;
        let started = Instant::now();
        let result = self
            .inner
            .im
            .account_delete(&[job.subject.as_str()], self.inner.entropy.u32(), self.inner.clock.now_s())
            .await;
        faults::point("unfollow.after_call");
        let told = im_outcome(&result);
        pass.end(im_answers(&result));
        self.observe(&account.id, "account_delete", &told, started);
        // The refusal may stand for the call or for the account alone.
        let not_enabled = match &result {
            Err(im::CallError::Refused(code)) => code.code == DELETION_NOT_ENABLED,
            Ok(items) => items.iter().any(|item| item.code == DELETION_NOT_ENABLED),
            Err(_) => false,
        };
        let waited = self.inner.clock.now() - job.since;
        let again = matches!(told.tried, Tried::NotSent | Tried::Busy | Tried::TooFast | Tried::Setup(_));
        if !not_enabled && again {
            if waited < DELETION_PATIENCE {
                return self.put_off(held, &job, self.pause(job.tries)).await;
            }
            tracing::error!(
                account = account.id,
                detail = told.detail,
                "the account of a customer who left could not be deleted"
            );
            metrics::counter!("tsunagi_alarms_total", "what" => "deletion_failed").increment(1);
        }
        if not_enabled {
            tracing::error!(
                account = account.id,
                "the deletion of accounts is not enabled in the IM console: the customer's account is kept (on_unsubscribe = \"keep\")"
            );
            metrics::counter!("tsunagi_alarms_total", "what" => "deletion_not_enabled").increment(1);
        }
        let (lane, now) = (held.lane.clone(), self.inner.clock.now());
        let more = self
            .inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if not_enabled {
                        tx.set_ghost(&job.subject, GhostState::Living, now).await?;
                    }
                    // An unclear end counts as deleted: the next generation has another UserID anyway.
                    tx.finish(&lane, &job).await
                })
            })
            .await?;
        faults::point("unfollow.after_commit");
        Ok(Step::after_finish(more))
    }

    /// Imports the agents of every account. Importing again changes nothing.
    ///
    /// Gives the agents that could not be imported, with IM's code.
    pub async fn import_agents(&self) -> Vec<(String, String)> {
        let mut missing = Vec::new();
        for account in self.inner.accounts.values() {
            for agent in &account.agents {
                let told = self.import_agent(account, agent).await;
                if told.tried != Tried::Done {
                    missing.push((agent.clone(), told.detail));
                }
            }
        }
        missing
    }

    pub(crate) async fn import_agent(&self, account: &Account, agent: &str) -> Told {
        let Ok(pass) = self.inner.breakers.ask(Operation::im("account_import"), "", false) else {
            return Told { tried: Tried::NotSent, detail: "IM does not answer".into() };
        };
        if let Err(error) = self.inner.im_rate.wait("account_import").await {
            return no_place(&error);
        }
        let started = Instant::now();
        let result = self
            .inner
            .im
            .account_import(agent, None, None, self.inner.entropy.u32(), self.inner.clock.now_s())
            .await;
        pass.end(im_answers(&result));
        let told = im_outcome(&result);
        self.observe(&account.id, "account_import", &told, started);
        told
    }

    /// How long a job without a delivery waits before its next try.
    pub(crate) fn pause(&self, tries: i64) -> Millis {
        let tries = u32::try_from(tries).unwrap_or(u32::MAX).saturating_add(1);
        backoff(Past { tries, waited: 0, patience: 0, dice: self.inner.entropy.u32() }, 1_000, 60_000)
    }

    /// Counts a call.
    pub(crate) fn observe(&self, account: &str, api: &'static str, told: &Told, started: Instant) {
        let outcome = match told.tried {
            Tried::Done => "ok",
            Tried::NotSent => "not_sent",
            Tried::Unclear => "unclear",
            _ => "refused",
        };
        metrics::histogram!("tsunagi_call_seconds", "account" => account.to_owned(), "api" => api, "outcome" => outcome)
            .record(started.elapsed().as_secs_f64());
        trace::call(account, api, outcome, &told.detail, started.elapsed());
    }
}

/// Without the database nobody knows whether a call may be made, so none is.
fn no_place(error: &Error) -> Told {
    tracing::warn!(%error, "IM's limit cannot be asked for; nothing is called");
    Told { tried: Tried::NotSent, detail: "store".into() }
}
