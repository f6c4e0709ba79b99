//! From the file as it is written to a [`Config`]: every rule that a value has to keep.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ::media::{Bucket, Place};
use desk::Language;
use desk::window::{Rule, Rules};
use secrecy::SecretString;
use url::Url;

use super::problem::Findings;
use super::{
    Account, Calls, Config, Desk, Im, Jobs, Log, LogFormat, Media, Network, OnUnsubscribe, Reply, Server,
    Store, Trace, Windows,
};
use super::{file, texts};

/// Checks everything; `None` when something that a [`Config`] cannot do without is missing.
pub(super) fn config(file: &file::File, findings: &mut Findings) -> Option<Config> {
    let server = server(&file.server, findings);
    let store = store(&file.store, findings);
    let media = media(&file.store.media, &file.media, findings);
    let im = im(&file.im, findings);
    let calls = calls(&file.calls, findings);
    let jobs = jobs(&file.jobs, findings);
    let desk = desk(&file.desk, findings);
    let windows = windows(&file.windows, findings);
    let log = log(&file.log, findings);
    let trace = trace(&file.trace, findings);
    let accounts = accounts(&file.account, findings);
    if let Some(server) = &server {
        refuse_open_callback(server.listen, &file.im, findings);
    }
    if let (Some(server), Some(store)) = (&server, &store)
        && server.request_timeout < server.body_timeout + store.ingest_timeout
    {
        let hint = "make it at least server.body_timeout and store.ingest_timeout together";
        findings.add("server.request_timeout", "is over before the store could answer", hint);
    }
    if let Some(server) = &server
        && server.request_timeout < Duration::from_secs(6)
        && accounts.iter().any(|account| !account.passive_hold.is_zero())
    {
        let hint = "make it at least 6, or set the accounts' passive_hold to 0";
        findings.add(
            "server.request_timeout",
            "is over before a message that is held could be answered",
            hint,
        );
    }
    Some(Config {
        server: server?,
        store: store?,
        media: media?,
        im: im?,
        calls: calls?,
        jobs: jobs?,
        desk: desk?,
        windows: windows?,
        log: log?,
        trace: trace?,
        accounts,
    })
}

fn server(raw: &file::Server, findings: &mut Findings) -> Option<Server> {
    let listen = address("server.listen", &raw.listen, findings);
    let admin_listen = address("server.admin_listen", &raw.admin_listen, findings);
    if let (Some(listen), Some(admin)) = (listen, admin_listen)
        && listen == admin
        && listen.port() != 0
    {
        findings.add("server.admin_listen", "is the same as listen", "give it a port of its own");
    }
    let public_url = match raw.public_url.as_str() {
        "" => None,
        url => web_url("server.public_url", url, findings),
    };
    let trusted_proxies = networks("server.trusted_proxies", &raw.trusted_proxies, findings);
    let shutdown_timeout = seconds("server.shutdown_timeout", raw.shutdown_timeout, findings);
    let connections = whole("server.connections", raw.connections, findings);
    let header_timeout = seconds("server.header_timeout", raw.header_timeout, findings);
    let header_bytes = whole("server.header_bytes", raw.header_bytes, findings);
    let body_timeout = seconds("server.body_timeout", raw.body_timeout, findings);
    let body_bytes = whole("server.body_bytes", raw.body_bytes, findings);
    let request_timeout = seconds("server.request_timeout", raw.request_timeout, findings);
    Some(Server {
        listen: listen?,
        admin_listen: admin_listen?,
        public_url,
        trusted_proxies,
        shutdown_timeout: shutdown_timeout?,
        connections: size(connections?),
        header_timeout: header_timeout?,
        header_bytes: size(header_bytes?),
        keep_alive: raw.keep_alive,
        body_timeout: body_timeout?,
        body_bytes: size(body_bytes?),
        request_timeout: request_timeout?,
    })
}

