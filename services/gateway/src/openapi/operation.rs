//! One HTTP mapping as an operation.

use contract::mesh::v1::{Access, Idempotency};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::schema::Schemas;
use super::{Comments, first_sentence};
use crate::binding::{Binding, Source, is_raw};
use crate::fields;
use crate::template::{Part, Template, Variable};

/// Nested messages give query parameters down to this depth.
const DEEPEST: usize = 4;

/// A path template as OpenAPI writes paths.
pub(super) fn path(template: &Template) -> String {
    let mut segments = Vec::new();
    let mut at = 0;
    while at < template.parts.len() {
        let variable = template.variables.iter().find(|variable| variable.parts.start == at);
        if let Some(variable) = variable {
            segments.push(format!("{{{}}}", variable.field));
            at = variable.parts.end;
            continue;
        }
        segments.push(match &template.parts[at] {
            Part::Literal(text) => text.clone(),
            Part::One | Part::Many => format!("{{segment{at}}}"),
        });
        at += 1;
    }
    let verb = template.verb.as_ref().map_or_else(String::new, |verb| format!(":{verb}"));
    format!("/{}{verb}", segments.join("/"))
}

/// The operation of a mapping, the `nth` of its RPC.
pub(super) fn describe(
    schemas: &mut Schemas<'_>,
    comments: &Comments,
    binding: &Binding,
    nth: usize,
) -> Value {
    let method = &binding.rpc.method;
    let service = method.parent_service();
    let comment = comments.of(&method.parent_file(), method.path());
    let mut id = format!("{}_{}", service.name(), method.name());
    if nth > 1 {
        id = format!("{id}_{nth}");
    }
    let mut operation = json!({
        "operationId": id,
        "tags": [service.name()],
        "summary": first_sentence(&comment),
        "description": format!("{comment}\n\n{}", access(binding)),
        "parameters": parameters(schemas, binding),
        "responses": {
            "200": answer(schemas, binding),
            "default": { "$ref": "#/components/responses/Error" },
        },
        "security": security(binding),
    });
    if let Some(body) = request_body(schemas, binding) {
        operation["requestBody"] = body;
    }
    operation
}

fn access(binding: &Binding) -> String {
    let policy = &binding.rpc.policy;
    match policy.access() {
        Access::Public => "Anyone may call it.".into(),
        Access::Permission => format!("It needs the permission `{}`.", policy.permission),
        Access::SignedIn | Access::Internal | Access::Unspecified => {
            "It needs a credential.".into()
        }
    }
}

fn security(binding: &Binding) -> Value {
    match binding.rpc.policy.access() {
        Access::Public => json!([{}, { "bearer": [] }]),
        Access::SignedIn | Access::Permission | Access::Internal | Access::Unspecified => {
            json!([{ "bearer": [] }])
        }
    }
}

