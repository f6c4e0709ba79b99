//! What an agent's client would do and show: log in, send, recall, read chats, receive. Outside Tencent's protocol.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::deliver::{self, Draft, Sent};
use super::{Message, Refused, callbacks, chats, sendmsg, usersig};
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
    /// The client asks the cloud to skip both hooks (`isDisableCloudMessagePreHook`, `…PostHook`).
    #[serde(default)]
    pub(crate) no_hooks: bool,
}

/// How a client logs in.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct LogIn {
    /// `Web`, `Windows`, `Mac`, `Android`, `iOS`, `iPad`; `Web` if not said.
    #[serde(default)]
    pub(crate) platform: Option<String>,
    /// Checked when it is given.
    #[serde(default)]
    pub(crate) user_sig: Option<String>,
}

/// Logs a client in; a first log-in makes the account (§3.1). One client a platform: another one is thrown out
/// (its SDK shows 6208) and the webhook names it.
pub(crate) fn log_in(world: &Arc<World>, user: &str, how: &LogIn) -> Result<(), Refused> {
    let platform = how.platform.as_deref().unwrap_or("Web");
    let kicked = {
        let mut im = world.im();
        if let Some(sig) = &how.user_sig {
            let now = world.clock.now_s();
            usersig::check(&im.config.secret_key, im.config.sdk_app_id, user, sig, now)?;
            let kicked_at = im.accounts.get(user).and_then(|account| account.kicked_at);
            if kicked_at.is_some_and(|at| usersig::made_at(sig).is_some_and(|made| made <= at)) {
                return Err(Refused::new(70052));
            }
        }
        let account = im.accounts.entry(user.to_owned()).or_default();
        account.online = true;
        account.push = false;
        !account.platforms.insert(platform.to_owned())
    };
    let thrown_out: &[&str] = if kicked { &[platform] } else { &[] };
    tell_state(world, user, platform, "Login", "Register", thrown_out);
    Ok(())
}

/// How a client goes.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct LogOut {
    /// All if not said.
    #[serde(default)]
    pub(crate) platform: Option<String>,
    /// The line broke (`Disconnect`, `LinkClose`) instead of a log-out.
    #[serde(default)]
    pub(crate) lost: bool,
    /// A mobile client that a push still reaches.
    #[serde(default)]
    pub(crate) push: bool,
}

/// Logs clients out. A user whom nobody knows stays unknown.
pub(crate) fn log_out(world: &Arc<World>, user: &str, how: &LogOut) {
    let gone: Vec<String> = {
        let mut im = world.im();
        let Some(account) = im.accounts.get_mut(user) else { return };
        let all = std::mem::take(&mut account.platforms);
        let leaves = |on: &String| how.platform.as_ref().is_none_or(|platform| platform == on);
        let (gone, left): (Vec<String>, Vec<String>) = all.into_iter().partition(leaves);
        account.platforms = left.into_iter().collect();
        account.online = !account.platforms.is_empty();
        account.push = how.push;
        gone
    };
    let (action, reason) = if how.lost { ("Disconnect", "LinkClose") } else { ("Logout", "Unregister") };
    for platform in gone {
        tell_state(world, user, &platform, action, reason, &[]);
    }
}

/// `State.StateChange` (§6.7), where it is switched on.
pub(super) fn tell_state(
    world: &Arc<World>,
    user: &str,
    platform: &str,
    action: &str,
    reason: &str,
    kicked: &[&str],
) {
    let mut body = json!({"EventTime": world.clock.now_ms(),
        "Info": {"Action": action, "To_Account": user, "Reason": reason}});
    if !kicked.is_empty() {
        body["KickedDevice"] = kicked.iter().map(|platform| json!({"Platform": platform})).collect();
    }
    callbacks::tell(world, "State.StateChange", platform, body);
}

/// Takes an own message back; a client may do that for two minutes.
pub(crate) fn recall(world: &Arc<World>, user: &str, to: &str, key: &str) -> Result<(), Refused> {
    let sent = {
        let im = world.im();
        im.messages.iter().find(|m| m.from == user && m.to == to && m.key == key).map(|m| m.time)
    };
    if sent.is_some_and(|sent| world.clock.now_s() - sent > 120) {
        return Err(Refused::new(20016));
    }
    chats::withdraw(world, user, to, key, "Web")
}

