//! The way of one message: Before webhook, deduplication, the two chats, After webhook (§4.2, §6.5).

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::callbacks::{self, Answer};
use super::{Message, Refused};
use crate::world::World;

/// So many (seq, random) are kept before those of past seconds are dropped.
const REMEMBERED: usize = 10_000;

/// A message that somebody wants to send.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) seq: u32,
    pub(crate) random: u32,
    pub(crate) body: Value,
    pub(crate) cloud_custom_data: Option<String>,
    pub(crate) online_only: bool,
    /// `SyncOtherMachine` 2: the sender's history does not have it.
    pub(crate) hidden_from_sender: bool,
    /// `OptPlatform` of the webhooks.
    pub(crate) platform: &'static str,
    /// Whether the Before webhook may be called for it.
    pub(crate) before: bool,
    /// Whether the After webhook may be called for it.
    pub(crate) after: bool,
    /// Not 0: the message fails with this code after the Before webhook, and only the After webhook tells.
    pub(crate) send_msg_result: i64,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) time: i64,
    /// The same (seq, random) had been sent within this second: nothing was delivered again.
    pub(crate) duplicate: bool,
    /// The After webhook, under way.
    pub(crate) after: Option<JoinHandle<()>>,
}

/// Delivers a message between two accounts that exist.
pub(crate) async fn deliver(world: &Arc<World>, mut draft: Draft) -> Result<Sent, Refused> {
    let time = world.clock.now_s();
    let key = format!("{}_{}_{time}", draft.seq, draft.random);
    let identity = (draft.from.clone(), draft.to.clone(), draft.seq, draft.random, time);
    if let Some(key) = world.im().sent.get(&identity) {
        return Ok(Sent { key: key.clone(), time, duplicate: true, after: None });
    }
    let before = draft.before && world.im().config.callback_enabled_before;
    if before {
        match callbacks::before(world, &draft, &key, time).await {
            Answer::Allow { body, cloud_custom_data } => {
                draft.body = body.unwrap_or(draft.body);
                draft.cloud_custom_data = cloud_custom_data.or(draft.cloud_custom_data);
            }
            Answer::Reject(refused) => return Err(refused),
            Answer::Discard => return Ok(Sent { key, time, duplicate: false, after: None }),
            Answer::Failed if world.im().config.reject_when_before_fails => return Err(Refused::new(80003)),
            Answer::Failed => {}
        }
    }
    let unread = if draft.send_msg_result == 0 {
        let mut im = world.im();
        // Checked again under the lock: of two copies at the same moment only one is delivered.
        if let Some(key) = im.sent.get(&identity) {
            return Ok(Sent { key: key.clone(), time, duplicate: true, after: None });
        }
        if im.sent.len() >= REMEMBERED {
            im.sent.retain(|(.., second), _| *second >= time);
        }
        im.sent.insert(identity, key.clone());
        im.messages.push(Message {
            from: draft.from.clone(),
            to: draft.to.clone(),
            seq: draft.seq,
            random: draft.random,
            time,
            key: key.clone(),
            body: draft.body.clone(),
            cloud_custom_data: draft.cloud_custom_data.clone(),
            online_only: draft.online_only,
            recalled: false,
            seen_by_from: !draft.hidden_from_sender,
            seen_by_to: true,
        });
        // Only the webhook says it, and counting takes as long as the history is.
        if draft.after && im.config.callback_enabled_after {
            i64::try_from(im.unread(&draft.to)).unwrap_or(i64::MAX)
        } else {
            0
        }
    } else {
        -1
    };
    if draft.send_msg_result == 0 {
        world.chat_gets(json!({"from": draft.from, "to": draft.to, "msg_key": key, "seq": draft.seq,
                   "random": draft.random, "time": time, "platform": draft.platform,
                   "text": super::body_text(&draft.body), "body": draft.body,
                   "online_only": draft.online_only, "cloud_custom_data": draft.cloud_custom_data}));
    }
    let after = draft.after && world.im().config.callback_enabled_after;
    let after = after.then(|| {
        let (world, key) = (world.clone(), key.clone());
        tokio::spawn(async move { callbacks::after(&world, &draft, &key, time, unread).await })
    });
    Ok(Sent { key, time, duplicate: false, after })
}
