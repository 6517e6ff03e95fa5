//! Deadlines: read from `grpc-timeout`, never later than the contract's.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::failure::Refusal;

/// The header that carries what remains of a deadline.
pub const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// What is kept back of a deadline that is passed on, for the answer's way home.
const WAY_HOME: Duration = Duration::from_millis(1);

/// The earliest of the deadline that a request carries, the contract's, and that of the call it serves.
pub fn of(
    headers: &HeaderMap,
    longest: Option<Duration>,
    serves: Option<Instant>,
) -> Result<Option<Instant>, Refusal> {
    let asked = match headers.get(HEADER) {
        Some(value) => {
            let text = value.to_str().unwrap_or("?");
            Some(parse(text).ok_or_else(|| Refusal::MalformedTimeout(text.to_owned()))?)
        }
        None => None,
    };
    // A deadline past what the clock can hold is no deadline.
    let timeout = asked.into_iter().chain(longest).min();
    let own = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    Ok(own.into_iter().chain(serves).min())
}

/// Whether a deadline has passed as others see it: whoever was told of it was told of an earlier one, and may
/// give up before this side does.
pub(crate) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now() + 5 * WAY_HOME)
}

/// What is left of a deadline, as it is passed on.
pub fn remaining(deadline: Instant) -> Result<String, Refusal> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Refusal::DeadlineExceeded);
    }
    Ok(format(left.saturating_sub(WAY_HOME.min(left / 10))))
}

/// A deadline that something is polled under.
#[derive(Debug)]
pub(crate) struct Alarm {
    deadline: Option<Instant>,
    /// Made when there is something to wait for: most answers are there at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub(crate) fn new(deadline: Option<Instant>) -> Self {
        Self { deadline, timer: None }
    }

    /// Whether the deadline has passed, however much there is still to come.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// The same of what is waited for; the waiting ends with the deadline.
    pub(crate) fn runs_late(&mut self, poller: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(poller).is_ready()
    }
}

/// Up to 8 digits and a unit, as gRPC over HTTP/2 has it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What remains, as `grpc-timeout` carries it: in the finest unit that 8 digits hold.
fn format(remaining: Duration) -> String {
    let units = [
        (remaining.as_nanos(), 'n'),
        (remaining.as_micros(), 'u'),
        (remaining.as_millis(), 'm'),
        (u128::from(remaining.as_secs()), 'S'),
    ];
    units
        .into_iter()
        .find(|(number, _)| *number < 100_000_000)
        .map_or_else(|| "99999999S".to_owned(), |(number, unit)| format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_unit_is_read() {
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for wrong in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1 S", "1ß"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,12}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_to_within_a_hundred_thousandth(nanos in 0u64..10_000_000_000_000_000) {
            let written = Duration::from_nanos(nanos);
            let read = parse(&format(written)).unwrap();
            prop_assert!(read <= written);
            let lost = written.saturating_sub(read).as_nanos();
            prop_assert!(lost <= u128::from(nanos / 100_000));
        }
    }
}
