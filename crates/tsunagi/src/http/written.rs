//! A body that tells when it was taken to be written out.
//!
//! hyper takes a small body whole, puts it behind the headers and writes both at once. A connection that the peer closed
//! before that is noticed earlier, and then the body is dropped and nothing is told.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// Bytes, and what to do when they are taken.
pub(super) struct Written<F: FnOnce() + Unpin> {
    bytes: Bytes,
    then: Option<F>,
}

impl<F: FnOnce() + Unpin> Written<F> {
    pub(super) fn new(bytes: Vec<u8>, then: F) -> Written<F> {
        Written { bytes: bytes.into(), then: Some(then) }
    }
}

impl<F: FnOnce() + Unpin> HttpBody for Written<F> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(then) = self.then.take() {
            then();
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn it_tells_when_it_is_taken_and_not_when_it_is_dropped() {
        let told = Arc::new(AtomicBool::new(false));
        let body = |told: Arc<AtomicBool>| {
            Written::new(b"reply".to_vec(), move || told.store(true, Ordering::SeqCst))
        };
        drop(body(told.clone()));
        assert!(!told.load(Ordering::SeqCst));
        let body = body(told.clone());
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
        let bytes = axum::body::to_bytes(axum::body::Body::new(body), 100).await.unwrap();
        assert_eq!(bytes, "reply");
        assert!(told.load(Ordering::SeqCst));
    }
}
