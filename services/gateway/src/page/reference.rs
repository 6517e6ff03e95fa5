//! The API reference at `/docs`: every RPC with its routes, its request and its answer.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use contract::mesh::v1::{Access, Idempotency};
use prost_reflect::{DescriptorPool, ExtensionDescriptor, Kind, MessageDescriptor};

use super::fields::{link, table, value_kind};
use super::html::{Place, document, escape, prose};
use crate::binding::Binding;
use crate::openapi::Comments;
use crate::rpc::Rpc;

/// The page. Writing to a string cannot fail, which is why its results are dropped.
pub(super) fn page(
    pool: &DescriptorPool,
    comments: &Comments,
    rpcs: &[Arc<Rpc>],
    bindings: &[Binding],
) -> String {
    let mut page = Page {
        comments,
        rules: pool.get_extension_by_name("buf.validate.field"),
        bindings,
        body: String::new(),
        told: HashSet::new(),
        messages: BTreeMap::new(),
    };
    let mut contents = String::new();
    for service in rpcs.chunk_by(|one, other| one.service() == other.service()) {
        contents.push_str(&listed(service));
        page.service(service);
    }
    page.messages();
    let body = format!(
        "<div class=\"reference\">\n<nav class=\"contents\" aria-label=\"Contents\">\n<ol>\n{contents}\
         <li><a href=\"#messages\">Messages</a></li>\n</ol>\n</nav>\n\
         <main id=\"main\">\n<h1>API reference</h1>\n{INTRODUCTION}{}</main>\n</div>",
        page.body,
    );
    let description = "Every RPC of this mesh, with its routes, its request and its answer.";
    document(Place::Reference, "API reference · Tradewind", description, &body)
}

const INTRODUCTION: &str = "<p class=\"lead\">Each RPC answers in every protocol of this port: REST by the \
    routes named with it, Connect and gRPC-Web by its own path, and gRPC.</p>\n\
    <p>JSON is proto3 JSON: names in lowerCamelCase, 64-bit integers as strings, times as RFC 3339. A \
    credential travels as <code>authorization: Bearer …</code>. What fails says why, as \
    <code>{\"error\": {\"code\", \"status\", \"message\", \"details\"}}</code>, with a reason to tell failures \
    apart by and the id of the request. The same as a document for tools: \
    <a href=\"/openapi.json\">OpenAPI 3.1</a>.</p>\n";

/// Where an RPC stands on the page.
fn anchor(rpc: &Rpc) -> &str {
    rpc.method.full_name()
}

/// A service and its RPCs in the table of contents.
fn listed(rpcs: &[Arc<Rpc>]) -> String {
    let Some(first) = rpcs.first() else { return String::new() };
    let entry = |rpc: &Arc<Rpc>| {
        format!("<li><a href=\"#{}\">{}</a></li>\n", anchor(rpc), rpc.method.name())
    };
    format!(
        "<li><a href=\"#{}\">{}</a>\n<ol>\n{}</ol></li>\n",
        first.service(),
        first.method.parent_service().name(),
        rpcs.iter().map(entry).collect::<String>(),
    )
}

struct Page<'a> {
    comments: &'a Comments,
    rules: Option<ExtensionDescriptor>,
    bindings: &'a [Binding],
    body: String,
    /// The messages whose fields stand with an RPC.
    told: HashSet<String>,
    messages: BTreeMap<String, MessageDescriptor>,
}

