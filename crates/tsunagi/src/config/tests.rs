//! The configuration as a person meets it: what is accepted, what is refused and in which words.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::*;

const GOOD: &str = r#"
[im]
sdk_app_id = 1400000001
secret_key = "im-secret-value"

[[account]]
id = "shop"
app_id = "wx1"
app_secret = "app-secret-value"
token = "token-value"
agents = ["user1"]

[[account]]
id = "shop-two"
app_id = "wx2"
app_secret = "app-secret-2"
token = "token-2"
agents = ["user1", "user2"]
language = "ja"
waiting = ""
"#;

struct Written {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn write(text: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tsunagi.toml");
    std::fs::write(&path, text).unwrap();
    Written { folder, path }
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    load(&write(text).path, variables.into_iter())
}

fn problem_with(text: &str, variables: &[(&str, &str)]) -> (String, String) {
    let error = load_with(text, variables).unwrap_err();
    let problem = error.0.first().unwrap();
    (problem.to_string(), problem.hint.clone())
}

#[test]
fn a_short_file_gets_all_defaults() {
    let config = load_with(GOOD, &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.shutdown_timeout.as_secs(), 25);
    assert_eq!(config.store.url.expose_secret(), "sqlite:tsunagi.db");
    assert!(matches!(&config.media.place, media::Place::Folder(path) if path.as_os_str() == "media"));
    assert_eq!(config.store.lease.as_secs(), 30);
    assert_eq!(config.im.rate, 100);
    assert!(config.im.callback_token.is_none());
    let [shop, two] = config.accounts.as_slice() else { panic!("two accounts") };
    assert!(!shop.require_encryption, "no key, no encryption");
    assert_eq!((shop.reply, shop.on_unsubscribe), (Reply::CustomerService, OnUnsubscribe::Delete));
    assert!(shop.waiting.as_deref().unwrap().contains("客服"));
    assert!(two.welcome.as_deref().unwrap().contains("フォロー"));
    assert_eq!(two.waiting, None, "an empty text is no reply");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let (message, hint) = problem_with(&GOOD.replacen("agents", "agent", 1), &[]);
    assert!(message.ends_with("tsunagi.toml: account[0].agent: unknown key"), "{message}");
    assert_eq!(hint, "did you mean `agents`?");
    let (message, hint) = problem_with(&format!("{GOOD}\n[serve]\n"), &[]);
    assert!(message.ends_with("serve: unknown section"), "{message}");
    assert_eq!(hint, "did you mean `server`?");
}

#[test]
fn every_fault_names_its_key_and_says_what_to_do() {
    let aes = "x".repeat(42);
    for (from, to, key) in [
        ("agents = [\"user1\"]\n", "agents = []\n", "account[0].agents"),
        ("agents = [\"user1\"]\n", "agents = \"user1\"\n", "account[0].agents"),
        ("agents = [\"user1\"]\n", "agents = [\"no spaces\"]\n", "account[0].agents[0]"),
        (
            "agents = [\"user1\"]\n",
            "agents = [\"a23456789012345678901234567890123\"]\n",
            "account[0].agents[0]",
        ),
        ("agents = [\"user1\"]\n", "agents = [\"a\", \"a\"]\n", "account[0].agents[1]"),
        ("id = \"shop\"", "id = \"Shop\"", "account[0].id"),
        ("id = \"shop-two\"", "id = \"shop\"", "account[1].id"),
        ("app_id = \"wx2\"", "app_id = \"wx1\"", "account[1].app_id"),
        ("app_id = \"wx2\"", "app_id = \"wx…\"", "account[1].app_id"),
        ("app_id = \"wx2\"", "", "account[1].app_id"),
        ("language = \"ja\"", "language = \"jp\"", "account[1].language"),
        ("language = \"ja\"", "reply = \"kf\"", "account[1].reply"),
        ("language = \"ja\"", "on_unsubscribe = \"\"", "account[1].on_unsubscribe"),
        ("language = \"ja\"", "signature_window = -1", "account[1].signature_window"),
        ("language = \"ja\"", "passive_hold = 15", "account[1].passive_hold"),
        ("language = \"ja\"", "park_ttl = 59", "account[1].park_ttl"),
        ("language = \"ja\"", "base_url = \"api.weixin.qq.com\"", "account[1].base_url"),
        ("language = \"ja\"", &format!("encoding_aes_key = \"{aes}\""), "account[1].encoding_aes_key"),
        ("sdk_app_id = 1400000001", "sdk_app_id = \"1400000001\"", "im.sdk_app_id"),
        ("sdk_app_id = 1400000001", "", "im.sdk_app_id"),
        ("sdk_app_id", "rate = 0\nsdk_app_id", "im.rate"),
        ("[im]", "[server]\nlisten = \"localhost\"\n[im]", "server.listen"),
        ("[im]", "[server]\npublic_url = \"https://u:p@x\"\n[im]", "server.public_url"),
        ("[im]", "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n[im]", "server.trusted_proxies[0]"),
        ("[im]", "[store]\nurl = \"mysql://x\"\n[im]", "store.url"),
        ("[im]", "[store]\nmedia = \"media\"\n[im]", "store.media"),
        ("[im]", "[log]\nformat = \"xml\"\n[im]", "log.format"),
        ("[im]", "[log]\nlevel = \"a=b=c\"\n[im]", "log.level"),
    ] {
        assert!(GOOD.contains(from));
        let (message, hint) = problem_with(&GOOD.replacen(from, to, 1), &[]);
        assert!(message.contains(&format!("tsunagi.toml: {key}: ")), "{to}: {message}");
        assert!(!hint.is_empty(), "{to}");
    }
}

#[test]
fn a_request_that_holds_a_message_may_take_as_long() {
    let held = GOOD.replacen("language = \"ja\"", "passive_hold = 14", 1);
    load_with(&held, &[]).unwrap();
    let short = [("TSUNAGI__SERVER__REQUEST_TIMEOUT", "5"), ("TSUNAGI__STORE__INGEST_TIMEOUT", "2")];
    let (message, hint) = problem_with(&held, &short);
    assert!(message.contains("server.request_timeout") && hint.contains("passive_hold"), "{message}: {hint}");
}

#[test]
fn f34_a_call_may_take_longer_than_its_connection() {
    let as_long = [("TSUNAGI__CALLS__CONNECT_TIMEOUT", "3"), ("TSUNAGI__CALLS__TIMEOUT", "3")];
    let (message, _) = problem_with(GOOD, &as_long);
    assert!(message.contains("calls.timeout: is not longer than connect_timeout"), "{message}");
    load_with(GOOD, &[("TSUNAGI__CALLS__CONNECT_TIMEOUT", "3"), ("TSUNAGI__CALLS__TIMEOUT", "4")]).unwrap();
}

#[test]
fn f47_an_open_listener_needs_a_callback_token() {
    let open = format!("[server]\nlisten = \"0.0.0.0:80\"\n{GOOD}");
    let (message, hint) = problem_with(&open, &[]);
    assert!(message.contains("im.callback_token"), "{message}");
    assert!(hint.contains("callback_unsigned"), "{hint}");
    load_with(&open, &[("TSUNAGI__IM__CALLBACK_TOKEN", "t")]).unwrap();
    load_with(&open, &[("TSUNAGI__IM__CALLBACK_UNSIGNED", "true")]).unwrap();
}

#[test]
fn the_environment_goes_over_the_file() {
    let config = load_with(
        GOOD,
        &[
            ("TSUNAGI__IM__SECRET_KEY", "from-env"),
            ("TSUNAGI__IM__RATE", "7"),
            ("TSUNAGI__SERVER__LISTEN", "127.0.0.1:1"),
            ("TSUNAGI__ACCOUNT__0__APP_SECRET", "by-index"),
            ("TSUNAGI__ACCOUNT__SHOP_TWO__AGENTS", "a, b"),
            ("TSUNAGI__ACCOUNT__2__ID", "third"),
            ("TSUNAGI__ACCOUNT__2__APP_ID", "wx3"),
            ("TSUNAGI__ACCOUNT__2__APP_SECRET", "s3"),
            ("TSUNAGI__ACCOUNT__THIRD__TOKEN", "t3"),
            ("TSUNAGI__ACCOUNT__2__AGENTS", "[\"c\"]"),
            ("TSUNAGI_TEST_POSTGRES", "not ours"),
        ],
    )
    .unwrap();
    assert_eq!(config.im.secret_key.expose_secret(), "from-env");
    assert_eq!((config.im.rate, config.server.listen.port()), (7, 1));
    assert_eq!(config.accounts[0].app_secret.expose_secret(), "by-index");
    assert_eq!(config.accounts[1].agents, ["a", "b"]);
    assert_eq!(
        (config.accounts[2].id.as_str(), config.accounts[2].agents.as_slice()),
        ("third", &["c".into()][..])
    );
    assert_eq!(config.accounts[2].token.expose_secret(), "t3");
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    for (name, value, hint) in [
        ("TSUNAGI__IM__SECRET_KEYS", "x", "did you mean `secret_key`?"),
        ("TSUNAGI__IN__RATE", "1", "did you mean `im`?"),
        ("TSUNAGI__IM", "1", "write TSUNAGI__SECTION__KEY"),
        ("TSUNAGI__IM__RATE", "many", "write a whole number"),
        ("TSUNAGI__IM__RATE", "0", "write a number from 1"),
        ("TSUNAGI__ACCOUNT__9__TOKEN", "x", "the next account would be TSUNAGI__ACCOUNT__2__"),
        ("TSUNAGI__ACCOUNT__NOBODY__TOKEN", "x", "write the account's index"),
    ] {
        let (message, found) = problem_with(GOOD, &[(name, value)]);
        assert!(message.starts_with(&format!("environment variable {name}: ")), "{message}");
        assert!(found.starts_with(hint), "{name}: {found}");
    }
}

#[test]
fn a_secret_comes_from_its_file() {
    let written = write("");
    let secret = written.folder.path().join("secret");
    std::fs::write(&secret, "from-file\n").unwrap();
    let named =
        GOOD.replacen("secret_key = \"im-secret-value\"", &format!("secret_key_file = {secret:?}"), 1);
    assert_eq!(load_with(&named, &[]).unwrap().im.secret_key.expose_secret(), "from-file");

    let over = load_with(&named, &[("TSUNAGI__IM__SECRET_KEY", "from-env")]).unwrap();
    assert_eq!(over.im.secret_key.expose_secret(), "from-env", "the environment wins over the file's twin");
    let over = load_with(GOOD, &[("TSUNAGI__IM__SECRET_KEY_FILE", secret.to_str().unwrap())]).unwrap();
    assert_eq!(over.im.secret_key.expose_secret(), "from-file");

    let env = [("TSUNAGI__IM__SECRET_KEY", "x"), ("TSUNAGI__IM__SECRET_KEY_FILE", "/y")];
    let (message, _) = problem_with(GOOD, &env);
    assert!(message.ends_with("SECRET_KEY_FILE: im.secret_key_file: `secret_key` is set too"), "{message}");

    let both = GOOD.replacen("[im]", &format!("[im]\nsecret_key_file = {secret:?}"), 1);
    let (message, _) = problem_with(&both, &[]);
    assert!(message.contains("im.secret_key_file: `secret_key` is set too"), "{message}");
    let missing = GOOD.replacen("token = \"token-value\"", "token_file = \"/no/such/file\"", 1);
    let (message, _) = problem_with(&missing, &[]);
    assert!(message.contains("account[0].token_file: /no/such/file cannot be read"), "{message}");
}

#[test]
fn f66_faults_and_debug_output_hold_no_secret() {
    let secrets = ["im-secret-value", "app-secret-value", "token-value", "unquoted-secret", "hunter2"];
    let config = load_with(GOOD, &[("TSUNAGI__STORE__URL", "postgres://u:hunter2@h/d")]).unwrap();
    let mut shown = vec![format!("{config:?}")];
    for text in [
        GOOD.replacen("secret_key = \"im-secret-value\"", "secret_key = unquoted-secret", 1),
        GOOD.replacen("secret_key = \"im-secret-value\"", "secret_key = \"unquoted-secret", 1),
        GOOD.replacen("secret_key = \"im-secret-value\"", "secret_key \"unquoted-secret\"", 1),
        GOOD.replacen("\"im-secret-value\"", "[\"im-secret-value\"]", 1),
        GOOD.replacen("agents = [\"user1\"]", "agents = [\"user 1\"]", 1),
        format!("[store]\nurl = \"mysql://u:hunter2@h/d\"\n{GOOD}"),
        format!("[server]\npublic_url = \"https://u:hunter2@h/d\"\n{GOOD}"),
    ] {
        let error = load_with(&text, &[]).unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    for text in shown {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/no/such.toml"), std::iter::empty()).unwrap_err();
    assert!(error.to_string().starts_with("/no/such.toml: cannot be read"), "{error}");
}

#[test]
fn the_im_section_can_be_read_alone() {
    let written = write("[im]\nsdk_app_id = 1\nsecret_key = \"k\"\n");
    assert_eq!(load_im(&written.path, std::iter::empty()).unwrap().sdk_app_id, 1);
    assert!(load(&written.path, std::iter::empty()).is_err(), "serve needs an account");
}

/// The example with its commented keys in force.
fn example_in_full() -> String {
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.split_once(" = \"").is_some_and(|(key, _)| !key.contains(' ')) => rest.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let example: toml::Table = example_in_full().parse().unwrap();
    let defaults = file::File { account: vec![file::Account::default()], ..file::File::default() };
    let defaults = toml::Table::try_from(&defaults).unwrap();
    let first =
        |value: &toml::Value| value.as_array().map_or_else(|| value.clone(), |accounts| accounts[0].clone());
    let without_default = ["sdk_app_id", "secret_key", "id", "app_id", "app_secret", "token", "agents"];
    for (section, keys) in file::shape() {
        let (written, default) = (first(&example[&section]), first(&defaults[&section]));
        for (key, _) in keys {
            let value = written.get(&key).unwrap_or_else(|| panic!("{section}.{key} is not in the example"));
            if let Some(default) = default.get(&key)
                && !without_default.contains(&key.as_str())
            {
                assert_eq!(value, default, "{section}.{key}");
            }
        }
    }
    let account = &example["account"][0];
    for (key, text) in [
        ("welcome", texts::welcome(Language::Zh)),
        ("waiting", texts::waiting(Language::Zh)),
        ("away", texts::away(Language::Zh)),
    ] {
        assert_eq!(account[key].as_str(), Some(text), "{key}");
    }
}

#[test]
fn the_example_asks_only_for_what_has_no_default() {
    let error = load_with(EXAMPLE, &[]).unwrap_err();
    let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["im.secret_key", "account[0].app_id", "account[0].app_secret", "account[0].token"]);
    load_with(
        EXAMPLE,
        &[
            ("TSUNAGI__IM__SECRET_KEY", "k"),
            ("TSUNAGI__ACCOUNT__0__APP_ID", "wx1"),
            ("TSUNAGI__ACCOUNT__0__APP_SECRET", "s"),
            ("TSUNAGI__ACCOUNT__0__TOKEN", "t"),
        ],
    )
    .unwrap();
}
