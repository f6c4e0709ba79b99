//! Those who want the same thing done while it is done for others go together the next time: one transaction, and on
//! PostgreSQL one set of statements, for all of them.
//!
//! There is no timer, as in `writer.rs`: whoever is alone goes alone, at once.

use crate::sql::Error;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Requests that are done together at most.
const MOST: usize = 128;

type Waiting<I, O> = (I, oneshot::Sender<Result<O, Error>>);

/// The queue of those who want one kind of thing done. Its task ends with the last clone.
pub(crate) struct Group<I, O> {
    queue: mpsc::Sender<Waiting<I, O>>,
}

impl<I, O> Clone for Group<I, O> {
    fn clone(&self) -> Self {
        Group { queue: self.queue.clone() }
    }
}

impl<I, O> Group<I, O>
where
    I: Send + Sync + 'static,
    O: Send + 'static,
{
    /// `work` does it for all who gathered, in one transaction, and gives an answer for each.
    pub(crate) fn start(
        work: impl Fn(Vec<Arc<I>>) -> BoxFuture<'static, Result<Vec<O>, Error>> + Send + Sync + 'static,
    ) -> Group<I, O> {
        let (queue, mut asked) = mpsc::channel::<Waiting<I, O>>(MOST);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(MOST);
            while asked.recv_many(&mut waiting, MOST).await > 0 {
                let (inputs, told): (Vec<Arc<I>>, Vec<_>) =
                    waiting.drain(..).map(|(input, told)| (Arc::new(input), told)).unzip();
                match work(inputs.clone()).await {
                    Ok(answers) => {
                        for (told, answer) in told.into_iter().zip(answers) {
                            let _ = told.send(Ok(answer));
                        }
                    }
                    // One of them is what the database does not take: it alone pays for it.
                    Err(error) if told.len() > 1 && error.is_of_single_rows() => {
                        for (input, told) in inputs.into_iter().zip(told) {
                            let alone = work(vec![input]).await;
                            let _ = told.send(alone.and_then(|mut one| one.pop().ok_or(Error::Closed)));
                        }
                    }
                    Err(error) => told.into_iter().for_each(|told| drop(told.send(Err(error.clone())))),
                }
            }
        });
        Group { queue }
    }

    /// Waits until it is done.
    pub(crate) async fn ask(&self, input: I) -> Result<O, Error> {
        let (told, answer) = oneshot::channel();
        self.queue.send((input, told)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}
