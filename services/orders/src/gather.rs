//! What an order is made of: lines at the catalog's price now, the project's settings, the customer.

use std::collections::{HashMap, HashSet};

use mesh::{Context, HasContext, Principal, Status};
use tradewind::cart::v1::ListLinesRequest;
use tradewind::catalog::v1::{BatchGetVariantsRequest, VariantOffer};
use tradewind::orders::v1::{LineRequest, OrderLine, Quote};
use tradewind::users::v1::{GetMeRequest, GetProjectRequest, Project};

use crate::error::Error;
use crate::orders::Orders;
use crate::totals;

/// Prices what a caller asks for, or what is in their cart.
pub(crate) async fn quote(
    orders: &Orders,
    context: &Context,
    lines: Vec<LineRequest>,
) -> Result<(Quote, Project), Status> {
    let from_cart = lines.is_empty();
    let lines = if from_cart { cart(orders, context).await? } else { lines };
    refuse_twice(&lines)?;
    let ids = lines.iter().map(|line| line.variant_id.clone()).collect();
    let request = BatchGetVariantsRequest { ids };
    let offers = orders.catalog(context).batch_get_variants(request).await?.into_inner().offers;
    let project = orders.users(context).get_project(GetProjectRequest {}).await?.into_inner();
    let quote = totals::quote(priced(lines, offers)?, &project)?;
    Ok((quote, project))
}

/// Where mail about an order goes: where the request says, else to the account's address.
pub(crate) async fn email(
    orders: &Orders,
    context: &Context,
    asked: String,
) -> Result<String, Status> {
    let email = match (asked.trim(), context.caller.principal()) {
        ("", Principal::User { .. }) => {
            orders.users(context).get_me(GetMeRequest {}).await?.into_inner().email
        }
        ("", _) => return Err(Error::NoEmail.into()),
        (asked, _) => asked.to_owned(),
    };
    // The mail server judges the rest; this keeps out what is surely none.
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if !plausible || email.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(Error::InvalidEmail.into());
    }
    Ok(email)
}

async fn cart(orders: &Orders, context: &Context) -> Result<Vec<LineRequest>, Status> {
    let customer_id = context.caller.subject().unwrap_or_default().to_owned();
    let request = ListLinesRequest { customer_id };
    let lines = orders.cart(context).list_lines(request).await?.into_inner().lines;
    if lines.is_empty() {
        return Err(Error::NothingToOrder.into());
    }
    let lines = lines.into_iter();
    Ok(lines
        .map(|line| LineRequest { variant_id: line.variant_id, quantity: line.quantity })
        .collect())
}

fn refuse_twice(lines: &[LineRequest]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for (position, line) in lines.iter().enumerate() {
        if !seen.insert(line.variant_id.as_str()) {
            let field = format!("lines[{position}].variant_id");
            return Err(Error::Twice { field, variant_id: line.variant_id.clone() });
        }
    }
    Ok(())
}

fn priced(lines: Vec<LineRequest>, offers: Vec<VariantOffer>) -> Result<Vec<OrderLine>, Error> {
    let mut offers: HashMap<String, VariantOffer> = offers
        .into_iter()
        .filter(|offer| offer.sold)
        .filter_map(|offer| Some((offer.variant.as_ref()?.id.clone(), offer)))
        .collect();
    lines
        .into_iter()
        .enumerate()
        .map(|(position, line)| {
            let not_sold = || Error::NotSold {
                field: format!("lines[{position}].variant_id"),
                variant_id: line.variant_id.clone(),
            };
            let offer = offers.remove(&line.variant_id).ok_or_else(not_sold)?;
            let variant = offer.variant.unwrap_or_default();
            let price = variant.price.ok_or_else(not_sold)?;
            Ok(OrderLine {
                total: Some(price.checked_mul(line.quantity)?),
                price: Some(price),
                variant_id: line.variant_id,
                product_id: offer.product_id,
                title: offer.product_title,
                option_values: variant.option_values,
                sku: variant.sku,
                quantity: line.quantity,
                taxable: variant.taxable,
            })
        })
        .collect()
}

/// The customer of a request: its caller.
pub(crate) fn customer(from: &impl HasContext) -> String {
    from.context().caller.subject().unwrap_or_default().to_owned()
}
