//! Whether the book adds up.

use ::store::{Error, Reader};
use tradewind::ledger::v1::{Totals, VerifyBookResponse};

use crate::store::verify as sql;

/// Adds the book up: each currency, each account against its transfers, each hold against its end.
pub(crate) async fn verify(reader: &Reader) -> Result<VerifyBookResponse, Error> {
    let mut problems = Vec::new();
    let mut totals = Vec::new();
    for sums in sql::sums(reader).await? {
        let currency = &sums.currency_code;
        if sums.debits_posted != sums.credits_posted {
            problems.push(format!(
                "{currency}: debits posted are {}, credits posted are {}",
                sums.debits_posted, sums.credits_posted
            ));
        }
        if sums.debits_pending != sums.credits_pending {
            problems.push(format!(
                "{currency}: debits pending are {}, credits pending are {}",
                sums.debits_pending, sums.credits_pending
            ));
        }
        totals.push(said(&sums, &mut problems));
    }
    problems.extend(sql::accounts_off(reader).await?);
    problems.extend(sql::accounts_missing(reader).await?);
    problems.extend(sql::holds_off(reader).await?);
    Ok(VerifyBookResponse { totals, problems })
}

/// The totals as the contract carries them; one that does not fit is the most, and a problem.
fn said(sums: &sql::Sums, problems: &mut Vec<String>) -> Totals {
    let mut fit = |name: &str, sum: i128| {
        i64::try_from(sum).unwrap_or_else(|_| {
            problems.push(format!("{}: {name}, {sum}, do not fit in 64 bits", sums.currency_code));
            i64::MAX
        })
    };
    Totals {
        currency_code: sums.currency_code.clone(),
        debits_pending: fit("debits pending", sums.debits_pending),
        debits_posted: fit("debits posted", sums.debits_posted),
        credits_pending: fit("credits pending", sums.credits_pending),
        credits_posted: fit("credits posted", sums.credits_posted),
    }
}
