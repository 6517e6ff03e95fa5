//! The server under test, started as the suite's runner asks.

use std::collections::HashMap;
use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use gateway::{Gateway, Options};
use mesh::serve::{Config, Drain};
use mesh::{CancellationToken, Service};
use prost::Message;
use tokio::net::TcpListener;

use super::service::Conformance;
use crate::contracts::conformance::conformance_service_server::ConformanceServiceServer;
use crate::contracts::conformance::{ServerCompatRequest, ServerCompatResponse};
use crate::trailing::WithTrailing;
use crate::{contracts, serving};

const SERVICE: &str = "connectrpc.conformance.v1.ConformanceService";

/// Reads what is asked, says where it is served, and serves until the runner ends the process.
pub(crate) async fn run() -> Result<()> {
    let asked = asked().context("what is asked cannot be read")?;
    ensure!(!asked.use_tls, "the mesh leaves TLS to what stands before it");
    let limit = usize::try_from(asked.message_receive_limit)?;
    let mut options = Options::default();
    let mut server = ConformanceServiceServer::new(Conformance);
    if limit > 0 {
        options.max_body_bytes = limit;
        server = server.max_decoding_message_size(limit);
    }

    let stop = CancellationToken::new();
    let service = Service::new("conformance").answer(WithTrailing(server));
    let mesh = serving::mesh(vec![service], HashMap::new(), &stop)?;
    let channels = move |service: &str| (service == SERVICE).then(|| mesh.channel("conformance"));
    let gateway =
        Gateway::new(&[contract::DESCRIPTORS, contracts::DESCRIPTORS], channels, options)?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tell(&ServerCompatResponse {
        host: address.ip().to_string(),
        port: address.port().into(),
        ..ServerCompatResponse::default()
    })?;
    mesh::serve::http(listener, gateway, Config::edge().ending(Drain::at_once()), stop).await;
    Ok(())
}

/// Messages on standard input and output stand behind their length.
fn asked() -> Result<ServerCompatRequest> {
    let mut input = std::io::stdin().lock();
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    input.read_exact(&mut message)?;
    Ok(ServerCompatRequest::decode(message.as_slice())?)
}

fn tell(response: &ServerCompatResponse) -> Result<()> {
    let message = response.encode_to_vec();
    let mut output = std::io::stdout().lock();
    output.write_all(&u32::try_from(message.len())?.to_be_bytes())?;
    output.write_all(&message)?;
    Ok(output.flush()?)
}
