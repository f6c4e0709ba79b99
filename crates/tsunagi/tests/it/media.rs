//! Pictures, voices, videos, files and places, both ways: the bytes at both ends, and what happens when something goes
//! wrong between them. Real files, made by `ffmpeg` for the occasion.

mod agents;
mod customers;
#[cfg(feature = "faults")]
mod kills;
mod links;
mod troubles;

use base64::Engine as _;

use crate::support::{AGENT, OPENID, PATIENCE, World, http};
use serde_json::{Value, json};
use sim::WechatAccountConfig;
use std::process::{Command, Stdio};

/// Runs `ffmpeg`, which `scripts/tools` installs; gives the file that it made.
fn made(arguments: &[&str], ending: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("made.{ending}"));
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi"])
        .args(arguments)
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is installed (scripts/tools)");
    assert!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(path).unwrap()
}

/// A picture of this size.
pub(crate) fn picture(width: u32, height: u32, ending: &str) -> Vec<u8> {
    made(&["-i", &format!("testsrc=size={width}x{height}"), "-frames:v", "1"], ending)
}

/// A voice of so many seconds; AMR, which not every ffmpeg can make, is silence.
fn voice(seconds: u32, ending: &str) -> Vec<u8> {
    if ending == "amr" {
        let frame = [&[0x3c][..], &[0; 31]].concat();
        return [b"#!AMR\n".to_vec(), frame.repeat(50 * seconds as usize)].concat();
    }
    made(&["-i", &format!("sine=frequency=440:duration={seconds}"), "-ac", "1", "-ar", "16000"], ending)
}

fn video(seconds: u32) -> Vec<u8> {
    made(&["-i", &format!("testsrc=size=160x120:rate=5:duration={seconds}"), "-c:v", "mpeg4"], "mp4")
}

/// What `ffprobe` says of a sound: its format and its length in seconds.
fn heard(bytes: &[u8]) -> (String, f64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound");
    std::fs::write(&path, bytes).unwrap();
    let told = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=format_name,duration", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffprobe is installed (scripts/tools)");
    let told = String::from_utf8(told.stdout).unwrap();
    let (format, seconds) = told.trim().split_once(',').unwrap_or_else(|| panic!("ffprobe said {told:?}"));
    (format.to_owned(), seconds.parse().unwrap())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What is under an address: status, headers, bytes.
async fn get(address: &str) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let answer = http().get(address).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

async fn bytes_at(address: &Value) -> Vec<u8> {
    let address = address.as_str().unwrap_or_else(|| panic!("no address: {address}"));
    let (status, _, bytes) = get(address).await;
    assert_eq!(status, 200, "{address}");
    bytes
}

impl World {
    /// The customer sends something; the element that the agent sees next is of this type.
    async fn sent_to_agent(&self, message: Value, msg_type: &str) -> Value {
        let before = self.elements_at_agent(msg_type).await.len();
        self.control.send(&self.app_id(), OPENID, message).await.unwrap();
        self.next_element(msg_type, before).await
    }

    /// The element of this type that comes after so many.
    async fn next_element(&self, msg_type: &str, before: usize) -> Value {
        let begun = std::time::Instant::now();
        loop {
            if let Some(content) = self.elements_at_agent(msg_type).await.into_iter().nth(before) {
                return content;
            }
            assert!(begun.elapsed() < PATIENCE, "the agent never saw a {msg_type}:\n{}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// The contents of all elements of this type that the agent has got, in order.
    async fn elements_at_agent(&self, msg_type: &str) -> Vec<Value> {
        let body = self.all_at_agent().await;
        let of_type = body.into_iter().filter(|element| element["MsgType"] == msg_type);
        of_type.map(|element| element["MsgContent"].clone()).collect()
    }

    /// All elements that the agent has got, in order.
    async fn all_at_agent(&self) -> Vec<Value> {
        let chats = self.control.chats(AGENT).await.unwrap();
        let messages = chats.iter().flat_map(|chat| &chat.messages).filter(|message| message.from != AGENT);
        messages.flat_map(|message| message.body.as_array().unwrap().clone()).collect()
    }

    /// The agent's client uploads a file; gives its address.
    pub(crate) async fn agent_uploads(&self, name: &str, bytes: &[u8]) -> String {
        let address = format!("{}/sim/im/agents/{AGENT}/upload?name={name}", self.clouds.control_url);
        let told: Value =
            http().post(address).body(bytes.to_vec()).send().await.unwrap().json().await.unwrap();
        assert_eq!(told["error_code"], 0, "{told}");
        told["url"].as_str().unwrap().to_owned()
    }

    /// The agent sends elements to the customer.
    pub(crate) async fn agent_sends(&self, ghost: &str, body: Value) {
        let sent = self.control.agent_send(AGENT, json!({"to": ghost, "body": body})).await.unwrap();
        sent.unwrap();
    }

    /// What the customer got from the account by `custom/send`, in order: type, words, fields.
    async fn at_customer(&self) -> Vec<(String, String, Value)> {
        let lines = self.control.transcript(&self.app_id(), OPENID).await.unwrap();
        let sent = lines.into_iter().filter(|line| line.via == "custom_send");
        sent.map(|line| (line.msg_type, line.text, line.fields.unwrap_or_default())).collect()
    }

    /// Waits until the customer has got so many; gives them all.
    async fn customer_has(&self, count: usize) -> Vec<(String, String, Value)> {
        let begun = std::time::Instant::now();
        loop {
            let lines = self.at_customer().await;
            if lines.len() >= count {
                return lines;
            }
            assert!(begun.elapsed() < PATIENCE, "the customer has {lines:?}:\n{}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// The bytes of one of the account's files, as a phone would get them.
    async fn phone_gets(&self, media_id: &Value) -> Vec<u8> {
        let shop = WechatAccountConfig::shop();
        let token =
            json!({"grant_type": "client_credential", "appid": shop.app_id, "secret": shop.app_secret});
        let address = format!("{}/cgi-bin/stable_token", self.clouds.wechat_url);
        let token: Value = http().post(address).json(&token).send().await.unwrap().json().await.unwrap();
        let address = format!(
            "{}/cgi-bin/media/get?access_token={}&media_id={}",
            self.clouds.wechat_url,
            token["access_token"].as_str().unwrap(),
            media_id.as_str().unwrap()
        );
        let (status, headers, bytes) = get(&address).await;
        assert_eq!(status, 200);
        if headers["content-type"].to_str().unwrap().contains("json") {
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            return bytes_at(&told["video_url"]).await;
        }
        bytes
    }

    /// A customer who has written, so that answers may go out; gives the ghost.
    async fn customer_wrote(&self) -> String {
        self.control.say(&self.app_id(), OPENID, "在吗").await.unwrap();
        self.agent_sees("在吗").await
    }
}
