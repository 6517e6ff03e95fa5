//! Messages as proto3 JSON.
//!
//! What is written has every field but absent messages and unset optional fields, so that clients
//! see `0`, `""` and `[]`; names are lowerCamelCase and 64-bit integers are strings. What is read
//! may use either form of a name; unknown names are refused.

mod read;

use bytes::Bytes;
use mesh::Status;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value,
};
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::error::Category;
use serde_path_to_error::Track;

use crate::errors::Refusal;

/// How deep arrays and objects may be nested.
const DEEPEST: usize = 64;

const WRITTEN: SerializeOptions = SerializeOptions::new().skip_default_fields(false);

/// A message from JSON; what is wrong is told with the field's path.
pub(crate) fn parse(message: &MessageDescriptor, json: &[u8]) -> Result<DynamicMessage, Status> {
    parse_below("", message, json)
}

/// One field of a message from JSON, set in the message.
pub(crate) fn parse_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    json: &[u8],
) -> Result<(), Status> {
    if let Some(inner) = single_message(field) {
        let value = parse_below(field.json_name(), &inner, json)?;
        message.set_field(field, Value::Message(value));
        return Ok(());
    }
    check_depth(json)?;
    // Only a JSON value alone may go between the braces, or it could bring fields of its own.
    serde_json::from_slice::<IgnoredAny>(json).map_err(|error| malformed(&error))?;
    let name = field.json_name();
    let wrapped = [b"{\"", name.as_bytes(), b"\":", json, b"}"].concat();
    let mut read = parse(field.parent_message(), &wrapped)?;
    if let Some(value) = read.take_field(field) {
        message.set_field(field, value);
    }
    Ok(())
}

fn parse_below(
    above: &str,
    message: &MessageDescriptor,
    json: &[u8],
) -> Result<DynamicMessage, Status> {
    check_depth(json)?;
    let mut track = Track::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let read = read::Message(message)
        .deserialize(tracked)
        .and_then(|message| reader.end().map(|()| message));
    read.map_err(|error| explain(above, &track.path().to_string(), &error))
}

fn malformed(error: &serde_json::Error) -> Status {
    Refusal::MalformedJson(error.to_string()).into()
}

fn explain(above: &str, path: &str, error: &serde_json::Error) -> Status {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    let text = error.to_string();
    let problem = text.split(" at line ").next().unwrap_or_default();
    let path = if path == "." { "" } else { path };
    let steps = [above, path];
    let field = steps.iter().filter(|step| !step.is_empty()).copied().collect::<Vec<_>>().join(".");
    if field.is_empty() {
        return Refusal::MalformedMessage(problem.to_owned()).into();
    }
    Refusal::Field { field, problem: problem.to_owned() }.into()
}

/// Refuses deep nesting by a scan, before any parser recurses.
fn check_depth(json: &[u8]) -> Result<(), Status> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(Refusal::TooDeep(DEEPEST).into());
        }
    }
    Ok(())
}

/// A message as JSON.
pub(crate) fn write(message: &DynamicMessage) -> Result<Bytes, Status> {
    let mut json = Vec::with_capacity(512);
    let mut writer = serde_json::Serializer::new(&mut json);
    let written = message.serialize_with_options(&mut writer, &WRITTEN);
    written.map_err(|_| Refusal::BadAnswer)?;
    Ok(json.into())
}

/// One field of a message as JSON; `null` when it is an absent message.
pub(crate) fn write_field(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
) -> Result<Bytes, Status> {
    let mut alone = DynamicMessage::new(field.parent_message().clone());
    if let Some(value) = message.take_field(field) {
        match value {
            Value::Message(inner) => return write(&inner),
            other => alone.set_field(field, other),
        }
    }
    let written = alone.serialize_with_options(serde_json::value::Serializer, &WRITTEN);
    let mut written = written.map_err(|_| Refusal::BadAnswer)?;
    let value = written.get_mut(field.json_name()).map(serde_json::Value::take);
    let json = serde_json::to_vec(&value).map_err(|_| Refusal::BadAnswer)?;
    Ok(json.into())
}

fn single_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_list() && !field.is_map() => Some(message),
        _ => None,
    }
}

/// A message of the contract from its encoding.
pub(crate) fn decode(
    message: &MessageDescriptor,
    encoded: Bytes,
) -> Result<DynamicMessage, Status> {
    DynamicMessage::decode(message.clone(), encoded).map_err(|_| Refusal::BadAnswer.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn brackets_within_text_are_not_depth() {
        let text = format!(r#"{{"a": "\"{}"}}"#, "[".repeat(100));
        assert!(check_depth(text.as_bytes()).is_ok());
    }

    #[test]
    fn sixty_four_levels_pass_and_one_more_does_not() {
        assert!(check_depth("[".repeat(64).as_bytes()).is_ok());
        assert!(check_depth("[".repeat(65).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn what_passes_the_scan_is_no_deeper_for_the_parser(text in "[\\[\\]{}\",:1\\\\]{0,300}") {
            if check_depth(text.as_bytes()).is_ok() {
                let read = serde_json::from_str::<IgnoredAny>(&text);
                let deep = read.is_err_and(|error| error.to_string().contains("recursion"));
                prop_assert!(!deep);
            }
        }
    }
}
