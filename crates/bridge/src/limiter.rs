//! How fast this process may call: a token bucket per API of Tencent IM.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Calls per second and API.
#[derive(Debug)]
pub(crate) struct Limiter {
    per_second: f64,
    buckets: Mutex<HashMap<&'static str, (f64, Instant)>>,
}

impl Limiter {
    pub(crate) fn new(per_second: u32) -> Limiter {
        Limiter { per_second: f64::from(per_second.max(1)), buckets: Mutex::new(HashMap::new()) }
    }

    /// Waits until a call of `api` may be made.
    pub(crate) async fn wait(&self, api: &'static str) {
        let delay = self.reserve(api, Instant::now());
        metrics::histogram!("tsunagi_rate_wait_seconds", "api" => api).record(delay.as_secs_f64());
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Takes one call from the bucket, on credit if it is empty; tells how long to wait for it.
    fn reserve(&self, api: &'static str, now: Instant) -> Duration {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (tokens, at) = buckets.entry(api).or_insert((self.per_second, now));
        let refilled = *tokens + now.duration_since(*at).as_secs_f64() * self.per_second;
        *tokens = refilled.min(self.per_second) - 1.0;
        *at = now;
        if *tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-*tokens / self.per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f55_a_burst_is_one_second_of_calls_and_then_the_rate_holds() {
        let limiter = Limiter::new(100);
        let now = Instant::now();
        let delays: Vec<_> = (0..300).map(|_| limiter.reserve("sendmsg", now)).collect();
        assert!(delays[..100].iter().all(Duration::is_zero));
        assert_eq!(delays[299].as_millis(), 2000);
        assert!(limiter.reserve("account_import", now).is_zero(), "each API has a bucket of its own");
    }
}
