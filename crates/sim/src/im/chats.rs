//! What is done to chats besides sending one message: many at once, old ones brought in, recall, read marks, unread
//! counts, edits (§4.3 to §4.9).

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Done;
use super::{Message, Refused, body_text, callbacks, ok, sendmsg};
use crate::world::World;

/// The longest packet, in bytes (§4.9).
const PACKET_LIMIT: usize = 12_288;
/// Most recipients of one `batchsendmsg`, and of all in a minute.
const BATCH: usize = 500;
const BATCH_MINUTE: usize = 12_000;

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn u32_of(request: &Value, name: &str) -> Option<u32> {
    request.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
}

/// `batchsendmsg` (§4.3): no webhooks, a partial failure is `SomeError` with code 0.
pub(super) fn send_many(world: &World, admin: &str, request: &Value, body_len: usize) -> Done {
    let from = request.get("From_Account").and_then(Value::as_str).unwrap_or(admin).to_owned();
    let essentials = json!({"from": from, "to": request.get("To_Account"),
        "text": body_text(request.get("MsgBody").unwrap_or(&Value::Null))});
    Done::new(batch(world, &from, request, body_len), essentials)
}

fn batch(world: &World, from: &str, request: &Value, body_len: usize) -> Result<Value, Refused> {
    let refuse = |code| Err(Refused::new(code));
    if body_len > PACKET_LIMIT {
        return refuse(90055);
    }
    let Some(to) = request.get("To_Account").and_then(Value::as_array) else { return refuse(90028) };
    if to.is_empty() {
        return refuse(90029);
    }
    if to.len() > BATCH {
        return refuse(90011);
    }
    let Some(to) = to.iter().map(Value::as_str).collect::<Option<Vec<&str>>>() else { return refuse(90003) };
    let Some(random) = u32_of(request, "MsgRandom") else { return refuse(90005) };
    let seq = match request.get("MsgSeq") {
        None => world.chance.u32(),
        Some(_) => u32_of(request, "MsgSeq").ok_or_else(|| Refused::new(90004))?,
    };
    let body = request.get("MsgBody").cloned().unwrap_or_default();
    sendmsg::check_body(&body)?;
    let mut im = world.im();
    if !im.accounts.contains_key(from) {
        return refuse(90008);
    }
    let minute = world.clock.now_ms().div_euclid(60_000);
    if im.batched.0 != minute {
        im.batched = (minute, 0);
    }
    if im.batched.1 + to.len() > BATCH_MINUTE {
        return refuse(90057);
    }
    im.batched.1 += to.len();
    let time = world.clock.now_s();
    let key = format!("{seq}_{random}_{time}");
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        to.iter().partition(|user| im.accounts.contains_key(**user));
    if known.is_empty() {
        return refuse(90012);
    }
    let custom = request.get("CloudCustomData").and_then(Value::as_str).map(str::to_owned);
    for user in &known {
        im.messages.push(Message {
            from: from.to_owned(),
            to: (*user).to_owned(),
            seq,
            random,
            time,
            key: key.clone(),
            body: body.clone(),
            cloud_custom_data: custom.clone(),
            online_only: false,
            recalled: false,
            seen_by_from: request.get("SyncOtherMachine").and_then(Value::as_u64) != Some(2),
            seen_by_to: true,
        });
    }
    drop(im);
    for user in &known {
        world.chat_gets(
            json!({"from": from, "to": user, "msg_key": key, "seq": seq, "random": random, "time": time,
                   "platform": "RESTAPI", "text": body_text(&body), "body": body, "online_only": false,
                   "cloud_custom_data": custom}),
        );
    }
    let mut answer = ok();
    answer["MsgKey"] = key.into();
    if !unknown.is_empty() {
        answer["ActionStatus"] = "SomeError".into();
        answer["ErrorList"] =
            unknown.iter().map(|user| json!({"To_Account": user, "ErrorCode": 70107})).collect();
    }
    Ok(answer)
}

