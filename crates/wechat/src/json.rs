//! Documents in JSON: reading into [`Fields`]. Start at [`parse`].
//!
//! serde_json does the parsing. Before it, one linear pass bounds nesting and elements, puts numbers into quotes
//! (so that a 20-digit id stays the text that it is), and mends what would lose a whole message over one
//! character: lone surrogates and raw control characters in strings.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::fields::{Fields, Value};
use crate::push::ParseError;
use crate::text::clean;
use crate::xml::{MAX_DEPTH, MAX_ELEMENTS};

/// Reads a document that is one object.
pub(crate) fn parse(text: &str) -> Result<Fields, ParseError> {
    let prepared = prepare(text)?;
    // The error's own words can quote the document.
    let node: Node = serde_json::from_str(&prepared)
        .map_err(|error| ParseError::Json { line: error.line(), column: error.column() })?;
    match node {
        Node::Object(fields) => Ok(fields),
        Node::Text(_) | Node::Array(_) => Err(ParseError::Root),
    }
}

enum Node {
    Text(String),
    Object(Fields),
    Array(Vec<Node>),
}

impl Node {
    /// Adds the value under `name`; each item of an array becomes a field of that name.
    fn push_to(self, fields: &mut Fields, name: &str) {
        match self {
            Node::Text(text) => fields.push(name, Value::Text(text)),
            Node::Object(inner) => fields.push(name, Value::Nested(inner)),
            Node::Array(items) => items.into_iter().for_each(|item| item.push_to(fields, name)),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(clean(text).into_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Text(String::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Fields::new();
        while let Some((name, node)) = map.next_entry::<String, Node>()? {
            node.push_to(&mut fields, &clean(&name));
        }
        Ok(Node::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }
}

/// The document with numbers quoted and strings mended, and within the limits.
fn prepare(text: &str) -> Result<String, ParseError> {
    let mut out = String::with_capacity(text.len() + 64);
    let (mut depth, mut elements) = (0_usize, 0_usize);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '"' => {
                let end = string_end(rest)?;
                mend_string(&mut out, &rest[..end]);
                end
            }
            '-' | '0'..='9' => {
                let number = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
                let end = rest.find(|c| !number(c)).unwrap_or(rest.len());
                out.extend(["\"", &rest[..end], "\""]);
                end
            }
            _ => {
                match c {
                    '{' | '[' => (depth, elements) = (depth + 1, elements + 1),
                    '}' | ']' => depth = depth.saturating_sub(1),
                    ',' => elements += 1,
                    _ => {}
                }
                if depth > MAX_DEPTH || elements > MAX_ELEMENTS {
                    return Err(ParseError::TooLarge);
                }
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[end..];
    }
    Ok(out)
}

/// Where the string at the start of `text` ends, behind its closing quote.
fn string_end(text: &str) -> Result<usize, ParseError> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(ParseError::Truncated)
}

/// Copies a string with its quotes: lone surrogates become `\ufffd`; raw control characters, which JSON
/// forbids, are dropped, or escaped when they are tab, line feed or carriage return.
fn mend_string(out: &mut String, string: &str) {
    let mut rest = string;
    while let Some(c) = rest.chars().next() {
        let mut step = c.len_utf8();
        match c {
            '\\' => {
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
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0'..' ' => {}
            _ => out.push(c),
        }
        rest = &rest[step..];
    }
}

/// The code unit of a `\uXXXX` at the start of `text`.
fn hex_escape(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
}
