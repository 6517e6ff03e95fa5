//! Who may call what: every role against every RPC, cell by cell, and the page that says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use contract::mesh::v1::Access;
use harness::{Engine, Harness};
use mesh::failure::DOMAIN;
use mesh::policy::Method;
use mesh::{Context, Status};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic_types::StatusExt;

use crate::pages;
use crate::parts::parts;

/// Callers that are no role: without a credential, without an account, and the mesh itself.
const NOBODY: &str = "nobody";
const GUEST: &str = "guest";
const SERVICE: &str = "service";

async fn everything() -> Harness {
    Harness::start(Engine::Sqlite, parts()).await
}

/// Every RPC of Tradewind, by its path.
fn methods(harness: &Harness) -> BTreeMap<String, &Method> {
    let all = harness.mesh.policies().methods();
    all.filter(|method| method.path.starts_with("/tradewind."))
        .map(|method| (method.path.to_string(), &**method))
        .collect()
}

/// Every kind of caller, by its name.
fn callers(harness: &Harness) -> Vec<(&'static str, Context)> {
    let mut callers = vec![(NOBODY, harness.nobody()), (GUEST, harness.as_guest("gst_1"))];
    for role in tradewind::roles::roles().into_keys() {
        callers.push((role, harness.as_user("usr_1", &[role], mesh::caller::DEFAULT_PROJECT)));
    }
    callers.push((SERVICE, harness.as_service("orders", None)));
    callers
}

/// What the contract and the roles say.
fn may(method: &Method, caller: &str) -> bool {
    match method.access() {
        Access::Public => true,
        Access::SignedIn => caller != NOBODY,
        Access::Permission => {
            let roles = tradewind::roles::roles();
            let held = roles.get(caller).is_some_and(|it| it.contains(&*method.rpc.permission));
            held || caller == SERVICE
        }
        Access::Internal => caller == SERVICE,
        Access::Unspecified => false,
    }
}

/// Whether the mesh lets a caller through to the handler, which may refuse an empty message.
async fn is_let_through(harness: &Harness, path: &str, context: &Context) -> bool {
    let request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .body(Body::new(http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]))))
        .unwrap();
    let mut channel = harness.peer("catalog").of(context);
    let response = channel.call(request).await.unwrap();
    // What the layers refuse has its status in the headers, and the mesh as its domain.
    let status = Status::from_header_map(response.headers());
    let reason = status.and_then(|status| status.get_details_error_info());
    let refused = ["UNAUTHENTICATED", "PERMISSION_DENIED", "SERVICES_ONLY"];
    !reason.is_some_and(|info| info.domain == DOMAIN && refused.contains(&&*info.reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_call_what_the_contracts_say_and_nothing_else() {
    let harness = everything().await;
    let methods = methods(&harness);
    assert!(methods.len() > 50, "{} RPCs", methods.len());

    for (path, method) in &methods {
        for (caller, context) in callers(&harness) {
            let let_through = is_let_through(&harness, path, &context).await;
            assert_eq!(let_through, may(method, caller), "{caller} calls {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_who_may_call_what_is_what_the_contracts_say() {
    let harness = everything().await;
    let callers: Vec<_> = callers(&harness).into_iter().map(|(name, _)| name).collect();
    let mut page = String::from(
        "# Who may call what\n\nMade from the contracts and `src/roles.rs`; a test compares it.\n\n",
    );
    writeln!(page, "| RPC | {} |", callers.join(" | ")).unwrap();
    writeln!(page, "|---|{}", "---|".repeat(callers.len())).unwrap();
    for (path, method) in methods(&harness) {
        let rpc = path.trim_start_matches("/tradewind.").replace(".v1.", " ").replace('/', ".");
        let cells: Vec<_> =
            callers.iter().map(|caller| if may(method, caller) { "✓" } else { "" }).collect();
        writeln!(page, "| {rpc} | {} |", cells.join(" | ")).unwrap();
    }

    pages::keep("access.md", &page);
}
