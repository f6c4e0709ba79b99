//! Opening, reopening, and what is refused.

use crate::engine::{Db, on_sqlite, story};
use crate::given::*;
use store::{Error, Options, Store};

fn exclusive() -> Options {
    Options { exclusive: true, ..Options::default() }
}

fn refusal(result: Result<Store, Error>) -> String {
    match result {
        Err(Error::Setup(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

story! {
    async fn a_store_keeps_its_id(db: &Db) {
        let first = db.store().await;
        let beside = db.store().await;
        assert_eq!(first.id().len(), 32);
        assert_eq!(beside.id(), first.id());
        assert_eq!(first.engine(), if db.is_sqlite() { "sqlite" } else { "postgres" });
        assert!(!format!("{first:?}").contains("://"));
        first.close().await;
        drop((first, beside));
        let again = db.store().await;
        assert_eq!(again.id(), db.texts("SELECT value FROM meta WHERE key = 'store'").await[0]);
        assert_eq!(db.texts("SELECT value FROM meta WHERE key = 'created_at'").await, [NOW.to_string()]);
    }
}

#[tokio::test]
async fn what_is_closed_is_one_file_with_everything_in_it() {
    on_sqlite(async |db| {
        let store = db.store().await;
        let beside = db.store().await;
        store.close().await;
        beside.close().await;
        let url = db.url();
        let path = url.strip_prefix("sqlite:").unwrap();
        let copy = format!("{path}.copy");
        std::fs::copy(path, &copy).unwrap();
        assert!(!std::path::Path::new(&format!("{path}-wal")).exists(), "the log is left");
        let again = Store::open(&format!("sqlite:{copy}"), Options::default(), &clock(), &entropy()).await;
        assert_eq!(again.unwrap().id(), store.id());
    })
    .await;
}

story! {
    async fn nodes_that_open_a_new_database_at_once_agree(db: &Db) {
        let nodes = futures_util::future::join_all((0..4).map(|_| db.store())).await;
        assert!(nodes.iter().all(|node| node.id() == nodes[0].id()));
    }
}

story! {
    async fn a_newer_schema_is_refused(db: &Db) {
        db.store().await.close().await;
        db.execute("UPDATE meta SET value = '999' WHERE key = 'schema'").await;
        let text = refusal(db.open(Options::default()).await);
        assert!(text.contains("999") && text.contains("newer"), "{text}");
        assert_eq!(db.texts("SELECT value FROM meta WHERE key = 'schema'").await, ["999"]);
    }
}

story! {
    async fn a_url_of_neither_engine_is_refused(db: &Db) {
        let _ = db;
        for url in ["mysql://x", "tsunagi.db", "", "sqlite:", "sqlite::memory:", "postgres://127.0.0.1:1/x?nonsense=%zz"] {
            let text = refusal(Store::open(url, Options::default(), &clock(), &entropy()).await);
            assert!(!text.is_empty());
        }
    }
}

#[tokio::test]
async fn a_second_serve_on_one_sqlite_file_is_refused_and_other_commands_are_not() {
    on_sqlite(async |db: &Db| {
        let serve = db.open(exclusive()).await.unwrap();
        let text = refusal(db.open(exclusive()).await);
        assert!(text.contains("in use by another tsunagi") && text.contains("tsunagi.db"), "{text}");
        // The same file by another path.
        let link = db.path().with_file_name("link.db");
        std::os::unix::fs::symlink(db.path(), &link).unwrap();
        let url = format!("sqlite:{}", link.display());
        refusal(Store::open(&url, exclusive(), &clock(), &entropy()).await);
        // A command beside it reads and writes.
        let command = db.store().await;
        enqueue(&command, vec![job("oA", "1")]).await;
        assert_eq!(drain(&serve).await.len(), 1);
        drop(command);
        refusal(db.open(exclusive()).await);
        serve.close().await;
        drop(serve);
        db.open(exclusive()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_there_is_refused_in_words() {
    on_sqlite(async |db: &Db| {
        for options in [exclusive(), Options::default()] {
            let path = db.path().with_file_name("no such folder").join("tsunagi.db");
            let url = format!("sqlite:{}", path.display());
            let text = refusal(Store::open(&url, options, &clock(), &entropy()).await);
            assert!(text.contains("no such folder"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn sqlite_writes_ahead() {
    on_sqlite(async |db: &Db| {
        let store = db.store().await;
        assert_eq!(db.texts("PRAGMA journal_mode").await, ["wal"]);
        store.ingest(event()).await.unwrap();
    })
    .await;
}

story! {
    async fn f68_closing_waits_for_what_was_asked_for(db: &Db) {
        let store = db.store().await;
        let writes = (0..20).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(move |tx| Box::pin(async move { tx.enqueue(&[job("oA", n.to_string())]).await })).await
            })
        });
        let writes: Vec<_> = writes.collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        store.close().await;
        drop(store);
        let mut stored = 0;
        for write in writes {
            // Whoever came too late was told so.
            stored += i64::from(write.await.unwrap().is_ok());
        }
        assert_eq!(db.count("SELECT COUNT(*) FROM job").await, stored);
    }
}

story! {
    async fn f67_a_node_with_another_configuration_is_noticed(db: &Db) {
        let store = db.store().await;
        let beat = async |fingerprint: &str, at| store.another_configuration(fingerprint, at, 1_000).await.unwrap();
        assert!(!beat("one", 0).await, "the first");
        assert!(!beat("one", 500).await, "another with the same");
        assert!(beat("two", 900).await);
        assert!(beat("one", 1_000).await, "both notice");
        assert!(!beat("two", 5_000).await, "one that stopped long ago counts no more");
    }
}
