//! F66: the scan of the tests' own output finds a leak, and names it without repeating it.

use std::path::Path;
use std::process::Command;

const TEXT: &str = "请发到上海市徐汇区 12 号";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// Scans a folder with this log; gives the exit code and what was said.
fn scan(log: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "output/it-1-0.log", log);
    write(folder.path(), "planted/secret/it-1-0", "the-app-secret\n");
    write(folder.path(), "planted/openid/it-1-0", "oAbCdEfGhIjKlMnOpQrStUvWxYz0\n");
    write(folder.path(), "planted/text/it-1-0", &format!("{TEXT}\n"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/scan-output");
    let output = Command::new(script).arg(folder.path()).output().expect("the script runs");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn f66_the_scan_finds_every_kind_of_leak_and_does_not_repeat_it() {
    let token = format!("sim_{}", "0123456789abcdef".repeat(8));
    let signature = format!("?msg_signature={}&nonce=1", "0123456789".repeat(4));
    let sign = format!("&Sign={}", "01234567".repeat(8));
    let usersig = format!("eJ{}", "abcDEF-*_9".repeat(10));
    for (kind, value) in [
        ("secret", "the-app-secret"),
        ("openid", "oAbCdEfGhIjKlMnOpQrStUvWxYz0"),
        ("text", TEXT),
        ("access token", &token),
        ("UserSig", &usersig),
        ("signature", &signature),
        ("signature", &sign),
    ] {
        let (code, said) = scan(&format!("all is well\nsent to=({value}) state=sent\n"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("leak: output/it-1-0.log:2: {kind}\n")), "{said}");
        assert!(!said.contains(value), "{said}");
    }
}

#[test]
fn f66_a_clean_run_passes_and_an_empty_one_does_not() {
    let (code, said) = scan("all is well\nsent state=sent\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("no leak: 3 planted values, 1 files"), "{said}");
    assert_eq!(scan("").0, Some(2));
}
