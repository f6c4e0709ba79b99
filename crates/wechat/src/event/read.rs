//! From the fields of a push to an [`Event`]. Start at [`Event::read`].

use crate::event::{Authorization, Event, Pictures, ScanCode, TemplateChoice, TemplateResult};
use crate::fields::{Fields, Value};

impl Event {
    pub(crate) fn read(fields: &Fields) -> Event {
        let name = fields.token("Event");
        let key = || fields.string("EventKey");
        let menu_id = || fields.optional("MenuId");
        let expired_time = || fields.number("ExpiredTime");
        match name.to_ascii_lowercase().as_str() {
            "subscribe" => Event::Subscribe {
                scene: fields.token("EventKey").strip_prefix("qrscene_").map(str::to_owned),
                ticket: fields.optional("Ticket"),
            },
            "unsubscribe" => Event::Unsubscribe,
            "scan" => Event::Scan { scene: key(), ticket: fields.optional("Ticket") },
            "location" => Event::Location {
                latitude: fields.decimal("Latitude"),
                longitude: fields.decimal("Longitude"),
                precision: fields.decimal("Precision"),
            },
            "click" => Event::Click { key: key() },
            "view" => Event::View { url: key(), menu_id: menu_id() },
            "view_miniprogram" => Event::ViewMiniprogram { path: key(), menu_id: menu_id() },
            "scancode_push" => Event::ScancodePush { key: key(), scan: scan_code(fields) },
            "scancode_waitmsg" => Event::ScancodeWaitmsg { key: key(), scan: scan_code(fields) },
            "pic_sysphoto" => Event::PicSysphoto { key: key(), pictures: pictures(fields) },
            "pic_photo_or_album" => Event::PicPhotoOrAlbum { key: key(), pictures: pictures(fields) },
            "pic_weixin" => Event::PicWeixin { key: key(), pictures: pictures(fields) },
            "location_select" => location_select(fields),
            "templatesendjobfinish" => Event::TemplateSendJobFinish {
                msg_id: fields.number("MsgID"),
                status: fields.string("Status"),
            },
            "masssendjobfinish" => Event::MassSendJobFinish {
                msg_id: fields.number("MsgID"),
                status: fields.string("Status"),
                total: fields.number("TotalCount"),
                filtered: fields.number("FilterCount"),
                sent: fields.number("SentCount"),
                failed: fields.number("ErrorCount"),
            },
            "freepublishjobfinish" => freepublish(fields),
            "kf_create_session" => Event::KfCreateSession { account: fields.string("KfAccount") },
            "kf_close_session" => Event::KfCloseSession { account: fields.string("KfAccount") },
            "kf_switch_session" => Event::KfSwitchSession {
                from: fields.string("FromKfAccount"),
                to: fields.string("ToKfAccount"),
            },
            "subscribe_msg_popup_event" => Event::SubscribeMsgPopup {
                templates: list(fields, "SubscribeMsgPopupEvent").map(template_choice).collect(),
            },
            "subscribe_msg_change_event" => Event::SubscribeMsgChange {
                templates: list(fields, "SubscribeMsgChangeEvent").map(template_choice).collect(),
            },
            "subscribe_msg_sent_event" => Event::SubscribeMsgSent {
                results: list(fields, "SubscribeMsgSentEvent").map(template_result).collect(),
            },
            "user_info_modified" => Event::UserInfoModified(authorization(fields)),
            "user_authorization_revoke" => Event::UserAuthorizationRevoke(authorization(fields)),
            "user_authorization_cancellation" => Event::UserAuthorizationCancellation(authorization(fields)),
            "qualification_verify_success" => {
                Event::QualificationVerifySuccess { expired_time: expired_time() }
            }
            "qualification_verify_fail" => Event::QualificationVerifyFail {
                fail_time: fields.number("FailTime"),
                reason: fields.string("FailReason"),
            },
            "naming_verify_success" => Event::NamingVerifySuccess { expired_time: expired_time() },
            "naming_verify_fail" => Event::NamingVerifyFail {
                fail_time: fields.number("FailTime"),
                reason: fields.string("FailReason"),
            },
            "annual_renew" => Event::AnnualRenew { expired_time: expired_time() },
            "verify_expired" => Event::VerifyExpired { expired_time: expired_time() },
            _ => Event::Unknown { name: name.to_owned() },
        }
    }
}

fn scan_code(fields: &Fields) -> ScanCode {
    fields.nested("ScanCodeInfo").map_or_else(ScanCode::default, |info| ScanCode {
        scan_type: info.string("ScanType"),
        result: info.string("ScanResult"),
    })
}

fn pictures(fields: &Fields) -> Pictures {
    fields.nested("SendPicsInfo").map_or_else(Pictures::default, |info| {
        // In JSON the list stands with or without the `item` of the XML; the sums are the same.
        let mut leaves = Vec::new();
        info.leaves(&mut leaves);
        let sums = leaves.iter().filter(|(name, _)| name.eq_ignore_ascii_case("PicMd5Sum"));
        Pictures { count: info.number("Count"), md5: sums.map(|(_, sum)| sum.trim().to_owned()).collect() }
    })
}

fn location_select(fields: &Fields) -> Event {
    let none = Fields::new();
    let info = fields.nested("SendLocationInfo").unwrap_or(&none);
    Event::LocationSelect {
        key: fields.string("EventKey"),
        latitude: info.decimal("Location_X"),
        longitude: info.decimal("Location_Y"),
        scale: info.decimal("Scale"),
        label: info.string("Label"),
        poi_name: info.string("Poiname"),
    }
}

fn freepublish(fields: &Fields) -> Event {
    let none = Fields::new();
    let info = fields.nested("PublishEventInfo").unwrap_or(&none);
    let failed = info.all("fail_idx").filter_map(|value| match value {
        Value::Text(text) => text.trim().parse().ok(),
        Value::Nested(_) => None,
    });
    Event::FreepublishJobFinish {
        publish_id: info.string("publish_id"),
        status: info.number("publish_status"),
        article_id: info.optional("article_id"),
        failed: failed.collect(),
    }
}

/// The entries of a `List`: inside `wrapper`, or at the top, where the JSON form has it.
fn list<'a>(fields: &'a Fields, wrapper: &str) -> impl Iterator<Item = &'a Fields> {
    fields.nested(wrapper).unwrap_or(fields).all("List").filter_map(|value| match value {
        Value::Nested(entry) => Some(entry),
        Value::Text(_) => None,
    })
}

fn template_choice(entry: &Fields) -> TemplateChoice {
    TemplateChoice {
        template_id: entry.string("TemplateId"),
        status: entry.string("SubscribeStatusString"),
        popup_scene: entry.optional("PopupScene"),
    }
}

fn template_result(entry: &Fields) -> TemplateResult {
    TemplateResult {
        template_id: entry.string("TemplateId"),
        msg_id: entry.number("MsgID"),
        error_code: entry.number("ErrorCode"),
        error_status: entry.string("ErrorStatus"),
    }
}

fn authorization(fields: &Fields) -> Authorization {
    Authorization {
        open_id: fields.string("OpenID"),
        app_id: fields.string("AppID"),
        union_id: fields.optional("UnionID"),
        revoke_info: fields.optional("RevokeInfo"),
    }
}
