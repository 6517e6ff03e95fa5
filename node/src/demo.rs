//! `tradewind demo`: buys something as a customer would, and checks that everything agrees at the end.

use std::cell::Cell;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use mesh::{Caller, CancellationToken, Channel, Mesh};
use tonic::{Request, Response, Status};
use tower::util::BoxCloneSyncService;
use tradewind::cart::v1::cart_service_client::CartServiceClient;
use tradewind::cart::v1::{AddLineRequest, GetCartRequest};
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{GetStockRequest, SearchProductsRequest, SetStockRequest, Variant};
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{Address, Order, PayOrderRequest, PlaceOrderRequest, payment};
use tradewind::users::v1::RegisterRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::agreement;
use crate::connect::{self, Account, said};
use crate::import::import;
use crate::{say, serve};

/// The administrator of the sample shop. It exists only where `--demo-shop` or the demo itself makes it.
pub(crate) const ADMIN_EMAIL: &str = "admin@example.com";
pub(crate) const ADMIN_PASSWORD: &str = "let me try this";

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
    #[arg(long)]
    url: Option<String>,
    /// A product feed in the place of the sample: Shopify's product CSV.
    #[arg(long)]
    feed: Option<PathBuf>,
    /// What the customer searches for.
    #[arg(long, default_value = "shirt")]
    search: String,
    #[command(flatten)]
    account: Account,
}

/// Runs the demo; it fails when anything does not agree.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let own = match &arguments.url {
        Some(_) => None,
        None => Some(Own::start().await?),
    };
    let url = match (&arguments.url, &own) {
        (Some(url), _) => url.clone(),
        (None, Some(own)) => own.url.clone(),
        (None, None) => bail!("there is no mesh to run the demo on"),
    };
    let outcome = buy(&url, &arguments).await;
    if let Some(own) = own {
        own.end().await?;
    }
    outcome?;
    say("everything agrees: stock, ledger, payment, order, mail");
    Ok(ExitCode::SUCCESS)
}

/// Fills the default project with the sample products, as the process itself.
pub(crate) async fn fill_shop(mesh: &Mesh) -> Result<()> {
    let caller = Caller::service("node", mesh::caller::DEFAULT_PROJECT, None);
    let context = mesh::Context::new(caller, "fill_shop", tracing::Span::none());
    let channel = BoxCloneSyncService::new(mesh.peer("node", catalog::NAME).of(&context));
    let refuse = |refusal: &crate::feed::Refusal| {
        tracing::error!(line = refusal.line, "the sample shop: {}", refusal.reason);
    };
    import(channel, SAMPLE, false, &refuse, &|_, _| {}).await.map(|_| ())
}

