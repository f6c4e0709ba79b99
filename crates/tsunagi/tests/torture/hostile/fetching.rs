//! Links that lead where nothing may be fetched: into private networks, by disguised addresses, redirects and names.
//!
//! The gateway may fetch from 127.0.0.1 alone, where both clouds are. The rest of the loopback is a forbidden neighbour
//! that must never see a connection.

use super::{idle, requests};
use crate::scenario::Report;
use crate::support::{AGENT, PATIENCE, World};
use serde_json::{Value, json};
use sim::{Fault, Kind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Customers whose agents send them such links; each conversation waits for itself.
const CUSTOMERS: usize = 6;
const FAILED: &str = "无法从即时通信IM读取这个文件";

fn customer(n: usize) -> String {
    format!("oLinkLinkLinkLinkLinkLinkL{n:02}")
}

/// Paths of links to files that are good.
pub(super) async fn links(world: &World) -> Vec<String> {
    for _ in 0..2 {
        world.control.send(&world.app_id(), &customer(90), json!({"type": "image"})).await.unwrap();
    }
    let begun = Instant::now();
    loop {
        let chats = world.control.chats(AGENT).await.unwrap();
        let elements =
            chats.iter().flat_map(|chat| &chat.messages).flat_map(|message| message.body.as_array().unwrap());
        let found: Vec<String> = elements
            .filter_map(|element| element["MsgContent"]["ImageInfoArray"][0]["URL"].as_str())
            .map(|url| url.replace(&world.webhooks, ""))
            .collect();
        if found.len() == 2 {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "no picture came:\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A neighbour whose every connection is a breach.
async fn neighbour() -> (u16, Arc<AtomicUsize>) {
    let visits = Arc::new(AtomicUsize::new(0));
    let all = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = all.local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port)).await.ok();
    for listener in [Some(all), six].into_iter().flatten() {
        let visits = visits.clone();
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                visits.fetch_add(1, Ordering::SeqCst);
                let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await;
            }
        });
    }
    (port, visits)
}

/// A server at the allowed address that sends its visitors on: `/CODE/HEX`, where HEX is the address.
async fn redirector() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = vec![0; 8_192];
                let read = peer.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                let path = asked.split(' ').nth(1).unwrap_or_default();
                let (code, to) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
                let bytes: Vec<u8> = (0..to.len() / 2)
                    .filter_map(|n| u8::from_str_radix(to.get(2 * n..2 * n + 2)?, 16).ok())
                    .collect();
                // A redirect that leads to a path here is nobody's.
                let (code, to) = match bytes.len() * 2 == to.len() {
                    true => (code, String::from_utf8_lossy(&bytes).into_owned()),
                    false => ("404", String::new()),
                };
                let answer = match code {
                    "meta" => {
                        let page = format!(
                            "<html><meta http-equiv=\"refresh\" content=\"0;url={to}\"><img src=\"{to}\"></html>"
                        );
                        format!(
                            "HTTP/1.1 200 OK\r\nRefresh: 0;url={to}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                            page.len()
                        )
                    }
                    code => format!(
                        "HTTP/1.1 {code} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    ),
                };
                let _ = peer.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

fn sent_on(port: u16, code: &str, to: &str) -> String {
    let hex: String = to.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("http://127.0.0.1:{port}/{code}/{hex}")
}

/// Names that this machine knows by itself, for addresses that are not allowed.
fn names() -> Vec<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut names = Vec::new();
    for line in lines {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|address| address != "127.0.0.1") {
            names.extend(words.filter(|name| *name != "localhost").map(str::to_owned));
        }
    }
    names
}

/// Addresses that are refused at once; `p` is the neighbour's port.
fn forbidden(p: u16) -> Vec<String> {
    let hosts = [
        "127.0.66.1",
        "127.1.1.1",
        "127.0.0.2",
        "127.255.255.254",
        "127.0.66.1.",
        "127.16897",
        "0177.0.0102.1",
        "0x7f.0.0x42.1",
        "0x7f004201",
        "2130723329",
        "017700041001",
        "127.0.16897",
        "１２７.０.６６.１",
        "①②⑦.⓪.⑥⑥.①",
        "127。0。66。1",
        "%31%32%37.0.66.1",
        "0.0.0.0",
        "0",
        "0x0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.66.1]",
        "[::ffff:7f00:4201]",
        "[::127.0.66.1]",
        "[64:ff9b::127.0.66.1]",
        "[64:ff9b:1::7f00:4201]",
        "[2002:7f00:4201::]",
        "[2001:0:7f00:4201::80ff:bdfe]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
        "[5f00::1]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "192.0.0.192",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "good@127.0.66.1",
        "127.0.0.1@127.0.66.1",
        "127.0.0.1:80@127.0.66.1",
        "a:b@[::1]",
    ];
    let mut all: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{p}/a.jpg")).collect();
    all.extend(names().iter().map(|name| format!("http://{name}:{p}/a.jpg")));
    all.extend([
        format!("https://127.0.66.1:{p}/a.jpg"),
        format!("HTTP://127.0.66.1:{p}/a.jpg"),
        format!("http:127.0.66.1:{p}/a.jpg"),
        format!("http:\\\\127.0.66.1:{p}\\a.jpg"),
        format!("http://127.0.66.1:{p}\\@127.0.0.1/a.jpg"),
        format!("http://127.0.66.1:{p}#@127.0.0.1/a.jpg"),
        format!("http://127.0.66.1:{p}?@127.0.0.1/a.jpg"),
        format!("http://127.0.\t66.1:{p}/a.jpg"),
        format!("\u{1} http://127.0.66.1:{p}/a.jpg"),
        format!("http://[fe80::1%25lo]:{p}/a.jpg"),
        "http://4425690625/a.jpg".into(),
        "//127.0.66.1/a.jpg".into(),
        "file:///etc/passwd".into(),
        "FILE:///etc/passwd".into(),
        "file://127.0.66.1/etc/passwd".into(),
        format!("ftp://127.0.66.1:{p}/a.jpg"),
        format!("gopher://127.0.66.1:{p}/_GET%20/"),
        format!("dict://127.0.66.1:{p}/stat"),
        format!("ldap://127.0.66.1:{p}/"),
        format!("ws://127.0.66.1:{p}/"),
        "data:image/png;base64,iVBORw0KGgo=".into(),
        "unix:///run/docker.sock".into(),
        "javascript:alert(1)".into(),
        "jar:http://127.0.66.1!/a".into(),
    ]);
    all
}

