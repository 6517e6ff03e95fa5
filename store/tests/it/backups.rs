//! Copies of files, made while others write to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::backup::{BackupError, Contents, check_file, hold_files};
use store::{Database, Store};
use store_testing::Engine;

use crate::world::{World, service};

/// Stores of two services, and where their files are.
struct Two {
    world: World,
    one: Store,
    other: Store,
}

impl Two {
    async fn open() -> Self {
        let world = World::new(Engine::Sqlite).await;
        let open =
            |name| Store::open(world.config(name, Database::sqlite(world.database.location())));
        let (one, other) = (open("one").await.unwrap(), open("other").await.unwrap());
        Self { world, one, other }
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.world.database.location()).join(name)
    }

    /// Copies both; what each held.
    async fn copy(&self, number: usize) -> Vec<(PathBuf, Contents)> {
        let places = ["one", "other"].map(|name| {
            (self.file(&format!("{name}.db")), self.file(&format!("{name}-{number}.copy")))
        });
        let mut copies = Vec::new();
        for (held, (_, to)) in hold_files(&places).await.unwrap().into_iter().zip(places) {
            copies.push((to, held.copy().await.unwrap()));
        }
        copies
    }
}

async fn write(store: &Store, name: &str) {
    let mut tx = store.begin_for(&service("shop")).await.unwrap();
    tx.query(
        "INSERT INTO labels (project, id, name, create_time, update_time, etag) \
         VALUES ($1, $2, $2, 1, 1, '')",
    )
    .bind(name)
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_copied_as_they_were_together_while_both_are_written_to() {
    let two = Arc::new(Two::open().await);
    let done = Arc::new(AtomicBool::new(false));
    let writes = tokio::spawn({
        let (two, done) = (Arc::clone(&two), Arc::clone(&done));
        async move {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                write(&two.one, &format!("l{number}")).await;
                write(&two.other, &format!("l{number}")).await;
                number += 1;
            }
            number
        }
    });

    let mut last = 0;
    for number in 0..20 {
        let copies = two.copy(number).await;

        for (file, held) in &copies {
            assert_eq!(&check_file(file).await.unwrap(), held);
        }
        let [one, other] = [0, 1].map(|at| copies[at].1.rows["labels"]);
        // The writer is before or after its second write of a pair, and nowhere else.
        assert!(one == other || one == other + 1, "{one} and {other}");
        assert!(one >= last);
        last = one;
    }
    done.store(true, Ordering::Relaxed);
    assert!(writes.await.unwrap() >= last);
    assert!(last > 0, "nothing was written meanwhile");
}

#[tokio::test]
async fn a_copy_is_used_as_the_file_was() {
    let two = Two::open().await;
    write(&two.one, "kept").await;

    let copies = two.copy(0).await;
    std::fs::rename(&copies[0].0, two.file("copied.db")).unwrap();
    let config = two.world.config("copied", Database::sqlite(two.world.database.location()));
    let copied = Store::open(config).await.unwrap();

    let reader = copied.read(&service("shop"));
    let rows = reader.query("SELECT name FROM labels WHERE project = $1").fetch_all().await;
    assert_eq!(rows.unwrap()[0].get::<String>("name").unwrap(), "kept");
    // Its indexes are there: the name stays unique.
    let mut tx = copied.begin_for(&service("shop")).await.unwrap();
    let again = tx.query(
        "INSERT INTO labels (project, id, name, create_time, update_time, etag) \
         VALUES ($1, 'other', 'kept', 1, 1, '')",
    );
    assert!(again.execute().await.is_err());
}

#[tokio::test]
async fn a_file_that_is_damaged_is_said_to_be() {
    let two = Two::open().await;
    for number in 0..200 {
        write(&two.one, &format!("a label with a long name, number {number}")).await;
    }
    let file = two.copy(0).await[0].0.clone();
    let bytes = std::fs::read(&file).unwrap();

    // A page of rows written over, and a file cut short.
    let mut torn = bytes.clone();
    let middle = torn.len() / 2;
    torn[middle..middle + 4096].fill(0xAA);
    std::fs::write(&file, &torn).unwrap();
    assert!(check_file(&file).await.is_err());
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let cut = check_file(&file).await;
    let named = |error: &BackupError| error.to_string().contains(&file.display().to_string());
    assert!(cut.as_ref().is_err_and(named), "{cut:?}");

    std::fs::write(&file, bytes).unwrap();
    assert!(check_file(&file).await.is_ok());
}
