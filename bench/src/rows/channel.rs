//! The mesh's own channel, beside tonic's and beside grpc-go.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use mesh::signing::SigningKey;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::pairs::Pairs;
use crate::peer::calls::{asking, echoing, own};
use crate::peer::layers;
use crate::process;
use crate::rpc;
use crate::run::Bench;
use crate::table::Row;

/// The rows of one channel beside another, by calls in flight.
const SIDES: [(&str, usize); 3] = [("channel-1", 1), ("channel-64", 64), ("channel-256", 256)];
/// Calls in flight of the other rows.
const IN_FLIGHT: usize = 64;
/// Calls after which allocations are counted, and so many more.
const COUNTED: [usize; 2] = [200, 1_200];

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let (_peer, address) = process::peer(&["echo"]).await?;
    let mut rows = Vec::new();
    for (name, in_flight) in SIDES {
        rows.push(beside_tonic(bench, address, name, in_flight).await?);
    }
    rows.push(through_layers(bench, address).await?);
    rows.push(beside_go(bench, address).await?);
    rows.push(allocations(address).await?);
    Ok(rows)
}

async fn beside_tonic(
    bench: &Bench,
    address: SocketAddr,
    name: &'static str,
    in_flight: usize,
) -> Result<Row> {
    let (own, bare) = (own(address)?, rpc::bare(address).await?);
    let pairs = bench
        .in_turns(
            async || Ok(bench.load(in_flight, |_| echoing(own.clone())).await?.rate),
            async || Ok(bench.load(in_flight, |_| echoing(bare.clone())).await?.rate),
        )
        .await?;
    let what = format!("our channel to a bare echo, {in_flight} in flight");
    Ok(Row::ratio(name, &what, "tonic's channel to the same", &pairs).with_bar("1.0"))
}

/// The whole mesh on both sides of a call, beside nothing on either.
async fn through_layers(bench: &Bench, address: SocketAddr) -> Result<Row> {
    let directory = tempfile::tempdir()?;
    let key = directory.path().join("key.pem");
    std::fs::write(&key, SigningKey::generate_pem()?)?;
    let path = key.to_str().context("its path is not text")?;
    let (_peer, layered) = process::peer(&["layers", path]).await?;
    let (far, bare) = (layers::far(layered, &key)?, rpc::bare(address).await?);
    let pairs = bench
        .in_turns(
            async || Ok(bench.load(IN_FLIGHT, |_| asking(far.clone())).await?.rate),
            async || Ok(bench.load(IN_FLIGHT, |_| echoing(bare.clone())).await?.rate),
        )
        .await?;
    let what = format!("the mesh's client and server with every layer, {IN_FLIGHT} in flight");
    let peer = "bare tonic client and server";
    Ok(Row::ratio("channel-layers", &what, peer, &pairs).with_bar("0.8"))
}

/// A client of Go cannot be driven by the loop here, so grpc-go loads its own server, and counts as that does.
async fn beside_go(bench: &Bench, address: SocketAddr) -> Result<Row> {
    let (name, what) = ("channel-go", format!("our channel to a bare echo, {IN_FLIGHT} in flight"));
    let Some(program) = go()? else {
        return Ok(Row::alone(name, &what, "skipped: grpc-go is built where Go is".to_owned()));
    };
    let own = own(address)?;
    let (_server, served) = serving(&program).await?;
    let pairs = bench
        .in_turns(
            async || Ok(bench.load(IN_FLIGHT, |_| echoing(own.clone())).await?.rate),
            async || loading(&program, served, bench).await,
        )
        .await?;
    Ok(Row::ratio(name, &what, "grpc-go to a bare echo of its own", &pairs))
}

/// What `make bench` has built, beside the folder of this profile.
fn go() -> Result<Option<PathBuf>> {
    let own = std::env::current_exe()?;
    let tools = own.ancestors().nth(2).context("this program stands in no folder")?.join("tools");
    Ok(Some(tools.join("grpc-go-echo")).filter(|program| program.exists()))
}

async fn serving(program: &PathBuf) -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(program)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let said = child.stdout.take().context("it has no output")?;
    let line = BufReader::new(said).lines().next_line().await?;
    Ok((child, line.context("it ended before it said its address")?.parse()?))
}

async fn loading(program: &PathBuf, served: SocketAddr, bench: &Bench) -> Result<f64> {
    let window = bench.window();
    let [warm, measured] = [window.warm_up, window.measured].map(|time| time.as_secs_f64());
    let words = [served.to_string(), IN_FLIGHT.to_string(), warm.to_string(), measured.to_string()];
    let ran = Command::new(program).arg("load").args(words).output().await?;
    ensure!(ran.status.success(), "grpc-go: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8_lossy(&ran.stdout).trim().parse()?)
}

/// What a call allocates at its caller, without what a connection does once.
async fn allocations(address: SocketAddr) -> Result<Row> {
    let mut counted = Pairs::default();
    let [own, bare] = ["mesh", "tonic"].map(|way| per_call(address, way));
    counted.push(own.await?, bare.await?);
    Ok(Row {
        name: "channel-allocations",
        what: "allocations of a call at its caller".to_owned(),
        figure: format!("{:.1}", counted.subject[0]),
        beside: format!("tonic's channel: {:.1}", counted.beside[0]),
        result: format!("{:+.1}", counted.difference().median),
        bar: "reported",
    })
}

async fn per_call(address: SocketAddr, way: &str) -> Result<f64> {
    let [few, many] = COUNTED.map(|count| allocated(address, way, count));
    let (few, many) = (few.await?, many.await?);
    #[expect(clippy::cast_precision_loss, reason = "they are far below 2^52")]
    let each = (many - few) as f64 / (COUNTED[1] - COUNTED[0]) as f64;
    Ok(each)
}

/// How often a process allocated that made so many calls: its allocator's profile samples every time, and
/// forgets none.
async fn allocated(address: SocketAddr, way: &str, count: usize) -> Result<u64> {
    let directory = tempfile::tempdir()?;
    let prefix = directory.path().join("profile");
    let profile = format!(
        "prof:true,lg_prof_sample:0,prof_accum:true,prof_final:true,prof_prefix:{}",
        prefix.display()
    );
    let ran = Command::new(std::env::current_exe()?)
        .args(["calls", &address.to_string(), way, &count.to_string()])
        .env("_RJEM_MALLOC_CONF", profile)
        .output()
        .await?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut written = std::fs::read_dir(directory.path())?;
    let file = written.next().context("its allocator wrote no profile")??;
    let text = std::fs::read_to_string(file.path())?;
    // The line of all threads: `t*: living: bytes [all: bytes]`.
    let all = text.lines().find_map(|line| line.trim().strip_prefix("t*:")?.split_once('['));
    let (_, all) = all.context("its profile has no sum")?;
    Ok(all.split(':').next().context("its sum has no count")?.trim().parse()?)
}
