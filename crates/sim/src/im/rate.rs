//! Calls per second and command (§1.5): one token bucket each.

use std::collections::HashMap;

/// The buckets of one app.
pub(crate) struct Buckets {
    rate: u32,
    /// What is left in milli-calls, and when it was counted.
    left: HashMap<String, (i64, i64)>,
    started_ms: i64,
}

impl Buckets {
    pub(crate) fn new(rate: u32, now_ms: i64) -> Buckets {
        Buckets { rate, left: HashMap::new(), started_ms: now_ms }
    }

    pub(crate) fn set_rate(&mut self, rate: u32) {
        self.rate = rate;
        self.left.clear();
    }

    /// Whether one more call of `command` may pass now; counts it.
    pub(crate) fn pass(&mut self, command: &str, now_ms: i64) -> bool {
        let full = i64::from(self.rate) * 1000;
        let (left, since) = self.left.entry(command.to_owned()).or_insert((full, self.started_ms));
        let gained = (now_ms - *since).max(0).saturating_mul(i64::from(self.rate));
        *left = left.saturating_add(gained).min(full);
        *since = now_ms;
        if *left < 1000 {
            return false;
        }
        *left -= 1000;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f55_a_bucket_empties_and_fills_again_per_command() {
        let mut buckets = Buckets::new(2, 0);
        let passes: Vec<bool> = (0..3).map(|_| buckets.pass("sendmsg", 0)).collect();
        assert_eq!(passes, [true, true, false]);
        assert!(buckets.pass("account_import", 0), "each command has its own");
        assert!(!buckets.pass("sendmsg", 400));
        assert!(buckets.pass("sendmsg", 500));
        assert!(!buckets.pass("sendmsg", 500));
    }
}
