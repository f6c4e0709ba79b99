//! Job `webhook`: a stored webhook of IM becomes an answer, if it is one.
//!
//! Only what one of the account's agents wrote to a ghost goes further. Everything else ends here: echoes of
//! our own messages, typing hints, sends that failed, strangers.

use crate::assign::NOT_SERVED;
use crate::convert::{Part, parts};
use crate::worker::{Held, Step};
use crate::{Account, Bridge};
use desk::ghost::{is_marked, is_ours};
use desk::words::excerpt;
use desk::{Direction, Reason};
use im::{C2cMessage, Webhook};
use store::{DeliveryId, Error, GhostState, Job, MessageId, NewMessage};

impl Bridge {
    pub(crate) async fn take_webhook(&self, held: &mut Held, job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let subject = job.subject.clone();
        let row = self.inner.store.read(move |tx| Box::pin(async move { tx.inbox(&subject).await })).await?;
        let webhook = row.map(|row| Webhook::parse(row.query.as_deref().unwrap_or_default(), &row.body));
        let Some(Webhook::AfterSendMsg(sent)) = webhook else {
            tracing::error!(inbox = job.subject, "a stored webhook cannot be read; it stays in the inbox");
            return self.finish(held, &job).await;
        };
        match self.why_not(&account, &sent) {
            Some(why) => {
                tracing::debug!(account = account.id, inbox = job.subject, why, "a webhook is not an answer");
                metrics::counter!("tsunagi_webhooks_dropped_total", "why" => why).increment(1);
                self.finish(held, &job).await
            }
            None => self.take_answer(held, job, &account, sent.message).await,
        }
    }

    /// Why a message is not an agent's answer.
    fn why_not(&self, account: &Account, sent: &im::AfterSend) -> Option<&'static str> {
        let message = &sent.message;
        let marked = message.cloud_custom_data.as_deref().is_some_and(is_marked);
        if marked || is_ours(self.inner.store.id(), &message.from, message.msg_seq, message.msg_random) {
            Some("echo")
        } else if message.online_only {
            Some("typing")
        } else if sent.send_msg_result != 0 {
            Some("not_sent")
        } else if !account.agents.contains(&message.from) {
            Some("not_an_agent")
        } else {
            None
        }
    }

    async fn take_answer(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        message: C2cMessage,
    ) -> Result<Step, Error> {
        let (clock, entropy) = (&self.inner.clock, &self.inner.entropy);
        let now = clock.now();
        let mut parts: Vec<(DeliveryId, Part)> =
            parts(&message.body).into_iter().map(|part| (DeliveryId::new(clock, entropy), part)).collect();
        if parts.is_empty() {
            parts.push((DeliveryId::new(clock, entropy), Part::Text(String::new())));
        }
        let id = MessageId::new(clock, entropy);
        let said = parts.iter().find_map(|(_, part)| match part {
            Part::Text(text) => Some(excerpt(text)),
            Part::Unsupported(_) => None,
        });
        let said = said.unwrap_or_else(|| "…".to_owned());
        let (lane, account, desk) = (held.lane.clone(), account.clone(), self.desk(account));
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.touch_conversation(&lane.account, &lane.openid, now).await?;
                    let customer = tx.customer(&lane.account, &lane.openid).await?;
                    let gone =
                        tx.ghost(&message.to).await?.is_none_or(|ghost| ghost.state == GhostState::Retired);
                    let conversation = customer.and_then(|customer| customer.conversation);
                    if let Some(conversation) = &conversation {
                        tx.answered(conversation).await?;
                        desk.tell_of_another(tx, &lane.openid, conversation, &message.from, &said).await?;
                    }
                    tx.insert_message(NewMessage {
                        id: &id,
                        account: &account.id,
                        openid: &lane.openid,
                        direction: Direction::Out,
                        kind: if parts.iter().all(|(_, part)| matches!(part, Part::Text(_))) {
                            "text"
                        } else {
                            "mixed"
                        },
                        conversation: conversation.as_deref(),
                        author: Some(&message.from),
                        source_key: Some(&message.msg_key),
                        inbox: Some(&job.subject),
                        created_at: now,
                    })
                    .await?;
                    for (at, (part_id, part)) in parts.iter().enumerate() {
                        let (body, failed) = match part {
                            Part::Text(text) if text.is_empty() => (text.as_str(), Some(Reason::Empty)),
                            Part::Text(text) if gone => (text.as_str(), Some(Reason::Unsubscribed)),
                            Part::Text(text) => (text.as_str(), None),
                            Part::Unsupported(kind) => (kind.as_str(), Some(Reason::UnsupportedKind)),
                        };
                        tx.insert_delivery(
                            part_id,
                            &id,
                            at as i64,
                            body,
                            "",
                            &lane.openid,
                            None,
                            failed,
                            now,
                        )
                        .await?;
                    }
                    tx.become_job(&lane, &job, "answer", id.as_str()).await
                })
            })
            .await?;
        Ok(Step::Again)
    }
}