/// What came for a user from position `after` on, and where to ask next.
pub(crate) fn received(world: &World, user: &str, after: usize) -> (usize, Vec<Value>) {
    let im = world.im();
    let came = im.messages.iter().enumerate().skip(after).filter(|(_, m)| m.to == user && m.seen_by_to);
    (im.messages.len(), came.map(|(_, m)| show(m)).collect())
}

/// Sends as a client does: the same checks of the body, webhooks with `OptPlatform=Web`.
pub(crate) async fn send(world: &Arc<World>, user: &str, message: ClientMessage) -> Result<Sent, Refused> {
    sendmsg::check_body(&message.body)?;
    let draft = {
        let mut im = world.im();
        let sender = im.accounts.entry(user.to_owned()).or_default();
        sender.online = true;
        if sender.platforms.is_empty() {
            sender.platforms.insert("Web".to_owned());
        }
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
            before: !message.no_hooks,
            after: !message.no_hooks,
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

/// Everybody with a desk: name, whether online, unread messages.
pub(crate) fn all(world: &World, is_ghost: impl Fn(&str) -> bool) -> Value {
    let im = world.im();
    let agent = |user: &String| !im.config.admins.contains(user) && !is_ghost(user);
    im.accounts
        .iter()
        .filter(|(user, _)| agent(user))
        .map(|(user, account)| json!({"user": user, "online": account.online, "unread": im.unread(user)}))
        .collect()
}

/// The chats of one user without their messages, newest last.
pub(crate) fn conversations(world: &World, user: &str) -> Value {
    struct Seen<'a> {
        at: usize,
        count: usize,
        unread: usize,
        last: &'a Message,
    }
    let im = world.im();
    let read = im.accounts.get(user).map(|account| &account.read_up_to);
    let mut chats: std::collections::HashMap<&str, Seen<'_>> = std::collections::HashMap::new();
    for (n, message) in im.messages.iter().enumerate() {
        let (mine, theirs) = (message.from == user, message.to == user);
        let seen = (mine && message.seen_by_from) || (theirs && message.seen_by_to);
        if !seen {
            continue;
        }
        let peer = if mine { message.to.as_str() } else { message.from.as_str() };
        let chat = chats.entry(peer).or_insert(Seen { at: n, count: 0, unread: 0, last: message });
        (chat.at, chat.last) = (n, message);
        chat.count += 1;
        let up_to = read.and_then(|read| read.get(peer)).copied().unwrap_or(0);
        chat.unread += usize::from(theirs && !message.online_only && !message.recalled && n >= up_to);
    }
    let mut chats: Vec<(&str, Seen<'_>)> = chats.into_iter().collect();
    chats.sort_by_key(|(_, chat)| chat.at);
    let told = |(peer, chat): &(&str, Seen<'_>)| {
        let account = im.accounts.get(*peer);
        json!({"peer": peer, "nick": account.map(|a| a.nick.as_str()).unwrap_or_default(),
               "face_url": account.map(|a| a.face_url.as_str()).unwrap_or_default(),
               "exists": account.is_some(), "unread": chat.unread, "count": chat.count,
               "last": show(chat.last)})
    };
    chats.iter().map(told).collect()
}

/// One chat's messages after the first `after`, and the keys of those that were taken back.
pub(crate) fn messages(world: &World, user: &str, peer: &str, after: usize) -> Value {
    let im = world.im();
    let (mut fresh, mut recalled, mut total) = (Vec::new(), Vec::new(), 0);
    for (_, message) in im.chat(user, peer) {
        total += 1;
        if total > after {
            fresh.push(show(message));
        }
        if message.recalled {
            recalled.push(message.key.as_str());
        }
    }
    json!({"total": total, "messages": fresh, "recalled": recalled})
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
           "online_only": message.online_only, "recalled": message.recalled,
           "cloud_custom_data": message.cloud_custom_data})
}

/// The user has read the chat with a peer.
pub(crate) fn read(world: &Arc<World>, user: &str, peer: &str) {
    let now = world.clock.now_s();
    chats::mark_read(world, user, peer, now, "Web");
}
