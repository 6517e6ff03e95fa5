//! Products by what else they are known by, and what is written beside them.

use std::collections::{HashMap, HashSet};

use contract::Malformed;
use prost::Message;
use store::{Error, Reader, Row, Tx};
use tradewind::catalog::v1::{Product, Variant, VariantOffer};

use super::{LONGEST_LIST, ROWS, handles_in, ids_in, padded, places, rows};
use crate::product::ACTIVE;

/// A product as it was, if it was, and as it is now.
pub(crate) type Changed<'p> = (Option<&'p Product>, &'p Product);

/// The product with a handle.
pub(crate) async fn by_handle(reader: &Reader, handle: &str) -> Result<Option<Product>, Error> {
    reader.select("handle = $2").bind(handle).fetch_optional().await
}

/// The products with these handles, held, by their handles.
pub(crate) async fn hold_by_handles(
    tx: &mut Tx,
    handles: &[&str],
) -> Result<HashMap<String, Product>, Error> {
    let mut products = HashMap::new();
    for handles in handles.chunks(LONGEST_LIST) {
        let handles = padded(handles);
        let mut select = tx.select::<Product>(handles_in(handles.len())).lock();
        for handle in handles {
            select = select.bind(handle);
        }
        let found = select.fetch_all().await?;
        products.extend(found.into_iter().map(|product| (product.handle.clone(), product)));
    }
    Ok(products)
}

/// The products with these ids, by their ids.
pub(crate) async fn by_ids(
    reader: &Reader,
    ids: &[&str],
) -> Result<HashMap<String, Product>, Error> {
    let mut products = HashMap::new();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let mut select = reader.select::<Product>(ids_in(ids.len()));
        for id in ids {
            select = select.bind(id);
        }
        let found = select.fetch_all().await?;
        products.extend(found.into_iter().map(|product| (product.id.clone(), product)));
    }
    Ok(products)
}

/// Which of these products have a variant that can be bought, as far as stock goes.
pub(crate) async fn in_stock(reader: &Reader, ids: &[&str]) -> Result<HashSet<String>, Error> {
    let mut in_stock = HashSet::new();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let sql = format!(
            "SELECT DISTINCT v.product_id FROM variants v \
             LEFT JOIN stock_levels s ON s.project = v.project AND s.id = v.id \
             WHERE v.project = $1 AND v.product_id IN ({}) \
             AND (s.id IS NULL OR s.on_hand > s.reserved)",
            places(2, ids.len())
        );
        for row in reader.query(sql).bind_all(ids).fetch_all().await? {
            in_stock.insert(row.get("product_id")?);
        }
    }
    Ok(in_stock)
}

/// What is known of a variant by its own id.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) offer: VariantOffer,
    /// That of its product, as its column says it.
    pub(crate) status: String,
}

/// What there is of these variants, by their ids: at most as many as one `IN` list holds.
pub(crate) async fn offers(
    reader: &Reader,
    ids: &[&str],
) -> Result<HashMap<String, Offered>, Error> {
    let ids = padded(ids);
    let sql = format!(
        "SELECT v.product_id, v.product_title, v.status, v.variant, s.on_hand, s.reserved \
         FROM variants v LEFT JOIN stock_levels s ON s.project = v.project AND s.id = v.id \
         WHERE v.project = $1 AND v.id IN ({})",
        places(2, ids.len())
    );
    let found = reader.query(sql).bind_all(ids).fetch_all().await?;
    let offers = found.iter().map(|row| {
        let offered = offered(row)?;
        let id = offered.offer.variant.as_ref().map(|variant| variant.id.clone());
        Ok((id.unwrap_or_default(), offered))
    });
    offers.collect()
}

