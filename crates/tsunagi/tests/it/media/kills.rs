//! `kill -9` at every named point of a file's way, both ways: nothing is lost, nothing comes twice.

use super::{base64, bytes_at, picture};
use crate::support::{Engine, OPENID, PATIENCE, Setup, World, engines};
use serde_json::json;
use sim::{Fault, Kind};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};
use store::faults::MEDIA_POINTS;

/// Starts the gateway again when it has died; true if it had.
async fn revive(world: &mut World) -> bool {
    let Some(status) = world.died() else { return false };
    assert_eq!(status.signal(), Some(9), "the gateway ended by itself:\n{}", world.log());
    world.spawn(&[]);
    world.ready().await;
    true
}

async fn story(engine: Engine, point: &'static str) {
    let late = matches!(point, "media.postponed" | "media.late_before_commit");
    let patience = if late { "fetch_patience = 1\nfetch_timeout = 1" } else { "" };
    let mut world =
        Setup::new(engine).store("lease = 2").media(patience).env("TSUNAGI_KILL_AT", point).start().await;
    let ghost = world.customer_wrote().await;
    if late {
        for target in ["wechat.media_get", "wechat.download"] {
            world.control.fault(Fault::lasting(target, Kind::Hang, 4_000)).await.unwrap();
        }
    }
    let (hers, theirs) = (picture(70, 50, "jpg"), picture(40, 30, "png"));
    world
        .control
        .send(&world.app_id(), OPENID, json!({"type": "image", "base64": base64(&hers)}))
        .await
        .unwrap();
    let url = world.agent_uploads("a.png", &theirs).await;
    let body = json!([
        {"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 3,
            "ImageInfoArray": [{"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": url}]}},
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": "看图"}},
    ]);
    // The webhook must be stored: the gateway may be dead for a moment.
    let mut died = false;
    for _ in 0..200 {
        died |= revive(&mut world).await;
        if !world.elements_at_agent("TIMImageElem").await.is_empty() || died {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    died |= revive(&mut world).await;
    world.agent_sends(&ghost, body).await;
    let begun = Instant::now();
    let mut claimed = late;
    loop {
        died |= revive(&mut world).await;
        if died && claimed {
            // What the dead one had claimed beside its lane is free again after three minutes.
            world.advance(180_000).await;
            claimed = false;
        }
        // In one look: what is late becomes a job in one commit.
        let open = "SELECT (SELECT COUNT(*) FROM job) + (SELECT COUNT(*) FROM spool) + \
                    (SELECT COUNT(*) FROM media WHERE state IN ('wanted', 'late') AND source <> '')";
        let open = world.database.count(open).await;
        if open == 0 && died {
            break;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "{point}: {open} left, died: {died}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let images = world.elements_at_agent("TIMImageElem").await;
    assert_eq!(images.len(), 1, "{point}:\n{}", world.log());
    assert!(bytes_at(&images[0]["ImageInfoArray"][0]["URL"]).await == hers, "{point}");
    let got = world.at_customer().await;
    let kinds: Vec<&str> = got.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["image", "text"], "{point}:\n{}", world.log());
    assert!(world.phone_gets(&got[0].2["media_id"]).await == theirs, "{point}");
    world.database.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f44_killed_between_download_upload_and_send() {
    for engine in engines() {
        for points in MEDIA_POINTS.chunks(3) {
            futures_util::future::join_all(points.iter().map(|point| story(engine, point))).await;
        }
    }
}
