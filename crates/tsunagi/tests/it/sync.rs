//! A trace of system calls: on SQLite, a completed sync of the log lies between a webhook and its answer.
//!
//! The gateway runs under `strace`, which writes one line per system call, or two where another thread came between
//! (`<unfinished ...>`, `<... resumed>`), in the order in which they happened. [`unsynced`] reads the trace.

use crate::support::{Engine, OPENID, Setup, World};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const CALLS: &str = "trace=read,recvfrom,readv,write,writev,sendto,sendmsg,fsync,fdatasync,pwrite64,pwritev";

/// A system call: when it began and when it was done, as numbers of lines.
#[derive(Debug)]
struct Call {
    name: String,
    /// What stands between its parentheses: file or socket first, then the data.
    words: String,
    began: usize,
    done: usize,
    result: i64,
}

/// The calls of a trace by `strace -f -y`, in the order of their ends.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (n, line) in trace.lines().enumerate() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(_time)) = (words.next(), words.next()) else { continue };
        let at = words.next().map_or(line.len(), |word| word.as_ptr() as usize - line.as_ptr() as usize);
        let rest = &line[at..];
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            open.insert(thread, (n, begun.to_owned()));
            continue;
        }
        let (began, text) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let Some((began, begun)) = open.remove(thread) else { continue };
                let tail = resumed.split_once("resumed>").map_or("", |(_, tail)| tail);
                (began, format!("{begun}{tail}"))
            }
            None => (n, rest.to_owned()),
        };
        let Some((name, rest)) = text.split_once('(') else { continue };
        let Some((words, result)) = rest.rsplit_once(" = ") else { continue };
        let result = result.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(-1);
        calls.push(Call { name: name.to_owned(), words: words.to_owned(), began, done: n, result });
    }
    calls
}

/// The requests for `path` that were answered before what they brought was written to the log and synced, with a
/// reason; an empty list: none was. How many requests there were comes first.
fn unsynced(trace: &str, path: &str) -> (usize, Vec<String>) {
    let calls = calls(trace);
    let is = |call: &Call, names: &[&str]| names.contains(&call.name.as_str());
    let on_log = |call: &Call| call.words.split(',').next().is_some_and(|file| file.contains("-wal>"));
    let mut wrong = Vec::new();
    let requests: Vec<&Call> = calls
        .iter()
        .filter(|call| {
            is(call, &["read", "recvfrom", "readv"]) && call.words.contains(&format!("\"POST {path}"))
        })
        .collect();
    for request in &requests {
        let socket = request.words.split(',').next().unwrap();
        let answer = calls.iter().find(|call| {
            is(call, &["write", "writev", "sendto", "sendmsg"])
                && call.began > request.done
                && call.words.starts_with(socket)
                && call.words.contains("HTTP/1.1 200")
        });
        let Some(answer) = answer else {
            wrong.push("no answer".to_owned());
            continue;
        };
        let between =
            |call: &&Call| call.began > request.done && call.done < answer.began && call.result >= 0;
        let written =
            calls.iter().filter(between).find(|call| is(call, &["pwrite64", "pwritev"]) && on_log(call));
        let Some(written) = written else {
            wrong.push("nothing was written to the log".to_owned());
            continue;
        };
        let synced =
            |call: &&Call| is(call, &["fsync", "fdatasync"]) && on_log(call) && call.began > written.done;
        if !calls.iter().filter(between).any(|call| synced(&call)) {
            wrong.push("the log was not synced".to_owned());
        }
    }
    (requests.len(), wrong)
}

/// Says loudly what is skipped; with `CI=true` nothing may be.
fn strace_is_here() -> bool {
    let quiet = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let here = quiet(Command::new("strace").args(["-o", "/dev/null", "true"]));
    assert!(
        here || std::env::var("CI").as_deref() != Ok("true"),
        "strace cannot be used, and CI skips nothing"
    );
    if !here {
        eprintln!("SKIPPED: the trace of system calls (strace cannot be used)");
    }
    here
}

/// Pushes and a callback, one after another, to a gateway that is traced.
async fn traced(env: Option<(&str, &str)>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    // -D leaves the process its id and its parent, so that it is killed as any other.
    let tracer = ["strace", "-D", "-f", "-y", "-tt", "-s", "64", "-e", CALLS, "-o", trace.to_str().unwrap()];
    let mut setup = Setup::new(Engine::Sqlite).under(tracer.map(str::to_owned));
    if let Some((name, value)) = env {
        setup = setup.env(name, value);
    }
    let mut world = setup.start().await;
    play(&world).await;
    world.stop();
    finished(&trace).await
}

