//! Accounts that may only reply: what waits in a customer's mailbox goes out as the passive reply to the customer's next
//! message, in the HTTP answer itself.
//!
//! What a reply carries is bound for good to the message's dedup key before a byte of it is written, so every attempt of
//! WeChat at that message gets the same bytes, on whichever node. Only a person's answer within WeChat's three attempts
//! is worth waiting for (`passive_hold`): the first two are then let fail, the last one never. `tend.rs` decides later
//! whether a reply counts as delivered.

use crate::tend::settle;
use crate::{Account, Bridge};
use desk::mailbox::{fit, tap_link, tapped};
use desk::words::{Tap, tap, tap_says};
use desk::{Clock, Entropy, Millis};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use store::{ATTEMPTS, AttemptId, Error, Ingested, Tx, faults};
use wechat::{Message, MessageKind, Opened, Push, PushBody, Seal};

/// WeChat hangs up after five seconds. An attempt that may fail is held so long since its request began …
const HOLD: Duration = Duration::from_millis(4_400);
/// … and the last one, which has to be answered, so long.
const HOLD_LAST: Duration = Duration::from_millis(4_000);
/// What is written later than this may have met a closed connection.
const IN_TIME: Duration = Duration::from_millis(4_800);
/// Between the beginnings of two of WeChat's attempts, in milliseconds.
const ATTEMPT_GAP: Millis = 5_000;
/// How often a held webhook asks the store for what another node has parked.
const POLL: Duration = Duration::from_millis(250);
/// A message that was stored without a slot (the process died, or the account was not passive yet) gets one only so
/// long after its first attempt, in milliseconds. After WeChat's third nobody reads the answer.
const FRESH: Millis = 30_000;
/// Answers that one reply takes at most.
const MOST: i64 = 64;

/// What an attempt of WeChat at a customer's message is answered with.
#[derive(Debug)]
pub enum PassiveAnswer {
    /// With these bytes. Where they carry what waited, [`Carried`] wants to know when they are written.
    Reply(Vec<u8>, Option<Carried>),
    /// With the plain acknowledgement.
    Acknowledge,
    /// Not at all: WeChat shall offer the message again.
    Again,
}

/// A reply that carries what waited.
#[derive(Debug)]
pub struct Carried {
    bridge: Bridge,
    key: String,
    copy: i64,
    begun: Instant,
}

impl Carried {
    /// The last byte is on its way: it counts if that was in time.
    pub async fn written(self) {
        if self.begun.elapsed() > IN_TIME {
            return;
        }
        faults::point("slot.before_written");
        let Carried { bridge, key, copy, .. } = self;
        let noted =
            bridge.inner.store.write(move |tx| Box::pin(async move { tx.slot_written(&key, copy).await }));
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a reply was written, which could not be noted: it will count as unsure");
        }
        faults::point("slot.after_written");
    }
}

/// The id of the link in a reply, by which a tap is known.
pub(crate) fn tag(key: &str) -> String {
    hex::encode(&Sha256::digest(key)[..6])
}

/// The id of the link that this message was sent with, if it was one of ours: then it is nobody's words.
pub(crate) fn tap_of(message: &Message) -> Option<&str> {
    match &message.kind {
        MessageKind::Text { menu_id: Some(id), .. } => tapped(id),
        _ => None,
    }
}

impl Account {
    /// A link that fetches what waits, below the words for which it stands.
    pub(crate) fn link(&self, which: Tap, key: &str) -> String {
        tap_link(tap(self.language, which), tap_says(self.language), &tag(key))
    }
}

/// One attempt of WeChat at a message.
#[derive(Clone)]
struct Attempt {
    account: Account,
    openid: String,
    key: String,
    new: bool,
    tap: Option<String>,
    /// Within `passive_hold` the customer is told to wait at every message, not only at one that opens a conversation.
    hold: bool,
    seal: Seal,
    push: Push,
    clock: Clock,
    entropy: Entropy,
}

/// Where an attempt stands in the store.
enum Stand {
    /// Answered so, for good.
    Decided { reply: Option<Vec<u8>>, copy: i64, carries: bool },
    /// Nothing waits yet.
    Open { copy: i64, age: Millis },
}

