//! The GET that WeChat makes when the server address is saved in the console (§1.2).

use std::time::Duration;

use serde_json::{Value, json};

use super::document::sign;
use crate::world::World;

/// Calls the webhook with an echostr; `ok` only if it comes back byte-exact with status 200. `None` when there is no
/// such account.
pub(crate) async fn verify(world: &World, app_id: &str) -> Option<Value> {
    let (webhook_url, token, deadline) = {
        let wechat = world.wechat();
        let config = &wechat.accounts.get(app_id)?.config;
        (config.webhook_url.clone(), config.token.clone(), wechat.push.deadline)
    };
    let echostr = (1_000_000_000_000_000_000 + world.chance.u64() % 8_000_000_000_000_000_000).to_string();
    let (timestamp, nonce) = (world.clock.now_s().to_string(), world.chance.nonce());
    let signature = sign(&[&token, &timestamp, &nonce]);
    let query = format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={echostr}");
    let (status, ok) = match webhook_url {
        None => (None, false),
        Some(url) => get(world, &format!("{url}?{query}"), &echostr, deadline).await,
    };
    let answer = json!({"ok": ok, "status": status});
    world.journal.write("wechat", "verify", json!({"app_id": app_id, "ok": ok, "status": status}));
    Some(answer)
}

async fn get(world: &World, url: &str, echostr: &str, deadline: Duration) -> (Option<u16>, bool) {
    let Ok(response) = world.http.get(url).timeout(deadline).send().await else { return (None, false) };
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap_or_default();
    (Some(status), status == 200 && body == echostr.as_bytes())
}
