//! When something is done: by the clock on a wall, or again and again after the same time.

use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::Error;
use crate::tasks::micros;

/// When something is done.
///
/// A cron expression follows the clock of its time zone. What is to happen at a time that does not exist,
/// because clocks are put forward, happens at the first moment after; at a time that comes twice, the
/// first time only. What repeats within the hour (`*/5 * * * *`) goes on through both, and leaves out the
/// hour that is not there.
#[derive(Debug, Clone)]
pub struct Schedule {
    plan: Plan,
}

#[derive(Debug, Clone)]
enum Plan {
    Every(Duration),
    Cron { cron: Box<Cron>, expression: String, zone: TimeZone, name: String },
}

impl Schedule {
    /// Again and again: at every multiple of a period since 1970, so that all replicas agree.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        Self { plan: Plan::Every(period.max(Duration::from_micros(1))) }
    }

    /// By a cron expression, such as `0 3 * * *`, in a time zone, such as `Europe/Berlin`.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, Error> {
        let refuse = |problem: String| Error::Schedule {
            expression: expression.to_owned(),
            zone: zone.to_owned(),
            problem,
        };
        let cron: Cron = expression.parse().map_err(|error: croner::errors::CronError| {
            refuse(format!("{error}; it has five fields, such as `0 3 * * *`"))
        })?;
        let found = TimeZone::get(zone).map_err(|_| {
            refuse("there is no such time zone; they are called `Europe/Berlin` or `UTC`".into())
        })?;
        let (expression, name) = (expression.to_owned(), zone.to_owned());
        let plan = Plan::Cron { cron: Box::new(cron), expression, zone: found, name };
        let schedule = Self { plan };
        if schedule.next(0).is_none() {
            return Err(refuse("no day of any year is like that".into()));
        }
        Ok(schedule)
    }

    /// When it fires first after a time, in microseconds since 1970; never, when its years are over.
    pub(crate) fn next(&self, after: i64) -> Option<i64> {
        match &self.plan {
            Plan::Every(period) => {
                let period = micros(*period);
                Some(after.div_euclid(period).saturating_add(1).saturating_mul(period))
            }
            Plan::Cron { cron, zone, .. } => {
                let after = Timestamp::from_microsecond(after).ok()?.to_zoned(zone.clone());
                let next: Zoned = cron.find_next_occurrence(&after, false).ok()?;
                Some(next.timestamp().as_second().saturating_mul(1_000_000))
            }
        }
    }

    /// What its row says of it; another text is another schedule.
    pub(crate) fn text(&self) -> String {
        match &self.plan {
            Plan::Every(period) => format!("every {} s", period.as_secs_f64()),
            Plan::Cron { expression, name, .. } => format!("{expression} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first firings after a time, as clocks in the zone show them.
    fn firings(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::cron(expression, zone).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        let mut told = Vec::new();
        for _ in 0..count {
            let next = schedule.next(at.as_microsecond()).unwrap();
            at = Timestamp::from_microsecond(next).unwrap();
            told.push(at.to_zoned(zone.clone()).strftime("%m-%d %H:%M %:z").to_string());
        }
        told
    }

    #[test]
    fn it_follows_the_clock_of_its_zone() {
        let told = firings("0 3 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3);

        assert_eq!(told, ["10-24 03:00 +02:00", "10-25 03:00 +01:00", "10-26 03:00 +01:00"]);
    }

    #[test]
    fn a_time_that_does_not_exist_is_the_first_moment_after() {
        // In Berlin 02:00 to 03:00 is left out.
        let told = firings("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);

        assert_eq!(told, ["03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00"]);
    }

    #[test]
    fn a_time_that_comes_twice_fires_once() {
        // In New York 01:00 to 02:00 comes again.
        let told = firings("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);

        assert_eq!(told, ["11-01 01:30 -04:00", "11-02 01:30 -05:00"]);
    }

    #[test]
    fn what_repeats_within_the_hour_leaves_out_what_is_not_there_and_goes_through_both() {
        let forward = firings("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3);
        assert_eq!(forward, ["03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00"]);

        let back = firings("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", 4);
        assert_eq!(
            back,
            [
                "10-25 02:30 +02:00",
                "10-25 02:00 +01:00",
                "10-25 02:30 +01:00",
                "10-25 03:00 +01:00"
            ]
        );
    }

    #[test]
    fn a_period_fires_at_its_multiples_however_late_it_is_asked() {
        let schedule = Schedule::every(Duration::from_secs(600));

        assert_eq!(schedule.next(0), Some(600_000_000));
        assert_eq!(schedule.next(600_000_000), Some(1_200_000_000));
        assert_eq!(schedule.next(1_199_999_999), Some(1_200_000_000));
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (expression, zone, problem) in [
            ("0 3 * *", "UTC", "five fields"),
            ("0 3 * * *", "Europe/Berln", "no such time zone"),
            ("0 0 30 2 *", "UTC", "no day of any year"),
        ] {
            let error = Schedule::cron(expression, zone).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(expression), "{error}");
        }
    }
}
