//! The simulator's randomness: nonces, tokens, `MsgRandom` and the like, from one seed.
//!
//! SplitMix64, because nothing here guards a secret of value and a run can be repeated from its seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// A shared source of numbers.
#[derive(Debug)]
pub(crate) struct Chance {
    state: AtomicU64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance { state: AtomicU64::new(seed) }
    }

    pub(crate) fn u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn u32(&self) -> u32 {
        (self.u64() >> 32) as u32
    }

    /// A decimal nonce, as WeChat sends them.
    pub(crate) fn nonce(&self) -> String {
        (1_000_000_000 + self.u64() % 1_000_000_000).to_string()
    }

    /// `n` characters of `0-9a-f`.
    pub(crate) fn hex(&self, n: usize) -> String {
        let mut text = String::with_capacity(n + 16);
        while text.len() < n {
            text.push_str(&format!("{:016x}", self.u64()));
        }
        text.truncate(n);
        text
    }

    /// 16 printable bytes, as WeChat puts them before an encrypted message.
    pub(crate) fn prefix16(&self) -> [u8; 16] {
        let text = self.hex(16);
        let mut out = [0; 16];
        out.copy_from_slice(text.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (a, b) = (Chance::new(7), Chance::new(7));
        assert_eq!((a.u64(), a.hex(20), a.nonce()), (b.u64(), b.hex(20), b.nonce()));
        assert_eq!(a.hex(33).len(), 33);
        assert_eq!(a.nonce().len(), 10);
    }
}