fn store(raw: &file::Store, findings: &mut Findings) -> Option<Store> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    let rest = known.iter().find_map(|scheme| raw.url.strip_prefix(scheme));
    if rest.is_none_or(str::is_empty) {
        let hint = "write sqlite:PATH, such as sqlite:tsunagi.db, or postgres://user:password@host/database";
        findings.add("store.url", "names no SQLite or PostgreSQL database", hint);
    }
    let lease = seconds("store.lease", raw.lease, findings);
    let connections = whole("store.connections", raw.connections, findings);
    let ingest_queue = whole("store.ingest_queue", raw.ingest_queue, findings);
    let spool_from = whole("store.spool_from", raw.spool_from, findings);
    let ingest_timeout = seconds("store.ingest_timeout", raw.ingest_timeout, findings);
    let purge_rows = whole("store.purge_rows", raw.purge_rows, findings);
    let purge_pause = whole("store.purge_pause_ms", raw.purge_pause_ms, findings);
    Some(Store {
        url: raw.url.clone().into(),
        lease: lease?,
        connections: u32::try_from(connections?).unwrap_or(u32::MAX),
        ingest_queue: size(ingest_queue?),
        spool_from: size(spool_from?),
        ingest_timeout: ingest_timeout?,
        purge_rows: size(purge_rows?),
        purge_pause: Duration::from_millis(purge_pause?),
    })
}

/// `[media]`, and `media` of `[store]`.
fn media(place: &str, raw: &file::Media, findings: &mut Findings) -> Option<Media> {
    let folder = place.strip_prefix("file:").filter(|path| !path.is_empty());
    let bucket = place.strip_prefix("s3://").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let place = match (folder, bucket) {
        (Some(path), _) => Some(Place::Folder(path.into())),
        (None, Some(rest)) => Some(bucket_of(rest, raw, findings)),
        (None, None) => {
            findings.add("store.media", "names no folder or bucket", "write file:PATH or s3://bucket/prefix");
            None
        }
    };
    let networks = networks("media.private_networks", &raw.private_networks, findings);
    let max_bytes = whole("media.max_bytes", raw.max_bytes, findings);
    let fetch_timeout = seconds("media.fetch_timeout", raw.fetch_timeout, findings);
    let fetch_patience = seconds("media.fetch_patience", raw.fetch_patience, findings);
    let link_lifetime = whole("media.link_lifetime", raw.link_lifetime, findings);
    let downloads = whole("media.downloads", raw.downloads, findings);
    let timeout = seconds("media.s3_timeout", raw.s3_timeout, findings);
    Some(Media {
        place: place?,
        max_bytes: max_bytes?,
        fetch_timeout: fetch_timeout?,
        fetch_patience: fetch_patience?,
        private_networks: networks,
        link_lifetime: link_lifetime?,
        downloads: size(downloads?),
        ffmpeg: Some(raw.ffmpeg.clone()).filter(|program| !program.is_empty()),
        timeout: timeout?,
    })
}

fn bucket_of(rest: &str, raw: &file::Media, findings: &mut Findings) -> Place {
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let endpoint = match raw.s3_endpoint.as_str() {
        "" => None,
        url => web_url("media.s3_endpoint", url, findings)
            .map(|url| url.as_str().trim_end_matches('/').to_owned()),
    };
    let hint = "write the key that the storage service gave for this bucket";
    required("media.s3_access_key", &raw.s3_access_key, hint, findings);
    required("media.s3_secret_key", &raw.s3_secret_key, hint, findings);
    required(
        "media.s3_region",
        &raw.s3_region,
        "write the bucket's region; us-east-1 fits where there is none",
        findings,
    );
    Place::Bucket(Bucket {
        name: name.to_owned(),
        prefix: prefix.trim_end_matches('/').to_owned(),
        endpoint,
        region: raw.s3_region.clone(),
        access_key: raw.s3_access_key.clone(),
        secret_key: raw.s3_secret_key.clone().into(),
        path_style: raw.s3_path_style,
    })
}

/// Addresses and networks of a list.
fn networks(key: &str, texts: &[String], findings: &mut Findings) -> Vec<Network> {
    let networks = texts.iter().enumerate().filter_map(|(index, text)| {
        let network = network(text);
        if network.is_none() {
            let hint = "write an address such as 10.0.0.1, or a network such as 10.0.0.0/8";
            findings.add(format!("{key}[{index}]"), "is no IP address or network", hint);
        }
        network
    });
    networks.collect()
}

fn calls(raw: &file::Calls, findings: &mut Findings) -> Option<Calls> {
    let connect_timeout = seconds("calls.connect_timeout", raw.connect_timeout, findings);
    let timeout = seconds("calls.timeout", raw.timeout, findings);
    let calls = Calls { connect_timeout: connect_timeout?, timeout: timeout? };
    // A call that ends while it still connects looks as one that may have been carried out.
    if calls.timeout <= calls.connect_timeout {
        findings.add("calls.timeout", "is not longer than connect_timeout", "make it longer, by seconds");
    }
    Some(calls)
}

