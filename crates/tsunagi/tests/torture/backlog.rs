//! Both clouds' REST APIs are away while messages queue up, and come back: the backlog drains at the configured limit, agents'
//! answers first, without a storm.

use crate::checker::{Observed, check};
use crate::drive::openid;
use crate::link::Mode;
use crate::scenario::{Form, Report, Round};
use crate::town::Plan;
use serde_json::{Value, json};
use sim::WechatAccountConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Calls per second and API, of the gateway and of IM.
const RATE: i64 = 200;
/// People who write or answer at the same time.
const AT_ONCE: usize = 24;

pub(crate) fn rounds(form: Form) -> u64 {
    form.of(1, 2, 4)
}

pub(crate) async fn play(round: Round) -> Report {
    let engine = round.engine();
    let (customers, each) = round.form.of((60, 20), (400, 50), (1_000, 50));
    let mut plan = Plan::new(engine);
    plan.im = format!("rate = {RATE}");
    let town = plan.build().await;
    let control = town.control.clone();
    let app_id = WechatAccountConfig::shop().app_id;
    let people = town.people();
    let mut report = Report::default();

    // Everybody has a chat already.
    let ghosts: Vec<(String, String)> = {
        let (control, app_id, people) = (control.clone(), app_id.clone(), people.clone());
        for_each(customers, move |n| {
            let (control, app_id, people) = (control.clone(), app_id.clone(), people.clone());
            async move {
                control.follow(&app_id, &openid(n)).await.unwrap();
                let text = people.say(&openid(n), "q0").await;
                people.who_heard(&text).await
            }
        })
        .await
    };
    town.drained().await;

    town.nodes[0].to_im.set(Mode::Cut);
    town.nodes[0].to_wechat.set(Mode::Cut);
    let begun = Instant::now();
    {
        let (people, control) = (people.clone(), control.clone());
        for_each(customers, move |n| {
            let (people, control, (ghost, agent)) = (people.clone(), control.clone(), ghosts[n].clone());
            async move {
                for m in 1..each {
                    people.say(&openid(n), &format!("q{m}")).await;
                    if m == each / 2 {
                        let text = format!("[{} a]", &ghost[25..]);
                        let body = json!({"to": ghost, "body": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]});
                        control.agent_send(&agent, body).await.unwrap().unwrap();
                    }
                }
            }
        })
        .await;
    }
    eprintln!("  {} messages queued in {} s", customers * each, begun.elapsed().as_secs());
    // Long enough for every pause between tries to have grown.
    tokio::time::sleep(Duration::from_secs(round.form.of(5, 20, 60))).await;
    let last = control.journal(0).await.unwrap().last().map_or(0, |line| line["n"].as_u64().unwrap());
    let back_at = crate::drive::now_ms();
    town.nodes[0].to_im.set(Mode::Open);
    town.nodes[0].to_wechat.set(Mode::Open);
    town.drained().await;

    let lines = control.journal(last).await.unwrap();
    measure(&lines, back_at, (customers, each), round.is_timed(), &mut report);
    let run = Observed::gather(&town.control, &town.database, &town.cuts).await;
    let findings = check(&run);
    report.findings.extend(findings.iter().take(20).map(ToString::to_string));
    if !report.findings.is_empty() {
        report.findings.push(town.keep_logs().await);
    }
    report
}

/// What the clouds' journal says of the time since they are back.
fn measure(
    lines: &[Value],
    back_at: i64,
    (customers, each): (usize, usize),
    timed: bool,
    report: &mut Report,
) {
    let at = |line: &Value| line["at_ms"].as_i64().unwrap();
    let relayed: Vec<i64> = lines
        .iter()
        .filter(|line| {
            line["cloud"] == "im" && line["kind"] == "delivered" && !line["cloud_custom_data"].is_null()
        })
        .map(at)
        .collect();
    let answers: Vec<i64> = lines
        .iter()
        .filter(|line| {
            line["cloud"] == "wechat" && line["kind"] == "delivered" && line["via"] == "custom_send"
        })
        .map(at)
        .collect();
    let (Some(first), Some(last)) = (relayed.iter().min(), relayed.iter().max()) else {
        report.findings.push("nothing was relayed".into());
        return;
    };
    // One second's worth may go at once.
    let per_second = (relayed.len() as i64 - RATE).max(0) * 1_000 / (last - first).max(1);
    report.add("messages", (customers * each) as i64);
    report.add("answers", answers.len() as i64);
    report.add("drains", 1);
    report.most("worst ms until the first call", first - back_at);
    report.add("percent of the limit", per_second * 100 / RATE);
    if timed && per_second * 100 < RATE * 95 {
        report.findings.push(format!("{per_second} a second of {RATE} while the backlog drained"));
    }
    let answered = answers.iter().max().copied().unwrap_or(i64::MAX);
    if answers.len() != customers {
        report.findings.push(format!("{} of {customers} answers arrived", answers.len()));
    }
    let before = relayed.iter().filter(|when| **when < answered).count() as i64;
    report.most("worst percent relayed before the last answer", before * 100 / relayed.len() as i64);
    if timed && before * 4 > relayed.len() as i64 {
        report.findings.push(format!("{before} messages were relayed before the last answer went out"));
    }
    let most =
        relayed.iter().map(|from| relayed.iter().filter(|at| (*from..from + 1_000).contains(at)).count());
    report.most("worst calls in a second", most.max().unwrap_or(0) as i64);
    let refused = lines.iter().filter(|line| line["error_code"] == 60_007).count();
    if refused > 0 {
        report.findings.push(format!("IM refused {refused} calls as too many"));
    }
}

/// Runs something for so many people, some at a time.
async fn for_each<T, F>(people: usize, what: impl Fn(usize) -> F + Send + Sync + 'static) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (next, what) = (Arc::new(AtomicUsize::new(0)), Arc::new(what));
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (next, what) = (next.clone(), what.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= people {
                        return done;
                    }
                    done.push((n, what(n).await));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, value)| value).collect()
}
