//! Events on their way from the service where they happened to those that consume them.

use async_trait::async_trait;
use contract::mesh::v1::Event;
use tonic::Status;

use crate::context::Context;

/// Takes committed events to their consumers. Delivery is at least once; consumers act once.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// The services that consume events of a type.
    fn consumers(&self, event_type: &str) -> Vec<&'static str>;

    /// Hands events to one consumer; returns when each has had its effect.
    async fn deliver(
        &self,
        context: &Context,
        consumer: &'static str,
        events: Vec<Event>,
    ) -> Result<(), Status>;
}

/// The consuming side of one service.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// The full names of the events that it consumes.
    fn types(&self) -> Vec<&'static str>;

    /// Acts on an event, once: a repeat changes nothing.
    async fn consume(&self, context: &Context, event: &Event) -> Result<(), Status>;
}
