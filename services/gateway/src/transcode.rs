//! A REST request as the RPC's message, and the RPC's answer as an HTTP body.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use mesh::Status;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};

use crate::binding::{Binding, Source, is_raw};
use crate::errors::Refusal;
use crate::{fields, headers, json, query};

/// The RPC's message, from path, query and body.
pub(crate) fn request(
    binding: &Binding,
    captures: &[String],
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<DynamicMessage, Status> {
    let mut message = from_body(binding, headers, body)?;
    for (index, (path, text)) in binding.variables.iter().zip(captures).enumerate() {
        let name = &binding.template.variables[index].field;
        let set = fields::set(&mut message, path, text);
        set.map_err(|problem| Refusal::Parameter { name: name.clone(), problem })?;
    }
    query::apply(&mut message, binding, query)?;
    Ok(message)
}

fn from_body(
    binding: &Binding,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<DynamicMessage, Status> {
    let input = &binding.rpc.input;
    let mut message = DynamicMessage::new(input.clone());
    match &binding.body {
        Source::Nothing => {}
        Source::Whole if is_raw(input) => set_raw(&mut message, headers, body),
        Source::Whole if body.is_empty() => {}
        Source::Whole => {
            want_json(headers)?;
            message = json::parse(input, body)?;
        }
        Source::Field(field) => match field.kind() {
            Kind::Message(inner) if is_raw(&inner) && !field.is_list() => {
                let mut raw = DynamicMessage::new(inner);
                set_raw(&mut raw, headers, body);
                message.set_field(field, Value::Message(raw));
            }
            _ if body.is_empty() => {}
            _ => {
                want_json(headers)?;
                json::parse_field(&mut message, field, body)?;
            }
        },
    }
    Ok(message)
}

fn set_raw(message: &mut DynamicMessage, headers: &HeaderMap, body: &Bytes) {
    let content_type =
        headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    message
        .set_field_by_name("content_type", Value::String(content_type.unwrap_or_default().into()));
    message.set_field_by_name("data", Value::Bytes(body.clone()));
}

fn want_json(headers: &HeaderMap) -> Result<(), Status> {
    let got = headers::media_type(headers);
    if got == "application/json" || got.ends_with("+json") {
        return Ok(());
    }
    Err(Refusal::MediaType { got, wanted: "application/json" }.into())
}

/// The body of an HTTP response.
#[derive(Debug)]
pub(crate) struct Content {
    /// Its content type.
    pub(crate) media_type: HeaderValue,
    /// Its bytes.
    pub(crate) data: Bytes,
}

/// What a REST caller gets of an RPC's answer.
pub(crate) fn answer(binding: &Binding, encoded: Bytes) -> Result<Content, Status> {
    let mut message = json::decode(&binding.rpc.output, encoded)?;
    if let Some(field) = &binding.response {
        return match binding.output().filter(is_raw) {
            Some(raw) => Ok(take_raw(&mut inner(&message, field, &raw))),
            None => json::write_field(&mut message, field).map(json_content),
        };
    }
    if is_raw(&message.descriptor()) {
        return Ok(take_raw(&mut message));
    }
    json::write(&message).map(json_content)
}

fn json_content(data: Bytes) -> Content {
    Content { media_type: HeaderValue::from_static("application/json"), data }
}

fn inner(
    message: &DynamicMessage,
    field: &prost_reflect::FieldDescriptor,
    raw: &MessageDescriptor,
) -> DynamicMessage {
    let value = message.get_field(field);
    value.as_message().cloned().unwrap_or_else(|| DynamicMessage::new(raw.clone()))
}

fn take_raw(message: &mut DynamicMessage) -> Content {
    let named = match message.take_field_by_name("content_type") {
        Some(Value::String(text)) => HeaderValue::from_str(&text).ok(),
        _ => None,
    };
    let data = match message.take_field_by_name("data") {
        Some(Value::Bytes(data)) => data,
        _ => Bytes::new(),
    };
    let unnamed = HeaderValue::from_static("application/octet-stream");
    Content { media_type: named.unwrap_or(unnamed), data }
}
