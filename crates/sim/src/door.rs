//! Listening sockets that can be closed or deaf for a while, and connections that can be cut or slowed down.
//!
//! [`Door`] is the listener: while it is shut the port stays reserved but is not listened on, so that a client gets a
//! real "connection refused"; while it is deaf its queue is full, and a client that connects hears nothing at all.
//! [`Cut`] belongs to one connection: after [`Cut::cut`] every read and write of it fails, hyper gives the connection up,
//! and the client sees it reset without a single byte of an answer; or the answer that comes next breaks off in the
//! middle, or drips.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

/// Connections that wait at a deaf door, at most, before nobody hears a knock any more.
const FILLERS: usize = 16;
/// A connection that is not made in so long will not be: the queue is full.
const KNOCK: Duration = Duration::from_millis(100);

/// Cuts one connection, and knows who made it; handlers get it as `ConnectInfo<Cut>`.
#[derive(Clone, Debug)]
pub(crate) struct Cut(Arc<CutState>, IpAddr);

#[derive(Debug, Default)]
struct CutState {
    cut: AtomicBool,
    /// What becomes of the body that is written next.
    way: Mutex<Way>,
    reader: Mutex<Option<Waker>>,
}

/// How the bytes behind an answer's headers leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Whole,
    /// Half of what is written first; then the connection is reset.
    Half,
    /// So many bytes a second.
    Drip(u64),
}

/// The end of an answer's headers.
const HEADERS_END: &[u8] = b"\r\n\r\n";

impl Cut {
    pub(crate) fn cut(&self) {
        self.0.cut();
    }

    /// The answer that is written next breaks off in the middle of its body.
    pub(crate) fn cut_inside(&self) {
        self.0.go(Way::Half);
    }

    /// From its body on the answer that is written next goes so many bytes a second. It must be the connection's last.
    pub(crate) fn drip(&self, bytes_a_second: u64) {
        self.0.go(Way::Drip(bytes_a_second.max(1)));
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

    fn go(&self, way: Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    fn way(&self) -> Way {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The headers of an answer that drips are out.
    in_body: bool,
    drop_falls: Option<Pin<Box<Sleep>>>,
}

impl Line {
    fn new(stream: TcpStream, cut: Arc<CutState>) -> Line {
        Line { stream, cut, in_body: false, drop_falls: None }
    }

    /// The headers and half of what stands behind them; after that nothing.
    fn write_half(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let headers = headers_end(buf).unwrap_or(0);
        let half = (headers + (buf.len() - headers) / 2).max(1);
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..half]))?;
        self.cut.cut();
        Poll::Ready(Ok(written))
    }

    fn write_drop(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
        bytes_a_second: u64,
    ) -> Poll<io::Result<usize>> {
        if !self.in_body {
            let headers = headers_end(buf).unwrap_or(buf.len());
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..headers]))?;
            self.in_body = written == headers;
            return Poll::Ready(Ok(written));
        }
        if let Some(falls) = &mut self.drop_falls {
            ready!(falls.as_mut().poll(cx));
        }
        let drop = bytes_a_second.div_ceil(10);
        self.drop_falls = Some(Box::pin(tokio::time::sleep(
            Duration::from_secs(drop) / { u32::try_from(bytes_a_second).unwrap_or(u32::MAX) },
        )));
        let drop = usize::try_from(drop).unwrap_or(usize::MAX).min(buf.len());
        Pin::new(&mut self.stream).poll_write(cx, &buf[..drop])
    }
}

/// Where an answer's body begins, if its headers end in here.
fn headers_end(buf: &[u8]) -> Option<usize> {
    buf.windows(HEADERS_END.len()).position(|end| end == HEADERS_END).map(|at| at + HEADERS_END.len())
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.cut.check().is_err() {
            // Reset, not ended: what is still unsent is thrown away.
            let _ = self.stream.set_zero_linger();
        }
    }
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
        match self.cut.way() {
            Way::Whole => Pin::new(&mut self.stream).poll_write(cx, buf),
            Way::Half => self.write_half(cx, buf),
            Way::Drip(bytes_a_second) => self.write_drop(cx, buf, bytes_a_second),
        }
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

/// What, for how long, and whom to tell once it is so.
type Order = (Closing, Duration, oneshot::Sender<()>);

/// How a door is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Connections are refused.
    Shut,
    /// Nobody answers.
    Deaf,
}

impl DoorKey {
    /// Lets no connection in for so long, and ends those that are open. Returns once the door is closed.
    pub(crate) async fn close(&self, how: Closing, for_how_long: Duration) {
        let (done, is_closed) = oneshot::channel();
        if self.0.send((how, for_how_long, done)).await.is_ok() {
            let _ = is_closed.await;
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

    async fn stay_closed(
        &mut self,
        how: Closing,
        for_how_long: Duration,
        tell: Option<oneshot::Sender<()>>,
    ) -> io::Result<()> {
        self.listener = None;
        for connection in self.open.drain(..).filter_map(|weak| weak.upgrade()) {
            connection.cut();
        }
        // Bound but not listening: nobody else gets the port, and clients are refused.
        let mut reserved = reserve(self.address);
        let deaf = match reserved {
            Ok(socket) if how == Closing::Deaf => {
                reserved = Err(io::ErrorKind::AddrInUse.into());
                Some(full(socket, self.address).await?)
            }
            _ => None,
        };
        if let Some(tell) = tell {
            let _ = tell.send(());
        }
        tokio::time::sleep(for_how_long).await;
        drop(deaf);
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(_) => reserve(self.address)?,
        };
        self.listener = Some(reserved.listen(1024)?);
        Ok(())
    }
}

/// A listener whose queue is full of our own connections: the system drops what else knocks.
async fn full(socket: TcpSocket, address: SocketAddr) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let listener = socket.listen(1)?;
    let mut waiting = Vec::new();
    while waiting.len() < FILLERS {
        match tokio::time::timeout(KNOCK, TcpStream::connect(address)).await {
            Ok(connected) => waiting.push(connected?),
            Err(_) => break,
        }
    }
    Ok((listener, waiting))
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
                if self.stay_closed(Closing::Shut, Duration::from_millis(20), None).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                continue;
            };
            tokio::select! {
                biased;
                Some((how, for_how_long, tell)) = self.orders.recv() => {
                    let _ = self.stay_closed(how, for_how_long, Some(tell)).await;
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let _ = stream.set_nodelay(true);
                        let cut = Arc::new(CutState::default());
                        self.open.retain(|weak| weak.strong_count() > 0);
                        self.open.push(Arc::downgrade(&cut));
                        return (Line::new(stream, cut), peer);
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
