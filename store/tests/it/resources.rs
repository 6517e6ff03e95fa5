//! Resources: what goes in comes out, for whom it belongs to.

use contract::mesh::v1::audit_record::Kind;
use contract::mesh::v1::{AuditRecord, ListAuditRecordsRequest};
use contract::money::v1::Money;
use mesh::clock::timestamp;
use mesh::{Code, Failure, Principal};
use std::time::Duration;
use store::{Error, List};
use store_testing::Engine;

use crate::notes::{Label, Note, label};
use crate::world::{World, context, editor, service, user};

fn full(owner: &str) -> Note {
    Note {
        title: "Größe; DROP TABLE 'notes'".into(),
        subtitle: Some(String::new()),
        rank: i64::MIN,
        votes: Some(i64::MAX),
        weight: 0.1 + 0.2,
        score: Some(-1e300),
        data: vec![0, 255, 39],
        digest: Some(Vec::new()),
        tags: vec!["a".into(), String::new()],
        opened: true,
        price: Some(Money::new(-5, "EUR")),
        due: Some(timestamp(-1)),
        owner: owner.into(),
        ..Note::default()
    }
}

#[tokio::test]
async fn every_kind_of_column_comes_back_as_it_went_in() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");

        let mut tx = store.begin_for(&ann).await.unwrap();
        let full = tx.insert(full("ann")).await.unwrap();
        let bare = tx.insert(Note { owner: "ann".into(), ..Note::default() }).await.unwrap();
        tx.commit().await.unwrap();

        assert!(mesh::ids::is_id(&full.id, "note"), "{engine:?}");
        assert_eq!(full.create_time, Some(world.clock.now()));
        assert_eq!(store.read(&ann).get::<Note>(&full.id).await.unwrap(), full, "{engine:?}");
        assert_eq!(store.read(&ann).get::<Note>(&bare.id).await.unwrap(), bare, "{engine:?}");
        store.check::<Note>().await.unwrap();
        store.check::<Label>().await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_held_something_can_hold_nothing_again() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");
        let mut tx = store.begin_for(&ann).await.unwrap();
        let note = tx.insert(full("ann")).await.unwrap();

        let emptied = Note {
            subtitle: None,
            votes: None,
            score: None,
            digest: None,
            price: None,
            due: None,
            ..note.clone()
        };
        let emptied = tx.update(&emptied).await.unwrap();
        // The same statement with values again: a prepared statement keeps the kinds of its first use.
        let filled = tx.update(&Note { etag: emptied.etag.clone(), ..note }).await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(emptied.score, None);
        assert_eq!(store.read(&ann).get::<Note>(&filled.id).await.unwrap(), filled, "{engine:?}");
    }
}

#[tokio::test]
async fn nobody_reaches_the_rows_of_another_owner_or_project() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let note = tx.insert(full("ann")).await.unwrap();
        tx.commit().await.unwrap();

        let nobody = context(Principal::Nobody, "shop", &[]);
        for stranger in [user("bob"), nobody, service("other")] {
            let reader = store.read(&stranger);
            let error = reader.get::<Note>(&note.id).await.unwrap_err();
            assert_eq!(error.verdict(), (Code::NotFound, "NOTE_NOT_FOUND"), "{engine:?}");
            assert!(reader.list::<Note>(&List::default()).await.unwrap().items.is_empty());
            assert!(reader.select::<Note>("1 = 1 OR 1 = 1").fetch_all().await.unwrap().is_empty());
            let mut tx = store.begin_for(&stranger).await.unwrap();
            assert!(matches!(tx.update(&note).await, Err(Error::NotFound { .. })));
            assert!(matches!(tx.delete::<Note>(&note.id, "").await, Err(Error::NotFound { .. })));
        }
        for reader in [user("ann"), editor(), service("shop")] {
            assert!(store.read(&reader).find::<Note>(&note.id).await.unwrap().is_some());
            assert_eq!(
                store.read(&reader).list::<Note>(&List::default()).await.unwrap().items.len(),
                1
            );
        }
    }
}

