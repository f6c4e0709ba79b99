//! Accepts connections and ends them: a bounded number at a time, slow headers cut off, a graceful end.
//!
//! `axum::serve` knows neither a header time-out nor a bound, so this is hyper's HTTP/1 server by hand (F25).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections at a time; the next ones wait in the system's queue.
const CONNECTIONS: usize = 4_096;

/// For the headers of one request, and for the silence between two on one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

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
    pub(crate) async fn bind(address: SocketAddr, router: Router) -> std::io::Result<Listener> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(socket, router, HEADER_TIMEOUT, stopped));
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

async fn accept(
    socket: TcpListener,
    router: Router,
    header_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    // Aborting this task drops the set, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        let (stream, permit) = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            next = next(&socket, &permits) => next,
        };
        while connections.try_join_next().is_some() {}
        // Answers are small and complete; waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // A peer that breaks off or sends no HTTP is its own affair.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(socket);
    graceful.shutdown().await;
}

async fn next(socket: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let Ok(permit) = permits.clone().acquire_owned().await else { return std::future::pending().await };
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return (stream, permit),
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

    async fn start(header_timeout: Duration) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
        let slow = get(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/slow", slow);
        (address, stop, tokio::spawn(accept(socket, router, header_timeout, stopped)))
    }

    #[tokio::test]
    async fn f25_a_peer_that_sends_no_header_is_cut_off() {
        let (address, _stop, _task) = start(Duration::from_millis(200)).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), peer.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection is still open");
    }

    #[tokio::test]
    async fn f68_a_request_under_way_is_answered_and_an_idle_connection_closed() {
        let (address, stop, task) = start(Duration::from_secs(30)).await;
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
