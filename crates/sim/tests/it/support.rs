//! A simulator with short times, a webhook server that answers as told, and calls as a gateway would make them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sim::{Control, PushConfig, Sim, SimConfig};

pub(crate) const APP: &str = "wx5aa5aa5aa5aa5aa5";
pub(crate) const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";
pub(crate) const GH: &str = "gh_0123456789ab";
pub(crate) const USER: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";

/// One request that the webhook got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) query: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn parameter(&self, name: &str) -> String {
        let found = self.query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_default().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Reply = Box<dyn Fn(usize, &Seen) -> (u16, Duration, String) + Send + Sync>;

struct Inside {
    seen: Mutex<Vec<Seen>>,
    reply: Reply,
}

/// A webhook server; `reply` gets the number of the request (1, 2, …).
#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    inside: Arc<Inside>,
}

impl Webhook {
    pub(crate) async fn start(
        reply: impl Fn(usize, &Seen) -> (u16, Duration, String) + Send + Sync + 'static,
    ) -> Webhook {
        let inside = Arc::new(Inside { seen: Mutex::default(), reply: Box::new(reply) });
        let router = Router::new().fallback(handle).with_state(inside.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Webhook { url, inside }
    }

    /// Answers 200 and this text, always.
    pub(crate) async fn saying(text: &str) -> Webhook {
        let text = text.to_owned();
        Webhook::start(move |_, _| (200, Duration::ZERO, text.clone())).await
    }

    /// Answers the IM envelope with this error code.
    pub(crate) async fn im(code: i64) -> Webhook {
        Webhook::saying(&json!({"ActionStatus": "OK", "ErrorInfo": "不可", "ErrorCode": code}).to_string())
            .await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inside.seen.lock().unwrap().clone()
    }
}

async fn handle(
    State(inside): State<Arc<Inside>>,
    RawQuery(query): RawQuery,
    method: Method,
    body: Bytes,
) -> (StatusCode, String) {
    let query = query.unwrap_or_default();
    let seen = Seen { method, query, body: String::from_utf8_lossy(&body).into_owned() };
    let n = {
        let mut all = inside.seen.lock().unwrap();
        all.push(seen.clone());
        all.len()
    };
    let (status, pause, text) = (inside.reply)(n, &seen);
    tokio::time::sleep(pause).await;
    (StatusCode::from_u16(status).unwrap(), text)
}

/// A simulator with a deadline of 150 ms and a gap of 200 ms.
pub(crate) async fn sim(change: impl FnOnce(&mut SimConfig)) -> (Sim, Control) {
    let mut config = SimConfig { push: PushConfig::quick(150, 200), ..SimConfig::shop() };
    config.im.callback_timeout = Duration::from_millis(150);
    change(&mut config);
    let sim = sim::start(config).await.unwrap();
    let control = sim.control();
    (sim, control)
}

/// A simulator whose WeChat pushes to `webhook`.
pub(crate) async fn wechat(webhook: &Webhook) -> (Sim, Control) {
    let url = webhook.url.clone();
    sim(|config| config.wechat[0].webhook_url = Some(url)).await
}

/// A simulator whose IM calls `webhook`, with the ghost `oUser` and the agent `user1`.
pub(crate) async fn im(webhook: &Webhook, change: impl FnOnce(&mut SimConfig)) -> (Sim, Control) {
    let url = webhook.url.clone();
    let (sim, control) = sim(|config| {
        config.im.callback_url = Some(url);
        change(config);
    })
    .await;
    rest(&sim, "im_open_login_svc/account_import", json!({"UserID": "oUser", "Nick": "shop · a1b2"})).await;
    rest(&sim, "im_open_login_svc/account_import", json!({"UserID": "user1"})).await;
    (sim, control)
}

pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A call to IM's REST API with a good UserSig; the parsed answer.
pub(crate) async fn rest(sim: &Sim, command: &str, body: Value) -> Value {
    try_rest(sim, command, body.to_string()).await.unwrap().json().await.unwrap()
}

pub(crate) async fn try_rest(sim: &Sim, command: &str, body: String) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/v4/{command}?{}", sim.im_url, im_query(sim));
    http().post(url).body(body).send().await
}

