//! One order, one trace: through every process, to its tasks and to the consumers of its events.

mod jaeger;
mod told;

use std::collections::BTreeSet;

use mesh_testing::otlp::Collector;
use serde_json::json;
use store_testing::Engine;

use self::jaeger::Jaeger;
use self::told::{Told, Tree};
use crate::customer::{Person, order};
use crate::http::{Answer, text};
use crate::sample::product;
use crate::world::{Shape, World};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The click that asks for the order; no process of the mesh knows more of it.
const CLICK: &str = "00f067aa0ba902b7";
const SERVICES: [&str; 8] =
    ["gateway", "users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
/// What must follow an order by itself, as its tasks and the consumers of its events.
const FOLLOWS: [(&str, &str); 5] = [
    ("orders", "task commit_stock"),
    ("payments", "task settle_attempt"),
    ("cart", "consume tradewind.orders.v1.OrderConfirmed"),
    ("notifications", "consume tradewind.orders.v1.OrderConfirmed"),
    ("orders", "consume tradewind.payments.v1.PaymentChanged"),
];

/// Places an order whose trace the caller keeps, in a mesh that begins none of its own.
async fn place(world: &World) -> Answer {
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "traced", 5).await;
    let guest = Person::guest(world.gateway).await;
    guest.post("/v1/cart/lines", json!({"variantId": variant, "quantity": 1})).await;
    let click = format!("00-{TRACE}-{CLICK}-01");
    let headers = [("idempotency-key", "traced"), ("traceparent", &click)];
    let placed = guest.send(http::Method::POST, "/v1/orders", &headers, order(&[], "sim_ok")).await;
    assert_eq!(placed.text("/order/state"), "STATE_CONFIRMED", "{placed:?}");
    placed
}

/// Whether all that an order comes to has been told, each span with its parent.
fn is_whole(tree: &Tree) -> bool {
    let services: BTreeSet<_> = tree.spans.iter().map(|span| span.service.as_str()).collect();
    let has = |(service, name): &(&str, &str)| {
        tree.spans.iter().any(|span| span.service == *service && span.name == *name)
    };
    SERVICES.iter().all(|service| services.contains(service))
        && FOLLOWS.iter().all(has)
        && tree.orphans(CLICK).is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_through_every_process_its_tasks_and_its_consumers() {
    let collector = Collector::start().unwrap();
    let more = ["--otlp", &collector.address(), "--sample", "0"];
    let world = World::start_with(Shape::Far, Engine::Postgres, &more).await;

    let placed = place(&world).await;
    let whole =
        collector.until(|collector| Some(Tree::of(&collector.spans())).filter(is_whole)).await;
    let tree = whole.unwrap_or_else(|| panic!("{}", Tree::of(&collector.spans())));

    assert_eq!(placed.trace.as_deref(), Some(TRACE));
    let page = text(world.admin(), "/metrics").await;
    let leads = format!("# {{trace_id=\"{TRACE}\"}} ");
    let bucket = page.lines().find(|line| line.contains(&leads));
    let bucket = bucket.unwrap_or_else(|| panic!("no time leads to the trace: {page}"));
    assert!(bucket.starts_with("grpc_client_"), "the gateway only calls others: {bucket}");
    // Nothing else is kept, so that whatever has come is of the order.
    assert!(tree.spans.iter().all(|span| span.trace == TRACE), "{tree}");
    assert!(tree.spans.iter().all(|span| !span.failed), "{tree}");
    for span in &tree.spans {
        assert_placed(&tree, span);
    }
    for (service, name) in FOLLOWS {
        let span = tree.spans.iter().find(|it| it.service == service && it.name == name).unwrap();
        assert!(tree.is_below(span, "Recv.tradewind.orders.v1.OrdersService.PlaceOrder"), "{tree}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jaeger_answers_with_the_whole_trace_of_an_order() {
    let Some(jaeger) = Jaeger::start().await else { return };
    let more = ["--otlp", &jaeger.otlp(), "--otlp-signals", "traces", "--sample", "0"];
    let world = World::start_with(Shape::Far, Engine::Postgres, &more).await;

    let placed = place(&world).await;
    let tree = jaeger.until(placed.trace.as_deref().unwrap(), is_whole).await;

    let named = |name: &str| tree.spans.iter().filter(|span| span.name == name).count();
    assert_eq!(named("Recv.tradewind.orders.v1.OrdersService.PlaceOrder"), 1, "{tree}");
    assert_eq!(named("Recv.tradewind.catalog.v1.StockService.Reserve"), 1, "{tree}");
    for span in &tree.spans {
        assert_placed(&tree, span);
    }
}

/// A span stands where gRFC A72 has it: `Sent`, then its tries, then where it arrives.
fn assert_placed(tree: &Tree, span: &Told) {
    let Some((kind, rpc)) = span.name.split_once('.') else { return };
    let parent = tree.spans.iter().find(|parent| parent.id == span.parent);
    match (kind, parent) {
        ("Attempt", Some(parent)) => {
            assert_eq!(parent.name, format!("Sent.{rpc}"), "{tree}");
            assert_eq!(parent.service, span.service, "{tree}");
        }
        ("Recv", Some(parent)) => {
            assert_eq!(parent.name, format!("Attempt.{rpc}"), "{tree}");
            assert_ne!(parent.service, span.service, "{tree}");
        }
        ("Sent", Some(parent)) => {
            assert!(!parent.name.starts_with("Sent.") && !parent.name.starts_with("Attempt."));
            assert_eq!(parent.service, span.service, "{tree}");
        }
        ("Sent", None) => {
            assert_eq!((span.service.as_str(), span.parent.as_str()), ("gateway", CLICK));
        }
        _ => {}
    }
    if let Some(parent) = parent {
        assert!(parent.begun <= span.begun, "{} begins before its parent\n{tree}", span.name);
    }
}
