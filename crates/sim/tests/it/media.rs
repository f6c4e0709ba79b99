//! Files (checklist §13 item 7, §8).

use serde_json::{Value, json};
use sim::Sim;

use crate::support::*;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
const DAY: i64 = 86_400_000;

fn form(field: &str, name: Option<&str>, bytes: &[u8]) -> reqwest::multipart::Form {
    let part = reqwest::multipart::Part::bytes(bytes.to_vec());
    let part = name.into_iter().fold(part, |part, name| part.file_name(name.to_owned()));
    reqwest::multipart::Form::new().part(field.to_owned(), part)
}

async fn upload_as(sim: &Sim, url: &str, form: reqwest::multipart::Form) -> Value {
    let url = format!("{}{url}", sim.wechat_url);
    http().post(url).multipart(form).send().await.unwrap().json().await.unwrap()
}

async fn upload(sim: &Sim, token: &str, kind: &str, bytes: &[u8]) -> Value {
    let url = format!("/cgi-bin/media/upload?access_token={token}&type={kind}");
    upload_as(sim, &url, form("media", Some("a.jpg"), bytes)).await
}

fn amr(seconds: usize) -> Vec<u8> {
    let mut bytes = b"#!AMR\n".to_vec();
    for _ in 0..seconds * 50 {
        bytes.push(0x3c);
        bytes.extend([0; 31]);
    }
    bytes
}

#[tokio::test]
async fn f41_an_uploaded_file_is_given_back_for_three_days() {
    let (sim, control) = sim(|_| ()).await;
    let mut token = token(&sim).await;
    let uploaded = upload(&sim, &token, "image", JPEG).await;
    assert_eq!(uploaded["type"], "image");
    let created = uploaded["created_at"].as_i64().unwrap();
    assert!((sim.clock().now_ms() / 1000 - created).abs() < 5);
    let id = uploaded["media_id"].as_str().unwrap().to_owned();
    let url = async |token: &str| {
        let url = format!("{}/cgi-bin/media/get?access_token={token}&media_id={id}", sim.wechat_url);
        http().get(url).send().await.unwrap()
    };
    let got = url(&token).await;
    assert_eq!(got.headers()["content-type"], "image/jpeg");
    let disposition = format!("attachment; filename=\"{id}.jpg\"");
    assert_eq!(got.headers()["content-disposition"], disposition.as_str());
    assert_eq!(got.bytes().await.unwrap(), JPEG);

    control.advance_clock(3 * DAY + 1000).await.unwrap();
    token = crate::support::token(&sim).await;
    let expired = url(&token).await;
    assert_eq!(expired.status(), 200, "errors have status 200");
    assert_eq!(expired.json::<Value>().await.unwrap()["errcode"], 40007);
}

#[tokio::test]
async fn f43_errors_are_json_with_status_200_and_perhaps_text_plain() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let url = format!("{}/cgi-bin/media/get?access_token={token}&media_id=nothing", sim.wechat_url);
    for (as_text, content_type) in [(false, "application/json; charset=utf-8"), (true, "text/plain")] {
        rules(&control, json!({"media_errors_as_text": as_text})).await;
        let response = http().get(&url).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &content_type.parse().unwrap())
        );
        assert_eq!(response.json::<Value>().await.unwrap()["errcode"], 40007);
    }
}

