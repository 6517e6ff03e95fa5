//! The REST API as an OpenAPI 3.1 document, from the same contracts that answer it.

mod comments;
mod operation;
mod rules;
mod schema;

use std::collections::BTreeMap;

use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use crate::binding::Binding;

pub(crate) use self::comments::{Comments, first_sentence};
pub(crate) use self::rules::{is_required, rules_of};
use self::schema::Schemas;

/// The document, for every HTTP mapping.
pub(crate) fn document(pool: &DescriptorPool, comments: &Comments, bindings: &[Binding]) -> Value {
    let mut schemas = Schemas::new(pool, comments);
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    // To OpenAPI, paths that differ by the names of their variables are one path: the first names it.
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    for binding in bindings {
        let nth = seen.entry(binding.rpc.method.full_name()).or_default();
        *nth += 1;
        let mut operation = operation::describe(&mut schemas, comments, binding, *nth);
        let own = operation::path(&binding.template);
        let path = shapes.entry(shape(&own)).or_insert_with(|| own.clone()).clone();
        rename(&mut operation, &names(&own), &names(&path));
        let item = paths.entry(path).or_default();
        item.insert(binding.method.as_str().to_ascii_lowercase(), operation);
        let service = binding.rpc.method.parent_service();
        tags.insert(service.name().to_owned(), comments.of(&service.parent_file(), service.path()));
    }

    let mut schemas = schemas.into_components();
    schemas.insert("Error".into(), error());
    let tags: Vec<_> = tags
        .into_iter()
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tradewind",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Error": {
                "description": "What went wrong: a code, a sentence, and details of which \
                    `google.rpc.ErrorInfo` has the reason that programs tell failures apart by.",
                "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Error" },
                } },
            } },
            "securitySchemes": { "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An access token or an API key.",
            } },
        },
    })
}

/// The names of a path's variables, in their order.
fn names(path: &str) -> Vec<String> {
    path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect()
}

/// A path without the names of its variables.
fn shape(path: &str) -> String {
    names(path)
        .iter()
        .fold(path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), "{}"))
}

/// Gives an operation's path parameters other names.
fn rename(operation: &mut Value, from: &[String], to: &[String]) {
    let Some(parameters) = operation["parameters"].as_array_mut() else { return };
    for parameter in parameters.iter_mut().filter(|it| it["in"] == "path") {
        let name = from.iter().position(|name| parameter["name"] == name.as_str());
        if let Some(name) = name.and_then(|at| to.get(at)) {
            parameter["name"] = json!(name);
        }
    }
}

const INTRODUCTION: &str = "Every operation here is also an RPC of the contracts, callable by gRPC, \
    gRPC-Web and Connect on the same port. JSON is proto3 JSON: names in lowerCamelCase, 64-bit \
    integers as strings, times as RFC 3339; fields with their default value are written, absent \
    messages are not.";

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": { "type": "integer", "description": "The HTTP status." },
                "status": { "type": "string", "description": "The name of the google.rpc.Code." },
                "message": { "type": "string", "description": "A sentence for people." },
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["@type"],
                        "properties": { "@type": { "type": "string" } },
                        "additionalProperties": true,
                    },
                },
            },
        } },
    })
}
