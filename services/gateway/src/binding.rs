//! The HTTP mappings of RPCs: which requests they answer, and where each field comes from.

use std::sync::Arc;

use contract::google::api::HttpRule;
use contract::google::api::http_rule::Pattern;
use http::Method;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::rpc::{self, Rpc};
use crate::template::Template;
use crate::{Error, fields};

/// One HTTP mapping of one RPC.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The RPC that answers.
    pub(crate) rpc: Arc<Rpc>,
    /// The HTTP method.
    pub(crate) method: Method,
    /// The path template as written.
    pub(crate) text: String,
    /// The path template.
    pub(crate) template: Template,
    /// The fields of the template's variables, in their order.
    pub(crate) variables: Vec<Vec<FieldDescriptor>>,
    /// What the HTTP body holds.
    pub(crate) body: Source,
    /// The field of the answer that is sent; the whole answer without one.
    pub(crate) response: Option<FieldDescriptor>,
}

/// What of the request an HTTP body holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// Nothing: there is no body.
    Nothing,
    /// Every field that is not in the path.
    Whole,
    /// One field.
    Field(FieldDescriptor),
}

/// Whether a message is bytes with a content type, which pass as they are.
pub(crate) fn is_raw(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
}

impl Binding {
    /// The mappings that an RPC's contract gives it.
    pub(crate) fn of(pool: &DescriptorPool, rpc: &Arc<Rpc>) -> Result<Vec<Self>, Error> {
        let Some(rule) = rpc::option::<HttpRule>(pool, &rpc.method, "google.api.http")? else {
            return Ok(Vec::new());
        };
        let mut bindings = vec![Self::from_rule(rpc, &rule)?];
        for additional in &rule.additional_bindings {
            let binding = Self::from_rule(rpc, additional)?;
            if !additional.additional_bindings.is_empty() {
                return Err(binding.wrong("is additional and has additional bindings of its own"));
            }
            bindings.push(binding);
        }
        Ok(bindings)
    }

    fn from_rule(rpc: &Arc<Rpc>, rule: &HttpRule) -> Result<Self, Error> {
        let (method, text) = pattern(rule);
        let wrong = |problem: String| mistake(rpc, &text, problem);
        if rpc.takes_stream() {
            return Err(wrong(
                "belongs to an RPC that takes a stream, which HTTP cannot send".into(),
            ));
        }
        let template = Template::parse(&text).map_err(wrong)?;
        let variables = variables(&rpc.input, &template).map_err(wrong)?;
        let body = source(&rpc.input, &rule.body).map_err(wrong)?;
        let response = response(&rpc.output, &rule.response_body).map_err(wrong)?;
        if method == Method::GET && body != Source::Nothing {
            return Err(wrong("is a GET with a body".into()));
        }
        Ok(Self { rpc: rpc.clone(), method, template, variables, body, response, text })
    }

    fn wrong(&self, problem: &str) -> Error {
        mistake(&self.rpc, &self.text, problem.to_owned())
    }

    /// The message that answers are, when they are messages.
    pub(crate) fn output(&self) -> Option<MessageDescriptor> {
        let Some(field) = &self.response else { return Some(self.rpc.output.clone()) };
        match field.kind() {
            Kind::Message(message) if !field.is_list() && !field.is_map() => Some(message),
            _ => None,
        }
    }
}

fn mistake(rpc: &Rpc, template: &str, problem: String) -> Error {
    Error::Mapping {
        rpc: rpc.method.full_name().to_owned(),
        template: template.to_owned(),
        problem,
    }
}

fn pattern(rule: &HttpRule) -> (Method, String) {
    match rule.pattern.clone() {
        Some(Pattern::Get(text)) => (Method::GET, text),
        Some(Pattern::Put(text)) => (Method::PUT, text),
        Some(Pattern::Post(text)) => (Method::POST, text),
        Some(Pattern::Delete(text)) => (Method::DELETE, text),
        Some(Pattern::Patch(text)) => (Method::PATCH, text),
        None => (Method::GET, String::new()),
    }
}

fn variables(
    input: &MessageDescriptor,
    template: &Template,
) -> Result<Vec<Vec<FieldDescriptor>>, String> {
    let resolve = |field: &str| {
        let path = fields::resolve(input, field);
        let path = path.map_err(|problem| format!("has a variable `{field}` that {problem}"))?;
        match path.last() {
            Some(last) if last.is_list() => {
                Err(format!("has a variable `{field}` that is repeated"))
            }
            _ => Ok(path),
        }
    };
    template.variables.iter().map(|variable| resolve(&variable.field)).collect()
}

fn source(input: &MessageDescriptor, body: &str) -> Result<Source, String> {
    match body {
        "" => Ok(Source::Nothing),
        "*" => Ok(Source::Whole),
        name => {
            let field = input.get_field_by_name(name);
            field.map(Source::Field).ok_or_else(|| format!("has a body `{name}` that is no field"))
        }
    }
}

fn response(output: &MessageDescriptor, name: &str) -> Result<Option<FieldDescriptor>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let field = output.get_field_by_name(name);
    field.map(Some).ok_or_else(|| format!("has a response body `{name}` that is no field"))
}
