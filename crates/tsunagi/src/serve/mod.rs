//! `tsunagi serve`: opens the store, joins the rooms, answers webhooks, works until told to stop.
//!
//! Start with [`Gateway::start`]; [`Gateway::stop`] is the graceful end: no new requests, requests under way
//! are answered, lanes end the step that they are in, the store is closed.

mod housekeeping;
mod retention;
mod sources;
mod vitals;
pub(crate) mod wiring;

use crate::admin::{Admin, Readiness};
use crate::config::Config;
use crate::http::{Limits, Listener, Sources, Webhooks};
use crate::traces;
use bridge::{Bridge, Timing, Worker};
use desk::{Clock, Entropy};
use std::net::SocketAddr;
use std::time::Duration;
use store::{Options, Store, Woken};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What `serve` cannot begin with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The store did not open.
    #[error("the store cannot be used: {0}")]
    Store(#[from] store::Error),
    /// An address cannot be listened on.
    #[error("{key} = {address}: {source}")]
    Listen {
        /// The key in the configuration.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A value passed the configuration's checks and was refused later.
    #[error("the configuration cannot be used: {0}")]
    Wiring(String),
}

/// A running gateway.
pub(crate) struct Gateway {
    /// Where webhooks are taken.
    pub(crate) address: SocketAddr,
    /// Where health and metrics are shown.
    pub(crate) admin_address: SocketAddr,
    bridge: Bridge,
    stop: watch::Sender<bool>,
    listener: Listener,
    admin: Listener,
    tasks: Vec<JoinHandle<()>>,
    shutdown_timeout: Duration,
}

impl Gateway {
    /// Starts everything; returns when webhooks are answered.
    pub(crate) async fn start(
        config: &Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Gateway, ServeError> {
        let options = Options {
            exclusive: true,
            connections: config.store.connections,
            ingest_queue: config.store.ingest_queue,
            spool_from: config.store.spool_from,
            ingest_timeout: config.store.ingest_timeout,
            conversation_idle: wiring::millis(config.desk.conversation_idle),
            lease: config.store.lease,
        };
        let store = Store::open(wiring::store_url(config), options, &clock, &entropy).await?;
        let woken = wake(&store, config, &clock).await?;
        let bridge = wiring::bridge(config, store.clone(), clock.clone(), entropy).await?;
        if woken.was_away_for() > REPEATED {
            bridge.missed_a_push();
        }
        bridge.learn_passive().await?;
        let (stop, stopped) = watch::channel(false);
        let readiness = Readiness::default();
        readiness.set("starting", Some("webhooks are not taken yet".into()));
        let admin = Admin::new(readiness.clone());
        let admin =
            admin.listen(config.server.admin_listen, Limits::of(&config.server)).await.map_err(|source| {
                ServeError::Listen { key: "server.admin_listen", address: config.server.admin_listen, source }
            })?;
        let sources = Sources::default();
        let webhooks = Webhooks::new(config, bridge.clone(), clock.clone(), sources.clone())
            .map_err(|error| ServeError::Wiring(error.to_string()))?;
        let listener = webhooks.listen(config.server.listen).await.map_err(|source| ServeError::Listen {
            key: "server.listen",
            address: config.server.listen,
            source,
        })?;
        if config.server.public_url.is_none() {
            offer_files(&bridge, listener.address());
        }
        let timing = Timing { lease: config.store.lease, poll: config.jobs.poll, lanes: config.jobs.lanes };
        for account in &config.accounts {
            crate::metrics::begin_account(&account.id);
        }
        readiness.set("starting", None);
        let tasks = vec![
            tokio::spawn(Worker::new(bridge.clone(), timing).run(stopped.clone())),
            tokio::spawn(housekeeping::agents(bridge.clone(), stopped.clone())),
            tokio::spawn(housekeeping::desk(bridge.clone(), config.desk.agent_poll, stopped.clone())),
            tokio::spawn(housekeeping::close_idle(bridge.clone(), config.desk.agent_poll, stopped.clone())),
            tokio::spawn(housekeeping::windows(bridge.clone(), config.desk.agent_poll, stopped.clone())),
            tokio::spawn(housekeeping::follow_clock(
                store.clone(),
                clock.clone(),
                config.accounts.iter().map(|account| account.id.clone()).collect(),
                stopped.clone(),
            )),
            tokio::spawn(housekeeping::mailbox(bridge.clone(), stopped.clone())),
            tokio::spawn(housekeeping::courtesies(bridge.clone(), stopped.clone())),
            tokio::spawn(housekeeping::reconcile(
                bridge.clone(),
                config.desk.reconcile_every,
                stopped.clone(),
            )),
            tokio::spawn(housekeeping::watch_store(store.clone(), readiness, stopped.clone())),
            tokio::spawn(sources::keep(
                bridge.clone(),
                config.accounts.iter().filter(|of| of.callback_ips).map(|of| of.id.clone()).collect(),
                sources,
                stopped.clone(),
            )),
            tokio::spawn(vitals::compare_nodes(
                store.clone(),
                clock.clone(),
                vitals::fingerprint(config),
                stopped.clone(),
            )),
            tokio::spawn(vitals::watch_vitals(
                store.clone(),
                clock.clone(),
                vitals::names(config),
                stopped.clone(),
            )),
            tokio::spawn(housekeeping::late_media(bridge.clone(), stopped.clone())),
            tokio::spawn(retention::Purge::new(config).run_media(
                bridge.clone(),
                clock.clone(),
                stopped.clone(),
            )),
            tokio::spawn(retention::Purge::new(config).run(store.clone(), clock.clone(), stopped.clone())),
            tokio::spawn(housekeeping::purge(store, clock, stopped)),
        ];
        let gateway = Gateway {
            address: listener.address(),
            admin_address: admin.address(),
            bridge,
            stop,
            listener,
            admin,
            tasks,
            shutdown_timeout: config.server.shutdown_timeout,
        };
        let engine = gateway.bridge.store().engine();
        tracing::info!(listen = %gateway.address, admin = %gateway.admin_address, engine, "serving");
        Ok(gateway)
    }

    /// Ends gracefully, within the configured time.
    pub(crate) async fn stop(self) {
        let end = async {
            // First the requests: each is answered after its commit. Whoever takes long to read a file is cut off, so that
            // jobs have their time, too.
            let requests = self.shutdown_timeout / 3;
            let _ = tokio::time::timeout(requests, self.listener.stop()).await;
            let _ = self.stop.send(true);
            self.bridge.wake();
            for task in self.tasks {
                let _ = task.await;
            }
            self.admin.stop().await;
            self.bridge.store().close().await;
        };
        if tokio::time::timeout(self.shutdown_timeout, end).await.is_err() {
            tracing::warn!("not everything ended in time; what was left is taken up at the next start");
        } else {
            tracing::info!("stopped");
        }
    }
}

/// For so many milliseconds WeChat goes on offering a push that nobody took.
const REPEATED: i64 = 8_000;

/// Finds out whether the database is an older copy, and says so.
async fn wake(store: &Store, config: &Config, clock: &Clock) -> Result<Woken, ServeError> {
    let doubt_after = wiring::millis(config.desk.reconcile_max_age);
    let woken = store.wake(clock.now(), doubt_after).await?;
    let why = match woken {
        Woken::New | Woken::AsLeft(_) => return Ok(woken),
        Woken::Restored => "its mark, or the server's, is that of a newer state".to_owned(),
        Woken::InDoubt(silent) => {
            format!(
                "it was silent for {} minutes, and nothing shows that it is the newest state",
                silent / 60_000
            )
        }
    };
    metrics::counter!("tsunagi_alarms_total", "what" => "store_restored").increment(1);
    tracing::error!(
        why,
        "the database counts as restored from a backup: what waited in it, and what agents said before now, is not sent on our own; they are told"
    );
    Ok(woken)
}

/// Without a public address: on this machine itself, links that begin with the listener's own are as good.
fn offer_files(bridge: &Bridge, listener: SocketAddr) {
    if listener.ip().is_loopback() {
        bridge.set_public_url(&format!("http://{listener}"));
    } else {
        tracing::warn!("server.public_url is not set: pictures, voices and files are told in words only");
    }
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: &Config, clock: Clock, entropy: Entropy) -> Result<(), ServeError> {
    let traces =
        traces::start(&config.trace).map_err(|why| ServeError::Wiring(format!("trace.endpoint: {why}")))?;
    let gateway = Gateway::start(config, clock, entropy).await?;
    told_to_stop().await;
    gateway.stop().await;
    traces.stop().await;
    Ok(())
}

/// Waits for the signal to stop.
pub(crate) async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard");
            return;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
