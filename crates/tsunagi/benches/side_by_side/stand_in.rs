//! Both clouds as far as a benchmark needs them: they answer every call at once, know no limits, and note when each marked
//! message came.

use crate::load::{Stamps, message};
use crate::traffic::marked;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Calls that carried a marked message.
    messages: AtomicUsize,
    stamps: Mutex<Option<Arc<Stamps>>>,
}

impl StandIn {
    /// Begins to answer, on a thread of its own.
    pub(crate) fn start() -> StandIn {
        let seen = Arc::<Seen>::default();
        let (tell, address) = std::sync::mpsc::channel();
        let shared = seen.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(serve(stream, shared.clone()));
                }
            });
        });
        StandIn { address: address.recv().unwrap(), seen }
    }

    pub(crate) fn messages(&self) -> usize {
        self.seen.messages.load(Ordering::Relaxed)
    }

    /// From now on the first coming of each marked message is noted there.
    pub(crate) fn note(&self, stamps: Option<Arc<Stamps>>) {
        *self.seen.stamps.lock().unwrap() = stamps;
    }

    /// Waits until so many messages have come in all, or none for ten seconds; gives how many came.
    pub(crate) fn wait_for(&self, messages: usize) -> usize {
        let (mut last, mut since) = (self.messages(), Instant::now());
        while self.messages() < messages && since.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(2));
            if self.messages() != last {
                (last, since) = (self.messages(), Instant::now());
            }
        }
        self.messages()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    let mut buffer = Vec::with_capacity(8_192);
    loop {
        let body = loop {
            if let Some(body) = message(&buffer) {
                break body;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(read) if read > 0 => {}
                _ => return,
            }
        };
        let line = buffer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let answer = answer(&String::from_utf8_lossy(line), &buffer[body.clone()], &seen);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        buffer.drain(..body.end);
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(request_line: &str, body: &[u8], seen: &Seen) -> String {
    let path = request_line.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let carries = ["/sendmsg", "/custom/send"].iter().any(|end| path.ends_with(end));
    // The pass-through proxy hands on the webhooks themselves.
    let is_webhook = path.starts_with("/wechat/") || path.starts_with("/imcallback");
    if (carries || is_webhook)
        && let Some(n) = marked(body)
    {
        seen.messages.fetch_add(1, Ordering::Relaxed);
        if let Some(stamps) = &*seen.stamps.lock().unwrap() {
            stamps.stamp(n as usize);
        }
    }
    match path {
        "/cgi-bin/stable_token" | "/cgi-bin/token" => {
            r#"{"access_token":"a-token-of-the-stand-in","expires_in":7200}"#.into()
        }
        _ if is_webhook => "success".into(),
        _ if path.starts_with("/cgi-bin/") => r#"{"errcode":0,"errmsg":"ok"}"#.into(),
        _ if path.ends_with("/query_online_status") => {
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","QueryResult":[{"To_Account":"user1","Status":"Online"}]}"#.into()
        }
        _ if path.ends_with("/admin_getroammsg") => {
            r#"{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","Complete":1,"MsgCnt":0,"LastMsgTime":0,"LastMsgKey":"","MsgList":[]}"#.into()
        }
        _ => {
            let now = crate::traffic::now_s();
            let key = seen.messages.load(Ordering::Relaxed);
            format!(
                r#"{{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","MsgTime":{now},"MsgKey":"{key}_1_{now}","MsgSeq":{key},"FailAccounts":[],"ResultItem":[]}}"#
            )
        }
    }
}