#[tokio::test]
async fn type_size_and_format_are_checked() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    rules(&control, json!({"image_limit": 2 << 20})).await;
    let errcode = async |kind: &str, bytes: &[u8]| {
        upload(&sim, &token, kind, bytes).await["errcode"].as_i64().unwrap_or_default()
    };
    let sized = |head: &[u8], size: usize| [head, &vec![0; size - head.len()]].concat();
    let mp4: &[u8] = b"\0\0\0\x18ftypmp42";
    assert_eq!(errcode("picture", JPEG).await, 40004);
    assert_eq!(errcode("image", &sized(JPEG, 2 << 20)).await, 0);
    assert_eq!(errcode("image", &sized(JPEG, (2 << 20) + 1)).await, 40009);
    assert_eq!(errcode("voice", &sized(b"ID3\x04\0\0", (2 << 20) + 1)).await, 40010);
    assert_eq!(errcode("video", &sized(mp4, 10 << 20)).await, 0);
    assert_eq!(errcode("video", &sized(mp4, (10 << 20) + 1)).await, 40011);
    assert_eq!(errcode("thumb", &sized(JPEG, 64 << 10)).await, 0);
    assert_eq!(errcode("thumb", &sized(JPEG, (64 << 10) + 1)).await, 40012);
    assert_eq!(errcode("image", mp4).await, 40005);
    assert_eq!(errcode("thumb", b"\x89PNG\r\n\x1a\n").await, 40005, "thumbs are JPEG only");
    assert_eq!(errcode("image", b"").await, 44001);
    assert_eq!(errcode("video", &vec![0; (32 << 20) + 1]).await, 45001);
}