#[tokio::test]
async fn a_stale_etag_is_refused() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");
        let mut tx = store.begin_for(&ann).await.unwrap();
        let first = tx.insert(full("ann")).await.unwrap();
        let second = tx.update(&Note { rank: 2, ..first.clone() }).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.begin_for(&ann).await.unwrap();
        let error = tx.update(&Note { rank: 3, ..first.clone() }).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::Aborted, "STALE_ETAG"), "{engine:?}");
        let error = tx.delete::<Note>(&first.id, &first.etag).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::Aborted, "STALE_ETAG"), "{engine:?}");
        drop(tx);

        assert_eq!(store.read(&ann).get::<Note>(&first.id).await.unwrap(), second);
    }
}

#[tokio::test]
async fn an_update_writes_the_columns_that_changed_and_no_other() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");
        let mut tx = store.begin_for(&ann).await.unwrap();
        let note = tx.insert(full("ann")).await.unwrap();
        tx.commit().await.unwrap();

        world.clock.advance(Duration::from_secs(1));
        let mut tx = store.begin_for(&ann).await.unwrap();
        let read: Note = tx.get(&note.id).await.unwrap();
        // What a newer replica would have written meanwhile, past what this one has read.
        tx.query("UPDATE notes SET title = $2 WHERE project = $1")
            .bind("newer")
            .execute()
            .await
            .unwrap();
        let updated = tx.update(&Note { rank: 7, ..read }).await.unwrap();
        let unchanged = tx.update(&updated).await.unwrap();
        tx.commit().await.unwrap();

        let stored: Note = store.read(&ann).get(&note.id).await.unwrap();
        assert_eq!((stored.title.as_str(), stored.rank), ("newer", 7), "{engine:?}");
        assert_eq!(unchanged.etag, updated.etag);
        assert_eq!(stored.create_time, note.create_time);
        assert_eq!(stored.update_time, Some(world.clock.now()));
    }
}

#[tokio::test]
async fn a_repeated_name_already_exists() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let mut tx = store.begin_for(&shop).await.unwrap();
        tx.insert(label("red")).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.begin_for(&shop).await.unwrap();
        let error = tx.insert(label("red")).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::AlreadyExists, "LABEL_ALREADY_EXISTS"), "{engine:?}");
        assert_eq!(error.to_string(), "a label with the same name exists already", "{engine:?}");

        // PostgreSQL would turn this commit into a rollback without a word.
        assert!(tx.insert(label("blue")).await.is_err(), "{engine:?}");
        assert!(matches!(tx.commit().await, Err(Error::Ended)), "{engine:?}");
        let mut tx = store.begin_for(&service("other")).await.unwrap();
        tx.insert(label("red")).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_column_cannot_hold_is_refused_and_named() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let mut tx = store.begin_for(&shop).await.unwrap();
        let error = tx.insert(label("a\0b")).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::InvalidArgument, "NUL_CHARACTER"), "{engine:?}");
        drop(tx);

        let mut tx = store.begin_for(&shop).await.unwrap();
        let dear = Note { price: Some(Money::new(2_000_000, "EUR")), ..Note::default() };
        let error = tx.insert(dear).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::FailedPrecondition, "CONSTRAINT"), "{engine:?}");
    }
}

#[tokio::test]
async fn many_rows_go_in_with_few_statements() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let before = store.statements();

        let mut tx = store.begin_for(&shop).await.unwrap();
        let labels = (0..1201).map(|at| label(at.to_string())).collect();
        let labels: Vec<Label> = tx.insert_all(labels).await.unwrap();
        tx.commit().await.unwrap();

        // BEGIN, thirteen chunks of labels, thirteen of audit records, COMMIT.
        assert_eq!(store.statements() - before, 28, "{engine:?}");
        let row = store.read(&shop).query("SELECT COUNT(*) AS many FROM labels WHERE project = $1");
        assert_eq!(row.fetch_one().await.unwrap().get::<i64>("many").unwrap(), 1201);
        assert_eq!(store.read(&shop).get::<Label>(&labels[1200].id).await.unwrap(), labels[1200]);
    }
}

