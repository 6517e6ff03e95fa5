//! Payments of which the provider said the opposite: no service can know better, but the audit must tell.

use anyhow::Result;
use auditor::Report;
use harness::Harness;

use super::Broken;
use crate::agent::{Agent, Lie};
use crate::quiet::anybody;

/// What the provider lied about: attempts, with the ids of everything that depends on them.
#[derive(Debug, Default)]
pub(crate) struct Excused {
    /// An attempt, and whatever of its order can be told about.
    of_attempt: Vec<(String, Vec<String>)>,
    /// Attempts whose truth came to light all the same: the lie was lost with its commit, and the provider was asked again.
    known: Vec<String>,
}

impl Excused {
    /// Whether a text names any of it.
    pub(crate) fn covers(&self, text: &str) -> bool {
        let mut all = self.of_attempt.iter().flat_map(|(attempt, ids)| ids.iter().chain([attempt]));
        all.any(|id| text.contains(id.as_str()))
    }

    pub(crate) fn some(&self) -> bool {
        !self.of_attempt.is_empty()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let all = self.of_attempt.iter();
        all.flat_map(|(attempt, ids)| ids.iter().chain([attempt]).cloned()).collect()
    }

    /// Lies that the auditor says nothing of.
    pub(super) fn unnoticed(&self, report: &Report) -> Vec<Broken> {
        let unnoticed = self.of_attempt.iter().filter(|(attempt, ids)| {
            let is_told =
                report.findings.iter().any(|it| it.id == *attempt || ids.contains(&it.id));
            !is_told && !self.known.contains(attempt)
        });
        unnoticed
            .map(|(attempt, _)| {
                let text = "the provider said the opposite of what it did, and no audit tells";
                Broken::new("contradictions are told", attempt, text)
            })
            .collect()
    }
}

/// What the provider lied about in this history.
pub(crate) async fn excused(harness: &Harness, agent: &Agent) -> Result<Excused> {
    let mut excused = Excused::default();
    let reader = harness.store("payments").read(&anybody(harness));
    for Lie { attempt_id, truth } in agent.lies() {
        let mut ids = Vec::new();
        let found = reader
            .query(
                "SELECT i.id AS intent_id, i.order_id AS order_id, a.outcome AS outcome FROM payment_attempts a \
                 JOIN payment_intents i ON i.project = a.project AND i.id = a.intent_id \
                 WHERE a.project = $1 AND a.id = $2",
            )
            .bind(&attempt_id)
            .fetch_optional()
            .await?;
        if let Some(row) = found {
            let intent_id: String = row.get("intent_id")?;
            if row.get::<String>("outcome")? == truth {
                excused.known.push(attempt_id.clone());
            }
            for (sql, id) in [
                ("SELECT id FROM refunds WHERE project = $1 AND intent_id = $2", &intent_id),
                (
                    "SELECT id FROM payment_attempts WHERE project = $1 AND intent_id = $2",
                    &intent_id,
                ),
            ] {
                for row in reader.query(sql).bind(id).fetch_all().await? {
                    ids.push(row.get("id")?);
                }
            }
            ids.push(row.get("order_id")?);
            ids.push(intent_id);
        }
        excused.of_attempt.push((attempt_id, ids));
    }
    Ok(excused)
}
