//! Customers who buy without a rest, and ask again with the same key until they are answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mesh::{CancellationToken, Code, Request, Status};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;
use tradewind::catalog::v1::Product;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{ListOrdersRequest, Order};
use tradewind_client::{Client, Retry, Session};

use super::PATIENCE;
use crate::shop::customers::order;

/// How many buy, and how often each begins at most.
const BUYERS: usize = 4;
const EVERY: Duration = Duration::from_millis(40);
/// How often what was bought before is looked at.
const LOOKS: Duration = Duration::from_millis(100);
/// How long a try may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a customer waits before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// An order as its customer saw it: one key, and as many tries as it took.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    pub(crate) buyer: usize,
    pub(crate) key: String,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    /// When the try began that was answered, or the last one.
    last: Instant,
    pub(crate) refused: Vec<Refused>,
    /// The order's id, or what it failed with at last.
    pub(crate) answer: Result<String, String>,
}

/// A try that came to nothing, and was made again.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) ended: Instant,
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// A look at one's orders: when it was over, and whether they were shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) shown: bool,
}

/// All that customers saw, and who they are.
pub(crate) struct Story {
    pub(crate) customers: Vec<Client>,
    pub(crate) anyone: Client,
    pub(crate) variant: String,
    pub(crate) purchases: Vec<Purchase>,
}

#[derive(Debug, Default)]
struct Seen {
    purchases: Mutex<Vec<Purchase>>,
    /// Refusals of purchases that are under way as well.
    refused: Mutex<Vec<Refused>>,
    looks: Mutex<Vec<Look>>,
}

