//! What customers do: follow, write, tap, leave. Each of it shows in the chat, opens a window and starts a push.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::document::Content;
use super::messages::Message;
use super::rules::{AccountKind, MenuMessage, WindowRule};
use super::windows::Action;
use super::{Customer, Push, Report, SYSTEM_SENDER, events, push};
use crate::config::Format;
use crate::world::World;

/// A push under way: its id at once, its report later.
pub(crate) type Started = (String, JoinHandle<Report>);

/// How long WeChat's own agents keep a customer, unless the session is closed before (§5.3).
const SERVED_MS: i64 = 30 * 60_000;

/// The customer follows, by a parametric QR code if there is a scene.
pub(crate) fn follow(world: &Arc<World>, app_id: &str, openid: &str, scene: Option<&str>) -> Option<Started> {
    let mut fields = bare("subscribe");
    if let Some(scene) = scene {
        fields.insert("EventKey".into(), format!("qrscene_{scene}").into());
        fields.insert("Ticket".into(), format!("gQ{}", world.chance.hex(40)).into());
    }
    act(world, app_id, openid, fields)
}

/// The customer leaves.
pub(crate) fn unfollow(world: &Arc<World>, app_id: &str, openid: &str) -> Option<Started> {
    act(world, app_id, openid, bare("unsubscribe"))
}

/// The customer writes.
pub(crate) fn say(world: &Arc<World>, app_id: &str, openid: &str, text: &str) -> Option<Started> {
    let mut fields = Map::new();
    fields.insert("MsgType".into(), "text".into());
    fields.insert("Content".into(), text.into());
    act(world, app_id, openid, fields)
}

/// The customer sends anything.
///
/// # Errors
/// In words, when the file cannot be read; `Ok(None)` when there is no such account.
pub(crate) fn send(
    world: &Arc<World>,
    app_id: &str,
    openid: &str,
    message: Message,
) -> Result<Option<Started>, String> {
    let fields = {
        let mut wechat = world.wechat();
        if !wechat.accounts.contains_key(app_id) {
            return Ok(None);
        }
        message.fields(&mut wechat, app_id, world.clock.now_ms(), &world.chance)?
    };
    Ok(act(world, app_id, openid, fields))
}

/// An event with its usual body; `given` fields go over it. Job and certification events come from the system, whoever
/// is named.
pub(crate) fn event(
    world: &Arc<World>,
    app_id: &str,
    openid: &str,
    event: &str,
    given: Map<String, Value>,
) -> Option<Started> {
    let json = world.wechat().accounts.get(app_id)?.config.format == Format::Json;
    let sender = events::system_sender(event).unwrap_or(openid);
    let usual = events::body(event, sender, app_id, world.clock.now_s(), &world.chance);
    act(world, app_id, sender, events::fields(event, usual, given, json))
}

/// The customer pays: no push of this account, but as many messages as wanted in 48 h. `None` when there is no such
/// account, `Some(false)` when it is no certified service account.
pub(crate) fn pay(world: &World, app_id: &str, openid: &str) -> Option<bool> {
    let now_ms = world.clock.now_ms();
    let mut wechat = world.wechat();
    let account = wechat.accounts.get_mut(app_id)?;
    if account.rules.kind != AccountKind::Service || !account.config.certified {
        return Some(false);
    }
    let rule = account.rules.windows;
    account.customer(openid).windows.grant(Action::Payment, rule, now_ms);
    Some(true)
}

fn bare(name: &str) -> Map<String, Value> {
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
    let mut served = false;
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
        let (windows, menu_message) = (account.rules.windows, account.rules.menu_message);
        if openid != SYSTEM_SENDER {
            let customer = account.customer(openid);
            let shown = if is_event { event.clone() } else { shown_text(&given, &msg_type) };
            let via = if is_event { "event" } else { "said" };
            let line = customer.show(now_ms, "customer", via, &msg_type, &shown, Some(id.clone()));
            line.fields = (!is_event && msg_type != "text").then(|| Value::Object(given.clone()));
            if is_event {
                customer.caused(&event, &given, windows, now_ms);
            } else {
                let tapped = given.contains_key("bizmsgmenuid") && menu_message == MenuMessage::MenuTap;
                customer.wrote(if tapped { Action::Menu } else { Action::Message }, windows, now_ms);
            }
            served = !is_event && customer.served_until_ms > now_ms;
        }
        let what = if is_event { format!("event:{event}") } else { msg_type };
        Push { app_id: app_id.into(), openid: openid.into(), id, what, content: Content::Fields(fields) }
    };
    let said = json!({"app_id": app_id, "openid": openid, "msg_id": push.id, "what": push.what,
                      "text": text_of("Content")});
    world.journal.write("wechat", "said", said);
    if served {
        // WeChat's own agents see it; the account's server hears nothing of it.
        let report =
            Report { msg_id: push.id.clone(), attempts: 0, outcome: "not_pushed".into(), reply: None };
        return Some((push.id, tokio::spawn(async { report })));
    }
    Some(start(world, push))
}

/// What stands in the chat: the text, or the type in brackets.
fn shown_text(given: &Map<String, Value>, msg_type: &str) -> String {
    match given.get("Content").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => format!("[{msg_type}]"),
    }
}

impl Customer {
    /// What an event changes.
    fn caused(&mut self, event: &str, given: &Map<String, Value>, rule: WindowRule, now_ms: i64) {
        let mut grant = |action| self.windows.grant(action, rule, now_ms);
        match event.to_ascii_lowercase().as_str() {
            "unsubscribe" => {
                self.follows = false;
                self.windows.clear();
                self.exchanged_ms = None;
                self.served_until_ms = 0;
            }
            "subscribe" => {
                grant(Action::Follow);
                let key = given.get("EventKey").and_then(Value::as_str).unwrap_or_default();
                // A follow by a parametric QR code is one action, not two.
                if let Some(scene) = key.strip_prefix("qrscene_") {
                    scene.clone_into(&mut self.scene);
                }
                self.begins_to_follow(now_ms);
            }
            "scan" => grant(Action::Scan),
            "click" | "scancode_push" | "scancode_waitmsg" => grant(Action::Menu),
            "kf_create_session" | "kf_switch_session" => self.served_until_ms = now_ms + SERVED_MS,
            "kf_close_session" => self.served_until_ms = 0,
            _ => {}
        }
    }

    /// What a message changes. Somebody who writes follows; tests need not say so first.
    fn wrote(&mut self, action: Action, rule: WindowRule, now_ms: i64) {
        self.begins_to_follow(now_ms);
        self.windows.grant(action, rule, now_ms);
        self.exchanged_ms = Some(now_ms);
    }
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
