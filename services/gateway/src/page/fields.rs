//! The fields of a message as a table: name, kind, rules and what its contract says of it.

use prost_reflect::{ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::html::{escape, inline};
use crate::openapi::{self, Comments};

/// The table of a message's fields; a sentence when it has none.
pub(super) fn table(
    comments: &Comments,
    rules: Option<&ExtensionDescriptor>,
    message: &MessageDescriptor,
) -> String {
    let rows: String = message.fields().map(|field| row(comments, rules, &field)).collect();
    if rows.is_empty() {
        return "<p class=\"quiet\">It has no fields.</p>\n".to_owned();
    }
    format!(
        "<table class=\"fields\">\n<thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Kind</th>\
         <th scope=\"col\">Meaning</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn row(
    comments: &Comments,
    rules: Option<&ExtensionDescriptor>,
    field: &FieldDescriptor,
) -> String {
    let comment = comments.of(&field.parent_file(), field.path());
    let required = openapi::is_required(rules, field);
    let must = if required { " <span class=\"must\">required</span>" } else { "" };
    let limits = openapi::rules_of(rules, field);
    let limits: Vec<_> =
        limits.iter().map(|(name, value)| format!("{name}&nbsp;{}", escape(value))).collect();
    let limits = match limits.as_slice() {
        [] => String::new(),
        limits => format!("<br><span class=\"rule\">{}</span>", limits.join(" · ")),
    };
    format!(
        "<tr><td><code>{name}</code>{must}</td><td>{kind}{limits}</td><td>{comment}</td></tr>\n",
        name = field.json_name(),
        kind = kind(field),
        comment = inline(&comment.replace("\n\n", " ")),
    )
}

fn kind(field: &FieldDescriptor) -> String {
    let many = match () {
        () if field.is_map() => "map to ",
        () if field.is_list() => "list of ",
        () => "",
    };
    let one = match value_kind(field) {
        Kind::Message(message) => link(&message),
        Kind::Enum(members) => {
            let names = members.values().map(|it| format!("<code>{}</code>", it.name()));
            names.collect::<Vec<_>>().join(" | ")
        }
        other => format!("{other:?}").to_lowercase(),
    };
    format!("{many}{one}")
}

/// The kind of a field, of its elements, or of its map's values.
pub(super) fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        other => other,
    }
}

/// A message's name, leading to its place in the reference.
pub(super) fn link(message: &MessageDescriptor) -> String {
    format!("<a href=\"#{0}\">{1}</a>", message.full_name(), message.name())
}
