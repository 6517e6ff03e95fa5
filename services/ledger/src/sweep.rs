//! What is held beyond its time is given back, also where nobody asks for it.

use std::time::Duration;

use ::store::{Runner, Store};
use mesh::{Context, Status};

use crate::error::Error;
use crate::store as sql;
use crate::writer::Writer;

/// How long a hold may outlive its time in a book that nobody writes to.
const PERIOD: Duration = Duration::from_secs(1);

/// The runner, sweeping.
pub(crate) fn sweeping(runner: Runner, store: Store, writer: Writer) -> Runner {
    // Each replica looks: to agree on who does, once a second, would cost more than it does to look.
    runner.every(PERIOD, "expire holds", move |context| {
        let (store, writer) = (store.clone(), writer.clone());
        async move { expire(&store, &writer, &context).await.map_err(Status::from) }
    })
}

/// Ends holds until none is over.
async fn expire(store: &Store, writer: &Writer, context: &Context) -> Result<(), Error> {
    loop {
        let now = store.clock().now_micros();
        let projects = sql::book::projects_with_holds_over(&store.read(context), now).await?;
        if projects.is_empty() {
            return Ok(());
        }
        for project in projects {
            writer.write(&project, Vec::new(), context.trace).await?;
        }
    }
}
