//! An axum server with serde, as its documentation has it: products from memory, as JSON.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use axum::extract::{Path as InPath, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A product as the gateway writes it; what it leaves out is left out here too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Product {
    id: String,
    handle: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(rename = "productType", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Vec<Choice>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variants: Option<Vec<Variant>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<Vec<Image>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Choice {
    name: String,
    values: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Variant {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    option_values: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compare_at_price: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_grams: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_shipping: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taxable: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Money {
    currency_code: String,
    minor: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alt_text: Option<String>,
}

/// All products, for as long as the process runs: nothing is copied for an answer.
type Shelf = &'static HashMap<String, Product>;

/// Serves the products of a file.
pub(crate) async fn serve(listener: TcpListener, file: &Path) -> Result<()> {
    let products: Vec<Product> = serde_json::from_slice(&std::fs::read(file)?)?;
    let shelf: HashMap<String, Product> =
        products.into_iter().map(|product| (product.id.clone(), product)).collect();
    let shelf: Shelf = Box::leak(Box::new(shelf));
    let router = Router::new().route("/v1/products/{id}", get(product)).with_state(shelf);
    Ok(axum::serve(axum::serve::ListenerExt::tap_io(listener, without_delay), router).await?)
}

async fn product(
    State(shelf): State<Shelf>,
    InPath(id): InPath<String>,
) -> Result<Json<&'static Product>, StatusCode> {
    shelf.get(&id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

fn without_delay(stream: &mut tokio::net::TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        crate::tell(&format!("a connection of the peer is slower than it could be: {error}"));
    }
}
