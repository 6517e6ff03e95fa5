//! `tradewind demo`: buys something as a customer would, and checks that everything agrees at the end.

use std::cell::Cell;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser};
use mesh::{Caller, CancellationToken, Mesh};
use tonic::{Response, Status};
use tower::util::BoxCloneSyncService;
use tradewind::cart::v1::{AddLineRequest, GetCartRequest};
use tradewind::catalog::v1::{GetStockRequest, SearchProductsRequest, SetStockRequest, Variant};
use tradewind::orders::v1::{Address, Order, PayOrderRequest, PlaceOrderRequest, payment};
use tradewind::users::v1::RegisterRequest;
use tradewind_client::{Client, Session};

use crate::agreement;
use crate::connect::{self, Account, Project, said};
use crate::credentials::Place;
use crate::import::import;
use crate::{say, serve};

/// The administrator of the sample shop. It exists only where `--demo-shop` or the demo itself makes it.
pub(crate) const ADMIN_EMAIL: &str = "admin@example.com";

/// The sample shop: a feed like any other.
const SAMPLE: &[u8] = include_bytes!("../sample/shop.csv");
/// How many of a variant the demo makes sure of.
const ENOUGH: i64 = 100;
/// How long what follows an order by itself may take: mail, the ledger, stock.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `demo` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The gateway of a running mesh. Without it, the demo starts a mesh of its own in a temporary directory.
    #[arg(long, env = "TRADEWIND_URL", value_name = "URL", help_heading = "Mesh")]
    url: Option<String>,
    #[command(flatten)]
    project: Project,
    #[command(flatten)]
    account: Account,
    /// A product feed in the place of the sample: Shopify's product CSV.
    #[arg(long, value_name = "FILE", help_heading = "Purchase")]
    feed: Option<PathBuf>,
    /// What the customer searches for.
    #[arg(long, default_value = "shirt", value_name = "TEXT", help_heading = "Purchase")]
    search: String,
}

/// Runs the demo; it fails when anything does not agree.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(url) = &arguments.url {
        let place = Place { url: url.clone(), project: arguments.project.project.clone() };
        buy(&place, &arguments.account, &arguments).await?;
    } else {
        let own = Own::start(&arguments.account).await?;
        let outcome = buy(&own.place, &own.account, &arguments).await;
        own.end().await?;
        outcome?;
    }
    say("everything agrees: stock, ledger, payment, order, mail");
    Ok(ExitCode::SUCCESS)
}

/// Fills the default project with the sample products, as the process itself.
pub(crate) async fn fill_shop(mesh: &Mesh) -> Result<()> {
    let caller = Caller::service(mesh.process(), mesh::caller::DEFAULT_PROJECT, None);
    let context = mesh::Context::new(caller, "fill_shop", tracing::Span::none());
    let channel = BoxCloneSyncService::new(mesh.peer(mesh.process(), catalog::NAME).of(&context));
    let refuse = |refusal: &crate::feed::Refusal| {
        tracing::error!(line = refusal.line, "the sample shop: {}", refusal.reason);
    };
    import(channel, SAMPLE, false, &refuse, &|_, _| {}).await.map(|_| ())
}

/// A mesh that the demo starts for itself.
struct Own {
    place: Place,
    /// Its administrator, with a password that nobody else knows.
    account: Account,
    directory: PathBuf,
    running: serve::Running,
    stop: CancellationToken,
}

#[derive(Parser)]
struct ServeLine {
    #[command(flatten)]
    serve: serve::Arguments,
}

impl Own {
    async fn start(account: &Account) -> Result<Self> {
        let secret = mesh::Ids::new(mesh::Clock::system()).next("demo");
        let directory = std::env::temp_dir().join(format!("tradewind-demo-{}", std::process::id()));
        let data = directory.display().to_string();
        let line = ["serve", "--demo-shop", "--data", &data, "--listen", "127.0.0.1:0"];
        let line = line.into_iter().chain(["--admin-listen", "127.0.0.1:0"]);
        let line = line.chain(["--admin-password", &secret]);
        // Nothing of the environment: a database that is named there is not the demo's.
        let command = ServeLine::command().mut_args(|arg| arg.env(Resettable::Reset));
        let serve = ServeLine::from_arg_matches(&command.try_get_matches_from(line)?)?.serve;
        let stop = CancellationToken::new();
        let running = serve::start(serve, &stop).await?;
        let gateway = running.gateway.context("the mesh has no gateway")?;
        let (url, project) =
            (format!("http://{gateway}"), mesh::caller::DEFAULT_PROJECT.to_owned());
        let account = Account {
            email: Some(ADMIN_EMAIL.to_owned()),
            password: Some(secret.clone()),
            ..account.clone()
        };
        Ok(Self { place: Place { url, project }, account, directory, running, stop })
    }

    async fn end(self) -> Result<()> {
        self.running.hurry.cancel();
        self.stop.cancel();
        self.running.end().await;
        std::fs::remove_dir_all(&self.directory)
            .with_context(|| format!("{} cannot be removed", self.directory.display()))
    }
}

/// Numbers and times the steps of a purchase.
#[derive(Default)]
struct Steps {
    number: Cell<u32>,
}

impl Steps {
    /// Takes a step by one call, and says how long it took, in which trace.
    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T> {
        let began = Instant::now();
        let answer = call.await.map_err(said).with_context(|| what.to_owned())?;
        let trace = answer.metadata().get("trace-id").and_then(|id| id.to_str().ok());
        self.tell(what, began.elapsed(), trace.unwrap_or("-"));
        Ok(answer.into_inner())
    }

