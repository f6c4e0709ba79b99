//! Accepts connections and ends them: a bounded number at a time, slow headers cut off, a graceful end.
//!
//! `axum::serve` knows neither a header time-out nor a bound, so this is hyper's HTTP/1 server by hand (F25).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::Server;

/// What connections may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// At a time; the next ones wait in the system's queue.
    connections: usize,
    /// For the headers of one request, and for the silence between two on one connection.
    header_timeout: Duration,
    /// Of all headers of one request together.
    header_bytes: usize,
    /// Whether a connection may carry more than one request.
    keep_alive: bool,
}

impl Limits {
    /// As configured.
    pub(crate) fn of(server: &Server) -> Limits {
        Limits {
            connections: server.connections,
            header_timeout: server.header_timeout,
            header_bytes: server.header_bytes,
            keep_alive: server.keep_alive,
        }
    }
}

#[cfg(test)]
impl Default for Limits {
    fn default() -> Limits {
        let header_timeout = Duration::from_secs(30);
        Limits { connections: 4_096, header_timeout, header_bytes: 16_384, keep_alive: true }
    }
}

/// Who is at the other end of a request's connection: an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// A running listener. Dropped, it ends at once, with every connection.
pub(crate) struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
    beside: Vec<JoinHandle<()>>,
}

impl Listener {
    /// Listens on `address` (port 0: any free one) and answers with `router`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) async fn bind(
        address: SocketAddr,
        router: Router,
        limits: Limits,
    ) -> std::io::Result<Listener> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(socket, router, limits, stopped));
        Ok(Listener { address, stop, accepting: Some(accepting), beside: Vec::new() })
    }

    /// A task that ends with the listener.
    pub(crate) fn beside(mut self, task: JoinHandle<()>) -> Listener {
        self.beside.push(task);
        self
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connection or request, and returns when every request under way is answered. The caller
    /// sets the deadline: dropping this future cuts off what is left.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(accepting) = &mut self.accepting {
            let _ = accepting.await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for task in self.accepting.iter().chain(&self.beside) {
            task.abort();
        }
    }
}

async fn accept(socket: TcpListener, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    // Aborting this task drops the set, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, permit) = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            next = next(&socket, &permits) => next,
        };
        while connections.try_join_next().is_some() {}
        // Answers are small and complete; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.header_bytes)
            .keep_alive(limits.keep_alive)
            .serve_connection(TokioIo::new(stream), service);
        let open = OpenConnection::new(permit);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // A peer that breaks off or sends no HTTP is its own affair.
            let _ = connection.await;
            drop(open);
        });
    }
    drop(socket);
    graceful.shutdown().await;
}

/// A connection's place, counted as long as it is taken.
struct OpenConnection {
    _place: OwnedSemaphorePermit,
}

impl OpenConnection {
    fn new(place: OwnedSemaphorePermit) -> OpenConnection {
        metrics::gauge!("tsunagi_connections").increment(1);
        OpenConnection { _place: place }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics::gauge!("tsunagi_connections").decrement(1);
    }
}

async fn next(socket: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
    let Ok(permit) = permits.clone().acquire_owned().await else { return std::future::pending().await };
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip().to_canonical(), permit),
            Err(error) => {
                // Out of file descriptors, mostly: others have to end before it gets better.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn start(limits: Limits) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/slow", slow);
        (address, stop, tokio::spawn(accept(socket, router, limits, stopped)))
    }

    fn quick() -> Limits {
        Limits { header_timeout: Duration::from_millis(200), ..Limits::default() }
    }

    async fn answer_to(address: SocketAddr, request: &[u8]) -> String {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), peer.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn f25_slow_peers_do_not_keep_others_out() {
        let (address, _stop, _task) = start(Limits { connections: 4, ..quick() }).await;
        let mut slow = Vec::new();
        for _ in 0..12 {
            let mut peer = TcpStream::connect(address).await.unwrap();
            peer.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
            slow.push(tokio::spawn(async move {
                // A byte now and then does not prolong the time.
                while peer.write_all(b"a").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }));
        }
        let begun = std::time::Instant::now();
        let answer = answer_to(address, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        // Three rounds of four are in front of it.
        assert!(begun.elapsed() >= Duration::from_millis(500), "the limit of connections holds");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        for peer in slow {
            peer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn f25_headers_have_a_limit_and_a_connection_may_end_with_its_request() {
        let (address, _stop, _task) =
            start(Limits { header_bytes: 8_192, keep_alive: false, ..Limits::default() }).await;
        let long = format!("GET /slow HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(20_000));
        let answer = answer_to(address, long.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        let short = format!("GET /slow HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(6_000));
        let answer = answer_to(address, short.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }

    #[tokio::test]
    async fn f25_a_peer_that_sends_no_header_is_cut_off() {
        let (address, _stop, _task) = start(quick()).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), peer.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
    }

    #[tokio::test]
    async fn f68_a_request_under_way_is_answered_and_an_idle_connection_closed() {
        let (address, stop, task) = start(Limits::default()).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send_replace(true);
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
        drop(idle);
        assert!(TcpStream::connect(address).await.is_err(), "it does not listen any more");
    }
}