/// All of them, from agents and from pushes; the neighbour is not visited, and who sent the link is told that it fails.
pub(super) async fn play(world: &World, report: &mut Report) {
    let ((p, visits), q) = (neighbour().await, redirector().await);
    let inside = forbidden(p);
    let mut urls = inside.clone();
    for (n, code) in ["301", "302", "303", "307", "308"].into_iter().enumerate() {
        // A control character would make the answer none at all, which is another story.
        let spoken = inside.iter().filter(|to| !to.contains('\u{1}'));
        urls.extend(spoken.skip(n).step_by(5).map(|to| sent_on(q, code, to)));
        let twice = sent_on(q, code, &format!("http://127.0.66.1:{p}/a.jpg"));
        urls.push(sent_on(q, "302", &twice));
        urls.push(sent_on(q, "307", &sent_on(q, "301", &twice)));
    }
    // Pages that send a browser on, and no client: files like any other, but neither pictures nor sounds.
    let told = urls.len() + (urls.len()..urls.len() + 2).filter(|n| n % 3 != 2).count();
    let pages =
        ["http://127.0.66.1", "http://[::1]"].map(|to| sent_on(q, "meta", &format!("{to}:{p}/a.jpg")));
    urls.extend(pages);
    let mut ghosts = Vec::new();
    for n in 0..CUSTOMERS {
        world.control.say(&world.app_id(), &customer(n), &format!("link {n}")).await.unwrap();
        ghosts.push(world.agent_sees(&format!("link {n}")).await);
    }
    let begun = Instant::now();
    for (n, url) in urls.iter().enumerate() {
        let message = json!({"to": ghosts[n % CUSTOMERS], "body": [element(n, url)]});
        let _ = world.control.agent_send(AGENT, message).await.unwrap();
    }
    let mut pushed = 0;
    for (n, url) in inside.iter().enumerate().step_by(7) {
        if n % 2 == 0 {
            let body = json!({"video_url": url}).to_string();
            world.control.fault(Fault::once("wechat.media_get", Kind::Body).value(body)).await.unwrap();
        }
        let push = json!({"MsgType": "image", "PicUrl": url, "MediaId": format!("gone{n}")});
        // Each waits for its own: after some of these, calls for files rest.
        let _ = world.control.push(&world.app_id(), &customer(10 + n % 80), push).await;
        pushed += 1;
    }
    if !idle(world).await {
        let left = world.database.pairs("SELECT id, source FROM media WHERE state = 'wanted'").await;
        let left: Vec<&String> = left.iter().map(|(_, source)| source).take(3).collect();
        report
            .findings
            .push(format!("a link to a forbidden address keeps its conversation waiting: {left:?}"));
    }
    let failed = world.shown_to_agent(|text| text.contains(FAILED)).await;
    report.add("links to forbidden addresses", (told + pushed) as i64);
    report.most("worst time for all such links ms", begun.elapsed().as_millis() as i64);
    if failed != told {
        report.findings.push(format!(
            "{told} links lead where nothing may be fetched, and agents were told of {failed}"
        ));
    }
    let lost = world.shown_to_agent(|text| text.starts_with("[图片]（无法读取")).await;
    if lost < pushed {
        report.findings.push(format!(
            "{pushed} pictures lead where nothing may be fetched, and {lost} are said to be lost"
        ));
    }
    match visits.load(Ordering::SeqCst) {
        0 => {}
        visits => report.findings.push(format!("the neighbour was visited {visits} times")),
    }
    if world.log().contains("169.254.169.254") || world.log().contains(requests::MARK) {
        report.findings.push("what a stranger wrote stands in the log".into());
    }
}

/// One element of each kind that has an address.
fn element(n: usize, url: &str) -> Value {
    match n % 3 {
        0 => json!({"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1,
            "ImageInfoArray": [{"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": url}]}}),
        1 => {
            json!({"MsgType": "TIMSoundElem", "MsgContent": {"Url": url, "UUID": "u", "Size": 1, "Second": 1, "Download_Flag": 2}})
        }
        _ => {
            json!({"MsgType": "TIMFileElem", "MsgContent": {"Url": url, "UUID": "u", "FileSize": 1, "FileName": "a.pdf", "Download_Flag": 2}})
        }
    }
}
