//! Forms with files in them. Read here by hand, because what a client forgot (a file name, an end) must show.

use axum::body::Bytes;

use super::{Call, Refused};

/// One part of a form.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) bytes: Bytes,
}

/// The file of the part `media`: 41005 without one or without its name, 44001 when it is empty.
pub(super) fn file(call: &Call) -> Result<Part, Refused> {
    let part = parts(call)?.into_iter().find(|part| part.name == "media").ok_or(Refused(41005))?;
    if part.file_name.as_ref().is_none_or(String::is_empty) {
        return Err(Refused(41005));
    }
    if part.bytes.is_empty() { Err(Refused(44001)) } else { Ok(part) }
}

/// All parts of the call's body; 41005 when it is no form.
pub(super) fn parts(call: &Call) -> Result<Vec<Part>, Refused> {
    call.posted()?;
    let content_type = call.headers.get("content-type").and_then(|value| value.to_str().ok());
    content_type.and_then(boundary).and_then(|boundary| split(&boundary, &call.body)).ok_or(Refused(41005))
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = rest.split(';').find_map(|pair| pair.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches('"').to_owned()).filter(|boundary| !boundary.is_empty())
}

fn split(boundary: &str, body: &Bytes) -> Option<Vec<Part>> {
    let (opening, delimiter) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let mut at = find(body, opening.as_bytes(), 0).filter(|at| *at == 0 || body[..*at].ends_with(b"\r\n"))?
        + opening.len();
    let mut parts = Vec::new();
    loop {
        if body[at..].starts_with(b"--") {
            return Some(parts);
        }
        if !body[at..].starts_with(b"\r\n") {
            return None;
        }
        let end_of_head = find(body, b"\r\n\r\n", at)?;
        let end = find(body, delimiter.as_bytes(), end_of_head + 2)?;
        let head = std::str::from_utf8(&body[at..end_of_head]).ok()?;
        let start = (end_of_head + 4).min(end);
        parts.push(part(head, body.slice(start..end))?);
        at = end + delimiter.len();
    }
}

fn part(head: &str, bytes: Bytes) -> Option<Part> {
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let get = |name: &str| {
        let mut pairs = disposition.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"').to_owned())
    };
    Some(Part { name: get("name")?, file_name: get("filename"), bytes })
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += body.get(at..)?.iter().position(|byte| *byte == needle[0])?;
        if body[at..].starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"\r\n\
                        Content-Type: image/jpeg\r\n\r\nab\r\n--c\r\n\r\n--b\r\ncontent-disposition: form-data; name=x\
                        \r\n\r\n\r\n--b--\r\n";

    #[test]
    fn parts_end_at_their_boundary_only() {
        let parts = split("b", &Bytes::from_static(FORM.as_bytes())).unwrap();
        let read: Vec<_> =
            parts.iter().map(|p| (p.name.as_str(), p.file_name.as_deref(), &p.bytes[..])).collect();
        assert_eq!(read, [("media", Some("a.jpg"), &b"ab\r\n--c\r\n"[..]), ("x", None, b"")]);
        assert_eq!(boundary("multipart/form-data; boundary=\"b\"").as_deref(), Some("b"));
        assert_eq!(boundary("application/json; boundary=b"), None);
    }

    #[test]
    fn a_form_that_breaks_off_is_none() {
        for end in 0..FORM.len() - 4 {
            assert!(split("b", &Bytes::copy_from_slice(&FORM.as_bytes()[..end])).is_none(), "{end}");
        }
    }
}