impl Page<'_> {
    fn service(&mut self, rpcs: &[Arc<Rpc>]) {
        let Some(first) = rpcs.first() else { return };
        let service = first.method.parent_service();
        let comment = self.comments.of(&service.parent_file(), service.path());
        let _ = write!(
            self.body,
            "<section aria-labelledby=\"{full}\">\n<h2 id=\"{full}\"><a href=\"#{full}\">{name}</a></h2>\n\
             {comment}<p class=\"quiet small\"><code>{full}</code></p>\n",
            name = service.name(),
            comment = prose(&comment),
            full = service.full_name(),
        );
        for rpc in rpcs {
            self.rpc(rpc);
        }
        self.body.push_str("</section>\n");
    }

    fn rpc(&mut self, rpc: &Arc<Rpc>) {
        let comment = self.comments.of(&rpc.method.parent_file(), rpc.method.path());
        let own = self.bindings.iter().filter(|binding| Arc::ptr_eq(&binding.rpc, rpc));
        let routes: String =
            own.map(|binding| route(binding.method.as_str(), &binding.text)).collect();
        let _ = write!(
            self.body,
            "<article aria-labelledby=\"{anchor}\">\n<h3 id=\"{anchor}\"><a href=\"#{anchor}\">{name}</a></h3>\n\
             {comment}<ul class=\"routes\">\n{routes}{path}</ul>\n{facts}",
            anchor = anchor(rpc),
            name = rpc.method.name(),
            comment = prose(&comment),
            path = route("RPC", rpc.uri.path()),
            facts = facts(rpc),
        );
        self.request(&rpc.input);
        let many = if rpc.streams() { "A stream of " } else { "" };
        let _ =
            write!(self.body, "<h4>Answer</h4>\n<p>{many}{}</p>\n</article>\n", link(&rpc.output));
        self.need(&rpc.output);
    }

    /// A request stands with the RPC that takes it; where another takes it too, it is linked.
    fn request(&mut self, message: &MessageDescriptor) {
        self.body.push_str("<h4>Request</h4>\n");
        let shared = self.messages.contains_key(message.full_name()) || !is_request(message);
        if shared || !self.told.insert(message.full_name().to_owned()) {
            let _ = writeln!(self.body, "<p>{}</p>", link(message));
            self.need(message);
            return;
        }
        let _ = writeln!(
            self.body,
            "<div id=\"{}\">\n{}</div>",
            message.full_name(),
            table(self.comments, self.rules.as_ref(), message),
        );
        self.need_fields(message);
    }

    /// Takes a message, and all that it holds, into the reference.
    fn need(&mut self, message: &MessageDescriptor) {
        let name = message.full_name();
        if self.told.contains(name) || self.messages.contains_key(name) {
            return;
        }
        self.messages.insert(name.to_owned(), message.clone());
        self.need_fields(message);
    }

    fn need_fields(&mut self, message: &MessageDescriptor) {
        for field in message.fields() {
            if let Kind::Message(inner) = value_kind(&field) {
                self.need(&inner);
            }
        }
    }

    fn messages(&mut self) {
        self.body.push_str(
            "<section aria-labelledby=\"messages\">\n<h2 id=\"messages\"><a href=\"#messages\">Messages</a></h2>\n",
        );
        for message in std::mem::take(&mut self.messages).into_values() {
            let comment = self.comments.of(&message.parent_file(), message.path());
            let name = message.full_name();
            let _ = write!(
                self.body,
                "<div class=\"message\">\n<h3 id=\"{name}\"><a href=\"#{name}\">{name}</a></h3>\n{}{}</div>\n",
                prose(&comment),
                table(self.comments, self.rules.as_ref(), &message),
            );
        }
        self.body.push_str("</section>\n");
    }
}

/// Whether a message is made for one RPC to take.
fn is_request(message: &MessageDescriptor) -> bool {
    message.name().ends_with("Request")
}

/// A route, its variables marked.
fn route(method: &str, path: &str) -> String {
    let marked = escape(path).replace('{', "<var>{").replace('}', "}</var>");
    let class = method.to_ascii_lowercase();
    format!("<li><span class=\"verb {class}\">{method}</span> <code>{marked}</code></li>\n")
}

/// What the contract says of an RPC besides its messages.
fn facts(rpc: &Rpc) -> String {
    let mut facts = vec![("Access", access(rpc))];
    let repeats = match rpc.policy.idempotency() {
        Idempotency::KeyRequired => Some("needs an <code>idempotency-key</code>"),
        Idempotency::KeyOptional => Some("with an <code>idempotency-key</code>, one call"),
        Idempotency::Unspecified if rpc.without_effect => Some("change nothing"),
        Idempotency::Unspecified => None,
    };
    facts.extend(repeats.map(|repeats| ("Repeats", repeats.to_owned())));
    if rpc.policy.deadline_ms > 0 {
        facts.push(("Deadline", format!("{} s", f64::from(rpc.policy.deadline_ms) / 1000.0)));
    }
    let facts =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    format!("<dl class=\"facts\">\n{}</dl>\n", facts.collect::<String>())
}

fn access(rpc: &Rpc) -> String {
    match rpc.policy.access() {
        Access::Public => "anyone".into(),
        Access::Permission => {
            format!("permission <code>{}</code>", escape(&rpc.policy.permission))
        }
        Access::SignedIn | Access::Internal | Access::Unspecified => "any credential".into(),
    }
}
