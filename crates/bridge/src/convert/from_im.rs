//! An agent's message as parts that WeChat takes: words, and files that have still to be fetched.

use desk::content::file_name;
use desk::split::{WECHAT_TEXT_BYTES, split};
use desk::words::{Kind, kind};
use desk::{Language, Shape};
use im::{Element, ImageInfo};
use serde_json::Value;

use super::{faces, map_link};
use crate::media::Source;

/// One part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Words, at most 2,048 bytes.
    Text(String),
    /// A file, with the words that stand for it until it is known better.
    File(Source, String),
    /// An element that cannot go to WeChat; the word is its type.
    Unsupported(String),
}

/// The parts of a message, in order.
pub(crate) fn parts(elements: &[Element], language: Language) -> Vec<Part> {
    let mut parts = Vec::new();
    for element in elements {
        match read(element, language) {
            Read::Words(words) => {
                let words = printable(&words);
                parts.extend(
                    split(&words, WECHAT_TEXT_BYTES).into_iter().map(|part| Part::Text(part.to_owned())),
                );
            }
            Read::Part(part) => parts.push(part),
        }
    }
    // A part of blanks alone would be refused (44004).
    parts.retain(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
    parts
}

enum Read {
    Words(String),
    Part(Part),
}

fn read(element: &Element, language: Language) -> Read {
    let unsupported = || Read::Part(Part::Unsupported(element.msg_type().to_owned()));
    let file = |shape, address: Option<&str>, still: Option<&str>, name: &str, seconds| {
        // Clients of long ago send none.
        let Some(address) = address.filter(|address| !address.trim().is_empty()) else {
            return unsupported();
        };
        let source = Source::Im {
            shape,
            address: address.trim().to_owned(),
            still: still.map(|address| address.trim().to_owned()),
            name: name.to_owned(),
            seconds,
        };
        Read::Part(Part::File(source, stand_in(language, shape, name)))
    };
    match element {
        Element::Text { text, .. } => Read::Words(faces::shown(text)),
        Element::Image { images, .. } => file(Shape::Image, best(images), None, "", None),
        Element::Sound { url, second, .. } => file(Shape::Voice, url.as_deref(), None, "", *second),
        Element::Video { video_url, thumb_url, video_second, .. } => {
            let seconds = video_second.filter(|seconds| *seconds > 0);
            file(Shape::Video, video_url.as_deref(), thumb_url.as_deref(), "", seconds)
        }
        Element::File { url, file_name: name, .. } => {
            file(Shape::File, url.as_deref(), None, &file_name(name.as_deref().unwrap_or_default()), None)
        }
        Element::Location { desc, latitude, longitude, .. } => {
            let name = desc.as_deref().unwrap_or_default().trim();
            let word = kind(language, Kind::Location);
            Read::Words(
                format!("{} {name}", word).trim_end().to_owned() + "\n" + &map_link(*latitude, *longitude),
            )
        }
        Element::Face { index, data, .. } => {
            let data = printable(data.as_deref().unwrap_or_default());
            let shown = faces::shown(&data);
            Read::Words(match (shown == data, data.trim(), index) {
                // Known, or a name in brackets already.
                (false, ..) => shown,
                (true, name, _) if name.starts_with('[') && name.ends_with(']') => name.to_owned(),
                (true, "", Some(number)) => format!("[{} {number}]", face_word(language)),
                (true, "", None) => format!("[{}]", face_word(language)),
                (true, name, _) => format!("[{name}]"),
            })
        }
        Element::Custom { data, desc, .. } => match custom(data.as_deref(), desc.as_deref()) {
            Some(words) => Read::Words(words),
            None => unsupported(),
        },
        Element::Relay { title, abstract_list, compatible_text, .. } => {
            let lines: Vec<&str> = title.iter().chain(abstract_list).map(String::as_str).collect();
            let words =
                if lines.is_empty() { compatible_text.clone().unwrap_or_default() } else { lines.join("\n") };
            if words.trim().is_empty() { unsupported() } else { Read::Words(words) }
        }
        _ => unsupported(),
    }
}

/// The original, else the large one, else the thumbnail, else whatever has an address.
fn best(images: &[ImageInfo]) -> Option<&str> {
    let address = |info: &ImageInfo| info.url.as_deref().is_some_and(|url| !url.trim().is_empty());
    let of_kind = |kind| images.iter().find(|info| info.kind == Some(kind) && address(info));
    let found = [1, 2, 3].into_iter().find_map(of_kind).or_else(|| images.iter().find(|info| address(info)));
    found.and_then(|info| info.url.as_deref())
}

/// The words of a custom element: those of a link, in the two shapes that are known, else its description. `None` for
/// messages of UI kits that mean something else (a call, a card), which would say nothing to a customer.
fn custom(data: Option<&str>, desc: Option<&str>) -> Option<String> {
    let data: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
    let text =
        |name: &str| data.as_ref().and_then(|data| data.get(name)).and_then(Value::as_str).map(str::trim);
    let business = data.as_ref().and_then(|data| data.get("businessID"));
    let address = match business.map(|id| id.as_str().unwrap_or_default()) {
        Some("text_link") => text("link"),
        Some(_) => return None,
        None if text("type") == Some("link") => text("url"),
        None => None,
    };
    let address = address.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let title =
        text("text").or_else(|| text("title")).or(desc.map(str::trim)).filter(|title| !title.is_empty());
    match (title, address) {
        (Some(title), Some(address)) => Some(format!("{title}\n{address}")),
        (None, Some(address)) => Some(address.to_owned()),
        (_, None) => desc.map(str::trim).filter(|desc| !desc.is_empty()).map(str::to_owned),
    }
}

fn stand_in(language: Language, shape: Shape, name: &str) -> String {
    let word = match shape {
        Shape::Image => Kind::Image,
        Shape::Voice => Kind::Voice,
        Shape::Video => Kind::Video,
        Shape::File => Kind::File,
    };
    format!("{} {name}", kind(language, word)).trim_end().to_owned()
}

fn face_word(language: Language) -> &'static str {
    match language {
        Language::Zh => "表情",
        Language::Ja => "スタンプ",
        Language::En => "sticker",
    }
}

