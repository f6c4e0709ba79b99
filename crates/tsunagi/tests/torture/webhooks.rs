//! A great many webhooks, some of them twice, in any order: each is stored once.

use crate::dice::Dice;
use crate::scenario::{Form, Report, Round};
use crate::town::{Plan, Town};
use sim::WechatAccountConfig;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of a hundred webhooks so many are copies of another one.
const COPIES: u64 = 30;
const CUSTOMERS: u64 = 5_000;
/// How far from its place in time a webhook may come.
const DISORDER: usize = 4_096;
const CONNECTIONS: usize = 48;

pub(crate) fn rounds(form: Form) -> u64 {
    // Each engine in turn.
    form.of(1, 2, 4)
}

/// Which of the messages each webhook brings: all of them once, and copies, near their place and in disorder.
fn order(all: u64, dice: &mut Dice) -> Vec<u32> {
    let distinct = all - all * COPIES / 100;
    let mut order: Vec<u32> = (0..distinct as u32).collect();
    for _ in 0..all - distinct {
        order.push(dice.below(distinct) as u32);
    }
    // By the message's number and a little chance, so that a copy comes some seconds apart from the first, as WeChat's do.
    let mut order: Vec<(u64, u32)> =
        order.into_iter().map(|n| (u64::from(n) * 10 / 7 + dice.below(DISORDER as u64), n)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, n)| n).collect()
}

pub(crate) async fn play(round: Round) -> Report {
    let engine = round.engine();
    let mut dice = Dice::new(round.seed);
    let all = round.form.of(5_000, 1_000_000, 2_000_000);
    let town = Plan::new(engine).build().await;
    // IM is away: what is taken in stays in the queue.
    town.nodes[0].to_im.set(crate::link::Mode::Cut);
    let order = Arc::new(order(all, &mut dice));
    let (next, refused, worst) =
        (Arc::<AtomicUsize>::default(), Arc::<AtomicI64>::default(), Arc::<AtomicI64>::default());
    let begun = Instant::now();
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (order, next, refused, worst) = (order.clone(), next.clone(), refused.clone(), worst.clone());
            let address = format!("http://{}/wechat/shop", town.nodes[0].webhooks);
            tokio::spawn(async move {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&n) = order.get(at) else { return };
                    let begun = Instant::now();
                    deliver(&http, &address, n, at, &refused).await;
                    worst.fetch_max(begun.elapsed().as_millis() as i64, Ordering::Relaxed);
                    if at.is_multiple_of(100_000) && at > 0 {
                        eprintln!("  {at} webhooks");
                    }
                }
            })
        })
        .collect();
    let mut report = Report::default();
    for caller in callers {
        if let Err(error) = caller.await {
            report.findings.push(format!("a webhook was not taken: {error}; {}", town.keep_logs().await));
            return report;
        }
    }
    let engine = format!("{engine:?}").to_lowercase();
    report.add(&format!("webhooks on {engine}"), all as i64);
    report.add(&format!("seconds on {engine}"), begun.elapsed().as_secs() as i64);
    report.add("answered 503 and offered again", refused.load(Ordering::Relaxed));
    report.most("worst ms to the answer", worst.load(Ordering::Relaxed));
    compare(&town, all - all * COPIES / 100, &mut report).await;
    report
}

fn msg_id(n: u32) -> u64 {
    23_000_000_000_000_000 + u64::from(n)
}

/// Offers a webhook until it is taken, as WeChat does, but without its limit of three.
async fn deliver(http: &reqwest::Client, address: &str, n: u32, at: usize, refused: &AtomicI64) {
    let shop = WechatAccountConfig::shop();
    let now = crate::drive::now_ms() / 1_000;
    let customer = u64::from(n).wrapping_mul(0x9E37_79B9) % CUSTOMERS;
    let body = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[oManyWebhooksOfCustomer{customer:05}]]></FromUserName>\
         <CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[message {n}]]></Content>\
         <MsgId>{}</MsgId></xml>",
        shop.gh_id,
        msg_id(n)
    );
    for offer in 1.. {
        let (time, nonce) = (now.to_string(), at.to_string());
        let signature = wechat::signature(&[&shop.token, &time, &nonce]);
        let url = format!("{address}?signature={signature}&timestamp={time}&nonce={nonce}");
        let answer = http.post(url).header("content-type", "text/xml").body(body.clone()).send().await;
        match answer {
            Ok(answer) if answer.status() == 200 => return,
            _ => {
                refused.fetch_add(1, Ordering::Relaxed);
                assert!(offer < 100, "refused a hundred times");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Holds what is stored against what was sent.
async fn compare(town: &Town, distinct: u64, report: &mut Report) {
    // What came in crowds is sorted afterwards; whoever sorts nothing for minutes has stopped.
    let (mut left, mut since) = (i64::MAX, Instant::now());
    while left > 0 && since.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = town.database.count("SELECT COUNT(*) FROM spool").await;
        if now < left {
            (left, since) = (now, Instant::now());
        }
    }
    let bodies: Vec<(Vec<u8>,)> = town.database.rows("SELECT body FROM inbox").await;
    let mut seen: HashSet<u64> = HashSet::with_capacity(bodies.len());
    let mut twice = 0;
    for (body,) in &bodies {
        let text = String::from_utf8_lossy(body);
        let id = text.split("<MsgId>").nth(1).and_then(|rest| rest.split('<').next()?.parse().ok());
        twice += i64::from(id.is_none_or(|id| !seen.insert(id)));
    }
    let lost = (0..distinct as u32).filter(|n| !seen.contains(&msg_id(*n))).count();
    report.add("stored", bodies.len() as i64);
    if twice > 0 || lost > 0 || bodies.len() as u64 != distinct {
        report
            .findings
            .push(format!("{twice} stored twice, {lost} not stored, {} of {distinct} rows", bodies.len()));
    }
    // Each has its place in the queue, too: on its way to the agent, or a message already.
    let queued = "SELECT CAST(COALESCE(SUM(tail), 0) AS BIGINT) FROM lane WHERE direction = 'in'";
    let queued = town.database.count(queued).await;
    if queued != distinct as i64 {
        report.findings.push(format!("{queued} places on lanes for {distinct} messages"));
    }
}
