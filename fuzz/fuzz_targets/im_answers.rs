//! The body of an answer of IM's REST API, from whoever answers in its place: no error is taken for a success.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let good = im::fuzzing::answer(body);
    if good {
        let text = String::from_utf8_lossy(body);
        let answer: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON was taken for a success");
        let code = &answer["ErrorCode"];
        let zero = code.as_i64() == Some(0)
            || code.as_f64().is_some_and(|code| code.trunc() == 0.0)
            || code.as_str().is_some_and(|text| text.trim().parse::<i64>() == Ok(0))
            || code == &Value::Bool(false);
        assert!(zero, "{code}");
    }
});
