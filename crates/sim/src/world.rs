//! What everything in the simulator shares: the clock, chance, the journal, the faults and the two clouds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::door::DoorKey;
use crate::faults::Faults;
use crate::im::Im;
use crate::journal::Journal;
use crate::wechat::Wechat;

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    /// For calls that the clouds make: pushes and webhooks. Follows no redirects.
    pub(crate) http: reqwest::Client,
    pub(crate) wechat: Mutex<Wechat>,
    pub(crate) im: Mutex<Im>,
    /// The listening sockets of WeChat's API and IM's.
    pub(crate) doors: [DoorKey; 2],
}

impl World {
    /// WeChat's state. Never held across an await.
    pub(crate) fn wechat(&self) -> MutexGuard<'_, Wechat> {
        self.wechat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// IM's state. Never held across an await.
    pub(crate) fn im(&self) -> MutexGuard<'_, Im> {
        self.im.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
