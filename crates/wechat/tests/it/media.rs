//! Files: what may go up, what is on the wire, and what comes down in the place of a file.

use std::time::Duration;

use axum::response::IntoResponse;
use secrecy::SecretString;
use wechat::{
    ArticleImage, CallError, Client, Download, Fault, MAX_IMAGE, MAX_THUMB, MAX_VOICE, Material, Media,
    MediaError, MediaFormat, MediaKind, VideoWords,
};

use crate::reading::assert_unreadable;
use crate::server::{Server, Then, client, misbehaving};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
const GIF: &[u8] = b"GIF89a\x01\0\x01\0";
const AMR: &[u8] = b"#!AMR\n\x3c0123456789abcdef0123456789abcde";
const MP3: &[u8] = b"\xff\xfb\x90\x64\0\0";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0";

fn token() -> SecretString {
    "T&1".into()
}

fn media(kind: MediaKind, bytes: &[u8]) -> Media {
    Media::new(kind, bytes.to_vec()).unwrap()
}

/// A server that answers one body under one content type.
async fn giving(content_type: &'static str, body: impl Into<Vec<u8>>) -> Server {
    let body = body.into();
    Server::answering(move || {
        (
            [("content-type", content_type), ("Content-disposition", "attachment; filename=\"M1.jpg\"")],
            body.clone(),
        )
            .into_response()
    })
    .await
}

async fn get(server: &Server, max_bytes: usize) -> Result<Download, CallError> {
    client(&server.url).get_media(&token(), "M/1", max_bytes).await
}

#[test]
fn a_file_is_judged_by_its_content_and_size() {
    use MediaKind::*;
    for (kind, bytes, format) in [
        (Image, PNG, MediaFormat::Png),
        (Image, JPEG, MediaFormat::Jpeg),
        (Image, GIF, MediaFormat::Gif),
        (Voice, AMR, MediaFormat::Amr),
        (Voice, MP3, MediaFormat::Mp3),
        (Voice, b"ID3\x04\0\0\0\0\0\0", MediaFormat::Mp3),
        (Video, MP4, MediaFormat::Mp4),
        (Thumb, JPEG, MediaFormat::Jpeg),
    ] {
        assert_eq!(kind.check(bytes), Ok(format), "{kind:?} {format:?}");
        assert!(kind.formats().contains(&format));
    }
    for (kind, bytes, found) in [
        (Image, MP4, "MP4"),
        (Image, b"RIFF\0\0\0\0WEBPVP8 " as &[u8], "WebP"),
        (Image, b"BM\0\0", "BMP"),
        (Image, b"<svg>", "of an unknown format"),
        (Image, b"\x89PNG", "of an unknown format"),
        (Voice, PNG, "PNG"),
        (Voice, b"RIFF\0\0\0\0WAVEfmt ", "WAV or AVI"),
        (Voice, b"OggS\0\0", "Ogg"),
        (Voice, b"\xff\xf1\x50\x80", "AAC"),
        (Video, b"\0\0\0\x14ftypqt  \0\0", "QuickTime"),
        (Video, b"\x1a\x45\xdf\xa3\x01", "Matroska or WebM"),
        (Thumb, PNG, "PNG"),
    ] {
        let Err(MediaError::Format { kind: named, found: given, .. }) = kind.check(bytes) else {
            panic!("{kind:?} {found}")
        };
        assert_eq!((named, given), (kind.name(), found));
    }
    for kind in [Image, Voice, Video, Thumb] {
        assert_eq!(kind.check(b""), Err(MediaError::Empty));
    }
}

#[test]
fn f42_silk_in_an_amr_file_is_told_apart() {
    for silk in [b"#!SILK_V3\x0c\0" as &[u8], b"\x02#!SILK_V3\x0c\0"] {
        let error = MediaKind::Voice.check(silk).unwrap_err();
        assert_eq!(error.to_string(), "the file is SILK, and voice must be AMR or MP3");
    }
}

