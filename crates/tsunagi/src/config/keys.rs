//! Refuses keys that we do not know, with the nearest one that we do, and values of the wrong type.

use super::file::{Kind, shape};
use super::problem::Findings;

/// Checks every key of `tree` against the shape of the file.
pub(super) fn check(tree: &toml::Table, findings: &mut Findings) {
    let shape = shape();
    for (section, content) in tree {
        let Some((_, known)) = shape.iter().find(|(name, _)| name == section) else {
            let names = shape.iter().map(|(name, _)| name.as_str());
            findings.add(section, "unknown section", suggestion(section, names));
            continue;
        };
        match content {
            toml::Value::Array(accounts) if section == "account" => {
                for (index, account) in accounts.iter().enumerate() {
                    let path = format!("account[{index}]");
                    match account.as_table() {
                        Some(table) => check_section(&path, table, known, findings),
                        None => {
                            findings.add(path, "is not a table", "write one [[account]] per Official Account")
                        }
                    }
                }
            }
            toml::Value::Table(_) if section == "account" => {
                findings.add("account", "is one table, not a list", "write [[account]] with two brackets");
            }
            toml::Value::Table(table) => check_section(section, table, known, findings),
            _ => findings.add(section, "is not a section", format!("write [{section}] on a line of its own")),
        }
    }
}

fn check_section(path: &str, table: &toml::Table, known: &[(String, Kind)], findings: &mut Findings) {
    for (key, value) in table {
        let path = format!("{path}.{key}");
        match known.iter().find(|(name, _)| name == key) {
            None => {
                let hint = suggestion(key, known.iter().map(|(name, _)| name.as_str()));
                findings.add(path, "unknown key", hint);
            }
            Some((_, kind)) if !kind.fits(value) => {
                findings.add(path, "has the wrong type", format!("write {}", kind.describe()));
            }
            Some(_) => {}
        }
    }
}

/// "did you mean `x`?" for a name close enough, otherwise all the names there are.
pub(super) fn suggestion<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_by_key(|name| distance(given, name));
    match known.first() {
        // More than a third of the letters wrong is another word, not a slip.
        Some(nearest) if distance(given, nearest) <= (given.len().max(nearest.len()) / 3).max(1) => {
            format!("did you mean `{nearest}`?")
        }
        _ => {
            known.sort_unstable();
            format!("known here: {}; `tsunagi config example` explains them", known.join(", "))
        }
    }
}

/// How many letters have to be put in, taken out or changed to make one word of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_letters() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "", 3), ("agent", "agents", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_slip_gets_the_nearest_name_and_another_word_gets_all() {
        let known = || ["token", "agents", "app_secret"].into_iter();
        assert_eq!(suggestion("agent", known()), "did you mean `agents`?");
        assert_eq!(suggestion("app_secrect", known()), "did you mean `app_secret`?");
        assert!(suggestion("colour", known()).starts_with("known here: agents, app_secret, token;"));
    }
}
