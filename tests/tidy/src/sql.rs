//! Scope: a statement that a service writes by hand binds its project.

use crate::hold;
use crate::source::SOURCES;

/// Statements that reach over projects, each by where it stands, how it starts, and why.
const OVER_PROJECTS: [(&str, &str, &str); 7] = [
    (WATCH, "SELECT task FROM sagas WHERE kind", STUCK),
    (WATCH, "SELECT id FROM sagas WHERE update_time", STUCK),
    (WATCH, "DELETE FROM sagas WHERE update_time", STUCK),
    ("services/catalog/src/lib.rs", "UPDATE product_revision SET epoch", ONE_SEQUENCE),
    (CHANGES, "UPDATE product_revision SET revision", ONE_SEQUENCE),
    (CHANGES, "SELECT revision FROM product_revision", ONE_SEQUENCE),
    (CHANGES, "SELECT epoch FROM product_revision", ONE_SEQUENCE),
];
const CHANGES: &str = "services/catalog/src/store/changes.rs";
const WATCH: &str = "services/orders/src/sagas/watch.rs";
const STUCK: &str = "operators are told of stuck processes of all projects";
const ONE_SEQUENCE: &str = "one sequence numbers the changes of all projects for the search index";

const VERBS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

#[test]
fn a_statement_of_a_service_binds_its_project() {
    let mut violations = Vec::new();
    for source in SOURCES.iter().filter(|source| source.path.starts_with("services/")) {
        for literal in &source.lexed.strings {
            let text = literal.text.trim_start_matches(['\\', '\n', ' ']);
            let bound = text.contains("$1") || source.is_test(literal.offset);
            let named = OVER_PROJECTS
                .iter()
                .any(|(path, start, _)| source.path == *path && text.starts_with(start));
            if is_statement(text) && !bound && !named {
                violations.push(format!(
                    "{}: `{}`: compare the project with `$1`, or name it in tests/tidy/src/sql.rs with the reason",
                    source.place(literal.offset),
                    text.lines().next().unwrap_or_default().trim_end_matches('\\').trim_end()
                ));
            }
        }
    }
    hold(&violations);
}

fn is_statement(text: &str) -> bool {
    VERBS
        .iter()
        .any(|verb| text.strip_prefix(verb).is_some_and(|rest| rest.starts_with([' ', '\n', '\\'])))
}
