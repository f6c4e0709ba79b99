//! `POST /cgi-bin/message/custom/typing`: "the other side is typing" (§7.4).

use serde::Deserialize;

use super::{Answer, Call, Refused};

/// How long after a message, of either side, typing may be shown.
const EXCHANGE_MS: i64 = 30_000;
/// How long it is shown, unless a message ends it.
const SHOWN_MS: i64 = 15_000;

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    touser: String,
    #[serde(default)]
    command: String,
}

pub(super) fn typing(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Asked { touser, command } = call.json()?;
    call.note("openid", touser.as_str());
    call.note("command", command.as_str());
    let now_ms = call.world.clock.now_ms();
    let mut wechat = call.world.wechat();
    let customer = wechat.accounts.get_mut(app_id).and_then(|account| account.known(&touser));
    let customer = customer.ok_or(Refused(40003))?;
    match command.as_str() {
        "Typing" if customer.exchanged_ms.is_none_or(|at| now_ms - at > EXCHANGE_MS) => Err(Refused(45080)),
        "Typing" if customer.typing_until_ms > now_ms => Err(Refused(45081)),
        "Typing" => {
            customer.typing_until_ms = now_ms + SHOWN_MS;
            Ok(Answer::Ok)
        }
        "CancelTyping" => {
            customer.typing_until_ms = 0;
            Ok(Answer::Ok)
        }
        _ => Err(Refused(45072)),
    }
}
