//! What is counted rather than timed: instructions, by callgrind, of programs that do one thing.

use crate::steps::{Rows, row, spread};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn said(command: &mut Command) -> String {
    let told = command.current_dir(root()).stderr(Stdio::inherit()).output().unwrap();
    assert!(told.status.success(), "{command:?} failed");
    String::from_utf8(told.stdout).unwrap()
}

fn instructions(program: &Path, words: &[&str]) -> f64 {
    let mut valgrind = Command::new("valgrind");
    let told = valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(words)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    told.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok()).unwrap()
}

/// One push, on pushes that all accept.
pub(crate) fn parse() -> Rows {
    let target = root().join("target/parse");
    let build = ["build", "--release", "--quiet", "--locked", "--manifest-path", "bench/parse/Cargo.toml"];
    said(Command::new("cargo").args(build).env("CARGO_TARGET_DIR", &target));
    let program = target.join("release/parse");
    let mut rows = Rows::new();
    for mode in ["plain", "secure"] {
        for (who, name) in [("ours", "Tsunagi (wechat)"), ("sdk", "wechat-oa-sdk 1.0.5")] {
            // The difference of two counts, so that starting costs nothing.
            let [few, many] = ["1000", "3000"].map(|count| instructions(&program, &[who, mode, count]));
            let times: Vec<f64> = (0..5)
                .map(|_| {
                    said(Command::new(&program).args([who, mode, "200000", "time"])).trim().parse().unwrap()
                })
                .collect();
            rows.push(row(
                json!({"who": name, "mode": mode}),
                [
                    ("instructions", json!(((many - few) / 2_000.0).round())),
                    ("nanoseconds", spread(&times, |time| *time)),
                ],
            ));
        }
        let list = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(list.path(), said(Command::new(&program).args(["list", mode, "20000"]))).unwrap();
        let times: Vec<f64> = (0..5)
            .map(|_| {
                let mut python = Command::new(root().join("target/peers/python/bin/python"));
                let python = python.arg(root().join("bench/python/parse.py")).arg(mode);
                said(python.stdin(std::fs::File::open(list.path()).unwrap())).trim().parse().unwrap()
            })
            .collect();
        rows.push(row(
            json!({"who": "wechatpy 1.8.18", "mode": mode}),
            [("nanoseconds", spread(&times, |time| *time))],
        ));
    }
    rows
}

/// One ingest, and one ingest with its claim and its job's end, on SQLite.
pub(crate) fn stored() -> Rows {
    let sizes = ["100000", "1000000", "10000000"];
    let told = said(Command::new("scripts/instructions").arg("--stored").args(sizes));
    told.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [stored, path, _, instructions, _, pages, _, nanoseconds] = words.as_slice() else {
                panic!("{line}");
            };
            let number = |text: &str| json!(text.parse::<f64>().unwrap());
            row(
                json!({"who": path, "stored": stored.parse::<u64>().unwrap()}),
                [
                    ("instructions", number(instructions)),
                    ("pages", number(pages)),
                    ("nanoseconds", number(nanoseconds)),
                ],
            )
        })
        .collect()
}
