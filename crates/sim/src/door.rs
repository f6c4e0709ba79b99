//! Listening sockets that can be closed for a while, and connections that can be cut.
//!
//! [`Door`] is the listener: while it is shut the port stays reserved but is not listened on, so that a client gets a
//! real "connection refused". [`Cut`] belongs to one connection: after [`Cut::cut`] every read and write of it fails,
//! hyper gives the connection up, and the client sees it end without a single byte of an answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// Cuts one connection, and knows who made it; handlers get it as `ConnectInfo<Cut>`.
#[derive(Clone, Debug)]
pub(crate) struct Cut(Arc<CutState>, IpAddr);

#[derive(Debug, Default)]
struct CutState {
    cut: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Cut {
    pub(crate) fn cut(&self) {
        self.0.cut();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::SeqCst)
    }

    /// The caller's address.
    pub(crate) fn peer(&self) -> IpAddr {
        self.1
    }
}

impl CutState {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        if let Some(waker) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Door>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Cut {
        Cut(stream.io().cut.clone(), stream.remote_addr().ip())
    }
}

/// A TCP stream that its [`Cut`] can end.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    cut: Arc<CutState>,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        *self.cut.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Shuts a [`Door`].
#[derive(Clone, Debug)]
pub(crate) struct DoorKey(mpsc::Sender<Order>);

/// For how long, and whom to tell once the door is shut.
type Order = (Duration, oneshot::Sender<()>);

impl DoorKey {
    /// Refuses connections for so long, and ends those that are open. Returns once the door is shut.
    pub(crate) async fn shut(&self, for_how_long: Duration) {
        let (done, is_shut) = oneshot::channel();
        if self.0.send((for_how_long, done)).await.is_ok() {
            let _ = is_shut.await;
        }
    }
}

/// The listener of one cloud.
pub(crate) struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
    orders: mpsc::Receiver<Order>,
    open: Vec<Weak<CutState>>,
}

impl Door {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<(Door, DoorKey)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (key, orders) = mpsc::channel(4);
        Ok((Door { address, listener: Some(listener), orders, open: Vec::new() }, DoorKey(key)))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn stay_shut(
        &mut self,
        for_how_long: Duration,
        tell: Option<oneshot::Sender<()>>,
    ) -> io::Result<()> {
        self.listener = None;
        for connection in self.open.drain(..).filter_map(|weak| weak.upgrade()) {
            connection.cut();
        }
        // Bound but not listening: nobody else gets the port, and clients are refused.
        let reserved = reserve(self.address);
        if let Some(tell) = tell {
            let _ = tell.send(());
        }
        tokio::time::sleep(for_how_long).await;
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(_) => reserve(self.address)?,
        };
        self.listener = Some(reserved.listen(1024)?);
        Ok(())
    }
}

fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            let Some(listener) = &self.listener else {
                // The port could not be taken back yet.
                if self.stay_shut(Duration::from_millis(20), None).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                continue;
            };
            tokio::select! {
                biased;
                Some((for_how_long, tell)) = self.orders.recv() => {
                    let _ = self.stay_shut(for_how_long, Some(tell)).await;
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let _ = stream.set_nodelay(true);
                        let cut = Arc::new(CutState::default());
                        self.open.retain(|weak| weak.strong_count() > 0);
                        self.open.push(Arc::downgrade(&cut));
                        return (Line { stream, cut }, peer);
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
