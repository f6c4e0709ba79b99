//! What a message or a reply must keep to before it is worth sending. Start at [`ContentError`].

use crate::text::clean;

/// Longest text of a passive reply and of a customer-service message, in bytes of UTF-8: about 680 Chinese
/// characters. Measured by several people, not documented; `custom/send` answers 45002 to a longer one.
pub const MAX_TEXT: usize = 2_048;

/// Why WeChat would refuse a message or a reply. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// A required field is empty, also when it had nothing but characters that no chat can show. Named as WeChat
    /// names it.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The text is longer than [`MAX_TEXT`].
    #[error("the text has {0} bytes, more than 2048")]
    TextTooLong(usize),
    /// There are too many articles for the push that is answered.
    #[error("there are {given} articles, and at most {limit} may be sent")]
    Articles {
        /// How many there are.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// Fails when a required text has nothing to show.
pub(crate) fn required(name: &'static str, text: &str) -> Result<(), ContentError> {
    if clean(text).is_empty() { Err(ContentError::Empty(name)) } else { Ok(()) }
}

/// Fails when a text has nothing to show or is too long.
pub(crate) fn text(name: &'static str, text: &str) -> Result<(), ContentError> {
    required(name, text)?;
    match clean(text).len() {
        length if length > MAX_TEXT => Err(ContentError::TextTooLong(length)),
        _ => Ok(()),
    }
}