#[tokio::test]
async fn sums_and_selections_read_the_same_on_both() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");
        let mut tx = store.begin_for(&ann).await.unwrap();
        for (owner, rank) in [("ann", 1), ("ann", 2), ("bob", 4)] {
            let note = Note { owner: owner.into(), rank, ..Note::default() };
            tx.insert(note).await.unwrap();
        }

        let sums = "SELECT CAST(SUM(rank) AS BIGINT) AS sum, CAST(SUM(votes) AS BIGINT) AS none, \
                    MAX(title) AS title, AVG(weight) AS mean FROM notes WHERE project = $1";
        let row = tx.query(sums).fetch_one().await.unwrap();
        assert_eq!(row.get::<i64>("sum").unwrap(), 7, "{engine:?}");
        assert_eq!(row.get::<Option<i64>>("none").unwrap(), None);
        assert!(matches!(row.get::<i64>("none"), Err(Error::Malformed(_))));
        assert_eq!(row.get::<String>("title").unwrap(), "");
        let own = tx.select::<Note>("rank < $2").bind(10).order("rank DESC").lock().fetch_all();
        let ranks: Vec<_> = own.await.unwrap().into_iter().map(|note| note.rank).collect();
        assert_eq!(ranks, [2, 1], "{engine:?}");
        let first = tx.select::<Note>("rank > $2").bind(0).order("rank").fetch_optional();
        assert_eq!(first.await.unwrap().unwrap().rank, 1);
    }
}

#[tokio::test]
async fn a_statement_without_the_project_is_refused() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let mut tx = store.begin_for(&service("shop")).await.unwrap();

    let error = tx.query("DELETE FROM labels").execute().await.unwrap_err();
    assert!(matches!(error, Error::Unscoped(_)), "{error:?}");
    assert_eq!(error.to_string(), "internal error");
}

#[tokio::test]
async fn every_write_leaves_a_record_of_who_did_it() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let ann = user("ann");
        let mut id = String::new();
        for step in 0..3 {
            world.clock.advance(Duration::from_millis(1));
            let mut tx = store.begin_for(&ann).await.unwrap();
            match step {
                0 => id = tx.insert(full("ann")).await.unwrap().id,
                1 => {
                    let note: Note = tx.get(&id).await.unwrap();
                    tx.update(&Note { rank: 1, score: None, ..note }).await.map(drop).unwrap();
                }
                _ => tx.delete::<Note>(&id, "").await.unwrap(),
            }
            tx.commit().await.unwrap();
        }
        let mut rolled_back = store.begin_for(&ann).await.unwrap();
        rolled_back.insert(full("ann")).await.unwrap();
        drop(rolled_back);

        let asked = ListAuditRecordsRequest {
            resource: "notes.v1.Note".into(),
            resource_id: id.clone(),
            page_size: 2,
            ..ListAuditRecordsRequest::default()
        };
        let latest = store.audit(&ann, &asked).await.unwrap();
        let kinds: Vec<_> = latest.records.iter().map(AuditRecord::kind).collect();
        assert_eq!(kinds, [Kind::Delete, Kind::Update], "{engine:?}");
        assert_eq!(latest.records[1].columns, ["rank", "score"]);
        assert_eq!(latest.records[1].actor, "ann");
        assert_eq!(latest.records[1].method, "/notes.v1.Notes/Do");
        let asked = ListAuditRecordsRequest { page_token: latest.next_page_token, ..asked };
        let rest = store.audit(&ann, &asked).await.unwrap();
        let kinds: Vec<_> = rest.records.iter().map(AuditRecord::kind).collect();
        assert_eq!((kinds.as_slice(), rest.next_page_token.as_str()), (&[Kind::Create][..], ""));
        let of_others = store.audit(&service("other"), &ListAuditRecordsRequest::default()).await;
        assert_eq!(of_others.unwrap().records, []);
    }
}

#[tokio::test]
async fn a_committed_change_is_told_and_another_is_not() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let shop = service("shop");
    let mut tx = store.begin_for(&shop).await.unwrap();
    tx.insert(label("red")).await.unwrap();
    drop(tx);
    assert_eq!(world.changes.count("notes.v1.Label", "shop"), 0);

    let mut tx = store.begin_for(&shop).await.unwrap();
    tx.insert(label("red")).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(world.changes.count("notes.v1.Label", "shop"), 1);
    assert_eq!(world.changes.count("notes.v1.Label", "other"), 0);
}
