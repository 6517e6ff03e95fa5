//! What a product is and may become.

use std::collections::HashSet;

use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::{Product, Variant};

use crate::error::Error;

/// How the column of the status says that a product is sold.
pub(crate) const ACTIVE: &str = "ACTIVE";
/// How it says that the merchant alone sees it.
pub(crate) const DRAFT: &str = "DRAFT";

/// Makes a new product whole: it is a draft unless it says otherwise, and its variants get ids.
pub(crate) fn new(mut product: Product, next_id: impl Fn() -> String) -> Result<Product, Error> {
    product.id = String::new();
    if product.status() == Status::Unspecified {
        product.set_status(Status::Draft);
    }
    for variant in &mut product.variants {
        variant.id = next_id();
    }
    check(&product)?;
    Ok(product)
}

/// Puts a product in the place of what it was. A variant is the one with its id, else the one with
/// its option values, else a new one.
pub(crate) fn changed(
    was: &Product,
    mut product: Product,
    next_id: impl Fn() -> String,
) -> Result<Product, Error> {
    if product.status() == Status::Unspecified {
        product.set_status(was.status());
    }
    product.id.clone_from(&was.id);
    product.create_time = was.create_time;
    product.update_time = was.update_time;
    for (position, variant) in product.variants.iter_mut().enumerate() {
        let same = |known: &&Variant| {
            if variant.id.is_empty() {
                known.option_values == variant.option_values
            } else {
                known.id == variant.id
            }
        };
        match was.variants.iter().find(same) {
            Some(known) => variant.id.clone_from(&known.id),
            None if variant.id.is_empty() => variant.id = next_id(),
            None => {
                return Err(invalid(
                    format!("product.variants[{position}].id"),
                    format!("product {} has no variant {}", was.id, variant.id),
                ));
            }
        }
    }
    check(&product)?;
    Ok(product)
}

/// Puts an imported product in the place of the one with its handle: feeds know neither ids nor etags.
pub(crate) fn imported(
    was: &Product,
    mut product: Product,
    next_id: impl Fn() -> String,
) -> Result<Product, Error> {
    for variant in &mut product.variants {
        variant.id.clear();
    }
    product.etag.clone_from(&was.etag);
    changed(was, product, next_id)
}

/// Takes a product from sale.
pub(crate) fn archived(mut product: Product) -> Product {
    product.set_status(Status::Archived);
    product
}

/// Whether everyone may see it.
pub(crate) fn is_public(product: &Product) -> bool {
    match product.status() {
        Status::Active => true,
        Status::Unspecified | Status::Draft | Status::Archived => false,
    }
}

/// A filter over what everyone may see.
pub(crate) fn public_filter(filter: &str) -> String {
    if filter.trim().is_empty() {
        format!("status = {ACTIVE}")
    } else {
        format!("status = {ACTIVE} AND ({filter})")
    }
}

/// Its status as a column says it.
pub(crate) fn status_name(product: &Product) -> &'static str {
    product.status().as_str_name().trim_start_matches("STATUS_")
}

/// What the contract's rules cannot say: what holds between fields.
fn check(product: &Product) -> Result<(), Error> {
    let mut categories = HashSet::new();
    if let Some(at) = product.category_ids.iter().position(|id| !categories.insert(id)) {
        return Err(invalid(format!("product.category_ids[{at}]"), "it is there twice".into()));
    }
    let mut combinations = HashSet::new();
    let mut ids = HashSet::new();
    let mut currency = None;
    for (position, variant) in product.variants.iter().enumerate() {
        let field = |name: &str| format!("product.variants[{position}].{name}");
        if variant.option_values.len() != product.options.len() {
            let problem = format!(
                "there are {} options, so a variant has as many option values, not {}",
                product.options.len(),
                variant.option_values.len()
            );
            return Err(invalid(field("option_values"), problem));
        }
        for (value, option) in variant.option_values.iter().zip(&product.options) {
            if !option.values.contains(value) {
                let problem = format!("`{value}` is not a value of the option {}", option.name);
                return Err(invalid(field("option_values"), problem));
            }
        }
        if !combinations.insert(&variant.option_values) {
            return Err(invalid(field("option_values"), "another variant has the same".into()));
        }
        if !ids.insert(&variant.id) {
            return Err(invalid(field("id"), "another variant has the same".into()));
        }
        for (name, money) in
            [("price", &variant.price), ("compare_at_price", &variant.compare_at_price)]
        {
            let Some(money) = money else { continue };
            if money.minor < 0 {
                return Err(invalid(field(name), "it must not be below 0".into()));
            }
            if *currency.get_or_insert(&money.currency_code) != &money.currency_code {
                return Err(invalid(field(name), "all prices have one currency".into()));
            }
        }
    }
    Ok(())
}

/// Refuses a category that there is not.
pub(crate) fn stands_in(product: &Product, known: &HashSet<String>) -> Result<(), Error> {
    match product.category_ids.iter().position(|id| !known.contains(id)) {
        None => Ok(()),
        Some(at) => Err(invalid(
            format!("product.category_ids[{at}]"),
            format!("there is no category {}", product.category_ids[at]),
        )),
    }
}

fn invalid(field: String, problem: String) -> Error {
    Error::InvalidProduct { field, problem }
}

#[cfg(test)]
mod tests {
    use tradewind::catalog::v1::Option as Choice;
    use tradewind::money::v1::Money;

    use super::*;

    fn shirt(sizes: &[&str]) -> Product {
        let variant = |size: &&str| Variant {
            option_values: vec![(*size).into()],
            price: Some(Money::new(1000, "EUR")),
            ..Variant::default()
        };
        let values = sizes.iter().map(|size| (*size).into()).collect();
        Product {
            title: "Shirt".into(),
            options: vec![Choice { name: "Size".into(), values }],
            variants: sizes.iter().map(variant).collect(),
            ..Product::default()
        }
    }

    fn numbered() -> impl Fn() -> String {
        let next = std::cell::Cell::new(0);
        move || {
            next.set(next.get() + 1);
            format!("var_{}", next.get())
        }
    }

    #[test]
    fn a_variant_keeps_its_id_by_its_option_values() {
        let ids = numbered();
        let was = new(shirt(&["S", "M"]), &ids).unwrap();

        let now = changed(&was, shirt(&["M", "L"]), &ids).unwrap();

        assert_eq!(now.variants[0].id, was.variants[1].id);
        assert_eq!(now.variants[1].id, "var_3");
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_its_field() {
        let mut twice = shirt(&["S", "S"]);
        twice.options[0].values = vec!["S".into()];
        let mut unknown = shirt(&["S"]);
        unknown.options[0].values = vec!["M".into()];
        let mut mixed = shirt(&["S", "M"]);
        mixed.variants[1].price = Some(Money::new(1000, "USD"));

        for (product, at) in [
            (twice, "product.variants[1].option_values"),
            (unknown, "product.variants[0].option_values"),
            (mixed, "product.variants[1].price"),
        ] {
            let Err(Error::InvalidProduct { field, .. }) = new(product, numbered()) else {
                panic!("{at} was not refused")
            };
            assert_eq!(field, at);
        }
    }
}
