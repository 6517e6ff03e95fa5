//! A short run of the faults: what takes seconds. `make faults` and `make durability` run all of it, for minutes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

#[test]
fn what_can_be_tried_in_seconds_holds() {
    holds("run");
}

#[test]
fn what_is_acknowledged_outlives_databases_services_and_a_full_disk() {
    holds("durable");
}

fn holds(what: &str) {
    let ran = Command::new(env!("CARGO_BIN_EXE_faults")).args([what, "--smoke"]).output().unwrap();

    let (table, said) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told = table.lines().filter(|line| line.to_lowercase().starts_with("skipped: "));
    told.for_each(|line| eprintln!("{line}"));
    assert!(ran.status.success(), "{table}\n{said}");
}
