//! What an attempt is, and what a provider's answer makes of it.

use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::{PayRequest, PaymentAttempt, PaymentIntent};

use crate::error::Error;
use crate::provider::{Charge, Outcome as Answer};

/// What a provider's answer means for an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// It tells something new.
    Becomes(Box<PaymentAttempt>),
    /// It tells nothing new.
    Known,
    /// It cannot be true together with what was said before.
    Contradicts(String),
}

/// A new attempt, kept before its provider is asked.
pub(crate) fn new(
    id: String,
    intent: &PaymentIntent,
    asked: &PayRequest,
    provider: &str,
) -> PaymentAttempt {
    PaymentAttempt {
        id,
        intent_id: intent.id.clone(),
        number: asked.attempt,
        provider: provider.to_owned(),
        payment_method: asked.payment_method.clone(),
        amount: asked.amount.clone(),
        outcome: Outcome::Started.into(),
        ..PaymentAttempt::default()
    }
}

/// Refuses a repeat that is not what the first call was.
pub(crate) fn check_repeat(attempt: &PaymentAttempt, asked: &PayRequest) -> Result<(), Error> {
    if attempt.payment_method == asked.payment_method {
        return Ok(());
    }
    Err(Error::Differs { field: "payment_method" })
}

/// What its provider is asked to take.
pub(crate) fn charge(attempt: &PaymentAttempt) -> Charge {
    Charge {
        attempt_id: attempt.id.clone(),
        intent_id: attempt.intent_id.clone(),
        payment_method: attempt.payment_method.clone(),
        amount: attempt.amount.clone().unwrap_or_default(),
    }
}

/// Whether what came of it is not known yet.
pub(crate) fn is_open(attempt: &PaymentAttempt) -> bool {
    matches!(attempt.outcome(), Outcome::Started | Outcome::Unknown)
}

/// What an answer means. An outcome that is final is never rewritten.
pub(crate) fn answered(attempt: &PaymentAttempt, answer: &Answer) -> Verdict {
    if let Some(mismatch) = mismatch(attempt, answer) {
        return Verdict::Contradicts(mismatch);
    }
    match attempt.outcome() {
        Outcome::Unspecified | Outcome::Started | Outcome::Unknown => told(attempt, answer),
        Outcome::Pending => match answer {
            Answer::Success { .. } | Answer::Declined { .. } | Answer::Voided | Answer::Unknown => {
                told(attempt, answer)
            }
            Answer::Pending { .. } | Answer::NotAttempted => Verdict::Known,
        },
        Outcome::Success => match answer {
            Answer::Declined { .. } | Answer::Voided => Verdict::Contradicts(words(answer)),
            // An answer from before.
            Answer::Success { .. }
            | Answer::Pending { .. }
            | Answer::NotAttempted
            | Answer::Unknown => Verdict::Known,
        },
        Outcome::Declined | Outcome::NotAttempted | Outcome::Voided => match answer {
            Answer::Success { .. } => Verdict::Contradicts(words(answer)),
            Answer::Pending { .. }
            | Answer::Declined { .. }
            | Answer::Voided
            | Answer::NotAttempted
            | Answer::Unknown => Verdict::Known,
        },
    }
}

/// The attempt with an answer's facts.
fn told(attempt: &PaymentAttempt, answer: &Answer) -> Verdict {
    let mut attempt = attempt.clone();
    attempt.action_url.clear();
    match answer {
        Answer::Success { reference, .. } => {
            attempt.set_outcome(Outcome::Success);
            attempt.provider_reference.clone_from(reference);
        }
        Answer::Pending { reference, action_url, .. } => {
            attempt.set_outcome(Outcome::Pending);
            attempt.provider_reference.clone_from(reference);
            attempt.action_url.clone_from(action_url);
        }
        Answer::Declined { code } => {
            attempt.set_outcome(Outcome::Declined);
            attempt.decline_code.clone_from(code);
        }
        Answer::Voided => attempt.set_outcome(Outcome::Voided),
        // Once someone has set out to ask again, a question may still be under way.
        Answer::NotAttempted if attempt.resolutions == 0 => {
            attempt.set_outcome(Outcome::NotAttempted);
        }
        Answer::NotAttempted | Answer::Unknown => attempt.set_outcome(Outcome::Unknown),
    }
    Verdict::Becomes(Box::new(attempt))
}

