//! From the customer to the agent.

use super::{base64, bytes_at, get, heard, picture, video, voice};
use crate::support::{Engine, OPENID, Setup, engines};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_arrives_whole_with_its_real_size_and_a_small_version() {
    for engine in engines() {
        let world = Setup::new(engine).start().await;
        for (ending, format) in [("jpg", 1), ("png", 3), ("gif", 2)] {
            let file = picture(640, 360, ending);
            let message = json!({"type": "image", "base64": base64(&file)});
            let content = world.sent_to_agent(message, "TIMImageElem").await;
            assert_eq!(content["ImageFormat"], format, "{content}");
            let images = content["ImageInfoArray"].as_array().unwrap();
            let kinds: Vec<_> = images.iter().map(|image| image["Type"].as_i64().unwrap()).collect();
            assert_eq!(kinds, [1, 2, 3]);
            for image in &images[..2] {
                assert_eq!((&image["Width"], &image["Height"]), (&json!(640), &json!(360)));
                assert_eq!(image["Size"], file.len());
                assert!(bytes_at(&image["URL"]).await == file, "the picture is another one");
            }
            let small = bytes_at(&images[2]["URL"]).await;
            assert!(small.starts_with(b"\xff\xd8\xff") && images[2]["Size"] == small.len());
            assert_eq!((&images[2]["Width"], &images[2]["Height"]), (&json!(198), &json!(111)));
            let (_, headers, _) = get(images[0]["URL"].as_str().unwrap()).await;
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(
                headers["content-type"],
                if ending == "jpg" { "image/jpeg".into() } else { format!("image/{ending}") }
            );
            assert_eq!(headers["access-control-allow-origin"], "*");
        }
        world.drained().await;
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f42_a_voice_can_be_played_by_the_agent() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let file = voice(3, "amr");
    let message = json!({"type": "voice", "base64": base64(&file)});
    let content = world.sent_to_agent(message, "TIMSoundElem").await;
    assert_eq!((&content["Second"], &content["Download_Flag"]), (&json!(3), &json!(2)));
    let played = bytes_at(&content["Url"]).await;
    assert_eq!(content["Size"], played.len());
    let (format, seconds) = heard(&played);
    assert!(format == "mp3" && (2.8..3.3).contains(&seconds), "{format} {seconds}");
    assert!(content["Url"].as_str().unwrap().ends_with("/voice.mp3"));
    // The original is kept beside it.
    let kept = world
        .database
        .count("SELECT COUNT(*) FROM media WHERE content_type = 'audio/amr' AND state = 'kept'")
        .await;
    assert_eq!(kept, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f42_without_ffmpeg_a_voice_goes_as_a_link_to_the_original() {
    let world = Setup::new(Engine::Sqlite).media("ffmpeg = \"\"").start().await;
    let file = voice(2, "amr");
    world
        .control
        .send(&world.app_id(), OPENID, json!({"type": "voice", "base64": base64(&file)}))
        .await
        .unwrap();
    let text = world.next_element("TIMTextElem", 0).await;
    let text = text["Text"].as_str().unwrap().to_owned();
    let (words, link) = text.split_once('\n').unwrap_or_else(|| panic!("no link: {text}"));
    assert!(words.starts_with("[语音]"), "{words}");
    let (status, headers, bytes) = get(link).await;
    assert!(status == 200 && bytes == file);
    assert_eq!(headers["content-type"], "audio/amr");
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_arrive_whole_with_a_cover() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let file = video(2);
    for kind in ["video", "shortvideo"] {
        let message = json!({"type": kind, "base64": base64(&file)});
        let content = world.sent_to_agent(message, "TIMVideoFileElem").await;
        assert!(bytes_at(&content["VideoUrl"]).await == file, "the video is another one");
        assert_eq!((&content["VideoSecond"], &content["VideoFormat"]), (&json!(2), &json!("mp4")));
        assert_eq!((&content["VideoDownloadFlag"], &content["ThumbDownloadFlag"]), (&json!(2), &json!(2)));
        let cover = bytes_at(&content["ThumbUrl"]).await;
        assert!(cover.starts_with(b"\xff\xd8\xff") && content["ThumbSize"] == cover.len());
        assert!(content["ThumbWidth"].as_u64().unwrap() > 0);
    }
    // Without one of WeChat's, it is the film's first picture.
    let media = json!({"type": "video", "base64": base64(&file)});
    let path = format!("/sim/wechat/{}/media", world.app_id());
    let made = world.control.post(&path, media).await.unwrap();
    let before = world.elements_at_agent("TIMVideoFileElem").await.len();
    let push = json!({"MsgType": "video", "MediaId": made["media_id"], "ThumbMediaId": ""});
    world.control.push(&world.app_id(), OPENID, push).await.unwrap();
    let content = world.next_element("TIMVideoFileElem", before).await;
    assert_eq!((&content["ThumbWidth"], &content["ThumbHeight"]), (&json!(160), &json!(120)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_and_a_link_arrive_as_what_they_are() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let place =
        json!({"type": "location", "latitude": 22.5333, "longitude": 113.9304, "label": "深圳市南山区"});
    let content = world.sent_to_agent(place, "TIMLocationElem").await;
    assert_eq!(content, json!({"Desc": "深圳市南山区", "Latitude": 22.5333, "Longitude": 113.9304}));
    let link = json!({"type": "link", "title": "商品页", "description": "同款", "url": "https://shop.example.com/1"});
    world.control.send(&world.app_id(), OPENID, link).await.unwrap();
    world.agent_sees("[链接] 商品页 同款\nhttps://shop.example.com/1").await;
    world.control.send(&world.app_id(), OPENID, json!({"type": "file", "name": "清单.pdf"})).await.unwrap();
    world.agent_sees("[文件] 清单.pdf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_claims_is_offered_for_download_alone() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let page = b"<!DOCTYPE html><html><script>alert(document.domain)</script></html>";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    // A page and a picture at once: it is shown as the picture that it begins as, and as nothing else.
    let mut both = picture(8, 8, "gif");
    both.extend(page);
    // Its head claims 60,000 × 60,000 points.
    let mut huge = picture(8, 8, "png");
    huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // WeChat would not pass a page off as a picture, but its answer is judged all the same.
    for (name, file, shown) in [
        ("svg", svg.to_vec(), false),
        ("both", both, true),
        ("huge", huge, true),
        ("cut", picture(90, 90, "jpg")[..700].to_vec(), true),
    ] {
        let before = world.all_at_agent().await.len();
        let message = json!({"type": "image", "base64": base64(&file)});
        world.control.send(&world.app_id(), OPENID, message).await.unwrap();
        world.drained().await;
        let came = world.all_at_agent().await.split_off(before);
        assert_eq!(came.len(), 1, "{name}: {came:?}");
        let content = &came[0]["MsgContent"];
        let url = match came[0]["MsgType"].as_str().unwrap() {
            "TIMImageElem" => &content["ImageInfoArray"][0]["URL"],
            "TIMFileElem" => &content["Url"],
            "TIMTextElem" => {
                assert!(
                    !shown && content["Text"].as_str().unwrap().contains("无法读取"),
                    "{name}: {content}"
                );
                continue;
            }
            other => panic!("{name}: {other}"),
        };
        let (status, headers, bytes) = get(url.as_str().unwrap()).await;
        assert!(status == 200 && bytes == file, "{name}");
        let kind = headers["content-type"].to_str().unwrap();
        let how = headers["content-disposition"].to_str().unwrap();
        assert!(headers["content-security-policy"].to_str().unwrap().contains("sandbox"), "{name}");
        assert!(!kind.contains("html") && !kind.contains("svg"), "{name}: {kind}");
        assert!(kind.starts_with("image/") || how.starts_with("attachment"), "{name}: {kind} {how}");
    }
}
