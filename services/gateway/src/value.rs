//! Values from text: path segments and query parameters.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as TextError, StrDeserializer};

pub(crate) use crate::number::Number;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Base64 that is padded when written and need not be when read.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
/// What protobuf's own readers take: either alphabet, and any bits after the last byte.
const TRAILING: GeneralPurposeConfig = LENIENT.with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TRAILING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TRAILING);

/// Bytes from either base64 alphabet, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}

/// A value of a kind from its text; the error completes the sentence "the parameter …".
pub(crate) fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("must be `true` or `false`".to_owned()),
        },
        Kind::Bytes => base64(text)
            .map(|bytes| Value::Bytes(bytes.into()))
            .ok_or_else(|| "must be base64".to_owned()),
        Kind::Enum(names) => member(names, text).map(Value::EnumNumber),
        Kind::Message(message) => textual(message, text).map(Value::Message),
        number => Number::parse(text).unwrap_or(Number::NONE).as_kind(number).map_err(Into::into),
    }
}

fn member(names: &EnumDescriptor, text: &str) -> Result<i32, String> {
    let by_name = names.get_value_by_name(text);
    let found = by_name.or_else(|| text.parse().ok().and_then(|number| names.get_value(number)));
    found.map(|value| value.number()).ok_or_else(|| members(names))
}

/// What a member of an enum must be.
pub(crate) fn members(names: &EnumDescriptor) -> String {
    let known: Vec<_> = names.values().map(|value| value.name().to_owned()).collect();
    format!("must be one of {}", known.join(", "))
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