pub(crate) fn im_query(sim: &Sim) -> String {
    let key = sim::ImConfig::shop().secret_key;
    let sig = usersig(&key, 1_400_000_001, "administrator", sim.clock().now_ms() / 1000, 3600);
    format!("sdkappid=1400000001&identifier=administrator&usersig={sig}&random=7&contenttype=json")
}

/// A UserSig, after the reference.
pub(crate) fn usersig(key: &str, app: u64, who: &str, time: i64, expire: i64) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, KeyInit, Mac};
    use std::io::Write;

    let text = format!("TLS.identifier:{who}\nTLS.sdkappid:{app}\nTLS.time:{time}\nTLS.expire:{expire}\n");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let sig = STANDARD.encode(mac.finalize().into_bytes());
    let json = json!({"TLS.ver": "2.0", "TLS.identifier": who, "TLS.sdkappid": app, "TLS.expire": expire,
                      "TLS.time": time, "TLS.sig": sig});
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(json.to_string().as_bytes()).unwrap();
    STANDARD.encode(zlib.finish().unwrap()).replace('+', "*").replace('/', "-").replace('=', "_")
}

/// A stable token.
pub(crate) async fn token(sim: &Sim) -> String {
    let body = json!({"grant_type": "client_credential", "appid": APP, "secret": SECRET});
    let answer = post(&format!("{}/cgi-bin/stable_token", sim.wechat_url), body).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

pub(crate) async fn post(url: &str, body: Value) -> Value {
    http().post(url).json(&body).send().await.unwrap().json().await.unwrap()
}

/// A GET of WeChat's API; the parsed answer.
pub(crate) async fn get(sim: &Sim, path: &str, query: &str) -> Value {
    http().get(format!("{}{path}?{query}", sim.wechat_url)).send().await.unwrap().json().await.unwrap()
}

/// A POST of WeChat's API with a token; the parsed answer.
pub(crate) async fn call(sim: &Sim, token: &str, path: &str, body: Value) -> Value {
    post(&format!("{}{path}?access_token={token}", sim.wechat_url), body).await
}

/// Changes the account's rules.
pub(crate) async fn rules(control: &Control, change: Value) {
    control.post(&format!("/sim/wechat/{APP}/config"), change).await.unwrap();
}

/// `custom/send` of a text; the errcode.
pub(crate) async fn send_text(sim: &Sim, token: &str, openid: &str, text: &str) -> i64 {
    try_send_text(sim, token, openid, text).await.unwrap().json::<Value>().await.unwrap()["errcode"]
        .as_i64()
        .unwrap()
}

pub(crate) async fn try_send_text(
    sim: &Sim,
    token: &str,
    openid: &str,
    text: &str,
) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/cgi-bin/message/custom/send?access_token={token}", sim.wechat_url);
    let body = json!({"touser": openid, "msgtype": "text", "text": {"content": text}});
    http().post(url).json(&body).send().await
}

pub(crate) fn text_body(text: &str) -> Value {
    json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}])
}

/// A `sendmsg` from the ghost to the agent, as the gateway makes it.
pub(crate) fn relay(text: &str, seq: u32, random: u32) -> Value {
    json!({"From_Account": "oUser", "To_Account": "user1", "MsgSeq": seq, "MsgRandom": random,
           "ForbidCallbackControl": ["ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"],
           "MsgBody": text_body(text), "CloudCustomData": "{\"gw\":1}"})
}

/// The journal's lines of one kind.
pub(crate) async fn lines(control: &Control, kind: &str) -> Vec<Value> {
    control.journal(0).await.unwrap().into_iter().filter(|line| line["kind"] == kind).collect()
}

/// Waits until something is so, for five seconds at most.
pub(crate) async fn eventually(so: impl Fn() -> bool) {
    let patience = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), patience).await.unwrap();
}

/// What the customer saw last of `custom/send`. (The notice of a push that nobody answers comes when it comes, so the
/// last line of all may be that.)
pub(crate) async fn last_sent(control: &Control) -> sim::Line {
    let mut transcript = control.transcript(APP, USER).await.unwrap();
    transcript.retain(|line| line.via == "custom_send");
    transcript.pop().unwrap()
}
