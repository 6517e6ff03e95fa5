//! Looking into the index.

use std::ops::Range;

use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::agg_result::{
    AggregationResult, AggregationResults, BucketEntry, BucketResult,
};
use tantivy::aggregation::{AggContextParams, AggregationCollector, Key};
use tantivy::collector::{Collector, Count, TopDocs};
use tantivy::query::BooleanQuery;
use tantivy::schema::Value;
use tantivy::{DocAddress, Order, Searcher, TantivyDocument, TantivyError};
use tradewind::catalog::v1::search_products_request::Order as Wanted;
use tradewind::catalog::v1::{Facet, FacetValue, SearchProductsRequest};

use super::index::Search;
use super::query::{self, MOST_WORDS};
use super::schema::{CREATED, FACETS, PRICE, words_of};

/// The most values of a facet.
const MOST_VALUES: usize = 50;
/// The most values that one part of the index counts, of which the most frequent of all are kept.
const MOST_COUNTED: usize = 2000;

/// What the index found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Of this page, in their order.
    pub(super) ids: Vec<String>,
    /// How many there are in all.
    pub(super) total: usize,
    pub(super) facets: Vec<Facet>,
    /// Whether nothing was found until typos were forgiven.
    pub(super) forgiving: bool,
}

/// The request for every facet.
pub(super) fn facets() -> Result<Aggregations, TantivyError> {
    let facet = |name: &str| {
        serde_json::json!({
            "terms": { "field": name, "size": MOST_VALUES, "segment_size": MOST_COUNTED }
        })
    };
    let facets: serde_json::Map<_, _> =
        FACETS.iter().map(|name| ((*name).to_owned(), facet(name))).collect();
    serde_json::from_value(facets.into())
        .map_err(|error| TantivyError::InvalidArgument(error.to_string()))
}

impl Search {
    /// Finds a page of products; typos are forgiven only when nothing is found without.
    pub(super) fn find(
        &self,
        project: &str,
        request: &SearchProductsRequest,
        page: Range<usize>,
    ) -> Result<Found, TantivyError> {
        let mut words = words_of(&request.query);
        words.truncate(MOST_WORDS);
        if words.is_empty() && !request.query.trim().is_empty() {
            // It asks for something, but for no word.
            return Ok(Found::default());
        }
        let searcher = self.reader.searcher();
        let exact = query::of(&self.fields, project, request, &words, false);
        let found = self.look(&searcher, &exact, request, page.clone())?;
        if found.total > 0 || words.is_empty() {
            return Ok(found);
        }
        let near = query::of(&self.fields, project, request, &words, true);
        let found = self.look(&searcher, &near, request, page)?;
        Ok(Found { forgiving: found.total > 0, ..found })
    }

    fn look(
        &self,
        searcher: &Searcher,
        query: &BooleanQuery,
        request: &SearchProductsRequest,
        page: Range<usize>,
    ) -> Result<Found, TantivyError> {
        let top = TopDocs::for_doc_range(page);
        let by_time = request.query.trim().is_empty();
        let (documents, total, counts) = match request.order() {
            Wanted::Price => {
                self.collect(searcher, query, top.order_by_fast_field::<i64>(PRICE, Order::Asc))?
            }
            Wanted::PriceDesc => {
                self.collect(searcher, query, top.order_by_fast_field::<i64>(PRICE, Order::Desc))?
            }
            Wanted::Relevance | Wanted::Unspecified if !by_time => {
                self.collect(searcher, query, top.order_by_score())?
            }
            // Without words nothing fits better than anything else.
            Wanted::Newest | Wanted::Relevance | Wanted::Unspecified => {
                self.collect(searcher, query, top.order_by_fast_field::<i64>(CREATED, Order::Desc))?
            }
        };
        let mut ids = Vec::with_capacity(documents.len());
        for address in documents {
            let document: TantivyDocument = searcher.doc(address)?;
            let id = document.get_first(self.fields.id).and_then(|id| id.as_str());
            ids.extend(id.map(str::to_owned));
        }
        Ok(Found { ids, total, facets: read_facets(counts), forgiving: false })
    }

    fn collect<K: Send + 'static>(
        &self,
        searcher: &Searcher,
        query: &BooleanQuery,
        top: impl Collector<Fruit = Vec<(K, DocAddress)>>,
    ) -> Result<(Vec<DocAddress>, usize, AggregationResults), TantivyError> {
        let context = AggContextParams::default();
        let facets = AggregationCollector::from_aggs(self.facets.clone(), context);
        let (top, total, counts) = searcher.search(query, &(top, Count, facets))?;
        Ok((top.into_iter().map(|(_, address)| address).collect(), total, counts))
    }
}

fn read_facets(mut counts: AggregationResults) -> Vec<Facet> {
    let facet = |name: &&str| {
        let values = match counts.0.remove(*name) {
            Some(AggregationResult::BucketResult(BucketResult::Terms { buckets, .. })) => buckets,
            _ => Vec::new(),
        };
        let mut values: Vec<_> = values.into_iter().filter_map(facet_value).collect();
        values.sort_by(|one, other| (other.count, &one.value).cmp(&(one.count, &other.value)));
        Facet { name: (*name).to_owned(), values }
    };
    FACETS.iter().map(facet).collect()
}

fn facet_value(bucket: BucketEntry) -> Option<FacetValue> {
    let Key::Str(value) = bucket.key else { return None };
    Some(FacetValue { value, count: i64::try_from(bucket.doc_count).ok()? })
}
