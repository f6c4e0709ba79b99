//! Requests to the gateway that no well-behaved cloud sends, signed (or not) by the test.

use crate::support::{OPENID, World, http};
use sim::{ImConfig, WechatAccountConfig};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the gateway answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) took: Duration,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no edge to take the clock from")]
pub(super) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let begun = Instant::now();
    let response = request.timeout(Duration::from_secs(20)).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap().to_vec(), took: begun.elapsed() }
}

pub(super) async fn get(url: String) -> Answer {
    answer(http().get(url)).await
}

pub(super) async fn post(url: String, body: impl Into<Vec<u8>>) -> Answer {
    answer(http().post(url).body(body.into())).await
}

/// A query signed as WeChat signs it, with the shop's token.
pub(super) fn signed(timestamp: i64, nonce: &str) -> String {
    signed_with(&WechatAccountConfig::shop().token, timestamp, nonce)
}

pub(super) fn signed_with(token: &str, timestamp: i64, nonce: &str) -> String {
    let signature = wechat::signature(&[token, &timestamp.to_string(), nonce]);
    format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

/// A text message of a customer, as WeChat writes it.
pub(super) fn text(openid: &str, msg_id: u64, content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
         <CreateTime>{}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content>\
         <MsgId>{msg_id}</MsgId></xml>",
        now_s()
    )
}

/// An envelope around a ciphertext, and the query that signs both.
pub(super) fn envelope(encrypt: &str, beside: &str, nonce: &str) -> (String, String) {
    let timestamp = now_s();
    let token = WechatAccountConfig::shop().token;
    let msg_signature = wechat::signature(&[&token, &timestamp.to_string(), nonce, encrypt]);
    let query = format!("{}&encrypt_type=aes&msg_signature={msg_signature}", signed(timestamp, nonce));
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>{beside}<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    );
    (query, body)
}

/// A document encrypted for the shop's account; another AppID may be given for a forgery.
pub(super) fn encrypted(document: &str, app_id: Option<&str>) -> String {
    let shop = WechatAccountConfig::shop();
    let key = wechat::AesKey::parse(&shop.encoding_aes_key.unwrap()).unwrap();
    key.encrypt(app_id.unwrap_or(&shop.app_id), *b"0123456789abcdef", document.as_bytes())
}

impl World {
    /// A push in plain mode, well signed.
    pub(super) async fn push_plain(&self, body: impl Into<Vec<u8>>) -> Answer {
        let query = signed(now_s(), "4711");
        post(format!("{}/wechat/shop?{query}", self.webhooks), body).await
    }

    /// A push in secure mode, well signed.
    pub(super) async fn push_sealed(&self, document: &str, nonce: &str) -> Answer {
        let (query, body) = envelope(&encrypted(document, None), "", nonce);
        post(format!("{}/wechat/shop?{query}", self.webhooks), body).await
    }

    /// A webhook of IM with any body, well signed.
    pub(super) async fn callback(&self, command: &str, body: impl Into<Vec<u8>>) -> Answer {
        let query = callback_query(command, now_s(), 0);
        post(format!("{}/imcallback?{query}", self.webhooks), body).await
    }
}

/// The query of a webhook of IM; `app` is added to the SdkAppid.
pub(super) fn callback_query(command: &str, time: i64, app: u64) -> String {
    let shop = ImConfig::shop();
    let sign = im::callback_signature(&shop.callback_token.unwrap(), &time.to_string());
    format!(
        "SdkAppid={}&CallbackCommand={command}&contenttype=json&ClientIP=127.0.0.1&OptPlatform=Web\
         &Sign={sign}&RequestTime={time}",
        shop.sdk_app_id + app
    )
}

/// The body of an After webhook: an agent's text to a ghost.
pub(super) fn after_body(from: &str, to: &str, text: &str, random: u32) -> String {
    serde_json::json!({"CallbackCommand": "C2C.CallbackAfterSendMsg", "From_Account": from, "To_Account": to,
        "MsgSeq": 1, "MsgRandom": random, "MsgTime": now_s(), "MsgKey": format!("1_{random}_{}", now_s()),
        "OnlineOnlyFlag": 0, "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}],
        "SendMsgResult": 0, "ErrorInfo": "send msg succeed", "UnreadMsgNum": 1})
    .to_string()
}

/// Another customer than [`OPENID`].
pub(super) fn customer(n: usize) -> String {
    format!("{}{n:02}", &OPENID[..26])
}
