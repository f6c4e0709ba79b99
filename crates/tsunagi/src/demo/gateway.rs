//! The demo's gateway: a process of its own, `serve` of this same program, so that it can really be killed and started
//! again. What it keeps is in the demo's folder and survives.

use crate::cli::Failure;
use sim::{GatewayHandle, GatewayOrder, GatewayState};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What is needed to start the process, as often as wanted.
pub(super) struct Recipe {
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The file in which the clouds' clock is kept.
    pub(super) clock: PathBuf,
    /// Where the process says what it does; `None`: to this process's stdout.
    pub(super) log: Option<PathBuf>,
    /// The admin listener.
    pub(super) admin: String,
}

/// Carries out what the page asks for.
pub(super) struct Keeper {
    recipe: Recipe,
    child: Option<Child>,
    /// Held apart from the child, whose `wait` would close it.
    leash: Option<ChildStdin>,
    orders: mpsc::Receiver<GatewayOrder>,
    state: watch::Sender<GatewayState>,
}

impl Keeper {
    pub(super) fn new(recipe: Recipe) -> (Keeper, GatewayHandle) {
        let (send, orders) = mpsc::channel(4);
        let state = watch::Sender::new(GatewayState::default());
        let handle = GatewayHandle { orders: send, state: state.subscribe() };
        (Keeper { recipe, child: None, leash: None, orders, state }, handle)
    }

    /// Starts the process and waits until it is ready.
    pub(super) async fn start(&mut self) -> Result<(), Failure> {
        let log = || -> std::io::Result<Stdio> {
            match &self.recipe.log {
                Some(path) => Ok(std::fs::OpenOptions::new().create(true).append(true).open(path)?.into()),
                None => Ok(Stdio::inherit()),
            }
        };
        let program = std::env::current_exe();
        let spawned = program.and_then(|program| {
            let mut command = Command::new(program);
            command.arg("serve").arg("--config").arg(&self.recipe.config);
            command.arg("--demo-clock").arg(&self.recipe.clock);
            // What the caller's environment says about another gateway is not for this one.
            let others = std::env::vars_os().map(|(name, _)| name);
            for name in others.filter(|name| name.to_string_lossy().starts_with("TSUNAGI__")) {
                command.env_remove(name);
            }
            // The pipe ends with this process, however that ends; the gateway goes with it.
            command.stdin(Stdio::piped()).stdout(log()?).stderr(log()?).kill_on_drop(true).spawn()
        });
        let mut child =
            spawned.map_err(|error| Failure::new(format!("the gateway does not start: {error}"), ""))?;
        let pid = child.id();
        self.leash = child.stdin.take();
        self.child = Some(child);
        self.state.send_replace(GatewayState { running: true, ready: false, pid });
        let begun = Instant::now();
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| Failure::new(error, ""))?;
        loop {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                self.gone();
                return Err(Failure::new(format!("the gateway ended ({status})\n{}", self.last_words()), ""));
            }
            let asked = http.get(format!("{}/readyz", self.recipe.admin)).timeout(Duration::from_secs(1));
            if asked.send().await.is_ok_and(|answer| answer.status() == 200) {
                self.state.send_modify(|state| state.ready = true);
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let words = format!("the gateway does not become ready\n{}", self.last_words());
                return Err(Failure::new(words, "run `tsunagi demo --verbose` to see what it says"));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Carries out orders until this is dropped or nobody can give any more.
    pub(super) async fn obey(&mut self) {
        loop {
            let order = match &mut self.child {
                None => self.orders.recv().await,
                Some(child) => tokio::select! {
                    order = self.orders.recv() => order,
                    // Died by itself, or was killed by somebody else.
                    _ = child.wait() => {
                        self.gone();
                        continue;
                    }
                },
            };
            match order {
                None => return,
                Some(GatewayOrder::Kill) => self.kill().await,
                Some(GatewayOrder::Start) if self.child.is_none() => {
                    // What does not start is seen on the page as not running; its log says why.
                    if self.start().await.is_err() {
                        self.kill().await;
                    }
                }
                Some(GatewayOrder::Start) => {}
            }
        }
    }

    async fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // SIGKILL: it has no chance to put anything in order.
            let _ = child.kill().await;
        }
        self.gone();
    }

    fn gone(&mut self) {
        (self.child, self.leash) = (None, None);
        self.state.send_replace(GatewayState::default());
    }

    /// Ends it gracefully, as SIGTERM does.
    pub(super) async fn stop(mut self) {
        if let Some(mut child) = self.child.take() {
            drop(self.leash.take());
            let _ = tokio::time::timeout(Duration::from_secs(10), child.wait()).await;
        }
    }

    fn last_words(&self) -> String {
        let log = self.recipe.log.as_deref().map(tail).unwrap_or_default();
        log.trim_end().to_owned()
    }
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
