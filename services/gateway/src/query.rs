//! Query parameters: every field of a request that is neither in the path nor in the body.

use std::borrow::Cow;
use std::collections::HashSet;

use mesh::Status;
use prost_reflect::DynamicMessage;

use crate::binding::{Binding, Source};
use crate::errors::Refusal;
use crate::{fields, percent};

/// A parameter's name and value.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The names and values of a query, decoded.
pub(crate) fn pairs(query: &str) -> Result<Vec<Pair<'_>>, Status> {
    let pair = |text| {
        let (name, value) = str::split_once(text, '=').unwrap_or((text, ""));
        let decoded = percent::decode_query(name).zip(percent::decode_query(value));
        decoded.ok_or_else(|| Refusal::MalformedQuery(name.to_owned()).into())
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Sets the fields that a query names.
pub(crate) fn apply(
    message: &mut DynamicMessage,
    binding: &Binding,
    query: &str,
) -> Result<(), Status> {
    let mut given = HashSet::new();
    for (name, text) in pairs(query)? {
        let set = set(message, binding, &mut given, &name, &text);
        set.map_err(|problem| Refusal::Parameter { name: name.into_owned(), problem })?;
    }
    Ok(())
}

fn set(
    message: &mut DynamicMessage,
    binding: &Binding,
    given: &mut HashSet<Vec<u32>>,
    name: &str,
    text: &str,
) -> Result<(), String> {
    let path = fields::resolve(&binding.rpc.input, name)?;
    if binding.variables.contains(&path) {
        return Err("is given by the path".into());
    }
    match &binding.body {
        Source::Whole => return Err("must be sent in the body".into()),
        Source::Field(field) if path.first() == Some(field) => {
            return Err("must be sent in the body".into());
        }
        Source::Field(_) | Source::Nothing => {}
    }
    let repeated = path.last().is_some_and(prost_reflect::FieldDescriptor::is_list);
    let numbers = path.iter().map(prost_reflect::FieldDescriptor::number).collect();
    if !given.insert(numbers) && !repeated {
        return Err("is given twice".into());
    }
    fields::set(message, &path, text)
}