impl Bridge {
    /// What a customer's message to an account that may only reply is answered with; `None` for what is no message.
    /// `key` is its dedup key, `begun` when its request began.
    ///
    /// # Errors
    /// The store failed: the message shall come again.
    pub async fn passive_answer(
        &self,
        account: &Account,
        opened: &Opened,
        key: &str,
        ingested: &Ingested,
        begun: Instant,
    ) -> Result<Option<PassiveAnswer>, Error> {
        let Ok(push) = &opened.push else { return Ok(None) };
        let PushBody::Message(message) = &push.body else { return Ok(None) };
        let attempt = Attempt {
            account: account.clone(),
            openid: push.from.clone(),
            key: key.to_owned(),
            new: ingested.is_new(),
            tap: tap_of(message).map(str::to_owned),
            hold: !account.passive_hold.is_zero(),
            seal: opened.seal.clone(),
            push: push.clone(),
            clock: self.inner.clock.clone(),
            entropy: self.inner.entropy.clone(),
        };
        let entering = attempt.clone();
        let stand =
            self.inner.store.write(move |tx| Box::pin(async move { entering.enter(tx).await })).await?;
        let (reply, copy, carries) = match stand {
            Stand::Decided { reply, copy, carries } => (reply, copy, carries),
            Stand::Open { copy, age } => {
                if !self.await_answer(&attempt, copy, age, begun).await? {
                    return Ok(Some(PassiveAnswer::Again));
                }
                let deciding = attempt.clone();
                let decided = self
                    .inner
                    .store
                    .write(move |tx| Box::pin(async move { deciding.decide_or_read(tx).await }));
                let (reply, carries) = decided.await?;
                (reply, copy, carries)
            }
        };
        if carries {
            faults::point("slot.after_bind");
        }
        let carried = carries.then(|| Carried { bridge: self.clone(), key: key.to_owned(), copy, begun });
        Ok(Some(match reply {
            Some(reply) => PassiveAnswer::Reply(reply, carried),
            None => PassiveAnswer::Acknowledge,
        }))
    }

    /// Holds the request until something waits for the customer, or its time is over. False if this attempt is to fail,
    /// because WeChat will make another.
    async fn await_answer(
        &self,
        attempt: &Attempt,
        copy: i64,
        age: Millis,
        begun: Instant,
    ) -> Result<bool, Error> {
        let now = self.inner.clock.now();
        let said = attempt.push.create_time.filter(|said| *said <= now).map_or(0, |said| now - said);
        // Attempts that never came here count too. Taken for a later one, an attempt is only answered sooner.
        let number = copy.max(1 + age / ATTEMPT_GAP).max(1 + said / ATTEMPT_GAP);
        let last = number >= ATTEMPTS;
        let over = attempt.account.passive_hold.saturating_sub(Duration::from_millis(age.unsigned_abs()));
        let of_this = (if last { HOLD_LAST } else { HOLD }).saturating_sub(begun.elapsed());
        let until = Instant::now() + over.min(of_this);
        while Instant::now() < until {
            let mail = self.inner.mail.notified();
            let (id, openid, key) = (attempt.account.id.clone(), attempt.openid.clone(), attempt.key.clone());
            let something = self.inner.store.read(move |tx| {
                Box::pin(
                    async move { Ok(tx.has_parked(&id, &openid).await? || tx.slot_decided(&key).await?) },
                )
            });
            if something.await? {
                return Ok(true);
            }
            let pause = POLL.min(until.saturating_duration_since(Instant::now()));
            let _ = tokio::time::timeout(pause, mail).await;
        }
        Ok(last || over <= of_this)
    }
}

