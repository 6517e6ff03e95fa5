//! Writes the OpenAPI document of the contracts, as the gateway serves it, to the standard output.

use std::io::Write;

use gateway::{Gateway, Options};
use http::Request;
use http_body_util::{BodyExt, Empty};
use tower::ServiceExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = Gateway::new(
        &[contract::DESCRIPTORS, tradewind::DESCRIPTORS],
        |_| None,
        Options::default(),
    )?;
    let asked = Request::builder().uri("/openapi.json").body(Empty::new())?;
    let answer = gateway.oneshot(asked).await?;
    let document = answer.into_body().collect().await?.to_bytes();
    std::io::stdout().write_all(&document)?;
    Ok(())
}
