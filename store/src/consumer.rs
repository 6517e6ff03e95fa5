//! Events on their way in: each has its effect once, recorded in the transaction of the effect.

use std::collections::HashMap;
use std::sync::Arc;

use contract::mesh::v1::Event;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::{Code, Context, Failure, Status, async_trait};
use prost::{Message, Name};

use crate::error::Error;
use crate::statement::Statement;
use crate::store::Store;
use crate::tx::Tx;

type Handler = Arc<dyn Fn(Tx, Context, &[u8]) -> Handled + Send + Sync>;
type Handled = BoxFuture<'static, Result<Tx, Status>>;

/// What a service does when events happen elsewhere.
///
/// A handler is given a transaction in which the event is noted, and gives it back to be committed;
/// it cannot have an effect on the store that is not noted, nor be called again for the same event.
#[derive(Clone)]
pub struct Consumer {
    store: Store,
    handlers: HashMap<&'static str, Handler>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("types", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl Consumer {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, handlers: HashMap::new() }
    }

    /// Acts on events of one type: `|mut tx, context, event: OrderConfirmed| async move { …; Ok(tx) }`.
    #[must_use]
    pub fn on<E, F, Fut>(mut self, handler: F) -> Self
    where
        E: Message + Name + Default + 'static,
        F: Fn(Tx, Context, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Tx, Status>> + Send + 'static,
    {
        let handler = move |tx, context, data: &[u8]| match E::decode(data) {
            Ok(event) => handler(tx, context, event).boxed(),
            Err(error) => {
                let error = Error::Encoding(Box::new(error));
                futures_util::future::ready(Err(error.into())).boxed()
            }
        };
        // Leaked: one name for each event type that the program consumes.
        let name: &'static str = E::full_name().leak();
        self.handlers.insert(name, Arc::new(handler));
        self
    }

    async fn act(&self, context: &Context, event: &Event, handler: &Handler) -> Result<(), Status> {
        let mut tx = self.store.begin_for(context).await?;
        let note = Statement::new(
            "INSERT INTO store_inbox (event, create_time) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        );
        let note = note.bind(&event.id).bind(self.store.inner.clock.now_micros());
        if tx.execute(note).await? == 0 {
            return Ok(());
        }
        tx.event = Some(event.id.clone());
        let tx = handler(tx, context.clone(), &event.data).await?;
        if tx.event.as_ref() != Some(&event.id) {
            return Err(Error::Ended.into());
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl mesh::Consumer for Consumer {
    fn types(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = self.handlers.keys().copied().collect();
        types.sort_unstable();
        types
    }

    async fn consume(&self, context: &Context, event: &Event) -> Result<(), Status> {
        // A newer replica may have asked for it; it stays in the outbox until one takes it.
        let Some(handler) = self.handlers.get(event.r#type.as_str()) else {
            let message = format!("{} is not consumed here", event.r#type);
            let detail = mesh::Detail::default();
            let reason = "NOT_CONSUMED";
            return Err(mesh::refuse(Code::Unimplemented, Error::DOMAIN, reason, &message, detail));
        };
        self.act(context, event, handler).await
    }
}
