//! The GET that WeChat makes when the server address is saved in the console (§1.2).

use std::time::Duration;

use serde_json::{Value, json};

use super::document::sign;
use crate::config::WechatAccountConfig;
use crate::world::World;

/// Calls the webhook with an echostr; `ok` only if it comes back byte-exact with status 200. `None` when there is no
/// such account.
pub(crate) async fn verify(world: &World, app_id: &str) -> Option<Value> {
    let config = world.wechat().accounts.get(app_id)?.config.clone();
    let (status, ok) = ask(world, &config).await;
    Some(json!({"ok": ok, "status": status}))
}

/// "Submit" in the console: the new settings hold only if the webhook passes the verification with them.
///
/// # Errors
/// In words; the old settings stay.
pub(crate) async fn submit(world: &World, config: WechatAccountConfig) -> Result<(), String> {
    let (status, ok) = ask(world, &config).await;
    if !ok {
        return Err(format!("the address did not pass the verification (status {status:?})"));
    }
    let mut wechat = world.wechat();
    let account = wechat.accounts.get_mut(&config.app_id).ok_or("no such account")?;
    account.reconfigure(config).map_err(|error| error.to_string())
}

async fn ask(world: &World, config: &WechatAccountConfig) -> (Option<u16>, bool) {
    let deadline = world.wechat().push.deadline;
    let echostr = (1_000_000_000_000_000_000 + world.chance.u64() % 8_000_000_000_000_000_000).to_string();
    let (timestamp, nonce) = (world.clock.now_s().to_string(), world.chance.nonce());
    let signature = sign(&[&config.token, &timestamp, &nonce]);
    let query = format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={echostr}");
    let (status, ok) = match &config.webhook_url {
        None => (None, false),
        Some(url) => get(world, &format!("{url}?{query}"), &echostr, deadline).await,
    };
    world.journal.write("wechat", "verify", json!({"app_id": config.app_id, "ok": ok, "status": status}));
    (status, ok)
}

async fn get(world: &World, url: &str, echostr: &str, deadline: Duration) -> (Option<u16>, bool) {
    let Ok(response) = world.http.get(url).timeout(deadline).send().await else { return (None, false) };
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    (Some(status), status == 200 && body == echostr.as_bytes())
}
