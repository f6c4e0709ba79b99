//! What WeChat pushes: one message or one event. Start at [`Push::parse`].
//!
//! The kinds of messages are in `message.rs`, the events in `event.rs`, the replies in `reply.rs`. An unknown kind of either is a value,
//! never an error, and every field is kept in [`Push::fields`].

use sha2::{Digest, Sha256};

use crate::document;
use crate::event::Event;
use crate::fields::Fields;
use crate::message::Message;

/// A push, opened and parsed.
///
/// Its `Debug` shows what the customer wrote: do not log it.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// `ToUserName`: the account's original id (`gh_…`). Empty where the push has none.
    pub to: String,
    /// `FromUserName`: the customer's openid, or a system sender for job events. Never empty.
    pub from: String,
    /// `CreateTime` in **milliseconds** since 1970, the same on every repeat. WeChat sends seconds; a sender of
    /// milliseconds is recognised. `None` where it is missing or not a number.
    pub create_time: Option<i64>,
    /// The message or the event.
    pub body: PushBody,
    /// Every field of the document, in order, with nested ones kept.
    pub fields: Fields,
}

/// A message or an event.
#[derive(Debug, Clone, PartialEq)]
pub enum PushBody {
    /// Something that the customer sent into the chat.
    Message(Message),
    /// Something that happened.
    Event(Event),
}

/// Why a document is no push. Quotes nothing of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// There is nothing but white space.
    #[error("the document is empty")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("the document is not UTF-8")]
    Encoding,
    /// It begins neither like XML nor like a JSON object.
    #[error("the document is neither XML nor a JSON object")]
    NotADocument,
    /// The XML is not well-formed.
    #[error("the XML is not well-formed at line {row}, column {column} of its cleaned text")]
    Xml {
        /// Line, from 1.
        row: u32,
        /// Column, from 1.
        column: u32,
    },
    /// The JSON is not well-formed.
    #[error("the JSON is not well-formed at line {line}, column {column} of its cleaned text")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The document ends inside a tag, a section or a string.
    #[error("the document is cut short")]
    Truncated,
    /// There is a document type declaration, which no push has.
    #[error("the XML has a document type declaration")]
    Doctype,
    /// More than 1 MiB, 32 levels, 2,000 elements or 32 attributes.
    #[error("the document is too large, too deep or has too many elements")]
    TooLarge,
    /// The root of the XML is not `xml`, or the JSON is not an object.
    #[error("the document's root is not `xml`")]
    Root,
    /// A field without which nothing can be done is missing or empty.
    #[error("the field {0} is missing or empty")]
    Missing(&'static str),
}

impl Push {
    /// Reads a decrypted document, XML or JSON by its first character. A byte order mark and white space before
    /// it are tolerated.
    ///
    /// # Errors
    ///
    /// See [`ParseError`]; of the fields only `FromUserName` and `MsgType` are required.
    pub fn parse(document: &[u8]) -> Result<Push, ParseError> {
        document::read(document).and_then(|(_, fields)| Push::from_fields(fields))
    }

    pub(crate) fn from_fields(fields: Fields) -> Result<Push, ParseError> {
        let required = |name| fields.optional(name).ok_or(ParseError::Missing(name));
        let from = required("FromUserName")?;
        let msg_type = required("MsgType")?;
        let body = if msg_type.eq_ignore_ascii_case("event") {
            PushBody::Event(Event::read(&fields))
        } else {
            PushBody::Message(Message::read(&msg_type, &fields))
        };
        Ok(Push { to: fields.string("ToUserName"), from, create_time: create_time(&fields), body, fields })
    }

    /// The key under which a repeat of this push is recognised. `account` is the caller's own name of the
    /// Official Account, `document` the decrypted document.
    ///
    /// Messages are known by MsgId, account and sender; events, which have no id, by the second, account,
    /// sender, event and what distinguishes events of one second; where even that is missing, by a hash of the
    /// document. The keys of one kind sort by time.
    pub fn dedup_key(&self, account: &str, document: &[u8]) -> String {
        match &self.body {
            PushBody::Message(Message { msg_id: Some(id), .. }) => {
                format!("m:{id:020}:{account}:{}", short(&self.from))
            }
            PushBody::Event(event) if self.create_time.is_some() => {
                let seconds = self.create_time.unwrap_or_default() / 1000;
                let name = event.name().to_lowercase();
                let mut parts = vec![account, &self.from, &name];
                parts.extend(["EventKey", "Ticket", "MsgID"].map(|field| self.fields.token(field)));
                let mut leaves = Vec::new();
                if event.is_told_apart_by_all_fields() {
                    self.fields.leaves(&mut leaves);
                }
                // The event's name is among the parts above, in lower case.
                leaves.retain(|(field, _)| !field.eq_ignore_ascii_case("Event"));
                parts.extend(leaves.into_iter().flat_map(|(field, text)| [field, text.trim()]));
                let hash = fingerprint(parts.into_iter().map(str::as_bytes));
                format!("e:{seconds:012}:{}", &hash[..32])
            }
            _ => format!("h:{}", fingerprint([account.as_bytes(), document])),
        }
    }
}

/// `CreateTime` in milliseconds. 10^11 seconds would be the year 5138, 10^11 milliseconds are 1973.
fn create_time(fields: &Fields) -> Option<i64> {
    match fields.number::<i64>("CreateTime")? {
        seconds @ 1..100_000_000_000 => Some(seconds * 1000),
        millis @ 100_000_000_000..100_000_000_000_000 => Some(millis),
        _ => None,
    }
}

/// An openid has 28 characters. A key must fit into an index, whatever a sender claims to be called.
fn short(from: &str) -> String {
    if from.len() <= 64 && from.bytes().all(|b| b.is_ascii_graphic()) {
        from.to_owned()
    } else {
        fingerprint([from.as_bytes()])
    }
}

/// SHA-256 of the parts, each with its length before it, so that no two lists of parts look alike.
fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}
