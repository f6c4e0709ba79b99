//! The README's tables of the two checklists: nothing is left out, and what they name is there.

use std::path::Path;

const README: &str = include_str!("../../README.md");

/// The rows of the checklist under this heading: item, built in, tested in.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = README.split_once(heading).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let table = rest.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Words in backticks that are paths: `it/push.rs`, `wechat/tokens.rs`.
fn files(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).filter(|word| word.ends_with(".rs"))
}

fn text(file: &str) -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str| std::fs::read_to_string(here.join(folder).join(file)).ok();
    read("tests").or_else(|| read("src"))
}

fn is_there(file: &str) -> bool {
    text(file).is_some()
}

/// The numbers of failure cases that a cell names after a file: "`it/push.rs` f17" gives `it/push.rs` and `f17`.
fn cases(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split(", ").filter_map(|place| {
        let (file, case) = place.split_once("` ")?;
        let is_case = case.len() == 3 && case.starts_with('f');
        is_case.then(|| (file.trim_start_matches('`'), case))
    })
}

fn check(heading: &str, items: u32) {
    let rows = rows(heading);
    for row in &rows {
        let [item, built, tested] = row[..] else { panic!("three columns: {row:?}") };
        assert!(!row.iter().any(|cell| cell.contains("not yet")), "{item}");
        assert!(!built.is_empty(), "{item}");
        assert!(files(tested).count() > 0, "no test is named for: {item}");
        for file in files(built).chain(files(tested)) {
            assert!(is_there(file), "{file}, named for: {item}");
        }
        for file in files(tested) {
            assert!(text(file).unwrap().contains("test]"), "{file} has no test, named for: {item}");
        }
        for (file, case) in cases(tested) {
            let names_it = text(file).unwrap().contains(&format!("fn {case}_"));
            assert!(names_it, "{file} has no test of {case}, named for: {item}");
        }
    }
    for n in 1..=items {
        assert!(rows.iter().any(|row| row[0].starts_with(&format!("{n} "))), "item {n} of {heading}");
    }
}

#[test]
fn every_item_of_the_wechat_checklist_is_built_and_tested() {
    check("\n## Checklist: WeChat", 8);
}

#[test]
fn every_item_of_the_im_checklist_is_built_and_tested() {
    check("\n## Checklist: IM", 9);
}

#[test]
fn every_target_of_a_fault_is_in_the_readme() {
    let (_, rest) = README.split_once("\n## WeChat's API").unwrap();
    let table = rest.split("\n## ").next().unwrap();
    for target in sim::TARGETS.iter().filter(|t| t.starts_with("wechat.") && **t != "wechat.push") {
        assert!(table.contains(&format!("| `{target}` |")), "{target}");
    }
}

#[test]
fn every_rule_of_an_account_is_in_the_readme() {
    let (_, rest) = README.split_once("\n### An account's rules").unwrap();
    let table = rest.split("\n## ").next().unwrap();
    let rules = serde_json::to_value(sim::AccountRules::default()).unwrap();
    for rule in rules.as_object().unwrap().keys() {
        assert!(table.contains(&format!("`{rule}`")), "{rule}");
    }
}
