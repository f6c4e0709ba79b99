//! The way to each cloud's host, and the clock there: signatures and UserSigs hold a time (F70).

use super::Surroundings;
use super::board::{Board, Group};
use super::transport::broken;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

/// How long a host may take.
const LIMIT: Duration = Duration::from_secs(8);
/// Seconds that our clock may be off. Both clouds and we refuse signatures that are 300 s off.
const FAR: i64 = 30;
const NEAR: i64 = 5;

/// The hosts that answered.
pub(super) struct Ways(BTreeSet<String>);

impl Ways {
    pub(super) fn open(&self, url: &Url) -> bool {
        self.0.contains(url.as_str())
    }
}

/// Asks each host once, all at the same time.
pub(super) async fn clouds(around: &Surroundings, board: &Board) -> Ways {
    let mut hosts: BTreeMap<&str, (Group, &Url)> = BTreeMap::new();
    for account in &around.config.accounts {
        hosts.insert(account.base_url.as_str(), (Group::Wechat, &account.base_url));
    }
    hosts.insert(around.config.im.base_url.as_str(), (Group::Im, &around.config.im.base_url));
    let asked = hosts.into_values().map(|(group, url)| ask(around, group, url, board));
    let answered = futures_util::future::join_all(asked).await;
    Ways(answered.into_iter().flatten().collect())
}

/// The URL, if anything came back.
async fn ask(around: &Surroundings, group: Group, url: &Url, board: &Board) -> Option<String> {
    let host = host_of(url);
    let section = board.section(group, &host);
    let before = around.clock.now();
    match around.http.get(url.clone()).timeout(LIMIT).send().await {
        Ok(answer) => {
            let after = around.clock.now();
            section.ok("reach", format!("answers within {} ms", after - before));
            let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
            clock(date, before.midpoint(after), &host, board);
            Some(url.as_str().to_owned())
        }
        Err(error) => {
            let broken = broken(&error);
            section.fault("reach", format!("cannot be reached: {}", broken.what), broken.todo);
            None
        }
    }
}

/// Compares an HTTP date, which has whole seconds, with our own time in milliseconds.
fn clock(date: Option<&str>, ours: i64, host: &str, board: &Board) {
    let section = board.section(Group::Clock, host);
    let theirs = date
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_secs()).ok());
    let Some(theirs) = theirs else {
        section.warn(
            "clock",
            "its answer has no date, so this machine's clock could not be compared",
            "make sure that NTP runs here (timedatectl)",
        );
        return;
    };
    let off = ours.div_euclid(1000) - theirs;
    let way = if off > 0 { "ahead of" } else { "behind" };
    match off.abs() {
        ..NEAR => section.ok("clock", "this machine's clock agrees with it"),
        NEAR..=FAR => section.warn(
            "clock",
            format!("this machine's clock is {} s {way} it", off.abs()),
            "let NTP set the clock (timedatectl set-ntp true)",
        ),
        _ => section.fault(
            "clock",
            format!(
                "this machine's clock is {} s {way} it: signatures and UserSigs will be refused",
                off.abs()
            ),
            "let NTP set the clock (timedatectl set-ntp true), then start the gateway again",
        ),
    }
}

/// Host and port of a URL, without anything that may be secret.
pub(super) fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}