fn parameters(schemas: &mut Schemas<'_>, binding: &Binding) -> Vec<Value> {
    let mut parameters = path_parameters(schemas, binding);
    if binding.body != Source::Whole {
        let input = binding.rpc.input.clone();
        query_parameters(schemas, binding, &input, &mut Vec::new(), &mut parameters);
    }
    let key = binding.rpc.policy.idempotency();
    if key != Idempotency::Unspecified {
        parameters.push(json!({
            "name": "idempotency-key",
            "in": "header",
            "required": key == Idempotency::KeyRequired,
            "description": "Makes a repeat the same call: it ends as the first one did, answered or refused. A new try takes a new one.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        }));
    }
    parameters
}

fn path_parameters(schemas: &mut Schemas<'_>, binding: &Binding) -> Vec<Value> {
    let template = &binding.template;
    let mut parameters = Vec::new();
    for (variable, path) in template.variables.iter().zip(&binding.variables) {
        let mut schema = path.last().map_or_else(|| json!({}), |field| schemas.field(field));
        let description = schema.as_object_mut().and_then(|it| it.remove("description"));
        if !template.is_single(variable) {
            schema["pattern"] = json!(pattern(template, variable));
        }
        parameters.push(json!({
            "name": variable.field,
            "in": "path",
            "required": true,
            "description": description.unwrap_or_default(),
            "schema": schema,
        }));
    }
    let covered = |at: usize| template.variables.iter().any(|it| it.parts.contains(&at));
    for (at, part) in template.parts.iter().enumerate() {
        if !matches!(part, Part::Literal(_)) && !covered(at) {
            let name = format!("segment{at}");
            let schema = json!({ "type": "string" });
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
    parameters
}

/// What a variable over several segments must look like.
fn pattern(template: &Template, variable: &Variable) -> String {
    let segments = template.parts[variable.parts.clone()].iter().map(|part| match part {
        Part::Literal(text) => text.replace('.', "\\."),
        Part::One => "[^/]+".to_owned(),
        Part::Many => ".*".to_owned(),
    });
    format!("^{}$", segments.collect::<Vec<_>>().join("/"))
}

fn query_parameters(
    schemas: &mut Schemas<'_>,
    binding: &Binding,
    message: &MessageDescriptor,
    above: &mut Vec<FieldDescriptor>,
    parameters: &mut Vec<Value>,
) {
    for field in message.fields() {
        above.push(field.clone());
        let elsewhere = binding.variables.contains(above)
            || matches!(&binding.body, Source::Field(body) if above.first() == Some(body));
        if elsewhere {
            above.pop();
            continue;
        }
        if fields::can_be_text(&field) {
            parameters.push(query_parameter(schemas, above, &field));
        } else if let (Kind::Message(inner), false) =
            (field.kind(), field.is_list() || field.is_map())
            && above.len() < DEEPEST
        {
            query_parameters(schemas, binding, &inner, above, parameters);
        }
        above.pop();
    }
}

fn query_parameter(
    schemas: &mut Schemas<'_>,
    path: &[FieldDescriptor],
    field: &FieldDescriptor,
) -> Value {
    let name = path.iter().map(FieldDescriptor::json_name).collect::<Vec<_>>().join(".");
    let mut schema = schemas.field(field);
    let description = schema.as_object_mut().and_then(|it| it.remove("description"));
    json!({
        "name": name,
        "in": "query",
        "description": description.unwrap_or_default(),
        "schema": schema,
    })
}

fn request_body(schemas: &mut Schemas<'_>, binding: &Binding) -> Option<Value> {
    let (schema, raw) = match &binding.body {
        Source::Nothing => return None,
        Source::Whole => {
            let input = &binding.rpc.input;
            let in_path: Vec<_> =
                binding.variables.iter().filter_map(|path| path.first()).collect();
            (schemas.message_without(input, &in_path), is_raw(input))
        }
        Source::Field(field) => {
            let raw = matches!(field.kind(), Kind::Message(inner) if is_raw(&inner));
            (schemas.field(field), raw)
        }
    };
    let content = if raw {
        json!({ "*/*": { "schema": { "type": "string", "format": "binary" } } })
    } else {
        json!({ "application/json": { "schema": schema } })
    };
    Some(json!({ "required": true, "content": content }))
}

fn answer(schemas: &mut Schemas<'_>, binding: &Binding) -> Value {
    let raw = binding.output().as_ref().is_some_and(is_raw);
    let schema = match &binding.response {
        None => schemas.message(&binding.rpc.output),
        Some(field) => schemas.field(field),
    };
    if raw {
        let schema = json!({ "type": "string", "format": "binary" });
        return json!({ "description": "Bytes.", "content": { "*/*": { "schema": schema } } });
    }
    if binding.rpc.streams() {
        return json!({
            "description": "A stream: one message a line, or one message an event.",
            "content": {
                "application/x-ndjson": { "schema": schema },
                "text/event-stream": { "schema": schema },
            },
        });
    }
    json!({ "description": "The answer.", "content": { "application/json": { "schema": schema } } })
}
