//! The RPCs that exist at the edge, with what their contracts say of them.

use std::sync::Arc;

use contract::mesh::v1::{Access, Rpc as Policy};
use http::Uri;
use prost::Message;
use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::Error;

/// One RPC that callers from outside may know of.
#[derive(Debug)]
pub(crate) struct Rpc {
    /// The contract.
    pub(crate) method: MethodDescriptor,
    /// What the mesh is told of it.
    pub(crate) policy: Policy,
    /// Its path, such as `/tradewind.catalog.v1.CatalogService/GetProduct`.
    pub(crate) uri: Uri,
    /// The request.
    pub(crate) input: MessageDescriptor,
    /// The answer, or each of the answers.
    pub(crate) output: MessageDescriptor,
    /// Whether a call changes nothing, so that GET may make it.
    pub(crate) without_effect: bool,
}

impl Rpc {
    /// The service's full name.
    pub(crate) fn service(&self) -> String {
        self.method.parent_service().full_name().to_owned()
    }

    /// Whether it answers more than once.
    pub(crate) fn streams(&self) -> bool {
        self.method.is_server_streaming()
    }

    /// Whether it is asked more than once.
    pub(crate) fn takes_stream(&self) -> bool {
        self.method.is_client_streaming()
    }
}

/// Every RPC that may be called from outside. One without a policy may not: it has no access rule.
pub(crate) fn exposed(pool: &DescriptorPool) -> Result<Vec<Arc<Rpc>>, Error> {
    let mut rpcs = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            let Some(policy) = option::<Policy>(pool, &method, "tradewind.mesh.v1.rpc")? else {
                continue;
            };
            if is_open(&policy) {
                rpcs.push(Arc::new(describe(method, policy)?));
            }
        }
    }
    Ok(rpcs)
}

/// An option of an RPC, by the extension's full name.
pub(crate) fn option<M: Message + Default>(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    extension: &str,
) -> Result<Option<M>, Error> {
    let Some(extension) = pool.get_extension_by_name(extension) else { return Ok(None) };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(None);
    }
    let value = options.get_extension(&extension);
    let Some(message) = value.as_message() else { return Ok(None) };
    let read = message.transcode_to();
    read.map(Some).map_err(|source| Error::Option { rpc: method.full_name().to_owned(), source })
}

fn is_open(policy: &Policy) -> bool {
    match policy.access() {
        Access::Public | Access::SignedIn | Access::Permission => true,
        Access::Unspecified | Access::Internal => false,
    }
}

fn describe(method: MethodDescriptor, policy: Policy) -> Result<Rpc, Error> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let uri = Uri::try_from(&path).map_err(|error| Error::Mapping {
        rpc: method.full_name().to_owned(),
        template: path,
        problem: error.to_string(),
    })?;
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map(prost_reflect::prost_types::MethodOptions::idempotency_level);
    Ok(Rpc {
        without_effect: level == Some(IdempotencyLevel::NoSideEffects),
        input: method.input(),
        output: method.output(),
        method,
        policy,
        uri,
    })
}
