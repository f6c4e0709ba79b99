//! Each kind of message and event: what it looks like in XML and in JSON, and the value that both must give.
//!
//! `tests/golden/NAME.xml` and `NAME.json` are the documents, `NAME.txt` is the value. After a change that is
//! meant, run with `UPDATE_GOLDEN=1` and read the difference.

use std::fs;
use std::path::Path;

use wechat::{Event, MessageKind, Push, PushBody};

#[test]
fn every_golden_document_gives_its_value_in_both_formats() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    names.sort();
    assert!(names.len() >= 45, "{}", names.len());
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let xml = Push::parse(&fs::read(&path).unwrap()).unwrap();
        let json = Push::parse(&fs::read(path.with_extension("json")).unwrap()).unwrap();
        assert_eq!(xml.body, json.body, "{name}");
        assert_eq!((&xml.to, &xml.from, xml.create_time), (&json.to, &json.from, json.create_time), "{name}");
        let value = format!(
            "to: {}\nfrom: {}\ncreate_time: {:?}\n{:#?}\n",
            xml.to, xml.from, xml.create_time, xml.body
        );
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &value).unwrap();
        }
        assert_eq!(fs::read_to_string(&expected).unwrap(), value, "{name}");
        let unknown = matches!(
            xml.body,
            PushBody::Event(Event::Unknown { .. })
                | PushBody::Message(wechat::Message { kind: MessageKind::Unknown { .. }, .. })
        );
        assert_eq!(unknown, name.ends_with("_unknown"), "{name}");
        name_is_canonical(&xml);
    }
}

/// The canonical name is the one in the document, which is written as WeChat writes it.
fn name_is_canonical(push: &Push) {
    match &push.body {
        PushBody::Event(event) => assert_eq!(Some(event.name()), push.fields.get("Event")),
        PushBody::Message(message) => assert_eq!(Some(message.kind.name()), push.fields.get("MsgType")),
    }
}

/// Every event of the reference's table is one of the golden documents.
#[test]
fn the_golden_documents_are_complete() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for event in
        "subscribe unsubscribe scan location click view view_miniprogram scancode_push scancode_waitmsg \
        pic_sysphoto pic_photo_or_album pic_weixin location_select templatesendjobfinish masssendjobfinish \
        freepublishjobfinish kf_create_session kf_close_session kf_switch_session subscribe_msg_popup_event \
        subscribe_msg_change_event subscribe_msg_sent_event user_info_modified user_authorization_revoke \
        user_authorization_cancellation qualification_verify_success qualification_verify_fail \
        naming_verify_success naming_verify_fail annual_renew verify_expired unknown"
            .split_whitespace()
    {
        assert!(dir.join(format!("event_{event}.txt")).exists(), "{event}");
    }
    for kind in "text image voice video shortvideo location link file unsupported unknown".split_whitespace()
    {
        assert!(dir.join(format!("message_{kind}.txt")).exists(), "{kind}");
    }
}

#[test]
fn f06_an_unknown_kind_keeps_its_fields() {
    let read = |name: &str| {
        Push::parse(&fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap())
            .unwrap()
    };
    for name in ["message_unknown.xml", "message_unknown.json"] {
        let push = read(name);
        let PushBody::Message(message) = &push.body else { panic!() };
        assert_eq!(message.msg_id, Some(25_033_203_329_280_749));
        assert_eq!(message.kind, MessageKind::Unknown { msg_type: "hologram".into() });
        assert_eq!(push.fields.nested("Beam").unwrap().get("Colour"), Some("blue"));
        assert_eq!(push.fields.nested("Beam").unwrap().get("Angle"), Some("12.5"));
        assert_eq!(push.fields.len(), 6);
    }
    let push = read("event_unknown.xml");
    assert_eq!(push.body, PushBody::Event(Event::Unknown { name: "user_get_card".into() }));
    assert_eq!(push.fields.get("UserCardCode"), Some("226009850808"));
}
