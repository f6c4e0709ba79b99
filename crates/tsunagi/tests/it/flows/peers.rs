//! Hostile peers, byte by byte: whatever a stranger's connection says, or does not say, the process lives, nothing of
//! it is stored, and WeChat's and IM's own webhooks are answered meanwhile as if nobody else were there (F16, F25).

use super::on_every_engine;
use super::wire::{self, callback_query, now_s, signed};
use crate::support::{OPENID, Setup, World};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// WeChat gives up after 5 s and IM after 2; nobody else's bytes may cost a good peer anything near that.
const GOOD_ANSWER: Duration = Duration::from_millis(1_500);

/// What a stranger says on a connection of his own.
struct Hostile {
    what: &'static str,
    bytes: Vec<u8>,
}

fn say(what: &'static str, bytes: impl Into<Vec<u8>>) -> Hostile {
    Hostile { what, bytes: bytes.into() }
}

/// A POST that would be taken if its body were: what follows is about the frame, not the signature.
fn post(query: &str, headers: &str, body: &str) -> String {
    format!("POST /wechat/shop?{query} HTTP/1.1\r\nHost: kf.example.com\r\n{headers}\r\n{body}")
}

fn hostile() -> Vec<Hostile> {
    let good = signed(now_s(), "1");
    let bad = good.replace("signature=", "signature=0");
    let message = wire::text(OPENID, 99, "never stored");
    let length = format!("Content-Length: {}\r\n", message.len());
    let callback = callback_query("C2C.CallbackAfterSendMsg", now_s(), 0);
    let mut all = vec![
        say("nothing", ""),
        say("not HTTP", "\0\u{1}\u{2}\u{3}".repeat(1_000)),
        say("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        say("HTTP/2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        say("HTTP/0.9", "GET /\r\n"),
        say("HTTP/9.9", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
        say("no host", format!("POST /wechat/shop?{bad} HTTP/1.1\r\n{length}\r\n{message}")),
        say("a line without an end", "G".repeat(200_000)),
        say("a long target", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(200_000))),
        say("a long header", format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(2_000_000))),
        say("many headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(10_000))),
        say("a header that goes on", "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n c\r\n\r\n"),
        say("a NUL in a header", "GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n"),
        say("bare carriage returns", "GET / HTTP/1.1\rHost: x\r\r"),
        say(
            "bytes in the target",
            b"GET /wechat/\xff\xfe?signature=\xff HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        ),
        say("percent signs", "GET /wechat/%00%2e%2e%2f%ff?%=%&%zz=%q HTTP/1.1\r\nHost: x\r\n\r\n"),
        say("dots", "GET /wechat/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"),
        say("an absolute target", "GET http://other.example/wechat/shop HTTP/1.1\r\nHost: x\r\n\r\n"),
        say("CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n"),
        say("TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
        say("a method of its own", format!("{} / HTTP/1.1\r\nHost: x\r\n\r\n", "A".repeat(1_000))),
        say("an upgrade", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        say("two lengths", post(&good, "Content-Length: 5\r\nContent-Length: 500\r\n", "hello")),
        say(
            "a length and chunks",
            post(&bad, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nGET / HTTP/1.1\r\n"),
        ),
        say("a negative length", post(&good, "Content-Length: -1\r\n", "")),
        say("an endless length", post(&good, "Content-Length: 18446744073709551616\r\n", "")),
        say("the largest length", post(&good, "Content-Length: 18446744073709551615\r\n", "x")),
        say("a length too large", post(&good, "Content-Length: 1048577\r\n", "x")),
        say("a bad chunk", post(&good, "Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n")),
        say("a chunk too large", post(&good, "Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nx")),
        say(
            "a chunk's extension",
            post(&good, "Transfer-Encoding: chunked\r\n", &format!("1;{}\r\nx\r\n", "a".repeat(100_000))),
        ),
        say("an unknown coding", post(&bad, "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        say("a body that never comes", post(&good, &length, "")),
        say("half a body", post(&good, &length, &message[..message.len() / 2])),
        say("expecting leave", post(&good, &format!("Expect: 100-continue\r\n{length}"), "")),
        say("an unsigned message", post("", &length, &message)),
        say("a forged message", post(&bad, &length, &message)),
        say("a key twice", post(&format!("{good}&nonce=1"), &length, &message)),
        say("a key in other letters", post(&good.replace("signature=", "Signature="), &length, &message)),
        say(
            "a hundred thousand keys",
            post(&format!("{good}&{}", "a=b&".repeat(10_000)), &length.replace("Content", "X-Content"), ""),
        ),
        say("an openid of its own", post(&format!("{bad}&openid={OPENID}"), &length, &message)),
        say("no account", post(&good, &length, &message).replace("/wechat/shop", "/wechat/nobody")),
        say(
            "a forged webhook of IM",
            format!(
                "POST /imcallback?{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}",
                callback.replace("Sign=", "Sign=0")
            ),
        ),
        say(
            "another app's webhook",
            format!(
                "POST /imcallback?{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}",
                callback_query("State.StateChange", now_s(), 1)
            ),
        ),
        say("a thousand questions at once", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000)),
    ];
    // Every way to cut a good request short.
    let whole = post(&bad, &length, &message);
    all.extend((1..whole.len()).step_by(97).map(|end| say("a request cut short", &whole[..end])));
    all
}

/// Says it, reads what comes for as long as `patience`, hangs up.
async fn attack(address: String, hostile: Hostile, patience: Duration) -> (&'static str, Vec<u8>) {
    let mut answer = Vec::new();
    let talk = async {
        let mut peer = TcpStream::connect(&address).await.ok()?;
        // It may be cut off in the middle of its speech; that is an answer too.
        let _ = peer.write_all(&hostile.bytes).await;
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = peer.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..read]);
        }
        Some(())
    };
    let _ = tokio::time::timeout(patience, talk).await;
    (hostile.what, answer)
}

/// WeChat and IM go on meanwhile; gives how long their slowest answer took.
async fn good_peers(world: &World, rounds: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    for n in 0..rounds {
        let sealed = wire::text(OPENID, 1_000 + n, &format!("good {n}"));
        let push = world.push_sealed(&sealed, &format!("{}", 5_000 + n)).await;
        assert_eq!(push.status, 200, "{}", push.text());
        let callback = world
            .callback(
                "State.StateChange",
                format!(r#"{{"CallbackCommand":"State.StateChange","EventTime":{n}}}"#),
            )
            .await;
        assert!(callback.text().contains(r#""ErrorCode":0"#), "{}", callback.text());
        slowest = slowest.max(push.took).max(callback.took);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_f25_hostile_peers_cost_the_good_ones_nothing() {
    on_every_engine(|engine| async move {
        let mut world = Setup::new(engine).start().await;
        world.opened(OPENID, "first").await;
        world.drained().await;
        let before = world.database.count("SELECT COUNT(*) FROM inbox").await;
        let address = world.webhooks.trim_start_matches("http://").to_owned();
        // Everybody at once, each four times, beside three hundred who connect and say nothing.
        let mut silent = Vec::new();
        for _ in 0..300 {
            silent.push(TcpStream::connect(&address).await.unwrap());
        }
        let attacks: Vec<_> = (0..4)
            .flat_map(|_| hostile())
            .map(|hostile| tokio::spawn(attack(address.clone(), hostile, Duration::from_secs(4))))
            .collect();
        let many = attacks.len();
        let begun = Instant::now();
        let slowest = good_peers(&world, 40).await;
        let mut answers = 0;
        for attack in attacks {
            let (what, answer) = attack.await.unwrap();
            let text = String::from_utf8_lossy(&answer);
            let status = text.split_whitespace().nth(1).unwrap_or_default();
            let unharmed = what == "a thousand questions at once" || !status.starts_with('2');
            assert!(unharmed, "{what}: {text}");
            assert!(!text.contains("never stored") && !text.contains("panicked"), "{what}: {text}");
            assert!(!status.starts_with("500"), "{what}: {text}");
            answers += usize::from(!answer.is_empty());
        }
        drop(silent);
        assert!(slowest < GOOD_ANSWER, "a good peer waited {slowest:?} among {many} hostile ones");
        assert!(answers > many / 3, "{answers} of {many} were answered in {:?}", begun.elapsed());
        world.drained().await;
        let after = world.database.count("SELECT COUNT(*) FROM inbox").await;
        assert_eq!(after - before, 80, "nothing but the good ones' is stored");
        assert!(world.died().is_none(), "{}", world.log());
        assert!(!world.log().contains("panicked"), "{}", world.log());
        assert_eq!(world.metric("tsunagi_request_panics_total").await, 0.0);
    })
    .await;
}
