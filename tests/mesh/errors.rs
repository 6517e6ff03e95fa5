//! The page of all errors, `docs/errors.md`: made of each crate's table of codes and reasons.

mod advice;
mod source;

use std::collections::BTreeSet;
use std::fmt::Write;

use self::advice::{ADVICE, BY_CODE, BY_DYNAMIC, ELSEWHERE};
use self::source::{Failure, failures};

use crate::pages;

/// Whose tables there are, in the order of the page: what a caller meets first, first.
const TABLES: [(&str, &str, &str); 10] = [
    ("Every call", "mesh/src/failure.rs", "mesh.tradewind"),
    ("The gateway", "services/gateway/src/errors.rs", "gateway.tradewind"),
    ("Whatever is stored", "store/src/error.rs", "store.tradewind"),
    ("Users", "services/users/src/error.rs", "users.tradewind"),
    ("Catalog", "services/catalog/src/error.rs", "catalog.tradewind"),
    ("Cart", "services/cart/src/error.rs", "cart.tradewind"),
    ("Orders", "services/orders/src/error.rs", "orders.tradewind"),
    ("Payments", "services/payments/src/error.rs", "payments.tradewind"),
    ("Ledger", "services/ledger/src/error.rs", "ledger.tradewind"),
    ("Notifications", "services/notifications/src/error.rs", "notifications.tradewind"),
];

const HEAD: &str = "\
# Errors

Every reason for which a call is refused or fails, with its cause and what to do. Made from the tables in the crates'
`error.rs`, with the advice of `tests/mesh/errors/advice.rs`; a test compares it.

Each failure has a code, one of gRPC's, and a reason, which programs tell failures apart by: `ErrorInfo` in the details,
with the domain of who refused; over REST `error.details[].reason`. Texts are for people, and may change; reasons stay.
`internal error` is said where the cause is nobody's business outside: the log of the process has it, with the trace id of
the answer's `trace-id` header. Some reasons have a status of their own over HTTP: the gateway's README lists them.

## What a code asks for

| code | HTTP | what to do |
|---|---|---|
";

fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (code, http, action) in BY_CODE {
        writeln!(page, "| `{code}` | {http} | {action} |").unwrap();
    }
    for (title, path, domain) in TABLES {
        writeln!(page, "\n## {title}\n\nDomain `{domain}`.\n").unwrap();
        page.push_str(
            "| reason | code | what it says | cause | what to do |\n|---|---|---|---|---|\n",
        );
        for failure in failures(&read(path)) {
            let Failure { code, sentence, cause, .. } = &failure;
            let (reason, advice) = (shown(&failure), advice(&failure).unwrap_or_default());
            writeln!(page, "| {reason} | `{code}` | {sentence} | {cause} | {advice} |").unwrap();
        }
    }
    page.push_str("\n## Elsewhere\n\n| reason | code | what to do |\n|---|---|---|\n");
    for (reason, code, advice) in ELSEWHERE {
        writeln!(page, "| `{reason}` | `{code}` | {advice} |").unwrap();
    }
    page
}

/// The reason, or the form of those that differ by what they are of.
fn shown(failure: &Failure) -> String {
    match &failure.reason {
        Some(reason) => format!("`{reason}`"),
        None => dynamic(failure).map(|(shown, _)| shown.to_owned()).unwrap_or_default(),
    }
}

fn dynamic(failure: &Failure) -> Option<(&'static str, &'static str)> {
    let found = BY_DYNAMIC.iter().find(|(variant, ..)| *variant == failure.variant);
    found.map(|(_, shown, advice)| (*shown, *advice))
}

fn advice(failure: &Failure) -> Option<&'static str> {
    match &failure.reason {
        Some(reason) => ADVICE.iter().find(|(known, _)| known == reason).map(|(_, advice)| *advice),
        None => dynamic(failure).map(|(_, advice)| advice),
    }
}

#[test]
fn the_page_of_errors_is_what_the_tables_say() {
    let page = page();

    pages::keep("errors.md", &page);
}

#[test]
fn every_reason_has_a_sentence_a_cause_and_something_to_do() {
    for (_, path, _) in TABLES {
        let text = read(path);
        let failures = failures(&text);
        let arms = source::verdict(&text).matches("Code::").count();
        assert_eq!(failures.len(), arms, "{path}: an arm of its table was not read");
        for failure in &failures {
            let name = format!("{path}: {} ({})", failure.variant, shown(failure));
            assert!(
                advice(failure).is_some(),
                "{name} has no advice in tests/mesh/errors/advice.rs"
            );
            assert!(!failure.sentence.is_empty(), "{name} says nothing");
            let code = BY_CODE.iter().any(|(code, ..)| *code == failure.code);
            assert!(code, "{name}: what does its code {} ask for?", failure.code);
        }
    }
}

#[test]
fn no_advice_is_for_what_is_not_there() {
    let known: BTreeSet<String> = TABLES
        .iter()
        .flat_map(|(_, path, _)| failures(&read(path)))
        .filter_map(|it| it.reason)
        .collect();

    for (reason, _) in ADVICE {
        assert!(known.contains(*reason), "no table has {reason}");
    }
}
