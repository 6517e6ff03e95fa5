//! Finding products by words: an index that each replica keeps for itself, and that follows the store.
//!
//! The index answers ids and counts, the store answers rows, so a product is never shown that the
//! store would not show. A search first lets the index catch up with what was committed before it.
//!
//! Invariant: every query has its project's term, and words of a project's products are corrected by
//! words of the same project's products only.

mod correct;
mod feed;
mod find;
mod index;
mod query;
mod schema;
mod text;

use std::path::Path;
use std::sync::Arc;

use store::Reader;
use tradewind::catalog::v1::{SearchProductsRequest, SearchProductsResponse};

use crate::error::Error;
use crate::product;
use crate::store::{changes, products};

pub(crate) use feed::Feed;
pub(crate) use index::Search;

/// How many products a page has when nothing is said.
const USUAL_PAGE: usize = 20;
/// How far pages go: who wants more narrows the search.
const DEEPEST: usize = 10_000;

/// The index in a directory, or in memory. One that cannot be kept there is kept in memory, since the
/// store has all that it needs.
pub(crate) fn open(directory: Option<&Path>) -> Option<Arc<Search>> {
    let opened = match directory {
        None => Search::in_memory(),
        Some(directory) => Search::in_directory(directory).or_else(|error| {
            let directory = directory.display();
            tracing::error!(%error, %directory, "the search index is kept in memory");
            Search::in_memory()
        }),
    };
    match opened {
        Ok(search) => Some(Arc::new(search)),
        Err(error) => {
            tracing::error!(%error, "there is no search");
            None
        }
    }
}

/// Answers a search in a project.
pub(crate) async fn answer(
    search: &Arc<Search>,
    reader: &Reader,
    project: &str,
    request: SearchProductsRequest,
) -> Result<SearchProductsResponse, Error> {
    let from = page(&request.page_token)?;
    let size = usize::try_from(request.page_size).ok().filter(|size| *size > 0);
    let to = from + size.unwrap_or(USUAL_PAGE);
    search.catch_up(changes::revision(reader).await?).await;

    let words = request.query.clone();
    let (here, project) = (Arc::clone(search), project.to_owned());
    let finding = tokio::task::spawn_blocking(move || here.find(&project, &request, from..to));
    let found = finding.await.map_err(|_| Error::NoSearch)??;

    let ids: Vec<_> = found.ids.iter().map(String::as_str).collect();
    let mut rows = products::by_ids(reader, &ids).await?;
    let products = ids.iter().filter_map(|id| rows.remove(*id));
    let products: Vec<_> = products.filter(product::is_public).collect();
    let corrected_query =
        if found.forgiving { correct::query(&words, &products) } else { String::new() };
    let more = found.total > to && to < DEEPEST;
    Ok(SearchProductsResponse {
        products,
        next_page_token: if more { to.to_string() } else { String::new() },
        total: i64::try_from(found.total).unwrap_or(i64::MAX),
        facets: found.facets,
        corrected_query,
    })
}

/// Where a page begins.
fn page(token: &str) -> Result<usize, Error> {
    if token.is_empty() {
        return Ok(0);
    }
    let from = token.parse().ok().filter(|from| *from < DEEPEST);
    from.ok_or(Error::InvalidPageToken)
}
