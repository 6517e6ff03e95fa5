//! Who may call what, and with which key: the contract's words, enforced once for all services.

use std::sync::Arc;

use contract::mesh::v1::{Access, Idempotency};
use http::{HeaderMap, HeaderName};

use crate::caller::{Caller, Principal};
use crate::failure::Refusal;
use crate::policy::Method;

/// Makes a repeat of a call the same call.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The same, as headers are looked up by it.
pub(crate) const KEY: HeaderName = HeaderName::from_static(IDEMPOTENCY_KEY);

/// Whether a caller may call an RPC.
pub(crate) fn check(method: &Method, caller: &Caller) -> Result<(), Refusal> {
    let nobody = matches!(caller.principal(), Principal::Nobody);
    match method.access() {
        Access::Public => Ok(()),
        Access::Internal if caller.is_service() => Ok(()),
        Access::Internal => Err(Refusal::Internal),
        _ if nobody => Err(Refusal::Unauthenticated),
        Access::SignedIn => Ok(()),
        Access::Permission if caller.may(&method.rpc.permission) => Ok(()),
        Access::Permission => Err(Refusal::PermissionDenied(method.rpc.permission.clone())),
        // The build refuses a contract that does not say.
        Access::Unspecified => Err(Refusal::Internal),
    }
}

/// The idempotency key of a request, when its RPC takes one.
pub(crate) fn idempotency_key(
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Arc<str>>, Refusal> {
    let mut keys = headers.get_all(KEY).iter();
    let (first, second) = (keys.next(), keys.next());
    match (method.rpc.idempotency(), first) {
        (Idempotency::Unspecified, _) | (Idempotency::KeyOptional, None) => Ok(None),
        (Idempotency::KeyRequired, None) => Err(Refusal::IdempotencyKeyRequired),
        (Idempotency::KeyOptional | Idempotency::KeyRequired, Some(key)) => key
            .to_str()
            .ok()
            .filter(|key| second.is_none() && (1..=255).contains(&key.len()))
            .map(|key| Some(key.into()))
            .ok_or(Refusal::MalformedIdempotencyKey),
    }
}
