//! From the configuration to the rooms' own values.

use super::ServeError;
use crate::config::{Account, Config, OnUnsubscribe, Reply};
use bridge::{Bridge, Hours, MediaSettings, Patience, Reconciling, Settings};
use desk::{Clock, Entropy};
use media::{Fetcher, Ffmpeg, Objects};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// The UserSig that the gateway calls IM with lives for a day, and is renewed at 80 % of it.
const ADMIN_SIG_LIFE_S: u64 = 86_400;

pub(super) fn store_url(config: &Config) -> &str {
    config.store.url.expose_secret()
}

pub(crate) async fn bridge(
    config: &Config,
    store: Store,
    clock: Clock,
    entropy: Entropy,
) -> Result<Bridge, ServeError> {
    // It takes a moment to say what it can do, which the rest of the start does not wait for.
    let ffmpeg = tokio::spawn(find_ffmpeg(config.media.ffmpeg.clone()));
    let http = wechat::http()
        .connect_timeout(config.calls.connect_timeout)
        .build()
        .map_err(|error| ServeError::Wiring(error.to_string()))?;
    let accounts = config
        .accounts
        .iter()
        .map(|account| account_of(account, &http, config))
        .collect::<Result<Vec<_>, _>>()?;
    let hours = Hours { idle: millis(config.desk.conversation_idle), grace: millis(config.desk.agent_grace) };
    let sig = im::AdminSig::new(
        config.im.secret_key.clone(),
        config.im.sdk_app_id,
        &config.im.admin,
        ADMIN_SIG_LIFE_S,
    );
    let im = im::Client::new(http, config.im.base_url.as_str(), config.im.sdk_app_id, Arc::new(sig))
        .map_err(|error| ServeError::Wiring(format!("im.base_url: {error}")))?
        .with_timeout(config.calls.timeout);
    let patience = Patience {
        relay: millis(config.jobs.relay_patience),
        answer: millis(config.jobs.answer_patience),
        call: config.calls.timeout,
    };
    let reconciling =
        Reconciling { every: config.desk.reconcile_every, max_age: millis(config.desk.reconcile_max_age) };
    let media = media(config, ffmpeg.await.unwrap_or_default())?;
    let settings = Settings {
        im_rate: config.im.rate,
        patience,
        hours,
        rules: config.windows.rules,
        warn_before: millis(config.windows.warn_before),
        reconciling,
        media,
    };
    let bridge = Bridge::new(store, accounts, im, settings, clock, entropy).await?;
    if let Some(url) = &config.server.public_url {
        bridge.set_public_url(url.as_str());
    }
    Ok(bridge)
}

async fn find_ffmpeg(program: Option<String>) -> Option<Ffmpeg> {
    let ffmpeg = match program {
        Some(program) => Ffmpeg::find(&program).await,
        None => None,
    };
    if ffmpeg.as_ref().is_none_or(|ffmpeg| !ffmpeg.makes_mp3()) {
        tracing::warn!(
            "no ffmpeg that makes MP3 was found: voices that the other side cannot play go as links"
        );
    }
    ffmpeg
}

fn media(config: &Config, ffmpeg: Option<Ffmpeg>) -> Result<MediaSettings, ServeError> {
    let media = &config.media;
    let wiring = |error: &dyn std::fmt::Display| ServeError::Wiring(format!("store.media: {error}"));
    let objects = Objects::open(&media.place, media.timeout).map_err(|error| wiring(&error))?;
    let networks = media.private_networks.clone();
    let allow = Arc::new(move |address| networks.iter().any(|network| network.contains(address)));
    let fetcher = Fetcher::new(allow, config.calls.connect_timeout).map_err(|error| wiring(&error))?;
    Ok(MediaSettings {
        objects,
        fetcher,
        ffmpeg,
        max_bytes: media.max_bytes,
        fetch_timeout: media.fetch_timeout,
        fetch_patience: millis(media.fetch_patience),
        link_lifetime: media.link_lifetime,
    })
}

pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn account_of(
    account: &Account,
    http: &reqwest::Client,
    config: &Config,
) -> Result<bridge::Account, ServeError> {
    let client = wechat::Client::with_timeout(http.clone(), account.base_url.as_str(), config.calls.timeout)
        .map_err(|error| ServeError::Wiring(format!("account {}: base_url: {error}", account.id)))?
        .with_media_timeout(config.media.fetch_timeout);
    Ok(bridge::Account {
        id: account.id.clone(),
        app_id: account.app_id.clone(),
        app_secret: account.app_secret.clone(),
        client,
        agents: account.agents.clone(),
        language: account.language,
        on_unsubscribe: match account.on_unsubscribe {
            OnUnsubscribe::Delete => bridge::OnUnsubscribe::Delete,
            OnUnsubscribe::Keep => bridge::OnUnsubscribe::Keep,
        },
        greetings: account.greetings.clone(),
        call_keys: account.call_keys.clone(),
        welcome: account.welcome.clone().unwrap_or_default(),
        waiting: account.waiting.clone().unwrap_or_default(),
        away: account.away.clone().unwrap_or_default(),
        passive: account.reply == Reply::Passive,
        park: account.park,
        park_ttl: millis(account.park_ttl),
        passive_hold: account.passive_hold,
        known_for: match account.retention.messages {
            0 => desk::Millis::MAX,
            days => millis(Duration::from_secs(days * 86_400)).max(super::housekeeping::DEDUP_LIFE),
        },
    })
}
