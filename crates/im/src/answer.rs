//! What a webhook is answered with. Start at [`Answer`].

use serde::{Deserialize, Serialize};

use crate::element::{Element, elements};
use crate::lenient;

/// The JSON answer to a webhook, to be sent with HTTP status 200 within 2 seconds.
///
/// Vendor page: <https://www.tencentcloud.com/document/product/1047/34364>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `OK`, also when a message is refused.
    #[serde(rename = "ActionStatus")]
    pub action_status: String,
    /// Shown to the sender when `error_code` is one of our own.
    #[serde(rename = "ErrorInfo", default, deserialize_with = "lenient::text")]
    pub error_info: String,
    /// Before a message: 0 deliver, 1 refuse (the sender sees 20006), 2 discard silently, 120001 to 130000 refuse
    /// with this code and `error_info`. Otherwise of no effect.
    #[serde(rename = "ErrorCode", deserialize_with = "lenient::number")]
    pub error_code: i64,
    /// Before a message, with code 0: deliver this instead.
    #[serde(
        rename = "MsgBody",
        default,
        deserialize_with = "opt_elements",
        skip_serializing_if = "Option::is_none"
    )]
    pub msg_body: Option<Vec<Element>>,
    /// Before a message, with code 0: deliver it with this instead.
    #[serde(
        rename = "CloudCustomData",
        default,
        deserialize_with = "lenient::opt_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub cloud_custom_data: Option<String>,
}

impl Answer {
    /// `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`.
    pub fn ok() -> Answer {
        Answer::refuse(0, "")
    }

    /// Refuses a message, in answer to `C2C.CallbackBeforeSendMsg`. `code` is 1, or 120001 to 130000 to show
    /// `text` to the sender.
    pub fn refuse(code: i64, text: &str) -> Answer {
        Answer {
            action_status: "OK".to_owned(),
            error_info: text.to_owned(),
            error_code: code,
            msg_body: None,
            cloud_custom_data: None,
        }
    }

    /// The body of the HTTP answer.
    pub fn to_json(&self) -> String {
        // Only maps with keys that are no strings cannot be written, and there are none here.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn opt_elements<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Element>>, D::Error> {
    elements(deserializer).map(Some)
}
