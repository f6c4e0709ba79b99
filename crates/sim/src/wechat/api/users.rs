//! Who the customers are (§9).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Refused};
use crate::wechat::Customer;

/// `GET /cgi-bin/user/get`: one page of all followers.
pub(super) fn get(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let after = call.parameter("next_openid");
    let (page, end_empty) = {
        let wechat = call.world.wechat();
        let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
        let size = account.rules.followers_page.clamp(1, 10_000);
        (account.followers(&after, size).ok_or(Refused(40003))?, account.rules.followers_end_empty)
    };
    let last = if !page.more && end_empty { None } else { page.openids.last() };
    let mut answer = json!({"total": page.total, "count": page.openids.len(),
                            "next_openid": last.map_or("", String::as_str)});
    call.note("count", page.openids.len());
    // There is no `data` when there is nobody to name.
    if !page.openids.is_empty() {
        answer["data"] = json!({"openid": page.openids});
    }
    Ok(Answer::Json(answer))
}

/// `GET /cgi-bin/user/info`.
pub(super) fn info(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let openid = call.parameter("openid");
    call.note("openid", openid.as_str());
    one(call, app_id, &openid).map(Answer::Json).ok_or(Refused(40003))
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    user_list: Vec<OneOf>,
}

#[derive(Deserialize)]
struct OneOf {
    #[serde(default)]
    openid: String,
}

/// `POST /cgi-bin/user/info/batchget`: a hundred at a time (40032); one unknown openid spoils them all.
pub(super) fn batch(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Batch { user_list } = call.json()?;
    call.note("count", user_list.len());
    if user_list.is_empty() || user_list.len() > 100 {
        return Err(Refused(40032));
    }
    let users: Option<Vec<Value>> =
        user_list.iter().map(|one| self::one(call, app_id, &one.openid)).collect();
    Ok(Answer::Json(json!({"user_info_list": users.ok_or(Refused(40003))?})))
}

#[derive(Deserialize)]
struct Remark {
    #[serde(default)]
    openid: String,
    #[serde(default)]
    remark: String,
}

/// `POST /cgi-bin/user/info/updateremark`: under 30 bytes (which code a longer one gets is not known; 40035 here).
pub(super) fn remark(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Remark { openid, remark } = call.json()?;
    call.note("openid", openid.as_str());
    if remark.len() >= 30 {
        return Err(Refused(40035));
    }
    let mut wechat = call.world.wechat();
    let account = wechat.accounts.get_mut(app_id).ok_or(Refused(40001))?;
    account.known(&openid).ok_or(Refused(40003))?.remark = remark;
    Ok(Answer::Ok)
}

/// What is told of one customer.
fn one(call: &Call, app_id: &str, openid: &str) -> Option<Value> {
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id)?;
    let mut told = account.look(openid, |customer| told(customer, openid))?;
    if account.rules.unionids && told["subscribe"] == 1 {
        told["unionid"] =
            format!("oUnion{}", openid.get(openid.len().saturating_sub(22)..).unwrap_or(openid)).into();
    }
    Some(told)
}

/// Nickname and picture are no longer among it; of who has left there is nothing but that.
fn told(customer: &Customer, openid: &str) -> Value {
    if !customer.follows {
        return json!({"subscribe": 0, "openid": openid});
    }
    // A scene that is a number stands in one field, any other text in another.
    let number = customer.scene.parse::<u32>().unwrap_or(0);
    let text = if number == 0 { customer.scene.as_str() } else { "" };
    let from = if customer.scene.is_empty() { "ADD_SCENE_SEARCH" } else { "ADD_SCENE_QR_CODE" };
    json!({"subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": customer.since_s,
           "remark": customer.remark, "groupid": 0, "tagid_list": [], "subscribe_scene": from,
           "qr_scene": number, "qr_scene_str": text})
}
