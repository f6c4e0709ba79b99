//! [`Control`]: the remote control of a running simulator, for tests and for the demo.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::wechat::Report;

/// Speaks to the control endpoints. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    http: reqwest::Client,
    url: String,
}

/// A control call that did not work out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The simulator could not be reached, or answered something else than JSON.
    #[error("the simulator cannot be reached")]
    Http(#[from] reqwest::Error),
    /// The simulator refused; its words.
    #[error("the simulator refused ({status}): {text}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        text: String,
    },
    /// [`Control::wait_for`] ran out of time.
    #[error("nothing of the kind happened within {0:?}")]
    TimedOut(Duration),
}

/// One line of what a customer sees.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// 1, 2, 3 …
    pub n: u64,
    /// The simulator's clock, milliseconds.
    pub at_ms: i64,
    /// `customer`, `account` or `system`.
    pub who: String,
    /// `said`, `event`, `passive_reply`, `custom_send` or `failure`.
    pub via: String,
    /// `text`, `event` or another type.
    pub msg_type: String,
    /// What is read; for events their name.
    pub text: String,
    /// What is seen beside it: the fields of messages that are no text.
    #[serde(default)]
    pub fields: Option<Value>,
    /// The push that it belongs to.
    pub msg_id: Option<String>,
}

/// One chat of an agent.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Chat {
    /// The other side's UserID.
    pub peer: String,
    /// Its nickname.
    pub nick: String,
    /// Whether its account still exists.
    pub exists: bool,
    /// Unread messages.
    pub unread: u64,
    /// Oldest first.
    pub messages: Vec<ChatMessage>,
}

/// One message of a [`Chat`].
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ChatMessage {
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// The words of its text elements.
    pub text: String,
    /// `MsgBody` as it came.
    pub body: Value,
    /// `MsgKey`.
    pub msg_key: String,
    /// `MsgSeq`.
    pub seq: u32,
    /// `MsgRandom`.
    pub random: u32,
    /// Seconds.
    pub time: i64,
    /// Whether it was for online clients only.
    pub online_only: bool,
    /// `CloudCustomData`.
    pub cloud_custom_data: Option<String>,
}

impl Control {
    /// For a simulator whose control listener is at `control_url`.
    pub fn new(control_url: &str) -> Control {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Control { http: reqwest::Client::new(), url: control_url.trim_end_matches('/').to_owned() }
    }

