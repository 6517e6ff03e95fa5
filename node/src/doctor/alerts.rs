//! Whether somebody would be woken: Prometheus reads the processes of the mesh, has its alert rules, and knows whom to tell.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::finding::{Finding, Verdict};

const CHECK: &str = "alerts";
/// How long Prometheus may take to answer.
const WITHIN: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: rules of many teams may stand in one Prometheus.
const LONGEST: usize = 64 << 20;
/// The rules that this version comes with.
const RULES: &str = include_str!("../../../helm/tradewind/files/alerts.yaml");
/// `count(up{job=~"(.*/)?tradewind.*"} == 1)`: what the rules take for processes of the mesh.
const READ: &str =
    "/api/v1/query?query=count%28up%7Bjob%3D~%22%28.*%2F%29%3Ftradewind.*%22%7D%20%3D%3D%201%29";

/// Asks Prometheus, where one is named.
pub(super) async fn look(prometheus: Option<&str>, severe: Verdict) -> Vec<Finding> {
    let Some(prometheus) = prometheus else {
        let unknown = Finding::warn(
            CHECK,
            "not looked at: whether anybody is woken when something breaks is not known",
            "name the Prometheus that reads this mesh with --prometheus",
        );
        return if severe == Verdict::Fail { vec![unknown] } else { Vec::new() };
    };
    match ask(prometheus).await {
        Ok(told) => judge(prometheus, &told, severe),
        Err(error) => {
            let found = format!("{prometheus}: {error:#}");
            let advice = "start it, or name the one that runs with --prometheus, such as http://prometheus:9090";
            vec![Finding::fail(CHECK, found, advice)]
        }
    }
}

/// What Prometheus says of itself.
#[derive(Debug)]
struct Told {
    rules: Value,
    managers: Value,
    read: Value,
}

async fn ask(prometheus: &str) -> Result<Told> {
    let base = prometheus.trim_end_matches('/');
    Ok(Told {
        rules: get(base, "/api/v1/rules?type=alert").await?,
        managers: get(base, "/api/v1/alertmanagers").await?,
        read: get(base, READ).await?,
    })
}

/// The `data` of an answer.
async fn get(base: &str, path: &str) -> Result<Value> {
    let address: http::Uri = format!("{base}{path}").parse().context("it is no URL")?;
    if address.scheme_str() != Some("http") {
        bail!("only http:// is spoken here: name the address that it has within");
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answered = async {
        let response = client.get(address).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
        if !status.is_success() {
            bail!("it answers {status}");
        }
        let mut answer: Value = serde_json::from_slice(&body).context("it is no Prometheus")?;
        Ok(answer["data"].take())
    };
    tokio::time::timeout(WITHIN, answered).await.context("it does not answer in time")?
}

fn judge(prometheus: &str, told: &Told, severe: Verdict) -> Vec<Finding> {
    let read = told.read["result"][0]["value"][1].as_str().unwrap_or("0");
    let reads = Finding::of(
        CHECK,
        if read == "0" { severe } else { Verdict::Pass },
        format!("{prometheus} reads {read} processes of this mesh"),
        "have it read /metrics of every --admin-listen, under a job whose name begins with tradewind",
    );
    let managers = list(&told.managers["activeAlertmanagers"]);
    let tells = Finding::of(
        CHECK,
        if managers.is_empty() { severe } else { Verdict::Pass },
        format!("it tells {} Alertmanagers", managers.len()),
        "name one under `alerting` in its configuration: what is raised is told to nobody",
    );
    vec![reads, rules(&told.rules, severe), tells]
}

/// Whether all rules are there, and can be reckoned.
fn rules(told: &Value, severe: Verdict) -> Finding {
    let groups = list(&told["groups"]);
    let there: Vec<_> = groups.iter().flat_map(|group| list(&group["rules"])).collect();
    let named = |name: &str| there.iter().find(|rule| rule["name"] == name);
    let missing: Vec<_> = ours().filter(|name| named(name).is_none()).collect();
    if !missing.is_empty() {
        let of = ours().count();
        let found = format!("{} of {of} alerts are missing: {}", missing.len(), missing.join(", "));
        let advice = "load helm/tradewind/files/alerts.yaml of this version: prometheusRule.enabled of the chart, or rule_files";
        return Finding::of(CHECK, severe, found, advice);
    }
    let failing = ours().filter_map(named).find(|rule| rule["health"] == "err");
    if let Some(rule) = failing {
        let (name, why) = (&rule["name"], &rule["lastError"]);
        let found = format!("{name} cannot be reckoned: {why}");
        return Finding::of(
            CHECK,
            severe,
            found,
            "two series that differ in a label alone are most often why",
        );
    }
    Finding::pass(CHECK, format!("all {} alerts are there", ours().count()))
}

/// The names of the alerts of this version.
fn ours() -> impl Iterator<Item = &'static str> {
    RULES.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: "))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_of_this_version_is_asked_for_by_its_name() {
        let all: Vec<_> = ours().collect();

        assert_eq!(all.len(), RULES.matches("alert:").count());
        assert!(all.contains(&"CheckoutStuck"), "{all:?}");
    }
}