    fn tell(&self, what: &str, took: Duration, trace: &str) {
        self.number.set(self.number.get() + 1);
        let millis = took.as_secs_f64() * 1000.0;
        say(&format!("{:>2}. {what:<48} {millis:>9.2} ms  {trace}", self.number.get()));
    }
}

async fn buy(place: &Place, account: &Account, arguments: &Arguments) -> Result<()> {
    let steps = Steps::default();
    let anyone = connect::open(place).await?;
    let merchant = connect::sign_in(&anyone, place, account).await?;
    if let Some(feed) = &arguments.feed {
        bring(&steps, &merchant, feed).await?;
    }
    let customer = register(&steps, &anyone).await?;
    let variant = find(&steps, &anyone, &arguments.search).await?;
    stock_up(&steps, &merchant, &variant).await?;
    let before = on_hand(&merchant, &variant.id).await?;

    let mut cart = customer.cart();
    let line = AddLineRequest { variant_id: variant.id.clone(), quantity: 2 };
    steps.call("puts two of it into the cart", cart.add_line(line)).await?;
    let cart = steps.call("looks into the cart", cart.get_cart(GetCartRequest {})).await?;
    ensure!(
        cart.lines.iter().any(|line| line.quantity == 2),
        "the cart does not hold what was put in"
    );

    let order = order(&steps, &customer).await?;
    let order = pay(&steps, &customer, order).await?;

    let began = Instant::now();
    let checked = agreement::Expected { order, variant_id: variant.id, on_hand: before - 2 };
    agreement::within(PATIENCE, &merchant, &customer, &checked).await?;
    steps.tell("stock, ledger, payment, order and mail agree", began.elapsed(), "-");
    Ok(())
}

async fn bring(steps: &Steps, merchant: &Client, feed: &Path) -> Result<()> {
    let began = Instant::now();
    let file =
        std::fs::File::open(feed).with_context(|| format!("{} cannot be read", feed.display()))?;
    let tell = |refusal: &crate::feed::Refusal| {
        say(&format!("    line {}: {}", refusal.line, refusal.reason));
    };
    let summary =
        import(merchant.channel(), std::io::BufReader::new(file), false, &tell, &|_, _| {}).await?;
    let taken = summary.created + summary.updated + summary.unchanged;
    ensure!(taken > 0, "no product of {} could be taken", feed.display());
    steps.tell(&format!("brings {taken} products"), began.elapsed(), "-");
    Ok(())
}

async fn register(steps: &Steps, anyone: &Client) -> Result<Client> {
    let unique = mesh::Ids::new(mesh::Clock::system()).next("demo");
    let request = RegisterRequest {
        email: format!("{unique}@example.com"),
        password: "a long enough password".into(),
        display_name: "Demo Customer".into(),
    };
    let mut users = anyone.users();
    let tokens = steps.call("registers as a customer", users.register(request)).await?;
    Ok(anyone.signed_in(Arc::new(Session::of(anyone, tokens))))
}

async fn find(steps: &Steps, anyone: &Client, query: &str) -> Result<Variant> {
    let mut catalog = anyone.catalog();
    let request = SearchProductsRequest { query: query.into(), ..SearchProductsRequest::default() };
    let what = format!("searches for `{query}`");
    // What was just imported is searchable in a moment, not at once.
    let began = Instant::now();
    while catalog
        .search_products(request.clone())
        .await
        .map_err(said)?
        .get_ref()
        .products
        .is_empty()
    {
        ensure!(began.elapsed() < PATIENCE, "nothing is found for `{query}`");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = steps.call(&what, catalog.search_products(request)).await?;
    let product = found.products.into_iter().next().context("nothing was found")?;
    product.variants.into_iter().next().context("the product has no variant")
}

/// Makes sure that there is enough of a variant, and that its stock is counted.
async fn stock_up(steps: &Steps, merchant: &Client, variant: &Variant) -> Result<()> {
    let available = on_hand(merchant, &variant.id).await.unwrap_or_default();
    if available < 10 {
        let request = SetStockRequest { variant_id: variant.id.clone(), on_hand: ENOUGH };
        let mut stock = merchant.stock();
        steps.call("the merchant fills the shelf", stock.set_stock(request)).await?;
    }
    Ok(())
}

pub(crate) async fn on_hand(merchant: &Client, variant_id: &str) -> Result<i64> {
    let request = GetStockRequest { variant_id: variant_id.to_owned() };
    let level = merchant.stock().get_stock(request).await.map_err(said)?;
    Ok(level.into_inner().on_hand)
}

/// Places an order with a card that is refused.
async fn order(steps: &Steps, customer: &Client) -> Result<Order> {
    let request = PlaceOrderRequest {
        shipping_address: Some(Address {
            recipient: "Demo Customer".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            postal_code: "20457".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: "sim_declined".into(),
        ..PlaceOrderRequest::default()
    };
    let mut orders = customer.orders();
    let placed = orders.place_order(request);
    let order = steps.call("places an order; the card is declined", placed).await?;
    let order = order.order.context("PlaceOrder answered no order")?;
    ensure_payment(&order, payment::State::Declined)?;
    Ok(order)
}

/// Pays the order with a card that is good.
async fn pay(steps: &Steps, customer: &Client, order: Order) -> Result<Order> {
    let request = PayOrderRequest { id: order.id, payment_method: "sim_ok".into() };
    let mut orders = customer.orders();
    let order = steps.call("pays with another card", orders.pay_order(request)).await?;
    ensure_payment(&order, payment::State::Paid)?;
    Ok(order)
}

fn ensure_payment(order: &Order, expected: payment::State) -> Result<()> {
    let state = order.payment.as_ref().map(tradewind::orders::v1::Payment::state);
    ensure!(state == Some(expected), "the payment is {state:?}, and should be {expected:?}");
    Ok(())
}
