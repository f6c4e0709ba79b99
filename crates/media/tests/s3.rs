//! The media store against a server that speaks S3 and checks signatures. `TSUNAGI_TEST_S3` names its address and
//! `TSUNAGI_TEST_S3_BUCKET` a bucket on it (key `test`, secret `testtest`); with moto from PyPI:
//! `INITIAL_NO_AUTH_ACTION_COUNT=0 moto_server -p 5555`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "what is skipped is said loudly")]

use futures_util::TryStreamExt;
use media::{Bucket, Objects, Place, TempFile};
use std::time::Duration;

fn bucket(endpoint: &str, name: &str, secret: &str) -> Place {
    Place::Bucket(Bucket {
        name: name.to_owned(),
        prefix: "shop/media".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        access_key: "test".to_owned(),
        secret_key: secret.to_owned().into(),
        path_style: true,
    })
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    let Ok(endpoint) = std::env::var("TSUNAGI_TEST_S3") else {
        eprintln!("S3 is not asked: TSUNAGI_TEST_S3 names no server");
        return;
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    let name = std::env::var("TSUNAGI_TEST_S3_BUCKET").unwrap_or_else(|_| "tsunagi".to_owned());
    let objects = Objects::open(&bucket(&endpoint, &name, "testtest"), Duration::from_secs(20)).unwrap();
    objects.probe("node").await.unwrap();
    // More than one part of an upload.
    let large: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
    objects.put("a/1", &TempFile::of(&large).unwrap()).await.unwrap();
    objects.put("a/2", &TempFile::of(b"small").unwrap()).await.unwrap();
    assert_eq!(objects.get("a/2").await.unwrap().unwrap(), "small");
    assert!(objects.get("a/1").await.unwrap().unwrap() == large);
    let part = objects.stream("a/1", Some(5_000_000..5_000_010)).await.unwrap().unwrap();
    let part: Vec<_> = part.try_collect().await.unwrap();
    assert_eq!(part.concat(), large[5_000_000..5_000_010]);
    assert!(objects.get("a/none").await.unwrap().is_none());
    let keys = ["a/1".to_owned(), "a/none".to_owned(), "a/2".to_owned()];
    objects.delete(&keys).await.unwrap();
    assert!(objects.get("a/1").await.unwrap().is_none());
    // Another bucket is no place, and says so.
    let elsewhere =
        Objects::open(&bucket(&endpoint, "nobody-has-this", "testtest"), Duration::from_secs(20)).unwrap();
    assert!(elsewhere.probe("node").await.is_err());
}
