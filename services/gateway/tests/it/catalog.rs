//! The catalog's real contract, answered by a real server of two RPCs.

use std::future::{Ready, ready};

use http::{Request, Response};
use mesh::{Channel, Code, Detail, Status};
use serde_json::{Value, json};
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tower::service_fn;
use tradewind::catalog::v1::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, ListProductsResponse, Product,
    Variant,
};
use tradewind::money::v1::Money;

use crate::support::{asking, get, post, send, shop};

struct GetProduct;

impl UnaryService<GetProductRequest> for GetProduct {
    type Response = Product;
    type Future = Ready<Result<tonic::Response<Product>, Status>>;

    fn call(&mut self, request: tonic::Request<GetProductRequest>) -> Self::Future {
        let id = request.into_inner().id;
        if id != "prd_1" {
            let sentence = format!("product {id} does not exist");
            let detail = Detail::default();
            let domain = "catalog.tradewind";
            return ready(Err(mesh::refuse(
                Code::NotFound,
                domain,
                "PRODUCT_NOT_FOUND",
                &sentence,
                detail,
            )));
        }
        let product = Product { id, title: "A shirt".into(), ..Product::default() };
        let mut response = tonic::Response::new(product);
        response.metadata_mut().insert("etag", "\"7\"".parse().unwrap());
        ready(Ok(response))
    }
}

struct CreateProduct;

impl UnaryService<CreateProductRequest> for CreateProduct {
    type Response = Product;
    type Future = Ready<Result<tonic::Response<Product>, Status>>;

    fn call(&mut self, request: tonic::Request<CreateProductRequest>) -> Self::Future {
        let key = request.metadata().get("idempotency-key").cloned();
        let mut response = tonic::Response::new(request.into_inner().product.unwrap());
        if key.is_some() {
            response.metadata_mut().insert("idempotency-replayed", "true".parse().unwrap());
        }
        ready(Ok(response))
    }
}

struct ListProducts;

impl UnaryService<ListProductsRequest> for ListProducts {
    type Response = ListProductsResponse;
    type Future = Ready<Result<tonic::Response<ListProductsResponse>, Status>>;

    fn call(&mut self, _: tonic::Request<ListProductsRequest>) -> Self::Future {
        let variant = |id: &str, minor| Variant {
            id: id.into(),
            price: Some(Money { currency_code: "EUR".into(), minor }),
            ..Variant::default()
        };
        let shirt = Product {
            id: "prd_1".into(),
            title: "A <shirt>".into(),
            variants: vec![variant("var_1", 1900), variant("var_2", 1250)],
            ..Product::default()
        };
        let page = ListProductsResponse { products: vec![shirt], ..Default::default() };
        ready(Ok(tonic::Response::new(page)))
    }
}

/// The catalog near by, through tonic's server and the codec that checks.
pub(crate) fn channel() -> Channel {
    Channel::new(service_fn(|request: Request<Body>| async move {
        Ok::<Response<Body>, Status>(match request.uri().path().rsplit('/').next() {
            Some("GetProduct") => {
                let codec = contract::codec::Validated::default();
                Grpc::new(codec).unary(GetProduct, request).await
            }
            Some("ListProducts") => {
                let codec = contract::codec::Validated::default();
                Grpc::new(codec).unary(ListProducts, request).await
            }
            Some("CreateProduct") => {
                let codec = contract::codec::Validated::default();
                Grpc::new(codec).unary(CreateProduct, request).await
            }
            _ => Status::unimplemented("").into_http(),
        })
    }))
}

fn shirt() -> Value {
    json!({
        "handle": "a-shirt",
        "title": "A shirt",
        "status": "STATUS_ACTIVE",
        "variants": [{ "sku": "S", "price": { "currencyCode": "EUR", "minor": "1250" } }],
    })
}

#[tokio::test]
async fn a_product_is_read_by_its_path() {
    let answer = send(&shop(), get("/v1/products/prd_1")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("etag"), "\"7\"");
    assert_eq!(answer.json()["title"], "A shirt");
}

#[tokio::test]
async fn default_values_are_written_and_absent_messages_are_not() {
    let product = send(&shop(), get("/v1/products/prd_1")).await.json();

    assert_eq!(product["variants"], json!([]));
    assert_eq!(product["productType"], "");
    assert_eq!(product["status"], "STATUS_UNSPECIFIED");
    assert_eq!(product.get("createTime"), None);
}

#[tokio::test]
async fn a_product_is_made_from_the_body_and_sixty_four_bit_integers_are_strings() {
    let answer = send(&shop(), post("/v1/products", &shirt().to_string())).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["variants"][0]["price"]["minor"], "1250");
}

#[tokio::test]
async fn proto_names_are_understood_beside_json_names() {
    let mut product = shirt();
    product["product_type"] = json!("Shirts");
    product["categoryIds"] = json!(["cat_1"]);

    let made = send(&shop(), post("/v1/products", &product.to_string())).await.json();

    assert_eq!(made["productType"], "Shirts");
    assert_eq!(made["categoryIds"], json!(["cat_1"]));
}

#[tokio::test]
async fn the_idempotency_key_goes_in_and_the_mark_of_a_replay_comes_out() {
    let request = asking("POST", "/v1/products")
        .header("content-type", "application/json; charset=utf-8")
        .header("idempotency-key", "once")
        .body(shirt().to_string().into());

    let answer = send(&shop(), request.unwrap()).await;

    assert_eq!(answer.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_missing_product_is_404_with_its_reason() {
    let answer = send(&shop(), get("/v1/products/prd_2")).await;

    assert_eq!(answer.failure(), (404, "PRODUCT_NOT_FOUND".into()));
    let error = &answer.json()["error"];
    assert_eq!(error["code"], 404);
    assert_eq!(error["status"], "NOT_FOUND");
    assert_eq!(error["message"], "product prd_2 does not exist");
    let info = &error["details"][0];
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(info["domain"], "catalog.tradewind");
}

#[tokio::test]
async fn a_rule_of_the_contract_is_told_with_the_field() {
    let mut product = shirt();
    product["title"] = json!("");

    let answer = send(&shop(), post("/v1/products", &product.to_string())).await;

    assert_eq!(answer.failure(), (400, "INVALID_REQUEST".into()));
    assert_eq!(answer.field(), "product.title");
}

#[tokio::test]
async fn an_unknown_field_is_refused_with_its_path() {
    let mut product = shirt();
    product["variants"][0]["colour"] = json!("red");

    let answer = send(&shop(), post("/v1/products", &product.to_string())).await;

    assert_eq!(answer.failure(), (400, "INVALID_FIELD".into()));
    assert_eq!(answer.field(), "product.variants[0].colour");
}

#[tokio::test]
async fn a_wrong_type_is_refused_with_its_path() {
    let mut product = shirt();
    product["variants"][0]["price"]["minor"] = json!({});

    let answer = send(&shop(), post("/v1/products", &product.to_string())).await;

    assert_eq!(answer.failure(), (400, "INVALID_FIELD".into()));
    assert_eq!(answer.field(), "product.variants[0].price.minor");
}
