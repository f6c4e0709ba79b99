//! What a cell must have come to: nothing lost, doubled or out of order, every message in the state that the table names,
//! and every webhook answered in time.

use super::cell::{Cell, PICTURE, Played};
use super::faults::closes_the_door;
use super::plan::Customer;
use super::table::{Condition, End, Operation};
use crate::checker::{Delivery, Observed, check};
use crate::scenario::Report;
use desk::words::SIGNATURE;
use desk::{DeliveryState, Direction, Reason};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What WeChat and IM wait for, in milliseconds.
const WECHAT_WAITS: u64 = 5_000;
const IM_WAITS: u64 = 2_000;
/// What stands in for a file that comes later, and for one that does not.
const LATER: &str = "（暂时无法读取";
const NEVER: &str = "（无法读取";
const PICTURE_WAITS: &str = "仍在等待发送：「[图片]」";

/// What came of a cell.
pub(super) struct Judged {
    pub(super) report: Report,
    /// Nothing is wrong but that webhooks were answered late, as they are on a machine that is busy with other things.
    pub(super) only_late: bool,
}

pub(super) async fn judge(
    cell: Cell,
    played: &Played,
    customers: &[Customer],
    targets: &'static [&'static str],
) -> Judged {
    let world = &played.world;
    let lines = world.control.journal(0).await.unwrap();
    let mut run = Observed::gather(&world.control, &world.database, &[]).await;
    let files = without_pictures(&mut run);
    let ghosts = world.database.pairs("SELECT user_id, state FROM ghost").await;
    let struck =
        lines.iter().filter(|line| line["kind"] == "fault" && targets.iter().any(|api| line["api"] == *api));
    let mut judge = Judge {
        cell,
        lines: &lines,
        struck: struck.count(),
        report: Report::default(),
        late: Vec::new(),
        findings: check(&run).iter().map(ToString::to_string).collect(),
    };
    judge.states(&run, &files);
    judge.webhooks();
    let pictures = played.pictures();
    match cell.operation {
        Operation::MediaUp => judge.pictures_at_customers(&pictures),
        Operation::MediaGet => judge.pictures_at_agents(&pictures, &run),
        Operation::Delete => judge.accounts(customers, &ghosts),
        _ => {}
    }
    judge.rest(customers);
    let Judge { mut report, mut findings, late, .. } = judge;
    let only_late = findings.is_empty() && !late.is_empty();
    findings.extend(late);
    if !findings.is_empty() {
        let (all, kept) = (findings.len(), world.keep_log());
        findings.truncate(12);
        report.findings = vec![format!("{cell}: {all} findings; {kept}\n    {}", findings.join("\n    "))];
    }
    Judged { report, only_late }
}

/// Takes out what has no text of its own: the deliveries of pictures, which are judged by their lengths, and that they
/// wait, which is said in many chats in the same words.
fn without_pictures(run: &mut Observed) -> Vec<Delivery> {
    run.said.retain(|said| said.text.starts_with('[') && !said.text.starts_with("[TIM"));
    let said: BTreeSet<&str> = run.said.iter().map(|said| said.text.as_str()).collect();
    let is_alike = |text: &str| text.starts_with(SIGNATURE) && text.contains(PICTURE_WAITS);
    run.deliveries.retain(|delivery| !is_alike(&delivery.text));
    let is_text = |text: &str| said.contains(text) || (text.starts_with(SIGNATURE) && !is_alike(text));
    run.received.retain(|received| is_text(&received.text));
    let (texts, files) = std::mem::take(&mut run.deliveries)
        .into_iter()
        .partition(|delivery| delivery.notice || said.contains(delivery.text.as_str()));
    run.deliveries = texts;
    files
}

struct Judge<'a> {
    cell: Cell,
    lines: &'a [Value],
    /// How many calls the fault befell.
    struck: usize,
    report: Report,
    /// Webhooks without an answer in time.
    late: Vec<String>,
    findings: Vec<String>,
}