async fn play(world: &World) {
    let (control, app_id) = (&world.control, world.app_id());
    control.follow(&app_id, OPENID).await.unwrap();
    let mut ghost = String::new();
    for text in ["one", "two"] {
        control.say(&app_id, OPENID, text).await.unwrap();
        ghost = world.agent_sees(text).await;
        world.drained().await;
    }
    control.agent_say(crate::support::AGENT, &ghost, "three").await.unwrap().unwrap();
    world.customer_sees("three").await;
    world.drained().await;
}

/// The trace, once the tracer has written its last line.
async fn finished(trace: &Path) -> String {
    let read = |path: PathBuf| {
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap()
    };
    for _ in 0..200 {
        let text = read(trace.to_owned());
        if text.lines().last().is_some_and(|line| line.contains("+++ exited") || line.contains("+++ killed"))
        {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the tracer does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_the_log_is_synced_between_a_webhook_and_its_answer() {
    if strace_is_here() {
        let trace = traced(None).await;
        assert_eq!(unsynced(&trace, "/wechat/shop"), (3, vec![]));
        assert_eq!(unsynced(&trace, "/imcallback"), (1, vec![]));
    }
}

#[cfg(feature = "faults")]
#[tokio::test(flavor = "multi_thread")]
async fn f01_with_synchronous_off_the_trace_does_not_pass() {
    if strace_is_here() {
        let trace = traced(Some(("TSUNAGI_SABOTAGE", "sync-off"))).await;
        let (requests, wrong) = unsynced(&trace, "/wechat/shop");
        assert_eq!((requests, wrong.len()), (3, 3), "{wrong:?}");
        assert!(wrong.iter().all(|why| why == "the log was not synced"), "{wrong:?}");
    }
}

const SOCKET: &str = "9<socket:[77]>";

/// One request, with these lines between it and its answer.
fn trace_with(between: &[&str]) -> String {
    let mut lines = vec![format!(
        "11 10:00:00.000001 recvfrom({SOCKET}, \"POST /wechat/shop?sig\"..., 8192, 0, NULL, NULL) = 480"
    )];
    lines.extend(between.iter().map(|line| (*line).to_owned()));
    lines.push(format!(
        "11 10:00:00.000009 sendto({SOCKET}, \"HTTP/1.1 200 OK\\r\\n\"..., 130, MSG_NOSIGNAL, NULL, 0) = 130"
    ));
    lines.join("\n")
}

const WRITTEN: &str = "12 10:00:00.000002 pwrite64(7</x/t.db-wal>, \"\\0\\1\"..., 4096, 32) = 4096";
const SYNCED: &str = "12 10:00:00.000003 fdatasync(7</x/t.db-wal>) = 0";

fn why(between: &[&str]) -> Option<String> {
    let (requests, wrong) = unsynced(&trace_with(between), "/wechat/shop");
    assert_eq!(requests, 1);
    wrong.into_iter().next()
}

#[test]
fn a_trace_passes_only_with_a_completed_sync_of_what_was_written() {
    assert_eq!(why(&[WRITTEN, SYNCED]), None);
    let in_two_lines = [
        "12 10:00:00.000003 fdatasync(7</x/t.db-wal> <unfinished ...>",
        "12 10:00:00.000004 <... fdatasync resumed>) = 0",
    ];
    assert_eq!(why(&[WRITTEN, in_two_lines[0], in_two_lines[1]]), None);
    let not_synced = Some("the log was not synced".to_owned());
    assert_eq!(why(&[WRITTEN]), not_synced);
    assert_eq!(why(&[SYNCED, WRITTEN]), not_synced, "what was synced before it was written");
    assert_eq!(why(&[WRITTEN, in_two_lines[0]]), not_synced, "a sync that has not come back");
    assert_eq!(
        why(&[WRITTEN, "12 10:00:00.000003 fdatasync(7</x/t.db-wal>) = -1 EIO (Input/output error)"]),
        not_synced
    );
    assert_eq!(why(&[WRITTEN, "12 10:00:00.000003 fdatasync(8</x/t.db>) = 0"]), not_synced, "another file");
    assert_eq!(why(&[SYNCED]), Some("nothing was written to the log".to_owned()));
}
