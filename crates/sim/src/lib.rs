//! Both clouds on localhost, with their limits and their faults, a phone page and an agent page.
//!
//! [`start`] opens three listeners on loopback: WeChat's API, Tencent Cloud IM's REST API, and the control endpoints
//! with the demo page. The gateway under test talks to the first two over plain HTTP, as it would to the real ones, and
//! is pushed to at its webhook addresses. [`Control`] is the remote control for tests.
//!
//! Where to read on: `wechat/` and `im/` are the clouds, after `protocol/` (README.md of this crate goes through the two
//! checklists item by item); `faults.rs` and `serve.rs` break them; `journal.rs` remembers what happened, `wire/` how it looked on the wire; `control/`
//! is what a test or the page may do to them.

mod chance;
mod client;
mod clock;
mod config;
mod control;
mod door;
mod faults;
mod gateway;
mod im;
mod journal;
mod page;
mod serve;
mod start;
mod wechat;
mod wire;
mod world;

pub use client::{Chat, ChatMessage, Control, ControlError, Line};
pub use clock::Clock;
pub use config::{Format, ImConfig, Mode, PushConfig, SimConfig, WechatAccountConfig};
pub use faults::{Fault, Kind, TARGETS};
pub use gateway::{GatewayHandle, GatewayOrder, GatewayState};
pub use start::{Sim, StartError, start};
pub use wechat::{AccountKind, AccountRules, CallLimit, FAILURE_LINE, MenuMessage, Report, WindowRule};

/// How many replies a customer's actions allow, as the simulated WeChat counts them.
pub mod windows {
    pub use crate::wechat::{Action, Closed, WindowRule, Windows};
}
