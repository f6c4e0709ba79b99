//! A body of either format, read into its fields. Start at [`read`].

use crate::fields::Fields;
use crate::push::ParseError;
use crate::text::is_legal;
use crate::{json, xml};

/// Largest document accepted, in bytes. Real pushes are a few KiB.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// The data format of an account, as chosen in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The classic one.
    Xml,
    /// The newer choice.
    Json,
}

/// Reads a document by its first character that is neither white space nor a byte order mark.
pub(crate) fn read(bytes: &[u8]) -> Result<(Format, Fields), ParseError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(ParseError::TooLarge);
    }
    // No other encoding is guessed at: what is not UTF-8 would become mojibake.
    read_text(std::str::from_utf8(bytes).map_err(|_| ParseError::Encoding)?)
}

/// Like [`read`], with U+FFFD for what is not UTF-8: for an envelope, of which only base64 matters.
pub(crate) fn read_lossy(bytes: &[u8]) -> Result<(Format, Fields), ParseError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(ParseError::TooLarge);
    }
    read_text(&String::from_utf8_lossy(bytes))
}

fn read_text(text: &str) -> Result<(Format, Fields), ParseError> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}' || !is_legal(c));
    match text.as_bytes().first() {
        Some(b'<') => Ok((Format::Xml, xml::parse(text)?)),
        Some(b'{') => Ok((Format::Json, json::parse(text)?)),
        Some(_) => Err(ParseError::NotADocument),
        None => Err(ParseError::Empty),
    }
}
