//! A shop to measure: its processes, its products, the people who use it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use mesh::service_token::ServiceKey;
use mesh::{Channel, Mesh};
use store_testing::{Engine, TestDatabase};
use tempfile::TempDir;
use tokio::process::Command;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::{
    Image, ImportProductsRequest, ImportedProduct, ListProductsRequest, Option as Choice, Product,
    UpdateProductRequest, Variant,
};
use tradewind::money::v1::Money;
use tradewind::users::v1::users_service_client::UsersServiceClient;
use tradewind::users::v1::{LogInRequest, RegisterRequest};

use crate::process::{Process, free_address};
use crate::rpc::{self, said};

const EMAIL: &str = "admin@example.com";
const PASSWORD: &str = "let me measure this";
/// Every service of a shop.
const SERVICES: [&str; 8] =
    ["gateway", "users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
/// A call imports at most so many products.
const BATCH: usize = 200;
/// More than any measurement buys.
const ON_HAND: i64 = 1_000_000_000;

/// What titles are made of: each pair is a product's.
const KINDS: [&str; 8] = ["shirt", "kettle", "lamp", "chair", "bottle", "blanket", "basket", "mug"];
const STUFFS: [&str; 8] =
    ["linen", "copper", "walnut", "wool", "glass", "willow", "enamel", "cotton"];

/// How processes are started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) tradewind: PathBuf,
    /// Where spans go; without, no trace is kept.
    pub(crate) sink: Option<SocketAddr>,
    /// Whether each write to SQLite waits for the disk by itself.
    pub(crate) commits_alone: bool,
}

/// A running shop; its processes and its data are gone when it is dropped.
pub(crate) struct Shop {
    pub(crate) gateway: SocketAddr,
    pub(crate) process: Process,
    pub(crate) directory: TempDir,
    pub(crate) database: TestDatabase,
    /// Where it answers the processes beside it, when there are some.
    beside: Option<SocketAddr>,
    arguments: Vec<String>,
}

impl Shop {
    /// Every service in one process.
    pub(crate) async fn near(start: &Start, engine: Engine) -> Result<Self> {
        let (directory, database) = (tempfile::tempdir()?, store_testing::database(engine).await);
        let gateway = free_address().await?;
        let mut arguments = start.arguments(directory.path(), engine, &database);
        arguments.extend(administrator(gateway));
        let process = Process::start(&start.tradewind, &arguments).await?;
        Ok(Self { gateway, process, directory, database, beside: None, arguments })
    }

    /// Ends its process and starts it again on the same data.
    pub(crate) async fn restart(&mut self, start: &Start) -> Result<()> {
        self.process.end().await?;
        self.process = Process::start(&start.tradewind, &self.arguments).await?;
        Ok(())
    }

    /// Every service but one in one process, which finds that one at an address.
    pub(crate) async fn without(
        start: &Start,
        service: &'static str,
        at: SocketAddr,
    ) -> Result<Self> {
        let engine = Engine::Postgres;
        let (directory, database) = (tempfile::tempdir()?, store_testing::database(engine).await);
        let (gateway, own) = (free_address().await?, free_address().await?);
        let key = key_of(directory.path());
        let made = Command::new(&start.tradewind).arg("mesh-key").arg(&key).output().await?;
        ensure!(made.status.success(), "no mesh key: {}", String::from_utf8_lossy(&made.stderr));
        let mut arguments = start.arguments(directory.path(), engine, &database);
        arguments.extend(administrator(gateway));
        arguments.extend(others(service).map(str::to_owned));
        arguments.extend(far(own, &key));
        arguments.extend(["--at".to_owned(), format!("{service}=http://{at}")]);
        let process = Process::start(&start.tradewind, &arguments).await?;
        Ok(Self { gateway, process, directory, database, beside: Some(own), arguments })
    }

    /// That one service of such a shop, at an address; a second one is a replica.
    pub(crate) async fn apart(
        &self,
        start: &Start,
        service: &'static str,
        at: SocketAddr,
    ) -> Result<Process> {
        let own = self.beside.context("every service of this shop is in one process")?;
        let data = self.directory.path().join(at.port().to_string());
        let mut arguments = start.arguments(&data, Engine::Postgres, &self.database);
        arguments.push(service.to_owned());
        arguments.extend(far(at, &key_of(self.directory.path())));
        for other in others(service).filter(|name| *name != "gateway") {
            arguments.extend(["--at".to_owned(), format!("{other}=http://{own}")]);
        }
        Process::start(&start.tradewind, &arguments).await
    }

