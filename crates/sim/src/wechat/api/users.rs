//! Who the customers are (§9).

use serde_json::{Value, json};

use super::{Answer, Call, Refused};

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

/// What is told of one customer. Nickname and picture are no longer among it.
fn one(call: &Call, app_id: &str, openid: &str) -> Option<Value> {
    let mut wechat = call.world.wechat();
    let customer = wechat.accounts.get_mut(app_id)?.known(openid)?;
    if !customer.follows {
        return Some(json!({"subscribe": 0, "openid": openid}));
    }
    Some(json!({"subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": customer.since_s,
                "remark": "", "groupid": 0, "tagid_list": [], "subscribe_scene": "ADD_SCENE_SEARCH",
                "qr_scene": 0, "qr_scene_str": ""}))
}
