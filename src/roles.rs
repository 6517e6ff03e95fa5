//! What each role may do: the permissions that the contracts name.

use std::collections::{BTreeMap, BTreeSet};

/// What a merchant may do in a project.
const MERCHANT: &[&str] = &[
    "catalog.read",
    "catalog.write",
    "ledger.read",
    "notifications.read",
    "orders.manage",
    "orders.read",
    "payments.read",
    "projects.write",
];
/// What an administrator may do besides.
const ADMIN: &[&str] = &[
    "audit.read",
    "carts.read",
    "events.manage",
    "events.read",
    "sagas.manage",
    "tasks.manage",
    "tasks.read",
    "users.manage",
    "users.read",
];
/// What the administrator of the whole mesh may do besides.
const SUPERADMIN: &[&str] = &["events.replay", "projects.manage"];
/// What support may see.
const SUPPORT: &[&str] = &[
    "carts.read",
    "catalog.read",
    "notifications.read",
    "orders.read",
    "payments.read",
    "users.read",
];

/// Every role with its permissions. A customer has none: what is theirs, they reach as its owner.
const ROLES: &[(&str, &[&[&str]])] = &[
    ("customer", &[]),
    ("merchant", &[MERCHANT]),
    ("writer", &[]),
    ("supplier", &[&["catalog.read"]]),
    ("editor", &[&["catalog.read", "catalog.write"]]),
    ("support", &[SUPPORT]),
    ("admin", &[MERCHANT, ADMIN]),
    ("superadmin", &[MERCHANT, ADMIN, SUPERADMIN]),
];

/// The permissions of every role.
#[must_use]
pub fn roles() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    ROLES
        .iter()
        .map(|(role, sets)| (*role, sets.iter().flat_map(|set| set.iter().copied()).collect()))
        .collect()
}
