//! What is known of every payment, and what its provider has on record, for who compares both.

use std::collections::HashMap;

use mesh::Context;
use store::{Error as StoreError, Reader, Row};
use tradewind::money::v1::Money;
use tradewind::payments::v1::provider_entry::Theirs;
use tradewind::payments::v1::{
    AuditPaymentsRequest, AuditPaymentsResponse, AuditProvidersRequest, AuditProvidersResponse,
    AuditedPayment, PaymentAttempt, PaymentIntent, ProviderEntry, Refund, payment_attempt, refund,
};

use crate::error::Error;
use crate::provider::{Provider, Record, Records};
use crate::rpc::Payments;

/// The size of a page when nothing is said.
const PAGE: u32 = 500;

/// The intents after those of the page before, by their orders, with all that belongs to them.
pub(crate) async fn payments(
    reader: &Reader,
    asked: &AuditPaymentsRequest,
) -> Result<AuditPaymentsResponse, StoreError> {
    let size = size(asked.page_size);
    let after = asked.page_token.as_str();
    // One more tells whether there is another page.
    let select = reader.select("order_id > $2").bind(after).order("order_id").limit(size + 1);
    let mut intents: Vec<PaymentIntent> = select.fetch_all().await?;
    let more = intents.len() > size as usize;
    intents.truncate(size as usize);
    let Some(last) = intents.last().map(|intent| intent.order_id.clone()) else {
        return Ok(AuditPaymentsResponse::default());
    };
    let attempts = reader.select(OF_PAGE).bind(after).bind(&last);
    let attempts: Vec<PaymentAttempt> =
        attempts.order("number, create_time, id").fetch_all().await?;
    let refunds = reader.select(OF_PAGE).bind(after).bind(&last);
    let refunds: Vec<Refund> = refunds.order("create_time, id").fetch_all().await?;

    let mut attempts_of: HashMap<String, Vec<PaymentAttempt>> = HashMap::new();
    for attempt in attempts {
        attempts_of.entry(attempt.intent_id.clone()).or_default().push(attempt);
    }
    let mut refunds_of: HashMap<String, Vec<Refund>> = HashMap::new();
    for refund in refunds {
        refunds_of.entry(refund.intent_id.clone()).or_default().push(refund);
    }
    let payments = intents.into_iter().map(|intent| AuditedPayment {
        attempts: attempts_of.remove(&intent.id).unwrap_or_default(),
        refunds: refunds_of.remove(&intent.id).unwrap_or_default(),
        intent: Some(intent),
    });
    let payments = payments.collect();
    Ok(AuditPaymentsResponse { payments, next_page_token: if more { last } else { String::new() } })
}

/// What belongs to the intents of a page.
const OF_PAGE: &str = "intent_id IN (SELECT id FROM payment_intents \
                       WHERE project = $1 AND order_id > $2 AND order_id <= $3)";

impl Payments {
    /// A page of what one provider after another has on record, beside what is known here.
    pub(crate) async fn audit_providers(
        &self,
        context: &Context,
        asked: &AuditProvidersRequest,
    ) -> Result<AuditProvidersResponse, Error> {
        let size = size(asked.page_size);
        let (position, after) = place(&asked.page_token)?;
        let Some(provider) = self.providers.at(position) else {
            let silent = self.silent_providers(context).await;
            return Ok(AuditProvidersResponse {
                silent_providers: silent,
                ..AuditProvidersResponse::default()
            });
        };
        let theirs = match provider.records(context, after, size).await {
            Records::Are(records) => records,
            // It tells nobody: the next one may.
            Records::Untold => return Ok(turn(Vec::new(), position + 1, "")),
            Records::Lost => return Err(Error::ProviderUnanswered(provider.name().into())),
        };
        let reader = self.store.read(context);
        let ours = known(&reader, provider, after, size).await?;
        let (mut entries, whole) = merged(provider.name(), ours, theirs, size as usize);
        if whole {
            return Ok(turn(entries, position + 1, ""));
        }
        entries.truncate(size as usize);
        let last = entries.last().map(|entry| entry.id.clone()).unwrap_or_default();
        Ok(turn(entries, position, &last))
    }

    async fn silent_providers(&self, context: &Context) -> Vec<String> {
        let mut silent = Vec::new();
        for provider in self.providers.iter() {
            if matches!(provider.records(context, "", 1).await, Records::Untold) {
                silent.push(provider.name().to_owned());
            }
        }
        silent
    }
}

fn size(page_size: i32) -> u32 {
    u32::try_from(page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE)
}

fn turn(entries: Vec<ProviderEntry>, position: usize, after: &str) -> AuditProvidersResponse {
    let next_page_token = format!("{position}/{after}");
    AuditProvidersResponse { entries, next_page_token, silent_providers: Vec::new() }
}

/// Which provider a page is of, and after which id it begins.
fn place(token: &str) -> Result<(usize, &str), Error> {
    if token.is_empty() {
        return Ok((0, ""));
    }
    let place = token.split_once('/');
    place
        .and_then(|(position, after)| Some((position.parse().ok()?, after)))
        .ok_or(Error::InvalidPageToken)
}

