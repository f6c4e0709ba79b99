//! The network between two parties, which can be cut, slowed and reset; and the proxy in front of several gateways.
//!
//! Plain TCP on 127.0.0.1: what the parties send is passed on as it is, or not.

use crate::support::free_port;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a line does with what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    /// Connections are reset, and refused from now on.
    Cut,
    /// Nothing is passed on any more, and nobody hears of it: a cable that is out.
    Silent,
    /// So many bytes a second, each way.
    Slow(u32),
    /// A connection is reset when its first request comes, before that is passed on.
    ResetBefore,
    /// A connection is reset after so many bytes of an answer.
    ResetIn(usize),
}

/// One line to one place, which may be moved.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    target: Arc<Mutex<SocketAddr>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    pub(crate) async fn to(target: SocketAddr) -> Link {
        let port = free_port();
        let (mode, watched) = watch::channel(Mode::Open);
        let target = Arc::new(Mutex::new(target));
        let aim = target.clone();
        let listener = listen(port).await;
        let task = tokio::spawn(serve(port, Some(listener), watched, move || *aim.lock().unwrap()));
        Link { port, mode, target, task }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// New connections go elsewhere.
    pub(crate) fn aim(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = target;
    }
}

async fn listen(port: u16) -> TcpListener {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        if socket.bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
            && let Ok(listener) = socket.listen(1024)
        {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn serve(
    port: u16,
    mut listener: Option<TcpListener>,
    mut mode: watch::Receiver<Mode>,
    target: impl Fn() -> SocketAddr,
) {
    let mut lines = JoinSet::new();
    loop {
        if *mode.borrow_and_update() == Mode::Cut {
            lines.abort_all();
            listener = None;
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        if listener.is_none() {
            listener = Some(listen(port).await);
        }
        let Some(open) = &listener else { continue };
        tokio::select! {
            accepted = open.accept() => {
                let Ok((client, _)) = accepted else { continue };
                lines.spawn(carry(client, target(), mode.clone()));
            }
            changed = mode.changed() => if changed.is_err() { return },
            Some(_) = lines.join_next() => {}
        }
    }
}

/// Carries one connection until one side ends it.
async fn carry(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    drop(client.set_nodelay(true));
    let Ok(server) = TcpStream::connect(target).await else { return };
    drop(server.set_nodelay(true));
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let in_order = {
        let mut there = pin!(pump(from_client, &mut to_server, mode.clone(), Way::There));
        let mut back = pin!(pump(from_server, &mut to_client, mode, Way::Back));
        // A half-closed connection goes on; a broken one ends both ways.
        tokio::select! {
            in_order = &mut there => in_order && back.await,
            in_order = &mut back => in_order,
        }
    };
    if !in_order {
        // Reset, not closed, when it is dropped.
        drop(to_client.as_ref().set_zero_linger());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    There,
    Back,
}

/// Tells whether the sender ended in good order.
async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    way: Way,
) -> bool {
    let (mut buffer, mut passed) = (vec![0u8; 16 * 1024], 0);
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return false };
        if read == 0 {
            drop(to.shutdown().await);
            return true;
        }
        while *mode.borrow_and_update() == Mode::Silent {
            if mode.changed().await.is_err() {
                return false;
            }
        }
        let now = *mode.borrow();
        let bytes = match (now, way) {
            (Mode::ResetBefore, Way::There) => return false,
            (Mode::ResetIn(after), Way::Back) => {
                let left = after.saturating_sub(passed).min(read);
                drop(to.write_all(&buffer[..left]).await);
                passed += left;
                if passed >= after {
                    return false;
                }
                continue;
            }
            (Mode::Slow(rate), _) => {
                for piece in buffer[..read].chunks((rate / 20).max(1) as usize) {
                    if to.write_all(piece).await.is_err() {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                continue;
            }
            _ => &buffer[..read],
        };
        passed += read;
        if to.write_all(bytes).await.is_err() {
            return false;
        }
    }
}

/// A reverse proxy before several gateways: each connection goes to the next one that was ready a moment ago.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) port: u16,
    /// Where `/readyz` is answered by one of those that are ready.
    pub(crate) admin_port: u16,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _mode: watch::Sender<Mode>,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How often each gateway is asked, and how long it may take.
const ASKED_EVERY: Duration = Duration::from_millis(100);
const ANSWER_WITHIN: Duration = Duration::from_millis(400);

impl Balancer {
    /// Before gateways at these addresses: webhooks, admin.
    pub(crate) async fn before(gateways: Vec<(SocketAddr, SocketAddr)>) -> Balancer {
        let (port, admin_port) = (free_port(), free_port());
        let ready: Arc<Mutex<Vec<usize>>> = Arc::default();
        let (sender, mode) = watch::channel(Mode::Open);
        let mut tasks = Vec::new();
        for (n, (_, admin)) in gateways.iter().enumerate() {
            tasks.push(tokio::spawn(ask(n, *admin, ready.clone())));
        }
        for admin in [false, true] {
            let (gateways, ready, next) = (gateways.clone(), ready.clone(), AtomicUsize::new(0));
            let choose = move || {
                let ready = ready.lock().unwrap();
                let n = next.fetch_add(1, Ordering::Relaxed);
                let all = gateways.len();
                let chosen = if ready.is_empty() { n % all } else { ready[n % ready.len()] };
                if admin { gateways[chosen].1 } else { gateways[chosen].0 }
            };
            let port = if admin { admin_port } else { port };
            let listener = listen(port).await;
            tasks.push(tokio::spawn(serve(port, Some(listener), mode.clone(), choose)));
        }
        Balancer { port, admin_port, tasks, _mode: sender }
    }
}

async fn ask(n: usize, admin: SocketAddr, ready: Arc<Mutex<Vec<usize>>>) {
    let http = crate::support::http();
    loop {
        let asked = http.get(format!("http://{admin}/readyz")).timeout(ANSWER_WITHIN).send().await;
        let is_ready = asked.is_ok_and(|answer| answer.status() == 200);
        {
            let mut ready = ready.lock().unwrap();
            ready.retain(|other| *other != n);
            if is_ready {
                ready.push(n);
            }
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}
