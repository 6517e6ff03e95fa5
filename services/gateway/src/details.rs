//! The details of an error as JSON.

use std::sync::LazyLock;

use base64::Engine;
use mesh::Status;
use prost::Message;
use prost_reflect::prost_types::Any;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use tonic_types::pb;

use crate::request_id;
use crate::value::BASE64;

/// The messages that details are made of, such as `google.rpc.ErrorInfo`.
static MESSAGES: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap_or_default());

/// The encoded details of a status, without what is for its authors alone; which request it is of is
/// one of them.
pub(crate) fn encoded(status: &Status) -> Vec<Any> {
    let decoded = pb::Status::decode(status.details()).unwrap_or_default();
    let hidden = |detail: &Any| name(detail) == "google.rpc.DebugInfo";
    let details = decoded
        .details
        .into_iter()
        .map(|detail| Any { type_url: detail.type_url, value: detail.value });
    let mut details: Vec<_> = details.filter(|detail| !hidden(detail)).collect();
    // Details of its own are an agreement of a service with its callers, to which nothing is added.
    let own = |detail: &Any| !name(detail).starts_with("google.rpc.");
    if let Some(id) = request_id::in_metadata(status).filter(|_| !details.iter().any(own)) {
        details.retain(|detail| name(detail) != "google.rpc.RequestInfo");
        details.push(request_info(id));
    }
    details
}

fn request_info(id: &str) -> Any {
    let info = pb::RequestInfo { request_id: id.to_owned(), ..pb::RequestInfo::default() };
    Any {
        type_url: "type.googleapis.com/google.rpc.RequestInfo".to_owned(),
        value: info.encode_to_vec(),
    }
}

/// The details of a status.
pub(crate) fn json(status: &Status) -> Vec<Value> {
    encoded(status).iter().map(detail).collect()
}

/// The full name of a detail's message.
pub(crate) fn name(detail: &Any) -> &str {
    detail.type_url.rsplit('/').next().unwrap_or_default()
}

/// One detail without its type; `None` when its message is not known here.
pub(crate) fn known(detail: &Any) -> Option<Value> {
    let message = MESSAGES.get_message_by_name(name(detail))?;
    let message = DynamicMessage::decode(message, detail.value.as_slice()).ok()?;
    serde_json::to_value(&message).ok()
}

fn detail(detail: &Any) -> Value {
    let known = known(detail).filter(Value::is_object);
    let mut value = known.unwrap_or_else(|| json!({ "value": BASE64.encode(&detail.value) }));
    value["@type"] = json!(detail.type_url);
    value
}