    /// Any POST endpoint.
    ///
    /// # Errors
    /// See [`ControlError`]; the same for all calls.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, ControlError> {
        answer(self.http.post(format!("{}{path}", self.url)).json(&body).send().await?).await
    }

    /// Any GET endpoint.
    pub async fn get(&self, path: &str) -> Result<Value, ControlError> {
        answer(self.http.get(format!("{}{path}", self.url)).send().await?).await
    }

    /// Changes settings, such as `{"webhook_url": …}` or `{"callback_url": …}`.
    pub async fn configure(&self, settings: Value) -> Result<(), ControlError> {
        self.post("/sim/config", settings).await.map(drop)
    }

    /// Whether the webhook passes WeChat's verification.
    pub async fn verify(&self, app_id: &str) -> Result<bool, ControlError> {
        let outcome = self.post(&format!("/sim/wechat/{app_id}/verify"), json!({})).await?;
        Ok(outcome["ok"] == true)
    }

    /// The customer follows; waits for the end of the push.
    pub async fn follow(&self, app_id: &str, openid: &str) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "follow?wait=1", json!({})).await
    }

    /// The customer unfollows; waits for the end of the push.
    pub async fn unfollow(&self, app_id: &str, openid: &str) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "unfollow?wait=1", json!({})).await
    }

    /// The customer writes; waits for the end of the push.
    pub async fn say(&self, app_id: &str, openid: &str, text: &str) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "say?wait=1", json!({"text": text})).await
    }

    /// The customer writes; does not wait. Returns the MsgId.
    pub async fn say_only(&self, app_id: &str, openid: &str, text: &str) -> Result<String, ControlError> {
        let path = format!("/sim/wechat/{app_id}/customers/{openid}/say");
        Ok(word(&self.post(&path, json!({"text": text})).await?["msg_id"]))
    }

    /// The customer sends anything: `{"type": "image", "base64": …}`; waits for the end of the push. Types: `text`
    /// `image` `voice` `video` `shortvideo` `location` `link` `file` `unsupported` `unknown`.
    pub async fn send(&self, app_id: &str, openid: &str, message: Value) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "send?wait=1", message).await
    }

    /// An event with its usual body, such as `CLICK`; waits for the end of the push.
    pub async fn event(&self, app_id: &str, openid: &str, event: &str) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "event?wait=1", json!({"event": event})).await
    }

    /// Changes an account's rules, such as `{"kind": "subscription"}`; see [`crate::AccountRules`].
    pub async fn account(&self, app_id: &str, rules: Value) -> Result<(), ControlError> {
        self.post(&format!("/sim/wechat/{app_id}/config"), rules).await.map(drop)
    }

    /// Any message or event of a customer, from the fields of its document; waits for the end of the push.
    pub async fn push(&self, app_id: &str, openid: &str, fields: Value) -> Result<Report, ControlError> {
        self.customer(app_id, openid, "push?wait=1", json!({"fields": fields})).await
    }

    /// Any bytes as a push of a customer; waits for its end.
    pub async fn push_document(
        &self,
        app_id: &str,
        openid: &str,
        document: &[u8],
    ) -> Result<Report, ControlError> {
        let body = json!({"document_hex": hex::encode(document)});
        self.customer(app_id, openid, "push?wait=1", body).await
    }

    /// What the customer sees, oldest first.
    pub async fn transcript(&self, app_id: &str, openid: &str) -> Result<Vec<Line>, ControlError> {
        let path = format!("/sim/wechat/{app_id}/customers/{openid}/transcript");
        parsed(self.get(&path).await?)
    }

    /// The texts that the customer got from the account or saw as a failure, in order.
    pub async fn received(&self, app_id: &str, openid: &str) -> Result<Vec<String>, ControlError> {
        let lines = self.transcript(app_id, openid).await?;
        Ok(lines.into_iter().filter(|line| line.who != "customer").map(|line| line.text).collect())
    }

    /// The agent logs in (which makes the account) or out.
    pub async fn agent_online(&self, user: &str, online: bool) -> Result<(), ControlError> {
        let what = if online { "login" } else { "logout" };
        self.post(&format!("/sim/im/agents/{user}/{what}"), json!({})).await.map(drop)
    }

    /// The agent writes; waits for the end of the After webhook. Returns the MsgKey, or the error code that her client
    /// shows.
    pub async fn agent_say(
        &self,
        user: &str,
        to: &str,
        text: &str,
    ) -> Result<Result<String, i64>, ControlError> {
        let path = format!("/sim/im/agents/{user}/say?wait=1");
        Ok(sent(&self.post(&path, json!({"to": to, "text": text})).await?))
    }

    /// The agent sends any message: `{"to": …, "body": […], "online_only": …, "cloud_custom_data": …,
    /// "send_msg_result": …, "seq": …, "random": …}`; the latter five may be left out.
    pub async fn agent_send(&self, user: &str, message: Value) -> Result<Result<String, i64>, ControlError> {
        Ok(sent(&self.post(&format!("/sim/im/agents/{user}/send?wait=1"), message).await?))
    }

    /// The agent's chats, the most recent last.
    pub async fn chats(&self, user: &str) -> Result<Vec<Chat>, ControlError> {
        parsed(self.get(&format!("/sim/im/agents/{user}/chats")).await?)
    }

    /// The messages of one chat, oldest first; none when there is no such chat.
    pub async fn chat(&self, user: &str, peer: &str) -> Result<Vec<ChatMessage>, ControlError> {
        let chats = self.chats(user).await?;
        Ok(chats.into_iter().find(|chat| chat.peer == peer).map(|chat| chat.messages).unwrap_or_default())
    }

    /// Sets a fault.
    pub async fn fault(&self, fault: Fault) -> Result<(), ControlError> {
        self.post("/sim/faults", json!(fault)).await.map(drop)
    }

    /// Takes all faults back. A listener that is shut stays so until its time is over.
    pub async fn clear_faults(&self) -> Result<(), ControlError> {
        self.post("/sim/faults/clear", json!({})).await.map(drop)
    }

    /// The journal's lines after number `n`.
    pub async fn journal(&self, n: u64) -> Result<Vec<Value>, ControlError> {
        parsed(self.get(&format!("/sim/journal?after={n}")).await?)
    }

    /// Moves the clouds' clock forward (or, with a negative number, back). Returns the new time in milliseconds.
    pub async fn advance_clock(&self, ms: i64) -> Result<i64, ControlError> {
        let answer = self.post("/sim/clock", json!({"advance_ms": ms})).await?;
        Ok(answer["now_ms"].as_i64().unwrap_or_default())
    }

    /// Waits until the journal has a line that `fits`, from its beginning on, and returns it.
    pub async fn wait_for(
        &self,
        patience: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value, ControlError> {
        let search = async {
            let mut seen = 0;
            loop {
                let path = format!("/sim/journal?after={seen}&wait_ms=20000");
                for line in parsed::<Vec<Value>>(self.get(&path).await?)? {
                    seen = line["n"].as_u64().unwrap_or(seen);
                    if fits(&line) {
                        return Ok(line);
                    }
                }
            }
        };
        tokio::time::timeout(patience, search).await.unwrap_or(Err(ControlError::TimedOut(patience)))
    }

    async fn customer(
        &self,
        app_id: &str,
        openid: &str,
        what: &str,
        body: Value,
    ) -> Result<Report, ControlError> {
        parsed(self.post(&format!("/sim/wechat/{app_id}/customers/{openid}/{what}"), body).await?)
    }
}

async fn answer(response: reqwest::Response) -> Result<Value, ControlError> {
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(response.json().await?);
    }
    Err(ControlError::Refused { status, text: response.text().await.unwrap_or_default() })
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ControlError> {
    serde_json::from_value(value)
        .map_err(|error| ControlError::Refused { status: 200, text: error.to_string() })
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sent(answer: &Value) -> Result<String, i64> {
    match answer["error_code"].as_i64() {
        Some(0) => Ok(word(&answer["msg_key"])),
        code => Err(code.unwrap_or(-1)),
    }
}