#[test]
fn f42_over_60_seconds_or_2_mib_is_told_before_it_is_sent() {
    // Mode 7: frames of 32 bytes, each of 20 ms.
    let amr = |frames: usize| [b"#!AMR\n" as &[u8], &[[0x3c; 32]].concat().repeat(frames)].concat();
    assert_eq!(MediaKind::Voice.check(&amr(3_000)), Ok(MediaFormat::Amr));
    assert_eq!(MediaKind::Voice.check(&amr(3_001)), Err(MediaError::TooLong(61)));
    // Silence in between: mode 8 has 6 bytes, mode 15 one.
    let mut mixed = amr(2_998);
    mixed.extend([0x44, 1, 2, 3, 4, 5, 0x7c]);
    assert_eq!(MediaKind::Voice.check(&mixed), Ok(MediaFormat::Amr));
    mixed.push(0x7c);
    assert_eq!(MediaKind::Voice.check(&mixed), Err(MediaError::TooLong(61)));

    let filled = |start: &[u8], length: usize| {
        let mut bytes = start.to_vec();
        bytes.resize(length, 0);
        bytes
    };
    for (kind, start, limit) in [
        (MediaKind::Voice, MP3, MAX_VOICE),
        (MediaKind::Thumb, JPEG, MAX_THUMB),
        (MediaKind::Image, PNG, MAX_IMAGE),
    ] {
        assert!(kind.check(&filled(start, limit)).is_ok(), "{kind:?}");
        let error = kind.check(&filled(start, limit + 1)).unwrap_err();
        assert_eq!(error, MediaError::TooLarge { given: limit + 1, limit });
    }
    assert!(ArticleImage::new(filled(JPEG, (1 << 20) - 1)).is_ok());
    assert!(ArticleImage::new(filled(JPEG, 1 << 20)).is_err());
    assert!(ArticleImage::new(GIF.to_vec()).is_err());
}

#[tokio::test]
async fn a_file_goes_up_as_the_part_media() {
    let server = Server::saying(r#"{"type":"image","media_id":"M1","created_at":1760000000}"#).await;
    let uploaded = client(&server.url).upload_media(&token(), &media(MediaKind::Image, PNG)).await.unwrap();
    assert_eq!((uploaded.media_id.as_str(), uploaded.created_at), ("M1", Some(1_760_000_000)));
    let seen = server.seen().remove(0);
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.uri, "/cgi-bin/media/upload?access_token=T%261&type=image");
    let boundary = seen.headers["content-type"].to_str().unwrap();
    let boundary = boundary.strip_prefix("multipart/form-data; boundary=").unwrap();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"media.png\"\r\n\
         Content-Type: image/png\r\n\r\n"
    );
    let expected = [head.as_bytes(), PNG, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    assert_eq!(seen.bytes, expected);
    // WeChat has refused chunked uploads before.
    assert_eq!(seen.headers["content-length"], expected.len().to_string());
}

#[tokio::test]
async fn a_thumbnail_has_an_id_of_another_name() {
    for answer in [
        r#"{"type":"thumb","thumb_media_id":"T1","created_at":"1760000000"}"#,
        r#"{"errcode":0,"errmsg":"ok","type":"thumb","media_id":"T1","created_at":1760000000}"#,
    ] {
        let server = Server::saying(answer).await;
        let uploaded =
            client(&server.url).upload_media(&token(), &media(MediaKind::Thumb, JPEG)).await.unwrap();
        assert_eq!((uploaded.media_id.as_str(), uploaded.created_at), ("T1", Some(1_760_000_000)));
        assert!(server.seen()[0].uri.ends_with("&type=thumb"));
    }
    for odd in ["{}", r#"{"type":"image","media_id":""}"#, r#"{"errcode":0}"#] {
        let server = Server::saying(odd).await;
        let result = client(&server.url).upload_media(&token(), &media(MediaKind::Image, PNG)).await;
        assert_unreadable(result, odd);
    }
}

#[tokio::test]
async fn f41_an_expired_file_is_told_by_its_code() {
    let answer = r#"{"errcode":40007,"errmsg":"invalid media_id rid: 1-2-3"}"#;
    for content_type in ["application/json; encoding=utf-8", "text/plain", "image/jpeg"] {
        let Err(CallError::Refused(errcode)) = get(&giving(content_type, answer).await, 10).await else {
            panic!("{content_type}")
        };
        assert_eq!((errcode.code, errcode.verdict()), (40007, wechat::Verdict::Fix));
    }
}

