//! Whether the other processes of the mesh can be called, as what, and of which version they are.

use std::time::Duration;

use contract::grpc::health::v1::health_check_response::ServingStatus;
use contract::grpc::health::v1::health_client::HealthClient;
use contract::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use mesh::health::{TIME, VERSION};
use mesh::{Caller, Clock, Code, Context, Mesh, Response, Status};

use super::clocks::{self, Said};
use super::finding::{Finding, Verdict};
use crate::compose::Noun;
use crate::serve::{self, Arguments};
use crate::settings;

const CHECK: &str = "peers";
/// How long one may take to answer.
const WITHIN: Duration = Duration::from_secs(5);
/// How long it rests before it asks a service again that has a process which starts or ends.
const PAUSE: Duration = Duration::from_millis(200);

/// Calls every service that runs elsewhere.
pub(super) async fn look(arguments: &Arguments, here: &[Noun], clock: &Clock) -> Vec<Finding> {
    // What cannot be read is the configuration's to say.
    let Ok(elsewhere) = settings::elsewhere(&arguments.others.at) else { return Vec::new() };
    if elsewhere.is_empty() {
        return Vec::new();
    }
    let mesh = match serve::mesh(arguments, here, None, clock.clone()) {
        Ok(mesh) => mesh,
        Err(error) => {
            let advice = "mend that first: nobody can be called without";
            return vec![Finding::fail(CHECK, format!("{error:#}"), advice)];
        }
    };
    let lease = arguments.storage.pace().lease;
    let mut places: Vec<_> = elsewhere.into_iter().collect();
    places.sort_unstable();
    let mut findings = Vec::new();
    for (name, target) in places {
        let (asked, answered) = settled(&mesh, name, clock).await;
        let known = clock.now_micros();
        let theirs = answered.as_ref().ok().and_then(|answer| said(answer, TIME)?.parse().ok());
        findings.push(match answered {
            Ok(answer) => judge(name, &target, &answer),
            Err(unanswered) => refused(name, &target, &unanswered),
        });
        findings.extend(theirs.map(|theirs| {
            let whose = format!("the clock of {name}");
            clocks::compare(&whose, &Said { theirs, asked, known }, lease)
        }));
    }
    findings
}

type Answered = Response<HealthCheckResponse>;

/// Why there is no answer.
enum Unanswered {
    Late,
    Refused(Box<Status>),
}

/// What a service answers, and when it was asked. During a rollout some of its processes start or end while others take
/// calls: it is asked again until one does.
async fn settled(
    mesh: &Mesh,
    name: &'static str,
    clock: &Clock,
) -> (i64, Result<Answered, Unanswered>) {
    let until = tokio::time::Instant::now() + WITHIN;
    loop {
        let asked = clock.now_micros();
        let answered = ask(mesh, name).await;
        let waits = answered.as_ref().is_ok_and(|answer| !is_serving(answer));
        if !waits || tokio::time::Instant::now() >= until {
            return (asked, answered);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_serving(answer: &Answered) -> bool {
    answer.get_ref().status() == ServingStatus::Serving
}

async fn ask(mesh: &Mesh, name: &'static str) -> Result<Answered, Unanswered> {
    let caller = Caller::service(mesh.process(), mesh::caller::DEFAULT_PROJECT, None);
    let mut context = Context::new(caller, "doctor", tracing::Span::none());
    context.deadline = Some(tokio::time::Instant::now() + WITHIN);
    let mut health = HealthClient::new(mesh.peer(mesh.process(), name).of(&context));
    let asked = health.check(HealthCheckRequest::default());
    let answered = tokio::time::timeout(WITHIN, asked).await.map_err(|_| Unanswered::Late)?;
    answered.map_err(|status| Unanswered::Refused(Box::new(status)))
}

fn said<'a>(answer: &'a Answered, name: &str) -> Option<&'a str> {
    answer.metadata().get(name)?.to_str().ok()
}

fn judge(name: &str, target: &str, answer: &Answered) -> Finding {
    if !is_serving(answer) {
        let found = format!("{name} at {target} takes no calls");
        return Finding::fail(CHECK, found, "it starts or ends: its log and its /readyz say why");
    }
    let own = env!("CARGO_PKG_VERSION");
    match said(answer, VERSION) {
        Some(version) if version == own => {
            Finding::pass(CHECK, format!("{name} at {target} answers, version {version}"))
        }
        version => {
            let shown = version.unwrap_or("unknown");
            let found = format!("{name} at {target} answers, version {shown}, and this is {own}");
            let is_stranger = version.is_some_and(|version| !are_neighbours(version, own));
            let advice = if is_stranger {
                "only neighbouring versions work together: go one minor version after another"
            } else {
                "that is so during an upgrade; neighbouring versions work together"
            };
            Finding::of(CHECK, Verdict::when(is_stranger, true), found, advice)
        }
    }
}

/// Whether no minor version is between two, as far as their numbers say.
fn are_neighbours(one: &str, other: &str) -> bool {
    let numbers = |version: &str| {
        let mut parts = version.split('.').map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let (Some(one), Some(other)) = (numbers(one), numbers(other)) else { return false };
    match one.0.abs_diff(other.0) {
        0 => one.1.abs_diff(other.1) <= 1,
        // The last minor version of one is beside the first of the next.
        1 => one.max(other).1 == 0,
        _ => false,
    }
}

fn refused(name: &str, target: &str, unanswered: &Unanswered) -> Finding {
    let reach = format!(
        "does it run, with --mesh-listen on an address that is reached from here? See --at {name}=…, DNS, network \
         policies, and that both have --certs or neither"
    );
    let status = match unanswered {
        Unanswered::Late => {
            let found = format!("{name} at {target} does not answer within {WITHIN:?}");
            return Finding::fail(CHECK, found, reach);
        }
        Unanswered::Refused(status) => status,
    };
    let is_stranger = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied);
    let (code, text) = (mesh::metrics::status_name(status.code()), status.message());
    let cause = std::error::Error::source(&**status).map(|cause| format!(": {cause}"));
    let found = format!("{name} at {target}: {code}: {text}{}", cause.unwrap_or_default());
    let stranger =
        "both processes must be of one mesh: the same --mesh-key, or --certs of one authority";
    Finding::fail(CHECK, found, if is_stranger { stranger.to_owned() } else { reach })
}

#[cfg(test)]
mod tests {
    use super::are_neighbours;

    #[test]
    fn versions_work_together_that_have_none_between_them() {
        for (one, other) in [("0.1.0", "0.2.3"), ("1.4.0", "1.4.9"), ("0.9.1", "1.0.0")] {
            assert!(are_neighbours(one, other) && are_neighbours(other, one), "{one} {other}");
        }
        for (one, other) in
            [("0.1.0", "0.3.0"), ("0.9.0", "1.1.0"), ("1.0.0", "3.0.0"), ("x", "0.1.0")]
        {
            assert!(!are_neighbours(one, other) && !are_neighbours(other, one), "{one} {other}");
        }
    }
}
