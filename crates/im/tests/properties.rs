//! Properties: what is written is read again without a difference, and nothing that comes makes a panic.

use im::{Answer, C2cMessage, Element, ImageInfo, Query, SendMsg, Webhook, sign, verify};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Any text but U+0000, which is dropped on reading.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

fn size() -> impl Strategy<Value = Option<u64>> {
    option::of(0..i64::MAX as u64)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[A-Za-z]{1,8}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Fields that no version knows.
fn other() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("X[A-Za-z_]{0,8}", json_value(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn image() -> impl Strategy<Value = ImageInfo> {
    (option::of(1..4_u32), size(), size(), size(), maybe(), other()).prop_map(
        |(kind, size, width, height, url, other)| ImageInfo { kind, size, width, height, url, other },
    )
}

fn element() -> impl Strategy<Value = Element> {
    let degrees = || (-1_800_000..1_800_000).prop_map(|n| f64::from(n) / 10_000.0);
    let flag = || option::of(any::<u32>());
    prop_oneof![
        (text(), other()).prop_map(|(text, other)| Element::Text { text, other }),
        (maybe(), degrees(), degrees(), other()).prop_map(|(desc, latitude, longitude, other)| {
            Element::Location { desc, latitude, longitude, other }
        }),
        (option::of(any::<i64>()), maybe(), other()).prop_map(|(index, data, other)| Element::Face {
            index,
            data,
            other
        }),
        (maybe(), maybe(), maybe(), maybe(), other())
            .prop_map(|(data, desc, ext, sound, other)| Element::Custom { data, desc, ext, sound, other }),
        (maybe(), maybe(), size(), size(), flag(), other()).prop_map(
            |(url, uuid, size, second, download_flag, other)| Element::Sound {
                url,
                uuid,
                size,
                second,
                download_flag,
                other
            }
        ),
        (maybe(), flag(), vec(image(), 0..4), other()).prop_map(|(uuid, image_format, images, other)| {
            Element::Image { uuid, image_format, images, other }
        }),
        (maybe(), maybe(), maybe(), size(), flag(), other()).prop_map(
            |(url, uuid, file_name, file_size, download_flag, other)| Element::File {
                url,
                uuid,
                file_name,
                file_size,
                download_flag,
                other
            }
        ),
        ((maybe(), size(), size(), flag()), (maybe(), size(), size(), flag()), other()).prop_map(
            |((url, length, second, flag), (thumb, width, height, thumb_flag), other)| Element::Video {
                video_uuid: url.clone(),
                video_url: url,
                video_size: length,
                video_second: second,
                video_format: Some("mp4".to_owned()),
                video_download_flag: flag,
                thumb_uuid: thumb.clone(),
                thumb_url: thumb,
                thumb_size: length,
                thumb_width: width,
                thumb_height: height,
                thumb_format: None,
                thumb_download_flag: thumb_flag,
                other,
            }
        ),
        (maybe(), size(), maybe(), vec(text(), 0..3), option::of(vec(json_value(), 0..3)), other()).prop_map(
            |(title, msg_num, compatible_text, abstract_list, msg_list, other)| Element::Relay {
                title,
                msg_num,
                json_msg_key: compatible_text.clone(),
                compatible_text,
                abstract_list,
                msg_list,
                other,
            }
        ),
        ("[A-Z][A-Za-z]{0,12}", json_value())
            .prop_map(|(msg_type, content)| Element::Unknown { msg_type, content }),
    ]
}

fn message() -> impl Strategy<Value = C2cMessage> {
    let ids = (text(), text(), text());
    let numbers = (any::<u32>(), any::<u32>(), any::<i64>(), any::<bool>(), option::of(any::<i64>()));
    (ids, numbers, vec(element(), 0..4), maybe(), other()).prop_map(
        |(
            (from, to, msg_key),
            (msg_seq, msg_random, msg_time, online_only, event_time),
            body,
            data,
            other,
        )| {
            C2cMessage {
                from,
                to,
                msg_seq,
                msg_random,
                msg_time,
                msg_key,
                online_only,
                body,
                cloud_custom_data: data,
                event_time,
                other,
            }
        },
    )
}

proptest! {
    #[test]
    fn elements_round_trip(element in element()) {
        let written = serde_json::to_string(&element).unwrap();
        let read: Element = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(&serde_json::to_string(&read).unwrap(), &written);
        prop_assert_eq!(read, element);
    }

    #[test]
    fn webhooks_round_trip(message in message(), result in any::<i64>(), unread in option::of(any::<i64>())) {
        let before = Webhook::BeforeSendMsg(message.clone());
        prop_assert_eq!(Webhook::parse("", before.to_value().to_string().as_bytes()), before);
        let after = Webhook::AfterSendMsg(im::AfterSend {
            message,
            send_msg_result: result,
            error_info: String::new(),
            unread,
        });
        let body = after.to_value().to_string();
        prop_assert_eq!(Webhook::parse("", body.as_bytes()), after.clone());
        let key = after.dedup_key(1, body.as_bytes());
        prop_assert_eq!(key, Webhook::parse("", body.as_bytes()).dedup_key(1, b""));
    }

    #[test]
    fn requests_and_answers_round_trip(
        body in vec(element(), 1..3), seq in any::<u32>(), random in any::<u32>(), data in maybe(), code in any::<i64>(),
    ) {
        let mut message = SendMsg::new("a", "b", seq, random, body);
        message.cloud_custom_data = data.clone();
        let written = serde_json::to_string(&message).unwrap();
        prop_assert!(!written.contains("\"MsgLifeTime\""));
        prop_assert_eq!(serde_json::from_str::<SendMsg>(&written).unwrap(), message);
        let answer = Answer::refuse(code, data.as_deref().unwrap_or_default());
        prop_assert_eq!(serde_json::from_str::<Answer>(&answer.to_json()).unwrap(), answer);
    }

    #[test]
    fn any_json_is_an_element_or_is_refused(value in json_value(), kind in "TIM(Text|Face|Image|Video|VideoFile|Sound)Elem") {
        let json = json!({"MsgType": kind, "MsgContent": value});
        let read: Element = serde_json::from_value(json.clone()).unwrap();
        prop_assert_eq!(read.msg_type(), json["MsgType"].as_str().unwrap());
    }

    #[test]
    fn f48_nothing_makes_a_panic(bytes in vec(any::<u8>(), 0..200), query in "(SdkAppid=1)?[&=%a-zA-Z0-9]{0,60}") {
        let webhook = Webhook::parse("C2C.CallbackAfterSendMsg", &bytes);
        prop_assert!(!webhook.dedup_key(1, &bytes).is_empty());
        let _ = Query::parse(&query);
        let _ = Query::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn f48_a_damaged_body_makes_no_panic(message in message(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = Webhook::BeforeSendMsg(message).to_value().to_string().into_bytes();
        let at = cut.index(body.len());
        let _ = Webhook::parse("", &body[..at]);
        body[at] = byte;
        let webhook = Webhook::parse("", &body);
        prop_assert!(!webhook.dedup_key(1, &body).is_empty());
    }

    #[test]
    fn usersigs_round_trip(
        key in ".{0,80}", app in any::<u64>(), user in "[A-Za-z0-9_-]{1,32}", time in 0..4_000_000_000_i64,
        expire in 1..1_600_000_000_u64, userbuf in option::of(vec(any::<u8>(), 0..100)),
    ) {
        let key = SecretString::from(key);
        let sig = sign(&key, app, &user, time, expire, userbuf.as_deref());
        let claims = verify(&key, app, Some(&user), sig.expose_secret(), time).unwrap();
        prop_assert_eq!((claims.identifier, claims.sdk_app_id, claims.time), (user, app, time));
        prop_assert_eq!((claims.expire, claims.userbuf), (expire, userbuf));
    }

    #[test]
    fn a_damaged_usersig_is_refused_without_a_panic(
        at in any::<prop::sample::Index>(), byte in prop::sample::select(b"ABCxyz019*-_ %".to_vec()),
    ) {
        let key = SecretString::from("key");
        let sig = sign(&key, 1, "user", 1_700_000_000, 86400, None);
        let mut damaged = sig.expose_secret().as_bytes().to_vec();
        damaged[at.index(sig.expose_secret().len())] = byte;
        let damaged = String::from_utf8(damaged).unwrap();
        // Bits that carry nothing may change; what the UserSig says may not.
        if let Ok(claims) = verify(&key, 1, None, &damaged, 1_700_000_000) {
            prop_assert_eq!((claims.identifier.as_str(), claims.expire), ("user", 86400));
        }
    }
}
