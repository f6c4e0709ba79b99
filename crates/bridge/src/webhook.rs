//! Job `webhook`: a stored webhook of IM becomes an answer, if it is one.
//!
//! Only what one of the account's agents wrote to a ghost goes further. Everything else ends here: echoes of
//! our own messages, typing hints, sends that failed, strangers.

use crate::assign::NOT_SERVED;
use crate::convert::{Part, parts};
use crate::media::Source;
use crate::reconcile::FOUND;
use crate::worker::{Held, Step};
use crate::{Account, Bridge, recall};
use desk::ghost::{is_marked, is_ours};
use desk::words::excerpt;
use desk::{Clock, Content, Direction, Entropy, Millis, Reason};
use im::{C2cMessage, Webhook};
use store::{DeliveryId, Error, GhostState, Job, MediaId, MessageId, NewMessage, Said, Tx};

/// An answer that was found later than this and goes out after a newer one says so, in milliseconds.
const LATE: Millis = 120_000;

/// What is known of a message before it is taken in.
struct Standing {
    /// It is here already, brought by a webhook or found in the history.
    known: bool,
    /// Something that was said after it has gone out.
    overtaken: bool,
    /// Its author has taken it back.
    recalled: bool,
    restored_at: Millis,
}

/// Puts a line before the first words.
fn mark_late(body: &mut [im::Element], line: &str) {
    let first = body.iter_mut().find_map(|element| match element {
        im::Element::Text { text, .. } => Some(text),
        _ => None,
    });
    if let Some(text) = first {
        *text = format!("{line}\n{text}");
    }
}