/// `importmsg` (§4.8): no webhooks; the same (seq, random, time) in a conversation counts once.
pub(super) fn import(world: &World, request: &Value) -> Done {
    let (from, to) = (text(request, "From_Account").to_owned(), text(request, "To_Account").to_owned());
    let essentials = json!({"from": from, "to": to, "seq": request.get("MsgSeq"),
        "random": request.get("MsgRandom"), "text": body_text(request.get("MsgBody").unwrap_or(&Value::Null))});
    Done::new(bring_in(world, &from, &to, request), essentials)
}

fn bring_in(world: &World, from: &str, to: &str, request: &Value) -> Result<Value, Refused> {
    let refuse = |code| Err(Refused::new(code));
    let read = match request.get("SyncFromOldSystem").and_then(Value::as_u64) {
        Some(2) => true,
        Some(5) => false,
        _ => return refuse(90030),
    };
    let Some(random) = u32_of(request, "MsgRandom") else { return refuse(90005) };
    let Some(time) = request.get("MsgTimeStamp").and_then(Value::as_i64) else { return refuse(90006) };
    let seq = u32_of(request, "MsgSeq").unwrap_or_else(|| world.chance.u32());
    let body = request.get("MsgBody").cloned().unwrap_or_default();
    sendmsg::check_body(&body)?;
    let mut im = world.im();
    if !im.accounts.contains_key(from) {
        return refuse(90008);
    }
    if !im.accounts.contains_key(to) {
        return refuse(90012);
    }
    let same = |m: &Message| {
        (m.seq, m.random, m.time) == (seq, random, time)
            && ((m.from == from && m.to == to) || (m.from == to && m.to == from))
    };
    if !im.messages.iter().any(same) {
        im.messages.push(Message {
            from: from.to_owned(),
            to: to.to_owned(),
            seq,
            random,
            time,
            key: format!("{seq}_{random}_{time}"),
            body,
            cloud_custom_data: request.get("CloudCustomData").and_then(Value::as_str).map(str::to_owned),
            online_only: false,
            recalled: false,
            seen_by_from: true,
            seen_by_to: true,
        });
        let all = im.messages.len();
        if read && let Some(account) = im.accounts.get_mut(to) {
            let up_to = account.read_up_to.entry(from.to_owned()).or_default();
            // Nothing unread before it stays unread for its sake.
            *up_to = if *up_to + 1 >= all { all } else { *up_to };
        }
    }
    Ok(ok())
}

/// `admin_msgwithdraw` (§4.4): no limit of time, unlike a client's recall.
pub(super) fn recall(world: &Arc<World>, request: &Value) -> Done {
    let (from, to, key) =
        (text(request, "From_Account"), text(request, "To_Account"), text(request, "MsgKey"));
    let essentials = json!({"from": from, "to": to, "msg_key": key});
    Done::new(withdraw(world, from, to, key, "RESTAPI").map(|()| ok()), essentials)
}

/// Takes a message back, and tells of it.
pub(super) fn withdraw(
    world: &Arc<World>,
    from: &str,
    to: &str,
    key: &str,
    platform: &str,
) -> Result<(), Refused> {
    let refuse = |code| Err(Refused::new(code));
    if from.is_empty() {
        return refuse(90008);
    }
    if to.is_empty() {
        return refuse(90003);
    }
    if key.split('_').count() != 3 || !key.split('_').all(|part| part.parse::<u64>().is_ok()) {
        return refuse(90054);
    }
    let unread = {
        let mut im = world.im();
        let found = im.messages.iter_mut().find(|m| m.from == from && m.to == to && m.key == key);
        match found {
            None => return refuse(20022),
            Some(message) if message.recalled => return refuse(20023),
            Some(message) => message.recalled = true,
        }
        im.unread(to)
    };
    world.journal.write("im", "recalled", json!({"from": from, "to": to, "msg_key": key}));
    let body = json!({"From_Account": from, "To_Account": to, "MsgKey": key, "UnreadMsgNum": unread});
    callbacks::tell(world, "C2C.CallbackAfterMsgWithDraw", platform, body);
    Ok(())
}