/// Without the control characters that neither XML nor a chat can show.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f37_a_long_answer_is_cut_into_parts_in_order() {
        let long = "春".repeat(1500);
        let parts = parts(&[Element::text(long.clone())], Language::Zh);
        let texts: Vec<&str> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                _ => panic!("a text became something else"),
            })
            .collect();
        assert_eq!(texts.len(), 3);
        assert!(texts.iter().all(|text| text.len() <= 2048));
        assert_eq!(texts.concat(), long);
    }

    #[test]
    fn f07_control_characters_do_not_reach_wechat() {
        let parts = parts(&[Element::text("a\u{0}b\u{b}c\n")], Language::Zh);
        assert_eq!(parts, [Part::Text("abc\n".into())]);
    }

    fn words(json: serde_json::Value) -> Vec<Part> {
        let elements: Vec<Element> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|item| serde_json::from_value(item.clone()).unwrap())
            .collect();
        parts(&elements, Language::En)
    }

    fn text(words: &str) -> Part {
        Part::Text(words.to_owned())
    }

    #[test]
    fn several_elements_keep_their_order() {
        let found = words(serde_json::json!([
            {"MsgType": "TIMTextElem", "MsgContent": {"Text": "see [TUIEmoji_Smile]"}},
            {"MsgType": "TIMImageElem", "MsgContent": {"UUID": "u", "ImageFormat": 1, "ImageInfoArray": [
                {"Type": 3, "URL": "https://c/t.jpg"}, {"Type": 1, "URL": "https://c/o.jpg"}]}},
            {"MsgType": "TIMFileElem", "MsgContent": {"Url": "https://c/f", "FileName": "file:///a/quote.pdf"}},
            {"MsgType": "TIMLocationElem", "MsgContent": {"Desc": "Shenzhen", "Latitude": 22.5, "Longitude": 113.9}},
        ]));
        assert_eq!(found[0], text("see 🙂"));
        let Part::File(Source::Im { shape: Shape::Image, address, .. }, _) = &found[1] else {
            panic!("{found:?}")
        };
        assert_eq!(address, "https://c/o.jpg");
        let Part::File(Source::Im { shape: Shape::File, name, .. }, stands_in) = &found[2] else { panic!() };
        assert_eq!((name.as_str(), stands_in.as_str()), ("quote.pdf", "[file] quote.pdf"));
        let Part::Text(place) = &found[3] else { panic!() };
        assert!(
            place.starts_with("[location] Shenzhen\nhttps://") && place.contains("22.5,113.9"),
            "{place}"
        );
    }

    #[test]
    fn stickers_links_and_forwarded_messages_become_words() {
        let custom = |data: &str, desc: &str| {
            words(
                serde_json::json!([{"MsgType": "TIMCustomElem", "MsgContent": {"Data": data, "Desc": desc}}]),
            )
        };
        let unsupported = vec![Part::Unsupported("TIMCustomElem".to_owned())];
        let kit = r#"{"businessID":"text_link","text":"Our page","link":"https://shop/1"}"#;
        assert_eq!(custom(kit, ""), [text("Our page\nhttps://shop/1")]);
        assert_eq!(
            custom(r#"{"type":"link","url":"https://shop/2"}"#, "[link] title"),
            [text("[link] title\nhttps://shop/2")]
        );
        assert_eq!(custom("opaque", "A coupon"), [text("A coupon")]);
        assert_eq!(custom(r#"{"type":"link","url":"javascript:alert(1)"}"#, ""), unsupported);
        assert_eq!(custom(r#"{"businessID":"av_call","actionType":1}"#, "call"), unsupported);
        assert_eq!(custom("{}", ""), unsupported);
        let face = |index: i64, data: &str| {
            words(
                serde_json::json!([{"MsgType": "TIMFaceElem", "MsgContent": {"Index": index, "Data": data}}]),
            )
        };
        assert_eq!(face(1, "[TUIEmoji_Like]"), [text("👍")]);
        assert_eq!(face(1, "yz00@2x\u{0}"), [text("[yz00@2x]")]);
        assert_eq!(face(7, ""), [text("[sticker 7]")]);
        let relay = serde_json::json!([{"MsgType": "TIMRelayElem", "MsgContent": {"Title": "Chat history", "MsgNum": 2,
            "CompatibleText": "old client", "AbstractList": ["a: hello", "b: world"]}}]);
        assert_eq!(words(relay), [text("Chat history\na: hello\nb: world")]);
        let old = serde_json::json!([{"MsgType": "TIMSoundElem", "MsgContent": {"UUID": "x"}}]);
        assert_eq!(words(old), [Part::Unsupported("TIMSoundElem".to_owned())]);
    }
}
