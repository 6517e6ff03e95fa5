//! Migrations leave replicas of the version before working: tables grow, and shrink only where that is said.

use crate::hold;
use crate::source::{FILES, SOURCES, root};

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

#[test]
fn what_takes_tables_or_columns_away_says_which_versions_go_on() {
    let mut violations = Vec::new();
    for (path, start, ..) in SHRINKING {
        let file = path.rsplit('/').next().unwrap_or_default();
        let said = SOURCES.iter().any(|source| is_contracting(&source.text, file));
        if !start.starts_with("DROP INDEX ") && !said {
            violations.push(format!(
                "{path}: `{start}` takes away what versions work with, so it is made with `Migration::contracting`, \
                 which names the migration that a version must know"
            ));
        }
    }
    hold(&violations);
}

/// Whether code makes the migration of a file as one that takes something away.
fn is_contracting(code: &str, file: &str) -> bool {
    let before = code.split_once(&format!("migrations/{file}\"")).map(|(before, _)| before);
    let made = before.and_then(|before| before.rsplit("Migration::").next());
    made.is_some_and(|made| made.starts_with("contracting("))
}

#[test]
fn a_migration_that_contracts_is_told_from_one_that_does_not() {
    let code = r#"&[Migration::new("1", include_str!("../migrations/1.sql")),
        Migration::contracting("2", include_str!("../migrations/2.sql"), "1")]"#;

    assert!(is_contracting(code, "2.sql"));
    assert!(!is_contracting(code, "1.sql") && !is_contracting(code, "3.sql"));
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
    let added: Vec<_> = statements.iter().filter_map(|(_, it)| added(it)).collect();
    let is_new = |table: Option<&str>| table.is_some_and(|table| made.contains(&table));
    let judged = statements.iter().filter_map(|(line, statement)| {
        let capitals = statement.to_uppercase();
        let problem = match capitals.split_once(' ').map_or(&*capitals, |(verb, _)| verb) {
            "DROP" | "TRUNCATE" => "takes something away",
            "DELETE" if !is_new(table_of(statement, "DELETE FROM ")) => "takes rows away",
            "UPDATE" if !is_new(table_of(statement, "UPDATE ")) => rewrites(statement, &added)?,
            "ALTER" if !is_new(table_of(statement, "ALTER TABLE ")) => altered(&capitals)?,
            "CREATE" => created(&capitals, is_new(indexed(statement)))?,
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "PRAGMA" | "VACUUM" => {
                "is not for a transaction, which all pending migrations of a service are together"
            }
            verb if verb.starts_with("/*") => {
                "begins with a comment that hides it: say it behind `--`"
            }
            _ => return None,
        };
        Some((*line, statement.clone(), problem))
    });
    judged.collect()
}

/// What is wrong with something that is made, in capitals.
fn created(statement: &str, is_of_new_table: bool) -> Option<&'static str> {
    if statement.starts_with("CREATE UNIQUE INDEX ") && !is_of_new_table {
        return Some("refuses rows that an older replica writes");
    }
    if statement.contains(" CONCURRENTLY ") {
        return Some(
            "is not for a transaction, which all pending migrations of a service are together",
        );
    }
    let acts =
        ["CREATE TRIGGER ", "CREATE OR REPLACE TRIGGER ", "CREATE CONSTRAINT ", "CREATE RULE "];
    let is_acting = acts.iter().any(|words| statement.starts_with(words));
    is_acting.then_some("acts on what an older replica writes")
}

/// What is wrong with rows that are written anew: only what is added with them is no older replica's.
fn rewrites(statement: &str, added: &[(&str, &str)]) -> Option<&'static str> {
    let table = table_of(statement, "UPDATE ")?;
    let (_, rest) = statement.split_once(" SET ")?;
    let set = rest.split(" WHERE ").next().unwrap_or_default();
    // A comma in an expression makes a part without `=`, or one that is refused: then it is to be named.
    let columns =
        set.split(", ").filter_map(|part| part.split_once(" = ").map(|(column, _)| column.trim()));
    let is_own = |column: &str| added.contains(&(table, column));
    (!columns.into_iter().all(is_own)).then_some("changes what an older replica has written")
}

/// The table and the column that a statement adds.
fn added(statement: &str) -> Option<(&str, &str)> {
    let table = table_of(statement, "ALTER TABLE ")?;
    let rest = statement.split_once(" ADD ")?.1;
    let rest = rest.strip_prefix("COLUMN ").unwrap_or(rest);
    Some((table, rest.trim_start_matches("IF NOT EXISTS ").split(' ').next()?))
}

/// What is wrong with a change of a table, in capitals. `COLUMN` may be left out in all of them.
fn altered(statement: &str) -> Option<&'static str> {
    if statement.contains(" RENAME ") || statement.contains(" DROP ") {
        return Some("takes a name away that an older replica uses");
    }
    if statement.match_indices("ALTER ").count() > 1 {
        return Some("changes a column that an older replica writes");
    }
    let constrains =
        [" ADD CONSTRAINT ", " ADD CHECK", " ADD UNIQUE", " ADD PRIMARY ", " ADD FOREIGN "];
    if constrains.iter().any(|word| statement.contains(word)) {
        return Some("refuses rows that an older replica writes");
    }
    if !statement.contains(" ADD ") {
        return Some("changes a table that an older replica uses");
    }
    if statement.contains(" NOT NULL") && !statement.contains(" DEFAULT ") {
        return Some("adds a column that an older replica leaves out, without a default");
    }
    // Rows without a value are equal by its default.
    let repeats = statement.contains(" UNIQUE") || statement.contains(" PRIMARY KEY");
    repeats.then_some("refuses rows that an older replica writes")
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
        "ALTER TABLE a DROP b;",
        "alter table a rename b to c;",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL;",
        "ALTER TABLE a ALTER b TYPE BIGINT;",
        "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;",
        "ALTER TABLE a ADD b TEXT NOT NULL;",
        "ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '' UNIQUE;",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);",
        "ALTER TABLE a ADD CHECK (b > 0);",
        "ALTER TABLE a ENABLE ROW LEVEL SECURITY;",
        "CREATE UNIQUE INDEX a_by_b ON a (b);",
        "CREATE TRIGGER a_b BEFORE INSERT ON a EXECUTE FUNCTION c();",
        "CREATE INDEX CONCURRENTLY a_by_b ON a (b);",
        "TRUNCATE a;",
        "DELETE FROM a WHERE b = 1;",
        "UPDATE a SET b = 1;",
        "ALTER TABLE a ADD COLUMN c TEXT; UPDATE a SET c = b, b = '';",
        "COMMIT;",
        "/* made anew */ DROP TABLE a;",
    ] {
        assert_eq!(refused(sql), 1, "{sql}");
    }
    for sql in [
        "CREATE TABLE a (b TEXT NOT NULL); CREATE UNIQUE INDEX a_by_b ON a (b);",
        "ALTER TABLE a ADD COLUMN b TEXT;",
        "ALTER TABLE a ADD COLUMN b BIGINT NOT NULL DEFAULT 0;",
        "ALTER TABLE a ADD COLUMN b TEXT; UPDATE a SET b = c WHERE d = 1;",
        "CREATE TABLE a (b TEXT); INSERT INTO a (b) VALUES (''); UPDATE a SET b = 'c';",
        "INSERT INTO a (b) VALUES ('');",
        "-- DROP TABLE a;\nCREATE INDEX a_by_b ON a (b);",
    ] {
        assert_eq!(refused(sql), 0, "{sql}");
    }
}
