//! Runs a command, and reads what it said.

use crate::support::PATIENCE;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// How a command ended and what it said.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs the binary in `folder` until it ends.
pub(crate) async fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, &[]).await
}

/// With these variables.
pub(super) async fn run_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_tsunagi"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("TSUNAGI_KILL_AT")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = tokio::time::timeout(PATIENCE * 2, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
    Ran {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        format!("exit code {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }

    /// One JSON object a line.
    pub(super) fn lines(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.stdout.lines().filter(|line| !line.is_empty()).map(read).collect()
    }

    /// It found no fault. (A server that is made for tests may well have fsync off: that is a fault that is found.)
    #[track_caller]
    pub(super) fn is_calm(&self) {
        assert_eq!(self.found("fault"), [[""; 4]; 0], "{}", self.said());
        assert_eq!(self.code, i32::from(!self.all("fault").is_empty()), "{}", self.said());
    }

    /// The findings of `check` at this level, but for that one: group, name, words, what to do.
    pub(super) fn found(&self, level: &str) -> Vec<[String; 4]> {
        let mut found = self.all(level);
        found.retain(|finding| !(finding[1] == "durable" && finding[2].contains("fsync")));
        found
    }

    pub(super) fn all(&self, level: &str) -> Vec<[String; 4]> {
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let lines = self.lines();
        let of_level = lines.iter().filter(|line| line["level"] == level);
        of_level.map(|line| ["group", "name", "what", "todo"].map(|key| word(line, key))).collect()
    }

    /// It found this fault and no other, says so with these words, and says what to do with those.
    #[track_caller]
    pub(super) fn names(&self, group: &str, name: &str, what: &str, todo: &str) {
        let faults = self.found("fault");
        let [fault] = faults.as_slice() else { panic!("{name}: not one fault\n{}", self.said()) };
        assert_eq!([&fault[0], &fault[1]], [group, name], "{}", self.said());
        assert!(fault[2].contains(what), "{name}: {what:?} is not said\n{}", self.said());
        assert!(fault[3].contains(todo), "{name}: {todo:?} is not said\n{}", self.said());
        assert_eq!(self.code, 1, "{}", self.said());
    }
}