#[tokio::test]
async fn f42_a_voice_is_amr_or_mp3_and_no_longer_than_a_minute() {
    let (sim, _control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let errcode = async |bytes: &[u8]| {
        upload(&sim, &token, "voice", bytes).await["errcode"].as_i64().unwrap_or_default()
    };
    assert_eq!(errcode(&amr(60)).await, 0);
    assert_eq!(errcode(&amr(61)).await, 45007);
    assert_eq!(errcode(b"\x02#!SILK_V3 in a file called .amr").await, 40005);
}

#[tokio::test]
async fn a_form_without_its_file_is_refused_and_thumbs_have_an_id_of_their_own() {
    let (sim, _control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let url = format!("/cgi-bin/media/upload?access_token={token}&type=image");
    assert_eq!(upload_as(&sim, &url, form("file", Some("a.jpg"), JPEG)).await["errcode"], 41005);
    assert_eq!(upload_as(&sim, &url, form("media", None, JPEG)).await["errcode"], 41005);
    assert_eq!(call(&sim, &token, "/cgi-bin/media/upload", json!({})).await["errcode"], 40004);
    let thumb = upload(&sim, &token, "thumb", JPEG).await;
    assert!(thumb["thumb_media_id"].is_string() && thumb.get("media_id").is_none());
}

#[tokio::test]
async fn a_video_is_a_second_download_without_a_token() {
    let (sim, _control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let film = b"\0\0\0\x18ftypmp42 film";
    let id = upload(&sim, &token, "video", film).await["media_id"].as_str().unwrap().to_owned();
    let told = get(&sim, "/cgi-bin/media/get", &format!("access_token={token}&media_id={id}")).await;
    let url = told["video_url"].as_str().unwrap();
    assert!(!url.contains(&token) && !url.contains(&id));
    let response = http().get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "video/mp4");
    assert_eq!(response.bytes().await.unwrap(), &film[..]);
}

#[tokio::test]
async fn web_recordings_have_a_call_of_their_own() {
    let (sim, control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let made = json!({"type": "voice", "jssdk": true, "base64": "c3BlZXg="});
    let made = control.post(&format!("/sim/wechat/{APP}/media"), made).await.unwrap();
    let query = format!("access_token={token}&media_id={}", made["media_id"].as_str().unwrap());
    assert_eq!(get(&sim, "/cgi-bin/media/get", &query).await["errcode"], 40007);
    let url = format!("{}/cgi-bin/media/get/jssdk?{query}", sim.wechat_url);
    let response = http().get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "voice/speex");
    assert_eq!(response.bytes().await.unwrap(), "speex");
}

#[tokio::test]
async fn pictures_for_articles_have_an_address_and_no_id() {
    let (sim, _control) = sim(|_| ()).await;
    let token = token(&sim).await;
    let url = format!("/cgi-bin/media/uploadimg?access_token={token}");
    let put = async |bytes: &[u8]| upload_as(&sim, &url, form("media", Some("a.jpg"), bytes)).await;
    let answer = put(JPEG).await;
    assert!(answer.get("media_id").is_none());
    let picture = http().get(answer["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(picture.bytes().await.unwrap(), JPEG);
    assert_eq!(put(b"GIF89a").await["errcode"], 40005);
    assert_eq!(put(&[JPEG, &vec![0; 1 << 20]].concat()).await["errcode"], 40009);
}

#[tokio::test]
async fn permanent_files_stay_until_they_are_deleted() {
    let (sim, control) = sim(|_| ()).await;
    let first = token(&sim).await;
    let url =
        |token: &str, kind: &str| format!("/cgi-bin/material/add_material?access_token={token}&type={kind}");
    let image = upload_as(&sim, &url(&first, "image"), form("media", Some("a.jpg"), JPEG)).await;
    assert!(image["url"].as_str().unwrap().starts_with(&sim.wechat_url));
    let film = b"\0\0\0\x18ftypmp42";
    let video =
        form("media", Some("a.mp4"), film).text("description", r#"{"title":"演示","introduction":"步骤"}"#);
    let video = upload_as(&sim, &url(&first, "video"), video).await;
    assert!(video.get("url").is_none());
    let without = upload_as(&sim, &url(&first, "video"), form("media", Some("a.mp4"), film)).await;
    assert_eq!(without["errcode"], 40035, "a video needs its description");

    control.advance_clock(100 * DAY).await.unwrap();
    let token = token(&sim).await;
    let one = |id: &Value| json!({"media_id": id});
    let told = call(&sim, &token, "/cgi-bin/material/get_material", one(&video["media_id"])).await;
    assert_eq!((&told["title"], &told["description"]), (&json!("演示"), &json!("步骤")));
    let down = http().get(told["down_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(down.bytes().await.unwrap(), &film[..]);
    let post = format!("{}/cgi-bin/material/get_material?access_token={token}", sim.wechat_url);
    let bytes = http().post(post).json(&one(&image["media_id"])).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, JPEG);
    let query = format!("access_token={token}&media_id={}", image["media_id"].as_str().unwrap());
    assert_eq!(get(&sim, "/cgi-bin/media/get", &query).await["errcode"], 40007, "not a temporary one");
    for expected in [0, 40007] {
        let deleted = call(&sim, &token, "/cgi-bin/material/del_material", one(&image["media_id"])).await;
        assert_eq!(deleted["errcode"], expected);
    }
}

#[tokio::test]
async fn a_client_uploads_a_file_and_whoever_has_its_address_gets_it_for_seven_days() {
    let (sim, control) = sim(|_| ()).await;
    control.agent_online("user1", true).await.unwrap();
    let upload = |user: &str| {
        let url = format!("{}/sim/im/agents/{user}/upload?name=dir%2Fa%20b.png", sim.control_url);
        http().post(url).header("content-type", "image/png").body("\u{89}PNG").send()
    };
    let kept: serde_json::Value = upload("user1").await.unwrap().json().await.unwrap();
    assert_eq!((&kept["error_code"], &kept["name"]), (&json!(0), &json!("a_b.png")), "{kept}");
    let url = kept["url"].as_str().unwrap();
    assert!(url.starts_with(&sim.im_url), "the store is IM's: {url}");
    let file = http().get(url).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    assert_eq!(file.bytes().await.unwrap(), "\u{89}PNG".as_bytes());
    assert_eq!(http().get(url.replace("a_b", "c")).send().await.unwrap().status(), 404);
    let stranger: serde_json::Value = upload("nobody").await.unwrap().json().await.unwrap();
    assert_eq!(stranger["error_code"], 20003);
    control.advance_clock(7 * DAY).await.unwrap();
    assert_eq!(http().get(url).send().await.unwrap().status(), 404);
}
