//! What happens to messages when something goes wrong, one file per topic, each case under its F-number.
//!
//! Every test starts the real binary between both simulated clouds. Stories in which the database matters run on
//! every engine ([`on_every_engine`]), the others on SQLite alone. `wire.rs` has requests that a test signs itself,
//! `seen.rs` what a test looks at afterwards.

mod accounts;
mod acts;
mod admin;
mod alarms;
mod answers;
mod console;
mod courtesies;
mod desk;
mod desk_review;
mod forged;
mod ghosts;
mod hostile;
mod kinds;
mod limits;
mod metrics;
mod order;
mod parking;
mod passive;
mod peers;
mod pressure;
mod proxy;
mod reconcile;
mod refusals;
mod relay;
mod repeats;
mod reply_windows;
mod restored;
mod secrets;
mod seen;
mod shutdown;
mod sources;
mod tokens;
mod traces;
mod unclear;
mod unfollow;
mod webhooks;
mod wire;

use crate::support::{Engine, engines};
use futures_util::future::join_all;

/// Plays a story on every engine at once: most of its time is waiting.
async fn on_every_engine<F, S>(story: F)
where
    F: Fn(Engine) -> S,
    S: Future<Output = ()>,
{
    join_all(engines().into_iter().map(story)).await;
}
