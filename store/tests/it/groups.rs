//! Commits that share a write to the disk, on SQLite.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use mesh::Failure;
use proptest::prelude::*;
use store::{Error, Store};
use store_testing::Engine;
use tokio::runtime::Runtime;

use crate::notes::label;
use crate::world::{World, service};

/// What becomes of one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Commits,
    /// It writes, and is dropped.
    Drops,
    /// What it writes is refused.
    Refused,
}

async fn names(store: &Store) -> BTreeSet<String> {
    let shop = service("shop");
    let reader = store.read(&shop);
    let rows = reader.query("SELECT name FROM labels WHERE project = $1").fetch_all().await;
    rows.unwrap().iter().map(|row| row.get("name").unwrap()).collect()
}

/// Writes as its fate has it; whether it was told that it is kept, and by then is.
async fn write(store: Store, name: String, fate: Fate) -> bool {
    let mut tx = store.begin_for(&service("shop")).await.unwrap();
    tx.insert(label(name.clone())).await.unwrap();
    match fate {
        Fate::Commits => tx.commit().await.unwrap(),
        Fate::Drops => {
            drop(tx);
            return false;
        }
        Fate::Refused => {
            // The same name again.
            tx.insert(label(name)).await.unwrap_err();
            tx.commit().await.unwrap_err();
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_meet_share_a_commit_and_each_is_told_when_it_is_kept() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let before = (store.commits(), store.syncs());

    let writers = (0..64).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let name = format!("label {number}");
            assert!(write(store.clone(), name.clone(), Fate::Commits).await);
            // Readers have connections of their own, which see what is committed and nothing else.
            assert!(names(&store).await.contains(&name));
        })
    });
    join_all(writers).await.into_iter().for_each(|ended| ended.unwrap());

    let after = (store.commits(), store.syncs());
    assert_eq!(after.0 - before.0, 64);
    assert!(after.1 - before.1 <= 32, "{} commits waited for the disk", after.1 - before.1);
    assert_eq!(names(&store).await.len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_each_commits_alone_each_waits_for_the_disk() {
    let world = World::new(Engine::Sqlite).await;
    let database = world.database.open().committing_alone();
    let store = Store::open(world.config("notes", database)).await.unwrap();
    let before = store.syncs();

    let writers = (0..16)
        .map(|number| tokio::spawn(write(store.clone(), format!("label {number}"), Fate::Commits)));
    join_all(writers).await.into_iter().for_each(|ended| assert!(ended.unwrap()));

    assert_eq!(store.syncs() - before, 16);
    assert_eq!(names(&store).await.len(), 16);
}

#[tokio::test]
async fn a_writer_that_nobody_meets_commits_at_once() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;

    for number in 0..3 {
        let before = store.syncs();
        assert!(write(store.clone(), format!("label {number}"), Fate::Commits).await);
        assert_eq!(store.syncs(), before + 1);
    }
}

#[tokio::test]
async fn when_the_commit_of_a_group_fails_every_member_is_told() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    // A reference that is looked at as the transaction ends, and then leads nowhere.
    let mut tx = store.begin_for(&service("shop")).await.unwrap();
    let tables = "CREATE TABLE parents (id BIGINT PRIMARY KEY); \
         CREATE TABLE children (parent BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)";
    for table in tables.split("; ") {
        tx.unscoped(table).execute().await.unwrap();
    }
    tx.commit().await.unwrap();

    let writers = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut tx = store.begin_for(&service("shop")).await?;
            tx.insert(label(format!("label {number}"))).await?;
            if number == 3 {
                tx.unscoped("INSERT INTO children (parent) VALUES (1)").execute().await?;
            }
            tx.commit().await
        })
    });
    let told = join_all(writers).await.into_iter().map(|ended| ended.unwrap());
    let told: Vec<Result<(), Error>> = told.collect();

    let kept = names(&store).await;
    for (number, told) in told.iter().enumerate() {
        assert_eq!(told.is_ok(), kept.contains(&format!("label {number}")), "{number}: {told:?}");
    }
    assert!(told[3].is_err());
    // What was not kept can be written once more.
    assert!(write(store.clone(), "label 3".into(), Fate::Commits).await);
}

