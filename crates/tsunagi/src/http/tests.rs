//! The webhook listener over real connections, with a whole gateway on SQLite behind it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::{clock, entropy};
use crate::config;
use crate::serve::Gateway;

const TOKEN: &str = "AAAAA";

struct Running {
    gateway: Gateway,
    base: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Running {
    /// A gateway on a fresh SQLite file; IM is not there, which concerns no webhook.
    async fn start(im: &str, accounts: &[&str]) -> Running {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nrequest_timeout = 60\n\
             [store]\nurl = \"sqlite:{}\"\ningest_timeout = 30\n\
             [im]\nsdk_app_id = 1400000001\nsecret_key = \"k\"\nbase_url = \"http://127.0.0.1:9\"\n{im}\n",
            folder.path().join("tsunagi.db").display()
        );
        for id in accounts {
            text += &format!(
                "[[account]]\nid = \"{id}\"\napp_id = \"wx{id}\"\napp_secret = \"s\"\ntoken = \"{TOKEN}\"\nagents = [\"user1\"]\nsignature_window = 0\nbase_url = \"http://127.0.0.1:9\"\nwaiting = \"wait & <see>\"\n"
            );
        }
        let path = folder.path().join("tsunagi.toml");
        std::fs::write(&path, text).unwrap();
        let config = config::load(&path, std::iter::empty()).unwrap();
        let gateway = Gateway::start(&config, clock(), entropy()).await.unwrap();
        let base = format!("http://{}", gateway.address);
        Running { gateway, base, http: reqwest::Client::new(), _folder: folder }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.http.post(format!("{}{path}", self.base)).body(body).send().await.unwrap()
    }

    /// Sends these bytes and reads until the other side closes.
    async fn raw(&self, request: &str) -> String {
        let mut peer = TcpStream::connect(self.gateway.address).await.unwrap();
        peer.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(8), peer.read_to_end(&mut answer)).await;
        ended.expect("the connection is closed").unwrap();
        String::from_utf8(answer).unwrap()
    }
}

/// The query of a push or a verification that holds.
fn signed() -> String {
    let signature = ::wechat::signature(&[TOKEN, "1714036504", "1514711492"]);
    format!("signature={signature}&timestamp=1714036504&nonce=1514711492")
}

fn text_push(msg_id: u64) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oABC]]></FromUserName>\
         <CreateTime>1714036504</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[hello]]></Content><MsgId>{msg_id}</MsgId></xml>"
    )
}

