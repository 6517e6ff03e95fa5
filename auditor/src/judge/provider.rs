//! What a provider has on record against what is known here.

use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::provider_entry::Theirs;
use tradewind::payments::v1::{ProviderEntry, refund};

use super::Doubt;
use crate::report::Check;

const UNKNOWN_HERE: &str = "the provider moved money under a key that is not known here, as after a restore: find the order \
    by the time of the charge, and give the amount back there, or restore payments from a later backup";
const OTHERWISE: &str = "the provider's record decides: correct what is known here by a refund or a new payment, and report \
    how it came about";

/// What does not hold of an attempt or a refund.
pub(super) fn doubt(entry: &ProviderEntry) -> Option<Doubt> {
    let known = !entry.order_id.is_empty();
    let moved = matches!(entry.theirs(), Theirs::Done | Theirs::Waiting);
    if !known {
        return moved.then(|| {
            let problem = "a provider has on record what nobody here knows";
            let doubt = Doubt::new(Check::Provider, &entry.id, problem, UNKNOWN_HERE);
            doubt
                .side("payments", "it knows no such attempt or refund")
                .side(&entry.provider, says(entry))
        });
    }
    let fits = if entry.is_refund { fits_refund(entry) } else { fits_charge(entry) };
    let same_amount = !moved || entry.amount == entry.their_amount;
    if fits && same_amount {
        return None;
    }
    let problem = format!("a provider has on record otherwise what order {} paid", entry.order_id);
    let doubt = Doubt::new(Check::Provider, &entry.id, problem, OTHERWISE);
    Some(doubt.side("payments", known_here(entry)).side(&entry.provider, says(entry)))
}

fn fits_charge(entry: &ProviderEntry) -> bool {
    match entry.outcome() {
        // Nobody knows yet, and a task asks.
        Outcome::Started | Outcome::Unknown | Outcome::Unspecified => true,
        Outcome::Success => entry.theirs() == Theirs::Done,
        Outcome::Pending => entry.theirs() == Theirs::Waiting,
        Outcome::Declined | Outcome::NotAttempted | Outcome::Voided => {
            !matches!(entry.theirs(), Theirs::Done | Theirs::Waiting)
        }
    }
}

fn fits_refund(entry: &ProviderEntry) -> bool {
    match entry.refund_state() {
        refund::State::Pending | refund::State::Unspecified => true,
        refund::State::Succeeded => entry.theirs() == Theirs::Done,
        refund::State::Failed => entry.theirs() != Theirs::Done,
    }
}

fn known_here(entry: &ProviderEntry) -> String {
    let state = if entry.is_refund {
        entry.refund_state().as_str_name().trim_start_matches("STATE_")
    } else {
        entry.outcome().as_str_name().trim_start_matches("OUTCOME_")
    };
    format!("{state}, {}", shown(entry.amount.as_ref()))
}

fn says(entry: &ProviderEntry) -> String {
    match entry.theirs() {
        Theirs::Unspecified => "it knows nothing of it".into(),
        theirs => {
            let state = theirs.as_str_name().trim_start_matches("THEIRS_");
            format!("{state}, {}", shown(entry.their_amount.as_ref()))
        }
    }
}

fn shown(amount: Option<&Money>) -> String {
    amount.map(Money::display).unwrap_or_default()
}
