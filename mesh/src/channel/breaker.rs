//! Leaves an endpoint alone that only fails, and tries it now and then: its health is asked for first, so that
//! no caller's call is lost to find out that nobody is there, and when it answers, one call decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many failures with nothing but failures between them open it.
const FAILURES: u32 = 5;
/// How long it stays open the first time; each probe that fails doubles it.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Whether an endpoint takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It does; so many calls have failed since one succeeded.
    Closed { failures: u32 },
    /// It does not, until then.
    Open { until_ms: u32, probes: u32 },
    /// Its health is being asked for.
    Doubted { probes: u32 },
    /// It answers; the next call decides.
    HalfOpen { probes: u32 },
    /// One call is on its way to find out.
    Probing { probes: u32 },
}

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Go.
    Granted,
    /// Go, and tell: it is the call that decides.
    Probe,
    /// Not here; the endpoint's health is to be asked for.
    Doubted,
    /// Not here.
    Refused,
}

/// What came of a call, as far as the endpoint is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered; what the answer says is the call's own affair.
    Good,
    /// It failed.
    Bad,
    /// Nothing can be said: the caller went away.
    Unknown,
}

/// The breaker of one endpoint, as one channel sees it.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    /// Closed, with no failure: what nearly every call meets, and needs no lock to see.
    quiet: AtomicBool,
}

impl Default for Breaker {
    fn default() -> Self {
        let state = Mutex::new(State::Closed { failures: 0 });
        Self { state, quiet: AtomicBool::new(true) }
    }
}

impl Breaker {
    /// Whether a call may go now. Whoever is told to probe must report, and whoever is told of doubt must see to
    /// it that [`Breaker::heard`] is told.
    pub(super) fn ask(&self, now_ms: u32) -> Leave {
        if self.quiet.load(Ordering::Acquire) {
            return Leave::Granted;
        }
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Leave::Granted,
            State::Open { until_ms, probes } if has_passed(until_ms, now_ms) => {
                *state = State::Doubted { probes };
                Leave::Doubted
            }
            State::HalfOpen { probes } => {
                *state = State::Probing { probes };
                Leave::Probe
            }
            State::Open { .. } | State::Doubted { .. } | State::Probing { .. } => Leave::Refused,
        }
    }

    /// Whether calls are refused now; asking this promises nothing.
    pub(super) fn refuses(&self, now_ms: u32) -> bool {
        if self.quiet.load(Ordering::Acquire) {
            return false;
        }
        match *self.lock() {
            State::Closed { .. } | State::HalfOpen { .. } => false,
            State::Open { until_ms, .. } => !has_passed(until_ms, now_ms),
            State::Doubted { .. } | State::Probing { .. } => true,
        }
    }

    /// Whether it answers when its health is asked for.
    pub(super) fn heard(&self, answers: bool, now_ms: u32) {
        let mut state = self.lock();
        if let State::Doubted { probes } = *state {
            *state = if answers { State::HalfOpen { probes } } else { opened(probes, now_ms) };
        }
    }

    /// Whether it is not closed, whatever the next call may do.
    pub(super) fn is_shut(&self) -> bool {
        !matches!(*self.lock(), State::Closed { .. })
    }

    /// What came of a call.
    pub(super) fn report(&self, was: Leave, verdict: Verdict, now_ms: u32) {
        if verdict == Verdict::Good && self.quiet.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.lock();
        *state = match (*state, was, verdict) {
            (State::Closed { .. }, _, Verdict::Good)
            | (State::Probing { .. }, Leave::Probe, Verdict::Good) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Verdict::Bad) if failures + 1 >= FAILURES => {
                State::Open { until_ms: later(now_ms, 0), probes: 0 }
            }
            (State::Closed { failures }, _, Verdict::Bad) => {
                State::Closed { failures: failures + 1 }
            }
            (State::Probing { probes }, Leave::Probe, Verdict::Bad) => opened(probes, now_ms),
            // Its caller went away before it could tell; the next call tries instead.
            (State::Probing { probes }, Leave::Probe, Verdict::Unknown) => {
                State::HalfOpen { probes }
            }
            // What was sent before it opened says nothing about now, and who went away says nothing.
            (state, _, _) => state,
        };
        self.quiet.store(*state == State::Closed { failures: 0 }, Ordering::Release);
    }

    /// The endpoint has begun anew, by a new connection.
    pub(super) fn begin_anew(&self) {
        *self.lock() = State::Closed { failures: 0 };
        self.quiet.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Left alone for longer than before.
fn opened(probes: u32, now_ms: u32) -> State {
    let probes = probes.saturating_add(1);
    State::Open { until_ms: later(now_ms, probes), probes }
}

fn later(now_ms: u32, probes: u32) -> u32 {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(probes)).min(LONGEST);
    now_ms.wrapping_add(u32::try_from(doubled.as_millis()).unwrap_or(u32::MAX))
}