    /// A mesh of this process, which shows itself to the shop's and knows where one service is.
    pub(crate) fn mesh(
        &self,
        process: &'static str,
        service: &'static str,
        at: SocketAddr,
    ) -> Result<Mesh> {
        let key = ServiceKey::open(&key_of(self.directory.path()))?;
        Ok(Mesh::new(mesh::Config {
            roles: tradewind::roles::roles(),
            elsewhere: [(service, format!("http://{at}"))].into(),
            service_key: Some(Arc::new(key)),
            ..mesh::Config::new(process, vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS])
        })?)
    }

    /// The token of its merchant.
    pub(crate) async fn merchant(&self) -> Result<String> {
        let request = LogInRequest { email: EMAIL.into(), password: PASSWORD.into() };
        let mut users = UsersServiceClient::new(rpc::open(self.gateway).await?);
        Ok(users.log_in(request).await.map_err(said)?.into_inner().access_token)
    }

    /// The token of a new customer.
    pub(crate) async fn customer(&self, name: &str) -> Result<String> {
        let request = RegisterRequest {
            email: format!("{name}@example.com"),
            password: PASSWORD.into(),
            display_name: name.into(),
        };
        let mut users = UsersServiceClient::new(rpc::open(self.gateway).await?);
        Ok(users.register(request).await.map_err(said)?.into_inner().access_token)
    }

    /// The catalog for the merchant.
    pub(crate) async fn desk(&self) -> Result<CatalogServiceClient<Channel>> {
        let channel = rpc::open(self.gateway).await?;
        Ok(CatalogServiceClient::new(rpc::with_token(channel, &self.merchant().await?)?))
    }

    /// Puts so many products into it, and answers at most a thousand of them.
    pub(crate) async fn fill(&self, count: usize) -> Result<Vec<Product>> {
        let mut catalog = self.desk().await?;
        let all: Vec<usize> = (0..count).collect();
        for numbers in all.chunks(BATCH) {
            let products = numbers.iter().copied().map(imported).collect();
            let request = ImportProductsRequest { products, set_stock: false };
            catalog.import_products(request).await.map_err(said)?;
        }
        let page = i32::try_from(count.min(1000))?;
        let request = ListProductsRequest { page_size: page, ..ListProductsRequest::default() };
        let listed = catalog.list_products(request).await.map_err(said)?.into_inner().products;
        ensure!(listed.len() == count.min(1000), "{} of {page} products listed", listed.len());
        Ok(listed)
    }
}

/// Changes a product, so that no answer that was kept before is given again.
pub(crate) async fn touch(
    catalog: &mut CatalogServiceClient<Channel>,
    product: &Product,
    number: usize,
) -> Result<()> {
    let vendor = format!("Harbour & Pine {number}");
    let product = Some(Product { vendor, etag: String::new(), ..product.clone() });
    catalog.update_product(UpdateProductRequest { product }).await.map_err(said)?;
    Ok(())
}

impl Start {
    fn arguments(&self, data: &Path, engine: Engine, database: &TestDatabase) -> Vec<String> {
        let mut arguments = vec!["serve".to_owned()];
        arguments.extend(["--data".to_owned(), data.join("data").display().to_string()]);
        if engine == Engine::Postgres {
            arguments.extend(["--database".to_owned(), database.location()]);
        }
        // One customer makes all the calls of many.
        for budget in ["--reads-per-second", "--writes-per-second", "--credentials-per-minute"] {
            arguments.extend([budget.to_owned(), "1000000000".to_owned()]);
        }
        if self.commits_alone {
            arguments.extend(["--development", "--commits-alone"].map(str::to_owned));
        }
        match self.sink {
            Some(sink) => {
                let sink = format!("http://{sink}");
                arguments.extend(["--otlp", &sink, "--sample", "0.1"].map(str::to_owned));
            }
            None => arguments.extend(["--sample", "0"].map(str::to_owned)),
        }
        arguments
    }
}

fn others(service: &'static str) -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().filter(move |name| *name != service)
}

fn administrator(gateway: SocketAddr) -> [String; 6] {
    let gateway = gateway.to_string();
    ["--admin-email", EMAIL, "--admin-password", PASSWORD, "--listen", &gateway].map(str::to_owned)
}

fn far(own: SocketAddr, key: &Path) -> [String; 4] {
    let (own, key) = (own.to_string(), key.display().to_string());
    ["--mesh-listen", &own, "--mesh-key", &key].map(str::to_owned)
}

fn key_of(directory: &Path) -> PathBuf {
    directory.join("mesh.pem")
}

/// A product as shops have them: about a kilobyte, three variants, a picture.
fn imported(number: usize) -> ImportedProduct {
    let (kind, stuff) = (KINDS[number % KINDS.len()], STUFFS[number / KINDS.len() % STUFFS.len()]);
    let sizes = ["small", "medium", "large"];
    let price = i64::try_from(number % 97).unwrap_or_default() * 100 + 1_900;
    let variants = sizes.iter().map(|size| Variant {
        option_values: vec![(*size).to_owned()],
        sku: format!("{number:07}-{size}"),
        price: Some(Money { currency_code: "EUR".into(), minor: price }),
        weight_grams: 240,
        requires_shipping: true,
        taxable: true,
        ..Variant::default()
    });
    let description =
        format!("<p>A {kind} of {stuff}, cut straight and made to last. </p>").repeat(6);
    let product = Product {
        handle: format!("{stuff}-{kind}-{number}"),
        title: format!("The {stuff} {kind} no. {number}"),
        description,
        vendor: "Harbour & Pine".into(),
        product_type: kind.to_owned(),
        tags: vec![stuff.to_owned(), "home".to_owned()],
        status: Status::Active as i32,
        options: vec![Choice { name: "Size".into(), values: sizes.map(str::to_owned).to_vec() }],
        variants: variants.collect(),
        images: vec![Image {
            url: format!("https://images.example.com/{stuff}-{kind}-{number}.jpg"),
            alt_text: format!("A {kind} of {stuff}"),
        }],
        ..Product::default()
    };
    ImportedProduct { product: Some(product), on_hand: vec![ON_HAND; 3] }
}

/// The first of some, or what is missing.
pub(crate) fn first(products: &[Product]) -> Result<&Product> {
    products.first().context("the shop is empty")
}
