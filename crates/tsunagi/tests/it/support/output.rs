//! What the scan for leaks reads (F66): all that the gateways of the stories said, and what was planted in them.
//!
//! `scripts/test` sets `TSUNAGI_TEST_OUTPUT` and runs `scripts/scan-output` on that folder afterwards. Without the
//! variable nothing here does anything. `output/` is what is scanned; `planted/KIND/` has the values that must not be
//! found there, one a line.

use desk::words::SIGNATURE;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The folder of this run, if it is to be scanned.
fn folder() -> Option<PathBuf> {
    std::env::var_os("TSUNAGI_TEST_OUTPUT").filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Whether this run is scanned.
pub(crate) fn is_kept() -> bool {
    folder().is_some()
}

/// Keeps what a gateway said, and what it must not say: the secrets of its configurations, and the openids and texts
/// of the clouds' journal.
pub(crate) fn keep(said: &[String], configs: &[PathBuf], journal: &Path) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(folder) = folder() else { return };
    let name = format!("it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    write(&folder.join("output"), &format!("{name}.log"), said);
    let (mut secrets, mut openids, mut texts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for config in configs {
        let text = std::fs::read_to_string(config).unwrap_or_default();
        if let Ok(table) = text.parse::<toml::Table>() {
            collect_secrets("", &toml::Value::Table(table), &mut secrets);
        }
    }
    for line in std::fs::read_to_string(journal).unwrap_or_default().lines() {
        collect_words("", &serde_json::from_str(line).unwrap_or_default(), &mut openids, &mut texts);
    }
    for (kind, values) in [("secret", secrets), ("openid", openids), ("text", texts)] {
        write(&folder.join("planted").join(kind), &name, values);
    }
}

fn write(folder: &Path, name: &str, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    std::fs::create_dir_all(folder).unwrap();
    let mut file = std::fs::File::create(folder.join(name)).unwrap();
    for line in lines {
        writeln!(file, "{}", line.as_ref()).unwrap();
    }
}

/// What `/metrics` and the health pages of a gateway that still runs show. Nothing of it where it does not.
pub(crate) fn admin_pages(admin: &str) -> Vec<String> {
    let address = admin.trim_start_matches("http://");
    let page = |path: &str| {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = Vec::new();
        // What was read before a time-out counts too.
        let _ = stream.read_to_end(&mut page);
        Some(String::from_utf8_lossy(&page).into_owned())
    };
    ["/metrics", "/readyz", "/healthz"].into_iter().filter_map(page).collect()
}

fn collect_secrets(key: &str, value: &toml::Value, found: &mut BTreeSet<String>) {
    let secret = ["secret", "token", "key"].iter().any(|word| key.contains(word)) && !key.ends_with("_file");
    match value {
        toml::Value::String(text) if secret && text.len() >= 8 => {
            found.insert(text.clone());
        }
        toml::Value::String(text) if key == "url" => {
            let password = url_password(text);
            found.extend(password.filter(|password| password.len() >= 6).map(str::to_owned));
        }
        toml::Value::Array(values) => values.iter().for_each(|value| collect_secrets(key, value, found)),
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| collect_secrets(key, value, found)),
        _ => {}
    }
}

fn url_password(url: &str) -> Option<&str> {
    let (user, _) = url.split_once("://")?.1.split_once('@')?;
    Some(user.split_once(':')?.1)
}

fn collect_words(key: &str, value: &Value, openids: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if key == "text" || key == "content" => {
            // Ours, and WeChat's own notice of a fault.
            let own = text.starts_with(SIGNATURE) || text == sim::FAILURE_LINE;
            texts.extend(text.lines().filter(|line| !own && is_telling(line)).map(str::to_owned));
        }
        Value::String(text) if is_openid(text) => {
            openids.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| collect_words(key, value, openids, texts)),
        Value::Object(map) => map.iter().for_each(|(key, value)| collect_words(key, value, openids, texts)),
        _ => {}
    }
}

/// As WeChat's: 28 characters that begin with `o`.
fn is_openid(text: &str) -> bool {
    text.len() == 28
        && text.starts_with('o')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether a line is long and odd enough not to stand in a log by chance.
fn is_telling(line: &str) -> bool {
    line.len() >= 8 && !line.chars().all(|c| c.is_ascii_alphabetic())
}
