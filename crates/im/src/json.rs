//! Reading JSON that somebody else wrote. Start at [`parse`].
//!
//! serde_json does the parsing. What would lose a whole message over one character is mended: a byte order mark,
//! bytes that are not UTF-8, lone surrogates and raw control characters in strings. U+0000 is dropped, because
//! no chat shows it and PostgreSQL cannot store it.

use serde_json::{Map, Value};

/// Why a document cannot be read. Never quotes the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// There is nothing but white space.
    Empty,
    /// It is no JSON, is cut short, or is nested too deeply.
    Syntax,
    /// It is JSON, but no object.
    NotObject,
}

/// Reads a document that is one object. Of a repeated key the last one counts.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(JsonError::Empty);
    }
    let mut value = serde_json::from_slice::<Value>(body)
        .or_else(|_| serde_json::from_str(&mend(&String::from_utf8_lossy(body))))
        .map_err(|_| JsonError::Syntax)?;
    drop_nul(&mut value);
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(JsonError::NotObject),
    }
}

/// serde_json limits the depth of what it parses, so the recursion here is bounded.
fn drop_nul(value: &mut Value) {
    match value {
        Value::String(text) => text.retain(|c| c != '\0'),
        Value::Array(items) => items.iter_mut().for_each(drop_nul),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains('\0')) {
                let old = std::mem::take(fields);
                fields.extend(old.into_iter().map(|(key, value)| (key.replace('\0', ""), value)));
            }
            fields.values_mut().for_each(drop_nul);
        }
        _ => {}
    }
}

/// The document with lone surrogates as `\ufffd`, and raw control characters in strings, which JSON forbids,
/// dropped or, when they are tab, line feed or carriage return, escaped.
fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut step = c.len_utf8();
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => {
                // The character after the backslash belongs to the escape, so `\\ud800` is no surrogate.
                step += rest[1..].chars().next().map_or(0, char::len_utf8);
                match hex_escape(rest) {
                    Some(0xD800..=0xDBFF)
                        if matches!(rest.get(6..).and_then(hex_escape), Some(0xDC00..=0xDFFF)) =>
                    {
                        step = 12;
                        out.push_str(&rest[..step]);
                    }
                    Some(0xD800..=0xDFFF) => {
                        step = 6;
                        out.push_str("\\ufffd");
                    }
                    _ => out.push_str(&rest[..step]),
                }
            }
            '\t' if in_string => out.push_str("\\t"),
            '\n' if in_string => out.push_str("\\n"),
            '\r' if in_string => out.push_str("\\r"),
            '\0'..' ' if in_string => {}
            _ => out.push(c),
        }
        rest = &rest[step..];
    }
    out
}

/// The code unit of a `\uXXXX` at the start of `text`.
fn hex_escape(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        parse(json.as_bytes()).unwrap()["a"].as_str().unwrap().to_owned()
    }

    #[test]
    fn f48_strings_are_mended_and_nothing_else() {
        for (json, expected) in [
            (r#"{"a":"\ud800"}"#, "\u{FFFD}"),
            (r#"{"a":"\uDBFF\uDFFF"}"#, "\u{10FFFF}"),
            (r#"{"a":"\ud800\ud800\udc00"}"#, "\u{FFFD}\u{10000}"),
            (r#"{"a":"\ud800x\udc00"}"#, "\u{FFFD}x\u{FFFD}"),
            (r#"{"a":"\\ud800\ud800"}"#, "\\ud800\u{FFFD}"),
            (r#"{"a":"\"\ud800"}"#, "\"\u{FFFD}"),
            (r#"{"a":"x\u0000y\u0000"}"#, "xy"),
            ("{\"a\":\"1\r\n2\t3\u{7}4\"}", "1\r\n2\t34"),
            ("\u{FEFF} {\"a\":\"x\"}\r\n", "x"),
            (r#"{"a":"first","a":"last"}"#, "last"),
        ] {
            assert_eq!(text(json), expected, "{json}");
        }
    }

    #[test]
    fn f48_what_is_broken_outside_strings_stays_broken() {
        for json in [
            "{\"a\":\"x",
            "{\"a\":\"x\\",
            "{\"a\":\"\\ud800",
            "{\"a\":\"\\u00",
            "{\"a\" \u{1}: 1}",
            "{\"a\":1}x",
        ] {
            assert_eq!(parse(json.as_bytes()), Err(JsonError::Syntax), "{json}");
        }
        assert_eq!(parse(b"\xEF\xBB\xBF\n"), Err(JsonError::Empty));
        assert_eq!(parse(b"[{}]"), Err(JsonError::NotObject));
    }

    #[test]
    fn f48_nul_goes_from_keys_and_from_the_depth() {
        let fields = parse(br#"{"a\u0000b":[{"c":"\u0000d","e":[["\u0000"]]}],"f":1}"#).unwrap();
        assert_eq!(Value::Object(fields).to_string(), r#"{"ab":[{"c":"d","e":[[""]]}],"f":1}"#);
    }
}
