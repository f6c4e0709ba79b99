//! What happens to a message: every flow as functions and jobs.
//!
//! [`Bridge::push_arrival`] and [`Bridge::webhook_arrival`] say what a verified webhook asks for; the store
//! keeps it. [`Worker`] claims lanes and runs their jobs one after another: `intake.rs` (a push becomes a
//! message), `relay.rs` (a message goes to the agent), `webhook.rs` (an agent's message is taken in),
//! `answer.rs` (it goes to the customer), `window.rs` (how many replies are left), `before.rs` (an answer that cannot go
//! out is refused at once), `act.rs` (taps and scans), `ghosts.rs` (the customer's IM account comes and goes). What cannot
//! go out now waits in the mailbox: `mailbox.rs` (on the lanes), `passive.rs` (in the replies of accounts that may not
//! push), `tend.rs` (what becomes of it). `media/` deals with the files of both ways. `convert/` is the only place that sees
//! both protocols.

mod account;
mod act;
mod answer;
mod arrive;
mod assign;
mod before;
mod breaker;
mod closing;
mod convert;
mod courtesy;
mod erase;
mod ghosts;
mod import;
mod intake;
mod limiter;
mod mailbox;
mod media;
mod notice;
mod operator;
mod passive;
mod pause;
mod presence;
mod recall;
mod reconcile;
mod relay;
mod replay;
mod tend;
mod token;
pub mod trace;
mod webhook;
mod window;
mod worker;

pub use crate::media::{MediaSettings, object_key};
pub use account::{Account, OnUnsubscribe, Patience};
pub use assign::Hours;
pub use erase::{AtIm, EraseError, Erased};
pub use import::{ImportError, ImportWatcher, NotImported};
pub use operator::{OperatorError, Retried, job_id};
pub use passive::{Carried, PassiveAnswer};
pub use reconcile::{Reconciling, Round};
pub use worker::{Timing, Worker};

use crate::media::Library;
use breaker::Breakers;
use courtesy::Courtesies;
use desk::window::Rules;
use desk::{Clock, Entropy};
use limiter::Limiter;
use mailbox::PassiveAccounts;
use pause::Pauses;
use presence::Presence;
use reconcile::Gap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use store::Store;
use token::TokenKeeper;
use tokio::sync::Notify;

/// What an operator may set, beside the accounts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls per second and API that IM takes.
    pub im_rate: u32,
    /// How long jobs and calls may take.
    pub patience: Patience,
    /// How long conversations live and agents may be away.
    pub hours: Hours,
    /// How many replies WeChat allows after what.
    pub rules: Rules,
    /// So long before a window closes the agent of a customer who waits is warned, in milliseconds; 0: never.
    pub warn_before: desk::Millis,
    /// How often IM's history is read.
    pub reconciling: Reconciling,
    /// Files, both ways.
    pub media: MediaSettings,
}

/// What every flow needs: the store, both clients, the accounts, clock and randomness. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    accounts: HashMap<String, Account>,
    im: im::Client,
    im_rate: Limiter,
    /// Of rounds of reconciliation, beside the one for all.
    slow_rate: Limiter,
    im_calls_per_second: u32,
    tokens: TokenKeeper,
    patience: Patience,
    hours: Hours,
    rules: Rules,
    warn_before: desk::Millis,
    /// Before this moment pushes may have been missed.
    pushes_missed: AtomicI64,
    reconciling: Reconciling,
    gap: Gap,
    courtesies: Courtesies,
    presence: Presence,
    pauses: Pauses,
    breakers: Arc<Breakers>,
    passive: PassiveAccounts,
    /// Something was parked: webhooks that are held open may take it along.
    mail: Notify,
    library: Library,
    work: Notify,
}

impl Bridge {
    /// Joins the parts.
    ///
    /// # Errors
    /// The store does not give the key that signs links to media.
    pub async fn new(
        store: Store,
        accounts: Vec<Account>,
        im: im::Client,
        settings: Settings,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Bridge, store::Error> {
        let Settings { im_rate, patience, hours, rules, warn_before, reconciling, media } = settings;
        let pushes_missed = AtomicI64::new(0);
        let library = Library::open(media, &store, &entropy).await?;
        let breakers = Breakers::new(entropy.clone());
        let pauses = Pauses::new(&store);
        let tokens =
            TokenKeeper::new(store.clone(), clock.clone(), &entropy, patience.call, breakers.clone());
        let im_limiter = Limiter::new("im", im_rate, &store, &entropy);
        let slow_rate = Limiter::new("im half", im_rate / 2, &store, &entropy);
        let accounts = accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        let inner = Inner {
            store,
            clock,
            entropy,
            accounts,
            im,
            im_rate: im_limiter,
            slow_rate,
            im_calls_per_second: im_rate,
            tokens,
            patience,
            hours,
            rules,
            warn_before,
            pushes_missed,
            reconciling,
            gap: Gap::default(),
            courtesies: Courtesies::default(),
            presence: Presence::default(),
            pauses,
            breakers,
            passive: PassiveAccounts::default(),
            mail: Notify::new(),
            library,
            work: Notify::new(),
        };
        Ok(Bridge { inner: Arc::new(inner) })
    }

    /// Tells the worker that something was put on a lane.
    pub fn wake(&self) {
        self.inner.work.notify_one();
    }
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bridge")
    }
}
