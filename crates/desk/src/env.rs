//! Clock and randomness as values that are handed down from the edge of the process, so that a test, or a
//! demo that follows the simulator's clock, decides what time it is.

use crate::Millis;
use std::fmt;
use std::sync::Arc;

/// Tells the time of the business rules: windows, idle times, time stamps of messages.
///
/// Leases and socket time-outs do not use it; they stay on real time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock that calls `now` each time it is asked.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now(&self) -> Millis {
        (self.0)()
    }

    /// Whole seconds since 1970-01-01 UTC, as both protocols count.
    pub fn now_s(&self) -> i64 {
        self.now().div_euclid(1000)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Fills a buffer with random bytes.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// A source that calls `fill` each time bytes are wanted.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Entropy {
        Entropy(Arc::new(fill))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        (self.0)(&mut out);
        out
    }

    /// A random 32-bit number.
    pub fn u32(&self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}
