//! Values from text: path segments and query parameters.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as TextError, StrDeserializer};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Base64 that is padded when written and need not be when read.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Bytes from either base64 alphabet, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { BASE64 };
    engine.decode(text).ok()
}

/// A value of a kind from its text; the error completes the sentence "the parameter …".
pub(crate) fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => number(text, "must be `true` or `false`").map(Value::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => number(text, INT32).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => number(text, INT64).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => number(text, UINT32).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => number(text, UINT64).map(Value::U64),
        Kind::Float => number(text, "must be a number").map(Value::F32),
        Kind::Double => number(text, "must be a number").map(Value::F64),
        Kind::Bytes => base64(text)
            .map(|bytes| Value::Bytes(bytes.into()))
            .ok_or_else(|| "must be base64".to_owned()),
        Kind::Enum(names) => member(names, text).map(Value::EnumNumber),
        Kind::Message(message) => textual(message, text).map(Value::Message),
    }
}

const INT32: &str = "must be a whole number from -2147483648 to 2147483647";
const INT64: &str = "must be a whole number from -9223372036854775808 to 9223372036854775807";
const UINT32: &str = "must be a whole number from 0 to 4294967295";
const UINT64: &str = "must be a whole number from 0 to 18446744073709551615";

fn number<T: std::str::FromStr>(text: &str, otherwise: &str) -> Result<T, String> {
    text.parse().map_err(|_| otherwise.to_owned())
}

fn member(names: &EnumDescriptor, text: &str) -> Result<i32, String> {
    let by_name = names.get_value_by_name(text);
    let found = by_name.or_else(|| text.parse().ok().and_then(|number| names.get_value(number)));
    found.map(|value| value.number()).ok_or_else(|| {
        let known: Vec<_> = names.values().map(|value| value.name().to_owned()).collect();
        format!("must be one of {}", known.join(", "))
    })
}

/// Whether a message has a text form: times, durations, field masks, wrapped scalars.
pub(crate) fn is_textual(message: &MessageDescriptor) -> bool {
    is_json_text(message) || is_wrapper(message)
}

fn is_json_text(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask"
    )
}

/// Whether a message is a scalar that may be absent.
pub(crate) fn is_wrapper(message: &MessageDescriptor) -> bool {
    message.package_name() == "google.protobuf"
        && message.name().ends_with("Value")
        && !matches!(message.name(), "Value" | "ListValue")
}

fn textual(message: &MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    if is_json_text(message) {
        let text: StrDeserializer<'_, TextError> = text.into_deserializer();
        let read = DynamicMessage::deserialize(message.clone(), text);
        return read.map_err(|error| format!("must be {}: {error}", form(message)));
    }
    let field = message.get_field_by_name("value").filter(|_| is_wrapper(message));
    let field = field.ok_or("cannot be given as text")?;
    let mut wrapper = DynamicMessage::new(message.clone());
    wrapper.set_field(&field, parse(&field.kind(), text)?);
    Ok(wrapper)
}

fn form(message: &MessageDescriptor) -> &'static str {
    match message.name() {
        "Timestamp" => "a time such as `2026-01-31T12:00:00Z`",
        "Duration" => "a duration such as `1.5s`",
        _ => "field names in lowerCamelCase, separated by commas",
    }
}
