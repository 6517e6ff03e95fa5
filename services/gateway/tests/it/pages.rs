//! What the edge answers by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::{asking, get, parrot, parrot_with, post, ready_when, send, shop};

#[tokio::test]
async fn health_is_always_well_and_readiness_is_asked() {
    let ready = Arc::new(AtomicBool::new(false));
    let gateway = parrot_with(ready_when(ready.clone()));

    let before = send(&gateway, get("/readyz")).await;
    ready.store(true, Ordering::Relaxed);
    let after = send(&gateway, get("/readyz")).await;

    assert_eq!(send(&gateway, get("/healthz")).await.status, 200);
    assert_eq!((before.status, after.status), (503, 200));
}

#[tokio::test]
async fn the_document_describes_paths_bodies_and_rules() {
    let api = send(&shop(), get("/openapi.json")).await.json();

    assert_eq!(api["openapi"], "3.1.0");
    let read = &api["paths"]["/v1/products/{id}"]["get"];
    assert_eq!(read["operationId"], "CatalogService_GetProduct");
    assert_eq!(read["summary"], "One product, with its variants");
    assert_eq!(read["parameters"][0]["in"], "path");
    assert_eq!(read["parameters"][0]["schema"]["maxLength"], 200);
    assert_eq!(read["security"], json!([{}, { "bearer": [] }]));
    let make = &api["paths"]["/v1/products"]["post"];
    let body = &make["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(*body, "#/components/schemas/tradewind.catalog.v1.Product");
    assert!(make["description"].as_str().unwrap().contains("catalog.write"));
    assert_eq!(make["parameters"][0]["name"], "idempotency-key");

    let schemas = &api["components"]["schemas"];
    let product = &schemas["tradewind.catalog.v1.Product"]["properties"];
    assert_eq!(product["title"]["minLength"], 1);
    assert_eq!(product["handle"]["pattern"], "^[a-z0-9]+(-[a-z0-9]+)*$");
    assert_eq!(product["tags"]["maxItems"], 250);
    assert_eq!(product["tags"]["items"]["maxLength"], 255);
    assert_eq!(product["createTime"]["format"], "date-time");
    assert_eq!(schemas["tradewind.money.v1.Money"]["properties"]["minor"]["type"], "string");
    assert!(schemas["tradewind.catalog.v1.Product.Status"]["enum"][2] == "STATUS_ACTIVE");
    assert!(schemas["Error"].is_object());
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    for gateway in [shop(), parrot()] {
        let text = send(&gateway, get("/openapi.json")).await.text().to_owned();
        let api: serde_json::Value = serde_json::from_str(&text).unwrap();
        for part in text.split(r#""$ref":"#).skip(1) {
            let reference = part.split('"').nth(1).unwrap().trim_start_matches('#');
            assert!(api.pointer(reference).is_some(), "{reference}");
        }
    }
}

#[tokio::test]
async fn the_document_has_the_whole_grammar_and_nothing_internal() {
    let answer = send(&parrot(), get("/openapi.json")).await;

    let api = answer.json();
    let paths = &api["paths"];
    assert_eq!(
        paths["/v1/{name}"]["put"]["parameters"][0]["schema"]["pattern"],
        "^shelves/[^/]+/books/[^/]+$"
    );
    assert!(paths["/v1/echo/{name}:shout"]["post"].is_object());
    let follow = &paths["/v1/follow"]["get"]["responses"]["200"]["content"];
    assert!(follow["application/x-ndjson"].is_object() && follow["text/event-stream"].is_object());
    assert!(paths["/v1/files/{name}"]["get"]["responses"]["200"]["content"]["*/*"].is_object());
    assert!(!answer.text().contains("hidden") && !answer.text().contains("Hidden"));
    let query = paths["/v1/echo/{name}"]["get"]["parameters"].as_array().unwrap();
    assert!(query.iter().any(|it| it["name"] == "inner.snakeCase" && it["in"] == "query"));
}

#[tokio::test]
async fn the_pages_need_nothing_from_elsewhere() {
    let home = asking("GET", "/").header("host", "shop.example").body("".into()).unwrap();
    let home = send(&shop(), home).await;
    let docs = send(&shop(), get("/docs")).await;

    for page in [&home, &docs] {
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        for outside in ["src=", "<script", "<link", "@import", " style=", "onclick", "url("] {
            assert!(!page.text().contains(outside), "{outside}");
        }
    }
    assert!(home.text().contains("curl http://shop.example/healthz"));
    assert!(docs.text().contains("<code>/v1/products/<var>{id}</var></code>"));
    assert!(docs.text().contains("id=\"tradewind.money.v1.Money\""));
}

#[tokio::test]
async fn pages_are_only_read() {
    let answer = send(&shop(), post("/healthz", "{}")).await;

    assert_eq!(answer.failure(), (405, "METHOD_NOT_ALLOWED".into()));
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn the_first_page_shows_what_is_sold_and_how_to_buy_it() {
    let page = send(&shop(), get("/")).await;

    let text = page.text();
    assert!(text.contains("<a href=\"/v1/products/prd_1\">A &lt;shirt&gt;</a>"), "{text}");
    assert!(text.contains("from 12.50 EUR"), "{text}");
    assert!(text.contains("VARIANT=var_1"), "{text}");
    assert!(text.contains("The catalog answers") && text.contains("Ready for traffic"));
    assert!(text.contains("href=\"/docs#tradewind.catalog.v1.CatalogService\""));
}

#[tokio::test]
async fn the_first_page_stands_when_the_catalog_does_not() {
    let gateway = gateway::Gateway::new(
        &[contract::DESCRIPTORS, tradewind::DESCRIPTORS],
        |_| None,
        gateway::Options::default(),
    );

    let page = send(&gateway.unwrap(), get("/")).await;

    assert_eq!(page.status, 200);
    assert!(page.text().contains("is not running here at the moment"), "{}", page.text());
    assert!(page.text().contains("<li class=\"down\">The catalog does not answer</li>"));
}

#[tokio::test]
async fn every_link_within_the_reference_leads_somewhere() {
    for gateway in [shop(), parrot()] {
        let docs = send(&gateway, get("/docs")).await;
        let links = docs.text().split("href=\"#").skip(1);
        for anchor in links.map(|part| part.split('"').next().unwrap()) {
            assert!(docs.text().contains(&format!(" id=\"{anchor}\"")), "{anchor}");
        }
    }
}
