//! The real binary as a person at a terminal meets it: what it prints where, and with which exit code.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.0.path().join("tsunagi.toml");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs the binary here, with a clean environment and `config` as its configuration.
    fn run(&self, arguments: &[&str], config: Option<&str>) -> Ran {
        self.run_with(arguments, config, &[])
    }

    fn run_with(&self, arguments: &[&str], config: Option<&str>, variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        command.env_clear().envs(variables.iter().copied()).current_dir(self.0.path()).args(arguments);
        if let Some(config) = config {
            command.arg("--config").arg(self.write(config));
        }
        let Output { status, stdout, stderr } = command.output().expect("the binary runs");
        let shown = !arguments.contains(&"usersig");
        keep_for_the_scan(if shown { &stdout } else { &[] }, &stderr);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: status.code().expect("an exit code"), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// What the scan for leaks reads (F66), where `scripts/test` asks for it. A UserSig that was asked for is no leak.
fn keep_for_the_scan(stdout: &[u8], stderr: &[u8]) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(folder) = std::env::var_os("TSUNAGI_TEST_OUTPUT").map(PathBuf::from) else { return };
    let name = format!("cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::fs::write(folder.join("output").join(&name), [stdout, stderr].concat()).expect("a file");
    let planted = folder.join("planted/secret");
    std::fs::create_dir_all(&planted).expect("a folder");
    std::fs::write(planted.join(&name), format!("{KEY}\nthe-app-secret\nthe-token\nhunter2\n"))
        .expect("a file");
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Failed with an error and a hint on stderr and nothing on stdout.
    fn failed(&self, code: i32, error: &str, hint: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let line = |start: &str, words: &str| {
            self.stderr.lines().any(|line| line.starts_with(start) && line.contains(words))
        };
        assert!(line("error: ", error), "no error with {error:?}: {}", self.stderr);
        assert!(line("hint: ", hint), "no hint with {hint:?}: {}", self.stderr);
    }
}

fn im_section() -> String {
    format!("[im]\nsdk_app_id = 1400000001\nsecret_key = \"{KEY}\"\n")
}

/// Everything that `serve` needs, but with a fault of `extra`'s making.
fn full(extra: &str) -> String {
    format!(
        "{}\n[[account]]\nid = \"shop\"\napp_id = \"wx1\"\napp_secret = \"the-app-secret\"\ntoken = \"the-token\"\n{extra}\n",
        im_section()
    )
}

#[test]
fn the_example_parses_back_and_asks_for_what_has_no_default() {
    let folder = Folder::new();
    let example = folder.run(&["config", "example"], None);
    assert_eq!((example.code, example.stderr.as_str()), (0, ""));
    let parsed: toml::Table = example.stdout.parse().expect("the example is TOML");
    assert_eq!(parsed["server"]["listen"].as_str(), Some("127.0.0.1:8080"));

    let refused = folder.run(&["serve"], Some(&example.stdout));
    refused.failed(1, "im.secret_key: still holds the placeholder of the example", "copy the key of the app");
    refused.failed(1, "account[0].app_id", "copy the AppID");
    assert!(!refused.stderr.contains("unknown"), "{}", refused.stderr);
}

#[test]
fn whoever_stops_reading_is_no_fault() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["config", "docs"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().expect("it ends");
    assert_eq!((status.code(), String::from_utf8_lossy(&stderr).as_ref()), (Some(0), ""));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let ran = Folder::new().run(&["serve"], Some(&full("agent = [\"user1\"]")));
    ran.failed(1, "tsunagi.toml: account[0].agent: unknown key", "did you mean `agents`?");
}

#[test]
fn faults_of_the_configuration_are_failures_and_name_their_key() {
    let folder = Folder::new();
    folder.run(&["serve"], Some(&full("agents = []"))).failed(
        1,
        "account[0].agents: is empty",
        "at least one",
    );
    let open = format!("[server]\nlisten = \"0.0.0.0:8080\"\n{}", full("agents = [\"user1\"]"));
    folder.run(&["serve"], Some(&open)).failed(1, "im.callback_token: is empty", "callback_unsigned");
    folder.run(&["serve", "--config", "none.toml"], None).failed(
        1,
        "none.toml: cannot be read",
        "config example",
    );
    let variables = [("TSUNAGI__IM__RATE", "many")];
    let ran = folder.run_with(&["serve"], Some(&full("agents = [\"user1\"]")), &variables);
    ran.failed(1, "environment variable TSUNAGI__IM__RATE", "whole number");
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = Folder::new();
    for arguments in [
        &["serv"][..],
        &["serve"],
        &["usersig"],
        &["usersig", "a", "--verify", "b"],
        &["config"],
        &["serve", "--x"],
    ] {
        let ran = folder.run(arguments, None);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    let ran = folder.run(&["usersig", "a", "--expires", "0"], Some(&im_section()));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(folder.run(&["--help"], None).code, 0);
}

#[test]
fn a_usersig_is_made_and_verified() {
    let folder = Folder::new();
    let made = folder.run(&["usersig", "user1", "--expires", "600"], Some(&im_section()));
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    let sig = made.stdout.strip_suffix('\n').expect("one line");
    assert!(!sig.is_empty() && !sig.contains(char::is_whitespace), "the signature alone: {sig:?}");

    let held = folder.run(&["usersig", "--verify", sig], Some(&im_section()));
    assert_eq!((held.code, held.stderr.as_str()), (0, ""));
    let value = |name: &str| {
        let line = held.stdout.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", held.stdout)).to_owned()
    };
    assert_eq!(value("identifier"), "user1");
    assert_eq!(value("valid"), "yes");
    let seconds = |text: String| text.split(' ').next().unwrap_or_default().parse::<i64>().expect("seconds");
    assert_eq!(seconds(value("expires")) - seconds(value("issued")), 600);
}

#[test]
fn a_usersig_that_is_not_valid_is_explained() {
    let folder = Folder::new();
    let sig = folder.run(&["usersig", "user1"], Some(&im_section())).stdout;
    let sig = sig.trim_end();
    let verify = |sig: &str, config: &str| folder.run(&["usersig", "--verify", sig], Some(config));
    verify("not a UserSig", &im_section()).failed(1, "70003", "");
    let other_key = im_section().replace("5bd2", "5bd3");
    verify(sig, &other_key).failed(1, "70009", "");
    let other_app = im_section().replace("1400000001", "1400000002");
    verify(sig, &other_app).failed(1, "70014", "");
}

#[test]
fn an_expired_usersig_still_shows_what_it_holds() {
    // Vector 2 of the reference: made on 2023-11-14 for a day.
    let folder = Folder::new();
    let config = im_section().replace("1400000001", "1400000000");
    let sig = im::sign(&KEY.to_owned().into(), 1_400_000_000, "agent_007", 1_700_000_000, 86_400, None);
    let ran = folder.run(&["usersig", "--verify", secrecy::ExposeSecret::expose_secret(&sig)], Some(&config));
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("identifier: agent_007"), "{}", ran.stdout);
    assert!(ran.stdout.contains("issued: 1700000000"), "{}", ran.stdout);
    assert!(ran.stderr.contains("error: ") && ran.stderr.contains("70001"), "{}", ran.stderr);
}

#[test]
fn f66_no_output_holds_a_secret() {
    let folder = Folder::new();
    let secrets = [KEY, "the-app-secret", "the-token", "hunter2"];
    let variables = [("TSUNAGI__STORE__URL", "postgres://u:hunter2@127.0.0.1:1/none")];
    let agents = "agents = [\"user1\"]";
    let unquoted = full(agents).replace(&format!("\"{KEY}\""), KEY);
    for (arguments, config) in [
        (&["serve"][..], full("agents = []")),
        (&["serve"], full("agents = [\"user1\"]\ntoken_file = \"/none\"")),
        (&["serve"], full(agents).replace("app_id = \"wx1\"", "app_id = 1")),
        (&["serve"], full(agents).replace("\"the-token\"", "[\"the-token\"]")),
        (&["serve"], unquoted),
        // A whole configuration, and a database that is not there.
        (&["serve"], full(agents)),
        (&["usersig", "not a user id"], im_section()),
        (&["usersig", "--verify", "x"], im_section()),
        (&["usersig", "user1"], im_section()),
    ] {
        let ran = folder.run_with(arguments, Some(&config), &variables);
        for secret in secrets {
            let shown = ran.stdout.contains(secret) || ran.stderr.contains(secret);
            assert!(!shown, "{arguments:?} shows {secret}: {} {}", ran.stdout, ran.stderr);
        }
    }
}
