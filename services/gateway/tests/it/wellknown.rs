//! Proto3 JSON, type by type, as protobuf's own readers and writers have it.

use serde_json::{Value, json};

use crate::support::{Answer, parrot, post, send};

async fn mirrored(json: &str) -> Answer {
    send(&parrot(), post("/v1/mirror", json)).await
}

/// What is read is written again, in its canonical form.
#[tokio::test]
async fn every_type_is_read_in_all_its_forms_and_written_in_one() {
    for (sent, field, written) in [
        (r#"{"at":"2026-01-31T12:00:00+01:00"}"#, "at", json!("2026-01-31T11:00:00Z")),
        (
            r#"{"at":"2026-01-31T12:00:00.000000001Z"}"#,
            "at",
            json!("2026-01-31T12:00:00.000000001Z"),
        ),
        (r#"{"at":"0001-01-01T00:00:00Z"}"#, "at", json!("0001-01-01T00:00:00Z")),
        (
            r#"{"at":"9999-12-31T23:59:59.999999999Z"}"#,
            "at",
            json!("9999-12-31T23:59:59.999999999Z"),
        ),
        (r#"{"lasting":"-1.5s"}"#, "lasting", json!("-1.500s")),
        (r#"{"lasting":"315576000000s"}"#, "lasting", json!("315576000000s")),
        (r#"{"mask":"a,bC.dE"}"#, "mask", json!("a,bC.dE")),
        (r#"{"mask":""}"#, "mask", json!("")),
        (r#"{"tree":{"a":[1,null,{"b":true}]}}"#, "tree", json!({"a": [1.0, null, {"b": true}]})),
        (r#"{"any":null}"#, "any", json!(null)),
        (r#"{"any":"x"}"#, "any", json!("x")),
        (r#"{"list":[1,[]]}"#, "list", json!([1.0, []])),
        (r#"{"anys":[null,1]}"#, "anys", json!([null, 1.0])),
        (r#"{"nothing":null}"#, "nothing", json!(null)),
        (r#"{"nothing":"NULL_VALUE"}"#, "nothing", json!(null)),
        (r#"{"empty":{}}"#, "empty", json!({})),
        (
            r#"{"packed":{"@type":"type.googleapis.com/test.v1.Inner","id":"i"}}"#,
            "packed",
            json!({"@type": "type.googleapis.com/test.v1.Inner", "id": "i", "snakeCase": 0}),
        ),
        (
            r#"{"packed":{"value":"1s","@type":"type.googleapis.com/google.protobuf.Duration"}}"#,
            "packed",
            json!({"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}),
        ),
        (r#"{"boolValue":false}"#, "boolValue", json!(false)),
        (r#"{"stringValue":""}"#, "stringValue", json!("")),
        (r#"{"bytesValue":"-_"}"#, "bytesValue", json!("+w==")),
        (r#"{"int64Value":"-1"}"#, "int64Value", json!("-1")),
        (r#"{"uint64Value":18446744073709551615}"#, "uint64Value", json!("18446744073709551615")),
        (r#"{"doubleValue":"1e3"}"#, "doubleValue", json!(1000.0)),
        (r#"{"ratio":"NaN"}"#, "ratio", json!("NaN")),
        (r#"{"floatValue":1e-3}"#, "floatValue", json!(0.001)),
        (r#"{"big":1e3}"#, "big", json!("1000")),
        (r#"{"big":"1e3"}"#, "big", json!("1000")),
        (r#"{"big":5.0}"#, "big", json!("5")),
        (r#"{"big":-9223372036854775808}"#, "big", json!("-9223372036854775808")),
        (r#"{"unsigned":"18446744073709551615"}"#, "unsigned", json!("18446744073709551615")),
        (r#"{"small":"7"}"#, "small", json!(7)),
        (r#"{"ratio":"-Infinity"}"#, "ratio", json!("-Infinity")),
        (r#"{"ratio":0.30000000000000004}"#, "ratio", json!(0.300_000_000_000_000_04)),
        (r#"{"ratio":-0.0}"#, "ratio", json!(-0.0)),
        (r#"{"ratio":"5e-324"}"#, "ratio", json!(5e-324)),
        (r#"{"single":"Infinity"}"#, "single", json!("Infinity")),
        (r#"{"color":"COLOR_RED"}"#, "color", json!("COLOR_RED")),
        (r#"{"color":1}"#, "color", json!("COLOR_RED")),
        (r#"{"color":77}"#, "color", json!(77)),
        (r#"{"data":"_-8"}"#, "data", json!("/+8=")),
        (r#"{"data":"/+8"}"#, "data", json!("/+8=")),
        (r#"{"byNumber":{"-5":"a"}}"#, "byNumber", json!({"-5": "a"})),
        (r#"{"byTruth":{"true":1}}"#, "byTruth", json!({"true": 1})),
        (r#"{"byName":{"":{"id":"i"}}}"#, "byName", json!({"": {"id": "i", "snakeCase": 0}})),
        (r#"{"left":null,"right":1}"#, "right", json!(1)),
        (r#"{"text":"\ud83d\ude00\u0000"}"#, "text", json!("😀\0")),
        (r#"{"text":null,"numbers":null}"#, "numbers", json!([])),
        (r#"{"by_name":{}}"#, "byName", json!({})),
    ] {
        let answer = mirrored(sent).await;
        assert_eq!(answer.status, 200, "{sent}: {}", answer.text());
        assert_eq!(answer.json()[field], written, "{sent}");
    }
}

#[tokio::test]
async fn what_is_not_of_a_type_is_refused_with_its_field() {
    for (sent, field) in [
        (r#"{"at":"2026-01-31 12:00:00Z"}"#, "at"),
        (r#"{"at":"2026-02-30T12:00:00Z"}"#, "at"),
        (r#"{"at":"2026-01-31T12:00:00"}"#, "at"),
        (r#"{"at":"10000-01-01T00:00:00Z"}"#, "at"),
        (r#"{"at":0}"#, "at"),
        (r#"{"lasting":"1"}"#, "lasting"),
        (r#"{"lasting":"315576000001s"}"#, "lasting"),
        (r#"{"mask":"snake_case"}"#, "mask"),
        (r#"{"mask":["a"]}"#, "mask"),
        (r#"{"tree":[]}"#, "tree"),
        (r#"{"list":{}}"#, "list"),
        (r#"{"nothing":"x"}"#, "nothing"),
        (r#"{"empty":{"x":1}}"#, "empty"),
        (r#"{"packed":{"@type":"type.googleapis.com/no.Such"}}"#, "packed"),
        (r#"{"packed":{"id":"i"}}"#, "packed"),
        (r#"{"boolValue":"true"}"#, "boolValue"),
        (r#"{"big":"1.5"}"#, "big"),
        (r#"{"big":""}"#, "big"),
        (r#"{"big":" 1"}"#, "big"),
        (r#"{"big":"+1"}"#, "big"),
        (r#"{"big":"0x1"}"#, "big"),
        (r#"{"big":9223372036854775808}"#, "big"),
        (r#"{"big":9.3e18}"#, "big"),
        (r#"{"unsigned":-1}"#, "unsigned"),
        (r#"{"unsigned":18446744073709551616}"#, "unsigned"),
        (r#"{"small":2147483648}"#, "small"),
        (r#"{"ratio":"inf"}"#, "ratio"),
        (r#"{"ratio":"nan"}"#, "ratio"),
        (r#"{"ratio":"1e999"}"#, "ratio"),
        (r#"{"single":3.5e38}"#, "single"),
        (r#"{"color":"color_red"}"#, "color"),
        (r#"{"color":1.5}"#, "color"),
        (r#"{"color":2147483648}"#, "color"),
        (r#"{"data":"/-"}"#, "data"),
        (r#"{"numbers":[1,null]}"#, "numbers[1]"),
        (r#"{"numbers":1}"#, "numbers"),
        (r#"{"byNumber":{"x":"a"}}"#, "byNumber.x"),
        (r#"{"byNumber":{"1":"a","1":"b"}}"#, "byNumber.1"),
        (r#"{"byTruth":{"True":1}}"#, "byTruth.True"),
        (r#"{"byName":{"a":null}}"#, "byName.a"),
        (r#"{"left":"a","right":1}"#, "right"),
        (r#"{"text":"a","text":"b"}"#, "text"),
        (r#"{"byName":{},"by_name":{}}"#, "by_name"),
        (r#"{"inner":{"id":"a","id":"b"}}"#, "inner.id"),
    ] {
        let answer = mirrored(sent).await;
        assert_eq!(answer.failure(), (400, "INVALID_FIELD".into()), "{sent}");
        assert_eq!(answer.field(), field, "{sent}");
    }
}

#[tokio::test]
async fn what_no_json_can_hold_is_no_json() {
    for sent in [
        r#"{"text":"\ud83d"}"#,
        r#"{"text":"\ude00\ud83d"}"#,
        r#"{"ratio":1e999}"#,
        r#"{"ratio":NaN}"#,
        r#"{"small":01}"#,
        r#"{"small":+1}"#,
        r#"{'text':"a"}"#,
        "{\"text\":\"\u{1}\"}",
        "{text:1}",
        "{}{}",
    ] {
        assert_eq!(mirrored(sent).await.failure(), (400, "MALFORMED_JSON".into()), "{sent}");
    }
    let bytes = [b"{\"text\":\"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    let request = crate::support::asking("POST", "/v1/mirror")
        .header("content-type", "application/json")
        .body(bytes.into());
    let answer = send(&parrot(), request.unwrap()).await;
    assert_eq!(answer.failure(), (400, "MALFORMED_JSON".into()));
}

#[tokio::test]
async fn absent_messages_are_not_written_and_all_else_is() {
    let answer = mirrored("{}").await.json();

    let all = answer.as_object().unwrap();
    for absent in ["at", "tree", "any", "packed", "boolValue", "left", "right", "inner", "empty"] {
        assert!(!all.contains_key(absent), "{absent}");
    }
    for (name, default) in [
        ("big", json!("0")),
        ("color", json!("COLOR_UNSPECIFIED")),
        ("byName", json!({})),
        ("numbers", json!([])),
        ("data", json!("")),
        ("nothing", Value::Null),
    ] {
        assert_eq!(all[name], default, "{name}");
    }
}
