//! The media store against a server that speaks S3 and checks every signature: moto, which `scripts/tools` installs in CI
//! (`TSUNAGI_TEST_MOTO` names its program).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "what is skipped is said loudly")]

use futures_util::TryStreamExt;
use media::{Bucket, Objects, Place, TempFile};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server, ended with the test; and what it takes to write to it.
struct Server {
    child: Child,
    endpoint: String,
    http: reqwest::Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Answers the first four requests unsigned, which is what it takes to have a bucket and a key of one's own.
    async fn start() -> Option<Server> {
        let program = std::env::var("TSUNAGI_TEST_MOTO").ok().filter(|program| !program.is_empty());
        let Some(program) = program else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "moto is missing, and CI skips nothing");
            eprintln!("SKIPPED: S3 (TSUNAGI_TEST_MOTO is not set; CI sets it)");
            return None;
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "4")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let server = Server { child, endpoint: format!("http://127.0.0.1:{port}"), http };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "moto does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(server)
    }

    async fn make_bucket(&self, name: &str) {
        let made = self.http.put(format!("{}/{name}", self.endpoint)).send().await.unwrap();
        assert_eq!(made.status(), 200);
    }

    /// Asks for something of IAM, which is told from S3 by the scope of a signature that nobody checks yet.
    async fn iam(&self, asked: &str) -> String {
        let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x";
        let request = self.http.post(&self.endpoint).header("authorization", scope);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("{asked}&Version=2010-05-08")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{asked}");
        answer.text().await.unwrap()
    }
}

fn between<'a>(text: &'a str, tag: &str) -> &'a str {
    text.split_once(&format!("<{tag}>")).unwrap().1.split_once("</").unwrap().0
}

fn bucket(endpoint: &str, name: &str, (access_key, secret_key): (&str, &str)) -> Place {
    Place::Bucket(Bucket {
        name: name.to_owned(),
        prefix: "shop/media".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned().into(),
        path_style: true,
    })
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let Some(server) = Server::start().await else { return };
    server.make_bucket("tsunagi").await;
    server.iam("Action=CreateUser&UserName=shop").await;
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let all = url::form_urlencoded::byte_serialize(all.as_bytes()).collect::<String>();
    server.iam(&format!("Action=PutUserPolicy&UserName=shop&PolicyName=all&PolicyDocument={all}")).await;
    let key = server.iam("Action=CreateAccessKey&UserName=shop").await;
    let key = (between(&key, "AccessKeyId"), between(&key, "SecretAccessKey"));
    let of = |name: &str, key| {
        Objects::open(&bucket(&server.endpoint, name, key), Duration::from_secs(20)).unwrap()
    };
    let objects = of("tsunagi", key);
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
    // Another bucket is no place, another secret opens nothing, and both say so.
    assert!(of("nobody-has-this", key).probe("node").await.is_err());
    assert!(of("tsunagi", (key.0, "wrong")).probe("node").await.is_err());
}
