//! The documents say what is true: the files that they name exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "shared with the torture tool, which asks for the cells")]
#[path = "torture/matrix/table.rs"]
mod matrix;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn documents() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    found.push(root().join("README.md"));
    found.sort();
    found
}

/// What looks like a path from the root: `crates/…`, `docs/…`, `scripts/…`, `ops/…`, `fuzz/…`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| c.is_whitespace() || "`()[],;:*<>\"'…#{}".contains(c);
    text.split(is_end).map(|word| word.trim_start_matches("../").trim_end_matches(['.', '/'])).filter(
        |word| ["crates/", "docs/", "scripts/", "ops/", "fuzz/"].iter().any(|start| word.starts_with(start)),
    )
}

#[test]
fn every_file_that_a_document_names_exists() {
    let mut looked_at = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in paths(&text) {
            looked_at += 1;
            assert!(root().join(path).exists(), "{} names {path}, which is not there", document.display());
        }
    }
    assert!(looked_at > 20, "the documents name files");
}

/// Relative links, such as `[decisions.md](decisions.md)`.
#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{} links to {target}", document.display());
        }
    }
}

/// The numbers in the names of the tests of a file: `fn f09_f10_bodies` gives 9 and 10, after a vector's too (`v7_f18_…`). Only
/// what the harness runs counts: a function with a test attribute (or the store's `story!`, which makes one for each engine)
/// right above it, outside comments and texts, and not one that is ignored.
fn numbers(source: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim_start) {
        match line {
            _ if ["#[test]", "#[tokio::test", "story! {"].iter().any(|start| line.starts_with(start)) => {
                is_test = true;
            }
            _ if line.starts_with("#[ignore") => is_ignored = true,
            _ if line.starts_with('#') || line.starts_with("//") => {}
            _ => {
                let name = line.trim_start_matches("async ").strip_prefix("fn ").unwrap_or_default();
                if is_test && !is_ignored {
                    let words = name.split(['(', '<']).next().unwrap_or_default().split('_');
                    numbers.extend(words.take_while(|word| word.len() <= 3).filter_map(|word| {
                        word.strip_prefix('f').filter(|digits| digits.len() == 2)?.parse::<u32>().ok()
                    }));
                }
                (is_test, is_ignored) = (false, false);
            }
        }
    }
    numbers
}

#[test]
fn only_tests_that_run_count() {
    let comment = "/// #[test]\n/// fn f01_said() {}\nfn helper() {}";
    let helper = "fn f02_is_no_test() {}";
    let ignored = "#[test]\n#[ignore = \"later\"]\nfn f03_never_runs() {}";
    let tests = "#[test]\nfn f04_f05_both() {}\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn v8_f06_vector() {}";
    let proptest = "    #[test]\n    fn f07_property(x in 0..1) {}\n#[test]\nfn f8_f123_form_f09() {}";
    assert_eq!([comment, helper, ignored].map(numbers), [const { Vec::new() }; 3]);
    assert_eq!(numbers(tests), [4, 5, 6]);
    assert_eq!(numbers(proptest), [7]);
    assert_eq!(numbers("story! {\n    async fn f10_on_each_engine(db: &Db) {"), [10]);
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn every_failure_case_has_a_test_or_a_reason() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let mut tested = std::collections::BTreeSet::new();
    for file in files {
        tested.extend(numbers(&std::fs::read_to_string(file).unwrap()));
    }
    let table = std::fs::read_to_string(root().join("docs/FAILURES.md")).unwrap();
    let mut listed = Vec::new();
    for row in table.lines().filter_map(|line| line.strip_prefix("| F")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let number: u32 = cells[0].parse().unwrap();
        // Typing hints and recalls may come later than all others.
        let later = [58, 59].contains(&number) && cells[2].starts_with("*Not yet:* ");
        let excused = later || cells[2].strip_prefix("*Not ours:* ").is_some_and(|why| why.len() > 20);
        assert!(tested.contains(&number) || excused, "F{number} has neither a test nor a reason");
        listed.push(number);
    }
    assert_eq!(listed, (1..=70).collect::<Vec<_>>());
}

#[test]
fn the_upstream_matrix_is_the_one_that_is_played() {
    let path = root().join("docs/reliability/matrix.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, matrix::page()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == matrix::page(),
        "docs/reliability/matrix.md is out of date: run UPDATE_GOLDEN=1 cargo test -p tsunagi --test docs"
    );
}
