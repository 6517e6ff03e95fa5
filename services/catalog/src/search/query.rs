//! A search as the index understands it.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, Query,
    RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tradewind::catalog::v1::SearchProductsRequest;

use super::correct::forgiven;
use super::schema::Fields;

/// The most words that are looked for.
pub(super) const MOST_WORDS: usize = 16;
/// The shortest word that is taken for the beginning of one.
const SHORTEST_BEGINNING: usize = 2;
/// What a word's beginning is worth beside the whole word, and what one with a typo is.
const BEGINNING: f32 = 0.5;
const TYPO: f32 = 0.25;

/// What a product must have, in a project. Each word must be found somewhere; the last one may be the
/// beginning of a word, and when typos are forgiven, words may be near what is found.
pub(super) fn of(
    fields: &Fields,
    project: &str,
    request: &SearchProductsRequest,
    words: &[String],
    forgiving: bool,
) -> BooleanQuery {
    let mut clauses = vec![(Occur::Must, exactly(fields.project, project))];
    for (at, word) in words.iter().enumerate() {
        let last = at + 1 == words.len();
        clauses.push((Occur::Must, word_in(fields, word, last, forgiving)));
    }
    let any = [
        (fields.vendor, &request.vendors),
        (fields.product_type, &request.product_types),
        (fields.category, &request.category_ids),
    ];
    for (field, values) in any.into_iter().filter(|(_, values)| !values.is_empty()) {
        let terms = values.iter().map(|value| Term::from_field_text(field, value));
        clauses.push((Occur::Must, unscored(Box::new(TermSetQuery::new(terms)))));
    }
    for tag in &request.tags {
        clauses.push((Occur::Must, exactly(fields.tag, tag)));
    }
    if let Some(range) = price_range(fields, request) {
        clauses.push((Occur::Must, range));
    }
    if request.in_stock {
        let term = Term::from_field_bool(fields.in_stock, true);
        let in_stock = TermQuery::new(term, IndexRecordOption::Basic);
        clauses.push((Occur::Must, unscored(Box::new(in_stock))));
    }
    BooleanQuery::new(clauses)
}

fn price_range(fields: &Fields, request: &SearchProductsRequest) -> Option<Box<dyn Query>> {
    let bound = |minor: Option<i64>| match minor {
        Some(minor) => Bound::Included(Term::from_field_i64(fields.price, minor)),
        None => Bound::Unbounded,
    };
    let (least, most) = (request.min_price_minor, request.max_price_minor);
    if least.is_none() && most.is_none() {
        return None;
    }
    Some(unscored(Box::new(RangeQuery::new(bound(least), bound(most)))))
}

/// Where a word may be, by what that is worth.
fn word_in(fields: &Fields, word: &str, last: bool, forgiving: bool) -> Box<dyn Query> {
    let distance = forgiven(word);
    let mut ways: Vec<Box<dyn Query>> = Vec::new();
    for (field, worth) in
        [(fields.codes, 6.0), (fields.title, 4.0), (fields.names, 2.0), (fields.description, 1.0)]
    {
        let term = Term::from_field_text(field, word);
        let whole = TermQuery::new(term.clone(), IndexRecordOption::WithFreqs);
        ways.push(Box::new(BoostQuery::new(Box::new(whole), worth)));
        if last && word.chars().count() >= SHORTEST_BEGINNING {
            let beginning = FuzzyTermQuery::new_prefix(term.clone(), 0, true);
            ways.push(Box::new(BoostQuery::new(Box::new(beginning), worth * BEGINNING)));
        }
        if forgiving && distance > 0 {
            let near = FuzzyTermQuery::new(term, distance, true);
            ways.push(Box::new(BoostQuery::new(Box::new(near), worth * TYPO)));
        }
    }
    Box::new(DisjunctionMaxQuery::new(ways))
}

fn exactly(field: Field, value: &str) -> Box<dyn Query> {
    let term = Term::from_field_text(field, value);
    unscored(Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
}

/// A condition that says nothing of how well a product fits.
fn unscored(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}
