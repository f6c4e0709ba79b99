//! What an agent's client would do and show: log in, send, read chats. Outside Tencent's protocol.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::deliver::{self, Draft, Sent};
use super::{Message, Refused, sendmsg};
use crate::world::World;

/// A message from a client.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClientMessage {
    pub(crate) to: String,
    pub(crate) body: Value,
    #[serde(default)]
    pub(crate) online_only: bool,
    #[serde(default)]
    pub(crate) cloud_custom_data: Option<String>,
    /// Not 0: the message fails with this code, and the After webhook says so.
    #[serde(default)]
    pub(crate) send_msg_result: i64,
    #[serde(default)]
    pub(crate) seq: Option<u32>,
    #[serde(default)]
    pub(crate) random: Option<u32>,
}

/// Marks a user as online or not; a first log-in makes the account (§3.1).
pub(crate) fn log_in(world: &World, user: &str, online: bool) {
    world.im().accounts.entry(user.to_owned()).or_default().online = online;
}

/// Sends as a client does: the same checks of the body, webhooks with `OptPlatform=Web`.
pub(crate) async fn send(world: &Arc<World>, user: &str, message: ClientMessage) -> Result<Sent, Refused> {
    sendmsg::check_body(&message.body)?;
    let draft = {
        let mut im = world.im();
        im.accounts.entry(user.to_owned()).or_default().online = true;
        if !im.accounts.contains_key(&message.to) {
            return Err(Refused::new(20003));
        }
        Draft {
            from: user.to_owned(),
            to: message.to,
            seq: message.seq.unwrap_or_else(|| world.chance.u32()),
            random: message.random.unwrap_or_else(|| world.chance.u32()),
            body: message.body,
            cloud_custom_data: message.cloud_custom_data,
            online_only: message.online_only,
            hidden_from_sender: false,
            platform: "Web",
            before: true,
            after: true,
            send_msg_result: message.send_msg_result,
        }
    };
    let said = json!({"from": draft.from, "to": draft.to, "seq": draft.seq, "random": draft.random,
                      "text": super::body_text(&draft.body), "online_only": draft.online_only,
                      "send_msg_result": draft.send_msg_result});
    let sent = deliver::deliver(world, draft).await;
    let mut said = said;
    match &sent {
        Ok(sent) => said["msg_key"] = sent.key.as_str().into(),
        Err(refused) => said["error_code"] = refused.code.into(),
    }
    world.journal.write("im", "said", said);
    sent
}

/// The chats of one user, newest last, as her client would show them.
pub(crate) fn chats(world: &World, user: &str) -> Value {
    let im = world.im();
    let mut peers: Vec<&str> = Vec::new();
    for message in im.messages_of(user) {
        let peer = if message.from == user { &message.to } else { &message.from };
        peers.retain(|known| known != peer);
        peers.push(peer);
    }
    let chat = |peer: &&str| {
        let account = im.accounts.get(*peer);
        let read = im.accounts.get(user).and_then(|a| a.read_up_to.get(*peer)).copied().unwrap_or(0);
        let messages: Vec<(usize, &Message)> = im.chat(user, peer).collect();
        let unread =
            messages.iter().filter(|(n, m)| m.from == **peer && !m.online_only && *n >= read).count();
        json!({"peer": peer, "nick": account.map(|a| a.nick.as_str()).unwrap_or_default(),
               "exists": account.is_some(), "unread": unread,
               "messages": messages.iter().map(|(_, m)| show(m)).collect::<Vec<_>>()})
    };
    peers.iter().map(chat).collect()
}

fn show(message: &Message) -> Value {
    json!({"from": message.from, "to": message.to, "text": message.text(), "body": message.body,
           "msg_key": message.key, "seq": message.seq, "random": message.random, "time": message.time,
           "online_only": message.online_only, "cloud_custom_data": message.cloud_custom_data})
}

/// The user has read the chat with a peer.
pub(crate) fn read(world: &World, user: &str, peer: &str) {
    let mut im = world.im();
    let up_to = im.messages.len();
    if let Some(account) = im.accounts.get_mut(user) {
        account.read_up_to.insert(peer.to_owned(), up_to);
    }
}