/// A mesh that the demo starts for itself.
struct Own {
    url: String,
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
    async fn start() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("tradewind-demo-{}", std::process::id()));
        let data = directory.display().to_string();
        let line = ["serve", "--demo-shop", "--data", &data, "--listen", "127.0.0.1:0"];
        let line = line.into_iter().chain(["--admin-listen", "127.0.0.1:0"]);
        let stop = CancellationToken::new();
        let running = serve::start(ServeLine::try_parse_from(line)?.serve, &stop).await?;
        let gateway = running.gateway.context("the mesh has no gateway")?;
        Ok(Self { url: format!("http://{gateway}"), directory, running, stop })
    }

    async fn end(self) -> Result<()> {
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

async fn buy(url: &str, arguments: &Arguments) -> Result<()> {
    let steps = Steps::default();
    let anyone = connect::open(url).await?;
    let merchant = connect::sign_in(anyone.clone(), &arguments.account).await?;
    if let Some(feed) = &arguments.feed {
        bring(&steps, merchant.clone(), feed).await?;
    }
    let customer = register(&steps, &anyone).await?;
    let variant = find(&steps, &anyone, &arguments.search).await?;
    stock_up(&steps, &merchant, &variant).await?;
    let before = on_hand(&merchant, &variant.id).await?;

    let mut cart = CartServiceClient::new(customer.clone());
    let line = AddLineRequest { variant_id: variant.id.clone(), quantity: 2 };
    steps.call("puts two of it into the cart", cart.add_line(line)).await?;
    let cart = steps.call("looks into the cart", cart.get_cart(GetCartRequest {})).await?;
    ensure!(
        cart.lines.iter().any(|line| line.quantity == 2),
        "the cart does not hold what was put in"
    );

    let order = place(&steps, &customer).await?;
    let order = pay(&steps, &customer, order).await?;

    let began = Instant::now();
    let checked = agreement::Expected { order, variant_id: variant.id, on_hand: before - 2 };
    agreement::within(PATIENCE, &merchant, &customer, &checked).await?;
    steps.tell("stock, ledger, payment, order and mail agree", began.elapsed(), "-");
    Ok(())
}

async fn bring(steps: &Steps, merchant: Channel, feed: &PathBuf) -> Result<()> {
    let began = Instant::now();
    let file =
        std::fs::File::open(feed).with_context(|| format!("{} cannot be read", feed.display()))?;
    let tell = |refusal: &crate::feed::Refusal| {
        say(&format!("    line {}: {}", refusal.line, refusal.reason));
    };
    let summary = import(merchant, std::io::BufReader::new(file), false, &tell, &|_, _| {}).await?;
    let taken = summary.created + summary.updated + summary.unchanged;
    ensure!(taken > 0, "no product of {} could be taken", feed.display());
    steps.tell(&format!("brings {taken} products"), began.elapsed(), "-");
    Ok(())
}

async fn register(steps: &Steps, anyone: &Channel) -> Result<Channel> {
    let unique = mesh::Ids::new(mesh::Clock::system()).next("demo");
    let request = RegisterRequest {
        email: format!("{unique}@example.com"),
        password: "a long enough password".into(),
        display_name: "Demo Customer".into(),
    };
    let mut users = UsersServiceClient::new(anyone.clone());
    let tokens = steps.call("registers as a customer", users.register(request)).await?;
    Ok(connect::with_token(anyone.clone(), &tokens.access_token))
}

async fn find(steps: &Steps, anyone: &Channel, query: &str) -> Result<Variant> {
    let mut catalog = CatalogServiceClient::new(anyone.clone());
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
async fn stock_up(steps: &Steps, merchant: &Channel, variant: &Variant) -> Result<()> {
    let available = on_hand(merchant, &variant.id).await.unwrap_or_default();
    if available < 10 {
        let request = SetStockRequest { variant_id: variant.id.clone(), on_hand: ENOUGH };
        let mut stock = StockServiceClient::new(merchant.clone());
        steps.call("the merchant fills the shelf", stock.set_stock(request)).await?;
    }
    Ok(())
}

pub(crate) async fn on_hand(merchant: &Channel, variant_id: &str) -> Result<i64> {
    let request = GetStockRequest { variant_id: variant_id.to_owned() };
    let level = StockServiceClient::new(merchant.clone()).get_stock(request).await.map_err(said)?;
    Ok(level.into_inner().on_hand)
}

/// Places an order with a card that is refused.
async fn place(steps: &Steps, customer: &Channel) -> Result<Order> {
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
    let mut orders = OrdersServiceClient::new(customer.clone());
    let placed = orders.place_order(keyed(request)?);
    let order = steps.call("places an order; the card is declined", placed).await?;
    let order = order.order.context("PlaceOrder answered no order")?;
    ensure_payment(&order, payment::State::Declined)?;
    Ok(order)
}

/// Pays the order with a card that is good.
async fn pay(steps: &Steps, customer: &Channel, order: Order) -> Result<Order> {
    let request = PayOrderRequest { id: order.id, payment_method: "sim_ok".into() };
    let mut orders = OrdersServiceClient::new(customer.clone());
    let order = steps.call("pays with another card", orders.pay_order(keyed(request)?)).await?;
    ensure_payment(&order, payment::State::Paid)?;
    Ok(order)
}

fn ensure_payment(order: &Order, expected: payment::State) -> Result<()> {
    let state = order.payment.as_ref().map(tradewind::orders::v1::Payment::state);
    ensure!(state == Some(expected), "the payment is {state:?}, and should be {expected:?}");
    Ok(())
}

/// A request that a repeat of is the same call.
fn keyed<T>(message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    let key = mesh::Ids::new(mesh::Clock::system()).next("key");
    request.metadata_mut().insert(mesh::IDEMPOTENCY_KEY, key.parse()?);
    Ok(request)
}
