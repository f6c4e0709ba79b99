//! The short way through a push in XML: flat, every element holding one CDATA section or plain text. Start at [`read`].
//!
//! What is read here is what the long way in `xml.rs` reads, at a tenth of its cost; whatever has any other form is left to
//! that.

use memchr::{memchr, memchr2};

use crate::fields::{Fields, Value};
use crate::text::is_clean;
use crate::xml::MARK;

/// WeChat's own pushes have about ten.
const MAX_FIELDS: usize = 64;

/// The fields of a document without white space around it; `None` where it is not flat, or anything in it needs a closer look.
pub(crate) fn read(text: &str) -> Option<Fields> {
    // A parser of XML makes line feeds of carriage returns, and the long way drops its mark.
    if memchr(b'\r', text.as_bytes()).is_some() || !is_clean(text) || has_mark(text) {
        return None;
    }
    let mut rest = text.strip_prefix("<xml>")?;
    let mut fields = Fields::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest == "</xml>" {
            return Some(fields);
        }
        if fields.len() == MAX_FIELDS {
            return None;
        }
        let (name, inside) = rest.strip_prefix('<')?.split_at_checked(name_length(&rest[1..]))?;
        let (value, after) = value(inside.strip_prefix('>')?)?;
        rest = after.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        fields.push(name, Value::Text(value.to_owned()));
    }
}

fn has_mark(text: &str) -> bool {
    let mut bytes = [0; 4];
    let mark = MARK.encode_utf8(&mut bytes);
    memchr(mark.as_bytes()[0], text.as_bytes()).is_some() && text.contains(MARK)
}

/// Names of one letter and more, of letters and digits alone: nothing here has a namespace or an attribute.
fn name_length(text: &str) -> usize {
    match text.bytes().position(|byte| !byte.is_ascii_alphanumeric()) {
        Some(length) if text.as_bytes()[0].is_ascii_alphabetic() => length,
        // No element has such a name, and what follows is no end of one.
        _ => text.len(),
    }
}

/// What an element holds, and what comes after it.
fn value(text: &str) -> Option<(&str, &str)> {
    if let Some(literal) = text.strip_prefix("<![CDATA[") {
        let mut from = 0;
        loop {
            let at = from + memchr(b']', &literal.as_bytes()[from..])?;
            match literal[at..].strip_prefix("]]>") {
                Some(after) => return Some((&literal[..at], after)),
                None => from = at + 1,
            }
        }
    }
    // A reference would have to be resolved, and a bracket may be one end of a section without the other.
    let end = memchr2(b'<', b'&', text.as_bytes())?;
    let (value, after) = text.split_at(end);
    (memchr(b']', value.as_bytes()).is_none()).then_some((value, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse_any;
    use proptest::prelude::*;

    fn read_by(document: &str) -> &'static str {
        match read(document) {
            Some(fields) => {
                assert_eq!(Some(fields), parse_any(document).ok(), "{document}");
                "the short way"
            }
            None => "the long way",
        }
    }

    #[test]
    fn what_wechat_sends_takes_the_short_way() {
        for document in [
            "<xml></xml>",
            "<xml><A><![CDATA[1]]></A><A>2</A>\n <Bc9></Bc9></xml>",
            "<xml><A><![CDATA[]]></A></xml>",
            "<xml><A><![CDATA[a]]b]>c<&amp;\u{7f}，。😀 ]]]></A></xml>",
            "<xml>\n  <A> 1 </A>\n  <B>\n</B>\n</xml>",
        ] {
            assert_eq!(read_by(document), "the short way", "{document}");
        }
    }

    #[test]
    fn everything_else_takes_the_long_way() {
        for document in [
            "",
            "<xml>",
            "<xml/>",
            "<xml></xml> ",
            "<XML></XML>",
            "<xml><A>1</B></xml>",
            "<xml><A>1</A>",
            "<xml><A>1</A>x</xml>",
            "<xml><A><B>1</B></A></xml>",
            "<xml><A b='c'>1</A></xml>",
            "<xml><A/></xml>",
            "<xml><a:b>1</a:b></xml>",
            "<xml><1>1</1></xml>",
            "<xml><></></xml>",
            "<xml><A>1&lt;</A></xml>",
            "<xml><A>]]></A></xml>",
            "<xml><A> <![CDATA[1]]></A></xml>",
            "<xml><A><![CDATA[1]]> </A></xml>",
            "<xml><A><![CDATA[1]]><![CDATA[2]]></A></xml>",
            "<xml><A><![CDATA[1]]</A></xml>",
            "<xml><A><![CDATA[1\r\n]]></A></xml>",
            "<xml><A><![CDATA[1\u{1}]]></A></xml>",
            "<xml><A><![CDATA[1\u{ffff}]]></A></xml>",
            "<xml><A><![CDATA[1\u{fdd0}]]></A></xml>",
            "<xml><!-- --><A>1</A></xml>",
            "<xml><é>1</é></xml>",
        ] {
            assert_eq!(read_by(document), "the long way", "{document}");
        }
        let many: String = (0..=MAX_FIELDS).map(|_| "<A>1</A>").collect();
        assert_eq!(read_by(&format!("<xml>{many}</xml>")), "the long way");
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(
            parts in proptest::collection::vec(
                prop_oneof![
                    3 => "<[A-Za-z0-9:é]{0,3}>", 3 => "</[AB]>", 3 => "<[AB]>",
                    2 => Just("<![CDATA[".to_owned()), 2 => Just("]]>".to_owned()),
                    2 => "[ \\n\\ra1你\u{1}\u{fdd0}\u{ffff}&;\\]<>]{0,3}", 1 => Just("&lt;".to_owned()),
                    3 => "<A>[a-z]{0,3}</A>", 3 => "<B><!\\[CDATA\\[[a-z<&\\]]{0,4}\\]\\]></B>",
                ],
                0..8,
            )
        ) {
            read_by(&format!("<xml>{}</xml>", parts.concat()));
        }
    }
}