fn jobs(raw: &file::Jobs, findings: &mut Findings) -> Option<Jobs> {
    let lanes = whole("jobs.lanes", raw.lanes, findings);
    let poll = whole("jobs.poll_ms", raw.poll_ms, findings);
    let relay_patience = seconds("jobs.relay_patience", raw.relay_patience, findings);
    let answer_patience = seconds("jobs.answer_patience", raw.answer_patience, findings);
    Some(Jobs {
        lanes: size(lanes?),
        poll: Duration::from_millis(poll?),
        relay_patience: relay_patience?,
        answer_patience: answer_patience?,
    })
}

fn trace(raw: &file::Trace, findings: &mut Findings) -> Option<Trace> {
    let endpoint = match raw.endpoint.as_str() {
        "" => None,
        url => Some(web_url("trace.endpoint", url, findings)?),
    };
    if !(0.0..=1.0).contains(&raw.sample) {
        findings.add("trace.sample", format!("is {}", raw.sample), "write a number from 0 to 1");
    }
    Some(Trace { endpoint, sample: raw.sample })
}

fn desk(raw: &file::Desk, findings: &mut Findings) -> Option<Desk> {
    let idle = seconds("desk.conversation_idle", raw.conversation_idle, findings);
    let grace = seconds("desk.agent_grace", raw.agent_grace, findings);
    let poll = seconds("desk.agent_poll", raw.agent_poll, findings);
    let every = seconds("desk.reconcile_every", raw.reconcile_every, findings);
    let max_age = seconds("desk.reconcile_max_age", raw.reconcile_max_age, findings);
    Some(Desk {
        conversation_idle: idle?,
        agent_grace: grace?,
        agent_poll: poll?,
        reconcile_every: every?,
        reconcile_max_age: max_age?,
    })
}

fn windows(raw: &file::Windows, findings: &mut Findings) -> Option<Windows> {
    let mut rule = |action: &str, replies: i64, lasts: i64| {
        let replies = whole(&format!("windows.{action}_replies"), replies, findings);
        let lasts = seconds(&format!("windows.{action}_seconds"), lasts, findings);
        Some(Rule { replies: u32::try_from(replies?).ok()?, lasts: i64::try_from(lasts?.as_millis()).ok()? })
    };
    let write = rule("message", raw.message_replies, raw.message_seconds);
    let menu = rule("menu", raw.menu_replies, raw.menu_seconds);
    let follow = rule("follow", raw.follow_replies, raw.follow_seconds);
    let scan = rule("scan", raw.scan_replies, raw.scan_seconds);
    let warn_before = seconds("windows.warn_before", raw.warn_before, findings);
    let rules = Rules { write: write?, menu: menu?, follow: follow?, scan: scan? };
    Some(Windows { rules, warn_before: warn_before? })
}

/// Checks `[im]` alone.
pub(super) fn im(raw: &file::Im, findings: &mut Findings) -> Option<Im> {
    let sdk_app_id = u64::try_from(raw.sdk_app_id).ok().filter(|id| *id > 0);
    if sdk_app_id.is_none() {
        findings.add("im.sdk_app_id", "is not set", "write the SDKAppID that the IM console shows");
    }
    required("im.secret_key", &raw.secret_key, "copy the key of the app from the IM console", findings);
    if !is_user_id(&raw.admin) {
        findings.add("im.admin", "is not a UserID", USER_ID_RULE);
    }
    if !raw.callback_secret.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        // The console takes no other characters in the webhook's address.
        findings.add(
            "im.callback_secret",
            "has characters other than letters, digits and -",
            "choose another one",
        );
    }
    let base_url = web_url("im.base_url", &raw.base_url, findings);
    let rate = whole("im.rate", raw.rate, findings);
    let signature_window = whole("im.signature_window", raw.signature_window, findings);
    Some(Im {
        sdk_app_id: sdk_app_id?,
        secret_key: raw.secret_key.clone().into(),
        admin: raw.admin.clone(),
        base_url: base_url?,
        rate: u32::try_from(rate?).ok()?,
        signature_window: signature_window?,
        callback_token: secret(&raw.callback_token),
        callback_secret: secret(&raw.callback_secret),
    })
}

/// Without a token anyone who reaches the listener could write to customers in an agent's name (F47).
fn refuse_open_callback(listen: SocketAddr, raw: &file::Im, findings: &mut Findings) {
    if raw.callback_token.is_empty() && !raw.callback_unsigned && !listen.ip().is_loopback() {
        findings.add(
            "im.callback_token",
            format!("is empty, and server.listen = \"{listen}\" is open to others"),
            "set the authentication token of the IM console here (or callback_token_file); \
             callback_unsigned = true accepts unsigned webhooks from anyone",
        );
    }
}

