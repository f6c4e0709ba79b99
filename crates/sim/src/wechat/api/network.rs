//! Lists of addresses, and the check of the account's own (§6.3).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use url::Url;

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

/// How long one address may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    action: String,
    #[serde(default)]
    check_operator: String,
}

/// `POST /cgi-bin/callback/check`: resolves the webhook's host, and connects to it where the real cloud pings.
pub(super) async fn check(call: &mut Call, app_id: &str) -> Result<Answer, Refused> {
    let Asked { action, check_operator } = call.json()?;
    call.note("action", action.as_str());
    if !["dns", "ping", "all"].contains(&action.as_str()) {
        return Err(Refused(40202));
    }
    if !["DEFAULT", "CHINANET", "UNICOM", "CAP"].contains(&check_operator.as_str()) {
        return Err(Refused(40203));
    }
    let url = {
        let wechat = call.world.wechat();
        wechat.accounts.get(app_id).and_then(|account| account.config.webhook_url.clone())
    };
    let url = url.and_then(|url| Url::parse(&url).ok()).ok_or(Refused(40201))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let found = timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
    let addresses: Vec<_> =
        found.map(|found| found.map(Iterator::collect)).unwrap_or(Ok(Vec::new())).unwrap_or_default();
    let (mut dns, mut ping): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for address in addresses {
        let ip = std::net::SocketAddr::ip(&address).to_string();
        dns.push(json!({"ip": ip, "real_operator": check_operator}));
        let started = Instant::now();
        let reached = matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)));
        let (loss, took) = if reached { ("0%", started.elapsed()) } else { ("100%", Duration::ZERO) };
        let time = format!("{:.3}ms", took.as_secs_f64() * 1000.0);
        ping.push(json!({"ip": ip, "from_operator": check_operator, "package_loss": loss, "time": time}));
    }
    Ok(Answer::Json(match action.as_str() {
        "dns" => json!({"dns": dns}),
        "ping" => json!({"ping": ping}),
        _ => json!({"dns": dns, "ping": ping}),
    }))
}
