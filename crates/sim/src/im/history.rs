//! `openim/admin_getroammsg` (§4.7): one party's view of a chat, page by page, newest page first.

use serde_json::{Value, json};

use super::api::Done;
use super::{Message, Refused, ok};
use crate::world::World;

/// A page is also cut at about 13 KB.
const PAGE_BYTES: usize = 13 * 1024;

pub(super) fn read(world: &World, request: &Value) -> Done {
    let text = |name: &str, older: &str| {
        let value = request.get(name).or_else(|| request.get(older));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let operator = text("Operator_Account", "From_Account");
    let peer = text("Peer_Account", "To_Account");
    let essentials = json!({"operator": operator, "peer": peer, "last_msg_key": request.get("LastMsgKey")});
    Done::new(page(world, request, &operator, &peer), essentials)
}

fn page(world: &World, request: &Value, operator: &str, peer: &str) -> Result<Value, Refused> {
    let number = |name: &str| request.get(name).and_then(Value::as_i64).ok_or_else(|| Refused::new(90001));
    let (most, from, until) = (number("MaxCnt")?, number("MinTime")?, number("MaxTime")?);
    let most = usize::try_from(most).ok().filter(|most| *most > 0).ok_or_else(|| Refused::new(90001))?;
    let im = world.im();
    if !im.accounts.contains_key(operator) {
        return Err(Refused::new(90008));
    }
    if !im.accounts.contains_key(peer) {
        return Err(Refused::new(90003));
    }
    let mut chat: Vec<&Message> = im
        .chat(operator, peer)
        .map(|(_, message)| message)
        .filter(|m| !m.online_only && (from..=until).contains(&m.time))
        .collect();
    chat.sort_by_key(|m| (m.time, m.seq));
    if let Some(last) = request.get("LastMsgKey").and_then(Value::as_str).filter(|key| !key.is_empty()) {
        let at = chat.iter().position(|m| m.key == last).ok_or_else(|| Refused::new(90054))?;
        chat.truncate(at);
    }
    let mut page = Vec::new();
    let mut bytes = 0;
    for message in chat.iter().rev() {
        let item = item(message);
        bytes += item.to_string().len();
        // At least one message, so that paging always goes on.
        if page.len() == most || (bytes > PAGE_BYTES && !page.is_empty()) {
            break;
        }
        page.push(item);
    }
    page.reverse();
    let mut answer = ok();
    answer["Complete"] = u8::from(page.len() == chat.len()).into();
    answer["MsgCnt"] = page.len().into();
    let oldest = page.first().cloned().unwrap_or_default();
    answer["LastMsgTime"] = oldest.get("MsgTimeStamp").cloned().unwrap_or(json!(0));
    answer["LastMsgKey"] = oldest.get("MsgKey").cloned().unwrap_or(json!(""));
    answer["MsgList"] = page.into();
    Ok(answer)
}

fn item(message: &Message) -> Value {
    let mut item = json!({"From_Account": message.from, "To_Account": message.to, "MsgSeq": message.seq,
        "MsgRandom": message.random, "MsgTimeStamp": message.time, "MsgFlagBits": if message.recalled { 8 } else { 0 }, "IsPeerRead": 0,
        "MsgKey": message.key, "MsgBody": message.body});
    if let Some(custom) = &message.cloud_custom_data {
        item["CloudCustomData"] = custom.as_str().into();
    }
    item
}
