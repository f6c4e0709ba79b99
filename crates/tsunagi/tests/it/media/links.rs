//! Links to files: who may open them, and how they are served.

use super::{base64, bytes_at, get, picture};
use crate::support::{Engine, Setup, World, http};
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn a_link(world: &World, file: &[u8]) -> String {
    let message = json!({"type": "image", "base64": base64(file)});
    let content = world.sent_to_agent(message, "TIMImageElem").await;
    content["ImageInfoArray"][0]["URL"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn f68_whoever_stops_reading_a_file_holds_up_no_stop() {
    let mut world = Setup::new(Engine::Sqlite).start().await;
    let ghost = world.customer_wrote().await;
    // More than any socket holds.
    let url = world.agent_uploads("large.bin", &vec![7; 16 << 20]).await;
    let file =
        json!({"Url": url, "UUID": "u", "FileSize": 16 << 20, "FileName": "large.bin", "Download_Flag": 2});
    world.agent_sends(&ghost, json!([{"MsgType": "TIMFileElem", "MsgContent": file}])).await;
    let words = world.customer_has(1).await.remove(0).1;
    let link = words.lines().find(|line| line.starts_with("http://")).unwrap().to_owned();
    let (host, path) = link.trim_start_matches("http://").split_once('/').unwrap();
    let mut stalled = tokio::net::TcpStream::connect(host).await.unwrap();
    stalled.write_all(format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    stalled.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let asked = Instant::now();
    assert_eq!(world.stop().unwrap().code(), Some(0), "{}", world.log());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert!(world.log().contains("tsunagi::serve: stopped"), "{}", world.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_link_opens_nothing() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let file = picture(20, 20, "png");
    let (link, other) = (a_link(&world, &file).await, a_link(&world, &picture(30, 30, "png")).await);
    let parts = |link: &str| -> Vec<String> { link.rsplitn(4, '/').map(str::to_owned).collect() };
    let (ours, theirs) = (parts(&link), parts(&other));
    let [name, token, id] = [&ours[0], &ours[1], &ours[2]];
    let base = format!("{}/media", world.webhooks);
    assert_eq!((id.len(), token.len(), name.as_str()), (32, 32, "image.png"));
    // The name is for people.
    for good in [link.clone(), format!("{base}/{id}/{token}"), format!("{base}/{id}/{token}/other.html")] {
        let (status, headers, bytes) = get(&good).await;
        assert!(status == 200 && bytes == file && headers["content-type"] == "image/png", "{good}");
    }
    let flipped = token.replace(|c: char| c == token.chars().last().unwrap(), "x");
    let forged = [
        format!("{base}/{id}/{}/{name}", theirs[1]),
        format!("{base}/{}/{token}/{name}", theirs[2]),
        format!("{base}/{id}/{flipped}/{name}"),
        format!("{base}/{id}/{}/{name}", &token[..31]),
        format!("{base}/{id}/{}A/{name}", token),
        format!("{base}/{id}/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/{name}"),
        format!("{base}/{id}/%00/{name}"),
        format!("{base}/{}/{token}/{name}", id.to_uppercase()),
        format!("{base}/..%2f..%2ftsunagi.toml/{token}/{name}"),
        format!("{base}/{id}"),
        format!("{base}/"),
    ];
    for address in &forged {
        let (status, _, bytes) = get(address).await;
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert!(status == 404 && !bytes.starts_with(b"\x89PNG"), "{address}: {status} {shown}");
    }
    // Another node, or this one after a restart, has the same key.
    let mut world = world;
    world.kill();
    world.spawn(&[]);
    world.ready().await;
    assert!(bytes_at(&json!(link)).await == file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_its_time() {
    let world = Setup::new(Engine::Sqlite).media("link_lifetime = 3").start().await;
    let link = a_link(&world, &picture(20, 20, "png")).await;
    assert_eq!(get(&link).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(get(&link).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_served_in_parts_and_to_pages_of_other_sites() {
    let world = Setup::new(Engine::Sqlite).start().await;
    let file = picture(200, 200, "png");
    let link = a_link(&world, &file).await;
    let ask = async |method: Method, headers: &[(&str, &str)]| {
        let mut request = http().request(method, &link);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap().to_vec())
    };
    let size = file.len();
    let (status, headers, bytes) = ask(Method::GET, &[("range", "bytes=10-19")]).await;
    assert!(status == 206 && bytes == file[10..20]);
    assert_eq!(headers["content-range"].to_str().unwrap(), format!("bytes 10-19/{size}"));
    assert_eq!(headers["content-length"], "10");
    let (status, _, bytes) = ask(Method::GET, &[("range", "bytes=-5")]).await;
    assert!(status == 206 && bytes == file[size - 5..]);
    let (status, headers, _) = ask(Method::GET, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(
        (status, headers["content-range"].to_str().unwrap()),
        (416, format!("bytes */{size}").as_str())
    );
    let (status, headers, bytes) = ask(Method::HEAD, &[]).await;
    assert!(status == 200 && bytes.is_empty());
    assert_eq!(headers["content-length"].to_str().unwrap(), size.to_string());
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(headers["accept-ranges"], "bytes");
    assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
    let (status, _, bytes) = ask(Method::GET, &[("range", "bytes=0-3"), ("if-range", &etag)]).await;
    assert!(status == 206 && bytes == file[..4]);
    let (status, _, bytes) = ask(Method::GET, &[("range", "bytes=0-3"), ("if-range", "\"old\"")]).await;
    assert!(status == 200 && bytes == file);
    let (status, headers, bytes) = ask(Method::GET, &[("if-none-match", &etag)]).await;
    assert!(status == 304 && bytes.is_empty() && headers["etag"].to_str().unwrap() == etag);
    let (status, headers, _) = ask(Method::OPTIONS, &[("access-control-request-headers", "range")]).await;
    assert!(status == 204 && headers["access-control-allow-origin"] == "*");
    assert!(headers["access-control-allow-headers"].to_str().unwrap().contains("range"));
    assert_eq!(ask(Method::POST, &[]).await.0, 405);
    assert_eq!(ask(Method::DELETE, &[]).await.0, 405);
}