fn has_passed(until_ms: u32, now_ms: u32) -> bool {
    now_ms.wrapping_sub(until_ms) <= u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn shut() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.ask(0), Leave::Granted);
            breaker.report(Leave::Granted, Verdict::Bad, 0);
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            (1..FAILURES).for_each(|_| breaker.report(Leave::Granted, Verdict::Bad, 0));
            breaker.report(Leave::Granted, Verdict::Good, 0);
        }

        assert_eq!(breaker.ask(0), Leave::Granted);
        assert_eq!(shut().ask(999), Leave::Refused);
    }

    /// What a call is told once the endpoint's health was asked for.
    fn ask_well(breaker: &Breaker, now_ms: u32) -> Leave {
        match breaker.ask(now_ms) {
            Leave::Doubted => {
                breaker.heard(true, now_ms);
                breaker.ask(now_ms)
            }
            leave => leave,
        }
    }

    #[test]
    fn no_call_is_sent_to_find_out_that_nobody_is_there() {
        let breaker = shut();

        let first = breaker.ask(1000);
        let meanwhile = breaker.ask(1001);
        breaker.heard(false, 2000);

        assert_eq!((first, meanwhile), (Leave::Doubted, Leave::Refused));
        assert_eq!(breaker.ask(3999), Leave::Refused);
        assert_eq!(ask_well(&breaker, 4000), Leave::Probe);
    }

    #[test]
    fn one_call_tries_and_its_success_closes_it() {
        let breaker = shut();

        let asked: Vec<_> = (0..3).map(|_| ask_well(&breaker, 1000)).collect();
        breaker.report(Leave::Probe, Verdict::Good, 1000);

        assert_eq!(asked, [Leave::Probe, Leave::Refused, Leave::Refused]);
        assert_eq!(breaker.ask(1000), Leave::Granted);
    }

    #[test]
    fn each_failed_try_doubles_the_wait_up_to_the_longest() {
        let breaker = shut();
        let (mut now, mut waits) = (0, Vec::new());

        for _ in 0..7 {
            let wait =
                (0..100_000).find(|ms| ask_well(&breaker, now + ms) == Leave::Probe).unwrap();
            now += wait;
            waits.push(wait);
            breaker.report(Leave::Probe, Verdict::Bad, now);
        }

        assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn a_try_whose_caller_went_away_is_taken_up_by_the_next_call() {
        let breaker = shut();

        assert_eq!(ask_well(&breaker, 1000), Leave::Probe);
        breaker.report(Leave::Probe, Verdict::Unknown, 1001);

        assert_eq!(breaker.ask(1001), Leave::Probe);
    }

    /// Every order in which three calls can be begun and reported, with every outcome, and health be heard of: at
    /// most one probe is under way, whoever is refused stays out, and no order leaves it shut for ever.
    #[test]
    fn no_order_of_calls_lets_two_probes_go_or_shuts_it_for_ever() {
        let mut seen = HashSet::new();
        let mut orders = 0;
        let mut work = vec![Vec::new()];
        while let Some(steps) = work.pop() {
            let (breaker, running, now) = play(&steps);
            let state = *breaker.lock();
            let probes = running.iter().filter(|leave| **leave == Leave::Probe).count();
            assert!(probes <= 1, "{steps:?}");
            assert!(probes == 1 || !matches!(state, State::Probing { .. }), "{steps:?}");
            breaker.heard(true, now);
            let asked = ask_well(&breaker, now + 40_000);
            assert_eq!(asked == Leave::Refused, probes == 1, "{steps:?}");
            orders += 1;
            if steps.len() < 9 && seen.insert((format!("{state:?} {running:?}"), steps.len())) {
                let next = (0..running.len() * 3).map(Step::Report).chain([
                    Step::Ask,
                    Step::Wait,
                    Step::Heard(true),
                    Step::Heard(false),
                ]);
                let next = next.filter(|step| running.len() < 3 || !matches!(step, Step::Ask));
                work.extend(next.map(|step| [steps.clone(), vec![step]].concat()));
            }
        }
        assert!(orders > 500, "{orders}");
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ask,
        /// The call `n / 3` ends with the outcome `n % 3`.
        Report(usize),
        Wait,
        Heard(bool),
    }

    /// One that has four failures already, after these steps, with the calls that still run.
    fn play(steps: &[Step]) -> (Breaker, Vec<Leave>, u32) {
        let breaker = Breaker::default();
        (1..FAILURES).for_each(|_| breaker.report(Leave::Granted, Verdict::Bad, 0));
        let (mut running, mut now) = (Vec::new(), 0);
        for step in steps {
            match *step {
                Step::Ask => match breaker.ask(now) {
                    Leave::Refused | Leave::Doubted => {}
                    leave => running.push(leave),
                },
                Step::Report(which) => {
                    let verdict = [Verdict::Good, Verdict::Bad, Verdict::Unknown][which % 3];
                    breaker.report(running.remove(which / 3), verdict, now);
                }
                Step::Wait => now += 40_000,
                Step::Heard(answers) => breaker.heard(answers, now),
            }
        }
        let state = *breaker.lock();
        assert_eq!(breaker.quiet.load(Ordering::Acquire), state == State::Closed { failures: 0 });
        (breaker, running, now)
    }
}
