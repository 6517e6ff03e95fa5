//! `tradewind import`: a product feed into a running mesh, with memory that does not grow with it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use contract::Check;
use indicatif::{ProgressBar, ProgressStyle};
use mesh::Channel;
use tonic::{Code, Response, Status};
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::import_result::Outcome;
use tradewind::catalog::v1::{ImportProductsRequest, ImportProductsResponse, ImportedProduct};
use tradewind::users::v1::GetProjectRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::connect::{self, Account, Target, said};
use crate::feed::{Feed, Refusal};
use crate::say;

/// A call carries at most this many products, or variants of them: either keeps it under 4 MiB.
const MOST_PRODUCTS: usize = 100;
const MOST_VARIANTS: usize = 500;
/// How often a batch may meet another import of the same products: replicas fill the sample shop side by side.
const MOST_CONFLICTS: u32 = 10;

/// What `import` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The feed: Shopify's product CSV.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Sets the stock of variants that exist already, too. Without it, a feed never changes what is on hand.
    #[arg(long)]
    set_stock: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// What became of a feed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    pub(crate) refused: u64,
}

/// Imports a file; rows that are refused make the command fail, and the others are taken.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let file = File::open(&arguments.file)
        .with_context(|| format!("{} cannot be read", arguments.file.display()))?;
    let length = file.metadata()?.len();
    let place = arguments.target.place();
    let client = connect::open(&place).await?;
    let client = connect::sign_in(&client, &place, &arguments.account).await?;

    let bar = ProgressBar::new(length);
    let style = "{bar:40} {percent:>3}% {bytes}/{total_bytes} {msg}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let tell = |refusal: &Refusal| {
        bar.suspend(|| say(&format!("line {}: {}", refusal.line, refusal.reason)));
    };
    let summary = import(
        client.channel(),
        BufReader::new(file),
        arguments.set_stock,
        &tell,
        &|at, summary| {
            bar.set_position(at.min(length));
            bar.set_message(format!("{} products", summary.total()));
        },
    )
    .await?;
    bar.finish_and_clear();
    say(&format!(
        "{} created, {} updated, {} unchanged; {} rows refused",
        summary.created, summary.updated, summary.unchanged, summary.refused
    ));
    Ok(if summary.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Summary {
    fn total(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }
}

/// Imports a feed by a channel that may.
pub(crate) async fn import(
    channel: Channel,
    source: impl Read,
    set_stock: bool,
    refused: &dyn Fn(&Refusal),
    progress: &dyn Fn(u64, &Summary),
) -> Result<Summary> {
    let project = UsersServiceClient::new(channel.clone())
        .get_project(GetProjectRequest {})
        .await
        .map_err(said)?
        .into_inner();
    let mut feed = Feed::new(source, &project.currency_code)?;
    let mut catalog = CatalogServiceClient::new(channel);
    let mut summary = Summary::default();
    let mut batch: Vec<(u64, ImportedProduct)> = Vec::new();
    let mut variants = 0;
    loop {
        let entry = feed.next();
        let ended = entry.is_none();
        if let Some(entry) = entry {
            for refusal in &entry.refused {
                summary.refused += 1;
                refused(refusal);
            }
            let Some(product) = entry.product else { continue };
            // A batch is refused whole for one message that breaks the contract; so none may.
            if let Err(violations) = product.check() {
                summary.refused += 1;
                refused(&Refusal { line: entry.line, reason: violations.to_string() });
            } else {
                variants += product.product.as_ref().map_or(0, |product| product.variants.len());
                batch.push((entry.line, product));
            }
        }
        let full = batch.len() >= MOST_PRODUCTS || variants >= MOST_VARIANTS;
        if !batch.is_empty() && (full || ended) {
            send(&mut catalog, std::mem::take(&mut batch), set_stock, refused, &mut summary)
                .await?;
            variants = 0;
            progress(feed.position(), &summary);
        }
        if ended {
            return Ok(summary);
        }
    }
}

async fn send(
    catalog: &mut CatalogServiceClient<Channel>,
    batch: Vec<(u64, ImportedProduct)>,
    set_stock: bool,
    refused: &dyn Fn(&Refusal),
    summary: &mut Summary,
) -> Result<()> {
    let (lines, products): (Vec<u64>, Vec<ImportedProduct>) = batch.into_iter().unzip();
    let request = ImportProductsRequest { products, set_stock };
    let answer = import_again(catalog, request).await.map_err(said)?.into_inner();
    for (line, result) in lines.into_iter().zip(answer.results) {
        match result.outcome() {
            Outcome::Created => summary.created += 1,
            Outcome::Updated => summary.updated += 1,
            Outcome::Unchanged => summary.unchanged += 1,
            Outcome::Refused | Outcome::Unspecified => {
                summary.refused += 1;
                let reason = format!("{}: {}", result.handle, result.message);
                refused(&Refusal { line, reason });
            }
        }
    }
    Ok(())
}

/// Imports a batch; when someone else made one of its products at the same time, once more, to update it.
async fn import_again(
    catalog: &mut CatalogServiceClient<Channel>,
    request: ImportProductsRequest,
) -> Result<Response<ImportProductsResponse>, Status> {
    let mut conflicts = 0;
    loop {
        match catalog.import_products(request.clone()).await {
            Err(status) if status.code() == Code::Aborted && conflicts < MOST_CONFLICTS => {
                conflicts += 1;
            }
            outcome => return outcome,
        }
    }
}
