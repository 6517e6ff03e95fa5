//! A short run of the faults: what takes seconds. `make faults` runs all of it, for minutes.

use std::process::Command;

#[test]
fn what_can_be_tried_in_seconds_holds() {
    let ran = Command::new(env!("CARGO_BIN_EXE_faults")).args(["run", "--smoke"]).output().unwrap();

    let (table, said) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told = table.lines().filter(|line| line.starts_with("skipped: "));
    told.for_each(|line| eprintln!("{line}"));
    assert!(ran.status.success(), "{table}\n{said}");
}
