//! Fields of a message by their path, as paths and query parameters name them.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::value;

/// Deeper paths are refused, since messages may contain themselves.
const DEEPEST: usize = 16;

/// The fields of a path such as `order.customerId`; each name may be the proto name or the JSON name.
///
/// The error completes the sentence "the parameter …".
pub(crate) fn resolve(
    message: &MessageDescriptor,
    path: &str,
) -> Result<Vec<FieldDescriptor>, String> {
    let mut message = message.clone();
    let mut fields = Vec::new();
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let field = message
            .get_field_by_json_name(name)
            .or_else(|| message.get_field_by_name(name))
            .ok_or_else(|| "is not a field of the request".to_owned())?;
        if fields.len() == DEEPEST {
            return Err(format!("names a field more than {DEEPEST} messages deep"));
        }
        if names.peek().is_some() {
            message = inner(&field).ok_or_else(|| format!("has no fields below `{name}`"))?;
        }
        fields.push(field);
    }
    match fields.last() {
        Some(last) if !can_be_text(last) => {
            Err("cannot be given as text; send it in the body".into())
        }
        _ => Ok(fields),
    }
}

fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_list() && !field.is_map() => Some(message),
        _ => None,
    }
}

/// Whether a field, or each of its elements, has a text form.
pub(crate) fn can_be_text(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => !field.is_map() && value::is_textual(&message),
        _ => true,
    }
}

/// Sets the field at the end of a path from text; a repeated field gets one more element.
pub(crate) fn set(
    message: &mut DynamicMessage,
    path: &[FieldDescriptor],
    text: &str,
) -> Result<(), String> {
    let Some((field, rest)) = path.split_first() else { return Ok(()) };
    refuse_second_of_oneof(message, field)?;
    if !rest.is_empty() {
        let inner = message.get_field_mut(field).as_message_mut();
        return inner.map_or(Ok(()), |inner| set(inner, rest, text));
    }
    let parsed = value::parse(&field.kind(), text)?;
    if field.is_list() {
        if let Value::List(list) = message.get_field_mut(field) {
            list.push(parsed);
        }
    } else {
        message.set_field(field, parsed);
    }
    Ok(())
}

fn refuse_second_of_oneof(message: &DynamicMessage, field: &FieldDescriptor) -> Result<(), String> {
    let Some(oneof) = field.containing_oneof() else { return Ok(()) };
    let other = oneof.fields().find(|other| other != field && message.has_field(other));
    match other {
        Some(other) => Err(format!("cannot stand beside `{}`", other.json_name())),
        None => Ok(()),
    }
}
