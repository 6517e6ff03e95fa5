//! The movements of stock add up, whatever happens.

use std::collections::HashMap;
use std::time::Duration;

use harness::Engine;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tradewind::catalog::v1::{
    CommitReservationRequest, GetStockRequest, ReleaseReservationRequest,
};

use crate::shop::Shop;

/// What may happen to the stock of two variants and five orders.
#[derive(Debug, Clone)]
enum Step {
    Set(usize, i64),
    Reserve(usize, i64, i64),
    Commit(usize),
    Release(usize),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2_usize, 0..12_i64).prop_map(|(variant, on_hand)| Step::Set(variant, on_hand)),
        (0..5_usize, 1..5_i64, 1..5_i64)
            .prop_map(|(order, one, two)| Step::Reserve(order, one, two)),
        (0..5_usize).prop_map(Step::Commit),
        (0..5_usize).prop_map(Step::Release),
        Just(Step::Expire),
    ]
}

/// What stock should be, in the plainest words.
#[derive(Debug, Default)]
struct Model {
    levels: [(i64, i64); 2],
    orders: HashMap<usize, (Held, [i64; 2])>,
}

/// Where what an order reserved is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Here,
    Left,
    GivenBack,
}

impl Model {
    fn set(&mut self, variant: usize, on_hand: i64) -> bool {
        let fits = on_hand >= self.levels[variant].1;
        if fits {
            self.levels[variant].0 = on_hand;
        }
        fits
    }

    fn reserve(&mut self, order: usize, lines: [i64; 2]) -> bool {
        if let Some((held, reserved)) = self.orders.get(&order) {
            return *held == Held::GivenBack || *reserved == lines;
        }
        let enough = |at: usize| self.levels[at].0 - self.levels[at].1 >= lines[at];
        let fits = enough(0) && enough(1);
        if fits {
            (0..2).for_each(|at| self.levels[at].1 += lines[at]);
            self.orders.insert(order, (Held::Here, lines));
        }
        fits
    }

    /// What is held leaves; what left or came back stays where it is.
    fn commit(&mut self, order: usize) {
        let Some((held @ Held::Here, lines)) = self.orders.get_mut(&order) else { return };
        *held = Held::Left;
        for ((on_hand, reserved), quantity) in self.levels.iter_mut().zip(lines) {
            *on_hand -= *quantity;
            *reserved -= *quantity;
        }
    }

    /// What is held is free again, and what has left comes back; an order that holds nothing never will.
    fn release(&mut self, order: usize) {
        let (held, lines) = self.orders.entry(order).or_insert((Held::GivenBack, [0, 0]));
        for ((on_hand, reserved), quantity) in self.levels.iter_mut().zip(lines) {
            match held {
                Held::Here => *reserved -= *quantity,
                Held::Left => *on_hand += *quantity,
                Held::GivenBack => {}
            }
        }
        *held = Held::GivenBack;
    }

    /// What is still held is free again.
    fn expire(&mut self) {
        let held: Vec<_> = self
            .orders
            .iter()
            .filter(|(_, (held, _))| *held == Held::Here)
            .map(|(at, _)| *at)
            .collect();
        for order in held {
            self.release(order);
        }
    }
}

async fn take(shop: &Shop, variants: &[String; 2], model: &mut Model, step: &Step, round: usize) {
    let order_id = |order: &usize| format!("ord_{round}_{order}");
    match step {
        Step::Set(variant, on_hand) => {
            let done = shop.set(&variants[*variant], *on_hand).await.is_ok();
            assert_eq!(done, model.set(*variant, *on_hand));
        }
        Step::Reserve(order, one, two) => {
            let lines = [(variants[0].as_str(), *one), (variants[1].as_str(), *two)];
            let done = shop.reserve(&order_id(order), &lines).await.is_ok();
            assert_eq!(done, model.reserve(*order, [*one, *two]));
        }
        Step::Commit(order) => {
            let request = CommitReservationRequest { order_id: order_id(order) };
            // Refused when there is none or it was given back; then nothing changes here either.
            let _ = shop.stock().commit_reservation(request).await;
            model.commit(*order);
        }
        Step::Release(order) => {
            let request = ReleaseReservationRequest { order_id: order_id(order) };
            let _ = shop.stock().release_reservation(request).await;
            model.release(*order);
        }
        Step::Expire => {
            shop.harness.clock.advance(Duration::from_secs(901));
            shop.harness.settle().await;
            model.expire();
        }
    }
}

#[test]
fn any_sequence_of_steps_keeps_the_sums_of_movements_equal_to_the_levels() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for engine in Engine::ALL {
        let shop = runtime.block_on(Shop::open(engine));
        let mut runner =
            TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(24) });
        let round = std::cell::Cell::new(0);
        let steps = prop::collection::vec(step(), 1..25);
        let outcome = runner.run(&steps, |steps| {
            round.set(round.get() + 1);
            runtime.block_on(async {
                let round = round.get();
                let variants = [
                    shop.stocked(&format!("one-{round}"), 0).await,
                    shop.stocked(&format!("two-{round}"), 0).await,
                ];
                let mut model = Model::default();
                for step in &steps {
                    take(&shop, &variants, &mut model, step, round).await;
                }
                for (variant_id, expected) in variants.into_iter().zip(model.levels) {
                    let request = GetStockRequest { variant_id };
                    let level = shop.stock().get_stock(request).await.unwrap().into_inner();
                    prop_assert_eq!((level.on_hand, level.reserved), expected);
                }
                shop.verify().await;
                Ok(())
            })
        });
        outcome.unwrap();
    }
}
