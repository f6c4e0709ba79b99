//! The webhooks that IM sends: Before and After a message (§6).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::form_urlencoded;

use super::Refused;
use super::deliver::Draft;
use crate::faults::{Fault, Kind};
use crate::wire::{self, Begun, End, Party, Side, Start};
use crate::world::World;

const BEFORE: &str = "C2C.CallbackBeforeSendMsg";
const AFTER: &str = "C2C.CallbackAfterSendMsg";

/// What the Before webhook said.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Allow {
        body: Option<Value>,
        cloud_custom_data: Option<String>,
    },
    Reject(Refused),
    Discard,
    /// No answer in time, not 200, not the JSON envelope.
    Failed,
}

/// One webhook that was sent.
enum Outcome {
    Answered(Value),
    Timeout,
    Failed(&'static str, Option<u16>),
}

fn message(draft: &Draft, key: &str, time: i64) -> Value {
    let mut body = json!({"From_Account": draft.from, "To_Account": draft.to, "MsgSeq": draft.seq,
        "MsgRandom": draft.random, "MsgTime": time, "MsgKey": key,
        "OnlineOnlyFlag": u8::from(draft.online_only), "MsgBody": draft.body});
    // Absent when unset: receivers must not rely on it.
    if let Some(custom) = &draft.cloud_custom_data {
        body["CloudCustomData"] = custom.as_str().into();
    }
    body
}

/// Asks whether a message may be delivered.
pub(crate) async fn before(world: &Arc<World>, draft: &Draft, key: &str, time: i64) -> Answer {
    let body = message(draft, key, time);
    let answer = match send(world, BEFORE, draft.platform, body, 1, &json!({"msg_key": key})).await {
        Some(Outcome::Answered(answer)) => answer,
        Some(_) => return Answer::Failed,
        None => return Answer::Allow { body: None, cloud_custom_data: None },
    };
    obey(&answer)
}

fn obey(answer: &Value) -> Answer {
    let info = answer["ErrorInfo"].as_str().unwrap_or_default().to_owned();
    match answer["ErrorCode"].as_i64() {
        Some(0) => Answer::Allow {
            body: answer.get("MsgBody").filter(|body| super::sendmsg::check_body(body).is_ok()).cloned(),
            cloud_custom_data: answer.get("CloudCustomData").and_then(Value::as_str).map(str::to_owned),
        },
        Some(1) => Answer::Reject(Refused::new(20006)),
        Some(2) => Answer::Discard,
        Some(code @ 120_001..=130_000) => Answer::Reject(Refused { code, info }),
        _ => Answer::Failed,
    }
}

/// Tells that a message was sent (or failed). Repeated on time-out only, and only if the console says so.
pub(crate) async fn after(world: &Arc<World>, draft: &Draft, key: &str, time: i64, unread: i64) {
    let mut body = message(draft, key, time);
    body["SendMsgResult"] = draft.send_msg_result.into();
    let info = if draft.send_msg_result == 0 { "send msg succeed" } else { "send msg failed" };
    body["ErrorInfo"] = info.into();
    body["UnreadMsgNum"] = unread.into();
    let retries = world.im().config.after_retries;
    let essentials = json!({"msg_key": key});
    for attempt in 1..=retries + 1 {
        let outcome = send(world, AFTER, draft.platform, body.clone(), attempt, &essentials).await;
        if !matches!(outcome, Some(Outcome::Timeout)) {
            break;
        }
    }
}

/// Tells of something, if this command is switched on in the console. Nobody waits for it.
pub(crate) fn tell(world: &Arc<World>, command: &'static str, platform: &str, body: Value) {
    if !is_on(world, command) {
        return;
    }
    let (world, platform) = (world.clone(), platform.to_owned());
    tokio::spawn(async move { send(&world, command, &platform, body, 1, &json!({})).await });
}

/// What a Before webhook of a group said.
pub(crate) enum Asked {
    Allow(Option<Value>),
    Reject(i64),
    Discard,
}

/// Asks, if this command is switched on; a failure allows (§6.3).
pub(crate) async fn ask(world: &Arc<World>, command: &'static str, platform: &str, body: Value) -> Asked {
    if !is_on(world, command) {
        return Asked::Allow(None);
    }
    let Some(Outcome::Answered(answer)) = send(world, command, platform, body, 1, &json!({})).await else {
        return Asked::Allow(None);
    };
    match answer["ErrorCode"].as_i64() {
        Some(1) => Asked::Reject(10016),
        Some(2) => Asked::Discard,
        Some(code @ 10_100..=10_200) => Asked::Reject(code),
        _ => Asked::Allow(answer.get("MsgBody").filter(|b| super::sendmsg::check_body(b).is_ok()).cloned()),
    }
}

fn is_on(world: &World, command: &str) -> bool {
    world.im().config.callback_commands.iter().any(|on| on == command)
}

/// What a webhook of the caller's making has that IM's own have not.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(crate) struct Odd {
    /// Another app's.
    #[serde(default)]
    pub(crate) sdk_app_id: Option<u64>,
    /// A signature of one's own.
    #[serde(default)]
    pub(crate) sign: Option<String>,
    /// Signed for another second.
    #[serde(default)]
    pub(crate) request_time: Option<i64>,
}

