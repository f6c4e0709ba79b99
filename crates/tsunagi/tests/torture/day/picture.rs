//! `docs/reliability/day.svg`: the curves of a run that is recorded, one line per engine.
//!
//! The numbers stand in the picture as comments, so that the round of one engine can be drawn beside the other's.

use super::samples::Sample;
use crate::support::Engine;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

const WIDTH: f64 = 760.0;
const PANEL: f64 = 120.0;
const LEFT: f64 = 70.0;
/// Readable on light and on dark pages.
const INKS: [(&str, &str); 2] = [("sqlite", "#3b82f6"), ("postgres", "#e07b00")];
/// Title, column of the numbers, what one unit on the axis is.
const PANELS: [(&str, usize, f64); 5] = [
    ("memory (RSS), MiB", 1, 1024.0),
    ("file descriptors", 2, 1.0),
    ("rows of messages, deliveries, calls and webhooks", 3, 1.0),
    ("a push's answer, median ms", 4, 1.0),
    ("from a customer's words to the agent's screen, median ms", 6, 1.0),
];

/// Draws it anew, where rounds are recorded.
pub(super) fn draw(engine: Engine, samples: &[Sample]) {
    if !std::env::args().any(|word| word == "--record") {
        return;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reliability/day.svg");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let numbers = |name: &str| {
        let start = format!("<!-- {name} ");
        let line = before.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix(" -->"))?;
        serde_json::from_str::<Vec<Value>>(line).ok()
    };
    let ours = match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    let curves: Vec<(&str, &str, Vec<Value>)> = INKS
        .iter()
        .filter_map(|(name, ink)| match *name == ours {
            true => Some((*name, *ink, samples.iter().map(Sample::numbers).collect())),
            false => Some((*name, *ink, numbers(name)?)),
        })
        .collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, picture(&curves)).unwrap();
}

fn picture(curves: &[(&str, &str, Vec<Value>)]) -> String {
    let height = PANELS.len() as f64 * (PANEL + 50.0) + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"#808080\" role=\"img\" aria-label=\"Memory, file descriptors, rows and latency over simulated hours\">\n"
    );
    for (name, _, numbers) in curves {
        writeln!(svg, "<!-- {name} {} -->", json!(numbers)).unwrap();
    }
    for (n, (name, ink, _)) in curves.iter().enumerate() {
        let x = LEFT + n as f64 * 110.0;
        writeln!(svg, "<rect x=\"{x}\" y=\"8\" width=\"18\" height=\"4\" fill=\"{ink}\"/><text x=\"{}\" y=\"15\">{name}</text>", x + 24.0).unwrap();
    }
    let number = |row: &Value, column: usize| row[column].as_f64().unwrap_or(0.0);
    let rows = || curves.iter().flat_map(|(_, _, numbers)| numbers);
    let hours = rows().map(|row| number(row, 0)).fold(1.0, f64::max);
    for (n, (title, column, unit)) in PANELS.iter().enumerate() {
        let top = 50.0 + n as f64 * (PANEL + 50.0);
        let bottom = top + PANEL;
        let most = rows().map(|row| number(row, *column) / unit).fold(0.0, f64::max);
        let most = rounded_up(most);
        writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>", top - 8.0).unwrap();
        for part in 0..=2 {
            let y = bottom - PANEL * f64::from(part) / 2.0;
            let value = most * f64::from(part) / 2.0;
            writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#808080\" stroke-opacity=\"0.35\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>",
                WIDTH - 20.0,
                LEFT - 6.0,
                y + 4.0
            )
            .unwrap();
        }
        let x = |hour: f64| LEFT + (WIDTH - 20.0 - LEFT) * hour / hours;
        let mut hour = 0.0;
        while hour <= hours {
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{hour}</text>",
                x(hour),
                bottom + 16.0
            )
            .unwrap();
            hour += rounded_up(hours / 8.0);
        }
        for (_, ink, numbers) in curves {
            let points: Vec<String> = numbers
                .iter()
                .map(|row| {
                    format!(
                        "{:.1},{:.1}",
                        x(number(row, 0)),
                        bottom - PANEL * number(row, *column) / unit / most
                    )
                })
                .collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"1.5\"/>",
                points.join(" ")
            )
            .unwrap();
        }
    }
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">simulated hours</text>\n</svg>",
        WIDTH - 20.0,
        height - 6.0
    )
    .unwrap();
    svg
}

/// 1, 2 or 5 times a power of ten, not below the value.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value)
        .unwrap_or(10.0 * power)
}
