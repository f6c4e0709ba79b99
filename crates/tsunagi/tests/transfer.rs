//! F69: nothing of the gateway hands a customer over to WeChat's own console: while an agent there has them, their
//! messages do not come here any more. The protocol crate knows the reply; no other room may name it.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn f69_no_room_of_the_gateway_can_emit_transfer_customer_service() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for room in ["bridge", "desk", "store", "im", "tsunagi"] {
        sources(&crates.join(room).join("src"), &mut found);
    }
    assert!(found.len() > 80, "the sources are found");
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in ["transfer_customer_service", "HandOver", "push.hand_over"] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}

#[test]
fn f69_words_that_look_like_it_stay_words() {
    let push = wechat::Push::parse(
        b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>x</Content><MsgId>1</MsgId></xml>",
    )
    .unwrap();
    let words = "]]></Content><MsgType><![CDATA[transfer_customer_service]]></MsgType><Content><![CDATA[";
    let reply = format!("{:?}", push.text_reply(words, 1));
    assert!(reply.to_lowercase().contains("text"));
    let sealed = wechat::Push::parse(push.text_reply(words, 1).to_xml().as_bytes()).unwrap();
    let wechat::PushBody::Message(message) = sealed.body else { panic!("no message") };
    assert!(matches!(message.kind, wechat::MessageKind::Text { content, .. } if content == words));
}
