//! What is looked at each simulated hour, and whether it stays as it is.

use crate::scenario::Report;
use crate::support::{Engine, World, http};
use serde_json::{Value, json};

/// An hour.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) hour: i64,
    pub(super) rss_kib: i64,
    pub(super) fds: i64,
    pub(super) threads: i64,
    pub(super) rows: i64,
    /// What customers and agents have said in this hour: a busy machine makes it less.
    pub(super) said: i64,
    pub(super) database_kib: i64,
    /// Medians, in ms: a push's answer, an IM webhook's, from a customer's words to the agent's screen.
    pub(super) push: i64,
    pub(super) callback: i64,
    pub(super) relay: i64,
}

impl Sample {
    /// As one line of numbers, for whoever draws it.
    pub(super) fn numbers(&self) -> Value {
        json!([self.hour, self.rss_kib, self.fds, self.rows, self.push, self.callback, self.relay])
    }
}

/// Looks at the gateway's process, its database and the clouds' journal.
pub(super) struct Watch {
    journal: u64,
    size: &'static str,
}

impl Watch {
    pub(super) fn new(engine: Engine) -> Watch {
        let size = match engine {
            Engine::Sqlite => {
                "SELECT page_count * page_size / 1024 FROM pragma_page_count(), pragma_page_size()"
            }
            Engine::Postgres => "SELECT pg_database_size(current_database()) / 1024",
        };
        Watch { journal: 0, size }
    }

    pub(super) fn journal_end(&self) -> u64 {
        self.journal
    }

    pub(super) async fn sample(&mut self, world: &World, hour: i64, relayed: Vec<u64>) -> Sample {
        let (mut pushes, mut callbacks, mut said) = (Vec::new(), Vec::new(), 0);
        for line in world.control.journal(self.journal).await.unwrap() {
            self.journal = line["n"].as_u64().unwrap();
            said += i64::from(line["kind"] == "said");
            let Some(took) = line["took_ms"].as_u64() else { continue };
            match line["kind"].as_str() {
                Some("push") => pushes.push(took),
                Some("callback") => callbacks.push(took),
                _ => {}
            }
        }
        let pid = world.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<i64>().ok()
        };
        Sample {
            hour,
            said,
            rss_kib: field("VmRSS:").unwrap_or(0),
            threads: field("Threads:").unwrap_or(0),
            fds: std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |all| all.count() as i64),
            rows: world.database.count("SELECT COUNT(*) FROM message").await
                + world.database.count("SELECT COUNT(*) FROM delivery").await
                + world.database.count("SELECT COUNT(*) FROM attempt").await
                + world.database.count("SELECT COUNT(*) FROM inbox").await,
            database_kib: world.database.count(self.size).await,
            push: median(pushes),
            callback: median(callbacks),
            relay: median(relayed),
        }
    }
}

fn median(mut values: Vec<u64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).map_or(0, |value| *value as i64)
}

/// The second quarter of the time against the last; answer times where the machine is ours alone.
pub(super) fn judge(samples: &[Sample], is_timed: bool, report: &mut Report) {
    let quarter = samples.len() / 4;
    if quarter < 4 {
        report.findings.push(format!("{} hours tell nothing", samples.len()));
        return;
    }
    let middle = |of: &dyn Fn(&Sample) -> i64, part: &[Sample]| {
        let mut values: Vec<i64> = part.iter().map(of).filter(|value| *value > 0).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    // Beside what may grow in proportion, so much: a page cache, a file that is open at the moment, a busy machine.
    type Judged = (&'static str, fn(&Sample) -> i64, f64, i64);
    let judged: [Judged; 6] = [
        ("memory KiB", |sample| sample.rss_kib, 1.1, 4 * 1024),
        ("file descriptors", |sample| sample.fds, 1.0, 6),
        ("threads", |sample| sample.threads, 1.0, 4),
        ("push ms", |sample| sample.push, 2.0, 5),
        ("webhook of IM ms", |sample| sample.callback, 2.0, 5),
        ("relay ms", |sample| sample.relay, 2.0, 20),
    ];
    for (what, of, factor, more) in judged {
        if what.ends_with("ms") && !is_timed {
            continue;
        }
        let (early, late) =
            (middle(&of, &samples[quarter..2 * quarter]), middle(&of, &samples[3 * quarter..]));
        if late > (early as f64 * factor) as i64 + more {
            report.findings.push(format!("{what} went from {early} to {late}"));
        }
    }
    // After a day old rows go as new ones come: what there is belongs to what was said in the day before.
    let hours = samples.last().map_or(0, |sample| sample.hour);
    let per_word = |from: i64, to: i64| {
        let part = samples.iter().filter(|sample| (from..to).contains(&sample.hour));
        let ratios = part.map(|sample| {
            let day = samples.iter().filter(|s| (sample.hour - 26..=sample.hour).contains(&s.hour));
            1_000 * sample.rows / day.map(|s| s.said).sum::<i64>().max(1)
        });
        let mut ratios: Vec<i64> = ratios.collect();
        ratios.sort_unstable();
        ratios.get(ratios.len() / 2).copied().unwrap_or(0)
    };
    let (early, late) = (per_word(27, 37), per_word(hours - 10, hours + 1));
    if hours >= 50 && late > early + early / 4 {
        report.findings.push(format!("rows for a thousand messages of a day went from {early} to {late}"));
    }
    let worst = |of: fn(&Sample) -> i64| samples.iter().map(of).max().unwrap_or(0);
    report.most("worst RSS MB", worst(|sample| sample.rss_kib) / 1024);
    report.most("worst fds", worst(|sample| sample.fds));
    report.most("worst threads", worst(|sample| sample.threads));
    report.most("worst rows", worst(|sample| sample.rows));
    report.most("worst database KiB", worst(|sample| sample.database_kib));
    report.most("worst hourly median push ms", worst(|sample| sample.push));
    report.most("worst hourly median relay ms", worst(|sample| sample.relay));
    let last = &samples[3 * quarter..];
    report.most(
        "worst RSS MB in the second quarter",
        middle(&|s: &Sample| s.rss_kib, &samples[quarter..2 * quarter]) / 1024,
    );
    report.most("worst RSS MB in the last quarter", middle(&|s: &Sample| s.rss_kib, last) / 1024);
}

/// The status of an address; 0 where nobody answers.
pub(super) async fn status(url: &str) -> u16 {
    http().get(url).send().await.map_or(0, |answer| answer.status().as_u16())
}

/// A metric, summed up over its labels.
pub(super) async fn metric(world: &World, name: &str) -> i64 {
    let page = http().get(format!("{}/metrics", world.admin)).send().await.unwrap().text().await.unwrap();
    let of = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
    };
    page.lines().filter_map(of).sum::<f64>() as i64
}
