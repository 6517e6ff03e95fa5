//! Writers of several processes over one book.

use std::sync::Arc;

use ::store::{Config, Database, Store};
use mesh::{Bus, Changes, Clock, Ids, Status, async_trait};
use store_testing::Engine;
use tokio::task::JoinSet;
use tradewind::ledger::v1::{Account, Transfer};

use super::*;

/// A ledger has no events.
struct Nowhere;

#[async_trait]
impl Bus for Nowhere {
    fn consumers(&self, _: &str) -> Vec<&'static str> {
        Vec::new()
    }

    async fn deliver(
        &self,
        _: &Context,
        _: &'static str,
        _: Vec<contract::mesh::v1::Event>,
    ) -> Result<(), Status> {
        Ok(())
    }
}

async fn open(database: Database, clock: &Clock) -> Store {
    let config = Config {
        service: crate::NAME,
        database,
        migrations: crate::MIGRATIONS,
        bus: Arc::new(Nowhere),
        changes: Changes::default(),
        clock: clock.clone(),
        ids: Ids::new(clock.clone()),
        pace: ::store::Pace::default(),
        keep: ::store::Keep::default(),
        metrics: ::store::Metrics::default(),
        chaos: None,
    };
    Store::open(config).await.unwrap()
}

/// In each project, `w` may not owe, and has 100 of `cash`.
async fn fund(store: &Store, writer: &Writer, projects: &[&str]) {
    for project in projects {
        let context = Context::new(Caller::service("ledger", *project, None), "test", Trace::NONE);
        let account = |id: &str| Account {
            id: id.into(),
            currency_code: "EUR".into(),
            debits_must_not_exceed_credits: id == "w",
            ..Account::default()
        };
        let accounts = ["cash", "w", "sales"].map(account);
        let mut tx = store.begin_for(&context).await.unwrap();
        sql::accounts::insert(&mut tx, &accounts.iter().collect::<Vec<_>>(), 0).await.unwrap();
        tx.commit().await.unwrap();
        let fund = vec![transfer("fund", "cash", "w", 100)];
        writer.write(project, fund, Trace::NONE).await.unwrap();
    }
}

fn transfer(id: &str, debit: &str, credit: &str, amount: i64) -> Transfer {
    Transfer {
        id: id.into(),
        debit_account_id: debit.into(),
        credit_account_id: credit.into(),
        amount,
        currency_code: "EUR".into(),
        ..Transfer::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_never_overspend_together_nor_wait_for_each_other() {
    const PROJECTS: [&str; 4] = ["north", "east", "south", "west"];
    let database = store_testing::database(Engine::Postgres).await;
    let clock = Clock::at(1_767_225_600_000_000);
    let mut writers = Vec::new();
    for _ in 0..3 {
        writers.push(Writer::new(open(database.open(), &clock).await));
    }
    fund(&writers[0].store, &writers[0], &PROJECTS).await;

    let mut calls = JoinSet::new();
    for call in 0..192_usize {
        let writer = writers[call % 3].clone();
        let project = PROJECTS[call / 3 % 4];
        let spent = vec![transfer(&format!("t{call}"), "w", "sales", 10)];
        calls.spawn(async move { writer.write(project, spent, Trace::NONE).await.unwrap() });
    }
    let codes = calls.join_all().await.concat();

    let made = codes.iter().filter(|code| **code == Code::Unspecified).count();
    let refused = codes.iter().filter(|code| **code == Code::ExceedsCredits).count();
    assert_eq!((made, refused), (40, 152));
    for project in PROJECTS {
        let context = Context::new(Caller::service("ledger", project, None), "test", Trace::NONE);
        let report = crate::verify::verify(&writers[1].store.read(&context)).await.unwrap();
        assert!(report.problems.is_empty(), "{project}: {:?}", report.problems);
        assert_eq!(report.totals[0].debits_posted, 200, "{project}");
    }
}

#[tokio::test]
async fn calls_of_one_commit_are_told_of_its_failure_and_the_next_are_written() {
    let database = store_testing::database(Engine::Sqlite).await;
    let store = open(database.open(), &Clock::at(0)).await;
    let writer = Writer::new(store.clone());
    fund(&store, &writer, &["north"]).await;
    let bad = vec![transfer("t\0", "cash", "w", 1)];
    let good = vec![transfer("t1", "cash", "w", 1)];

    // Both are queued before the task that writes can run.
    let (failed, shared) = tokio::join!(
        writer.write("north", bad, Trace::NONE),
        writer.write("north", good.clone(), Trace::NONE),
    );
    let next = writer.write("north", good, Trace::NONE).await;

    for error in [failed.unwrap_err(), shared.unwrap_err()] {
        assert!(matches!(&error, Error::Write(cause) if matches!(**cause, ::store::Error::Nul)));
    }
    assert_eq!(next.unwrap(), [Code::Unspecified]);
}