#[tokio::test]
async fn f17_the_echostr_is_answered_byte_for_byte_on_every_path() {
    let one = Running::start("", &["shop"]).await;
    for path in ["/wechat/shop", "/wechat/shop/", "/"] {
        let query = format!("{}&echostr=4375120948345356249", signed());
        let answer =
            one.raw(&format!("GET {path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!(body, "4375120948345356249", "{path}");
        assert!(head.starts_with("http/1.1 200 "), "{path}: {head}");
        assert!(head.contains("\r\ncontent-type: text/plain\r\n"), "{path}: {head}");
        assert!(head.contains("\r\ncontent-length: 19"), "{path}: {head}");
        assert!(!head.contains("transfer-encoding"), "{path}: {head}");
    }
    one.gateway.stop().await;

    let two = Running::start("", &["shop", "outlet"]).await;
    let query = format!("{}&echostr=1", signed());
    assert_eq!(two.get(&format!("/?{query}")).await.status(), 404, "which of two accounts?");
    assert_eq!(two.get(&format!("/wechat/outlet?{query}")).await.text().await.unwrap(), "1");
    assert_eq!(two.get(&format!("/wechat/nobody?{query}")).await.status(), 404);
    assert_eq!(two.get(&format!("/wechat?{query}")).await.status(), 404);
    let put = two.http.put(format!("{}/wechat/shop", two.base)).send().await.unwrap();
    assert_eq!(put.status(), 405);
}

#[tokio::test]
async fn f15_f16_what_is_not_proven_is_refused() {
    let running = Running::start("", &["shop"]).await;
    let good = signed();
    for (query, status) in [
        (String::new(), 403),
        (good.replace("signature=", "signature=0"), 403),
        (good.replace("nonce=1514711492", "nonce=1"), 403),
        (format!("{good}&timestamp=1714036504"), 400),
        (format!("{good}&echostr=%E5"), 400),
    ] {
        let pushed = running.post(&format!("/wechat/shop?{query}"), text_push(1)).await;
        assert_eq!(pushed.status(), status, "{query}");
        let asked = running.get(&format!("/wechat/shop?{query}&echostr=1")).await;
        assert!(asked.status().is_client_error(), "{query}");
        assert!(!asked.text().await.unwrap().contains('1'), "nothing of the request comes back");
    }
    assert_eq!(running.post("/wechat/nobody", text_push(1)).await.status(), 404);
}

#[tokio::test]
async fn f02_a_push_is_stored_and_its_repeat_gets_the_same_bytes() {
    let running = Running::start("", &["shop"]).await;
    let path = format!("/wechat/shop?{}&openid=oABC", signed());
    let first = running.post(&path, text_push(1)).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["content-type"], "text/xml; charset=utf-8");
    let first = first.text().await.unwrap();
    assert!(first.contains("wait & <see>") && first.contains("<ToUserName><![CDATA[oABC]]>"), "{first}");
    assert_eq!(running.post(&path, text_push(1)).await.text().await.unwrap(), first);

    let next = running.post(&path, text_push(2)).await;
    assert_eq!(next.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(next.text().await.unwrap(), "success", "the conversation is open already");
    let broken = running.post(&path, "<xml><broken").await;
    assert_eq!((broken.status().as_u16(), broken.text().await.unwrap().as_str()), (200, "success"));
}

#[tokio::test]
async fn f09_f25_large_and_slow_bodies_end_early() {
    let running = Running::start("", &["shop"]).await;
    let path = format!("/wechat/shop?{}", signed());
    let large = vec![b'x'; 1_048_576 + 1];
    assert_eq!(running.post(&path, large.clone()).await.status(), 413);
    let chunks =
        large.chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(running.post(&path, stream).await.status(), 413, "without an announced length, too");
    let most = vec![b'x'; 1_048_576];
    assert_eq!(running.post(&path, most).await.status(), 200, "stored as unreadable");

    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: ");
    let answer = running.raw(&format!("{head}9999999999\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = running.raw(&format!("{head}2000000\r\nExpect: 100-continue\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = running.raw(&format!("{head}100\r\n\r\n<xml>")).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn f47_f48_im_webhooks_are_answered_in_the_documented_envelope() {
    let running = Running::start("callback_token = \"t\"", &["shop"]).await;
    let clock = clock();
    let time = clock.now_s().to_string();
    let sign = ::im::callback_signature("t", &time);
    let query = |app: u64, command: &str| {
        format!("SdkAppid={app}&CallbackCommand={command}&contenttype=json&ClientIP=1.2.3.4&OptPlatform=Web")
    };
    let auth = format!("&Sign={sign}&RequestTime={time}");
    let ok = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
    let after = query(1_400_000_001, "C2C.CallbackAfterSendMsg");
    let known = r#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","From_Account":"user1","To_Account":"nobody","MsgSeq":1,"MsgRandom":2,"MsgTime":1700000000,"MsgKey":"1_2_1700000000","SendMsgResult":0,"ErrorInfo":"send msg succeed","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#;
    for path in ["/imcallback", "/imcallback/", "/imcallback/anything"] {
        for body in [known, "", "{", "[]", r#"{"CallbackCommand":"New.Command"}"#] {
            let answer = running.post(&format!("{path}?{after}{auth}"), body.to_owned()).await;
            assert_eq!(answer.status(), 200, "{path} {body}");
            assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
            assert_eq!(answer.text().await.unwrap(), ok, "{path} {body}");
        }
    }
    let before = query(1_400_000_001, "C2C.CallbackBeforeSendMsg");
    assert_eq!(running.post(&format!("/imcallback?{before}{auth}"), "{").await.text().await.unwrap(), ok);
    let other = query(1_400_000_002, "C2C.CallbackAfterSendMsg");
    for refused in
        [after.clone(), format!("{after}&Sign={sign}0&RequestTime={time}"), format!("{other}{auth}")]
    {
        assert_eq!(running.post(&format!("/imcallback?{refused}"), known).await.status(), 403, "{refused}");
    }
    assert_eq!(running.get(&format!("/imcallback?{after}{auth}")).await.status(), 405);
}

#[tokio::test]
async fn a_callback_secret_has_to_stand_in_the_path() {
    let running = Running::start("callback_secret = \"s3cret\"", &["shop"]).await;
    let query = "SdkAppid=1400000001&CallbackCommand=New.Command";
    for (path, status) in [
        ("/imcallback/s3cret", 200),
        ("/imcallback/s3cret/", 200),
        ("/imcallback", 403),
        ("/imcallback/other", 403),
    ] {
        assert_eq!(running.post(&format!("{path}?{query}"), "{}").await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn the_admin_listener_shows_health_readiness_and_metrics() {
    let running = Running::start("", &["shop"]).await;
    running.post(&format!("/wechat/shop?{}", signed()), text_push(7)).await;
    let admin = format!("http://{}", running.gateway.admin_address);
    let get = |path: &str| running.http.get(format!("{admin}{path}")).send();
    assert_eq!(get("/healthz").await.unwrap().text().await.unwrap(), "ok");
    assert_eq!(get("/readyz").await.unwrap().status(), 200);
    let metrics = get("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tsunagi_webhooks_total{cloud=\"wechat\",status=\"200\"}"), "{metrics}");
    assert!(metrics.contains("tsunagi_webhook_seconds_bucket"), "{metrics}");
    let stranger = metrics
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("tsunagi_"));
    assert_eq!(stranger, None);
    assert!(!metrics.contains("oABC"), "F66: no openid is a label");
}

#[tokio::test]
async fn a_panic_in_one_request_is_a_500_and_no_more() {
    async fn fall() {
        panic!("on purpose")
    }
    let router = axum::Router::new()
        .route("/fall", axum::routing::get(fall))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(super::panicked));
    let listener = super::Listener::bind("127.0.0.1:0".parse().unwrap(), router, super::Limits::default())
        .await
        .unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    for _ in 0..2 {
        let answer = reqwest::get(format!("http://{}/fall", listener.address())).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
    }
    listener.stop().await;
}
