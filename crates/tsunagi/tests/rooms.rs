//! The arrows between the rooms: what `docs/ARCHITECTURE.md` draws is what cargo knows, and nothing more.
//!
//! Normal, build and dev-dependencies count alike: a test that reaches into another room ties it as firmly.

use std::collections::BTreeSet;
use std::process::Command;

/// Each room, and the rooms of ours that it may know.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tsunagi", &["bridge", "store", "desk", "media", "wechat", "im", "sim"]),
    ("bridge", &["store", "desk", "media", "wechat", "im"]),
    ("store", &["desk"]),
    ("sim", &["wechat", "im"]),
    ("media", &[]),
    ("wechat", &[]),
    ("im", &[]),
    ("desk", &[]),
];

/// The edges between `rooms` that are not allowed, and the rooms that the list does not know.
fn faults(rooms: &BTreeSet<String>, edges: &[(String, String)]) -> Vec<String> {
    let allowed = |from: &str| ALLOWED.iter().find(|(room, _)| *room == from).map(|(_, to)| *to);
    let strangers = rooms
        .iter()
        .filter(|room| allowed(room).is_none())
        .map(|room| format!("{room} is a room that ALLOWED does not name"));
    let missing = ALLOWED
        .iter()
        .filter(|(room, _)| !rooms.contains(*room))
        .map(|(room, _)| format!("{room} is named, but not there"));
    let arrows = edges
        .iter()
        .filter(|(from, to)| rooms.contains(to) && !allowed(from).unwrap_or_default().contains(&to.as_str()))
        .map(|(from, to)| format!("{from} → {to}"));
    strangers.chain(missing).chain(arrows).collect()
}

/// Every package of the workspace, and every dependency that one declares, of any kind, optional ones too.
fn workspace() -> (BTreeSet<String>, Vec<(String, String)>) {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let rooms = packages.iter().map(|package| text(&package["name"])).collect();
    let edges = packages
        .iter()
        .flat_map(|package| {
            let from = text(&package["name"]);
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            dependencies.iter().map(move |dependency| (from.clone(), text(&dependency["name"])))
        })
        .collect();
    (rooms, edges)
}

#[test]
fn only_the_arrows_of_the_design_exist() {
    let (rooms, edges) = workspace();
    assert!(edges.contains(&("store".to_owned(), "desk".to_owned())), "edges are read: {edges:?}");
    assert_eq!(faults(&rooms, &edges), Vec::<String>::new());
}

#[test]
fn a_forbidden_arrow_is_found() {
    let rooms: BTreeSet<String> = ALLOWED.iter().map(|(room, _)| (*room).to_owned()).collect();
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(faults(&rooms, &[edge("bridge", "store"), edge("bridge", "serde")]), Vec::<String>::new());
    for (from, to) in
        [("bridge", "sim"), ("store", "sim"), ("wechat", "im"), ("desk", "store"), ("sim", "bridge")]
    {
        assert_eq!(faults(&rooms, &[edge(from, to)]), [format!("{from} → {to}")]);
    }
    let mut more = rooms.clone();
    more.insert("helpers".to_owned());
    assert_eq!(faults(&more, &[]), ["helpers is a room that ALLOWED does not name"]);
    let mut fewer = rooms;
    fewer.remove("desk");
    assert_eq!(faults(&fewer, &[]), ["desk is named, but not there"]);
}
