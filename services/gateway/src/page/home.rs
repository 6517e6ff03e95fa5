//! The page at `/`: what this is, how it is, what is sold, and how to buy it. It needs nothing from elsewhere.

use std::fmt::Write;
use std::sync::Arc;

use http::request::Parts;

use super::html::{Place, document, escape, inline};
use super::shelf::Shelf;
use crate::edge::Edge;
use crate::openapi::{Comments, first_sentence};
use crate::rpc::Rpc;

/// A service of the contracts, as the page tells of it.
#[derive(Debug)]
pub(super) struct Service {
    name: String,
    full_name: String,
    summary: String,
    rpcs: usize,
}

/// The services that can be called from outside.
pub(super) fn services(comments: &Comments, rpcs: &[Arc<Rpc>]) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for rpc in rpcs {
        let service = rpc.method.parent_service();
        match services.last_mut().filter(|it| it.full_name == service.full_name()) {
            Some(known) => known.rpcs += 1,
            None => services.push(Service {
                name: service.name().to_owned(),
                full_name: service.full_name().to_owned(),
                summary: first_sentence(&comments.of(&service.parent_file(), service.path()))
                    .to_owned(),
                rpcs: 1,
            }),
        }
    }
    services
}

/// The page, for the caller of a request. Writing to a string cannot fail, so its results are dropped.
pub(super) async fn page(
    edge: &Edge,
    services: &[Service],
    asked: &Parts,
    host: &str,
    ready: bool,
) -> String {
    let shelf = Shelf::ask(edge, asked).await;
    let mut body = format!(
        "<main id=\"main\" class=\"page\">\n<section>\n<h1>A commerce mesh, answering.</h1>\n\
         <p class=\"lead\">Everything a shop needs to sell, get paid and deliver, on one port: REST with JSON, \
         Connect, gRPC-Web and gRPC, all from the same contracts.</p>\n{}</section>\n",
        states(ready, &shelf),
    );
    let products = shelf.html();
    if !products.is_empty() {
        let _ = write!(
            body,
            "<section aria-labelledby=\"shop\">\n<h2 id=\"shop\">In the shop</h2>\n\
             <p class=\"quiet\">As the catalog has it now. Each leads to the product itself, as JSON.</p>\n\
             {products}</section>\n",
        );
    }
    if edge.rpc("/tradewind.orders.v1.OrdersService/PlaceOrder").is_some() {
        body.push_str(&buying(host, shelf.variant()));
    }
    body.push_str(&ways(edge, host));
    body.push_str(&listed(edge, services));
    let _ = write!(
        body,
        "</main>\n<footer>Tradewind {}. This page is made by the gateway; it loads nothing from elsewhere and \
         runs no script.</footer>",
        env!("CARGO_PKG_VERSION"),
    );
    let description = "A commerce mesh: REST, Connect, gRPC-Web and gRPC on one port.";
    document(Place::Home, "Tradewind", description, &body)
}

fn states(ready: bool, shelf: &Shelf) -> String {
    let state = |well: bool, text: &str| {
        let class = if well { "" } else { " class=\"down\"" };
        format!("<li{class}>{text}</li>\n")
    };
    let mut states =
        state(ready, if ready { "Ready for traffic" } else { "Not ready for traffic" });
    states.push_str(&match shelf {
        Shelf::None => String::new(),
        Shelf::Stocked(_) => state(true, "The catalog answers"),
        Shelf::Closed(_) => state(false, "The catalog does not answer"),
    });
    format!("<ul class=\"states\" aria-label=\"Health\">\n{states}</ul>\n")
}

const JSON: &str = "-H 'content-type: application/json'";

