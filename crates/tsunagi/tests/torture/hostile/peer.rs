//! One stranger's connection: what is said on it, byte by byte, and what comes back.

use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing may take longer; then it hangs.
const GIVES_UP: Duration = Duration::from_secs(15);

/// How a connection goes on after the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It waits for the answer.
    Wait,
    /// It says that nothing more comes.
    HangUp,
    /// It says nothing more, though the request is not complete.
    Silence,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// From the last byte that was sent to the first complete answer, or to the end of the connection.
    pub(super) took: Duration,
    /// Nothing came, and the connection was still open.
    pub(super) hangs: bool,
}

impl Answer {
    /// The status of the first answer that is final.
    pub(super) fn status(&self) -> Option<u16> {
        let (head, _) = split(final_answer(&self.bytes))?;
        head.split(' ').nth(1)?.parse().ok()
    }

    pub(super) fn body(&self) -> &[u8] {
        split(final_answer(&self.bytes)).map_or(&[], |(_, body)| body)
    }
}

/// Speaks in so many pieces, and listens.
pub(super) async fn exchange(address: &str, bytes: &[u8], pieces: usize, ending: Ending) -> Answer {
    let mut answer = Answer { bytes: Vec::new(), took: Duration::ZERO, hangs: false };
    let Ok(Ok(mut peer)) = tokio::time::timeout(GIVES_UP, TcpStream::connect(address)).await else {
        answer.hangs = true;
        return answer;
    };
    let _ = peer.set_nodelay(true);
    for (n, piece) in bytes.chunks(bytes.len().div_ceil(pieces).max(1)).enumerate() {
        if n > 0 {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        // It may be cut off in the middle of its speech; what was answered is read all the same.
        if !matches!(tokio::time::timeout(GIVES_UP, peer.write_all(piece)).await, Ok(Ok(()))) {
            break;
        }
    }
    if ending == Ending::HangUp {
        let _ = peer.shutdown().await;
    }
    let begun = Instant::now();
    let mut buffer = vec![0; 16 * 1024];
    let listening = async {
        while !is_complete(final_answer(&answer.bytes)) {
            match peer.read(&mut buffer).await {
                Ok(read @ 1..) => answer.bytes.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
    };
    answer.hangs = tokio::time::timeout(GIVES_UP, listening).await.is_err();
    answer.took = begun.elapsed();
    answer
}

/// Without "100 Continue" before it.
fn final_answer(bytes: &[u8]) -> &[u8] {
    match bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
        Some(rest) => rest,
        None => bytes,
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]))
}

fn is_complete(bytes: &[u8]) -> bool {
    let Some((head, body)) = split(bytes) else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}
