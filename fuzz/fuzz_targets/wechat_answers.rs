//! The body of an answer of WeChat's API, from whoever answers in its place: no error is taken for a success.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let good = wechat::fuzzing::answer(body);
    // A second opinion: an object whose errcode, where there is one, is nothing but 0.
    let opinion = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(answer)) => match answer.get("errcode") {
            None => true,
            Some(Value::String(text)) => text.trim().parse::<i64>() == Ok(0),
            Some(number) => number.as_i64() == Some(0),
        },
        _ => false,
    };
    assert_eq!(good, opinion);
});
