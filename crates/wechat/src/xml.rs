//! Documents in XML: reading into [`Fields`], and the CDATA that replies are written with. Start at [`parse`].
//!
//! Almost every push is flat: `<xml>` with elements that hold CDATA or plain text. Those are read in `flat.rs`. Everything
//! else goes the long way: roxmltree does the parsing and checks the form, and before it one linear pass over the text bounds
//! nesting, elements and attributes, refuses a DTD, and marks what would make a message unreadable though its meaning is
//! clear: control characters, raw or as references.

use crate::fields::{Fields, Value};
use crate::flat;
use crate::push::ParseError;
use crate::text::{clean, is_clean, is_legal};

/// Deepest nesting accepted; WeChat's own pushes have at most five levels.
pub(crate) const MAX_DEPTH: usize = 32;
/// Most elements accepted in one document.
pub(crate) const MAX_ELEMENTS: usize = 2_000;
/// WeChat sends no attributes at all. Their cost in a parser grows with the square, so a few must do.
const MAX_ATTRIBUTES: usize = 32;

/// Stands for an illegal character while the document is parsed, and is dropped from the values afterwards.
/// Dropping the illegal ones *before* parsing would join what they separate: `]]`, U+0001, `>` in a customer's
/// text would become the end of its CDATA section. This one is a noncharacter that XML allows.
pub(crate) const MARK: char = '\u{FDD0}';

/// Reads a document whose root is `xml`.
pub(crate) fn parse(text: &str) -> Result<Fields, ParseError> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || !is_legal(c));
    flat::read(text).map_or_else(|| parse_any(text), Ok)
}

/// The long way, for a document of any form.
pub(crate) fn parse_any(text: &str) -> Result<Fields, ParseError> {
    let prepared = prepare(text)?;
    let document = roxmltree::Document::parse(&prepared).map_err(|error| {
        // The error's own words can quote the document.
        let at = error.pos();
        ParseError::Xml { row: at.row, column: at.col }
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "xml" {
        return Err(ParseError::Root);
    }
    Ok(fields(root))
}

/// The fields inside an element. Recursion is bounded by [`MAX_DEPTH`].
fn fields(element: roxmltree::Node<'_, '_>) -> Fields {
    let mut found = Fields::new();
    for child in element.children().filter(|n| n.is_element()) {
        let value = if child.children().any(|n| n.is_element()) {
            Value::Nested(fields(child))
        } else {
            let texts = child.children().filter_map(|n| if n.is_text() { n.text() } else { None });
            Value::Text(texts.flat_map(str::chars).filter(|&c| c != MARK).collect())
        };
        found.push(child.tag_name().name(), value);
    }
    found
}

/// What the pass over the document saw last.
#[derive(PartialEq)]
enum Last {
    Open,
    Cdata,
    Other,
}

/// The document without declaration, comments and white space around CDATA, with illegal characters marked,
/// and within the limits.
fn prepare(text: &str) -> Result<String, ParseError> {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut elements, mut attributes) = (0_usize, 0_usize, 0_usize);
    let mut last = Last::Other;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (run, markup) = rest.split_at(at);
        let around_cdata = (last == Last::Open && markup.starts_with("<![CDATA["))
            || (last == Last::Cdata && markup.starts_with("</"));
        if depth > 0 && !(around_cdata && run.trim().is_empty()) {
            push_text(&mut out, run);
        } else if depth == 0 {
            // Outside the root only white space is allowed; a stray NUL there is no reason to lose a message.
            out.extend(run.chars().filter(|&c| is_legal(c)));
        }
        rest = if let Some(literal) = markup.strip_prefix("<![CDATA[") {
            last = Last::Cdata;
            let (literal, after) = literal.split_once("]]>").ok_or(ParseError::Truncated)?;
            out.push_str("<![CDATA[");
            mark(&mut out, literal);
            out.push_str("]]>");
            after
        } else if let Some(comment) = markup.strip_prefix("<!--") {
            comment.split_once("-->").ok_or(ParseError::Truncated)?.1
        } else if markup.starts_with("<!") {
            return Err(ParseError::Doctype);
        } else if let Some(instruction) = markup.strip_prefix("<?") {
            instruction.split_once("?>").ok_or(ParseError::Truncated)?.1
        } else {
            let end = tag_end(markup, &mut attributes)?;
            let (tag, after) = markup.split_at(end);
            last = Last::Other;
            if tag.starts_with("</") {
                depth = depth.saturating_sub(1);
            } else {
                elements += 1;
                if depth == MAX_DEPTH || elements > MAX_ELEMENTS {
                    return Err(ParseError::TooLarge);
                }
                if !tag.ends_with("/>") {
                    depth += 1;
                    last = Last::Open;
                }
            }
            push_text(&mut out, tag);
            after
        };
    }
    out.push_str(rest);
    if depth == 0 { Ok(out) } else { Err(ParseError::Truncated) }
}

/// Where the tag at the start of `markup` ends. A `>` inside quotes does not end it.
fn tag_end(markup: &str, attributes: &mut usize) -> Result<usize, ParseError> {
    let mut quote = None;
    for (at, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => {
                *attributes += 1;
                if *attributes > MAX_ATTRIBUTES {
                    return Err(ParseError::TooLarge);
                }
            }
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    Err(ParseError::Truncated)
}

/// Copies text that is not CDATA, with illegal characters and references to them marked. A reference to half
/// of a surrogate pair becomes U+FFFD.
fn push_text(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("&#") {
        mark(out, &rest[..at]);
        rest = &rest[at..];
        let Some((reference, after)) = rest[2..].split_once(';') else { break };
        let code = match reference.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => reference.parse(),
        };
        match code {
            Ok(code @ 0xD800..=0xDFFF) => {
                debug_assert!(char::from_u32(code).is_none());
                out.push('\u{FFFD}');
            }
            Ok(code) if char::from_u32(code).is_some_and(|c| !is_legal(c)) => out.push(MARK),
            _ => mark(out, &rest[..rest.len() - after.len()]),
        }
        rest = after;
    }
    mark(out, rest);
}

fn mark(out: &mut String, text: &str) {
    if is_clean(text) {
        return out.push_str(text);
    }
    out.extend(text.chars().map(|c| if is_legal(c) { c } else { MARK }));
}

/// Appends `<name>` with `text` as CDATA: illegal characters dropped, `]]>` split over two sections.
pub(crate) fn push_cdata(out: &mut String, name: &str, text: &str) {
    let text = clean(text).replace("]]>", "]]]]><![CDATA[>");
    out.extend(["<", name, "><![CDATA[", &text, "]]></", name, ">"]);
}

/// Appends `<name>` with a number.
pub(crate) fn push_number(out: &mut String, name: &str, number: i64) {
    out.extend(["<", name, ">", &number.to_string(), "</", name, ">"]);
}