impl Attempt {
    /// Counts the attempt, and decides its answer unless that may wait.
    async fn enter(self, tx: &mut Tx<'_>) -> Result<Stand, Error> {
        tx.lock_customer(&self.account.id, &self.openid).await?;
        if let Some(tapped) = &self.tap {
            // Whoever taps a link has the reply that it stands in.
            for reply in tx.open_replies(&self.account.id, &self.openid).await? {
                if tag(&reply.key) == *tapped {
                    settle(tx, &self.clock, &self.entropy, Some(&self.account), &reply, true).await?;
                }
            }
        }
        let kept = tx.kept_reply(&self.key).await?;
        let fresh = kept.as_ref().is_some_and(|(at, _)| self.clock.now() - at < FRESH);
        if !self.new && !fresh && !tx.has_slot(&self.key).await? {
            let reply = kept.and_then(|(_, reply)| reply);
            return Ok(Stand::Decided { reply, copy: 0, carries: false });
        }
        let slot = tx.enter_slot(&self.key, &self.account.id, &self.openid).await?;
        if slot.decided {
            let carries = !tx.bound(&self.key).await?.is_empty();
            let reply = kept.and_then(|(_, reply)| reply);
            return Ok(Stand::Decided { reply, copy: slot.copies, carries });
        }
        if self.hold && self.tap.is_none() && !tx.has_parked(&self.account.id, &self.openid).await? {
            return Ok(Stand::Open { copy: slot.copies, age: slot.age });
        }
        let (reply, carries) = self.decide(tx, kept.and_then(|(_, reply)| reply)).await?;
        Ok(Stand::Decided { reply, copy: slot.copies, carries })
    }

    async fn decide_or_read(self, tx: &mut Tx<'_>) -> Result<(Option<Vec<u8>>, bool), Error> {
        tx.lock_customer(&self.account.id, &self.openid).await?;
        let kept = tx.kept_reply(&self.key).await?.and_then(|(_, reply)| reply);
        if tx.slot_decided(&self.key).await? {
            return Ok((kept, !tx.bound(&self.key).await?.is_empty()));
        }
        self.decide(tx, kept).await
    }

    /// Binds what waits to this message. Where nothing does, the answer is what the first copy was given already, or
    /// words that ask for patience.
    async fn decide(
        &self,
        tx: &mut Tx<'_>,
        first_words: Option<Vec<u8>>,
    ) -> Result<(Option<Vec<u8>>, bool), Error> {
        let (account, openid, now) = (&self.account.id, &self.openid, self.clock.now());
        let mut waiting = tx.parked(account, openid, MOST + 1).await?;
        if waiting.is_empty() {
            let first_words = first_words.filter(|_| self.tap.is_none());
            let reply = first_words.or_else(|| self.patience().map(|words| self.sealed(&words)));
            tx.decide_slot(&self.key, reply.as_deref(), 0).await?;
            return Ok((reply, false));
        }
        let more = waiting.len() as i64 > MOST;
        waiting.truncate(MOST as usize);
        let words: Vec<&str> = waiting.iter().map(|parked| parked.words.as_str()).collect();
        let fitted = fit(&words, more, &self.account.link(Tap::More, &self.key));
        faults::point("slot.before_bind");
        if let (Some(cut), Some(parked)) = (fitted.cut, waiting.get(fitted.whole)) {
            tx.cut_parked(account, openid, parked, cut).await?;
        }
        let bound = fitted.whole + usize::from(fitted.cut.is_some());
        for parked in &waiting[..bound] {
            let attempt = AttemptId::new(&self.clock, &self.entropy);
            tx.bind(&self.key, account, openid, parked, &attempt, now).await?;
        }
        let reply = self.sealed(&fitted.text);
        tx.decide_slot(&self.key, Some(&reply), bound as i64).await?;
        Ok((Some(reply), true))
    }

    /// What a customer reads where nothing waits and something has to be said.
    fn patience(&self) -> Option<String> {
        let words = if self.tap.is_some() {
            tap(self.account.language, Tap::Nothing)
        } else if self.hold && !self.account.waiting.is_empty() {
            &self.account.waiting
        } else {
            return None;
        };
        Some(format!("{words}{}", self.account.link(Tap::Look, &self.key)))
    }

    fn sealed(&self, words: &str) -> Vec<u8> {
        let now = self.clock.now_s();
        let nonce = self.entropy.u32().to_string();
        self.seal.reply(
            &self.push.text_reply(words, now),
            now,
            &nonce,
            crate::arrive::printable(&self.entropy),
        )
    }
}
