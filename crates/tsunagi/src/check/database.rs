//! The database: can it be reached and written, and does it keep what it says that it has kept.

use super::board::{Board, Group, Section};
use super::disk;
use crate::config::Config;
use secrecy::ExposeSecret;
use std::path::Path;
use store::{Inspection, Trouble};

/// Looks at the database; tells whether a gateway runs on it.
pub(super) async fn look(config: &Config, board: &Board) -> bool {
    let section = board.section(Group::Database, "");
    let url = config.store.url.expose_secret();
    match store::inspect(url).await {
        Ok(found) => {
            version(&found, &section);
            durable(&found, &section);
            schema(&found, &section);
            if let Some(path) = url.strip_prefix("sqlite:") {
                disk::look(Path::new(path.strip_prefix("//").unwrap_or(path)), &section);
            }
            if let Some(why) = &found.read_only {
                section.fault("read_only", format!("nothing can be written: {why}"), writable_hint(&found));
            }
            let words =
                if found.served { "a gateway is running on it" } else { "no gateway is running on it" };
            section.ok("served", words);
            found.served
        }
        Err(trouble) => {
            let (name, todo) = remedy(&trouble);
            section.fault(name, trouble.to_string(), todo);
            false
        }
    }
}

fn remedy(trouble: &Trouble) -> (&'static str, &'static str) {
    match trouble {
        Trouble::Url(_) => {
            ("url", "write store.url as sqlite:PATH or postgres://user:password@host/database")
        }
        Trouble::NoFolder(_) => {
            ("folder", "make the folder, and let the gateway's user write there; or correct store.url")
        }
        Trouble::NoFile(_) => ("file", "let the gateway's user read and write it; or correct store.url"),
        Trouble::NotADatabase => {
            ("not_a_database", "correct store.url, or put the right file there from a backup")
        }
        Trouble::NoServer(_) => {
            ("unreachable", "start PostgreSQL, and check host and port in store.url, and pg_hba.conf")
        }
        Trouble::NoLogin(_) => ("login", "correct user and password in store.url, or pg_hba.conf"),
        Trouble::NoDatabase(_) => {
            ("no_database", "make it (createdb), or correct the database's name in store.url")
        }
        Trouble::Other(_) => ("database", "look into the log of the database"),
    }
}

fn writable_hint(found: &Inspection) -> &'static str {
    if found.engine == "sqlite" {
        "let the gateway's user write the file and the folder in which it lies"
    } else {
        "name the primary server in store.url, and a user who owns the schema"
    }
}

fn version(found: &Inspection, section: &Section) {
    let (name, needed) = if found.engine == "sqlite" { ("SQLite", "3.51.3") } else { ("PostgreSQL", "15") };
    if found.new_enough {
        section.ok("version", format!("{name} {}", found.version));
    } else {
        section.fault(
            "version",
            format!("{name} {} is too old, {needed} is needed", found.version),
            "upgrade the server",
        );
    }
}

fn durable(found: &Inspection, section: &Section) {
    if found.engine == "sqlite" {
        match found.setting("journal_mode") {
            None | Some("wal") => {
                section.ok("durable", "each commit is synced to the disk (WAL, synchronous = FULL)");
            }
            Some(mode) => section.warn(
                "durable",
                format!("its journal mode is {mode}"),
                "`tsunagi serve` switches it to WAL when it starts; nothing else may have it open then",
            ),
        }
        return;
    }
    let off: Vec<&str> =
        ["fsync", "full_page_writes"].into_iter().filter(|name| found.setting(name) == Some("off")).collect();
    if off.is_empty() {
        let words = if found.setting("synchronous_commit") == Some("on") {
            "each commit is synced to the disk"
        } else {
            "each commit of the gateway is synced to the disk (it switches synchronous_commit on for itself)"
        };
        section.ok("durable", words);
    } else {
        section.fault(
            "durable",
            format!(
                "switched off: {}; acknowledged messages are lost when the machine stops",
                off.join(", ")
            ),
            "switch it on in postgresql.conf, and reload the server",
        );
    }
}

fn schema(found: &Inspection, section: &Section) {
    match found.schema {
        None => section.ok("schema", "its tables are made when `tsunagi serve` starts"),
        Some(schema) if schema > found.newest => section.fault(
            "schema",
            format!("it has schema {schema}, and this version of tsunagi knows {}", found.newest),
            "use the newer tsunagi that was used before",
        ),
        Some(schema) if schema < found.newest => section.warn(
            "schema",
            format!("it has schema {schema}, and this version of tsunagi brings {}", found.newest),
            "make a backup; `tsunagi serve` of this version migrates it when it starts",
        ),
        Some(schema) => section.ok("schema", format!("schema {schema}, up to date")),
    }
}
