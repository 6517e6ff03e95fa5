//! Lists, beside a model in memory.

use std::collections::BTreeSet;

use contract::money::v1::Money;
use mesh::clock::{micros, timestamp};
use mesh::{Code, Failure};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{List, Store};
use store_testing::Engine;

use crate::notes::Note;
use crate::world::{World, service, user};

/// Reads every page of a list.
async fn all(store: &Store, list: &List) -> Vec<Note> {
    let shop = service("shop");
    let reader = store.read(&shop);
    let (mut notes, mut list) = (Vec::new(), list.clone());
    loop {
        let page = reader.list::<Note>(&list).await.unwrap();
        assert!(page.items.len() <= usize::try_from(list.page_size).unwrap());
        notes.extend(page.items);
        if page.next_page_token.is_empty() {
            return notes;
        }
        list.page_token = page.next_page_token;
    }
}

/// A comparison, and what it means to a note.
#[derive(Debug, Clone)]
enum Condition {
    Rank(&'static str, i64),
    Votes(&'static str, i64),
    Title(&'static str, String),
    Weight(&'static str, f64),
    Due(&'static str, i64),
    Price(&'static str, i64),
    HasVotes,
    Opened(bool),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

fn compare<T: PartialOrd>(sign: &str, left: Option<T>, right: &T) -> bool {
    let Some(left) = left else { return sign == "!=" };
    match sign {
        "=" => left == *right,
        "!=" => left != *right,
        "<" => left < *right,
        "<=" => left <= *right,
        ">" => left > *right,
        _ => left >= *right,
    }
}

impl Condition {
    fn holds(&self, note: &Note) -> bool {
        match self {
            Self::Rank(sign, value) => compare(sign, Some(note.rank), value),
            Self::Votes(sign, value) => compare(sign, note.votes, value),
            Self::Title(":", prefix) => note.title.starts_with(prefix.as_str()),
            Self::Title(sign, value) => compare(sign, Some(&note.title), &value),
            Self::Weight(sign, value) => compare(sign, Some(note.weight), value),
            Self::Due(sign, value) => compare(sign, note.due.as_ref().map(micros), value),
            Self::Price(sign, value) => {
                compare(sign, note.price.as_ref().map(|it| it.minor), value)
            }
            Self::HasVotes => note.votes.is_some(),
            Self::Opened(value) => note.opened == *value,
            Self::Not(condition) => !condition.holds(note),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(note)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(note)),
        }
    }

    fn text(&self) -> String {
        let joined = |conditions: &[Self], word: &str| {
            let parts: Vec<_> = conditions.iter().map(Self::text).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Self::Rank(sign, value) => format!("rank {sign} {value}"),
            Self::Votes(sign, value) => format!("votes{sign}{value}"),
            Self::Title(sign, value) => {
                format!("title {sign} \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Weight(sign, value) => format!("weight {sign} {value}"),
            Self::Due(sign, value) => format!("due {sign} \"{}\"", timestamp(*value)),
            Self::Price(sign, value) => format!("price.minor {sign} {value}"),
            Self::HasVotes => "votes:*".into(),
            Self::Opened(value) => format!("opened = {value}"),
            Self::Not(condition) => format!("NOT ({})", condition.text()),
            Self::All(conditions) => joined(conditions, " AND "),
            Self::Any(conditions) => joined(conditions, " OR "),
        }
    }
}

fn titles() -> impl Strategy<Value = String> {
    // Few letters, so that they meet; of every width in UTF-8, and some that collations reorder.
    "[aBb -_é\u{ffff}😀\"']{0,4}"
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), Just(-1), -3..3_i64, Just(1_800_000_000_000_001)]
}

fn notes() -> impl Strategy<Value = Vec<Note>> {
    let note = (
        titles(),
        -3..3_i64,
        prop::option::of(-2..2_i64),
        prop::sample::select(vec![0.0, 0.1, -1.5, 0.1 + 0.2, 1e300]),
        prop::option::of(times()),
        prop::option::of(-2..2_i64),
        any::<bool>(),
    );
    let note = note.prop_map(|(title, rank, votes, weight, due, price, opened)| Note {
        title,
        rank,
        votes,
        weight,
        due: due.map(timestamp),
        price: price.map(|minor| Money::new(minor, "EUR")),
        opened,
        owner: "ann".into(),
        ..Note::default()
    });
    prop::collection::vec(note, 0..40)
}

fn conditions() -> impl Strategy<Value = Condition> {
    let sign = || prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (sign(), -3..3_i64).prop_map(|(sign, value)| Condition::Rank(sign, value)),
        (sign(), -2..2_i64).prop_map(|(sign, value)| Condition::Votes(sign, value)),
        (sign(), titles()).prop_map(|(sign, value)| Condition::Title(sign, value)),
        titles().prop_map(|prefix| Condition::Title(":", prefix)),
        (sign(), prop::sample::select(vec![0.0, 0.3, 0.1 + 0.2, -1.5]))
            .prop_map(|(sign, value)| Condition::Weight(sign, value)),
        (sign(), times()).prop_map(|(sign, value)| Condition::Due(sign, value)),
        (sign(), -2..2_i64).prop_map(|(sign, value)| Condition::Price(sign, value)),
        Just(Condition::HasVotes),
        any::<bool>().prop_map(Condition::Opened),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|condition| Condition::Not(Box::new(condition))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
            prop::collection::vec(inner, 1..3).prop_map(Condition::Any),
        ]
    })
}

/// An order: columns, and whether each descends.
fn orders() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let columns = prop::sample::subsequence(vec!["title", "rank", "weight", "opened"], 0..=3);
    (columns.prop_shuffle(), prop::collection::vec(any::<bool>(), 3))
        .prop_map(|(columns, directions)| columns.into_iter().zip(directions).collect())
}

fn ordered(mut notes: Vec<Note>, order: &[(&str, bool)]) -> Vec<Note> {
    notes.sort_by(|left, right| {
        let mut last = false;
        for (column, descending) in order {
            let by = match *column {
                "title" => left.title.cmp(&right.title),
                "rank" => left.rank.cmp(&right.rank),
                "weight" => left.weight.total_cmp(&right.weight),
                _ => left.opened.cmp(&right.opened),
            };
            last = *descending;
            let by = if *descending { by.reverse() } else { by };
            if by.is_ne() {
                return by;
            }
        }
        let by = left.id.cmp(&right.id);
        if last { by.reverse() } else { by }
    });
    notes
}

#[tokio::test]
async fn lists_agree_with_a_model_in_memory() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let mut runner = TestRunner::default();
        for _ in 0..6 {
            let notes = notes().new_tree(&mut runner).unwrap().current();
            let mut tx = store.begin_for(&service("shop")).await.unwrap();
            tx.query("DELETE FROM notes WHERE project = $1").execute().await.unwrap();
            let notes = tx.insert_all(notes).await.unwrap();
            tx.commit().await.unwrap();
            for _ in 0..40 {
                let condition = conditions().new_tree(&mut runner).unwrap().current();
                let order = orders().new_tree(&mut runner).unwrap().current();
                let page_size = (1..15_i32).new_tree(&mut runner).unwrap().current();
                let order_by = order.iter().map(|(column, descending)| {
                    format!("{column}{}", if *descending { " desc" } else { "" })
                });
                let list = List {
                    page_size,
                    filter: condition.text(),
                    order_by: order_by.collect::<Vec<_>>().join(", "),
                    ..List::default()
                };
                let expected = notes.iter().filter(|note| condition.holds(note)).cloned().collect();
                let expected = ordered(expected, &order);
                assert_eq!(all(&store, &list).await, expected, "{engine:?} {list:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_page_token_serves_its_own_list_only() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        tx.insert_all(vec![Note::default(); 3]).await.unwrap();
        tx.commit().await.unwrap();
        let shop = service("shop");
        let reader = store.read(&shop);
        let list = List { page_size: 1, order_by: "rank".into(), ..List::default() };
        let token = reader.list::<Note>(&list).await.unwrap().next_page_token;

        for other in [
            List { page_token: token.clone(), ..List::default() },
            List { page_token: token.clone(), filter: "rank = 0".into(), ..list.clone() },
            List { page_token: token.clone(), order_by: "rank desc".into(), ..list.clone() },
            List { page_token: format!("{token}x"), ..list.clone() },
            List { page_token: "bm90aGluZw".into(), ..list.clone() },
        ] {
            let error = reader.list::<Note>(&other).await.unwrap_err();
            assert_eq!(error.verdict(), (Code::InvalidArgument, "INVALID_PAGE_TOKEN"), "{other:?}");
            assert_eq!(error.detail().fields[0].0, "page_token");
        }
    }
}

#[tokio::test]
async fn rows_written_between_pages_are_neither_lost_nor_repeated() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let mut tx = store.begin_for(&shop).await.unwrap();
        let note = |rank| Note { rank, ..Note::default() };
        tx.insert_all((0..10).map(|rank| note(rank * 10)).collect()).await.unwrap();
        tx.commit().await.unwrap();

        let list = List { page_size: 3, order_by: "rank desc".into(), ..List::default() };
        let first = store.read(&shop).list::<Note>(&list).await.unwrap();
        let mut tx = store.begin_for(&shop).await.unwrap();
        tx.insert_all(vec![note(95), note(5)]).await.unwrap();
        tx.commit().await.unwrap();
        let rest = all(&store, &List { page_token: first.next_page_token.clone(), ..list }).await;

        let ranks: Vec<_> = first.items.iter().chain(&rest).map(|note| note.rank).collect();
        assert_eq!(ranks, [90, 80, 70, 60, 50, 40, 30, 20, 10, 5, 0], "{engine:?}");
        let ids: BTreeSet<_> = rest.iter().map(|note| &note.id).collect();
        assert_eq!(ids.len(), rest.len());
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_given_names_its_field() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let ann = user("ann");
    for (list, reason) in [
        (List { page_size: -1, ..List::default() }, "INVALID_PAGE_SIZE"),
        (List { filter: "colour = red".into(), ..List::default() }, "INVALID_FILTER"),
        (List { order_by: "colour".into(), ..List::default() }, "INVALID_ORDER"),
        (List { order_by: "votes".into(), ..List::default() }, "INVALID_ORDER"),
        (List { order_by: "rank up".into(), ..List::default() }, "INVALID_ORDER"),
        (List { order_by: "rank, rank desc".into(), ..List::default() }, "INVALID_ORDER"),
        (List { order_by: "rank,".into(), ..List::default() }, "INVALID_ORDER"),
    ] {
        let error = store.read(&ann).list::<Note>(&list).await.unwrap_err();
        assert_eq!(error.verdict(), (Code::InvalidArgument, reason), "{list:?}");
    }
}

#[tokio::test]
async fn a_page_holds_fifty_when_nothing_is_said_and_a_thousand_at_most() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let shop = service("shop");
    let mut tx = store.begin_for(&shop).await.unwrap();
    tx.insert_all(vec![Note::default(); 1001]).await.unwrap();
    tx.commit().await.unwrap();

    for (asked, given) in [(0, 50), (1, 1), (i32::MAX, 1000)] {
        let list = List { page_size: asked, ..List::default() };
        assert_eq!(store.read(&shop).list::<Note>(&list).await.unwrap().items.len(), given);
    }
}
