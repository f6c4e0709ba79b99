//! A decrypted document, XML or JSON: it is read or refused, its dedup key does not depend on when it is asked for,
//! and every passive reply that repeats its words is a document itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::{MessageKind, Push, PushBody};

fuzz_target!(|document: &[u8]| {
    let Ok(push) = Push::parse(document) else { return };
    let key = push.dedup_key("shop", document);
    assert_eq!(key, Push::parse(document).unwrap().dedup_key("shop", document));
    assert!(key.len() < 1024, "a dedup key has a bound");
    let PushBody::Message(message) = &push.body else { return };
    let MessageKind::Text { content, .. } = &message.kind else { return };
    assert!(!content.contains('\0'), "characters that XML does not know are kept out (F7)");
    // Real ids; what is not one is only kept from breaking the document.
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_id(&push.from) || !is_id(&push.to) {
        return;
    }
    let reply = push.text_reply(content.clone(), 1_760_000_000);
    for written in [reply.to_xml(), reply.to_json()] {
        let read = Push::parse(written.as_bytes()).expect("a reply of ours is a document");
        assert_eq!((&read.from, &read.to), (&push.to, &push.from), "no text breaks out of its field (F8)");
    }
});
