//! `tsunagi erase`: nothing of a customer is left in any file, dump, log or metric.

use super::run::run;
use crate::media::{base64, picture};
use crate::support::{AGENT, Engine, OPENID, PATIENCE, Setup, World, engines};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const PLANTED: [&str; 6] = [
    "PLANTED-question-7f3a",
    "PLANTED-answer-91bc",
    "种下的秘密词句",
    "PLANTED-waits-5d2e",
    "PLANTED-in-a-picture-c4a0",
    "PLANTED-in-a-file-08e6",
];
const OTHER: &str = "oAnotherCustomerOfThisShop00";

/// The forms in which a text may lie in a file.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let little = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    vec![
        text.as_bytes().to_vec(),
        escaped.into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        little,
        big,
    ]
}

fn holds(bytes: &[u8], text: &str) -> bool {
    forms(text).iter().any(|form| bytes.windows(form.len()).any(|window| window == form.as_slice()))
}

/// Every file in which the gateway may keep something, and a dump.
fn kept(world: &World, engine: Engine) -> Vec<(String, Vec<u8>)> {
    let mut kept = Vec::new();
    let mut folders = vec![world.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains("journal") {
                kept.push((name, std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    if engine == Engine::Postgres {
        let (url, query) = world.database.url.split_once('?').unwrap_or((&world.database.url, ""));
        // What is only for our driver is refused.
        let query: Vec<&str> = query.split('&').filter(|pair| pair.starts_with("host=")).collect();
        let url = format!("{url}?{}", query.join("&"));
        let dump = std::process::Command::new(pg_dump()).arg(url.trim_end_matches('?')).output().unwrap();
        assert!(dump.status.success(), "{dump:?}");
        kept.push(("dump".into(), dump.stdout));
    }
    kept
}

/// Beside the server that the tests run on.
fn pg_dump() -> String {
    let mut found: Vec<String> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions.flatten().map(|v| v.path().join("bin/pg_dump").display().to_string()).collect()
        })
        .unwrap_or_default();
    found.retain(|path| Path::new(path).exists());
    found.sort();
    found.pop().unwrap_or_else(|| "pg_dump".into())
}

async fn erase(world: &World, openid: &str) -> super::run::Ran {
    let arguments = ["erase", "--account", "shop", openid, "--yes", "--config", "tsunagi.toml"];
    run(world.folder.path(), &arguments).await
}

/// Messages that the agent's client shows of a chat.
async fn still_shown(world: &World, ghost: &str) -> usize {
    let chats = world.control.get(&format!("/sim/im/agents/{AGENT}/chats")).await.unwrap();
    let chat = chats.as_array().unwrap().iter().find(|chat| chat["peer"] == ghost);
    let messages = chat.and_then(|chat| chat["messages"].as_array()).cloned().unwrap_or_default();
    messages.iter().filter(|message| message["recalled"] == false).count()
}

async fn metrics(world: &World) -> String {
    crate::support::http().get(format!("{}/metrics", world.admin)).send().await.unwrap().text().await.unwrap()
}

/// A customer of whom there are words in both directions, sent and waiting, and files.
async fn planted(world: &World) -> String {
    let (control, app_id) = (&world.control, world.app_id());
    control.follow(&app_id, OPENID).await.unwrap();
    control.say(&app_id, OPENID, PLANTED[0]).await.unwrap();
    let ghost = world.agent_sees(PLANTED[0]).await;
    control.agent_say(AGENT, &ghost, PLANTED[1]).await.unwrap().unwrap();
    world.customer_sees(PLANTED[1]).await;
    control.say(&app_id, OPENID, PLANTED[2]).await.unwrap();
    world.agent_sees(PLANTED[2]).await;
    // What stands behind a picture's end is kept with it.
    let bytes = [picture(70, 50, "jpg"), PLANTED[4].into()].concat();
    let message = json!({"type": "image", "base64": base64(&bytes)});
    control.send(&app_id, OPENID, message).await.unwrap();
    let url = world.agent_uploads("sizes.txt", PLANTED[5].as_bytes()).await;
    let file = json!({"Url": url, "UUID": "u", "FileSize": 22, "FileName": "sizes.txt", "Download_Flag": 2});
    world.agent_sends(&ghost, json!([{"MsgType": "TIMFileElem", "MsgContent": file}])).await;
    let link = |line: &Value| {
        line["kind"] == "delivered"
            && line["cloud"] == "wechat"
            && line["text"].as_str().is_some_and(|text| text.contains("sizes.txt"))
    };
    control.wait_for(PATIENCE, link).await.unwrap();
    control.say(&app_id, OTHER, "somebody else").await.unwrap();
    world.agent_sees("somebody else").await;
    world.drained().await;
    // One that waits: its lane is held by nobody, and it is not to go out any more.
    control
        .fault(sim::Fault::times("wechat.custom_send", sim::Kind::Errcode, 99).value(45011))
        .await
        .unwrap();
    control.agent_say(AGENT, &ghost, PLANTED[3]).await.unwrap().unwrap();
    control.wait_for(Duration::from_secs(20), |line| line["kind"] == "fault").await.unwrap();
    ghost
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customer_leaves_no_trace_beside_a_running_gateway() {
    for engine in engines() {
        let mut world = Setup::new(engine).start().await;
        let ghost = planted(&world).await;
        let before = kept(&world, engine);
        for word in PLANTED {
            assert!(before.iter().any(|(_, bytes)| holds(bytes, word)), "{word} was never stored");
        }
        let said = erase(&world, OPENID).await;
        assert_eq!(said.code, 0, "{}", said.said());
        assert!(said.stdout.contains("was erased") && said.stdout.contains("backups"), "{}", said.said());
        assert!(!said.said().contains(OPENID) && !said.said().contains("PLANTED"), "{}", said.said());
        assert_eq!(still_shown(&world, &ghost).await, 0, "IM still shows messages");
        let metrics = metrics(&world).await;
        // Beside a running gateway, and once it has stopped.
        for stopped in [false, true] {
            if stopped {
                world.stop();
            }
            for (name, bytes) in kept(&world, engine) {
                for word in PLANTED.into_iter().chain([OPENID]) {
                    assert!(!holds(&bytes, word), "{word} is in {name}, {engine:?}, stopped: {stopped}");
                }
            }
        }
        for word in PLANTED.into_iter().chain([OPENID]) {
            assert!(!metrics.contains(word));
        }
        assert_eq!(world.database.count("SELECT COUNT(*) FROM customer").await, 1, "the other one stays");
        assert_eq!(world.shown_to_customer(PLANTED[3]).await, 0);
        let again = erase(&world, OPENID).await;
        assert!(again.code == 0 && again.stdout.contains("was erased before"), "{}", again.said());
        let nobody = erase(&world, "oNobodyEver").await;
        assert!(
            nobody.code == 1 && nobody.stderr.contains("nothing of such a customer"),
            "{}",
            nobody.said()
        );
        // Who comes back is new, under a UserID that was never used.
        world.control.clear_faults().await.unwrap();
        // WeChat's 45011 rests the account until the next minute, over restarts too.
        world.database.execute("DELETE FROM pause").await;
        world.spawn(&[]);
        world.ready().await;
        world.control.say(&world.app_id(), OPENID, "back again").await.unwrap();
        let back = world.agent_sees("back again").await;
        assert_ne!(back, ghost);
        world.control.agent_say(AGENT, &back, "welcome back").await.unwrap().unwrap();
        world.customer_sees("welcome back").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_accounts_cannot_be_deleted_messages_are_recalled_and_it_says_so() {
    let world = Setup::new(Engine::Sqlite).start().await;
    world.control.configure(serde_json::json!({"deletion_enabled": false})).await.unwrap();
    let ghost = planted(&world).await;
    let asks = ["erase", "--account", "shop", OPENID, "--config", "tsunagi.toml"];
    let asked = run(world.folder.path(), &asks).await;
    assert!(asked.code == 1 && asked.stderr.contains("--yes"), "{}", asked.said());
    world.control.fault(sim::Fault::once("im.account_delete", sim::Kind::Hang)).await.unwrap();
    let failed = erase(&world, OPENID).await;
    assert!(failed.code == 1 && failed.stderr.contains("run this again"), "{}", failed.said());
    let said = erase(&world, OPENID).await;
    assert!(said.code == 0 && said.stdout.contains("not enabled"), "{}", said.said());
    assert_eq!(still_shown(&world, &ghost).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_withdraws_the_authorisation_or_closes_the_account_is_erased() {
    for (event, field) in
        [("user_authorization_revoke", "OpenID"), ("user_authorization_cancellation", "openid")]
    {
        let world = Setup::new(Engine::Sqlite).start().await;
        planted(&world).await;
        let fields = serde_json::json!({"MsgType": "event", "Event": event, field: OPENID, "AppID": world.app_id(), "RevokeInfo": "201"});
        world.control.push(&world.app_id(), OPENID, fields).await.unwrap();
        for _ in 0..200 {
            if world.database.count("SELECT COUNT(*) FROM customer").await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.database.count("SELECT COUNT(*) FROM customer").await, 1, "{}", world.log());
        assert_eq!(world.database.count("SELECT COUNT(*) FROM erased").await, 1);
        for table in ["message", "lane", "conversation", "ghost"] {
            let rows: Vec<(String,)> = world
                .database
                .rows(match table {
                    "message" => "SELECT openid FROM message",
                    "lane" => "SELECT openid FROM lane",
                    "conversation" => "SELECT openid FROM conversation",
                    _ => "SELECT openid FROM ghost",
                })
                .await;
            assert!(rows.iter().all(|(openid,)| openid == OTHER), "{table}: {rows:?}");
        }
    }
}
