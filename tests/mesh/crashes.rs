//! Processes killed between any two steps of what they do, and started again: nothing is lost, nothing
//! is done twice.
//!
//! Calls are brought to stand still one after another, each at its point, and one `kill -9` cuts them
//! all off. The points are those that the binary itself lists, so a new step is tested without an edit.

mod journey;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use store_testing::Engine;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::{JoinHandle, JoinSet};

use crate::crashes::journey::{Call, Journey, Shop};
use crate::customer::Person;
use crate::http::Answer;
use crate::sample::product;
use crate::world::{Shape, World};

/// More than all journeys buy.
const ON_HAND: i64 = 1000;
/// How long a call may take to a point, or a task.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_in_one_process_on_sqlite_is_finished_or_undone() {
    everything_survives(Shape::Near, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_in_one_process_on_postgresql_is_finished_or_undone() {
    everything_survives(Shape::Near, Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_in_a_process_of_its_own_is_finished_or_undone() {
    everything_survives(Shape::Far, Engine::Postgres).await;
}

/// Kills the service of each process at all of its points, in every journey that passes them.
async fn everything_survives(shape: Shape, engine: Engine) {
    let faults = FaultFile::new();
    let named = faults.file.display().to_string();
    let options = ["--development", "--faults", &named, "--task-lease-seconds", "1"];
    let mut world = World::start_with(shape, engine, &options).await;
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "crash", ON_HAND).await;
    let sold_out = product(&merchant, "none", 0).await;
    let shop = Shop { merchant, variant, sold_out };

    let mut unpassed = points().await;
    let (mut sold, mut held) = (0, 0);
    for (service, points) in [("payments", payments::points()), ("orders", orders::points())] {
        let mut standing = Vec::new();
        for journey in Journey::ALL {
            for point in points.iter().filter(|point| journey.may_pass(point)) {
                standing.push(stand(journey, point, &shop, &faults).await);
            }
        }
        still_stand(&standing).await;

        world.kill(service).await;
        world.restart(service).await;
        for stands in &mut standing {
            stands.is_cut_off(shape).await;
        }

        for Standing { journey, point, passed, .. } in &standing {
            let (left, kept) = journey.takes();
            (sold, held) = (sold + left, held + kept);
            unpassed.retain(|it| !(*passed && it == point));
        }
        end_well(standing, &shop).await;
    }
    assert!(unpassed.is_empty(), "no journey passes {unpassed:?}: add one, or let one pass them");
    all_agree(&shop, sold, held).await;
}

/// Holds that every journey ends as it must, by whoever goes on with it.
async fn end_well(standing: Vec<Standing>, shop: &Shop) {
    let mut ends = JoinSet::new();
    for Standing { journey, point, call, .. } in standing {
        let shop = shop.clone();
        ends.spawn(async move { journey.ends_well(&shop, &call, &point).await });
    }
    ends.join_all().await;
}

/// Every point of every process, as the binary lists them.
async fn points() -> Vec<String> {
    let listed =
        Command::new(env!("CARGO_BIN_EXE_tradewind")).arg("points").output().await.unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let points: Vec<_> = text.lines().map(str::to_owned).collect();
    assert!(points.len() > 10, "{points:?}");
    points
}

/// A call that stands still at a point, or has ended before.
struct Standing {
    journey: Journey,
    point: String,
    call: Call,
    /// Whether the point was passed.
    passed: bool,
    answer: Option<JoinHandle<Option<Answer>>>,
}

impl Standing {
    /// Holds that a call that stood still has ended: by nobody's answer where the gateway died too, and
    /// otherwise perhaps by what another try of it came to.
    async fn is_cut_off(&mut self, shape: Shape) {
        let Some(call) = self.answer.take().filter(|_| self.passed) else { return };
        let answer = call.await.unwrap();
        let cut = answer.as_ref().is_none_or(|answer| answer.status >= 500);
        assert!(cut || shape == Shape::Far, "{:?} at {}: {answer:?}", self.journey, self.point);
    }
}

/// Brings a call to stand still at a point. What a task does stands still after the answer.
async fn stand(journey: Journey, point: &str, shop: &Shop, faults: &FaultFile) -> Standing {
    let call = journey.prepare(shop, point).await;
    faults.name(point);
    let mut answer = tokio::spawn(call.clone().send());
    let by_a_task = point.starts_with("settle/");
    let passed = tokio::select! {
        () = faults.reached(), if !by_a_task => true,
        answered = &mut answer => {
            let answered = answered.unwrap().map(|answer| answer.status);
            assert!(answered.is_some_and(|it| it < 500), "{journey:?} at {point}: {answered:?}");
            by_a_task
        }
    };
    if passed {
        let reached = tokio::time::timeout(PATIENCE, faults.reached()).await;
        assert!(reached.is_ok(), "{journey:?} does not reach {point}");
    }
    faults.forget();
    let answer = (!answer.is_finished()).then_some(answer);
    Standing { journey, point: point.to_owned(), call, passed, answer }
}

/// Holds that nobody has gone on with what stands still: its lease is renewed, however long it takes.
async fn still_stand(standing: &[Standing]) {
    for stands in standing.iter().filter(|it| it.passed && it.journey == Journey::Buys) {
        if matches!(&*stands.point, "checkout/placed" | "checkout/reserve" | "checkout/pay") {
            let orders = stands.call.guest.get("/v1/orders").await;
            let state = &orders.json["orders"][0]["state"];
            assert_eq!(state, "STATE_PLACING", "{}: {orders:?}", stands.point);
        }
    }
}

/// Holds that stock, ledger and payments say the same, and that nothing is left held.
async fn all_agree(shop: &Shop, sold: i64, held: i64) {
    let merchant = &shop.merchant;
    let (on_hand, reserved) = (json!((ON_HAND - sold).to_string()), json!(held.to_string()));
    let level = format!("/v1/stock/{}", shop.variant);
    merchant.get_until(&level, |it| it["onHand"] == on_hand && it["reserved"] == reserved).await;
    let stock = merchant.get("/v1/stock:verify").await;
    assert_eq!(stock.json["wrongVariantIds"], json!([]), "{stock:?}");
    let book = merchant.get("/v1/ledger:verify").await;
    assert_eq!(book.json["problems"], json!([]), "{book:?}");
    let ids = json!({"ids": ["simulator:receivable:EUR", "sales:EUR"]});
    let accounts = merchant.post("/v1/ledger/accounts:get", ids).await;
    let accounts = accounts.json["accounts"].as_array().cloned().unwrap_or_default();
    assert_eq!(accounts.len(), 2);
    for account in accounts {
        for side in ["debitsPending", "creditsPending"] {
            assert_eq!(account[side], "0", "{account}");
        }
    }
}

/// The file by which a process is told where to stand still.
struct FaultFile {
    file: PathBuf,
    reached: PathBuf,
    _directory: TempDir,
}

impl FaultFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("faults");
        let reached = file.with_extension("reached");
        std::fs::write(&file, "").unwrap();
        Self { file, reached, _directory: directory }
    }

    fn name(&self, point: &str) {
        std::fs::write(&self.file, point).unwrap();
    }

    /// Waits until somebody stands still.
    async fn reached(&self) {
        let mut poll = tokio::time::interval(Duration::from_millis(2));
        while !Path::exists(&self.reached) {
            poll.tick().await;
        }
    }

    /// Lets everybody pass from now on who does not stand still already.
    fn forget(&self) {
        std::fs::write(&self.file, "").unwrap();
        let _ = std::fs::remove_file(&self.reached);
    }
}
