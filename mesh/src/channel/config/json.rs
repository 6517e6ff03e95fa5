//! `grpc.service_config.ServiceConfig` in its JSON form, checked field by field.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tonic::Code;

use super::{Hedge, MethodConfig, More, Retry, ServiceConfig};
use crate::channel::throttle::Throttling;
use crate::metrics::status_name;

/// More tries than this are not made, whatever a config says (gRFC A6).
const MOST_ATTEMPTS: u32 = 5;

/// JSON that is no service config.
#[derive(Debug, thiserror::Error)]
pub enum MalformedConfig {
    /// Not JSON, or of another form.
    #[error("it is not a service config: {0}")]
    Json(#[from] serde_json::Error),
    /// A field with a value that it cannot have.
    #[error("{field} must be {expected}")]
    Field {
        /// Where it stands.
        field: String,
        /// What would be right.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson {
    #[serde(default)]
    method_config: Vec<MethodJson>,
    retry_throttling: Option<ThrottlingJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodJson {
    #[serde(default)]
    name: Vec<NameJson>,
    timeout: Option<String>,
    #[serde(default)]
    wait_for_ready: bool,
    max_request_message_bytes: Option<Value>,
    max_response_message_bytes: Option<Value>,
    retry_policy: Option<RetryJson>,
    hedging_policy: Option<HedgeJson>,
}

#[derive(Deserialize)]
struct NameJson {
    #[serde(default)]
    service: String,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetryJson {
    max_attempts: u32,
    initial_backoff: String,
    max_backoff: String,
    backoff_multiplier: f64,
    retryable_status_codes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HedgeJson {
    max_attempts: u32,
    hedging_delay: Option<String>,
    #[serde(default)]
    non_fatal_status_codes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThrottlingJson {
    max_tokens: f64,
    token_ratio: f64,
}

pub(super) fn read(text: &str) -> Result<ServiceConfig, MalformedConfig> {
    let config: ConfigJson = serde_json::from_str(text)?;
    let mut methods = HashMap::new();
    for (at, method) in config.method_config.into_iter().enumerate() {
        let place = format!("methodConfig[{at}]");
        let names = names(&method.name, &place)?;
        let read = Arc::new(method_config(method, &place)?);
        for name in names {
            if methods.insert(name, Arc::clone(&read)).is_some() {
                return Err(wrong(&place, "name", "named once in all method configs"));
            }
        }
    }
    let throttling = config.retry_throttling.as_ref().map(throttling).transpose()?;
    let throttling = throttling.unwrap_or_default();
    Ok(ServiceConfig { methods, throttling })
}

fn names(names: &[NameJson], place: &str) -> Result<Vec<String>, MalformedConfig> {
    names
        .iter()
        .map(|NameJson { service, method }| match (service.as_str(), method.as_str()) {
            ("", "") => Ok(String::new()),
            ("", _) => Err(wrong(place, "name.service", "said where a method is")),
            (service, method) => Ok(format!("{service}/{method}")),
        })
        .collect()
}

fn method_config(method: MethodJson, place: &str) -> Result<MethodConfig, MalformedConfig> {
    let more = match (method.retry_policy, method.hedging_policy) {
        (Some(_), Some(_)) => {
            return Err(wrong(place, "hedgingPolicy", "absent where there is a retryPolicy"));
        }
        (Some(retry), None) => More::Retry(retry_policy(&retry, &format!("{place}.retryPolicy"))?),
        (None, Some(hedge)) => More::Hedge(hedge_policy(hedge, &format!("{place}.hedgingPolicy"))?),
        (None, None) => More::default(),
    };
    let timeout = method.timeout.map(|text| duration(&text, place, "timeout")).transpose()?;
    let longest = |value: Option<Value>, field| {
        value.map(|value| bytes(&value).ok_or_else(|| wrong(place, field, "a number"))).transpose()
    };
    Ok(MethodConfig {
        timeout,
        wait_for_ready: method.wait_for_ready,
        longest_request: longest(method.max_request_message_bytes, "maxRequestMessageBytes")?,
        longest_response: longest(method.max_response_message_bytes, "maxResponseMessageBytes")?,
        more,
    })
}

fn retry_policy(retry: &RetryJson, place: &str) -> Result<Retry, MalformedConfig> {
    let wait = |text: &str, field| {
        let wait = duration(text, place, field)?;
        if wait.is_zero() { Err(wrong(place, field, "more than no time")) } else { Ok(wait) }
    };
    if !(retry.backoff_multiplier.is_finite() && retry.backoff_multiplier > 0.0) {
        return Err(wrong(place, "backoffMultiplier", "more than 0"));
    }
    let codes = codes(&retry.retryable_status_codes, place, "retryableStatusCodes")?;
    if codes.is_empty() {
        return Err(wrong(place, "retryableStatusCodes", "one code or more"));
    }
    Ok(Retry {
        attempts: attempts(retry.max_attempts, place)?,
        first_wait: wait(&retry.initial_backoff, "initialBackoff")?,
        longest_wait: wait(&retry.max_backoff, "maxBackoff")?,
        multiplier: retry.backoff_multiplier,
        codes,
    })
}

fn hedge_policy(hedge: HedgeJson, place: &str) -> Result<Hedge, MalformedConfig> {
    let delay = hedge.hedging_delay.map(|text| duration(&text, place, "hedgingDelay"));
    Ok(Hedge {
        attempts: attempts(hedge.max_attempts, place)?,
        delay: delay.transpose()?.unwrap_or_default(),
        non_fatal: codes(&hedge.non_fatal_status_codes, place, "nonFatalStatusCodes")?,
    })
}

fn attempts(attempts: u32, place: &str) -> Result<u32, MalformedConfig> {
    match attempts {
        0 | 1 => Err(wrong(place, "maxAttempts", "2 or more")),
        attempts => Ok(attempts.min(MOST_ATTEMPTS)),
    }
}

fn throttling(json: &ThrottlingJson) -> Result<Throttling, MalformedConfig> {
    let place = "retryThrottling";
    let thousandths = |tokens: f64, field, most: f64, expected| {
        let rounded = (tokens * 1000.0).floor();
        if !(rounded >= 1.0 && rounded <= most * 1000.0) {
            return Err(wrong(place, field, expected));
        }
        // At most a million, and whole.
        let text = format!("{rounded}");
        text.parse().map_err(|_| wrong(place, field, expected))
    };
    Ok(Throttling {
        full: thousandths(json.max_tokens, "maxTokens", 1000.0, "more than 0 and at most 1000")?,
        success: thousandths(json.token_ratio, "tokenRatio", 1000.0, "0.001 or more")?,
    })
}

/// A length of time in the JSON of protobuf: seconds with up to nine decimals, and `s`.
fn duration(text: &str, place: &str, field: &str) -> Result<Duration, MalformedConfig> {
    let read = || {
        let (whole, decimals) = match text.strip_suffix('s')?.split_once('.') {
            Some((whole, decimals)) => (whole, decimals),
            None => (text.strip_suffix('s')?, ""),
        };
        let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 9 || !digits(whole) || !digits(decimals) {
            return None;
        }
        let seconds = whole.parse().ok().filter(|seconds| *seconds <= 315_576_000_000)?;
        let nanos = format!("{decimals:0<9}").parse().ok()?;
        Some(Duration::new(seconds, nanos))
    };
    read().ok_or_else(|| wrong(place, field, "a length of time, such as \"1.5s\""))
}

/// A number, or one as text, as the JSON of protobuf has 64-bit numbers.
fn bytes(value: &Value) -> Option<usize> {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_u64()).and_then(|number| usize::try_from(number).ok())
}

fn codes(values: &[Value], place: &str, field: &str) -> Result<Vec<Code>, MalformedConfig> {
    let code = |value: &Value| {
        (0..=16).map(Code::from_i32).find(|code| match value {
            Value::String(name) => name.eq_ignore_ascii_case(status_name(*code)),
            number => number.as_i64() == Some(i64::from(*code as i32)),
        })
    };
    let read = values.iter().map(code).collect::<Option<Vec<_>>>();
    read.ok_or_else(|| wrong(place, field, "codes, by name or number"))
}

fn wrong(place: &str, field: &str, expected: &'static str) -> MalformedConfig {
    MalformedConfig::Field { field: format!("{place}.{field}"), expected }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [
                {
                    "name": [{"service": "a.B", "method": "C"}, {"service": "a.D"}],
                    "timeout": "1.5s",
                    "waitForReady": true,
                    "maxRequestMessageBytes": "1000",
                    "maxResponseMessageBytes": 2000,
                    "retryPolicy": {
                        "maxAttempts": 9,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "2s",
                        "backoffMultiplier": 3,
                        "retryableStatusCodes": ["UNAVAILABLE", "aborted", 8],
                        "perAttemptRecvTimeout": "not read",
                    },
                },
                {
                    "name": [{}],
                    "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.05s", "nonFatalStatusCodes": [14]},
                },
            ],
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        })
    }

    #[test]
    fn each_field_is_read_and_the_closest_name_counts() {
        let config = read(&whole().to_string()).unwrap();

        let exact = config.of("/a.B/C");
        let service = config.of("/a.D/Anything");
        let other = config.of("/a.B/Other");

        assert!(Arc::ptr_eq(&exact, &service));
        assert_eq!(exact.timeout, Some(Duration::from_millis(1500)));
        assert!(exact.wait_for_ready);
        assert_eq!((exact.longest_request, exact.longest_response), (Some(1000), Some(2000)));
        let retry = Retry {
            attempts: 5,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(2),
            multiplier: 3.0,
            codes: vec![Code::Unavailable, Code::Aborted, Code::ResourceExhausted],
        };
        assert_eq!(exact.more, More::Retry(retry));
        let delay = Duration::from_millis(50);
        let hedge = Hedge { attempts: 3, delay, non_fatal: vec![Code::Unavailable] };
        assert_eq!(other.more, More::Hedge(hedge));
        assert_eq!(config.throttling, Throttling { full: 100_000, success: 100 });
        assert_eq!(read("{}").unwrap(), ServiceConfig::default());
    }

    #[test]
    fn one_wrong_field_refuses_it_all_with_its_name() {
        let retry = "/methodConfig/0/retryPolicy";
        for (place, value, field) in [
            ("/methodConfig/0/timeout", json!("1.5"), "methodConfig[0].timeout"),
            ("/methodConfig/0/timeout", json!("-1s"), "methodConfig[0].timeout"),
            ("/methodConfig/0/name/0/service", json!(""), "methodConfig[0].name.service"),
            ("/methodConfig/1/name/0", json!({"service": "a.D"}), "methodConfig[1].name"),
            ("/methodConfig/0/maxRequestMessageBytes", json!(-1), "maxRequestMessageBytes"),
            (&format!("{retry}/maxAttempts"), json!(1), "retryPolicy.maxAttempts"),
            (&format!("{retry}/initialBackoff"), json!("0s"), "retryPolicy.initialBackoff"),
            (&format!("{retry}/backoffMultiplier"), json!(0), "retryPolicy.backoffMultiplier"),
            (&format!("{retry}/retryableStatusCodes"), json!([]), "retryableStatusCodes"),
            (&format!("{retry}/retryableStatusCodes"), json!(["GONE"]), "retryableStatusCodes"),
            ("/methodConfig/1/hedgingPolicy/maxAttempts", json!(0), "hedgingPolicy.maxAttempts"),
            ("/retryThrottling/maxTokens", json!(0), "retryThrottling.maxTokens"),
            ("/retryThrottling/maxTokens", json!(1001), "retryThrottling.maxTokens"),
            ("/retryThrottling/tokenRatio", json!(0), "retryThrottling.tokenRatio"),
            ("/methodConfig/0/waitForReady", json!("yes"), "not a service config"),
        ] {
            let mut config = whole();
            *config.pointer_mut(place).unwrap() = value;

            let refused = read(&config.to_string()).unwrap_err().to_string();

            assert!(refused.contains(field), "{place}: {refused}");
        }
        let mut both = whole();
        both["methodConfig"][0]["hedgingPolicy"] = json!({"maxAttempts": 2});
        assert!(read(&both.to_string()).unwrap_err().to_string().contains("hedgingPolicy"));
    }

    proptest! {
        #[test]
        fn any_length_of_time_is_read_as_written_or_refused(seconds in 0_u64..1_000_000, nanos in 0_u32..1_000_000_000) {
            let text = format!("{seconds}.{nanos:09}s");

            prop_assert_eq!(duration(&text, "", "").unwrap(), Duration::new(seconds, nanos));
        }

        #[test]
        fn any_text_is_a_length_of_time_or_refused(text in ".{0,20}") {
            let _ = duration(&text, "", "");
        }
    }
}
