//! Importing products: each for itself, all that are good in one transaction.
//!
//! A product is the one with its handle, a variant the one with its option values, so a second import
//! of the same feed changes nothing.

use std::collections::{HashMap, HashSet};

use contract::Check;
use mesh::Ids;
use store::{Store, Tx};
use tradewind::catalog::v1::import_result::Outcome;
use tradewind::catalog::v1::{ImportProductsRequest, ImportResult, ImportedProduct, Product};

use crate::error::Error;
use crate::product;
use crate::stock::{self, Recount};
use crate::store::{categories, changes, products, stock as levels};

/// What is to become of one product.
struct Planned {
    /// Where it stands in the request.
    at: usize,
    was: Option<Product>,
    now: Product,
    /// How many there are of variants that get a count: the variant's id, the count.
    counts: Vec<(String, i64)>,
    recounts: Vec<Recount>,
}

impl Planned {
    fn outcome(&self) -> Outcome {
        match &self.was {
            None => Outcome::Created,
            Some(was) if *was != self.now || !self.recounts.is_empty() => Outcome::Updated,
            Some(_) => Outcome::Unchanged,
        }
    }
}

/// Imports products; the transaction is still to be committed.
pub(crate) async fn import(
    tx: &mut Tx,
    store: &Store,
    request: ImportProductsRequest,
) -> Result<Vec<ImportResult>, Error> {
    let ImportProductsRequest { products: imported, set_stock } = request;
    let mut results: Vec<_> = imported.iter().map(undecided).collect();
    let mut refuse = |at: usize, message: String| {
        results[at].set_outcome(Outcome::Refused);
        results[at].message = message;
    };

    let good = well_formed(imported, &mut refuse);
    let mut planned = plan(tx, store.ids(), good, set_stock, &mut refuse).await?;
    recount(tx, &mut planned, &mut refuse).await?;
    write(tx, store, &mut planned).await?;
    for planned in &planned {
        results[planned.at].set_outcome(planned.outcome());
    }
    Ok(results)
}

fn undecided(imported: &ImportedProduct) -> ImportResult {
    let handle = imported.product.as_ref().map(|product| product.handle.clone());
    ImportResult { handle: handle.unwrap_or_default(), ..ImportResult::default() }
}

/// Those that break no rule of the contract, each handle once.
fn well_formed(
    imported: Vec<ImportedProduct>,
    refuse: &mut impl FnMut(usize, String),
) -> Vec<(usize, Product, Vec<i64>)> {
    let mut handles = HashSet::new();
    let mut good = Vec::with_capacity(imported.len());
    for (at, ImportedProduct { product, on_hand }) in imported.into_iter().enumerate() {
        let product = product.unwrap_or_default();
        match problem(&product, &on_hand, &mut handles) {
            Some(problem) => refuse(at, problem),
            None => good.push((at, product, on_hand)),
        }
    }
    good
}

fn problem(product: &Product, on_hand: &[i64], handles: &mut HashSet<String>) -> Option<String> {
    if let Err(violations) = product.check() {
        let sentence = violations
            .violations()
            .first()
            .map(|it| format!("{}: {}", it.field_path(), it.message()));
        return Some(sentence.unwrap_or_else(|| violations.to_string()));
    }
    let texts = [&product.title, &product.description, &product.vendor, &product.product_type];
    if texts.iter().any(|text| text.contains('\0')) {
        return Some("a text must not hold the character U+0000".into());
    }
    if !handles.insert(product.handle.clone()) {
        return Some("another product of this request has the same handle".into());
    }
    if !on_hand.is_empty() && on_hand.len() != product.variants.len() {
        let variants = product.variants.len();
        return Some(format!("on_hand: there are {variants} variants, not {}", on_hand.len()));
    }
    let absurd = on_hand.iter().find(|on_hand| !(0..=stock::MOST).contains(*on_hand))?;
    Some(format!("on_hand: {absurd} is not 0 to {}", stock::MOST))
}

