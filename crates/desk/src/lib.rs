//! The rules of the desk: pure functions and values, no I/O, no async, the clock passed in.
//!
//! Start with [`delivery`]: what a delivery may become and what follows from one try of it. The other
//! modules are one rule each: [`ghost`] (who stands for a customer), [`split`] (how a long text is cut),
//! [`window`] (how many replies are left), [`mailbox`] (how answers that waited go into one reply),
//! [`words`] (what the gateway says to people), [`env`](mod@env) (clock and randomness as arguments).

pub mod codes;
pub mod content;
pub mod delivery;
pub mod env;
pub mod ghost;
mod id;
pub mod mailbox;
mod reason;
pub mod routing;
pub mod split;
pub mod window;
pub mod words;

pub use content::{Content, Shape, Still};
pub use delivery::{DeliveryState, Next, Tried};
pub use env::{Clock, Entropy};
pub use id::Id;
pub use reason::Reason;
pub use words::Language;

/// Milliseconds since 1970-01-01 UTC: every time in the gateway and its database.
pub type Millis = i64;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the customer (WeChat) to the agent (IM).
    In,
    /// From the agent (IM) to the customer (WeChat).
    Out,
}

impl Direction {
    /// The word used in the database, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}