/// Both lists as one, by id; whether each has been read to its end.
fn merged(
    provider: &str,
    ours: Vec<ProviderEntry>,
    theirs: Vec<Record>,
    size: usize,
) -> (Vec<ProviderEntry>, bool) {
    let whole = ours.len() < size && theirs.len() < size;
    // Beyond where the shorter list may go on, nothing is known of its side.
    let end = |full: bool, last: Option<&String>| last.filter(|_| full).cloned();
    let ends = [
        end(ours.len() >= size, ours.last().map(|entry| &entry.id)),
        end(theirs.len() >= size, theirs.last().map(|record| &record.key)),
    ];
    let end = ends.into_iter().flatten().min();
    let mut all: std::collections::BTreeMap<String, ProviderEntry> =
        ours.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
    for record in theirs {
        let entry = all.entry(record.key.clone()).or_insert_with(|| ProviderEntry {
            id: record.key,
            provider: provider.to_owned(),
            is_refund: record.is_refund,
            ..ProviderEntry::default()
        });
        entry.set_theirs(record.theirs);
        entry.their_amount = Some(record.amount);
    }
    let within = |entry: &ProviderEntry| end.as_ref().is_none_or(|end| entry.id <= *end);
    (all.into_values().filter(within).collect(), whole)
}

/// What is known here of what a provider was asked for.
async fn known(
    reader: &Reader,
    provider: &dyn Provider,
    after: &str,
    size: u32,
) -> Result<Vec<ProviderEntry>, StoreError> {
    let sql = "SELECT * FROM (\
           SELECT * FROM (SELECT a.id AS id, 0 AS is_refund, i.order_id AS order_id, a.outcome AS state, \
               a.amount_minor AS minor, a.amount_currency AS currency, a.update_time AS changed \
             FROM payment_attempts a JOIN payment_intents i ON i.project = a.project AND i.id = a.intent_id \
             WHERE a.project = $1 AND a.id > $2 AND a.provider = $3 ORDER BY a.id LIMIT $4) AS attempts \
           UNION ALL \
           SELECT * FROM (SELECT r.id AS id, 1 AS is_refund, i.order_id AS order_id, r.state AS state, \
               r.amount_minor AS minor, r.amount_currency AS currency, r.update_time AS changed \
             FROM refunds r JOIN payment_intents i ON i.project = r.project AND i.id = r.intent_id \
             JOIN payment_attempts a ON a.project = i.project AND a.id = i.attempt_id \
             WHERE r.project = $1 AND r.id > $2 AND a.provider = $3 ORDER BY r.id LIMIT $4) AS given\
         ) AS everything ORDER BY id LIMIT $4";
    let query = reader.query(sql).bind(after).bind(provider.name()).bind(size);
    query.fetch_all().await?.iter().map(|row| entry(row, provider.name())).collect()
}

fn entry(row: &Row, provider: &str) -> Result<ProviderEntry, StoreError> {
    let is_refund = row.get("is_refund")?;
    let state: String = row.get("state")?;
    let mut entry = ProviderEntry {
        id: row.get("id")?,
        provider: provider.to_owned(),
        is_refund,
        order_id: row.get("order_id")?,
        amount: Some(Money::new(row.get("minor")?, row.get::<String>("currency")?)),
        update_time: Some(row.get("changed")?),
        ..ProviderEntry::default()
    };
    if is_refund {
        let state = refund::State::from_str_name(&format!("STATE_{state}"));
        entry.set_refund_state(state.unwrap_or_default());
    } else {
        let outcome = payment_attempt::Outcome::from_str_name(&format!("OUTCOME_{state}"));
        entry.set_outcome(outcome.unwrap_or_default());
    }
    Ok(entry)
}

/// What a provider that keeps states by their names means.
pub(crate) fn theirs(state: &str) -> Theirs {
    match state {
        "TAKEN" | "DONE" => Theirs::Done,
        "ACTION_REQUIRED" => Theirs::Waiting,
        "VOIDED" => Theirs::Voided,
        _ => Theirs::Declined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(id: &str) -> ProviderEntry {
        ProviderEntry { id: id.into(), ..ProviderEntry::default() }
    }

    fn theirs(id: &str) -> Record {
        Record {
            key: id.into(),
            is_refund: false,
            theirs: Theirs::Done,
            amount: Money::new(1, "EUR"),
        }
    }

    fn ids(entries: &[ProviderEntry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.id.as_str()).collect()
    }

    #[test]
    fn what_one_side_alone_knows_is_told_beside_what_both_do() {
        let (all, whole) =
            merged("p", vec![ours("a"), ours("b")], vec![theirs("b"), theirs("c")], 9);

        assert_eq!((ids(&all), whole), (vec!["a", "b", "c"], true));
        assert_eq!(all[0].theirs(), Theirs::Unspecified);
        assert_eq!(all[1].theirs(), Theirs::Done);
    }

    #[test]
    fn a_page_ends_where_the_fuller_list_does() {
        let (all, whole) =
            merged("p", vec![ours("a"), ours("b")], vec![theirs("c"), theirs("d")], 2);

        assert_eq!((ids(&all), whole), (vec!["a", "b"], false));
    }
}