impl Bridge {
    pub(crate) async fn take_webhook(&self, held: &mut Held, mut job: Job) -> Result<Step, Error> {
        let Some(account) = self.inner.accounts.get(&held.lane.account).cloned() else {
            return self.put_off(held, &job, NOT_SERVED).await;
        };
        let row = self.webhook_of(&mut job).await?;
        let received_at = row.as_ref().map_or(0, |row| row.received_at);
        let webhook = row.map(|row| Webhook::parse(row.query.as_deref().unwrap_or_default(), &row.body));
        let webhook = match webhook {
            Some(Webhook::AfterMsgWithDraw(recall)) => {
                return self.take_recall(held, job, &account, recall).await;
            }
            other => other,
        };
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
            None => {
                if let Some(step) = self.gate(held, &job, &account, sent.message.msg_time).await? {
                    return Ok(step);
                }
                self.take_answer(held, job, &account, sent.message, received_at).await
            }
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

    /// What is known that decides what becomes of an answer.
    async fn standing(
        &self,
        held: &Held,
        account: &Account,
        message: &C2cMessage,
        said: Said,
        found: bool,
    ) -> Result<Standing, Error> {
        let (id, openid) = (account.id.clone(), held.lane.openid.clone());
        let (author, msg_key) = (message.from.clone(), message.msg_key.clone());
        let recall = recall::key(self.inner.im.sdk_app_id(), &message.from, &message.to, &message.msg_key);
        self.inner
            .store
            .look_up(move |tx| {
                Box::pin(async move {
                    let (known, recalled, restored_at) =
                        tx.heard(&id, &openid, &author, &msg_key, said, &recall).await?;
                    let overtaken = found && tx.answered_since(&id, &openid, said.at).await?;
                    Ok(Standing { known, overtaken, recalled, restored_at })
                })
            })
            .await
    }

    async fn take_answer(
        &self,
        held: &Held,
        job: Job,
        account: &Account,
        mut message: C2cMessage,
        received_at: Millis,
    ) -> Result<Step, Error> {
        let (clock, entropy) = (&self.inner.clock, &self.inner.entropy);
        let now = clock.now();
        let said = Said {
            at: message.msg_time.saturating_mul(1000),
            seq: message.msg_seq,
            random: message.msg_random,
        };
        let found = job.note.as_deref() == Some(FOUND);
        let state = self.standing(held, account, &message, said, found).await?;
        if state.known {
            metrics::counter!("tsunagi_webhooks_dropped_total", "why" => "repeat").increment(1);
            return self.finish(held, &job).await;
        }
        let late = now - said.at;
        if state.overtaken && late > LATE {
            mark_late(&mut message.body, &desk::words::late_answer(account.language, late));
        }
        // It waited in a database that was restored: whether it went out after the backup, nobody knows.
        let too_late = received_at < state.restored_at;
        let mut parts: Vec<(DeliveryId, Part)> = parts(&message.body, account.language)
            .into_iter()
            .map(|part| (DeliveryId::new(clock, entropy), part))
            .collect();
        if parts.is_empty() {
            parts.push((DeliveryId::new(clock, entropy), Part::Text(String::new())));
        }
        let id = MessageId::new(clock, entropy);
        let words = parts.iter().find_map(|(_, part)| match part {
            Part::Text(text) | Part::File(_, text) => Some(excerpt(text)),
            Part::Unsupported(_) => None,
        });
        let words = words.unwrap_or_else(|| "…".to_owned());
        let (lane, account, desk) = (held.lane.clone(), account.clone(), self.desk(account));
        let next = Job { kind: "answer".into(), subject: id.as_str().to_owned(), tries: 0, ..job.clone() };
        self.inner
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let customer = tx.touch_conversation(&lane.account, &lane.openid, now).await?;
                    let conversation = customer.and_then(|customer| customer.conversation);
                    let (ghost, owner) = tx.addressee(&message.to, conversation.as_deref()).await?;
                    let gone = ghost.is_none_or(|state| state == GhostState::Retired);
                    if let Some(conversation) = &conversation {
                        tx.answered(conversation).await?;
                        let agent = &message.from;
                        desk.tell_of_another(tx, &lane.openid, (conversation, owner), agent, &words).await?;
                    }
                    tx.insert_message(NewMessage {
                        id: &id,
                        account: &account.id,
                        openid: &lane.openid,
                        direction: Direction::Out,
                        kind: kind_of(&parts),
                        conversation: conversation.as_deref(),
                        author: Some(&message.from),
                        source_key: Some(&message.msg_key),
                        said: Some(said),
                        inbox: Some(&job.subject),
                        created_at: now,
                    })
                    .await?;
                    for (at, (part_id, part)) in parts.iter().enumerate() {
                        let (body, failed) = match part {
                            Part::Unsupported(kind) => (kind.as_str(), Some(Reason::UnsupportedKind)),
                            Part::Text(text) | Part::File(_, text) if too_late => {
                                (text.as_str(), Some(Reason::FoundTooLate))
                            }
                            Part::Text(text) | Part::File(_, text) if state.recalled => {
                                (text.as_str(), Some(Reason::Recalled))
                            }
                            Part::Text(text) if text.is_empty() => (text.as_str(), Some(Reason::Empty)),
                            Part::Text(text) | Part::File(_, text) if gone => {
                                (text.as_str(), Some(Reason::Unsubscribed))
                            }
                            Part::Text(text) | Part::File(_, text) => (text.as_str(), None),
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
                        let (made, whose) = ((&desk.clock, &desk.entropy), (&*lane.account, &*lane.openid));
                        want(tx, made, whose, part_id, part, now).await?;
                    }
                    tx.become_job(&lane, &job, "answer", id.as_str()).await
                })
            })
            .await?;
        Ok(Step::Next(next))
    }
}

/// What carries a file is to have it fetched before it goes out; also where it is not to go out now, for whoever has it
/// sent again.
pub(crate) async fn want(
    tx: &mut Tx<'_>,
    (clock, entropy): (&Clock, &Entropy),
    (account, openid): (&str, &str),
    delivery: &DeliveryId,
    part: &Part,
    now: Millis,
) -> Result<(), Error> {
    let Part::File(source @ Source::Im { shape, .. }, text) = part else { return Ok(()) };
    let file = MediaId::new(clock, entropy);
    let from = serde_json::to_string(source).unwrap_or_default();
    tx.want_media(file.as_str(), account, openid, delivery.as_str(), &from, now).await?;
    let wanted = Content::Wanted { media: file.as_str().to_owned(), shape: *shape };
    tx.set_content(delivery.as_str(), Some(&wanted), text).await
}

/// The kind of a message, for the database.
fn kind_of(parts: &[(DeliveryId, Part)]) -> &'static str {
    match parts {
        [(_, Part::File(Source::Im { shape, .. }, _))] => shape.as_str(),
        _ if parts.iter().all(|(_, part)| matches!(part, Part::Text(_))) => "text",
        _ => "mixed",
    }
}
