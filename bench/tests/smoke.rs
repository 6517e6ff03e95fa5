//! The bench runs: every row comes to a figure. How fast anything is, no test says.

use std::path::Path;
use std::process::Command;

/// Every row of the table, in its order.
const ROWS: [&str; 39] = [
    "near",
    "near-edge",
    "near-tracing",
    "channel-1",
    "channel-64",
    "channel-256",
    "channel-layers",
    "channel-go",
    "channel-allocations",
    "product-cached",
    "product-store",
    "product-tracing",
    "rest-cached",
    "rest-store",
    "order-postgres",
    "order-latency",
    "order-commits",
    "order-settled",
    "order-sqlite",
    "order-fsyncs",
    "order-settled-sqlite",
    "group-commit",
    "order-sqlite-64",
    "order-fsyncs-64",
    "ledger-batch",
    "ledger-spread",
    "ledger-many",
    "event-near",
    "event-near-sqlite",
    "event-redis",
    "list",
    "search",
    "import",
    "tasks-pending",
    "tasks-pending-sqlite",
    "start",
    "start-new",
    "memory-idle",
    "memory-load",
];

#[test]
fn every_row_comes_to_a_figure() {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let short = ["run", "--rounds", "1", "--seconds", "0.2"];
    let small = ["--products", "100", "--large", "0", "--scale", "1", "--pending", "2000"];

    let output = Command::new(bench).args(short).args(small).output().unwrap();

    let table = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{table}\n{errors}");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| row "))
        .map(|line| line.split(" | ").collect())
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0].trim_start_matches("| ")).collect();
    assert_eq!(names, ROWS, "{errors}");
    // A peer that cannot be had here says so.
    for row in rows.iter().filter(|row| !row[2].starts_with("skipped: ")) {
        assert!(row[2].contains(|letter: char| ('1'..='9').contains(&letter)), "{row:?}");
    }
}
