//! Starting and stopping: three listeners, one world.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::SimConfig;
use crate::door::{Cut, Door};
use crate::faults::Faults;
use crate::im::{self, Im};
use crate::journal::Journal;
use crate::wechat::{self, Wechat};
use crate::wire::{self, Wire};
use crate::world::World;
use crate::{client::Control, control, gateway};

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The journal's file could not be opened.
    #[error("cannot open the journal")]
    Journal(#[source] io::Error),
    /// An account's settings make no sense.
    #[error("account {app_id}: {reason}")]
    Account {
        /// The account.
        app_id: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// Both clouds, running. They stop when this is dropped.
pub struct Sim {
    /// WeChat's API: `http://127.0.0.1:port`, instead of `https://api.weixin.qq.com`.
    pub wechat_url: String,
    /// IM's REST API, instead of `https://console.tim.qq.com`.
    pub im_url: String,
    /// Control endpoints and the demo page.
    pub control_url: String,
    world: Arc<World>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts both clouds on loopback.
///
/// # Errors
/// When a port is taken, the journal cannot be opened, or an account in compatible or secure mode has no usable key.
pub async fn start(config: SimConfig) -> Result<Sim, StartError> {
    // reqwest is built without a provider of its own; a second installation is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(StartError::Http)?;
    let journal =
        Journal::open(config.clock.clone(), config.journal.as_deref()).map_err(StartError::Journal)?;
    let (wechat_door, wechat_key) = open(config.bind[0]).await?;
    let (im_door, im_key) = open(config.bind[1]).await?;
    let (control_door, _control_key) = open(config.bind[2]).await?;
    let chance = Chance::new(config.seed.unwrap_or(config.clock.now_ms().unsigned_abs()));
    let world = Arc::new(World {
        wechat: Mutex::new(Wechat::new(
            config.wechat,
            config.push,
            config.clock.now_ms(),
            url(&wechat_door),
        )?),
        im: Mutex::new(Im::new(config.im, config.clock.now_ms(), url(&im_door))),
        wire: Wire::new(config.clock.clone()),
        clock: config.clock,
        chance,
        journal,
        faults: Faults::default(),
        gateway: config.gateway,
        http,
        doors: [wechat_key, im_key],
    });
    let (stop, stopped) = watch::channel(false);
    let mut sim = Sim {
        wechat_url: url(&wechat_door),
        im_url: url(&im_door),
        control_url: url(&control_door),
        world: world.clone(),
        stop,
        tasks: Vec::new(),
    };
    sim.tasks = vec![
        serve(
            wechat_door,
            dated(wechat::router(world.clone()), &world)
                .layer(from_fn_with_state(world.clone(), wire::wechat_api)),
            stopped.clone(),
        ),
        serve(
            im_door,
            dated(im::router(world.clone()), &world).layer(from_fn_with_state(world.clone(), wire::im_api)),
            stopped.clone(),
        ),
        serve(control_door, control::router(world.clone()), stopped),
        tokio::spawn(gateway::watch(world)),
    ];
    Ok(sim)
}

async fn open(address: SocketAddr) -> Result<(Door, crate::door::DoorKey), StartError> {
    Door::bind(address).await.map_err(|source| StartError::Bind { address, source })
}

fn url(door: &Door) -> String {
    format!("http://{}", door.address())
}

/// Answers carry the date of the clouds' own clock.
fn dated(router: Router, world: &Arc<World>) -> Router {
    let clock = world.clock.clone();
    router.layer(axum::middleware::map_response(move |mut answer: axum::response::Response| {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(clock.now_ms().unsigned_abs());
        if let Ok(date) = httpdate::fmt_http_date(now).parse() {
            answer.headers_mut().insert(axum::http::header::DATE, date);
        }
        async { answer }
    }))
}

fn serve(door: Door, router: Router, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<Cut>();
        let stop = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let _ = axum::serve(door, service).with_graceful_shutdown(stop).await;
    })
}

impl Sim {
    /// The remote control of this simulator.
    pub fn control(&self) -> Control {
        Control::new(&self.control_url)
    }

    /// The clock of both clouds; clones move with it.
    pub fn clock(&self) -> Clock {
        self.world.clock.clone()
    }

    /// Stops listening, and waits up to 200 ms for open calls.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let tasks: Vec<_> = self.tasks.drain(..).collect();
        for task in tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout(Duration::from_millis(200), task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}
