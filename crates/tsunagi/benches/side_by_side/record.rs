//! The figures of the last run of each step (docs/benchmarks/results.json), and what is made of them: the tables in
//! docs/BENCHMARKS.md, between their marks, and pictures beside it.

use crate::Size;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The figures by step.
pub(crate) struct Record(Map<String, Value>);

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn file() -> PathBuf {
    docs().join("benchmarks/results.json")
}

impl Record {
    pub(crate) fn open() -> Record {
        let text = std::fs::read_to_string(file()).unwrap_or_else(|_| "{}".into());
        Record(serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn keep(&mut self, step: &str, size: Size, rows: Vec<Value>) {
        let about = json!({
            "rounds": size.rounds, "turn_s": size.turn.as_secs(), "commit": told("git", &["describe", "--always"]),
            "machine": machine(), "rows": rows,
        });
        self.0.insert(step.into(), about);
    }

    /// Writes the figures down, and draws the page anew.
    pub(crate) fn save(&self) {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        let text = serde_json::to_string_pretty(&self.0).unwrap();
        std::fs::write(file(), text + "\n").unwrap();
        let page = docs().join("BENCHMARKS.md");
        let mut text = std::fs::read_to_string(&page).unwrap();
        for (step, about) in &self.0 {
            let (begin, end) = (format!("<!-- {step} -->\n"), "<!-- end -->");
            let Some(from) = text.find(&begin).map(|at| at + begin.len()) else { continue };
            let to = from + text[from..].find(end).unwrap();
            text.replace_range(from..to, &format!("\n{}\n", table(step, about)));
        }
        std::fs::write(page, text).unwrap();
        for (name, picture) in self.pictures() {
            std::fs::write(docs().join("benchmarks").join(name), picture).unwrap();
        }
    }

    fn rows(&self, step: &str) -> Vec<&Value> {
        self.0.get(step).and_then(|about| about["rows"].as_array()).into_iter().flatten().collect()
    }

    fn pictures(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for mode in ["plain", "secure"] {
            let of = |row: &&Value| row["mode"] == mode && row["connections"] == 64;
            let bars = bars(self.rows("accept").into_iter().filter(of), "per_second");
            all.push((
                format!("accept-{mode}.svg"),
                picture(&format!("Webhooks answered per second, {mode} mode, 64 connections"), &bars),
            ));
        }
        all.push((
            "relay.svg".into(),
            picture(
                "Webhooks handed on to IM per second, 64 connections",
                &bars(self.rows("relay").into_iter(), "per_second"),
            ),
        ));
        all.push((
            "memory-idle.svg".into(),
            picture("Memory when idle, MiB", &bars(self.rows("memory").into_iter(), "idle_mib")),
        ));
        all.push((
            "memory-load.svg".into(),
            picture("Memory at full load, MiB", &bars(self.rows("memory").into_iter(), "load_mib")),
        ));
        all.retain(|(_, picture)| !picture.is_empty());
        all
    }

    /// All steps as tables for a terminal.
    pub(crate) fn table(&self) -> String {
        self.0.iter().map(|(step, about)| format!("\n{step}\n{}", table(step, about))).collect()
    }
}

fn told(program: &str, words: &[&str]) -> String {
    let told = Command::new(program).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    told.map(|told| String::from_utf8_lossy(&told.stdout).lines().next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let versions = [
        told("rustc", &["--version"]),
        told("node", &["--version"]),
        told("python3", &["--version"]),
        told("psql", &["--version"]),
    ];
    format!(
        "{} × {}; Linux {}; {}",
        info.matches("processor\t").count(),
        model.map_or("", |(_, name)| name.trim()),
        told("uname", &["-r"]).split('-').next().unwrap_or_default(),
        versions.join("; ")
    )
}

fn middle(value: &Value) -> Option<f64> {
    value.get("median").unwrap_or(value).as_f64()
}

/// Columns as the rows have them; where a table has a ceiling or the Node.js gateway in it, also how the others stand to it.
fn table(step: &str, about: &Value) -> String {
    let rows: Vec<&Value> = about["rows"].as_array().into_iter().flatten().collect();
    let mut names: Vec<String> = Vec::new();
    for row in &rows {
        for name in row.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    // What it is about first, then the figures.
    names.sort_by_key(|name| {
        rows.iter().any(|row| row[name.as_str()].is_object() || row[name.as_str()].is_f64())
    });
    names.sort_by_key(|name| name != "who");
    let same_case = |a: &Value, b: &Value| ["mode", "connections"].iter().all(|key| a[key] == b[key]);
    let against = |row: &Value, who: &str| {
        let other = rows.iter().find(|other| {
            same_case(row, other) && other["who"].as_str().is_some_and(|name| name.contains(who))
        })?;
        let ratio = middle(&row["per_second"])? / middle(&other["per_second"])?;
        (row["who"] != other["who"]).then_some(ratio)
    };
    let others: Vec<(&str, &str)> = match step {
        "accept" => vec![("Node.js", "× Node.js"), ("bare", "of the ceiling")],
        "relay" => vec![("Node.js", "× Node.js")],
        _ => Vec::new(),
    };
    let mut text = String::from("|");
    for name in names.iter().map(String::as_str).chain(others.iter().map(|(_, title)| *title)) {
        let _ = write!(text, " {} |", with_unit(name));
    }
    text.push_str("\n| --- |");
    text.push_str(&" --: |".repeat(names.len() + others.len() - 1));
    for row in &rows {
        text.push_str("\n|");
        for name in &names {
            let _ = write!(text, " {} |", row.get(name).map_or(String::new(), cell));
        }
        for (who, title) in &others {
            let ratio = against(row, who).map_or(String::new(), |ratio| match title.starts_with('×') {
                true => format!("{ratio:.1}"),
                false => format!("{:.0} %", ratio * 100.0),
            });
            let _ = write!(text, " {ratio} |");
        }
    }
    let _ = write!(
        text,
        "\n\nMedians of {} turns (least–most), at {}. {}.\n",
        about["rounds"],
        about["commit"].as_str().unwrap_or_default(),
        about["machine"].as_str().unwrap_or_default()
    );
    text
}

/// A column's name, with its unit behind a comma.
fn with_unit(name: &str) -> String {
    let units = [("_ms", "ms"), ("_mib", "MiB"), ("_s", "s")];
    let found = units.iter().find_map(|(end, unit)| Some((name.strip_suffix(end)?, unit)));
    let text = found.map_or_else(|| name.to_owned(), |(name, unit)| format!("{name}, {unit}"));
    text.replace('_', " ")
}

/// A figure as it is read.
fn cell(value: &Value) -> String {
    let short = |number: f64| match number.abs() {
        big if big >= 100.0 => format!("{big:.0}"),
        small if small >= 10.0 => format!("{small:.1}"),
        small => format!("{small:.2}"),
    };
    match value {
        Value::Object(spread) => {
            let part = |name: &str| short(spread[name].as_f64().unwrap_or_default());
            format!("{} ({}–{})", part("median"), part("least"), part("most"))
        }
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

struct Bar {
    name: String,
    value: f64,
    range: Option<(f64, f64)>,
}

fn bars<'a>(rows: impl Iterator<Item = &'a Value>, figure: &str) -> Vec<Bar> {
    let bar = |row: &Value| {
        let of = |name: &str| row[figure].get(name).and_then(Value::as_f64);
        Some(Bar {
            name: row["who"].as_str()?.to_owned(),
            value: middle(&row[figure])?,
            range: of("least").zip(of("most")),
        })
    };
    rows.filter_map(bar).collect()
}

/// Horizontal bars from nought, with the range as a thin line. Readable on light and on dark pages.
fn picture(title: &str, bars: &[Bar]) -> String {
    if bars.is_empty() {
        return String::new();
    }
    const LEFT: f64 = 240.0;
    const WIDTH: f64 = 400.0;
    let most = bars.iter().map(|bar| bar.range.map_or(bar.value, |(_, most)| most)).fold(1e-9, f64::max);
    let x = |value: f64| LEFT + value / most * WIDTH;
    let height = 44 + 30 * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"#808080\" role=\"img\" aria-label=\"{title}\">\n<text x=\"8\" y=\"18\" font-weight=\"bold\">{title}</text>\n"
    );
    for (n, bar) in bars.iter().enumerate() {
        let y = 36 + 30 * n;
        let ink = if bar.name.starts_with("Tsunagi") { "#3b82f6" } else { "#9ca3af" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"18\" fill=\"{ink}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            LEFT - 8.0,
            y + 13,
            bar.name,
            x(bar.value) - LEFT,
            bar.range.map_or(x(bar.value), |(_, most)| x(most)) + 6.0,
            y + 13,
            cell(&json!(bar.value))
        );
        if let Some((least, most)) = bar.range {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {}H{:.1}\" stroke=\"#808080\" fill=\"none\"/>",
                x(least),
                y + 9,
                x(most)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
