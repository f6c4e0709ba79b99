//! `/sim/config`: settings that an operator would change in a console while everything runs.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{answer, complain, read};
use crate::config::{Format, Mode};
use crate::world::World;

/// Each field changes one setting; those that are absent stay as they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Which Official Account; may be left out when there is one.
    app_id: Option<String>,
    webhook_url: Option<String>,
    mode: Option<Mode>,
    format: Option<Format>,
    token: Option<String>,
    encoding_aes_key: Option<String>,
    certified: Option<bool>,
    push: Option<Push>,
    callback_url: Option<String>,
    callback_token: Option<String>,
    callback_enabled_before: Option<bool>,
    callback_enabled_after: Option<bool>,
    callback_timeout_ms: Option<u64>,
    after_retries: Option<u32>,
    reject_when_before_fails: Option<bool>,
    echo_forbidden: Option<bool>,
    deletion_enabled: Option<bool>,
    paid: Option<bool>,
    account_limit: Option<usize>,
    rate: Option<u32>,
    callback_commands: Option<Vec<String>>,
    custom_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    deadline_ms: Option<u64>,
    gap_ms: Option<u64>,
    attempts: Option<u32>,
    identical: Option<bool>,
    jitter_ms: Option<u64>,
    held_percent: Option<u8>,
    held_ms: Option<u64>,
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

pub(super) async fn change(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let mut change: Change = match read(&body) {
        Ok(change) => change,
        Err(complaint) => return *complaint,
    };
    if let Some(push) = change.push.take() {
        let mut wechat = world.wechat();
        set(&mut wechat.push.deadline, push.deadline_ms.map(Duration::from_millis));
        set(&mut wechat.push.gap, push.gap_ms.map(Duration::from_millis));
        set(&mut wechat.push.attempts, push.attempts);
        set(&mut wechat.push.identical, push.identical);
        set(&mut wechat.push.jitter, push.jitter_ms.map(Duration::from_millis));
        set(&mut wechat.push.held_percent, push.held_percent);
        set(&mut wechat.push.held, push.held_ms.map(Duration::from_millis));
    }
    if let Err(complaint) = change_account(&world, &mut change) {
        return complain(StatusCode::BAD_REQUEST, &complaint);
    }
    change_im(&world, change);
    answer(&json!({"ok": true}))
}

fn change_account(world: &World, change: &mut Change) -> Result<(), String> {
    let touched = change.webhook_url.is_some()
        || change.mode.is_some()
        || change.format.is_some()
        || change.token.is_some()
        || change.encoding_aes_key.is_some()
        || change.certified.is_some();
    if !touched {
        return Ok(());
    }
    let mut wechat = world.wechat();
    let app_id = match change.app_id.take() {
        Some(app_id) => app_id,
        None if wechat.accounts.len() == 1 => wechat.accounts.keys().next().cloned().unwrap_or_default(),
        None => return Err("there are several accounts: give app_id".into()),
    };
    let account = wechat.accounts.get_mut(&app_id).ok_or("no such account")?;
    let mut config = (*account.config).clone();
    set(&mut config.mode, change.mode);
    set(&mut config.format, change.format);
    set(&mut config.token, change.token.take());
    set(&mut config.certified, change.certified);
    config.webhook_url = change.webhook_url.take().or(config.webhook_url);
    config.encoding_aes_key = change.encoding_aes_key.take().or(config.encoding_aes_key);
    account.reconfigure(config).map_err(|error| error.to_string())
}

fn change_im(world: &World, change: Change) {
    let mut im = world.im();
    if let Some(rate) = change.rate {
        im.set_rate(rate);
    }
    let config = &mut im.config;
    config.callback_url = change.callback_url.or(config.callback_url.take());
    config.callback_token = change.callback_token.or(config.callback_token.take()).filter(|t| !t.is_empty());
    config.account_limit = change.account_limit.or(config.account_limit);
    set(&mut config.callback_enabled_before, change.callback_enabled_before);
    set(&mut config.callback_enabled_after, change.callback_enabled_after);
    set(&mut config.callback_timeout, change.callback_timeout_ms.map(Duration::from_millis));
    set(&mut config.after_retries, change.after_retries);
    set(&mut config.reject_when_before_fails, change.reject_when_before_fails);
    set(&mut config.echo_forbidden, change.echo_forbidden);
    set(&mut config.deletion_enabled, change.deletion_enabled);
    set(&mut config.paid, change.paid);
    set(&mut config.callback_commands, change.callback_commands);
    set(&mut config.custom_tags, change.custom_tags);
}
