//! A short run of the simulator: what takes seconds. `make simulate` runs as many histories as it is asked for.

use std::process::Command;

#[test]
fn a_few_histories_break_nothing() {
    let words = ["run", "--histories", "40", "--within", "8"];

    let ran = Command::new(env!("CARGO_BIN_EXE_simulator")).args(words).output().unwrap();

    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_planted_bug_is_found_by_its_seed() {
    for bug in ["skips-inbox", "forgets-stock"] {
        let words = ["planted", "--only", bug, "--within", "10", "--reruns", "1"];

        let ran = Command::new(env!("CARGO_BIN_EXE_simulator")).args(words).output().unwrap();

        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn no_statement_of_a_checkout_reads_a_whole_table() {
    let ran = Command::new(env!("CARGO_BIN_EXE_simulator")).arg("plans").output().unwrap();

    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}
