//! One description of a reply, written as XML or as JSON. Start at [`xml`] and [`json`].

use crate::text::clean;
use crate::xml::{push_cdata, push_number};

/// What a field of a reply holds.
pub(super) enum Node<'a> {
    Text(&'a str),
    Number(i64),
    Object(Vec<(&'static str, Node<'a>)>),
    /// Elements called `item` in XML, a plain array in JSON.
    Items(Vec<Vec<(&'static str, Node<'a>)>>),
}

/// The four fields that every reply begins with.
pub(super) fn header<'a>(
    to: &'a str,
    from: &'a str,
    create_time_s: i64,
    msg_type: &'a str,
) -> Vec<(&'static str, Node<'a>)> {
    vec![
        ("ToUserName", Node::Text(to)),
        ("FromUserName", Node::Text(from)),
        ("CreateTime", Node::Number(create_time_s)),
        ("MsgType", Node::Text(msg_type)),
    ]
}

/// Adds the fields that are there.
pub(super) fn optional<'a, const N: usize>(
    into: &mut Vec<(&'static str, Node<'a>)>,
    fields: [(&'static str, &'a Option<String>); N],
) {
    into.extend(fields.into_iter().filter_map(|(name, text)| Some((name, Node::Text(text.as_deref()?)))));
}

/// The fields inside `<xml>`.
pub(super) fn xml(fields: &[(&'static str, Node<'_>)]) -> String {
    let mut out = String::with_capacity(512);
    push_element(&mut out, "xml", fields);
    out
}

fn push_element(out: &mut String, name: &str, fields: &[(&'static str, Node<'_>)]) {
    out.extend(["<", name, ">"]);
    for (name, node) in fields {
        match node {
            Node::Text(text) => push_cdata(out, name, text),
            Node::Number(number) => push_number(out, name, *number),
            Node::Object(fields) => push_element(out, name, fields),
            Node::Items(items) => {
                out.extend(["<", *name, ">"]);
                items.iter().for_each(|item| push_element(out, "item", item));
                out.extend(["</", *name, ">"]);
            }
        }
    }
    out.extend(["</", name, ">"]);
}

/// The fields as an object. Raw UTF-8; the names need no escaping.
pub(super) fn json(fields: &[(&'static str, Node<'_>)]) -> String {
    let mut out = String::with_capacity(512);
    push_object(&mut out, fields);
    out
}

fn push_object(out: &mut String, fields: &[(&'static str, Node<'_>)]) {
    for (at, (name, node)) in fields.iter().enumerate() {
        out.extend([if at == 0 { "{\"" } else { ",\"" }, *name, "\":"]);
        match node {
            Node::Text(text) => out.push_str(&serde_json::Value::from(clean(text)).to_string()),
            Node::Number(number) => out.push_str(&number.to_string()),
            Node::Object(fields) => push_object(out, fields),
            Node::Items(items) => {
                for (at, item) in items.iter().enumerate() {
                    out.push(if at == 0 { '[' } else { ',' });
                    push_object(out, item);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
        }
    }
    out.push_str(if fields.is_empty() { "{}" } else { "}" });
}
