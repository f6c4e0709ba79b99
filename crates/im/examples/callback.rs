//! What an endpoint for IM's webhooks does: check, read, answer. The request is the vendor's sample.

use im::{Answer, Credentials, Element, Webhook};
use secrecy::SecretString;

const QUERY: &str = "SdkAppid=1400000000&CallbackCommand=C2C.CallbackBeforeSendMsg&contenttype=json&OptPlatform=Web\
    &Sign=17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061&RequestTime=1669872112";
const BODY: &str = r#"{"CallbackCommand":"C2C.CallbackBeforeSendMsg","From_Account":"agent_007","To_Account":"wx_u1",
    "MsgSeq":48374,"MsgRandom":2837546,"MsgTime":1669872112,"MsgKey":"48374_2837546_1669872112","OnlineOnlyFlag":0,
    "MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"您好，今天发货"}}]}"#;

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn main() -> Result<(), im::Refusal> {
    let credentials =
        Credentials { sdk_app_id: 1_400_000_000, tokens: vec![SecretString::from("xxxxyyyy")], window_s: 60 };
    // A refusal knows the HTTP status to answer with, and nothing is to be kept of such a request.
    let opened = im::open(&credentials, QUERY, BODY.as_bytes(), 1_669_872_113)?;
    let answer = match &opened.webhook {
        Webhook::BeforeSendMsg(message) => {
            let is_text = message.body.iter().all(|element| matches!(element, Element::Text { .. }));
            println!("{} writes to {}", message.from, message.to);
            if is_text { Answer::ok() } else { Answer::refuse(120_001, "只能发送文字") }
        }
        // Store it, then answer, within 2 seconds. An unknown or unreadable one is a value too.
        other => {
            println!("{} is for later", other.command());
            Answer::ok()
        }
    };
    println!("200 {}", answer.to_json());
    Ok(())
}
