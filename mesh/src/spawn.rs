//! Tasks of connections.

use hyper::rt::Executor;

/// Spawns what hyper has to be done beside a connection: every call that is answered, every body that is sent.
///
/// In a box from the start: what a call becomes can be several kilobytes, and tokio moves what it spawns a
/// handful of times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spawning;

impl<F> Executor<F> for Spawning
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, work: F) {
        tokio::spawn(Box::pin(work));
    }
}
