//! The tests' client, over the mesh's channel.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mesh::CancellationToken;

use super::cases::CASES;
use crate::serving;

/// The longest that one case may take.
const LONGEST: Duration = Duration::from_secs(20);

/// Runs cases against a server; says of each whether it holds, and answers whether all do.
pub(crate) async fn run(address: String, named: &[String]) -> Result<bool> {
    if let Some(unknown) = named.iter().find(|name| CASES.iter().all(|case| case.name != **name)) {
        bail!("there is no case `{unknown}`");
    }
    let stop = CancellationToken::new();
    let mesh = serving::mesh(Vec::new(), HashMap::from([("interop", address)]), &stop)?;
    let mut all_hold = true;
    let chosen = |name: &str| named.is_empty() || named.iter().any(|it| it == name);
    for case in CASES.iter().filter(|case| chosen(case.name)) {
        let running = tokio::time::timeout(LONGEST, (case.run)(mesh.channel("interop")));
        let outcome = running.await.context("it did not end").and_then(|ended| ended);
        all_hold &= outcome.is_ok();
        match outcome {
            Ok(()) => writeln!(std::io::stdout(), "ok {}", case.name)?,
            Err(error) => writeln!(std::io::stdout(), "FAILED {}: {error:#}", case.name)?,
        }
    }
    Ok(all_hold)
}
