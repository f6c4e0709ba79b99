//! The gateway's process, as far as the page may touch it: `kill -9` and a fresh start.
//!
//! The simulator knows no gateway. Whoever started one (`tsunagi demo`) may hand a [`GatewayHandle`] over and carries
//! the orders out; what becomes of the process is marked on the wire.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::wire::Party;
use crate::world::World;

/// What the page asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayOrder {
    /// Kill it, as `kill -9` does.
    Kill,
    /// Start it again.
    Start,
}

/// How the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GatewayState {
    /// Whether there is a process.
    pub running: bool,
    /// Whether it says that it is ready (`/readyz`).
    pub ready: bool,
    /// Its process id.
    pub pid: Option<u32>,
}

/// Both ends of the talk about the process.
#[derive(Clone, Debug)]
pub struct GatewayHandle {
    /// Where orders go.
    pub orders: mpsc::Sender<GatewayOrder>,
    /// What is known of the process.
    pub state: watch::Receiver<GatewayState>,
}

/// Marks on the wire what becomes of the process.
pub(crate) async fn watch(world: Arc<World>) {
    let Some(mut state) = world.gateway.as_ref().map(|gateway| gateway.state.clone()) else { return };
    let mut before = *state.borrow_and_update();
    while state.changed().await.is_ok() {
        let now = *state.borrow_and_update();
        let pid = now.pid.or(before.pid).map(|pid| pid.to_string()).unwrap_or_default();
        match (before, now) {
            (GatewayState { running: true, .. }, GatewayState { running: false, .. }) => {
                world.wire.mark(Party::Gateway, "killed", &pid);
            }
            (GatewayState { ready: false, .. }, GatewayState { ready: true, .. }) => {
                world.wire.mark(Party::Gateway, "ready", &pid);
            }
            _ => {}
        }
        before = now;
    }
}
