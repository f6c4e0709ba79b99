//! From the agent to the customer.

use super::{get, heard, picture, video, voice};
use crate::support::{Engine, Setup, engines};
use serde_json::{Value, json};

fn image(url: &str) -> Value {
    json!({"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1, "ImageInfoArray": [
        {"Type": 3, "Size": 1, "Width": 1, "Height": 1, "URL": format!("{url}-no-thumb")},
        {"Type": 1, "Size": 1, "Width": 1, "Height": 1, "URL": url}]}})
}

fn sound(url: &str, seconds: u64) -> Value {
    json!({"MsgType": "TIMSoundElem", "MsgContent": {"Url": url, "UUID": "u", "Size": 1, "Second": seconds, "Download_Flag": 2}})
}

fn text(words: &str) -> Value {
    json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": words}})
}

#[tokio::test(flavor = "multi_thread")]
async fn f39_several_elements_arrive_whole_and_in_their_order() {
    for engine in engines() {
        let world = Setup::new(engine).start().await;
        let ghost = world.customer_wrote().await;
        let (file, film) = (picture(320, 200, "jpg"), video(1));
        let url = world.agent_uploads("a.jpg", &file).await;
        let still = world.agent_uploads("cover.jpg", &picture(320, 200, "jpg")).await;
        let film_url = world.agent_uploads("b.mp4", &film).await;
        let film_element = json!({"MsgType": "TIMVideoFileElem", "MsgContent": {
            "VideoUrl": film_url, "VideoUUID": "v", "VideoSize": film.len(), "VideoSecond": 1, "VideoFormat": "mp4",
            "VideoDownloadFlag": 2, "ThumbUrl": still, "ThumbUUID": "t", "ThumbSize": 1, "ThumbWidth": 320,
            "ThumbHeight": 200, "ThumbFormat": "JPG", "ThumbDownloadFlag": 2}});
        // The picture takes longer than the words after it.
        let slow = sim::Fault { value: json!(700), ..sim::Fault::once("im.download", sim::Kind::Delay) };
        world.control.fault(slow).await.unwrap();
        world.agent_sends(&ghost, json!([image(&url), text("看这张图"), film_element])).await;
        world.agent_sends(&ghost, json!([text("就是这样")])).await;
        let got = world.customer_has(4).await;
        let kinds: Vec<&str> = got.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert_eq!(kinds, ["image", "text", "video", "text"]);
        assert_eq!((got[1].1.as_str(), got[3].1.as_str()), ("看这张图", "就是这样"));
        assert!(world.phone_gets(&got[0].2["media_id"]).await == file, "the picture is another one");
        assert!(world.phone_gets(&got[2].2["media_id"]).await == film, "the video is another one");
        let thumb = world.phone_gets(&got[2].2["thumb_media_id"]).await;
        assert!(thumb.starts_with(b"\xff\xd8\xff") && thumb.len() <= 64 * 1024);
        world.drained().await;
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f42_voices_are_converted_and_those_that_are_too_long_become_links() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let (m4a, mp3, long) = (voice(4, "m4a"), voice(2, "mp3"), voice(75, "mp3"));
    let silk = b"\x02#!SILK_V3 nobody but a messenger reads this".to_vec();
    for (name, file, seconds) in
        [("a.m4a", &m4a, 4), ("b.mp3", &mp3, 2), ("c.mp3", &long, 75), ("d.amr", &silk, 3)]
    {
        let url = world.agent_uploads(name, file).await;
        world.agent_sends(&ghost, json!([sound(&url, seconds)])).await;
    }
    let got = world.customer_has(4).await;
    let played = world.phone_gets(&got[0].2["media_id"]).await;
    let (format, seconds) = heard(&played);
    assert!(format == "mp3" && (3.8..4.3).contains(&seconds), "{format} {seconds}");
    assert!(world.phone_gets(&got[1].2["media_id"]).await == mp3, "WeChat takes this one as it is");
    for ((kind, words, _), original) in got[2..].iter().zip([&long, &silk]) {
        let (said, link) = words.split_once('\n').unwrap_or_else(|| panic!("{kind}: {words}"));
        assert!(kind == "text" && said.starts_with("[语音] ("), "{words}");
        let (status, _, bytes) = get(link).await;
        assert!(status == 200 && bytes == *original);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_as_a_link_with_its_name_and_size() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let page = b"<html><script>alert(1)</script></html>".to_vec();
    let quote = [b"%PDF-1.7\n".to_vec(), vec![7; 120_000]].concat();
    for (name, file) in [("报价单.pdf", &quote), ("file:///x/page.html", &page)] {
        let url = world.agent_uploads("upload", file).await;
        let element = json!({"MsgType": "TIMFileElem", "MsgContent": {
            "Url": url, "UUID": "f", "FileName": name, "FileSize": file.len(), "Download_Flag": 2}});
        world.agent_sends(&ghost, json!([element])).await;
    }
    let got = world.customer_has(2).await;
    for ((_, words, _), (said, kind, file)) in got.iter().zip([
        ("[文件] 报价单.pdf (121 KB)", "application/pdf", &quote),
        ("[文件] page.html (38 B)", "application/octet-stream", &page),
    ]) {
        let (first, link) = words.split_once('\n').unwrap();
        assert_eq!(first, said);
        let (status, headers, bytes) = get(link).await;
        assert!(status == 200 && bytes == *file);
        assert_eq!(headers["content-type"], kind);
        assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_wechat_does_not_take_are_made_ones_that_it_takes() {
    let mut setup = Setup::new(Engine::Sqlite);
    setup.clouds.wechat[0].rules.image_limit = 2 * 1024 * 1024;
    let world = setup.start().await;
    let ghost = world.customer_wrote().await;
    let noise = |size: &str, ending: &str| {
        let source = format!("nullsrc=size={size},geq=random(1)*255:128:128");
        super::made(&["-i", &source, "-frames:v", "1"], ending)
    };
    // A format that it does not know; one over both its limits, and one over the lower limit alone.
    let (webp, over) = (noise("320x240", "bmp"), noise("2200x1500", "png"));
    assert!(over.len() > 2 * 1024 * 1024 && over.len() < 10 * 1024 * 1024, "{}", over.len());
    for file in [&webp, &over] {
        let url = world.agent_uploads("p", file).await;
        world.agent_sends(&ghost, json!([image(&url)])).await;
    }
    let got = world.customer_has(2).await;
    for (kind, _, fields) in &got {
        assert_eq!(kind, "image");
        let bytes = world.phone_gets(&fields["media_id"]).await;
        assert!(bytes.starts_with(b"\xff\xd8\xff") && bytes.len() <= 2 * 1024 * 1024);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_stickers_links_and_forwarded_messages_become_words() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let custom = |data: &str, desc: &str| json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data, "Desc": desc}});
    world
        .agent_sends(
            &ghost,
            json!([
                {"MsgType": "TIMLocationElem", "MsgContent": {"Desc": "深圳市南山区", "Latitude": 22.5, "Longitude": 113.9}},
                {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "[TUIEmoji_Like]"}},
            ]),
        )
        .await;
    let link = r#"{"businessID":"text_link","text":"商品页","link":"https://shop.example.com/1"}"#;
    world.agent_sends(&ghost, json!([custom(link, "")])).await;
    world
        .agent_sends(
            &ghost,
            json!([{"MsgType": "TIMRelayElem", "MsgContent": {"Title": "聊天记录", "MsgNum": 1, "CompatibleText": "旧",
                "AbstractList": ["甲：你好"], "MsgList": []}}]),
        )
        .await;
    let got = world.customer_has(4).await;
    let words: Vec<&str> = got.iter().map(|(_, words, _)| words.as_str()).collect();
    assert_eq!(
        words,
        [
            "[位置] 深圳市南山区\nhttps://apis.map.qq.com/uri/v1/marker?marker=coord:22.5,113.9&referer=tsunagi",
            "👍",
            "商品页\nhttps://shop.example.com/1",
            "聊天记录\n甲：你好",
        ]
    );
    // What would say nothing to a customer is told to the agent.
    world.agent_sends(&ghost, json!([custom(r#"{"businessID":"av_call"}"#, "")])).await;
    world.agent_sees("【Tsunagi】此类消息无法发送到微信，客户没有收到。请改用文字。").await;
    assert_eq!(world.at_customer().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn f41_an_expired_upload_is_made_again_from_our_copy() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    let file = picture(64, 64, "png");
    let url = world.agent_uploads("a.png", &file).await;
    world.agent_sends(&ghost, json!([image(&url)])).await;
    world.agent_sends(&ghost, json!([image(&url)])).await;
    let got = world.customer_has(2).await;
    assert_eq!(got[0].2["media_id"], got[1].2["media_id"], "uploaded once, sent twice");
    // Three days later, while the gateway still takes its media_id for good.
    world.database.execute("UPDATE media SET wechat_until = wechat_until + 86400000").await;
    world.advance(3 * 86_400_000 + 1).await;
    world.control.say(&world.app_id(), crate::support::OPENID, "还在吗").await.unwrap();
    world.agent_sees("还在吗").await;
    world.agent_sends(&ghost, json!([image(&url)])).await;
    let got = world.customer_has(3).await;
    assert_ne!(got[2].2["media_id"], got[0].2["media_id"]);
    assert!(world.phone_gets(&got[2].2["media_id"]).await == file);
    let refused = world.database.count("SELECT COUNT(*) FROM attempt WHERE detail = '40007'").await;
    assert_eq!(refused, 1);
    world.drained().await;
    assert_eq!(world.at_customer().await.len(), 3, "nothing is sent twice");
}
