//! `pgbench`, which comes with PostgreSQL: TPC-B-like, prepared statements, as many clients as buyers.

use anyhow::{Context, Result, ensure};
use store_testing::{Engine, TestDatabase};
use tokio::process::Command;

use crate::machine::program_of_postgres;

/// Its tables, in a database of their own on the same server.
pub(crate) struct Pgbench {
    program: std::path::PathBuf,
    database: TestDatabase,
    clients: String,
    seconds: String,
}

impl Pgbench {
    pub(crate) async fn start(scale: u32, clients: usize, seconds: f64) -> Result<Self> {
        let program = program_of_postgres("pgbench")
            .context("pgbench is not installed; install Debian's package: postgresql-contrib")?;
        let database = store_testing::database(Engine::Postgres).await;
        // It counts in whole seconds.
        let seconds = format!("{:.0}", seconds.max(1.0));
        let pgbench = Self { program, database, clients: clients.to_string(), seconds };
        pgbench.said(&["--initialize", "--quiet", "--scale", &scale.to_string()]).await?;
        Ok(pgbench)
    }

    /// Transactions a second, by its own count.
    pub(crate) async fn rate(&self) -> Result<f64> {
        let (clients, seconds) = (&self.clients, &self.seconds);
        let load =
            ["--protocol", "prepared", "--client", clients, "--jobs", "2", "--time", seconds];
        let said = self.said(&load).await?;
        let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let number = line.and_then(|line| line.split(' ').next());
        Ok(number.with_context(|| format!("pgbench said no rate: {said}"))?.parse()?)
    }

    async fn said(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        let output = command.args(arguments).arg(self.database.location()).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench: {errors}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
