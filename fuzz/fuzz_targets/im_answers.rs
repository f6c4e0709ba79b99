//! The body of an answer of IM's REST API, from whoever answers in its place: no error is taken for a success.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let good = im::fuzzing::answer(body);
    // A second opinion on what is strict JSON. The client also mends strings, and drops U+0000 from keys.
    if let Ok(answer) = serde_json::from_slice::<Value>(body)
        && !body.windows(6).any(|escape| escape == br"\u0000")
    {
        let zero = match &answer["ErrorCode"] {
            Value::Number(code) => code.as_f64().is_some_and(|code| code.trunc() == 0.0),
            Value::String(text) => text.trim().parse::<i64>() == Ok(0),
            code => code == &Value::Bool(false),
        };
        assert_eq!(good, zero, "{}", answer["ErrorCode"]);
    }
});