/// A purchase, command by command, in a shell's own words.
fn buying(host: &str, variant: Option<&str>) -> String {
    let variant = variant.map_or_else(
        || {
            format!(
                "VARIANT=$(curl -s 'http://{host}/v1/products' | grep -o 'var_[0-9a-z]*' | head -1)"
            )
        },
        |variant| format!("VARIANT={variant}"),
    );
    let steps = [
        (
            "Come in as a guest.",
            format!(
                "TOKEN=$(curl -s http://{host}/v1/sessions:guest {JSON} -d '{{}}' \\\n  \
                 | sed 's/.*\"accessToken\":\"\\([^\"]*\\)\".*/\\1/')"
            ),
        ),
        ("Choose what to buy.", variant),
        (
            "Put two in the cart.",
            format!(
                "curl -s http://{host}/v1/cart/lines \\\n  -H \"authorization: Bearer $TOKEN\" {JSON} \\\n  \
                 -d \"{{\\\"variantId\\\":\\\"$VARIANT\\\",\\\"quantity\\\":2}}\""
            ),
        ),
        (
            "Place the order. The key makes a repeat the same order.",
            format!(
                "ORDER=$(curl -s http://{host}/v1/orders \\\n  -H \"authorization: Bearer $TOKEN\" {JSON} \\\n  \
                 -H \"idempotency-key: $(date +%s%N)\" \\\n  -d '{ORDER}' \\\n  \
                 | grep -o 'ord_[0-9a-z]*' | head -1)"
            ),
        ),
        (
            "See what became of it.",
            format!("curl -s http://{host}/v1/orders/$ORDER -H \"authorization: Bearer $TOKEN\""),
        ),
    ];
    let steps = steps.map(|(what, command)| {
        format!("<li><p>{what}</p>\n<pre tabindex=\"0\">{}</pre></li>\n", escape(&command))
    });
    format!(
        "<section aria-labelledby=\"buy\">\n<h2 id=\"buy\">Buy something</h2>\n\
         <p class=\"quiet\">Five commands for a terminal; a click selects one whole. <code>sim_ok</code> is a \
         card of the built-in payment simulator; <code>sim_declined</code> and \
         <code>sim_requires_action</code> are others.</p>\n<ol class=\"steps\">\n{}</ol>\n</section>\n",
        steps.concat(),
    )
}

const ORDER: &str = "{\"email\":\"ada@example.com\",\"shippingAddress\":{\"recipient\":\"Ada\",\
    \"lines\":[\"Quay 7\"],\"city\":\"Hamburg\",\"countryCode\":\"DE\"},\"paymentMethod\":\"sim_ok\"}";

/// The same question in each protocol.
fn ways(edge: &Edge, host: &str) -> String {
    let search = "/tradewind.catalog.v1.CatalogService/SearchProducts";
    let mut ways = Vec::new();
    if edge.rpc(search).is_some() {
        ways.push(("REST", format!("curl 'http://{host}/v1/products:search?query=shirt'")));
        ways.push((
            "Connect",
            format!("curl http://{host}{search} \\\n  {JSON} -d '{{\"query\":\"shirt\"}}'"),
        ));
        ways.push((
            "gRPC",
            format!(
                "grpcurl -plaintext -d '{{\"query\":\"shirt\"}}' {host} {}",
                search.trim_start_matches('/')
            ),
        ));
    }
    ways.push(("What there is", format!("grpcurl -plaintext {host} list")));
    ways.push(("OpenAPI 3.1", format!("curl http://{host}/openapi.json")));
    ways.push(("Health", format!("curl http://{host}/healthz")));
    let ways = ways.iter().map(|(name, command)| {
        format!("<div><h3>{name}</h3>\n<pre tabindex=\"0\">{}</pre></div>\n", escape(command))
    });
    format!(
        "<section aria-labelledby=\"ways\">\n<h2 id=\"ways\">One question, every protocol</h2>\n\
         <div class=\"ways\">\n{}</div>\n</section>\n",
        ways.collect::<String>(),
    )
}

fn listed(edge: &Edge, services: &[Service]) -> String {
    let row = |service: &Service| {
        let way = edge.has_way_to(&service.full_name);
        format!(
            "<tr><td><a href=\"/docs#{full}\">{name}</a></td><td>{summary}</td><td>{rpcs}</td><td>{way}</td></tr>\n",
            full = escape(&service.full_name),
            name = escape(&service.name),
            summary = inline(&service.summary),
            rpcs = service.rpcs,
            way = if way { "reachable" } else { "not reachable" },
        )
    };
    format!(
        "<section aria-labelledby=\"services\">\n<h2 id=\"services\">Services</h2>\n\
         <table class=\"services\">\n<thead><tr><th scope=\"col\">Service</th><th scope=\"col\">What it does</th>\
         <th scope=\"col\">RPCs</th><th scope=\"col\">From here</th></tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</section>\n",
        services.iter().map(row).collect::<String>(),
    )
}