/// `admin_set_msg_read` (§4.5); the time may be a number or a text.
pub(super) fn set_read(world: &Arc<World>, request: &Value) -> Done {
    let (user, peer) = (text(request, "Report_Account"), text(request, "Peer_Account"));
    let essentials = json!({"user_id": user, "peer": peer});
    let until = match request.get("MsgReadTime") {
        None => Some(world.clock.now_s()),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    let known = |user: &str| world.im().accounts.contains_key(user);
    let answer = match until {
        None => Err(Refused::new(90001)),
        Some(_) if !known(user) => Err(Refused::new(90008)),
        Some(_) if !known(peer) => Err(Refused::new(90003)),
        Some(until) => {
            mark_read(world, user, peer, until, "RESTAPI");
            Ok(ok())
        }
    };
    Done::new(answer, essentials)
}

/// The user has read what the peer wrote until then, and IM tells of it.
pub(super) fn mark_read(world: &Arc<World>, user: &str, peer: &str, until: i64, platform: &str) {
    let unread = {
        let mut im = world.im();
        let later = im.messages.iter().position(|m| m.from == peer && m.to == user && m.time > until);
        let up_to = later.unwrap_or(im.messages.len());
        if let Some(account) = im.accounts.get_mut(user) {
            let marked = account.read_up_to.entry(peer.to_owned()).or_default();
            *marked = (*marked).max(up_to);
        }
        im.unread(user)
    };
    let body = json!({"Report_Account": user, "Peer_Account": peer, "LastReadTime": until,
                      "UnreadMsgNum": unread});
    callbacks::tell(world, "C2C.CallbackAfterMsgReport", platform, body);
}

/// `get_c2c_unread_msg_num` (§4.6).
pub(super) fn unread(world: &World, request: &Value) -> Done {
    let user = text(request, "To_Account").to_owned();
    let essentials = json!({"user_id": user});
    let im = world.im();
    if !im.accounts.contains_key(&user) {
        return Done::new(Err(Refused::new(90048)), essentials);
    }
    let mut answer = ok();
    match request.get("Peer_Account").and_then(Value::as_array) {
        None => answer["AllC2CUnreadMsgNum"] = im.unread(&user).into(),
        Some(peers) if peers.len() > 10 => return Done::new(Err(Refused::new(90011)), essentials),
        Some(peers) => {
            let (mut counts, mut errors) = (Vec::new(), Vec::new());
            for peer in peers.iter().filter_map(Value::as_str) {
                if im.accounts.contains_key(peer) {
                    let count = im.unread_from(&user, peer);
                    counts.push(json!({"Peer_Account": peer, "C2CUnreadMsgNum": count}));
                } else {
                    errors.push(json!({"Peer_Account": peer, "ErrorCode": 70107}));
                }
            }
            answer["C2CUnreadMsgNumList"] = counts.into();
            answer["ErrorList"] = errors.into();
        }
    }
    Done::new(Ok(answer), essentials)
}

/// `modify_c2c_msg` (§4.9).
pub(super) fn modify(world: &World, request: &Value) -> Done {
    let (from, to, key) =
        (text(request, "From_Account"), text(request, "To_Account"), text(request, "MsgKey"));
    let essentials = json!({"from": from, "to": to, "msg_key": key});
    let body = request.get("MsgBody").cloned();
    if let Some(Err(refused)) = body.as_ref().map(sendmsg::check_body) {
        return Done::new(Err(refused), essentials);
    }
    let mut im = world.im();
    let found = im.messages.iter_mut().find(|m| m.from == from && m.to == to && m.key == key);
    let Some(message) = found else { return Done::new(Err(Refused::new(20022)), essentials) };
    message.body = body.unwrap_or_else(|| message.body.clone());
    if let Some(custom) = request.get("CloudCustomData").and_then(Value::as_str) {
        message.cloud_custom_data = Some(custom.to_owned());
    }
    Done::new(Ok(ok()), essentials)
}