impl Judge<'_> {
    fn find(&mut self, what: impl Into<String>) {
        self.findings.push(what.into());
    }

    fn states(&mut self, run: &Observed, files: &[Delivery]) {
        let end = self.cell.end();
        let of_people = run.deliveries.iter().filter(|delivery| !delivery.notice).chain(files);
        let (mut unsure, mut failed) = (0, 0);
        for delivery in of_people {
            let state = delivery.state;
            self.report.add("messages", 1);
            self.report.add(state.as_str(), 1);
            let as_said = match (state, end) {
                (DeliveryState::Sent, _) => true,
                (DeliveryState::Unsure, End::Unsure) => {
                    unsure += 1;
                    let arrived = run.received.iter().any(|received| received.text == delivery.text);
                    if arrived != self.cell.condition.is_some_and(Condition::is_carried_out) {
                        self.find(format!("{:?} arrived: {arrived}", delivery.text));
                    }
                    delivery.way == Direction::Out
                }
                (DeliveryState::Failed, End::FailedBusy) => {
                    failed += 1;
                    delivery.reason == Some(Reason::Busy)
                }
                _ => false,
            };
            if !as_said {
                let (text, reason) = (&delivery.text, delivery.reason);
                self.find(format!("{text:?} is {} {reason:?}, not {:?}", state.as_str(), end.words()));
            }
        }
        for notice in run.deliveries.iter().filter(|one| one.notice && one.state != DeliveryState::Sent) {
            self.find(format!("a notice is {}: {:?}", notice.state.as_str(), notice.text));
        }
        let struck = self.struck;
        self.report.add("calls that met the fault", struck as i64);
        if end == End::Unsure && unsure != struck {
            self.find(format!("{struck} calls met the fault, {unsure} messages are unsure"));
        }
        if end == End::FailedBusy && (failed * 3 > struck || failed == 0) {
            self.find(format!("{struck} calls met the fault, {failed} messages failed"));
        }
        if struck == 0 && self.cell.condition.is_some_and(|condition| !closes_the_door(condition)) {
            self.find("the fault befell nothing");
        }
    }

    fn webhooks(&mut self) {
        let mut times: Vec<u64> = Vec::new();
        for line in self.lines {
            let (good, waits) = match (line["cloud"].as_str(), line["kind"].as_str()) {
                (Some("wechat"), Some("push")) => {
                    (line["outcome"] == "ack" || line["outcome"] == "reply", WECHAT_WAITS)
                }
                (Some("im"), Some("callback")) if line["fault"].is_null() => {
                    (line["outcome"] == "answered" && line["error_code"] == 0, IM_WAITS)
                }
                _ => continue,
            };
            let took = line["took_ms"].as_u64().unwrap();
            times.push(took);
            if !good || took > waits {
                self.late.push(format!("a webhook was not answered: {line}"));
            }
        }
        times.sort_unstable();
        let p99 = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0);
        let what = if self.cell.condition.is_some() {
            "worst ack p99 ms"
        } else {
            "worst ack p99 without a fault ms"
        };
        self.report.most(what, p99 as i64);
        self.report.add("webhooks", times.len() as i64);
    }

    /// Each once, with the right one, in order. `arrived`: length and openid.
    fn pictures(&mut self, sent: &[String], arrived: &[(usize, String)], in_order: bool) {
        let mut times: BTreeMap<usize, usize> = BTreeMap::new();
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for (length, openid) in arrived {
            let n = length.wrapping_sub(PICTURE.len() + 1);
            *times.entry(n).or_default() += 1;
            match sent.get(n) {
                Some(owner) if owner == openid => {}
                Some(owner) => self.find(format!("picture {n} of {owner} is with {openid}")),
                None => self.find(format!("nobody sent a picture of {length} bytes")),
            }
            if let Some(before) = last.insert(openid, n).filter(|before| in_order && *before > n) {
                self.find(format!("picture {n} came after {before}"));
            }
        }
        for (n, count) in &times {
            if *count > 1 {
                self.find(format!("picture {n} arrived {count} times"));
            }
        }
        let missing: Vec<usize> = (0..sent.len()).filter(|n| !times.contains_key(n)).collect();
        if !missing.is_empty() && self.cell.end() != End::InWords {
            self.find(format!("pictures {missing:?} of {} did not arrive", sent.len()));
        }
    }

    fn pictures_at_customers(&mut self, sent: &[String]) {
        let uploads: BTreeMap<&str, usize> = self
            .lines
            .iter()
            .filter(|line| line["kind"] == "call" && line["api"] == "wechat.media_upload")
            .filter_map(|line| Some((line["media_id"].as_str()?, line["size"].as_u64()? as usize)))
            .collect();
        let shown =
            self.lines.iter().filter(|line| line["via"] == "custom_send" && line["msg_type"] == "image");
        let arrived: Vec<(usize, String)> = shown
            .map(|line| {
                let id = line["fields"]["media_id"].as_str().unwrap_or_default();
                let length = uploads.get(id).copied().unwrap_or(0);
                (length, line["openid"].as_str().unwrap_or_default().to_owned())
            })
            .collect();
        self.pictures(sent, &arrived, true);
    }

    fn pictures_at_agents(&mut self, sent: &[String], run: &Observed) {
        let (mut arrived, mut later, mut never) = (Vec::new(), 0, 0);
        let said = run.said.iter().map(|said| said.text.as_str()).collect::<BTreeSet<_>>();
        for line in self.lines.iter().filter(|line| line["cloud"] == "im" && line["kind"] == "delivered") {
            let text = line["text"].as_str().unwrap_or_default();
            if !said.contains(text) {
                later += usize::from(text.contains(LATER));
                never += usize::from(text.contains(NEVER));
            }
            let image = &line["body"][0]["MsgContent"]["ImageInfoArray"][0];
            if let Some(length) = image["Size"].as_u64() {
                let ghost = line["from"].as_str().unwrap_or_default();
                arrived.push((length as usize, ghost[..ghost.len().min(28)].to_owned()));
            }
        }
        let end = self.cell.end();
        self.pictures(sent, &arrived, end != End::FileFollows);
        self.report.add("files that followed", i64::try_from(later).unwrap());
        let words = match end {
            End::FileFollows => never == 0 && later > 0,
            End::InWords => later == 0 && never > 0 && arrived.len() + never == sent.len(),
            _ => later == 0 && never == 0,
        };
        if !words {
            self.find(format!(
                "{} pictures: {} arrived, {later} late, {never} never",
                sent.len(),
                arrived.len()
            ));
        }
    }

    /// Who left has a retired UserID, which IM has deleted where that is known, and writes from another.
    fn accounts(&mut self, customers: &[Customer], ghosts: &[(String, String)]) {
        let certain = self.cell.condition.is_none_or(|condition| {
            closes_the_door(condition)
                || condition.is_carried_out()
                || matches!(
                    condition,
                    Condition::Busy | Condition::TokenInvalid | Condition::RateLimit | Condition::Quota
                )
        });
        let state = |user: &str| ghosts.iter().find(|(id, _)| id == user).map(|(_, state)| state.as_str());
        for customer in customers {
            let (old, new) = (customer.openid.clone(), format!("{}-2", customer.openid));
            if (state(&old), state(&new)) != (Some("retired"), Some("living")) {
                self.find(format!("{old} is {:?}, {new} is {:?}", state(&old), state(&new)));
            }
            let deleted = self.lines.iter().any(|line| {
                line["kind"] == "call"
                    && line["api"] == "im.account_delete"
                    && line["error_code"] == 0
                    && line.to_string().contains(&format!("\"{old}\""))
            });
            if certain && !deleted {
                self.find(format!("{old} was never deleted"));
            }
        }
    }

    /// What rests is not asked for by every customer again and again.
    fn rest(&mut self, customers: &[Customer]) {
        // Those under way together hear it together; one tries again if a minute ends meanwhile.
        let most = if self.cell.operation == Operation::Token { 2 } else { customers.len() + 1 };
        if matches!(self.cell.end(), End::NextMinute | End::NextDay) && self.struck > most {
            self.find(format!("{} calls while the account rests", self.struck));
        }
    }
}
