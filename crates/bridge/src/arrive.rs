//! From a verified webhook to a row of the inbox: its dedup key, its passive reply, and what it asks for.

use crate::{Account, Bridge, act, erase, passive, trace};
use desk::Entropy;
use desk::words::Tap;
use sha2::{Digest, Sha256};
use store::{Arrival, ConversationId, Effect, InboxId, Source, Work};
use wechat::{Event, Opened, Push, PushBody};

impl Bridge {
    /// The account with this id.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.inner.accounts.get(id)
    }

    /// The store.
    pub fn store(&self) -> &store::Store {
        &self.inner.store
    }

    /// What a verified push of WeChat becomes in the inbox. It takes the document along: many of them may wait for their
    /// commit, and one copy of each is enough.
    pub fn push_arrival(&self, account: &Account, opened: &mut Opened, raw_query: &str) -> Arrival {
        let id = InboxId::new(&self.inner.clock, &self.inner.entropy);
        let received_at = self.inner.clock.now();
        let push = match &opened.push {
            Ok(push) => push,
            Err(unreadable) => {
                tracing::error!(account = account.id, inbox = %id, reason = %unreadable.reason,
                    "a push with a good signature could not be read; it is kept as unreadable");
                metrics::counter!("tsunagi_unreadable_total", "account" => account.id.clone()).increment(1);
                let hash = Sha256::new().chain_update(&account.id).chain_update(&opened.document).finalize();
                return Arrival {
                    id,
                    source: Source::Wechat,
                    account: account.id.clone(),
                    dedup_key: format!("h:{}", hex::encode(hash)),
                    kind: "unreadable",
                    received_at,
                    query: Some(raw_query.to_owned()),
                    body: std::mem::take(&mut opened.document),
                    reply: None,
                    work: Work::Nothing,
                    trace: None,
                    may_wait: !self.is_passive(account),
                };
            }
        };
        let mut reply = None;
        let mut owner = push.from.clone();
        let effect = match &push.body {
            // A tap on a link of ours is nobody's words.
            PushBody::Message(message) if passive::tap_of(message).is_some() => Some(Effect::Act),
            PushBody::Message(_) => Some(Effect::Write {
                conversation: ConversationId::new(&self.inner.clock, &self.inner.entropy),
                waiting: self.passive_text(opened, push, &self.first_words(account, opened, push)),
            }),
            PushBody::Event(Event::Subscribe { scene, .. }) => {
                let greeting = scene.as_ref().and_then(|scene| account.greetings.get(scene));
                reply = self.passive_text(opened, push, greeting.unwrap_or(&account.welcome));
                Some(Effect::Follow)
            }
            PushBody::Event(Event::Scan { scene, .. }) => {
                let greeting = account.greetings.get(scene);
                reply = greeting.and_then(|greeting| self.passive_text(opened, push, greeting));
                Some(Effect::Act)
            }
            PushBody::Event(Event::Click { key }) if account.call_keys.contains(key) => Some(Effect::Write {
                conversation: ConversationId::new(&self.inner.clock, &self.inner.entropy),
                waiting: self.passive_text(opened, push, &self.first_words(account, opened, push)),
            }),
            PushBody::Event(event) if certification(account, event) => None,
            PushBody::Event(Event::Unsubscribe) => Some(Effect::Unfollow),
            PushBody::Event(
                Event::KfCreateSession { .. } | Event::KfCloseSession { .. } | Event::KfSwitchSession { .. },
            ) => {
                metrics::counter!("tsunagi_alarms_total", "what" => "other_platform").increment(1);
                tracing::warn!(
                    account = account.id,
                    "WeChat's own agents serve a customer of this account: while a session is open there, messages do not come here. Look for another platform that is authorised for the account, and for agents in WeChat's console"
                );
                None
            }
            PushBody::Event(event) if erase::asked_by(event).is_some() => {
                // The sender need not be the customer.
                owner = erase::asked_by(event).unwrap_or_default().to_owned();
                Some(Effect::Act)
            }
            PushBody::Event(event) if act::is_act(event) => Some(Effect::Act),
            // Kept and acknowledged; job events do not even come from a customer.
            PushBody::Event(_) => None,
        };
        let work = match effect {
            Some(effect) if !owner.is_empty() => {
                Work::Customer { openid: owner, said_at: push.create_time.unwrap_or(received_at), effect }
            }
            _ => Work::Nothing,
        };
        Arrival {
            id,
            source: Source::Wechat,
            account: account.id.clone(),
            dedup_key: push.dedup_key(&account.id, &opened.document),
            kind: "push",
            received_at,
            query: None,
            body: std::mem::take(&mut opened.document),
            reply,
            work,
            trace: trace::stored(),
            may_wait: !self.is_passive(account),
        }
    }

    /// What a customer reads who opens a conversation; where answers only go out as replies, with a link that asks for
    /// them.
    fn first_words(&self, account: &Account, opened: &Opened, push: &Push) -> String {
        let words = if self.nobody_is_there(account) { &account.away } else { &account.waiting };
        if words.is_empty() || !self.is_passive(account) {
            return words.clone();
        }
        let key = push.dedup_key(&account.id, &opened.document);
        format!("{words}{}", account.link(Tap::Look, &key))
    }

    fn passive_text(&self, opened: &Opened, push: &Push, words: &str) -> Option<Vec<u8>> {
        if words.is_empty() {
            return None;
        }
        let now = self.inner.clock.now_s();
        let nonce = self.inner.entropy.u32().to_string();
        let reply = push.text_reply(words, now);
        Some(opened.seal.reply(&reply, now, &nonce, printable(&self.inner.entropy)))
    }

    /// What a verified webhook of IM becomes in the inbox.
    pub fn webhook_arrival(&self, opened: &im::Opened, sdk_app_id: u64, raw_body: Vec<u8>) -> Arrival {
        let work = match &opened.webhook {
            im::Webhook::AfterSendMsg(sent) if !sent.message.online_only => {
                Work::Ghost { user_id: sent.message.to.clone() }
            }
            im::Webhook::AfterMsgWithDraw(recall) => Work::Ghost { user_id: recall.to.clone() },
            _ => Work::Nothing,
        };
        Arrival {
            id: InboxId::new(&self.inner.clock, &self.inner.entropy),
            source: Source::Im,
            account: String::new(),
            dedup_key: format!("i:{}", opened.webhook.dedup_key(sdk_app_id, &raw_body)),
            kind: "webhook",
            received_at: self.inner.clock.now(),
            // The body may lack its command, which the query has too.
            query: Some(opened.command.clone()),
            body: raw_body,
            reply: None,
            work,
            trace: trace::stored(),
            may_wait: false,
        }
    }
}

