//! `POST /cgi-bin/message/custom/send` (§7.3): a message from the account to a customer.
//!
//! Not idempotent and without a message id, as in the real cloud: two calls are two messages. `read.rs` beside it knows
//! the types of message; here it is decided whether the customer gets one.

mod read;

use serde_json::json;

use super::api::{Answer, Call, Refused};
use super::windows::Closed;
use crate::world::World;
use read::Message;

/// Carries one call out.
pub(super) fn send(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let message = call.posted().and_then(|()| Message::read(&call.body));
    let (openid, text) = message.as_ref().map_or(("", ""), |m| (m.openid.as_str(), m.text.as_str()));
    call.note("openid", openid);
    call.note("text", text);
    let message = message?;
    call.note("msg_type", message.msg_type.as_str());
    deliver(&call.world, app_id, &message)?;
    call.delivered = Some(json!({"app_id": app_id, "openid": message.openid, "via": "custom_send",
                                 "msg_type": message.msg_type, "text": message.text,
                                 "fields": message.fields}));
    Ok(Answer::Ok)
}

fn deliver(world: &World, app_id: &str, message: &Message) -> Result<(), Refused> {
    let now_ms = world.clock.now_ms();
    let mut wechat = world.wechat();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    let checked = message.check(&account.rules, &account.media, now_ms);
    let customer = account.known(&message.openid).ok_or(Refused(40003))?;
    checked?;
    if customer.blocked {
        return Err(Refused(43019));
    }
    if customer.refuses_messages {
        return Err(Refused(48002));
    }
    if !customer.follows {
        return Err(Refused(45015));
    }
    customer.windows.check(now_ms).map_err(|closed| match closed {
        Closed::Time => Refused(45015),
        Closed::Count => Refused(45047),
    })?;
    customer.windows.consume(now_ms);
    customer.exchanged_ms = Some(now_ms);
    // "Typing" ends with the message that was being typed.
    customer.typing_until_ms = 0;
    let fields = message.fields.clone();
    customer.show(now_ms, "account", "custom_send", &message.msg_type, &message.text, None).fields = fields;
    Ok(())
}
