//! Migrations leave replicas of the version before working: tables grow, and shrink only where that is said.

use crate::hold;
use crate::source::{FILES, root};

/// Statements that take something away: where each stands, how it begins, the release that has it, and why
/// no version that still runs then misses it.
const SHRINKING: [(&str, &str, &str, &str); 3] = [
    ("store/migrations/0002_tasks.sql", "DROP INDEX store_tasks_due", "0.1.0", REPLACED),
    ("store/migrations/0003_outbox.sql", "DROP INDEX store_outbox_by_key", "0.1.0", REPLACED),
    ("store/migrations/0003_outbox.sql", "DROP INDEX store_outbox_by_consumer", "0.1.0", REPLACED),
];
const REPLACED: &str = "an index that no statement names, and another one takes its place";

const ADVICE: &str = "let tables grow first and shrink in a later release \
    (docs/decisions/0021-tables-grow-before-they-shrink.md), or name it in tests/tidy/src/migrations.rs with its release";

#[test]
fn a_migration_takes_nothing_away_that_the_version_before_works_with() {
    let mut violations = Vec::new();
    for name in FILES.iter().filter(|name| is_migration(name)) {
        let text = std::fs::read_to_string(root().join(name)).expect("a migration can be read");
        for (line, statement, problem) in problems(&text) {
            let is_named = SHRINKING
                .iter()
                .any(|(path, start, ..)| name == path && statement.starts_with(start));
            if !is_named {
                violations.push(format!("{name}:{line}: `{statement}` {problem}: {ADVICE}"));
            }
        }
    }
    hold(&violations);
}

#[test]
fn what_is_named_as_shrinking_is_there() {
    let mut violations = Vec::new();
    for (path, start, release, _) in SHRINKING {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        if !statements(&text).iter().any(|(_, statement)| statement.starts_with(start)) {
            violations
                .push(format!("{path}: `{start}` of {release} is not there: take it off the list"));
        }
    }
    hold(&violations);
}

fn is_migration(name: &str) -> bool {
    let is_sql = std::path::Path::new(name).extension().is_some_and(|it| it == "sql");
    is_sql && name.contains("/migrations/") && !name.contains("/tests/")
}

/// What an older replica would fail at, each with its line.
fn problems(text: &str) -> Vec<(usize, String, &'static str)> {
    let statements = statements(text);
    let made: Vec<_> =
        statements.iter().filter_map(|(_, it)| table_of(it, "CREATE TABLE ")).collect();
    let is_new = |table: Option<&str>| table.is_some_and(|table| made.contains(&table));
    let judged = statements.iter().filter_map(|(line, statement)| {
        let problem = match statement.to_uppercase().as_str() {
            it if it.starts_with("DROP ") => "takes something away",
            it if it.starts_with("CREATE UNIQUE INDEX ") && !is_new(indexed(statement)) => {
                "refuses rows that an older replica writes"
            }
            it if it.starts_with("ALTER TABLE ")
                && !is_new(table_of(statement, "ALTER TABLE ")) =>
            {
                altered(it)?
            }
            _ => return None,
        };
        Some((*line, statement.clone(), problem))
    });
    judged.collect()
}

/// What is wrong with a change of a table, in capitals.
fn altered(statement: &str) -> Option<&'static str> {
    if statement.contains(" RENAME ") || statement.contains(" DROP COLUMN ") {
        return Some("takes a name away that an older replica uses");
    }
    if statement.contains(" ALTER COLUMN ") {
        return Some("changes a column that an older replica writes");
    }
    let adds = statement.contains(" ADD COLUMN ");
    if adds && statement.contains(" NOT NULL") && !statement.contains(" DEFAULT ") {
        return Some("adds a column that an older replica leaves out, without a default");
    }
    let constrains = [" CHECK", " UNIQUE", " REFERENCES ", " ADD CONSTRAINT ", " PRIMARY KEY"];
    if !adds && constrains.iter().any(|word| statement.contains(word)) {
        return Some("refuses rows that an older replica writes");
    }
    None
}

/// The table that a statement is about, behind these words.
fn table_of<'s>(statement: &'s str, words: &str) -> Option<&'s str> {
    let rest = statement.strip_prefix(words)?;
    rest.trim_start_matches("IF NOT EXISTS ").split([' ', '(']).next()
}

/// The table of an index.
fn indexed(statement: &str) -> Option<&str> {
    statement.split_once(" ON ")?.1.split([' ', '(']).next()
}

/// The statements of a file, without comments and on one line each, with the line on which each begins.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements = Vec::new();
    let (mut begun, mut words) = (0, String::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.split("--").next().unwrap_or_default();
        for (part, ends) in pieces(line) {
            for word in part.split_whitespace() {
                if words.is_empty() {
                    begun = at + 1;
                } else {
                    words.push(' ');
                }
                words.push_str(word);
            }
            if ends && !words.is_empty() {
                statements.push((begun, std::mem::take(&mut words)));
            }
        }
    }
    statements
}

/// The parts of a line, each with whether a statement ends behind it.
fn pieces(line: &str) -> impl Iterator<Item = (&str, bool)> {
    let last = line.matches(';').count();
    line.split(';').enumerate().map(move |(at, part)| (part, at < last))
}

#[test]
fn what_an_older_replica_would_fail_at_is_found() {
    let refused = |sql: &str| problems(sql).len();

    for sql in [
        "DROP TABLE a;",
        "ALTER TABLE a RENAME TO b;",
        "ALTER TABLE a RENAME COLUMN b TO c;",
        "ALTER TABLE a\n    DROP COLUMN b;",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL;",
        "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);",
        "CREATE UNIQUE INDEX a_by_b ON a (b);",
    ] {
        assert_eq!(refused(sql), 1, "{sql}");
    }
    for sql in [
        "CREATE TABLE a (b TEXT NOT NULL); CREATE UNIQUE INDEX a_by_b ON a (b);",
        "ALTER TABLE a ADD COLUMN b TEXT;",
        "ALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 0;",
        "-- DROP TABLE a;\nCREATE INDEX a_by_b ON a (b);",
    ] {
        assert_eq!(refused(sql), 0, "{sql}");
    }
}
