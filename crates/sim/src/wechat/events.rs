//! Events (§3.3): what each has in its document, so that a test names the event and nothing else.

use serde_json::{Map, Value, json};

use super::SYSTEM_SENDER;
use crate::chance::Chance;

/// What an event says when nothing else is asked for; `None` for an unknown one, which is pushed with its name alone.
pub(crate) fn body(event: &str, openid: &str, app_id: &str, now_s: i64, chance: &Chance) -> Option<Value> {
    let ticket = || format!("gQ{}", chance.hex(40));
    let job = || chance.u64() % 1_000_000_000;
    let user = || json!({"OpenID": openid, "AppID": app_id});
    let body = match event {
        "subscribe" | "unsubscribe" => json!({"EventKey": ""}),
        "SCAN" => json!({"EventKey": "shop_12", "Ticket": ticket()}),
        "LOCATION" => {
            json!({"Latitude": "31.230416", "Longitude": "121.473701", "Precision": "65.000000"})
        }
        "CLICK" => json!({"EventKey": "CALL_AGENT"}),
        "VIEW" => json!({"EventKey": "https://shop.example.com", "MenuId": 442_570_109}),
        "view_miniprogram" => json!({"EventKey": "pages/index/index", "MenuId": 442_570_109}),
        "scancode_push" | "scancode_waitmsg" => {
            json!({"EventKey": "SCAN_ORDER", "ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "ORDER-9"}})
        }
        "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => {
            let item = json!({"PicMd5Sum": chance.hex(32)});
            json!({"EventKey": "PICS", "SendPicsInfo": {"Count": 1, "PicList": {"item": [item]}}})
        }
        "location_select" => {
            json!({"EventKey": "WHERE", "SendLocationInfo": {"Location_X": "31.230416",
                   "Location_Y": "121.473701", "Scale": "16", "Label": "上海市黄浦区人民大道", "Poiname": ""}})
        }
        "TEMPLATESENDJOBFINISH" => json!({"MsgID": job(), "Status": "success"}),
        "MASSSENDJOBFINISH" => {
            json!({"MsgID": job(), "Status": "send success", "TotalCount": 100, "FilterCount": 80,
                   "SentCount": 75, "ErrorCount": 5,
                   "CopyrightCheckResult": {"Count": 0, "ResultList": "", "CheckState": 1},
                   "ArticleUrlResult": {"Count": 0, "ResultList": ""}})
        }
        "FREEPUBLISHJOBFINISH" => {
            json!({"PublishEventInfo": {"publish_id": job(), "publish_status": 0, "article_id": chance.hex(32),
                   "article_detail": {"count": 1, "item": [{"idx": 1,
                   "article_url": "https://mp.weixin.qq.com/s/x"}]}}})
        }
        "kf_create_session" | "kf_close_session" => json!({"KfAccount": "agent01@myshop"}),
        "kf_switch_session" => json!({"FromKfAccount": "agent01@myshop", "ToKfAccount": "agent02@myshop"}),
        "subscribe_msg_popup_event" => {
            json!({"SubscribeMsgPopupEvent": {"List": [{"TemplateId": "T1",
                   "SubscribeStatusString": "accept", "PopupScene": 2}]}})
        }
        "subscribe_msg_change_event" => {
            json!({"SubscribeMsgChangeEvent": {"List": [{"TemplateId": "T1",
                   "SubscribeStatusString": "reject"}]}})
        }
        "subscribe_msg_sent_event" => {
            json!({"SubscribeMsgSentEvent": {"List": [{"TemplateId": "T1",
                   "MsgID": 1_700_827_132_819_554_304_u64, "ErrorCode": 0, "ErrorStatus": "success"}]}})
        }
        "user_info_modified" => user(),
        "user_authorization_revoke" | "user_authorization_cancellation" => {
            let mut body = user();
            body["RevokeInfo"] = "301".into();
            body
        }
        "qualification_verify_success" | "naming_verify_success" | "annual_renew" | "verify_expired" => {
            json!({"ExpiredTime": now_s + 30 * 86_400})
        }
        "qualification_verify_fail" | "naming_verify_fail" => {
            json!({"FailTime": now_s, "FailReason": "by time"})
        }
        "user_get_card" => json!({"CardId": "CARD1", "IsGiveByFriend": 0, "UserCardCode": "12312312"}),
        _ => return None,
    };
    Some(body)
}

/// Who sends the events that no customer causes.
pub(crate) fn system_sender(event: &str) -> Option<&'static str> {
    let system = [
        "MASSSENDJOBFINISH",
        "FREEPUBLISHJOBFINISH",
        "qualification_verify_success",
        "qualification_verify_fail",
        "naming_verify_success",
        "naming_verify_fail",
        "annual_renew",
        "verify_expired",
    ];
    system.contains(&event).then_some(SYSTEM_SENDER)
}

/// The fields of an event, those of `given` over the usual ones (`null` takes one out). In JSON accounts the
/// `subscribe_msg_*` events have no wrapper.
pub(crate) fn fields(
    event: &str,
    usual: Option<Value>,
    given: Map<String, Value>,
    json: bool,
) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("MsgType".into(), "event".into());
    fields.insert("Event".into(), event.into());
    let Value::Object(usual) = usual.unwrap_or_default() else {
        fields.extend(given);
        return fields;
    };
    for (name, value) in usual {
        match value {
            Value::Object(wrapped) if json && name.starts_with("SubscribeMsg") => fields.extend(wrapped),
            value => {
                fields.insert(name, value);
            }
        }
    }
    fields.extend(given);
    fields
}