fn offered(row: &Row) -> Result<Offered, Error> {
    let variant = Variant::decode(row.get::<Vec<u8>>("variant")?.as_slice())
        .map_err(|_| Error::Malformed(Malformed { column: "variant".into() }))?;
    let on_hand: Option<i64> = row.get("on_hand")?;
    let reserved: Option<i64> = row.get("reserved")?;
    let status: String = row.get("status")?;
    let offer = VariantOffer {
        variant: Some(variant),
        product_id: row.get("product_id")?,
        product_title: row.get("product_title")?,
        sold: status == ACTIVE,
        available: on_hand.zip(reserved).map(|(on_hand, reserved)| on_hand - reserved),
    };
    Ok(Offered { offer, status })
}

/// Keeps what is asked of changed products by other ids than theirs: variants and categories.
pub(crate) async fn keep(tx: &mut Tx, changed: &[Changed<'_>]) -> Result<(), Error> {
    forget_variants(tx, changed).await?;
    keep_variants(tx, changed).await?;
    keep_categories(tx, changed).await
}

async fn forget_variants(tx: &mut Tx, changed: &[Changed<'_>]) -> Result<(), Error> {
    let mut gone = Vec::new();
    for (was, now) in changed {
        let kept: HashSet<_> = now.variants.iter().map(|variant| &variant.id).collect();
        let before = was.iter().flat_map(|was| &was.variants).map(|variant| &variant.id);
        gone.extend(before.filter(|id| !kept.contains(id)).map(String::as_str));
    }
    for ids in gone.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let list = places(2, ids.len());
        let sql = format!("DELETE FROM variants WHERE project = $1 AND id IN ({list})");
        tx.query(sql).bind_all(ids).execute().await?;
    }
    Ok(())
}

async fn keep_variants(tx: &mut Tx, changed: &[Changed<'_>]) -> Result<(), Error> {
    let mut kept = Vec::new();
    for (was, now) in changed {
        // What all variants show of their product is written to each of them.
        let anew = was.is_none_or(|was| was.title != now.title || was.status != now.status);
        let known: HashMap<_, _> = was
            .iter()
            .flat_map(|was| &was.variants)
            .map(|variant| (variant.id.as_str(), variant))
            .collect();
        let differs = |variant: &&Variant| anew || known.get(variant.id.as_str()) != Some(variant);
        kept.extend(now.variants.iter().filter(differs).map(|variant| (*now, variant)));
    }
    for chunk in kept.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO variants (project, id, product_id, product_title, status, variant) \
             VALUES ($1, {}) ON CONFLICT (project, id) DO UPDATE SET \
             product_title = excluded.product_title, status = excluded.status, \
             variant = excluded.variant",
            rows(chunk.len(), 1, 5)
        );
        let mut insert = tx.query(sql);
        for (product, variant) in chunk {
            insert = insert
                .bind(&variant.id)
                .bind(&product.id)
                .bind(&product.title)
                .bind(crate::product::status_name(product))
                .bind(variant.encode_to_vec());
        }
        insert.execute().await?;
    }
    Ok(())
}

async fn keep_categories(tx: &mut Tx, changed: &[Changed<'_>]) -> Result<(), Error> {
    let moved: Vec<_> = changed
        .iter()
        .filter(|(was, now)| {
            was.map_or(&[][..], |was| &was.category_ids[..]) != &now.category_ids[..]
        })
        .collect();
    let stood: Vec<_> = moved.iter().filter_map(|(was, _)| *was).map(|was| &*was.id).collect();
    for ids in stood.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let list = places(2, ids.len());
        let sql =
            format!("DELETE FROM product_categories WHERE project = $1 AND product_id IN ({list})");
        tx.query(sql).bind_all(ids).execute().await?;
    }
    let stand: Vec<_> = moved
        .iter()
        .flat_map(|(_, now)| now.category_ids.iter().map(|category| [category, &now.id]))
        .collect();
    for chunk in stand.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO product_categories (project, category_id, product_id) VALUES ($1, {})",
            rows(chunk.len(), 1, 2)
        );
        tx.query(sql).bind_all(chunk.iter().flatten().copied()).execute().await?;
    }
    Ok(())
}
