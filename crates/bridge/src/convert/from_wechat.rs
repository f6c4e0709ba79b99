//! A customer's message as words that an agent can read.

use desk::words::{Kind, kind};
use desk::{Content, Language, Shape};
use wechat::{Message, MessageKind};

use super::map_link;
use crate::media::Source;

/// What a message carries beside its words.
pub(crate) enum Carried {
    /// A file that has to be fetched.
    File(Shape, Source),
    /// What needs no fetching.
    Content(Content),
}

/// What a message carries beside its words, if anything.
pub(crate) fn carried(message: &Message) -> Option<Carried> {
    let file = |shape, media_id: &str, better: Option<&str>, address: Option<&str>, still: Option<&str>| {
        let given =
            |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let source = Source::Wechat {
            shape,
            media_id: media_id.trim().to_owned(),
            better: given(better),
            address: given(address),
            still: given(still),
        };
        Some(Carried::File(shape, source))
    };
    match &message.kind {
        MessageKind::Image { pic_url, media_id } => file(Shape::Image, media_id, None, Some(pic_url), None),
        MessageKind::Voice { media_id, media_id_16k, .. } => {
            file(Shape::Voice, media_id, media_id_16k.as_deref(), None, None)
        }
        MessageKind::Video { media_id, thumb_media_id }
        | MessageKind::ShortVideo { media_id, thumb_media_id } => {
            file(Shape::Video, media_id, None, None, Some(thumb_media_id))
        }
        MessageKind::Location { latitude: Some(latitude), longitude: Some(longitude), label, .. } => {
            let (latitude, longitude) = (*latitude, *longitude);
            Some(Carried::Content(Content::Place { latitude, longitude, name: label.trim().to_owned() }))
        }
        _ => None,
    }
}

/// The kind of message, for the database, and its words.
pub(crate) fn words(message: &Message, language: Language) -> (&'static str, String) {
    let named = |which: Kind, more: &[&str]| {
        let mut text = kind(language, which).to_owned();
        for line in more.iter().filter(|line| !line.trim().is_empty()) {
            let separator = if text.contains('\n') || line.starts_with("http") { '\n' } else { ' ' };
            text.push(separator);
            text.push_str(line.trim());
        }
        text
    };
    match &message.kind {
        MessageKind::Text { content, .. } if content.trim().is_empty() => ("text", "…".to_owned()),
        MessageKind::Text { content, .. } => ("text", content.clone()),
        MessageKind::Image { .. } => ("image", named(Kind::Image, &[])),
        MessageKind::Voice { recognition, .. } => {
            ("voice", named(Kind::Voice, &[recognition.as_deref().unwrap_or_default()]))
        }
        MessageKind::Video { .. } | MessageKind::ShortVideo { .. } => ("video", named(Kind::Video, &[])),
        MessageKind::Location { latitude, longitude, label, .. } => {
            let map = match (latitude, longitude) {
                (Some(lat), Some(lon)) => map_link(*lat, *lon),
                _ => String::new(),
            };
            ("location", named(Kind::Location, &[label, &map]))
        }
        MessageKind::Link { title, description, url } => {
            ("link", named(Kind::Link, &[title, description, url]))
        }
        MessageKind::File { title, .. } => ("file", named(Kind::File, &[title])),
        MessageKind::Unsupported => ("unsupported", named(Kind::Unsupported, &[])),
        MessageKind::Unknown { .. } => ("unknown", named(Kind::Unsupported, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relayed(kind: MessageKind) -> String {
        words(&Message { msg_id: Some(1), msg_data_id: None, idx: None, kind }, Language::En).1
    }

    #[test]
    fn kinds_other_than_text_become_readable_words() {
        let text = |content: &str| MessageKind::Text { content: content.into(), menu_id: None };
        assert_eq!(relayed(text("  two\n lines ")), "  two\n lines ");
        let voice = MessageKind::Voice {
            media_id: "m".into(),
            media_id_16k: None,
            format: "amr".into(),
            recognition: None,
        };
        assert_eq!(relayed(voice), "[voice]");
        let place = MessageKind::Location {
            latitude: Some(31.230416),
            longitude: Some(121.473701),
            scale: None,
            label: "上海市黄浦区人民大道".into(),
        };
        assert_eq!(
            relayed(place),
            "[location] 上海市黄浦区人民大道\nhttps://apis.map.qq.com/uri/v1/marker?marker=coord:31.230416,121.473701&referer=tsunagi"
        );
        let link = MessageKind::Link {
            title: "商品页".into(),
            description: "同款".into(),
            url: "https://shop.example.com/1".into(),
        };
        assert_eq!(relayed(link), "[link] 商品页 同款\nhttps://shop.example.com/1");
    }

    #[test]
    fn f06_an_unknown_kind_is_told_to_the_agent() {
        assert!(
            relayed(MessageKind::Unknown { msg_type: "hologram".into() }).contains("unsupported message")
        );
        assert!(relayed(MessageKind::Unsupported).contains("unsupported message"));
    }

    #[test]
    fn f08_pasted_markup_stays_what_it_is() {
        let pasted = "<xml><FromUserName>evil</FromUserName>]]></xml>";
        assert_eq!(relayed(MessageKind::Text { content: pasted.into(), menu_id: None }), pasted);
    }
}
