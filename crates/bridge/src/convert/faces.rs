//! IM's own emoji, which its UI kits write as names in brackets: as characters that WeChat shows.
//!
//! The names are those of TUIKit's standard set. What is not in the list stays as it was written.

const FACES: &[(&str, &str)] = &[
    ("Smile", "🙂"),
    ("Expect", "🤩"),
    ("Blink", "😉"),
    ("Guffaw", "😆"),
    ("KindSmile", "😊"),
    ("Haha", "😄"),
    ("Cheerful", "😀"),
    ("Smirk", "😏"),
    ("Smirking", "😏"),
    ("Speechless", "😶"),
    ("Amazed", "😲"),
    ("Sorrow", "😔"),
    ("Complacent", "😎"),
    ("Silly", "🤪"),
    ("Lustful", "😍"),
    ("Giggle", "🤭"),
    ("Kiss", "😘"),
    ("Wail", "😭"),
    ("TearsLaugh", "😂"),
    ("Trapped", "😖"),
    ("Mask", "😷"),
    ("Fear", "😨"),
    ("BareTeeth", "😁"),
    ("FlareUp", "😤"),
    ("Yawn", "🥱"),
    ("Tact", "🤗"),
    ("Stareyes", "🤩"),
    ("ShutUp", "🤐"),
    ("Sigh", "😮‍💨"),
    ("Hehe", "😬"),
    ("Silent", "😑"),
    ("Surprised", "😮"),
    ("Askance", "🙄"),
    ("Ok", "👌"),
    ("Shit", "💩"),
    ("Monster", "👹"),
    ("Daemon", "😈"),
    ("Rage", "😡"),
    ("Fool", "🤡"),
    ("Pig", "🐷"),
    ("Cow", "🐮"),
    ("Ai", "👽"),
    ("Skull", "💀"),
    ("Bombs", "💣"),
    ("Coffee", "☕"),
    ("Cake", "🎂"),
    ("Beer", "🍺"),
    ("Flower", "🌹"),
    ("Watermelon", "🍉"),
    ("Rich", "🤑"),
    ("Heart", "❤️"),
    ("Moon", "🌙"),
    ("Sun", "☀️"),
    ("Star", "⭐"),
    ("RedPacket", "🧧"),
    ("Celebrate", "🎉"),
    ("Bless", "福"),
    ("Fortune", "發"),
    ("Convinced", "服"),
    ("Prohibit", "🚫"),
    ("666", "666"),
    ("857", "857"),
    ("Knife", "🔪"),
    ("Like", "👍"),
];

const OPEN: &str = "[TUIEmoji_";

/// The text with the names that are known as characters.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let name = &rest[at + OPEN.len()..];
        let face = name.find(']').and_then(|end| {
            let (_, face) = FACES.iter().find(|(known, _)| *known == &name[..end])?;
            Some((*face, end))
        });
        out.push_str(&rest[..at]);
        rest = match face {
            Some((face, end)) => {
                out.push_str(face);
                &name[end + 1..]
            }
            None => {
                out.push_str(OPEN);
                name
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_brackets_become_characters_and_unknown_ones_stay() {
        assert_eq!(shown("好的[TUIEmoji_Ok][TUIEmoji_Smile]!"), "好的👌🙂!");
        for text in ["[TUIEmoji_Hologram]", "[TUIEmoji_", "[TUIEmoji_Ok", "[Smile]", "", "[[TUIEmoji_]]"] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("[TUIEmoji_[TUIEmoji_Ok]"), "[TUIEmoji_👌");
    }
}
