//! The index of one process: where it is kept, and how far it has come.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError};
use tokio::sync::{Notify, watch};

use super::find;
use super::schema::{self, Fields, VERSION, WORDS};

/// How long a search waits for the index to catch up; then it answers what is known.
const PATIENCE: Duration = Duration::from_secs(2);
/// What documents may take in memory before they are written.
const WRITER_BYTES: usize = 50_000_000;

/// How far an index has come, kept in each of its commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) version: u32,
    /// The database that it follows.
    pub(super) epoch: String,
    /// The change that it holds last.
    pub(super) revision: i64,
    pub(super) product_id: String,
}

/// The index of one process.
pub(crate) struct Search {
    pub(super) index: Index,
    pub(super) reader: IndexReader,
    pub(super) fields: Fields,
    pub(super) facets: Aggregations,
    /// The revision up to which everything can be found.
    caught_up: watch::Sender<i64>,
    /// Somebody waits for the index to catch up.
    wanted: Notify,
}

impl Search {
    pub(super) fn in_memory() -> Result<Self, TantivyError> {
        let (schema, fields) = schema::schema();
        Self::over(Index::builder().schema(schema).create_in_ram()?, fields)
    }

    /// The index in a directory, made anew when it is missing, broken or of another version.
    pub(super) fn in_directory(directory: &Path) -> Result<Self, TantivyError> {
        let (schema, fields) = schema::schema();
        let open = || {
            std::fs::create_dir_all(directory)?;
            let index = Index::open_or_create(MmapDirectory::open(directory)?, schema.clone())?;
            Self::over(index, fields)
        };
        let opened = open().and_then(|search| match search.cursor()? {
            Some(cursor) if cursor.version != VERSION => {
                Err(TantivyError::SchemaError("it is of another version".into()))
            }
            _ => Ok(search),
        });
        opened.or_else(|error| {
            tracing::info!(%error, "the search index is made anew");
            std::fs::remove_dir_all(directory)?;
            open()
        })
    }

    fn over(index: Index, fields: Fields) -> Result<Self, TantivyError> {
        index.tokenizers().register(WORDS, schema::analyzer());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self {
            index,
            reader,
            fields,
            facets: find::facets()?,
            caught_up: watch::Sender::new(-1),
            wanted: Notify::new(),
        })
    }

    /// Waits until everything up to a revision can be found, or patience ends.
    pub(super) async fn catch_up(&self, revision: i64) {
        let mut caught_up = self.caught_up.subscribe();
        if *caught_up.borrow() >= revision {
            return;
        }
        self.wanted.notify_one();
        let caught_up = caught_up.wait_for(|known| *known >= revision);
        if tokio::time::timeout(PATIENCE, caught_up).await.is_err() {
            tracing::warn!(revision, "the search index is behind");
        }
    }

    /// Waits until somebody wants the index to catch up.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The revision up to which everything can be found.
    pub(super) fn known(&self) -> i64 {
        *self.caught_up.borrow()
    }

    /// Says up to which revision everything can be found.
    pub(super) fn knows(&self, revision: i64) {
        self.caught_up.send_replace(revision);
    }

    /// How far the last commit had come; `None` for an index without one, or with one that nobody knows.
    pub(super) fn cursor(&self) -> Result<Option<Cursor>, TantivyError> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.and_then(|payload| serde_json::from_str(&payload).ok()))
    }

    /// The one writer; refused while another process has it.
    pub(super) fn writer(&self) -> Result<IndexWriter, TantivyError> {
        self.index.writer_with_num_threads(1, WRITER_BYTES)
    }
}
