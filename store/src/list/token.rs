//! Page tokens: where a page ended, bound to the list that it is a page of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contract::{Column, Kind, Value};
use mesh::clock::{micros, timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::order::Key;
use crate::error::Error;

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    #[serde(rename = "c")]
    check: u64,
    #[serde(rename = "a")]
    after: Vec<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Place {
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "i")]
    Integer(i64),
    /// Its bits: no digit is lost on the way.
    #[serde(rename = "d")]
    Double(u64),
}

/// What a token of one list has, and one of another has not.
pub(super) fn check(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    hash.iter().take(8).fold(0, |check, byte| check << 8 | u64::from(*byte))
}

/// The token of the page after a row with these values.
pub(super) fn write(check: u64, keys: &[Key], values: &[Value]) -> Result<String, Error> {
    let after = keys.iter().map(|key| match &values[key.column] {
        Value::Text(text) => Place::Text(text.clone().unwrap_or_default()),
        Value::Integer(integer) => Place::Integer(integer.unwrap_or_default()),
        Value::Timestamp(time) => Place::Integer(time.as_ref().map(micros).unwrap_or_default()),
        Value::Double(double) => Place::Double(double.unwrap_or_default().to_bits()),
        // No list is ordered by bytes.
        Value::Bytes(_) => Place::Integer(0),
    });
    let token = Token { check, after: after.collect() };
    let json = serde_json::to_vec(&token).map_err(|error| Error::Encoding(Box::new(error)))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// The values of the row after which a page begins.
pub(super) fn read(
    text: &str,
    check: u64,
    keys: &[Key],
    columns: &[Column],
) -> Result<Vec<Value>, Error> {
    let token: Option<Token> =
        URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let token = token.ok_or_else(|| invalid("it was not given by this list"))?;
    if token.check != check || token.after.len() != keys.len() {
        return Err(invalid("it belongs to a list with another filter or order"));
    }
    let places = token.after.into_iter().zip(keys);
    places
        .map(|(place, key)| match (place, columns[key.column].kind) {
            (Place::Text(text), Kind::Text) => Ok(Value::Text(Some(text))),
            (Place::Integer(integer), Kind::Integer) => Ok(Value::Integer(Some(integer))),
            (Place::Integer(micros), Kind::Timestamp) => {
                Ok(Value::Timestamp(Some(timestamp(micros))))
            }
            (Place::Double(bits), Kind::Double) => Ok(Value::Double(Some(f64::from_bits(bits)))),
            _ => Err(invalid("it was not given by this list")),
        })
        .collect()
}

fn invalid(problem: &str) -> Error {
    Error::InvalidList {
        field: "page_token",
        reason: "INVALID_PAGE_TOKEN",
        problem: problem.into(),
    }
}
