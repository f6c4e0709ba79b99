//! Lists of addresses (§6.3).

use serde_json::json;

use super::{Answer, Call, Refused};
use crate::wechat::rules::AccountRules;

/// `GET /cgi-bin/getcallbackip`: where pushes come from.
pub(super) fn callback_ips(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    list(call, app_id, |rules| &rules.callback_ips)
}

/// `GET /cgi-bin/get_api_domain_ip`: the addresses of the API itself.
pub(super) fn api_ips(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    list(call, app_id, |rules| &rules.api_ips)
}

fn list(call: &Call, app_id: &str, which: impl Fn(&AccountRules) -> &Vec<String>) -> Result<Answer, Refused> {
    let wechat = call.world.wechat();
    let account = wechat.accounts.get(app_id).ok_or(Refused(40001))?;
    Ok(Answer::Json(json!({"ip_list": which(&account.rules)})))
}
