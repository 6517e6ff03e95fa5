//! Streams of answers, made by work of their own.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use mesh::Status;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// The answers of one call.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What some work sends, and how it ends. The work is dropped when its stream is.
pub(crate) fn sent<T, W, F>(work: W) -> Answers<T>
where
    T: Send + 'static,
    W: FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, answers) = mpsc::channel(1);
    let work = work(sender.clone());
    tokio::spawn(async move {
        tokio::select! {
            ended = work => if let Err(status) = ended {
                // Nobody waits for the end of a stream that has been left.
                let _ = sender.send(Err(status)).await;
            },
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(answers).boxed()
}