/// What becomes of each, by what there is already.
async fn plan(
    tx: &mut Tx,
    ids: &Ids,
    good: Vec<(usize, Product, Vec<i64>)>,
    set_stock: bool,
    refuse: &mut impl FnMut(usize, String),
) -> Result<Vec<Planned>, Error> {
    let handles: Vec<_> = good.iter().map(|(_, product, _)| &*product.handle).collect();
    let mut known = products::hold_by_handles(tx, &handles).await?;
    let named: HashSet<_> =
        good.iter().flat_map(|(_, product, _)| &product.category_ids).map(String::as_str).collect();
    let named: Vec<_> = named.into_iter().collect();
    let shelves = categories::existing(tx, &named).await?;

    let mut planned = Vec::with_capacity(good.len());
    for (at, product, on_hand) in good {
        let was = known.remove(&product.handle);
        let next_id = || ids.next("var");
        let made = match &was {
            None => product::new(product, next_id),
            Some(was) => product::imported(was, product, next_id),
        };
        match made.and_then(|now| product::stands_in(&now, &shelves).map(|()| now)) {
            Err(error) => refuse(at, error.to_string()),
            Ok(now) => {
                let counts = counts(was.as_ref(), &now, &on_hand, set_stock);
                planned.push(Planned { at, was, now, counts, recounts: Vec::new() });
            }
        }
    }
    Ok(planned)
}

/// The counts that are set: those of new variants, and of all when that is asked for.
fn counts(
    was: Option<&Product>,
    now: &Product,
    on_hand: &[i64],
    set_stock: bool,
) -> Vec<(String, i64)> {
    let known: HashSet<_> =
        was.iter().flat_map(|was| &was.variants).map(|variant| &variant.id).collect();
    let counted = now.variants.iter().zip(on_hand);
    counted
        .filter(|(variant, _)| set_stock || !known.contains(&variant.id))
        .map(|(variant, on_hand)| (variant.id.clone(), *on_hand))
        .collect()
}

/// Compares the counts with the levels that there are, which are held from here on.
async fn recount(
    tx: &mut Tx,
    planned: &mut Vec<Planned>,
    refuse: &mut impl FnMut(usize, String),
) -> Result<(), Error> {
    let known: Vec<_> = planned
        .iter()
        .filter(|planned| planned.was.is_some())
        .flat_map(|planned| planned.counts.iter().map(|(id, _)| id.as_str()))
        .collect();
    levels::hold_variants(tx, &known).await?;
    let mut there = levels::hold_levels(tx, &known).await?;
    let mut refused = HashSet::new();
    for planned in planned.iter_mut() {
        for (variant_id, on_hand) in &planned.counts {
            match Recount::of(variant_id, there.remove(variant_id), *on_hand) {
                Ok(recount) => planned.recounts.extend(recount),
                Err(error) => {
                    refuse(planned.at, error.to_string());
                    refused.insert(planned.at);
                    break;
                }
            }
        }
    }
    planned.retain(|planned| !refused.contains(&planned.at));
    Ok(())
}

/// Writes what differs: products, then levels, then the revision that the index follows.
async fn write(tx: &mut Tx, store: &Store, planned: &mut [Planned]) -> Result<(), Error> {
    let new = planned.iter().filter(|planned| planned.was.is_none());
    let new: Vec<_> = new.map(|planned| planned.now.clone()).collect();
    let mut made: HashMap<_, _> = tx
        .insert_all(new)
        .await
        .map_err(conflict)?
        .into_iter()
        .map(|product| (product.handle.clone(), product))
        .collect();
    for planned in planned.iter_mut() {
        match &planned.was {
            None => planned.now = made.remove(&planned.now.handle).unwrap_or_default(),
            Some(was) if *was != planned.now => planned.now = tx.update(&planned.now).await?,
            Some(_) => {}
        }
    }
    let different = planned.iter().filter(|planned| planned.was.as_ref() != Some(&planned.now));
    let changed: Vec<_> = different.map(|planned| (planned.was.as_ref(), &planned.now)).collect();
    products::keep(tx, &changed).await?;
    let ids: Vec<_> = changed.iter().map(|(_, now)| now.id.as_str()).collect();

    let recounts: Vec<_> = planned.iter().flat_map(|planned| &planned.recounts).collect();
    levels::recount(tx, store, &recounts).await?;
    let turned: Vec<_> =
        recounts.iter().filter(|it| it.turns()).map(|it| it.now.id.as_str()).collect();
    Ok(changes::note(tx, &ids, &turned).await?)
}

/// Handles were free when they were looked for.
fn conflict(error: store::Error) -> Error {
    match error {
        store::Error::AlreadyExists { .. } => Error::ImportConflict,
        error => Error::Store(error),
    }
}
