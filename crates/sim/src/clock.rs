//! The simulator's clock: real time plus an offset that a test moves forward.
//!
//! Everything that the two clouds stamp, sign or let expire reads this clock, so that 48 hours pass in a test with
//! one call. Socket time-outs (the 5 s of a push, the 2 s of a webhook) stay real time. This is the only file of the
//! crate that reads the system clock.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A shared clock; clones move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    /// Where the offset is also written, for a process that follows this clock.
    file: Option<Arc<PathBuf>>,
}

impl Clock {
    /// A clock that shows real time until [`Clock::advance`] is called.
    pub fn real() -> Clock {
        Clock::default()
    }

    /// The same, whose offset in milliseconds also stands in a file, so that another process can follow it.
    pub fn kept_in(file: PathBuf) -> io::Result<Clock> {
        std::fs::write(&file, "0")?;
        Ok(Clock { file: Some(Arc::new(file)), ..Clock::default() })
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "the simulator owns its clock; every other file takes it from here"
        )]
        let now = SystemTime::now();
        let since_1970 = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        i64::try_from(since_1970).unwrap_or(i64::MAX).saturating_add(self.offset_ms.load(Ordering::SeqCst))
    }

    /// Seconds since 1970.
    pub fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// Moves the clock; negative values move it back. Returns the new time in milliseconds.
    pub fn advance(&self, ms: i64) -> i64 {
        let offset = self.offset_ms.fetch_add(ms, Ordering::SeqCst).saturating_add(ms);
        if let Some(file) = &self.file {
            // A reader sees the old number or the new one, never half of one. A full disk must not stop the clouds.
            let fresh = file.with_extension("new");
            let _ =
                std::fs::write(&fresh, offset.to_string()).and_then(|()| std::fs::rename(&fresh, &**file));
        }
        self.now_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_finds_the_offset_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let clock = Clock::kept_in(file.clone()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0");
        clock.advance(3_600_000);
        clock.advance(-600_000);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "3000000");
    }

    #[test]
    fn clones_move_together() {
        let clock = Clock::real();
        let other = clock.clone();
        let before = other.now_ms();
        clock.advance(48 * 3_600_000);
        assert!(other.now_ms() - before >= 48 * 3_600_000);
        assert_eq!(other.now_s(), other.now_ms() / 1000);
    }
}
