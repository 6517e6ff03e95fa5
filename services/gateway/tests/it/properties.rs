//! What holds for any text, number and message, wherever in a request it stands.

use std::sync::LazyLock;

use gateway::Gateway;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Answer, asking, framed, get, parrot, post, send};

/// One for all cases: its contract is compiled once.
static PARROT: LazyLock<Gateway> = LazyLock::new(parrot);

/// A text with each of its bytes escaped.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn mirrored(message: &Value) -> Answer {
    send(&PARROT, post("/v1/mirror", &message.to_string())).await
}

/// A number as 32 bits are written: a double would say more than they hold.
fn shortest(single: f32) -> Value {
    serde_json::from_str(&serde_json::to_string(&single).unwrap()).unwrap()
}

/// Messages as clients may send them.
fn messages() -> impl Strategy<Value = Value> {
    let finite = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let maps = prop::collection::btree_map("\\PC{0,6}", "\\PC{0,6}", 0..4);
    let scalars = (any::<i64>(), any::<u64>(), any::<i32>(), finite, any::<f32>(), any::<bool>());
    let rest = ("\\PC{0,20}", prop::collection::vec(any::<i32>(), 0..5), maps, any::<i64>());
    (scalars, rest).prop_map(|(scalars, (text, numbers, map, key))| {
        let (big, unsigned, small, ratio, single, truth) = scalars;
        let single = if single.is_finite() { shortest(single) } else { json!("Infinity") };
        let by_name: serde_json::Map<String, Value> =
            map.into_iter().map(|(key, id)| (key, json!({ "id": id, "snakeCase": 1 }))).collect();
        json!({
            "big": big.to_string(), "unsigned": unsigned.to_string(), "small": small,
            "ratio": ratio, "single": single, "boolValue": truth, "text": text,
            "numbers": numbers, "byName": by_name, "byNumber": { key.to_string(): text },
            "tree": { "text": text, "truth": truth }, "left": text,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_through_the_path_the_query_and_the_body(text in "\\PC{1,12}", other in "\\PC{0,12}") {
        let path = format!("/v1/echo/{}?tags={}&tags=x", escaped(&text), escaped(&other));
        let answer = run(send(&PARROT, get(&path)));
        prop_assert_eq!(&answer.json()["name"], &json!(text));
        prop_assert_eq!(&answer.json()["tags"], &json!([other, "x"]));

        let answer = run(mirrored(&json!({ "text": text })));
        prop_assert_eq!(&answer.json()["text"], &json!(text));
    }

    #[test]
    fn a_template_of_several_segments_gives_back_what_it_was_filled_with(one in "[^/\\pC]{1,6}", two in "[^/\\pC]{1,6}") {
        let path = format!("/v1/shelves/{}/books/{}", escaped(&one), escaped(&two));
        let request = asking("PUT", &path).header("content-type", "application/json");
        let answer = run(send(&PARROT, request.body("[]".into()).unwrap()));
        prop_assert_eq!(&answer.json()["name"], &json!(format!("shelves/{one}/books/{two}")));
    }

    #[test]
    fn a_message_that_is_read_and_written_is_the_same_message(message in messages()) {
        let once = run(mirrored(&message));
        prop_assert_eq!(once.status, 200, "{}", once.text());
        for (field, value) in message.as_object().unwrap() {
            prop_assert_eq!(&once.json()[field], value, "{}", field);
        }

        let again = run(mirrored(&once.json()));
        prop_assert_eq!(again.json(), once.json());
    }

    #[test]
    fn no_body_makes_the_edge_fail(body in prop::collection::vec(any::<u8>(), 0..60), flag in 0..4_u8) {
        let media_types = ["application/json", "application/proto", "application/connect+json",
            "application/connect+proto", "application/grpc-web", "application/grpc-web-text"];
        for media_type in media_types {
            for path in ["/test.v1.EchoService/Mirror", "/test.v1.EchoService/Follow", "/v1/mirror"] {
                for body in [body.clone(), framed(flag, &body)] {
                    let request = asking("POST", path).header("content-type", media_type);
                    let answer = run(send(&PARROT, request.body(body.into()).unwrap()));
                    prop_assert_ne!(answer.status, 500, "{} {}: {:?}", media_type, path, answer);
                }
            }
        }
    }

    #[test]
    fn no_path_or_query_makes_the_edge_fail(path in "[/a-z0-9:*%{}.~-]{0,40}", query in "[a-zA-Z.=&%+0-9]{0,40}") {
        if let Ok(request) = http::Request::builder().uri(format!("/{path}?{query}")).body(bytes::Bytes::new()) {
            let answer = run(send(&PARROT, request.map(Into::into)));
            prop_assert!(answer.status < 500, "{:?}", answer);
        }
    }
}