#[tokio::test]
async fn what_a_writer_reads_of_others_leaves_it_only_when_it_is_kept() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let found = async |waits: bool| {
        let shop = service("shop");
        let mut tx = store.begin_for(&shop).await.unwrap();
        let rows = tx.query("SELECT name FROM labels WHERE project = $1").fetch_all().await;
        let read: BTreeSet<String> =
            rows.unwrap().iter().map(|row| row.get("name").unwrap()).collect();
        if waits {
            tx.leave().await.unwrap();
        } else {
            // A handler that leaves early: its answer waits in the layers.
            drop(tx);
            shop.kept().await.unwrap();
        }
        (read, names(&store).await)
    };

    // They queue in this order, so that the readers find what the writers have not yet committed.
    let (_, _, left, dropped) = tokio::join!(
        write(store.clone(), "one".into(), Fate::Commits),
        write(store.clone(), "two".into(), Fate::Commits),
        found(true),
        found(false),
    );

    for (read, kept) in [left, dropped] {
        assert_eq!(read.len(), 2);
        assert!(read.is_subset(&kept), "{read:?} was told of, and only {kept:?} is kept");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_rolled_back_takes_nothing_of_the_others_along(
        fates in prop::collection::vec(
            prop_oneof![Just(Fate::Commits), Just(Fate::Drops), Just(Fate::Refused)],
            1..24,
        ),
    ) {
        Runtime::new().unwrap().block_on(async {
            let world = World::new(Engine::Sqlite).await;
            let store = world.open().await;
            let writers = fates.iter().enumerate().map(|(number, fate)| {
                tokio::spawn(write(store.clone(), format!("label {number}"), *fate))
            });
            let kept: Vec<bool> =
                join_all(writers).await.into_iter().map(|ended| ended.unwrap()).collect();

            let expected = fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Commits);
            let expected: BTreeSet<_> =
                expected.map(|(number, _)| format!("label {number}")).collect();
            assert_eq!(names(&store).await, expected, "{kept:?}");
            assert_eq!(kept.iter().filter(|kept| **kept).count(), expected.len());
        });
    }
}

/// Gives the file room for so many pages more.
async fn leave_room(store: &Store, pages: i64) {
    let mut tx = store.begin_for(&service("shop")).await.unwrap();
    let rows = tx.unscoped("PRAGMA page_count").fetch_all().await.unwrap();
    let most = rows[0].get::<i64>("page_count").unwrap() + pages;
    tx.unscoped(format!("PRAGMA max_page_count = {most}")).fetch_all().await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_room_left_whoever_is_not_kept_is_told_to_come_again() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    leave_room(&store, 40).await;

    let writers = (0..32).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            // Five pages each: there is room for a few.
            let name = format!("{number} {}", "x".repeat(20_000));
            let written: Result<(), Error> = async {
                let mut tx = store.begin_for(&service("shop")).await?;
                tx.insert(label(name.clone())).await?;
                tx.commit().await
            }
            .await;
            written.map(|()| name)
        })
    });
    let told: Vec<_> =
        join_all(writers).await.into_iter().map(std::result::Result::unwrap).collect();

    let refused: Vec<_> = told.iter().filter_map(|told| told.as_ref().err()).collect();
    let reasons: BTreeSet<_> = refused.iter().map(|error| error.verdict().1).collect();
    assert!(reasons.contains("DATABASE_FULL"), "{refused:?}");
    assert!(
        refused.iter().all(|error| error.verdict().0 == mesh::Code::Unavailable),
        "{refused:?}"
    );
    let kept: BTreeSet<_> = told.iter().filter_map(|told| told.as_ref().ok().cloned()).collect();
    assert_eq!(names(&store).await, kept);
    // Once there is room again, whoever comes again is let in.
    assert!(write(store.clone(), "small".into(), Fate::Commits).await);
}
