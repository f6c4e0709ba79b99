//! Ids: text, sortable by the millisecond in which they were made.

use crate::{Clock, Entropy};
use std::fmt;
use std::marker::PhantomData;

/// An id of one kind of row (`Id<Message>`, `Id<Delivery>`, …): 32 hex digits of a version 7 UUID.
///
/// Inside one millisecond the order of ids is random; where order matters, a lane's positions tell it.
pub struct Id<T> {
    text: String,
    kind: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// A new id for this moment.
    pub fn new(clock: &Clock, entropy: &Entropy) -> Id<T> {
        let millis = u64::try_from(clock.now()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &entropy.bytes()).into_uuid();
        Id::from_text(id.simple().to_string())
    }

    /// An id read back from the database.
    pub fn from_text(text: impl Into<String>) -> Id<T> {
        Id { text: text.into(), kind: PhantomData }
    }

    /// The id as it is stored and logged.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        Id::from_text(self.text.clone())
    }
}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_millisecond() {
        let entropy = Entropy::new(|buffer| buffer.fill(0xff));
        let early: Id<()> = Id::new(&Clock::new(|| 1_000), &entropy);
        let entropy = Entropy::new(|buffer| buffer.fill(0));
        let late: Id<()> = Id::new(&Clock::new(|| 1_001), &entropy);
        assert!(early.as_str() < late.as_str());
        assert_eq!(late.as_str().len(), 32);
    }
}
