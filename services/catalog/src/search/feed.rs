//! What keeps the index up to the store: changes in the order of their commits, from where it stopped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mesh::caller::DEFAULT_PROJECT;
use mesh::{Caller, CancellationToken, Context};
use store::Store;
use tantivy::{IndexWriter, TantivyError};
use tracing::Span;
use tradewind::catalog::v1::Product;

use super::index::{Cursor, Search};
use super::schema::VERSION;
use crate::error::Error;
use crate::product;
use crate::store::{changes, changes::Change, products};

/// How often changes are looked for that nobody has searched since.
const POLL: Duration = Duration::from_secs(1);
/// How many changes are read at once.
const BATCH: u32 = 500;
/// How many changes are written at most before they are committed.
const MOST_UNCOMMITTED: usize = 10_000;

/// Feeds the index of this process.
pub(crate) struct Feed {
    search: Arc<Search>,
    store: Store,
}

/// The open end of the index. It is dropped on any error and taken up again at the last commit.
struct End {
    writer: IndexWriter,
    cursor: Cursor,
    uncommitted: usize,
}

/// A product as the index should have it; `None` when it should not.
type Wanted = (Change, Option<(Product, bool)>);

impl Feed {
    pub(crate) fn new(search: Arc<Search>, store: &Store) -> Self {
        Self { search, store: store.clone() }
    }

    /// Feeds until it is told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut end = None;
        while !stop.is_cancelled() {
            end = match self.catch_up(end.take(), &stop).await {
                Ok(end) => Some(end),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the search index cannot be fed now");
                    None
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.search.wanted(), if end.is_some() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        if let Some(End { writer, .. }) = end {
            let merged = tokio::task::spawn_blocking(|| writer.wait_merging_threads()).await;
            if let Ok(Err(error)) = merged {
                tracing::warn!(%error, "the search index was not tidied");
            }
        }
    }

    /// Brings the index to what is committed now.
    async fn catch_up(&self, end: Option<End>, stop: &CancellationToken) -> Result<End, Error> {
        let reader = self.store.read(&context(DEFAULT_PROJECT));
        // Read before the changes: those of this revision and before are all there.
        let newest = changes::revision(&reader).await?;
        let mut end = match end {
            Some(end) if self.search.known() >= newest => return Ok(end),
            Some(end) => end,
            None => self.open(newest).await?,
        };
        loop {
            let Cursor { revision, product_id, .. } = &end.cursor;
            let batch = changes::since(&reader, *revision, product_id, BATCH).await?;
            let last = batch.len() < BATCH as usize;
            let wanted = self.read(batch).await?;
            end = self.write(end, wanted, last).await?;
            if last || stop.is_cancelled() {
                break;
            }
        }
        if !stop.is_cancelled() {
            self.search.knows(newest);
        }
        Ok(end)
    }

    /// Takes the index up where its last commit was; one of another database begins anew.
    async fn open(&self, newest: i64) -> Result<End, Error> {
        let tx = self.store.begin_for(&context(DEFAULT_PROJECT)).await?;
        let epoch = changes::epoch(tx, &self.store.ids().next("epoch")).await?;
        let search = Arc::clone(&self.search);
        blocking(move || {
            let writer = search.writer()?;
            let known = search.cursor()?;
            let follows = |cursor: &Cursor| cursor.epoch == epoch && cursor.revision <= newest;
            let cursor = if let Some(cursor) = known.filter(follows) {
                cursor
            } else {
                writer.delete_all_documents()?;
                Cursor { version: VERSION, epoch, ..Cursor::default() }
            };
            Ok(End { writer, cursor, uncommitted: 0 })
        })
        .await
    }

    /// The products of changes as they are now, each project's in its own scope.
    async fn read(&self, changes: Vec<Change>) -> Result<Vec<Wanted>, Error> {
        let mut projects: HashMap<&str, Vec<&str>> = HashMap::new();
        for Change { project, product_id, .. } in &changes {
            projects.entry(project).or_default().push(product_id);
        }
        let mut rows: HashMap<(String, String), (Product, bool)> = HashMap::new();
        for (project, ids) in projects {
            let reader = self.store.read(&context(project));
            let in_stock: HashSet<_> = products::in_stock(&reader, &ids).await?;
            let found = products::by_ids(&reader, &ids).await?;
            rows.extend(found.into_iter().map(|(id, product)| {
                let in_stock = in_stock.contains(&id);
                ((project.to_owned(), id), (product, in_stock))
            }));
        }
        let wanted = changes.into_iter().map(|change| {
            let row = rows.remove(&(change.project.clone(), change.product_id.clone()));
            (change, row.filter(|(product, _)| product::is_public(product)))
        });
        Ok(wanted.collect())
    }

    /// Writes products, and commits when there is no more or much is waiting.
    async fn write(&self, mut end: End, wanted: Vec<Wanted>, last: bool) -> Result<End, Error> {
        let search = Arc::clone(&self.search);
        blocking(move || {
            for (change, row) in &wanted {
                end.put(&search, change, row.as_ref())?;
            }
            if end.uncommitted >= MOST_UNCOMMITTED || last {
                end.commit(&search)?;
            }
            Ok(end)
        })
        .await
    }
}

impl End {
    fn put(
        &mut self,
        search: &Search,
        change: &Change,
        row: Option<&(Product, bool)>,
    ) -> Result<(), TantivyError> {
        let Change { project, product_id, revision } = change;
        self.writer.delete_term(search.fields.key(project, product_id));
        if let Some((product, in_stock)) = row {
            self.writer.add_document(search.fields.document(project, product, *in_stock))?;
        }
        self.cursor.revision = *revision;
        self.cursor.product_id.clone_from(product_id);
        self.uncommitted += 1;
        Ok(())
    }

    /// Commits what was written together with how far that is.
    fn commit(&mut self, search: &Search) -> Result<(), TantivyError> {
        let payload = serde_json::to_string(&self.cursor)
            .map_err(|error| TantivyError::InvalidArgument(error.to_string()))?;
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&payload);
        commit.commit()?;
        self.uncommitted = 0;
        search.reader.reload()
    }
}

/// Work that would hold up others on this thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TantivyError> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| Error::NoSearch)??)
}

fn context(project: &str) -> Context {
    Context::new(Caller::service(crate::NAME, project, None), "search", Span::none())
}
