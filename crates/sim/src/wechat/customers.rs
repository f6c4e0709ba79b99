//! What customers do: follow, write, tap, leave. Each of it shows in the chat, opens a window and starts a push.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::document::Content;
use super::windows::Action;
use super::{Push, Report, push};
use crate::world::World;

/// A push under way: its id at once, its report later.
pub(crate) type Started = (String, JoinHandle<Report>);

/// The customer follows. `fields` may add `EventKey` and `Ticket`.
pub(crate) fn follow(world: &Arc<World>, app_id: &str, openid: &str, scene: Option<&str>) -> Option<Started> {
    let mut fields = event("subscribe");
    if let Some(scene) = scene {
        fields.insert("EventKey".into(), format!("qrscene_{scene}").into());
        fields.insert("Ticket".into(), format!("gQ{}", world.chance.hex(40)).into());
    }
    act(world, app_id, openid, fields)
}

/// The customer leaves.
pub(crate) fn unfollow(world: &Arc<World>, app_id: &str, openid: &str) -> Option<Started> {
    act(world, app_id, openid, event("unsubscribe"))
}

/// The customer writes.
pub(crate) fn say(world: &Arc<World>, app_id: &str, openid: &str, text: &str) -> Option<Started> {
    let mut fields = Map::new();
    fields.insert("MsgType".into(), "text".into());
    fields.insert("Content".into(), text.into());
    act(world, app_id, openid, fields)
}

fn event(name: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("MsgType".into(), "event".into());
    fields.insert("Event".into(), name.into());
    fields
}

/// Any message or event: header fields that are not given are added. `None` when there is no such account.
pub(crate) fn act(
    world: &Arc<World>,
    app_id: &str,
    openid: &str,
    given: Map<String, Value>,
) -> Option<Started> {
    let now_ms = world.clock.now_ms();
    let text_of = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (msg_type, event) = (text_of("MsgType"), text_of("Event"));
    let is_event = msg_type == "event";
    let push = {
        let mut wechat = world.wechat();
        let msg_id = wechat.next_msg_id();
        let account = wechat.accounts.get_mut(app_id)?;
        let mut fields: Vec<(String, Value)> = vec![
            ("ToUserName".into(), account.config.gh_id.as_str().into()),
            ("FromUserName".into(), openid.into()),
            ("CreateTime".into(), now_ms.div_euclid(1000).into()),
        ];
        if !is_event && !given.contains_key("MsgId") {
            fields.push(("MsgId".into(), msg_id.into()));
        }
        fields.retain(|(name, _)| !given.contains_key(name));
        fields.extend(given.clone());
        // A field given as null is left out, so that a test can send a message without its MsgId.
        fields.retain(|(_, value)| !value.is_null());
        let id = match fields.iter().find(|(name, _)| name == "MsgId") {
            Some((_, Value::String(id))) => id.clone(),
            Some((_, id)) => id.to_string(),
            None => format!("e{msg_id}"),
        };
        let customer = account.customer(openid);
        let shown = if is_event { event.clone() } else { text_of("Content") };
        let via = if is_event { "event" } else { "said" };
        customer.show(now_ms, "customer", via, &msg_type, &shown, Some(id.clone()));
        match event.to_ascii_lowercase().as_str() {
            "unsubscribe" => {
                customer.follows = false;
                customer.windows.clear();
            }
            "subscribe" => {
                customer.begins_to_follow(now_ms);
                customer.windows.grant(Action::Follow, now_ms);
            }
            "scan" => customer.windows.grant(Action::Scan, now_ms),
            "click" | "scancode_push" | "scancode_waitmsg" => customer.windows.grant(Action::Menu, now_ms),
            _ if !is_event => {
                // Somebody who writes follows; tests need not say so first.
                customer.begins_to_follow(now_ms);
                customer.windows.grant(Action::Message, now_ms);
            }
            _ => {}
        }
        let what = if is_event { format!("event:{event}") } else { msg_type };
        Push { app_id: app_id.into(), openid: openid.into(), id, what, content: Content::Fields(fields) }
    };
    let said = json!({"app_id": app_id, "openid": openid, "msg_id": push.id, "what": push.what,
                      "text": text_of("Content")});
    world.journal.write("wechat", "said", said);
    Some(start(world, push))
}

/// A document word for word, signed and sealed as the account's mode wants it. Opens no window.
pub(crate) fn send_document(
    world: &Arc<World>,
    app_id: &str,
    openid: &str,
    document: Vec<u8>,
) -> Option<Started> {
    let id = {
        let mut wechat = world.wechat();
        wechat.accounts.get(app_id)?;
        format!("d{}", wechat.next_msg_id())
    };
    let push = Push {
        app_id: app_id.into(),
        openid: openid.into(),
        id,
        what: "document".into(),
        content: Content::Verbatim(document),
    };
    world.journal.write(
        "wechat",
        "said",
        json!({"app_id": app_id, "openid": openid, "msg_id": push.id, "what": push.what}),
    );
    Some(start(world, push))
}

fn start(world: &Arc<World>, push: Push) -> Started {
    (push.id.clone(), tokio::spawn(push::run(world.clone(), push)))
}