fn log(raw: &file::Log, findings: &mut Findings) -> Option<Log> {
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format = one_of("log.format", &raw.format, &formats, findings);
    if let Err(error) = raw.level.parse::<tracing_subscriber::EnvFilter>() {
        findings.add(
            "log.level",
            error.to_string(),
            "write error, warn, info, debug or trace, or info,sqlx=warn",
        );
    }
    Some(Log { format: format?, level: raw.level.clone() })
}

fn accounts(raw: &[file::Account], findings: &mut Findings) -> Vec<Account> {
    if raw.is_empty() {
        findings.add("account", "there is none", "write one [[account]] per Official Account");
    }
    for (index, one) in raw.iter().enumerate() {
        let earlier = &raw[..index];
        if let Some(twin) = earlier.iter().position(|other| other.id == one.id && !one.id.is_empty()) {
            let what = format!("is the id of account[{twin}] too");
            findings.add(format!("account[{index}].id"), what, "give each account an id of its own");
        }
        if let Some(twin) =
            earlier.iter().position(|other| other.app_id == one.app_id && !one.app_id.is_empty())
        {
            let what = format!("is the app_id of account[{twin}] too");
            findings.add(format!("account[{index}].app_id"), what, "configure each Official Account once");
        }
    }
    raw.iter()
        .enumerate()
        .filter_map(|(index, raw)| account(&format!("account[{index}]"), raw, findings))
        .collect()
}

fn account(at: &str, raw: &file::Account, findings: &mut Findings) -> Option<Account> {
    let key = |name: &str| format!("{at}.{name}");
    let id_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if raw.id.is_empty() || raw.id.len() > 32 || !raw.id.chars().all(id_ok) {
        let hint = "write 1 to 32 of a-z, 0-9 and -; it becomes the path /wechat/{id}";
        findings.add(key("id"), "is no account id", hint);
    }
    required(&key("app_id"), &raw.app_id, "copy the AppID from the Official Account's console", findings);
    required(
        &key("app_secret"),
        &raw.app_secret,
        "copy the AppSecret from the Official Account's console",
        findings,
    );
    required(
        &key("token"),
        &raw.token,
        "choose one and set the same in the Official Account's console",
        findings,
    );
    for (name, text) in [
        ("encoding_aes_key", &raw.encoding_aes_key),
        ("previous_encoding_aes_key", &raw.previous_encoding_aes_key),
    ] {
        let base64 = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/');
        if !text.is_empty() && (text.len() != 43 || !base64) {
            findings.add(
                key(name),
                "is not 43 letters and digits",
                "copy the EncodingAESKey from the console",
            );
        }
    }
    agents(&key("agents"), &raw.agents, findings);
    let window = whole(&key("signature_window"), raw.signature_window, findings);
    whole(&key("retention_messages"), raw.retention_messages, findings)?;
    whole(&key("retention_inbox"), raw.retention_inbox, findings)?;
    whole(&key("retention_attempts"), raw.retention_attempts, findings)?;
    whole(&key("retention_media"), raw.retention_media, findings)?;
    let replies = [("customer-service", Reply::CustomerService), ("passive", Reply::Passive)];
    let reply = one_of(&key("reply"), &raw.reply, &replies, findings);
    let passive_hold = seconds(&key("passive_hold"), raw.passive_hold, findings);
    let park_ttl = seconds(&key("park_ttl"), raw.park_ttl, findings);
    let choices = [("delete", OnUnsubscribe::Delete), ("keep", OnUnsubscribe::Keep)];
    let on_unsubscribe = one_of(&key("on_unsubscribe"), &raw.on_unsubscribe, &choices, findings);
    let base_url = web_url(&key("base_url"), &raw.base_url, findings);
    let languages = [("zh", Language::Zh), ("ja", Language::Ja), ("en", Language::En)];
    let language = one_of(&key("language"), &raw.language, &languages, findings)?;
    let text = |given: &Option<String>, default: &str| {
        Some(given.clone().unwrap_or_else(|| default.to_owned())).filter(|text| !text.is_empty())
    };
    for (scene, words) in &raw.greetings {
        if words.is_empty() || words.len() > wechat::MAX_TEXT {
            let what = format!("the text for {scene:?} is empty or longer than {} bytes", wechat::MAX_TEXT);
            findings.add(
                key("greetings"),
                what,
                "WeChat takes one text; leave a scene out to send the welcome",
            );
        }
    }
    Some(Account {
        id: raw.id.clone(),
        app_id: raw.app_id.clone(),
        app_secret: raw.app_secret.clone().into(),
        token: raw.token.clone().into(),
        previous_token: secret(&raw.previous_token),
        encoding_aes_key: secret(&raw.encoding_aes_key),
        previous_encoding_aes_key: secret(&raw.previous_encoding_aes_key),
        require_encryption: raw.require_encryption && !raw.encoding_aes_key.is_empty(),
        signature_window: window?,
        reply: reply?,
        passive_hold: passive_hold?,
        park: raw.park,
        park_ttl: park_ttl?,
        on_unsubscribe: on_unsubscribe?,
        base_url: base_url?,
        language,
        agents: raw.agents.clone(),
        callback_ips: raw.callback_ips,
        retention: raw.retention(),
        welcome: text(&raw.welcome, texts::welcome(language)),
        waiting: text(&raw.waiting, texts::waiting(language)),
        away: text(&raw.away, texts::away(language)),
        greetings: raw.greetings.clone(),
        call_keys: raw.call_keys.clone(),
    })
}