/// A webhook with a body of the caller's choice; the answer's status, where there was one.
pub(crate) async fn raw(
    world: &Arc<World>,
    command: &str,
    platform: &str,
    body: Value,
    odd: &Odd,
) -> Option<Value> {
    match send_odd(world, command, platform, body, 1, &json!({}), odd).await? {
        Outcome::Answered(answer) => Some(json!({"status": 200, "answer": answer})),
        Outcome::Timeout => Some(json!({"outcome": "timeout"})),
        Outcome::Failed(why, status) => Some(json!({"outcome": why, "status": status})),
    }
}

/// Sends one webhook, faults included. `None` when no address is set.
async fn send(
    world: &Arc<World>,
    command: &str,
    platform: &str,
    body: Value,
    attempt: u32,
    essentials: &Value,
) -> Option<Outcome> {
    send_odd(world, command, platform, body, attempt, essentials, &Odd::default()).await
}

async fn send_odd(
    world: &Arc<World>,
    command: &str,
    platform: &str,
    mut body: Value,
    attempt: u32,
    essentials: &Value,
    odd: &Odd,
) -> Option<Outcome> {
    let (address, timeout) = {
        let im = world.im();
        (im.config.callback_url.clone()?, im.config.callback_timeout)
    };
    if body.get("CallbackCommand").is_none() {
        body["CallbackCommand"] = command.into();
    }
    let target = if command.contains("Before") { "im.callback_before" } else { "im.callback_after" };
    let fault = world.faults.take(target);
    let copies = match &fault {
        Some(fault) if matches!(fault.kind, Kind::Duplicate) => 1 + fault.number(1),
        _ => 1,
    };
    let mut last = None;
    for copy in 1..=copies {
        let started = Instant::now();
        let url = format!("{address}?{}", query(world, command, platform, odd));
        let ended = one(world, &url, &body, fault.as_ref(), timeout).await;
        let (outcome, status) = match &ended {
            Outcome::Answered(_) => ("answered", Some(200)),
            Outcome::Timeout => ("timeout", None),
            Outcome::Failed(why, status) => (*why, *status),
        };
        let mut fields = essentials.clone();
        fields["command"] = command.into();
        fields["from"] = body["From_Account"].clone();
        fields["to"] = body["To_Account"].clone();
        fields["attempt"] = attempt.into();
        fields["copy"] = copy.into();
        fields["outcome"] = outcome.into();
        fields["status"] = json!(status);
        fields["fault"] = json!(fault.as_ref().map(|fault| fault.kind));
        fields["took_ms"] = (started.elapsed().as_millis() as u64).into();
        if let Outcome::Answered(answer) = &ended {
            fields["error_code"] = answer["ErrorCode"].clone();
        }
        world.journal.write("im", "callback", fields);
        last = Some(ended);
    }
    last
}

fn query(world: &World, command: &str, platform: &str, odd: &Odd) -> String {
    let im = world.im();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("SdkAppid", &odd.sdk_app_id.unwrap_or(im.config.sdk_app_id).to_string())
        .append_pair("CallbackCommand", command)
        .append_pair("contenttype", "json")
        .append_pair("ClientIP", "127.0.0.1")
        .append_pair("OptPlatform", platform);
    if let Some(token) = &im.config.callback_token {
        let time = odd.request_time.unwrap_or_else(|| world.clock.now_s()).to_string();
        let sign = odd.sign.clone().unwrap_or_else(|| sign(token, &time));
        query.append_pair("Sign", &sign).append_pair("RequestTime", &time);
    }
    query.finish()
}

fn sign(token: &str, request_time: &str) -> String {
    hex::encode(Sha256::digest(format!("{token}{request_time}").as_bytes()))
}

