//! Groups, as far as a customer and several agents would share a room (§8): make one, add members, send.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Done;
use super::callbacks::{self, Asked};
use super::{Refused, body_text, ok, sendmsg};
use crate::world::World;

const TYPES: [&str; 7] = ["Private", "Work", "Public", "ChatRoom", "Meeting", "AVChatRoom", "Community"];
/// Messages per second and group; beyond it they are dropped, and the answer says so with code 0.
const RATE: usize = 40;
/// For so long the same (sender, Random) counts once, in seconds.
const SAME: i64 = 300;

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    kind: String,
    owner: Option<String>,
    members: Vec<String>,
    pub(crate) messages: Vec<GroupMessage>,
    /// The second, and how many were sent in it.
    second: (i64, usize),
}

/// One message of a group.
#[derive(Clone, Debug)]
pub(crate) struct GroupMessage {
    pub(crate) from: String,
    pub(crate) random: u32,
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) body: Value,
}

/// All groups of the app.
pub(crate) type Groups = BTreeMap<String, Group>;

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn listed(request: &Value) -> Vec<String> {
    let members = request.get("MemberList").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(|item| item["Member_Account"].as_str().map(str::to_owned)).collect()
}

/// What was said in a group, for the control endpoints; `None` if there is no such group.
pub(crate) fn messages(world: &World, id: &str) -> Option<Value> {
    let im = world.im();
    let group = im.groups.get(id)?;
    let shown = group.messages.iter().map(|m| {
        json!({"from": m.from, "seq": m.seq, "random": m.random, "time": m.time, "text": body_text(&m.body),
               "body": m.body})
    });
    Some(json!({"members": group.members, "messages": shown.collect::<Vec<_>>()}))
}

/// `create_group`.
pub(super) fn create(world: &World, request: &Value) -> Done {
    let essentials = json!({"group_id": request.get("GroupId"), "owner": request.get("Owner_Account")});
    Done::new(make(world, request), essentials)
}

fn make(world: &World, request: &Value) -> Result<Value, Refused> {
    let refuse = |code| Err(Refused::new(code));
    let (kind, name) = (text(request, "Type"), text(request, "Name"));
    if !TYPES.contains(&kind) || name.is_empty() || name.len() > 30 {
        return refuse(10004);
    }
    let owner = Some(text(request, "Owner_Account")).filter(|owner| !owner.is_empty()).map(str::to_owned);
    let mut members = listed(request);
    if members.len() > 100 {
        return refuse(10005);
    }
    let mut im = world.im();
    if owner.iter().chain(&members).any(|user| !im.accounts.contains_key(user)) {
        return refuse(10019);
    }
    let id = match text(request, "GroupId") {
        "" => format!("@TGS#_{:08x}", world.chance.u32()),
        id if id.len() > 48 || id.starts_with("@TGS#") || !id.bytes().all(|b| (0x20..=0x7e).contains(&b)) => {
            return refuse(10004);
        }
        id => id.to_owned(),
    };
    if let Some(taken) = im.groups.get(&id) {
        return refuse(if taken.owner == owner { 10025 } else { 10021 });
    }
    members.extend(owner.clone());
    members.sort();
    members.dedup();
    let group = Group { kind: kind.to_owned(), owner, members, messages: Vec::new(), second: (0, 0) };
    im.groups.insert(id.clone(), group);
    let mut answer = ok();
    answer["GroupId"] = id.into();
    Ok(answer)
}

/// `add_group_member`: 0 failed, 1 added, 2 was one already.
pub(super) fn add(world: &World, request: &Value) -> Done {
    let id = text(request, "GroupId");
    let users = listed(request);
    let essentials = json!({"group_id": id, "user_ids": users});
    let mut im = world.im();
    let known: Vec<bool> = users.iter().map(|user| im.accounts.contains_key(user)).collect();
    let Some(group) = im.groups.get_mut(id) else { return Done::new(Err(Refused::new(10010)), essentials) };
    let results: Vec<Value> = users
        .iter()
        .zip(known)
        .map(|(user, known)| {
            let result = match (known, group.members.contains(user)) {
                (false, _) => 0,
                (true, true) => 2,
                (true, false) => {
                    group.members.push(user.clone());
                    1
                }
            };
            json!({"Member_Account": user, "Result": result})
        })
        .collect();
    let mut answer = ok();
    answer["MemberList"] = results.into();
    Done::new(Ok(answer), essentials)
}