#[tokio::test]
async fn f43_an_error_with_200_and_any_content_type_is_no_file() {
    for content_type in ["text/plain", "application/json", "image/jpeg", "application/octet-stream", ""] {
        for answer in [r#"{"errcode":40001,"errmsg":"x"}"#, " \n{\"errcode\":\"40001\"}"] {
            let server = giving(content_type, answer).await;
            assert!(
                matches!(get(&server, 1 << 20).await, Err(CallError::Refused(code)) if code.code == 40001),
                "{content_type} {answer}"
            );
        }
    }
    // Neither a file nor an answer.
    for (content_type, body) in [
        ("text/html", "<html>busy</html>"),
        ("image/jpeg", "<!DOCTYPE html>"),
        ("text/plain", "busy"),
        ("application/json", "[]"),
        ("application/json", r#"{"errcode":"#),
        ("application/json", r#"{"errcode":0}"#),
        ("text/plain", r#"{"video_url":""}"#),
    ] {
        assert_unreadable(get(&giving(content_type, body).await, 1 << 20).await, body);
    }
    let empty = get(&giving("image/jpeg", "").await, 10).await;
    assert!(matches!(empty, Err(CallError::Unclear(Fault::Empty))), "{empty:?}");
}

#[tokio::test]
async fn a_file_comes_down_byte_by_byte() {
    for (content_type, body) in [
        ("image/jpeg", JPEG),
        ("audio/amr", AMR),
        // A wrong content type does not make a picture a text.
        ("text/plain", PNG),
        ("voice/speex", b"speex without a header"),
        // A file that begins with a brace.
        ("application/octet-stream", b"{\x00\x01\x02"),
    ] {
        let server = giving(content_type, body).await;
        let Ok(Download::File(file)) = get(&server, body.len()).await else { panic!("{content_type}") };
        assert_eq!(file.bytes, body);
        assert_eq!(file.format(), MediaFormat::of(body));
        assert_eq!(file.content_type.as_deref(), Some(content_type));
        assert_eq!(file.file_name.as_deref(), Some("M1.jpg"));
        assert_eq!(server.seen()[0].uri, "/cgi-bin/media/get?access_token=T%261&media_id=M%2F1");
        assert!(!format!("{file:?}").contains("M1"));
    }
    let server = giving("voice/speex", "speex").await;
    let voice = client(&server.url).get_jssdk_voice(&token(), "M1", 10).await.unwrap();
    assert_eq!(voice.bytes, b"speex");
    assert_eq!(server.seen()[0].uri, "/cgi-bin/media/get/jssdk?access_token=T%261&media_id=M1");
}

#[tokio::test]
async fn a_name_that_could_lead_out_of_a_folder_is_dropped() {
    for (disposition, expected) in [
        ("attachment; filename=\"MEDIA_ID.jpg\"", Some("MEDIA_ID.jpg")),
        ("attachment; FileName=MEDIA_ID.jpg; x=1", Some("MEDIA_ID.jpg")),
        ("attachment; filename=\"../../etc/passwd\"", None),
        ("attachment; filename=\"a\\b\"", None),
        ("attachment; filename=\".bashrc\"", None),
        ("attachment; filename=\"\"", None),
        ("attachment", None),
    ] {
        let server = Server::answering(move || {
            ([("content-type", "image/jpeg"), ("content-disposition", disposition)], JPEG).into_response()
        })
        .await;
        let Ok(Download::File(file)) = get(&server, 1 << 10).await else { panic!("{disposition}") };
        assert_eq!(file.file_name.as_deref(), expected, "{disposition}");
    }
}

#[tokio::test]
async fn a_file_over_the_limit_is_not_held() {
    let mut large = JPEG.to_vec();
    large.resize(3 << 20, 7);
    let server = giving("image/jpeg", large.clone()).await;
    let Ok(Download::File(file)) = get(&server, large.len()).await else { panic!() };
    assert_eq!(file.bytes.len(), large.len());
    for limit in [0, JPEG.len(), 4096, 4097, large.len() - 1] {
        let result = get(&server, limit).await;
        assert!(matches!(result, Err(CallError::Unclear(Fault::TooLarge))), "{limit}");
    }
    // Under the size that is always read, for the sake of errors, the limit counts too.
    let result = get(&giving("image/jpeg", JPEG).await, JPEG.len() - 1).await;
    assert!(matches!(result, Err(CallError::Unclear(Fault::TooLarge))));
}

#[tokio::test]
async fn a_file_has_a_time_limit_of_its_own() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for then in [Then::Hang, Then::HangInBody] {
        let http = wechat::http().no_proxy().build().unwrap();
        let client = Client::new(http, &misbehaving(then).await).unwrap();
        let client = client.with_media_timeout(Duration::from_millis(300));
        let result = client.get_media(&token(), "M1", 1 << 20).await;
        let Err(CallError::Unclear(Fault::Transport(error))) = result else { panic!("{result:?}") };
        assert!(error.is_timeout());
    }
}

#[tokio::test]
async fn a_video_is_an_address_that_only_wechat_may_hold() {
    let files = giving("video/mp4", MP4).await;
    let address = format!("{}/video.mp4?x=1", files.url);
    let server = giving("text/plain", format!(r#"{{"video_url":"{address}"}}"#)).await;
    let Ok(Download::Address(given)) = get(&server, 10).await else { panic!() };
    assert_eq!(given, address);
    // That server is neither WeChat's nor the client's own.
    let refused = client(&server.url).get_address(&given, 1 << 20).await;
    assert!(matches!(refused, Err(CallError::NotSent(Fault::Address))));
    assert!(files.seen().is_empty());
    let file = client(&files.url).get_address(&given, 1 << 20).await.unwrap();
    assert_eq!(file.bytes, MP4);
    assert_eq!(files.seen()[0].uri, "/video.mp4?x=1");
    for address in [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/",
        "http://mmbiz.qpic.cn.evil.example/0",
        "http://evilqpic.cn/0",
        "http://mmbiz.qpic.cn@evil.example/0",
        "http://mmbiz.qpic.cn:22/0",
        "http://u:p@mmbiz.qpic.cn/0",
        "file:///etc/passwd",
        "ftp://mmbiz.qpic.cn/0",
        "//mmbiz.qpic.cn/0",
        "",
    ] {
        let result = client(&files.url).get_address(address, 10).await;
        assert!(matches!(result, Err(CallError::NotSent(Fault::Address))), "{address}");
    }
}

#[tokio::test]
async fn a_picture_for_an_article_gets_an_address() {
    let server = Server::saying(r#"{"url":"http://mmbiz.qpic.cn/mmbiz/abc/0"}"#).await;
    let image = ArticleImage::new(JPEG.to_vec()).unwrap();
    let url = client(&server.url).upload_article_image(&token(), &image).await.unwrap();
    assert_eq!(url, "http://mmbiz.qpic.cn/mmbiz/abc/0");
    let seen = server.seen().remove(0);
    assert_eq!(seen.uri, "/cgi-bin/media/uploadimg?access_token=T%261");
    assert!(seen.body.contains("name=\"media\"; filename=\"media.jpg\""));
}

#[tokio::test]
async fn permanent_material_is_added_read_and_deleted() {
    let server = Server::saying(r#"{"media_id":"P1","url":"http://mmbiz.qpic.cn/p"}"#).await;
    let (video, image) = (media(MediaKind::Video, MP4), media(MediaKind::Image, PNG));
    let words = VideoWords { title: "演示".into(), introduction: "\"步骤\"".into() };
    let client_ = client(&server.url);
    let added = client_.add_material(&token(), &image, None).await.unwrap();
    assert_eq!((added.media_id.as_str(), added.url.as_deref()), ("P1", Some("http://mmbiz.qpic.cn/p")));
    client_.add_material(&token(), &video, Some(&words)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].uri, "/cgi-bin/material/add_material?access_token=T%261&type=image");
    assert!(!seen[0].body.contains("description"));
    assert!(
        seen[1].body.contains(
            "name=\"description\"\r\n\r\n{\"title\":\"演示\",\"introduction\":\"\\\"步骤\\\"\"}\r\n"
        )
    );

    let server = giving("image/png", PNG).await;
    let file = client(&server.url).get_material(&token(), "P1", 1 << 20).await.unwrap();
    assert!(matches!(file, Material::File(file) if file.bytes == PNG));
    let seen = server.seen().remove(0);
    assert_eq!(seen.uri, "/cgi-bin/material/get_material?access_token=T%261");
    assert_eq!(seen.body, r#"{"media_id":"P1"}"#);
    let server = giving("text/plain", r#"{"title":"演示","description":"步骤","down_url":"http://v"}"#).await;
    let video = client(&server.url).get_material(&token(), "P1", 0).await.unwrap();
    let expected =
        Material::Video { title: "演示".into(), description: "步骤".into(), url: "http://v".into() };
    assert_eq!(video, expected);
    let server = giving("application/json", r#"{"news_item":[{"title":"帮助","url":"http://n"},7]}"#).await;
    let Material::News(items) = client(&server.url).get_material(&token(), "P1", 0).await.unwrap() else {
        panic!()
    };
    assert_eq!((items.len(), items[0].title.as_str(), items[0].url.as_str()), (1, "帮助", "http://n"));
    let server = Server::saying(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    client(&server.url).delete_material(&token(), "P1").await.unwrap();
    assert_eq!(server.seen()[0].uri, "/cgi-bin/material/del_material?access_token=T%261");
    assert_unreadable(client(&server.url).get_material(&token(), "P1", 99).await, "no material");
}
