//! The API reference at `/docs`: every RPC with its routes, its request and its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use contract::mesh::v1::Access;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::html::{document, escape};
use crate::binding::Binding;
use crate::openapi::Comments;
use crate::rpc::Rpc;

/// The page. Writing to a string cannot fail, which is why its results are dropped.
pub(super) fn page(comments: &Comments, rpcs: &[Arc<Rpc>], bindings: &[Binding]) -> String {
    let mut page = Page { comments, body: String::new(), messages: BTreeMap::new() };
    page.body.push_str(
        "<h1>API reference</h1>\n<p><a href=\"/\">Tradewind</a> · \
         <a href=\"/openapi.json\">OpenAPI 3.1</a></p>\n",
    );
    let mut service = String::new();
    for rpc in rpcs {
        if service != rpc.service() {
            service = rpc.service();
            page.service(rpc);
        }
        page.rpc(rpc, bindings);
    }
    page.messages();
    document("Tradewind: API reference", &page.body)
}

struct Page<'a> {
    comments: &'a Comments,
    body: String,
    messages: BTreeMap<String, MessageDescriptor>,
}

impl Page<'_> {
    fn service(&mut self, rpc: &Rpc) {
        let service = rpc.method.parent_service();
        let comment = self.comments.of(&service.parent_file(), service.path());
        let _ = write!(
            self.body,
            "<h2>{}</h2>\n<p>{}<br><small>{}</small></p>\n",
            service.name(),
            escape(&comment),
            service.full_name(),
        );
    }

    fn rpc(&mut self, rpc: &Arc<Rpc>, bindings: &[Binding]) {
        let comment = self.comments.of(&rpc.method.parent_file(), rpc.method.path());
        let own = bindings.iter().filter(|binding| Arc::ptr_eq(&binding.rpc, rpc));
        let routes: Vec<_> =
            own.map(|binding| format!("{} {}", binding.method, binding.text)).collect();
        let _ = write!(
            self.body,
            "<h3>{name}</h3>\n<p>{comment}</p>\n<pre>{routes}</pre>\n\
             <p>{access} Takes {input}; answers {output}{stream}.</p>\n",
            name = rpc.method.name(),
            comment = escape(&comment),
            routes = escape(&[routes.join("\n"), format!("RPC {}", rpc.uri)].join("\n")),
            access = access(rpc),
            input = link(&rpc.input),
            output = link(&rpc.output),
            stream = if rpc.streams() { ", again and again" } else { "" },
        );
        self.need(&rpc.input);
        self.need(&rpc.output);
    }

    /// Takes a message, and all that it holds, into the reference.
    fn need(&mut self, message: &MessageDescriptor) {
        if self.messages.contains_key(message.full_name()) {
            return;
        }
        self.messages.insert(message.full_name().to_owned(), message.clone());
        for field in message.fields() {
            if let Kind::Message(inner) = value_kind(&field) {
                self.need(&inner);
            }
        }
    }

    fn messages(&mut self) {
        self.body.push_str("<h2>Messages</h2>\n");
        for message in std::mem::take(&mut self.messages).into_values() {
            let comment = self.comments.of(&message.parent_file(), message.path());
            let name = message.full_name();
            let _ =
                write!(self.body, "<h3 id=\"{name}\">{name}</h3>\n<p>{}</p>\n", escape(&comment));
            self.body.push_str("<table>\n");
            for field in message.fields() {
                self.field(&field);
            }
            self.body.push_str("</table>\n");
        }
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let comment = self.comments.of(&field.parent_file(), field.path());
        let many = if field.is_map() {
            "map of "
        } else if field.is_list() {
            "list of "
        } else {
            ""
        };
        let kind = match value_kind(field) {
            Kind::Message(message) => link(&message),
            Kind::Enum(members) => {
                let names: BTreeSet<_> = members.values().map(|it| it.name().to_owned()).collect();
                names.into_iter().collect::<Vec<_>>().join(" | ")
            }
            other => format!("{other:?}").to_lowercase(),
        };
        let _ = writeln!(
            self.body,
            "<tr><td><code>{}</code><td>{many}{kind}<td>{}",
            field.json_name(),
            escape(&comment),
        );
    }
}

/// The kind of a field, of its elements, or of its map's values.
fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        other => other,
    }
}

fn link(message: &MessageDescriptor) -> String {
    format!("<a href=\"#{0}\">{1}</a>", message.full_name(), message.name())
}

fn access(rpc: &Rpc) -> String {
    match rpc.policy.access() {
        Access::Public => "Anyone may call it.".into(),
        Access::Permission => {
            format!("It needs the permission <code>{}</code>.", escape(&rpc.policy.permission))
        }
        Access::SignedIn | Access::Internal | Access::Unspecified => {
            "It needs a credential.".into()
        }
    }
}