/// Customers at work.
pub(crate) struct Buyers {
    customers: Vec<Client>,
    anyone: Client,
    variant: String,
    seen: Arc<Seen>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Buyers {
    /// Has each begin a session, and buy; one more looks at what it has.
    pub(crate) async fn arrive(anyone: &Client, product: &Product) -> Result<Self> {
        let variant = product.variants.first().context("nothing is for sale")?.id.clone();
        // Every refusal is seen: they ask again themselves.
        let anyone = anyone.retrying(Retry { attempts: 1, ..Retry::default() });
        let mut customers = Vec::new();
        for _ in 0..BUYERS {
            let session = Session::guest(&anyone).await.context("nobody can come in")?;
            customers.push(anyone.signed_in(Arc::new(session)));
        }
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let buyers = Self { customers, anyone, variant, seen: Arc::default(), stop, tasks };
        for (number, client) in buyers.customers.iter().enumerate() {
            let (client, variant) = (client.clone(), buyers.variant.clone());
            let (seen, stop) = (Arc::clone(&buyers.seen), buyers.stop.clone());
            buyers.tasks.spawn(buy_on(number, client, variant, seen, stop));
        }
        let client = buyers.customers[0].clone();
        buyers.tasks.spawn(look_on(client, Arc::clone(&buyers.seen), buyers.stop.clone()));
        Ok(buyers)
    }

    /// Waits until so many more orders are acknowledged.
    pub(crate) async fn sell(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        let sold = |purchases: &[Purchase]| {
            purchases.iter().filter(|it| it.ended >= begun && it.answer.is_ok()).count()
        };
        self.until(&format!("{count} more orders"), || sold(&lock(&self.seen.purchases)) >= count)
            .await
    }

    /// Waits until an order is acknowledged that was asked for after a moment; how long it took since.
    pub(crate) async fn again(&self, since: Instant) -> Result<Duration> {
        let mut first = None;
        let mut is_sold = || {
            let purchases = lock(&self.seen.purchases);
            let answered = purchases.iter().filter(|it| it.last >= since && it.answer.is_ok());
            first = answered.map(|it| it.ended - since).min();
            first.is_some()
        };
        self.until("an order after the fault", &mut is_sold).await?;
        first.context("there is none")
    }

    /// Waits until so many tries were refused since a moment.
    pub(crate) async fn refusals(&self, since: Instant, count: usize) -> Result<()> {
        let refused = || lock(&self.seen.refused).iter().filter(|it| it.ended >= since).count();
        self.until(&format!("{count} refusals"), || refused() >= count).await
    }

    /// What was refused since a moment.
    pub(crate) fn refused(&self, since: Instant) -> Vec<Refused> {
        lock(&self.seen.refused).iter().filter(|it| it.ended >= since).cloned().collect()
    }

    /// Somebody who knows all gateways, and is not signed in.
    pub(crate) fn anyone(&self) -> &Client {
        &self.anyone
    }

    /// How many tries were refused because a process took a good token for one that has ended.
    pub(crate) fn signed_out(&self) -> usize {
        lock(&self.seen.refused).iter().filter(|it| it.code == Code::Unauthenticated).count()
    }

    /// Waits until a look is over that began after a moment.
    pub(crate) async fn look(&self, since: Instant) -> Result<()> {
        let looked = || lock(&self.seen.looks).iter().any(|it| it.begun >= since);
        self.until("a look", looked).await
    }

    /// Every look so far.
    pub(crate) fn looks(&self) -> Vec<Look> {
        lock(&self.seen.looks).clone()
    }

    /// Lets them go on for so long.
    pub(crate) async fn wait(&self, time: Duration) {
        sleep(time).await;
    }

    /// Lets the last purchases end.
    pub(crate) async fn leave(self) -> Story {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let Self { customers, anyone, variant, seen, .. } = self;
        let purchases = std::mem::take(&mut *lock(&seen.purchases));
        Story { customers, anyone, variant, purchases }
    }

    async fn until(&self, what: &str, mut is: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is() {
            if Instant::now() >= deadline {
                let last = lock(&self.seen.refused).last().cloned();
                let last = last.map(|Refused { code, message, .. }| format!("{code:?}: {message}"));
                bail!("{what} did not come within {PATIENCE:?}; refused last: {last:?}");
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Story {
    /// Those that were acknowledged, with their orders.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = (&Purchase, &str)> {
        self.purchases.iter().filter_map(|it| Some((it, it.answer.as_deref().ok()?)))
    }

    /// All orders of a customer.
    pub(crate) async fn orders_of(&self, buyer: usize) -> Result<Vec<Order>> {
        let (mut orders, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListOrdersRequest { page_size: 500, page_token, ..Default::default() };
            let client = self.customers[buyer].until(Instant::now() + PATIENCE);
            let page = client.orders().list_orders(request).await?.into_inner();
            orders.extend(page.orders);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(orders);
            }
        }
    }

    /// Asks for an order once more with its key; the id that is answered.
    pub(crate) async fn repeated(&self, purchase: &Purchase) -> Result<String, Status> {
        ask(&self.customers[purchase.buyer], &self.variant, &purchase.key).await
    }
}

async fn buy_on(
    buyer: usize,
    client: Client,
    variant: String,
    seen: Arc<Seen>,
    stop: CancellationToken,
) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        if stop.run_until_cancelled(turns.tick()).await.is_none() {
            return;
        }
        let purchase =
            buy_within_patience(buyer, &client, &variant, format!("order-{buyer}-{number}"), &seen)
                .await;
        if let Err(failure) = &purchase.answer {
            crate::tell(&format!("faults: an order has no answer: {failure}"));
        }
        lock(&seen.purchases).push(purchase);
    }
}

/// Asks for one order until it is answered, for as long as a customer has patience.
async fn buy_within_patience(
    buyer: usize,
    client: &Client,
    variant: &str,
    key: String,
    seen: &Seen,
) -> Purchase {
    let (begun, mut refused) = (Instant::now(), Vec::new());
    loop {
        let last = Instant::now();
        let answer = ask(client, variant, &key).await;
        let ended = Instant::now();
        match answer {
            Err(status) if comes_again(status.code()) && begun.elapsed() < PATIENCE => {
                let (code, message) = (status.code(), status.message().to_owned());
                let one = Refused { ended, code, message };
                lock(&seen.refused).push(one.clone());
                refused.push(one);
                sleep(PAUSE).await;
            }
            answer => {
                let answer = answer.map_err(|status| format!("{status:?}"));
                return Purchase { buyer, key, begun, ended, last, refused, answer };
            }
        }
    }
}

/// Whether a customer asks again: the mesh says that it cannot now, or nobody knows what came of it; or it is taken for
/// one whose session has ended, which only a clock that is wrong can say of these.
fn comes_again(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Unauthenticated
    )
}

/// Asks once.
async fn ask(client: &Client, variant: &str, key: &str) -> Result<String, Status> {
    let mut request = Request::new(order(variant));
    if let Ok(key) = key.parse() {
        request.metadata_mut().insert(mesh::IDEMPOTENCY_KEY, key);
    }
    let client = client.until(Instant::now() + DEADLINE);
    let order = client.orders().place_order(request).await?.into_inner().order.unwrap_or_default();
    // One that is placed and not paid is not what was asked for; its customer would look into it.
    Ok(if order.state() == State::Confirmed { order.id } else { format!("{order:?}") })
}

async fn look_on(client: Client, seen: Arc<Seen>, stop: CancellationToken) {
    let mut turns = interval(LOOKS);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        let begun = Instant::now();
        let client = client.until(begun + DEADLINE);
        let request = ListOrdersRequest { page_size: 5, ..Default::default() };
        let shown = client.orders().list_orders(request).await.is_ok();
        lock(&seen.looks).push(Look { begun, ended: Instant::now(), shown });
    }
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
