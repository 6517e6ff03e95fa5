//! The rules of `buf.validate` as far as JSON schema can say them.

use prost_reflect::{DynamicMessage, ExtensionDescriptor, FieldDescriptor, Value as Proto};
use serde_json::{Value, json};

/// The name of a rule, and of the keyword that says it.
const KEYWORDS: [(&str, &str); 15] = [
    ("min_len", "minLength"),
    ("max_len", "maxLength"),
    ("pattern", "pattern"),
    ("const", "const"),
    ("in", "enum"),
    ("gt", "exclusiveMinimum"),
    ("gte", "minimum"),
    ("lt", "exclusiveMaximum"),
    ("lte", "maximum"),
    ("min_items", "minItems"),
    ("max_items", "maxItems"),
    ("unique", "uniqueItems"),
    ("min_pairs", "minProperties"),
    ("max_pairs", "maxProperties"),
    ("not_in", "x-not-in"),
];

/// Rules that are a format.
const FORMATS: [(&str, &str); 5] =
    [("email", "email"), ("hostname", "hostname"), ("uri", "uri"), ("uuid", "uuid"), ("ip", "ip")];

/// Whether a field must be given.
pub(crate) fn is_required(
    extension: Option<&ExtensionDescriptor>,
    field: &FieldDescriptor,
) -> bool {
    let rules = of(extension, field);
    rules.is_some_and(|rules| is_true(&rules, "required"))
}

/// Adds the rules of a field to its schema.
pub(super) fn apply(
    extension: Option<&ExtensionDescriptor>,
    field: &FieldDescriptor,
    schema: &mut Value,
) {
    if let Some(rules) = of(extension, field) {
        apply_kind(&rules, schema);
    }
}

/// The rules of a field for people: their names, and what they say.
pub(crate) fn rules_of(
    extension: Option<&ExtensionDescriptor>,
    field: &FieldDescriptor,
) -> Vec<(&'static str, String)> {
    let mut schema = json!({});
    apply(extension, field, &mut schema);
    let said = |(keyword, name)| schema.get(keyword).map(|value| (name, plain_text(value)));
    WORDS.into_iter().filter_map(said).collect()
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Keywords, and how people are told them.
const WORDS: [(&str, &str); 12] = [
    ("minLength", "length from"),
    ("maxLength", "length to"),
    ("minItems", "items from"),
    ("maxItems", "items to"),
    ("minProperties", "entries from"),
    ("maxProperties", "entries to"),
    ("minimum", "from"),
    ("exclusiveMinimum", "over"),
    ("maximum", "to"),
    ("exclusiveMaximum", "under"),
    ("pattern", "like"),
    ("enum", "one of"),
];

fn of(extension: Option<&ExtensionDescriptor>, field: &FieldDescriptor) -> Option<DynamicMessage> {
    let options = field.options();
    let extension = extension.filter(|extension| options.has_extension(extension))?;
    options.get_extension(extension).as_message().cloned()
}

/// Applies the rules for the field's kind: the one message among the rules, such as `string`.
fn apply_kind(rules: &DynamicMessage, schema: &mut Value) {
    for (field, value) in rules.fields() {
        let Some(kind) = value.as_message() else { continue };
        // Bounds of 64-bit integers are no use to a schema of strings, nor lengths in bytes to base64.
        if matches!(field.name(), "int64" | "uint64" | "sint64" | "fixed64" | "sfixed64" | "bytes")
        {
            continue;
        }
        for (rule, keyword) in KEYWORDS {
            if let Some(value) = given(kind, rule) {
                schema[keyword] = value;
            }
        }
        for (rule, format) in FORMATS {
            if is_true(kind, rule) {
                schema["format"] = json!(format);
            }
        }
        let items = kind.get_field_by_name("items");
        if let (Some(items), Some(target)) =
            (items.as_ref().and_then(|it| it.as_message()), schema.get_mut("items"))
        {
            apply_kind(items, target);
        }
    }
}

fn given(kind: &DynamicMessage, rule: &str) -> Option<Value> {
    if !kind.has_field_by_name(rule) {
        return None;
    }
    plain(kind.get_field_by_name(rule)?.as_ref())
}

fn is_true(rules: &DynamicMessage, rule: &str) -> bool {
    rules.get_field_by_name(rule).is_some_and(|value| value.as_bool() == Some(true))
}

fn plain(value: &Proto) -> Option<Value> {
    match value {
        Proto::Bool(value) => Some(json!(value)),
        Proto::I32(value) => Some(json!(value)),
        Proto::I64(value) => Some(json!(value)),
        Proto::U32(value) => Some(json!(value)),
        Proto::U64(value) => Some(json!(value)),
        Proto::F32(value) => Some(json!(value)),
        Proto::F64(value) => Some(json!(value)),
        Proto::String(value) => Some(json!(value)),
        Proto::List(values) => {
            values.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::from)
        }
        Proto::Bytes(_) | Proto::EnumNumber(_) | Proto::Message(_) | Proto::Map(_) => None,
    }
}
