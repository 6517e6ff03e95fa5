//! Threads of their own for passwords: a storm of logins starves nothing but logins.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::config::Hashing;
use crate::error::Error;
use crate::password::{Checked, Hasher};

type Job = Box<dyn FnOnce(&Hasher) + Send>;

/// The threads that hash and check passwords; they end when it is dropped.
#[derive(Debug)]
pub(crate) struct PasswordThreads {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
    #[cfg(test)]
    hasher: Hasher,
}

/// A place among those who wait for a thread, or have one.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl PasswordThreads {
    /// Starts the threads.
    pub(crate) fn start(config: &Hashing) -> Self {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let hasher = Hasher::new(config);
        let threads = config.threads.max(1);
        for number in 1..=threads {
            let (hasher, waiting) = (hasher.clone(), Arc::clone(&waiting));
            let thread = thread::Builder::new().name(format!("password-{number}"));
            if let Err(error) = thread.spawn(move || work(&hasher, &waiting)) {
                tracing::error!(%error, "a thread for passwords could not be started");
            }
        }
        Self {
            jobs,
            places: Arc::new(Semaphore::new(threads + config.queue)),
            #[cfg(test)]
            hasher,
        }
    }

    /// A place, if one is free: asked for first, so that who is refused has cost nothing.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Place { _permit: permit })
    }

    /// What is kept of a new password.
    pub(crate) async fn hash(&self, place: Place, password: String) -> Result<String, Error> {
        self.run(place, move |hasher| hasher.hash(&password)).await?
    }

    /// Checks a password against what is kept of an account's, or against a decoy where none is.
    pub(crate) async fn check(
        &self,
        place: Place,
        password: String,
        kept: Option<String>,
    ) -> Result<Checked, Error> {
        self.run(place, move |hasher| {
            let kept = kept.map_or_else(|| hasher.decoy(), Ok)?;
            hasher.check(&password, &kept)
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce(&Hasher) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Who has given up waiting costs nothing more.
            let done = (!reply.is_closed()).then(|| work(hasher));
            drop(place);
            if let Some(done) = done {
                let _ = reply.send(done);
            }
        });
        self.jobs.send(job).map_err(|_| Error::NoThreads)?;
        answer.await.map_err(|_| Error::NoThreads)
    }
}

fn work(hasher: &Hasher, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(hasher),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn threads(threads: usize, queue: usize) -> PasswordThreads {
        PasswordThreads::start(&Hashing { memory_kib: 8, passes: 1, lanes: 1, threads, queue })
    }

    #[tokio::test]
    async fn an_unknown_account_is_checked_against_a_decoy_and_never_right() {
        let threads = threads(1, 0);
        let kept = threads.hash(threads.place().unwrap(), "any".into()).await.unwrap();
        let checks = || threads.hasher.checks.load(Ordering::SeqCst);

        let wrong = threads.check(threads.place().unwrap(), "other".into(), Some(kept));
        let wrong = wrong.await.unwrap();
        let (of_known, before) = (checks(), checks());
        let unknown = threads.check(threads.place().unwrap(), "any".into(), None).await.unwrap();

        assert_eq!(unknown, wrong);
        assert_eq!(checks() - before, of_known);
    }

    #[tokio::test]
    async fn one_more_than_there_are_places_is_refused_until_one_is_free() {
        let threads = threads(1, 1);
        let (first, second) = (threads.place().unwrap(), threads.place().unwrap());

        assert!(matches!(threads.place(), Err(Error::Busy)));
        threads.hash(first, "any".into()).await.unwrap();
        let third = threads.place().unwrap();

        assert!(matches!(threads.place(), Err(Error::Busy)));
        drop((second, third));
        assert!(threads.place().is_ok());
    }
}
