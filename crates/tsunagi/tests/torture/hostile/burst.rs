//! Memory: many genuine bodies of a mebibyte at once, each of which the gateway has to keep until it is stored.

use super::corpus;
use super::requests::now_s;
use crate::scenario::Report;
use crate::support::World;
use sim::WechatAccountConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MIB: usize = 1_048_576;
/// As many bodies of 1 MiB as go into one commit: what the database takes to write them does not grow with their number.
const COMMIT: usize = 4;

/// So many at once: in the end no more memory than twice their bodies, and what the connections take by themselves.
pub(super) async fn play(world: &mut World, bodies: usize, report: &mut Report) {
    let pid = world.pid();
    // What is taken once stays: pages of the database, buffers of connections, room of the allocator.
    burst(world, bodies, 100).await;
    for _ in 0..4 {
        burst(world, COMMIT, MIB).await;
    }
    super::idle(world).await;
    let before = reset_peak(pid);
    burst(world, bodies, 100).await;
    burst(world, COMMIT, MIB).await;
    let base = kib(pid, "VmHWM:") - before;
    let before = reset_peak(pid);
    let statuses = burst(world, bodies, MIB).await;
    let grown = kib(pid, "VmHWM:") - before;
    let flight = (bodies * MIB / 1024) as i64;
    report.add("bodies of 1 MiB at once", bodies as i64);
    report.most("worst growth, % of the bodies", (grown - base).max(0) * 100 / flight);
    report.most("worst growth MiB", grown / 1024);
    report.most("worst growth MiB for one commit", base / 1024);
    if grown > base + 2 * flight {
        report
            .findings
            .push(format!("{flight} KiB of bodies took {grown} KiB, of which {base} are nobody's"));
    }
    let refused: Vec<u16> = statuses.into_iter().filter(|status| *status != 200).collect();
    // A machine that others keep busy may put some off: WeChat offers them again.
    let put_off = refused.iter().filter(|status| matches!(status, 408 | 503)).count();
    report.add("bodies put off", put_off as i64);
    if refused.len() > put_off || (put_off > 0 && super::slowness().await < 2.0) {
        report.findings.push(format!("bodies of 1 MiB were answered {refused:?}"));
    }
}

/// All of them but for the last byte, then the last bytes; gives the answers.
async fn burst(world: &World, bodies: usize, size: usize) -> Vec<u16> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let address = world.webhooks.trim_start_matches("http://").to_owned();
    let token = WechatAccountConfig::shop().token;
    let mut requests = Vec::new();
    for n in 0..bodies {
        let (time, nonce) = (now_s().to_string(), format!("{n}"));
        let signature = wechat::signature(&[&token, &time, &nonce]);
        // Of a type that nobody knows: what is measured is the way to the store.
        let id = u64::from(std::process::id()) * 100_000 + NEXT.fetch_add(1, Ordering::Relaxed);
        let around = corpus::text(id, "").len();
        let words = "x".repeat(size.saturating_sub(around));
        let document = String::from_utf8(corpus::text(id, &words)).unwrap();
        let document = document.replace("[CDATA[text]]", "[CDATA[none]]").into_bytes();
        let head = format!(
            "POST /wechat/shop?signature={signature}&timestamp={time}&nonce={nonce} HTTP/1.1\r\nHost: x\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            document.len()
        );
        requests.push((head, document));
    }
    // Made before the first of them is sent: a body has its time.
    let mut peers = Vec::new();
    for (head, document) in requests {
        let address = address.clone();
        peers.push(tokio::spawn(async move {
            let mut peer = TcpStream::connect(address).await.unwrap();
            peer.write_all(head.as_bytes()).await.unwrap();
            let (last, rest) = document.split_last().unwrap();
            peer.write_all(rest).await.unwrap();
            (peer, *last)
        }));
    }
    let mut ready = Vec::new();
    for peer in peers {
        ready.push(peer.await.unwrap());
    }
    let answers: Vec<_> = ready
        .into_iter()
        .map(|(mut peer, last)| {
            tokio::spawn(async move {
                peer.write_all(&[last]).await.unwrap();
                let mut answer = Vec::new();
                let _ = tokio::time::timeout(Duration::from_secs(20), peer.read_to_end(&mut answer)).await;
                let text = String::from_utf8_lossy(&answer).into_owned();
                text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for answer in answers {
        statuses.push(answer.await.unwrap());
    }
    statuses
}

/// From now on the peak is counted anew; gives the memory of now, in KiB.
fn reset_peak(pid: u32) -> i64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    kib(pid, "VmRSS:")
}

fn kib(pid: u32, what: &str) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
