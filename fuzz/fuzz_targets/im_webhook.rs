//! The body of a webhook from IM: the first line is the command of the query, the rest the body.

#![no_main]

use im::Webhook;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let Ok(command) = std::str::from_utf8(&input[..split]) else { return };
    let body = input.get(split + 1..).unwrap_or_default();
    let webhook = Webhook::parse(command, body);
    let key = webhook.dedup_key(1400000001, body);
    assert!(key.len() < 1024, "a dedup key has a bound");
    assert_eq!(key, Webhook::parse(command, body).dedup_key(1400000001, body));
    if matches!(webhook, Webhook::Unreadable { .. }) {
        return;
    }
    // What was understood is written and understood again: no field is lost on the way.
    let written = serde_json::to_vec(&webhook.to_value()).unwrap();
    let again = Webhook::parse(command, &written);
    assert_eq!(again.to_value(), webhook.to_value());
});
