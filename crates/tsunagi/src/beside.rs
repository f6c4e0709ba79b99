//! The store for commands that work beside a gateway: nothing is migrated under its feet.

use crate::cli::Failure;
use crate::config::Config;
use crate::serve::wiring;
use desk::{Clock, Entropy};
use secrecy::ExposeSecret;
use store::{Options, Store};

/// Opens the store of `config`. Without tables it is made ready only if `make` says so.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(crate) async fn open(
    config: &Config,
    make: bool,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<Store, Failure> {
    let url = config.store.url.expose_secret();
    let found = store::inspect(url)
        .await
        .map_err(|trouble| Failure::new(trouble, "`tsunagi check` says more about the database"))?;
    match found.schema {
        None if !make => {
            return Err(Failure::new(
                "there is no gateway's database yet",
                "check store.url in the configuration; `tsunagi serve` makes the database",
            ));
        }
        Some(schema) if schema < found.newest && found.served => {
            return Err(Failure::new(
                format!(
                    "a gateway of an earlier version runs on the database (schema {schema}, this one has {})",
                    found.newest
                ),
                "use the tsunagi of that version, or upgrade the gateway first",
            ));
        }
        _ => {}
    }
    // What decides over conversations is the same as in `serve`.
    let conversation_idle = wiring::millis(config.desk.conversation_idle);
    let options = Options { connections: 4, conversation_idle, ..Options::default() };
    Store::open(url, options, clock, entropy)
        .await
        .map_err(|error| Failure::new(error, "`tsunagi check` says more about the database"))
}
