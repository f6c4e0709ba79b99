//! Files that come late, not at all, or from where nothing may be fetched.

use super::{base64, bytes_at, picture, voice};
use crate::support::{Engine, OPENID, Setup, engines};
use serde_json::json;
use sim::{Fault, Kind};

fn at(url: &str) -> serde_json::Value {
    json!([{"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1,
        "ImageInfoArray": [{"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": url}]}}])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_come_in_time_is_replaced_by_words_and_follows() {
    for engine in engines() {
        let world = Setup::new(engine).media("fetch_patience = 1\nfetch_timeout = 1").start().await;
        let file = voice(1, "amr");
        world.control.fault(Fault::lasting("wechat.media_get", Kind::Hang, 6_000)).await.unwrap();
        let message = json!({"type": "voice", "base64": base64(&file)});
        world.control.send(&world.app_id(), OPENID, message).await.unwrap();
        world.control.say(&world.app_id(), OPENID, "听得到吗").await.unwrap();
        world.agent_sees("听得到吗").await;
        let content = world.next_element("TIMSoundElem", 0).await;
        let all = world.all_at_agent().await;
        let words: Vec<&str> =
            all.iter().map(|element| element["MsgContent"]["Text"].as_str().unwrap_or("♪")).collect();
        let mark = words.get(2).copied().unwrap_or_default();
        assert!(mark.starts_with('[') && mark.ends_with("秒前收到]"), "{mark}");
        assert_eq!(
            words,
            ["[语音]（暂时无法读取，读取成功后会补发）", "听得到吗", mark, "♪"],
            "{}",
            world.log()
        );
        assert!(bytes_at(&content["Url"]).await.len() > 500);
        world.drained().await;
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_an_error_in_place_of_a_file_is_told_from_a_file() {
    let mut setup = Setup::new(Engine::Sqlite);
    setup.clouds.wechat[0].rules.media_errors_as_text = true;
    let world = setup.start().await;
    for push in [
        json!({"MsgType": "voice", "MediaId": "gone", "Format": "amr"}),
        json!({"MsgType": "image", "MediaId": "gone", "PicUrl": "http://127.0.0.1:1/nobody"}),
    ] {
        world.control.push(&world.app_id(), OPENID, push).await.unwrap();
    }
    world.agent_sees("[语音]（无法读取，请客户重新发送）").await;
    world.agent_sees("[图片]（无法读取，请客户重新发送）").await;
    let kept = world.database.count("SELECT COUNT(*) FROM media WHERE state = 'kept'").await;
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_comes_by_its_address_where_media_get_is_not_permitted() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let fault = Fault { value: json!(48001), ..Fault::times("wechat.media_get", Kind::Errcode, 9) };
    world.control.fault(fault).await.unwrap();
    let file = picture(50, 40, "jpg");
    let content =
        world.sent_to_agent(json!({"type": "image", "base64": base64(&file)}), "TIMImageElem").await;
    assert!(bytes_at(&content["ImageInfoArray"][0]["URL"]).await == file);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_fetched_from_a_private_network() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let inside = [
        "http://10.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:80/a.jpg",
        "http://[::ffff:10.0.0.1]/a.jpg",
        "http://0.0.0.0/a.jpg",
        "http://0xa000001/a.jpg",
        "file:///etc/passwd",
        "ftp://10.0.0.1/a.jpg",
    ];
    for url in inside {
        world.agent_sends(&ghost, at(url)).await;
    }
    world.drained().await;
    let told = world.shown_to_agent(|text| text.contains("无法从即时通信IM读取这个文件")).await;
    assert_eq!(told, inside.len(), "{}", world.log());
    assert!(world.at_customer().await.is_empty());
    // No address of a stranger is logged.
    assert!(!world.log().contains("169.254.169.254"), "{}", world.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_file_that_is_gone_fails_with_what_came_after_it() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let mut body = at(&format!("{}/cos/nobody/knows.jpg", world.clouds.im_url));
    body.as_array_mut()
        .unwrap()
        .insert(0, json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "先看文字"}}));
    body.as_array_mut().unwrap().push(json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "再看这句"}}));
    world.agent_sends(&ghost, body).await;
    world.agent_sees("【Tsunagi】未送达：「[图片]」。无法从即时通信IM读取这个文件，请重新上传后再发。").await;
    world.drained().await;
    let got = world.at_customer().await;
    assert_eq!(got.iter().map(|(_, words, _)| words.as_str()).collect::<Vec<_>>(), ["先看文字"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_failed_and_is_sent_again_is_fetched_and_not_named() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let file = picture(40, 40, "png");
    let url = world.agent_uploads("a.png", &file).await;
    // IM's store says 404 once, which is final.
    world
        .control
        .fault(Fault { value: json!(404), ..Fault::once("im.download", Kind::Status) })
        .await
        .unwrap();
    world.agent_sends(&ghost, at(&url)).await;
    world.agent_sees("【Tsunagi】未送达：「[图片]」。无法从即时通信IM读取这个文件，请重新上传后再发。").await;
    world.drained().await;
    let failed =
        world.database.pairs("SELECT message, state FROM delivery WHERE reason = 'file_unavailable'").await;
    assert_eq!(failed.len(), 1, "{}", world.log());
    let arguments = ["jobs", "retry", failed[0].0.as_str(), "--config", "tsunagi.toml"];
    let retried = crate::commands::run::run(world.folder.path(), &arguments).await;
    assert_eq!(retried.code, 0, "{}", retried.said());
    let got = world.customer_has(1).await;
    assert_eq!(got[0].0, "image");
    assert!(world.phone_gets(&got[0].2["media_id"]).await == file);
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_an_upload_without_a_clear_end_is_made_again_and_the_message_sent_once() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    world.control.fault(Fault::once("wechat.media_upload", Kind::ResetAfter)).await.unwrap();
    let url = world.agent_uploads("a.png", &picture(60, 60, "png")).await;
    world.agent_sends(&ghost, at(&url)).await;
    world.customer_has(1).await;
    world.drained().await;
    assert_eq!(world.at_customer().await.len(), 1);
    // The call after it is another matter: what may have arrived is not repeated.
    world.control.fault(Fault::once("wechat.custom_send", Kind::ResetAfter)).await.unwrap();
    world.agent_sends(&ghost, at(&url)).await;
    world.drained().await;
    assert_eq!(world.shown_to_agent(|text| text.contains("无法确认是否送达：「[图片]」")).await, 1);
    assert_eq!(world.at_customer().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_purged_with_their_bytes() {
    let world = Setup::new(Engine::Sqlite).account("retention_media = 1").start().await;
    let content = world
        .sent_to_agent(json!({"type": "image", "base64": base64(&picture(9, 9, "png"))}), "TIMImageElem")
        .await;
    let link = content["ImageInfoArray"][0]["URL"].clone();
    bytes_at(&link).await;
    world.drained().await;
    let files = || walk(&world.folder.path().join("media"));
    assert_eq!(files(), 2, "the picture and its small version");
    world.database.execute("UPDATE media SET created_at = created_at - 90000000").await;
    let mut world = world;
    // A sweep begins with the process.
    assert!(world.stop().unwrap().success());
    world.spawn(&[]);
    world.ready().await;
    let begun = std::time::Instant::now();
    while walk(&world.folder.path().join("media")) > 0 {
        assert!(begun.elapsed() < crate::support::PATIENCE, "{}", world.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(super::get(link.as_str().unwrap()).await.0, 404);
    assert_eq!(world.database.count("SELECT COUNT(*) FROM media").await, 0);
}

/// Files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_busy_upload_is_asked_again_until_it_is_done() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let busy = Fault::times("wechat.media_upload", Kind::Errcode, 4).value(-1);
    world.control.fault(busy).await.unwrap();
    let file = picture(40, 40, "png");
    let url = world.agent_uploads("a.png", &file).await;
    world.agent_sends(&ghost, at(&url)).await;
    let got = world.customer_has(1).await;
    assert_eq!(got[0].0, "image");
    world.drained().await;
    assert_eq!(world.at_customer().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_a_portals_page_in_place_of_a_picture_is_no_picture() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let file = picture(50, 40, "jpg");
    for target in ["wechat.media_get", "wechat.download"] {
        let page = Fault::times(target, Kind::Body, 2).value(" <!DOCTYPE html><p>Please sign in.</p>");
        world.control.fault(page).await.unwrap();
    }
    let content =
        world.sent_to_agent(json!({"type": "image", "base64": base64(&file)}), "TIMImageElem").await;
    assert!(bytes_at(&content["ImageInfoArray"][0]["URL"]).await == file);
    // From IM's store likewise.
    let ghost = world.customer_wrote().await;
    world.control.fault(Fault::once("im.download", Kind::Body).value("{\"error\":")).await.unwrap();
    let url = world.agent_uploads("a.jpg", &file).await;
    world.agent_sends(&ghost, at(&url)).await;
    let got = world.customer_has(1).await;
    assert_eq!(got[0].0, "image");
    assert!(world.phone_gets(&got[0].2["media_id"]).await == file);
}