async fn one(
    world: &Arc<World>,
    url: &str,
    body: &Value,
    fault: Option<&Fault>,
    timeout: Duration,
) -> Outcome {
    let kind = fault.map(|fault| fault.kind);
    if kind == Some(Kind::Delay) {
        tokio::time::sleep(fault.map(Fault::pause).unwrap_or_default()).await;
    }
    let begun = begin(world, url, body);
    match kind {
        Some(kind) if kind.never_leaves() => {
            begun.lost("not sent");
            return Outcome::Failed("connect", None);
        }
        Some(Kind::Hang) => {
            tokio::time::sleep(timeout).await;
            return Outcome::Timeout;
        }
        _ => {}
    }
    let sent = world.http.post(url).header("content-type", "application/json").body(body.to_string());
    let call = async {
        let response = match sent.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                begun.lost("connection refused");
                return Err(Outcome::Failed("connect", None));
            }
            Err(_) => {
                begun.lost("connection broke");
                return Err(Outcome::Failed("broken", None));
            }
        };
        let (line, status) = (response.status().to_string(), response.status().as_u16());
        let Ok(bytes) = response.bytes().await else {
            begun.lost("connection broke");
            return Err(Outcome::Failed("broken", Some(status)));
        };
        let size = bytes.len() as u64;
        let (outcome, code) = wire::judge(status, &bytes, size);
        let answer = Side { line, size, body: wire::cut(bytes.clone()), ..Side::default() };
        begun.end(outcome, End { status: Some(status), code, why: "", answer });
        if status != 200 {
            return Err(Outcome::Failed("status", Some(status)));
        }
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(answer) if answer["ErrorCode"].is_i64() && answer["ActionStatus"].is_string() => Ok(answer),
            _ => Err(Outcome::Failed("not the envelope", Some(status))),
        }
    };
    match tokio::time::timeout(timeout, call).await {
        Err(_) => Outcome::Timeout,
        // The gateway did its work, and the cloud never learns.
        Ok(_) if matches!(kind, Some(Kind::ResetAfter | Kind::ResetInside | Kind::Truncated)) => {
            Outcome::Failed("answer lost", None)
        }
        Ok(_) if matches!(kind, Some(Kind::DelayAnswer | Kind::Drip)) => Outcome::Timeout,
        Ok(Ok(answer)) => Outcome::Answered(answer),
        Ok(Err(failed)) => failed,
    }
}

/// The hop of one webhook.
fn begin(world: &Arc<World>, url: &str, body: &Value) -> Begun {
    let address = url::Url::parse(url).ok();
    let path = address
        .as_ref()
        .map_or(url.to_owned(), |url| format!("{}?{}", url.path(), url.query().unwrap_or_default()));
    let (_, note, msg_key) = wire::about(body, None);
    // The customer's side is the one who is written to.
    let who = body["To_Account"].as_str().unwrap_or_default();
    let (text, name) = (body.to_string(), body["CallbackCommand"].as_str().unwrap_or_default());
    let start = Start {
        from: Party::Im,
        to: Party::Gateway,
        name: name.to_owned(),
        who: who.to_owned(),
        msg_key,
        note,
        request: Side {
            line: format!("POST {path}"),
            headers: vec![("content-type".into(), "application/json".into())],
            size: text.len() as u64,
            body: wire::cut(text.into()),
            inside: None,
        },
    };
    Begun::new(world, start, "no answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_vectors() {
        let vectors = [
            ("xxxxyyyy", "1669872112", "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"),
            ("AbC_-09*", "1735689600", "ba1cbbf646a687259ea577193eab9f5759fdd045966444ec414f9639ba8056da"),
        ];
        for (token, time, signature) in vectors {
            assert_eq!(sign(token, time), signature);
        }
    }

    #[test]
    fn the_before_answers_of_the_reference_are_obeyed() {
        let answer = |code: i64| obey(&json!({"ActionStatus": "OK", "ErrorInfo": "不可", "ErrorCode": code}));
        assert_eq!(answer(0), Answer::Allow { body: None, cloud_custom_data: None });
        assert_eq!(answer(1), Answer::Reject(Refused::new(20006)));
        assert_eq!(answer(2), Answer::Discard);
        assert_eq!(answer(120_048), Answer::Reject(Refused { code: 120_048, info: "不可".into() }));
        assert_eq!(answer(7), Answer::Failed);
    }
}
