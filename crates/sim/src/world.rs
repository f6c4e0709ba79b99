//! What everything in the simulator shares: the clock, chance, the journal, the faults and the two clouds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::door::DoorKey;
use crate::faults::Faults;
use crate::gateway::GatewayHandle;
use crate::im::Im;
use crate::journal::Journal;
use crate::wechat::Wechat;
use crate::wire::{Party, Wire};

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) journal: Journal,
    pub(crate) wire: Wire,
    pub(crate) faults: Faults,
    /// The gateway's process, where the page may kill it and start it again.
    pub(crate) gateway: Option<GatewayHandle>,
    /// For calls that the clouds make: pushes and webhooks. Follows no redirects.
    pub(crate) http: reqwest::Client,
    pub(crate) wechat: Mutex<Wechat>,
    pub(crate) im: Mutex<Im>,
    /// The listening sockets of WeChat's API and IM's.
    pub(crate) doors: [DoorKey; 2],
}

impl World {
    /// A customer sees something in her chat.
    pub(crate) fn customer_sees(&self, what: Value) {
        let text = |name: &str| what[name].as_str().unwrap_or_default();
        self.wire.shown(Party::Wechat, Party::Customer, text("via"), text("openid"), text("text"), &what);
        self.journal.write("wechat", "delivered", what);
    }

    /// A message stands in the chats of both sides. What came by the REST API, an agent's client shows as new.
    pub(crate) fn chat_gets(&self, what: Value) {
        let text = |name: &str| what[name].as_str().unwrap_or_default();
        if text("platform") == "RESTAPI" {
            self.wire.shown(Party::Im, Party::Agent, "message", text("from"), text("text"), &what);
        }
        self.journal.write("im", "delivered", what);
    }

    /// WeChat's state. Never held across an await.
    pub(crate) fn wechat(&self) -> MutexGuard<'_, Wechat> {
        self.wechat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// IM's state. Never held across an await.
    pub(crate) fn im(&self) -> MutexGuard<'_, Im> {
        self.im.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