fn agents(key: &str, agents: &[String], findings: &mut Findings) {
    if agents.is_empty() {
        findings.add(
            key,
            "is empty",
            "name at least one IM UserID that answers, such as agents = [\"user1\"]",
        );
    }
    for (index, agent) in agents.iter().enumerate() {
        if !is_user_id(agent) {
            findings.add(format!("{key}[{index}]"), "is not a UserID", USER_ID_RULE);
        }
        if agents[..index].contains(agent) {
            findings.add(format!("{key}[{index}]"), "is named twice", "name each agent once");
        }
    }
}

const USER_ID_RULE: &str = "write 1 to 32 of A-Z, a-z, 0-9, _ and -";

/// The vendor's pages differ on what a UserID may hold; this is what all of them allow.
fn is_user_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn required(key: &str, value: &str, hint: &str, findings: &mut Findings) {
    if value.is_empty() {
        findings.add(key, "is not set", hint);
    } else if value.contains('…') {
        findings.add(key, "still holds the placeholder of the example", hint);
    } else if value.chars().any(char::is_whitespace) {
        findings.add(key, "has white space in it", hint);
    }
}

fn secret(value: &str) -> Option<SecretString> {
    (!value.is_empty()).then(|| value.to_owned().into())
}

/// The range of the key at this path, such as `im.rate` or `account[0].signature_window`.
fn range_of(path: &str) -> (i64, i64) {
    let section = path.split(['.', '[']).next().unwrap_or_default();
    let key = path.rsplit('.').next().unwrap_or_default();
    let range = file::RANGES.iter().find(|range| range.section == section && range.key == key);
    debug_assert!(range.is_some(), "{path} has no range");
    range.map_or((0, i64::MAX), |range| (range.least, range.most))
}

fn seconds(key: &str, value: i64, findings: &mut Findings) -> Option<Duration> {
    whole(key, value, findings).map(Duration::from_secs)
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn whole(key: &str, value: i64, findings: &mut Findings) -> Option<u64> {
    let (least, most) = range_of(key);
    if !(least..=most).contains(&value) {
        findings.add(key, format!("is {value}"), format!("write a number from {least} to {most}"));
        return None;
    }
    u64::try_from(value).ok()
}

fn one_of<T: Copy>(key: &str, value: &str, choices: &[(&str, T)], findings: &mut Findings) -> Option<T> {
    let found = choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice);
    if found.is_none() {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        findings.add(key, format!("is \"{value}\""), format!("write {}", names.join(" or ")));
    }
    found
}

fn address(key: &str, value: &str, findings: &mut Findings) -> Option<SocketAddr> {
    let parsed = value.parse().ok();
    if parsed.is_none() {
        let hint = "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
        findings.add(key, format!("\"{value}\" is no address to listen on"), hint);
    }
    parsed
}

/// An `http` or `https` address without query, user name or password.
fn web_url(key: &str, value: &str, findings: &mut Findings) -> Option<Url> {
    let usable = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let parsed = Url::parse(value).ok().filter(usable);
    if parsed.is_none() {
        let hint = "write it as https://host or http://host:port, without query, user name or password";
        findings.add(key, "is no usable address", hint);
    }
    parsed
}

fn network(text: &str) -> Option<Network> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
    (prefix <= bits).then_some(Network { address, prefix })
}