/// Sixteen printable random bytes: the prefix that WeChat's own encryption uses.
pub(crate) fn printable(entropy: &Entropy) -> [u8; 16] {
    entropy.bytes::<16>().map(|byte| b"0123456789abcdef"[usize::from(byte & 15)])
}

/// Whether an event is about the account's certification, without which the customer-service API is gone; an alarm where
/// somebody has to act.
fn certification(account: &Account, event: &Event) -> bool {
    let (account, name) = (account.id.as_str(), event.name());
    let (until, why) = match event {
        Event::QualificationVerifySuccess { expired_time } | Event::NamingVerifySuccess { expired_time } => {
            tracing::info!(account, event = name, until = expired_time, "WeChat has verified the account");
            return true;
        }
        Event::AnnualRenew { expired_time } => (
            *expired_time,
            "the account's certification ends soon: renew it in WeChat's console, or answers stop with it",
        ),
        Event::VerifyExpired { expired_time } => (
            *expired_time,
            "the account's certification has ended: customer-service messages are gone until it is renewed",
        ),
        Event::QualificationVerifyFail { fail_time, .. } | Event::NamingVerifyFail { fail_time, .. } => {
            (*fail_time, "WeChat has refused the account's verification: its console says why")
        }
        _ => return false,
    };
    metrics::counter!("tsunagi_alarms_total", "what" => "certification").increment(1);
    tracing::error!(account, event = name, at = until, "{why}");
    true
}
