//! Reading what clouds write: JSON with lone surrogates and NULs, numbers as strings.

use serde_json::{Map, Value};

/// Parses a JSON object. A lone surrogate (`\ud800`) becomes U+FFFD, a NUL is dropped; bytes that are no
/// UTF-8, and anything that is no object, give `None`.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mended = mend(text);
    match serde_json::from_str(&mended).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// A number, also as a string.
pub(crate) fn number(fields: &Map<String, Value>, name: &str) -> Option<i64> {
    match fields.get(name)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text; a number is taken as its digits.
pub(crate) fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Replaces the escapes that serde_json refuses (lone surrogates) or that no database takes (NUL).
fn mend(text: &str) -> String {
    if !text.contains("\\u") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let unit = escaped_unit(rest);
        let (taken, put): (usize, &str) = match unit {
            None => {
                // Another escape: its two characters stay together.
                let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
                (end, &rest[..end])
            }
            Some(0) => (6, ""),
            Some(0xd800..=0xdbff) => match rest.get(6..).and_then(escaped_unit) {
                Some(0xdc00..=0xdfff) => (12, &rest[..12]),
                _ => (6, "\u{fffd}"),
            },
            Some(0xdc00..=0xdfff) => (6, "\u{fffd}"),
            Some(_) => (6, &rest[..6]),
        };
        out.push_str(put);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

/// The code unit of a `\uXXXX` at the beginning of `text`.
fn escaped_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogates_and_nuls_do_not_lose_the_document() {
        let read = |text: &str| object(text.as_bytes()).unwrap()["t"].as_str().unwrap().to_owned();
        assert_eq!(read(r#"{"t":"a\u0000b"}"#), "ab");
        assert_eq!(read(r#"{"t":"a\ud800b"}"#), "a\u{fffd}b");
        assert_eq!(read(r#"{"t":"\udc00\ud83d\ude00"}"#), "\u{fffd}😀");
        assert_eq!(read(r#"{"t":"\\u0000 \"x\" \n"}"#), "\\u0000 \"x\" \n");
        assert_eq!(read(r#"{"t":"\ud83d"}"#), "\u{fffd}");
        for bad in ["", "[]", "1", "{", "{\"t\":\"\\u12\"}", "{\"t\":\"\\", "\\ué"] {
            assert!(object(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(object(b"{\"t\":\"\xff\"}").is_none());
    }
}
