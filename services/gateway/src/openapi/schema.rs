//! Messages and enums as JSON schemas, in the form that proto3 JSON gives them.

use std::collections::BTreeMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use serde_json::{Map, Value, json};

use super::{Comments, rules};
use crate::value;

/// The schemas that operations refer to, made as they are asked for.
pub(super) struct Schemas<'a> {
    comments: &'a Comments,
    rules: Option<ExtensionDescriptor>,
    components: BTreeMap<String, Value>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(pool: &DescriptorPool, comments: &'a Comments) -> Self {
        let rules = pool.get_extension_by_name("buf.validate.field");
        Self { comments, rules, components: BTreeMap::new() }
    }

    pub(super) fn into_components(self) -> BTreeMap<String, Value> {
        self.components
    }

    /// A message, by reference unless JSON has a form of its own for it.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(schema) = self.well_known(message) {
            return schema;
        }
        let name = message.full_name();
        if !self.components.contains_key(name) {
            // It stands there before its fields are described, since they may lead back to it.
            self.components.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, &[]);
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// A message without some of its fields.
    pub(super) fn message_without(
        &mut self,
        message: &MessageDescriptor,
        without: &[&FieldDescriptor],
    ) -> Value {
        if without.is_empty() { self.message(message) } else { self.object(message, without) }
    }

    fn object(&mut self, message: &MessageDescriptor, without: &[&FieldDescriptor]) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in message.fields().filter(|field| !without.contains(&field)) {
            if rules::is_required(self.rules.as_ref(), &field) {
                required.push(field.json_name().to_owned());
            }
            properties.insert(field.json_name().to_owned(), self.field(&field));
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        let comment = self.comments.of(&message.parent_file(), message.path());
        if !comment.is_empty() {
            schema["description"] = json!(comment);
        }
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    /// A field, with its comment and its rules.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        let mut schema = match &kind {
            Kind::Message(entry) if field.is_map() => {
                let values = self.kind(&entry.map_entry_value_field().kind());
                json!({ "type": "object", "additionalProperties": values })
            }
            _ if field.is_list() => json!({ "type": "array", "items": self.kind(&kind) }),
            _ => self.kind(&kind),
        };
        let comment = self.comments.of(&field.parent_file(), field.path());
        if !comment.is_empty() {
            schema["description"] = json!(comment);
        }
        rules::apply(self.rules.as_ref(), field, &mut schema);
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::String => json!({ "type": "string" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "format": "int64", "minimum": 0 })
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64" })
            }
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Enum(members) => self.members(members),
            Kind::Message(message) => self.message(message),
        }
    }

    fn members(&mut self, members: &EnumDescriptor) -> Value {
        let name = members.full_name();
        if !self.components.contains_key(name) {
            let names: Vec<_> = members.values().map(|value| value.name().to_owned()).collect();
            let lines = members.values().map(|value| {
                let comment = self.comments.of(&value.parent_enum().parent_file(), value.path());
                format!("- `{}`: {comment}", value.name())
            });
            let lines = lines.collect::<Vec<_>>().join("\n");
            let comment = self.comments.of(&members.parent_file(), members.path());
            let description = format!("{comment}\n\n{lines}");
            let schema = json!({ "type": "string", "enum": names, "description": description });
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    fn well_known(&mut self, message: &MessageDescriptor) -> Option<Value> {
        if value::is_wrapper(message) {
            let inner = message.get_field_by_name("value")?;
            return Some(self.kind(&inner.kind()));
        }
        Some(match message.full_name() {
            "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.Duration" => {
                json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" })
            }
            "google.protobuf.FieldMask" => json!({ "type": "string" }),
            "google.protobuf.Struct" | "google.protobuf.Empty" => json!({ "type": "object" }),
            "google.protobuf.Value" => json!({}),
            "google.protobuf.ListValue" => json!({ "type": "array" }),
            "google.protobuf.Any" => {
                json!({ "type": "object", "properties": { "@type": { "type": "string" } } })
            }
            _ => return None,
        })
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