/// Where an answer speaks of another amount than was asked for.
fn mismatch(attempt: &PaymentAttempt, answer: &Answer) -> Option<String> {
    let said = match answer {
        Answer::Success { amount, .. } | Answer::Pending { amount, .. } => amount,
        Answer::Declined { .. } | Answer::Voided | Answer::NotAttempted | Answer::Unknown => {
            return None;
        }
    };
    (attempt.amount.as_ref() != Some(said)).then(|| words(answer))
}

/// An answer, for the person who looks at a contradiction.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Success { reference, amount } => {
            format!("SUCCESS {reference} {} {}", amount.minor, amount.currency_code)
        }
        Answer::Pending { reference, amount, .. } => {
            format!("PENDING {reference} {} {}", amount.minor, amount.currency_code)
        }
        Answer::Declined { code } => format!("DECLINED {code}"),
        Answer::Voided => "VOIDED".into(),
        Answer::NotAttempted => "NOT_ATTEMPTED".into(),
        Answer::Unknown => "UNKNOWN".into(),
    }
}

#[cfg(test)]
mod tests {
    use tradewind::money::v1::Money;

    use super::*;

    fn attempt(outcome: Outcome) -> PaymentAttempt {
        PaymentAttempt {
            amount: Some(Money::new(1250, "EUR")),
            outcome: outcome.into(),
            ..PaymentAttempt::default()
        }
    }

    fn success(minor: i64, currency: &str) -> Answer {
        Answer::Success { reference: "ch_1".into(), amount: Money::new(minor, currency) }
    }

    fn outcome_of(verdict: Verdict) -> Option<Outcome> {
        match verdict {
            Verdict::Becomes(attempt) => Some(attempt.outcome()),
            Verdict::Known | Verdict::Contradicts(_) => None,
        }
    }

    #[test]
    fn a_final_outcome_is_never_rewritten() {
        let declined = Answer::Declined { code: "no".into() };
        let answers =
            [success(1250, "EUR"), declined, Answer::Voided, Answer::NotAttempted, Answer::Unknown];
        for known in [Outcome::Success, Outcome::Declined, Outcome::NotAttempted, Outcome::Voided] {
            for answer in &answers {
                let verdict = answered(&attempt(known), answer);
                assert_eq!(outcome_of(verdict), None, "{known:?} {answer:?}");
            }
        }
    }

    #[test]
    fn a_late_answer_that_contradicts_is_told_from_one_that_is_stale() {
        let contradicts = |known, answer: &Answer| {
            matches!(answered(&attempt(known), answer), Verdict::Contradicts(_))
        };

        assert!(contradicts(Outcome::Declined, &success(1250, "EUR")));
        assert!(contradicts(Outcome::Voided, &success(1250, "EUR")));
        assert!(contradicts(Outcome::Success, &Answer::Voided));
        assert!(!contradicts(Outcome::Success, &Answer::Unknown));
        assert!(!contradicts(Outcome::Voided, &Answer::Declined { code: "no".into() }));
    }

    #[test]
    fn an_answer_about_another_amount_or_currency_is_a_contradiction() {
        for answer in [success(1249, "EUR"), success(1250, "USD")] {
            let verdict = answered(&attempt(Outcome::Started), &answer);
            assert!(matches!(verdict, Verdict::Contradicts(_)), "{answer:?}");
        }
    }

    #[test]
    fn an_attempt_that_was_asked_for_again_is_never_said_not_to_have_happened() {
        let first = attempt(Outcome::Started);
        let asked = PaymentAttempt { resolutions: 1, ..first.clone() };

        let alone = answered(&first, &Answer::NotAttempted);
        assert_eq!(outcome_of(alone), Some(Outcome::NotAttempted));
        let beside = answered(&asked, &Answer::NotAttempted);
        assert_eq!(outcome_of(beside), Some(Outcome::Unknown));
    }
}