/// `send_group_msg`.
pub(super) async fn send(world: &Arc<World>, admin: &str, request: &Value, body_len: usize) -> Done {
    let from = request.get("From_Account").and_then(Value::as_str).unwrap_or(admin).to_owned();
    let essentials = json!({"group_id": text(request, "GroupId"), "from": from,
        "text": body_text(request.get("MsgBody").unwrap_or(&Value::Null))});
    Done::new(say(world, admin, &from, request, body_len).await, essentials)
}

async fn say(
    world: &Arc<World>,
    admin: &str,
    from: &str,
    request: &Value,
    body_len: usize,
) -> Result<Value, Refused> {
    let refuse = |code| Err(Refused::new(code));
    if body_len > 12_288 {
        return refuse(80002);
    }
    let id = text(request, "GroupId").to_owned();
    let random = request.get("Random").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let Some(random) = random else { return refuse(10004) };
    let mut body = request.get("MsgBody").cloned().unwrap_or_default();
    sendmsg::check_body(&body).map_err(|_| Refused::new(10004))?;
    let kind = {
        let im = world.im();
        let Some(group) = im.groups.get(&id) else { return refuse(10010) };
        // The admin may speak anywhere.
        if from != admin && !group.members.iter().any(|member| member == from) {
            return refuse(10007);
        }
        group.kind.clone()
    };
    let forbidden = |name: &str| {
        let list = request.get("ForbidCallbackControl").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|word| word == name))
    };
    let online_only = request.get("OnlineOnlyFlag").and_then(Value::as_u64) == Some(1);
    let told = |body: &Value| {
        json!({"GroupId": id, "Type": kind, "From_Account": from, "Operator_Account": admin, "Random": random,
               "OnlineOnlyFlag": u8::from(online_only), "MsgBody": body, "EventTime": world.clock.now_ms()})
    };
    if !forbidden("ForbidBeforeSendMsgCallback") {
        match callbacks::ask(world, "Group.CallbackBeforeSendMsg", "RESTAPI", told(&body)).await {
            Asked::Allow(rewritten) => body = rewritten.unwrap_or(body),
            Asked::Reject(code) => return refuse(code),
            Asked::Discard => return Ok(ok()),
        }
    }
    let (time, mut answer) = (world.clock.now_s(), ok());
    let seq = {
        let mut im = world.im();
        let Some(group) = im.groups.get_mut(&id) else { return refuse(10010) };
        let same = |m: &&GroupMessage| m.from == from && m.random == random && time - m.time < SAME;
        if let Some(sent) = group.messages.iter().rev().find(same) {
            answer["MsgTime"] = sent.time.into();
            answer["MsgSeq"] = sent.seq.into();
            return Ok(answer);
        }
        if group.second.0 != time {
            group.second = (time, 0);
        }
        group.second.1 += 1;
        if group.second.1 > RATE {
            answer["MsgDropReason"] = "MsgFreqCtrl".into();
            return Ok(answer);
        }
        let seq = group.messages.len() as u64 + 1;
        group.messages.push(GroupMessage { from: from.to_owned(), random, seq, time, body: body.clone() });
        seq
    };
    world.journal.write(
        "im",
        "delivered",
        json!({"from": from, "to": id, "group": true, "seq": seq, "random": random, "time": time,
               "text": body_text(&body), "body": body}),
    );
    if !forbidden("ForbidAfterSendMsgCallback") {
        let mut after = told(&body);
        after["MsgSeq"] = seq.into();
        after["MsgTime"] = time.into();
        callbacks::tell(world, "Group.CallbackAfterSendMsg", "RESTAPI", after);
    }
    answer["MsgTime"] = time.into();
    answer["MsgSeq"] = seq.into();
    Ok(answer)
}
