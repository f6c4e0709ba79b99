//! `openim/sendmsg` (§4.1): type checks, parties, size; then the message goes its way (`deliver.rs`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Done;
use super::deliver::{self, Draft, Sent};
use super::{Refused, body_text, ok};
use crate::world::World;

/// The longest packet, in bytes (§4.9).
const PACKET_LIMIT: usize = 12_288;

pub(super) async fn send(world: &Arc<World>, admin: &str, request: &Value, body_len: usize) -> Done {
    let draft = match draft(world, admin, request, body_len) {
        Ok(draft) => draft,
        Err(refused) => {
            let essentials = json!({"from": request.get("From_Account"), "to": request.get("To_Account")});
            return Done::new(Err(refused), essentials);
        }
    };
    let mut essentials = json!({"from": draft.from, "to": draft.to, "seq": draft.seq, "random": draft.random,
        "text": body_text(&draft.body), "cloud_custom_data": draft.cloud_custom_data});
    let answer = deliver::deliver(world, draft).await.map(|Sent { key, time, duplicate, .. }| {
        essentials["msg_key"] = key.as_str().into();
        essentials["duplicate"] = duplicate.into();
        let mut answer = ok();
        answer["MsgTime"] = time.into();
        answer["MsgKey"] = key.into();
        answer
    });
    Done::new(answer, essentials)
}

fn draft(world: &World, admin: &str, request: &Value, body_len: usize) -> Result<Draft, Refused> {
    let refuse = |code| Err(Refused::new(code));
    if body_len > PACKET_LIMIT {
        return refuse(93000);
    }
    let to = match request.get("To_Account") {
        Some(Value::String(to)) if !to.is_empty() => to.clone(),
        _ => return refuse(90003),
    };
    let from = match request.get("From_Account") {
        None => admin.to_owned(),
        Some(Value::String(from)) if !from.is_empty() => from.clone(),
        Some(_) => return refuse(90008),
    };
    let random = number(request.get("MsgRandom")).flatten().ok_or_else(|| Refused::new(90005))?;
    let seq = number(request.get("MsgSeq")).ok_or_else(|| Refused::new(90004))?;
    if request.get("MsgTimeStamp").is_some_and(|time| !time.is_u64()) {
        return refuse(90006);
    }
    if request.get("MsgLifeTime").is_some_and(|life| !life.is_u64()) {
        return refuse(90044);
    }
    let sync = request.get("SyncOtherMachine");
    if sync.is_some_and(|sync| !sync.is_u64()) {
        return refuse(90031);
    }
    if request.get("OfflinePushInfo").is_some_and(|push| !is_push_info(push)) {
        return refuse(90043);
    }
    let body = request.get("MsgBody").cloned().unwrap_or_default();
    check_body(&body)?;
    let forbidden = |name: &str| {
        let list = request.get("ForbidCallbackControl").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|word| word == name))
    };
    if let Some(custom) = request.get("CloudCustomData")
        && !custom.is_string()
    {
        return refuse(90001);
    }
    let is = |name: &str, n: u64| request.get(name).and_then(Value::as_u64) == Some(n);
    let im = world.im();
    if !im.accounts.contains_key(&from) {
        return refuse(20003);
    }
    if !im.accounts.contains_key(&to) {
        return refuse(90012);
    }
    Ok(Draft {
        from,
        to,
        // Omitted: the server takes a random one, and the order within a second is left to chance.
        seq: seq.unwrap_or_else(|| world.chance.u32()),
        random,
        body,
        cloud_custom_data: request.get("CloudCustomData").and_then(Value::as_str).map(str::to_owned),
        online_only: is("OnlineOnlyFlag", 1) || is("MsgLifeTime", 0),
        hidden_from_sender: is("SyncOtherMachine", 2),
        platform: "RESTAPI",
        before: !forbidden("ForbidBeforeSendMsgCallback"),
        after: im.config.echo_forbidden || !forbidden("ForbidAfterSendMsgCallback"),
        send_msg_result: 0,
    })
}

/// `Some(None)` when absent, `None` when it is there and no u32.
fn number(value: Option<&Value>) -> Option<Option<u32>> {
    match value {
        None => Some(None),
        Some(value) => value.as_u64().and_then(|n| u32::try_from(n).ok()).map(Some),
    }
}

/// §5.4: texts where texts belong, numbers where numbers do, everything optional.
fn is_push_info(push: &Value) -> bool {
    let well_formed = |object: &Value, numbers: &[&str], objects: &[&str]| {
        object.as_object().is_some_and(|fields| {
            fields.iter().all(|(name, value)| match name.as_str() {
                name if numbers.contains(&name) => value.is_u64(),
                name if objects.contains(&name) => value.is_object(),
                _ => value.is_string(),
            })
        })
    };
    let numbers = ["VIVOClassification", "ExtAsHuaweiIntentParam", "BadgeMode", "MutableContent"];
    well_formed(push, &["PushFlag"], &["AndroidInfo", "ApnsInfo"])
        && ["AndroidInfo", "ApnsInfo"]
            .iter()
            .all(|name| push.get(name).is_none_or(|info| well_formed(info, &numbers, &[])))
}

/// §5: an array of `{"MsgType": String, "MsgContent": Object}`, at most one custom element.
pub(super) fn check_body(body: &Value) -> Result<(), Refused> {
    let Some(elements) = body.as_array() else { return Err(Refused::new(90007)) };
    if elements.is_empty() {
        return Err(Refused::new(90002));
    }
    let mut custom = 0;
    for element in elements {
        let (Some(msg_type), Some(content)) =
            (element["MsgType"].as_str(), element["MsgContent"].as_object())
        else {
            return Err(Refused::new(90002));
        };
        let good = match msg_type {
            "TIMTextElem" => content.get("Text").is_some_and(Value::is_string),
            "TIMCustomElem" => {
                custom += 1;
                custom == 1
            }
            "TIMLocationElem" | "TIMFaceElem" | "TIMSoundElem" | "TIMImageElem" | "TIMFileElem"
            | "TIMVideoFileElem" | "TIMRelayElem" => true,
            _ => false,
        };
        if !good {
            return Err(Refused::new(90010));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offline_push_has_texts_numbers_and_two_objects() {
        let full = json!({"PushFlag": 0, "Title": "t", "Desc": "d", "Ext": "{}", "AndroidInfo": {"Sound": "a.mp3", "VIVOClassification": 1},
            "ApnsInfo": {"BadgeMode": 1, "Title": "t", "MutableContent": 1}});
        assert!(is_push_info(&full) && is_push_info(&json!({})));
        for wrong in [
            json!("text"),
            json!({"PushFlag": "0"}),
            json!({"Title": 1}),
            json!({"AndroidInfo": "x"}),
            json!({"ApnsInfo": {"BadgeMode": "1"}}),
        ] {
            assert!(!is_push_info(&wrong), "{wrong}");
        }
    }

    #[test]
    fn bodies_of_the_wrong_shape_have_their_codes() {
        let code = |body: Value| check_body(&body).err().map(|refused| refused.code);
        let text = json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "你好"}});
        let custom = json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": "{}"}});
        assert_eq!(code(json!([text, custom])), None);
        assert_eq!(code(json!([custom, custom])), Some(90010));
        assert_eq!(code(text), Some(90007));
        assert_eq!(code(json!([])), Some(90002));
        assert_eq!(code(json!([{"MsgType": "TIMTextElem"}])), Some(90002));
        assert_eq!(code(json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": 1}}])), Some(90010));
        assert_eq!(code(json!([{"MsgType": "TIMSongElem", "MsgContent": {}}])), Some(90010));
    }
}
