//! The reference of the configuration, `docs/CONFIG.md`: from the example's comments, the defaults, the kinds and the
//! ranges, so that nothing in it is written twice.

use super::file::{self, Kind, RANGES, SECRETS};
use super::{ENVIRONMENT_HINT, EXAMPLE};

/// The whole page, in Markdown.
pub(crate) fn page() -> String {
    let mut page = format!(
        "# Configuration\n\nMade from the code by `tsunagi config docs`; do not edit. One TOML file, named with `--config`; \
         `tsunagi config example` prints one with every key in it.\n\n{ENVIRONMENT_HINT}\n"
    );
    let kinds = file::shape();
    let (mut section, mut said, mut fresh) = (String::new(), String::new(), true);
    for line in EXAMPLE.lines().skip_while(|line| !line.starts_with('[')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            let title = if section == "account" { "[[account]]".to_owned() } else { format!("[{section}]") };
            page.push_str(&format!("\n## `{title}`\n\n"));
            if !said.is_empty() {
                page.push_str(&format!("{said}\n\n"));
            }
            page.push_str("| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n");
            (said, fresh) = (String::new(), true);
        } else if let Some((key, value)) = setting(line) {
            if key.ends_with("_file") && line.starts_with('#') {
                continue;
            }
            let kind = kinds
                .iter()
                .find(|(name, _)| *name == section)
                .and_then(|(_, keys)| keys.iter().find(|(name, _)| name == key))
                .map(|(_, kind)| *kind);
            page.push_str(&row(&section, key, kind, value, &said));
            fresh = true;
        } else if let Some(comment) = line.strip_prefix("# ") {
            // What stands above two keys is said of both; what comes after them is of the next.
            if fresh {
                said.clear();
            } else {
                said.push(' ');
            }
            said.push_str(comment);
            fresh = false;
        } else {
            (said, fresh) = (String::new(), true);
        }
    }
    page
}

/// A key with its value, also one that is commented out.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    let commented = line.starts_with('#');
    let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !key.is_empty();
    (is_key && (!commented || value.starts_with('"'))).then_some((key, value))
}

fn row(section: &str, key: &str, kind: Option<Kind>, value: &str, said: &str) -> String {
    let range = RANGES.iter().find(|range| range.section == section && range.key == key);
    let unit = range.map_or("", |range| range.unit);
    let kind = match kind {
        Some(Kind::Integer) if unit.is_empty() => "whole number".to_owned(),
        Some(Kind::Integer) => unit.to_owned(),
        Some(Kind::Number) => "number".to_owned(),
        Some(Kind::Flag) => "true or false".to_owned(),
        Some(Kind::List) => "list of texts".to_owned(),
        Some(Kind::Table) => "table of texts".to_owned(),
        Some(Kind::Text) | None => "text".to_owned(),
    };
    let secret =
        if SECRETS.contains(&(section, key)) { " Secret: or name a file in `KEY_file`." } else { "" };
    let secret = secret.replace("KEY", key);
    let range = match range {
        Some(range) if range.most == i64::MAX => format!("from {}", range.least),
        Some(range) => format!("{} to {}", range.least, range.most),
        None => String::new(),
    };
    let default = if value.contains('…') { "must be set".to_owned() } else { format!("`{value}`") };
    format!("| `{key}` | {kind} | {default} | {range} | {}{secret} |\n", said.replace('|', "\\|"))
}
