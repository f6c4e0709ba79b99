//! The answer to a call: what WeChat says, read as leniently as its own variety asks for. Start at [`judge`].
//!
//! WeChat writes numbers also as texts, leaves out what is empty, and answers 200 to what it refuses.

use serde_json::{Map, Value};

use crate::client::{CallError, Fault};
use crate::errcode::Errcode;

/// Longest `errmsg` kept, in characters.
const MAX_MESSAGE: usize = 300;

/// The fields of an answer, or of an object inside one.
#[derive(Default)]
pub(crate) struct Answer(Map<String, Value>);

impl Answer {
    /// Whether there is such a field, whatever it holds.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text without white space around it, or a number as text; empty where there is neither.
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.get(name).map(text_of).unwrap_or_default()
    }

    /// The text unless it is empty.
    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A whole number, also when it comes as a text.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name).parse().ok()
    }

    /// The object of this name.
    pub(crate) fn object(&self, name: &str) -> Option<Answer> {
        self.0.get(name).and_then(object_of)
    }

    /// The texts of a list; what is no text is left out. `None` where there is no list.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().map(text_of).filter(|text| !text.is_empty()).collect())
    }

    /// The objects of a list; what is no object is left out. `None` where there is no list.
    pub(crate) fn objects(&self, name: &str) -> Option<Vec<Answer>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(object_of).collect())
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn object_of(value: &Value) -> Option<Answer> {
    value.as_object().cloned().map(Answer)
}

/// The fields of an answer with status 200, or what is wrong with it.
pub(crate) fn judge(body: &[u8], hidden: &[&str]) -> Result<Answer, CallError> {
    if body.trim_ascii().is_empty() {
        return Err(CallError::Unclear(Fault::Empty));
    }
    let unreadable = || CallError::Unclear(Fault::Unreadable);
    let answer: Map<String, Value> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let code = match answer.get("errcode") {
        None => 0,
        Some(Value::String(text)) => text.trim().parse().map_err(|_| unreadable())?,
        Some(number) => number.as_i64().ok_or_else(unreadable)?,
    };
    if code == 0 {
        return Ok(Answer(answer));
    }
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    Err(CallError::Refused(Errcode { code, message: scrub(message, hidden) }))
}

/// The message on one line, shortened, and without what must not appear in a log.
fn scrub(message: &str, hidden: &[&str]) -> String {
    let hidden = hidden.iter().filter(|text| !text.is_empty());
    let message = hidden.fold(message.to_owned(), |message, text| message.replace(text, "[redacted]"));
    message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}
