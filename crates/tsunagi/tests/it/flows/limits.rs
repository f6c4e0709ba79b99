//! F25: the limits of `[server]`, as configured, hold in the running gateway.

use super::wire::{now_s, post, signed};
use crate::support::{Engine, OPENID, Setup};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Writes a byte every 100 ms after `head`; gives the answer, and how long it took until the connection was closed.
async fn dribble(address: &str, head: String) -> (String, Duration) {
    let begun = Instant::now();
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let writing = tokio::spawn(async move {
        to.write_all(head.as_bytes()).await.unwrap();
        while to.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), from.read_to_end(&mut answer)).await.unwrap();
    writing.abort();
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_slow_headers_slow_bodies_and_large_ones_are_cut_off_as_configured() {
    let world = Setup::new(Engine::Sqlite)
        .env("TSUNAGI__SERVER__HEADER_TIMEOUT", "1")
        .env("TSUNAGI__SERVER__BODY_TIMEOUT", "2")
        .env("TSUNAGI__SERVER__BODY_BYTES", "16384")
        .env("TSUNAGI__SERVER__CONNECTIONS", "8")
        .start()
        .await;
    let address = world.webhooks.strip_prefix("http://").unwrap().to_owned();
    let path = format!("/wechat/shop?{}", signed(now_s(), "nonce"));
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n");

    let (answer, took) = dribble(&address, format!("{head}X-Slow: ")).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");

    let (answer, took) = dribble(&address, format!("{head}Content-Length: 10000\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(took > Duration::from_millis(1_900) && took < Duration::from_secs(6), "{took:?}");

    assert_eq!(post(format!("{}{path}", world.webhooks), vec![b'x'; 16_385]).await.status, 413);

    // More slow peers than there are places: a customer's message still gets through, in time.
    let slow: Vec<_> =
        (0..24).map(|_| tokio::spawn(dribble_for_ever(address.clone(), format!("{head}X-Slow: ")))).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.opened(OPENID, "in spite of them").await;
    for peer in slow {
        peer.abort();
    }
}

async fn dribble_for_ever(address: String, head: String) {
    dribble(&address, head).await;
}
