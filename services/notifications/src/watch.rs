//! A customer's notifications as they happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use mesh::Status;
use store::Reader;
use tradewind::notifications::v1::Notification;

use crate::bells::Listener;
use crate::error::Error;
use crate::store as sql;

/// How many are read at once, and the most that wait for a slow client.
const PAGE: u32 = 100;
/// How soon a notification that another replica wrote is seen.
const POLL: Duration = Duration::from_secs(1);

/// Where a client is in a customer's notifications.
pub(crate) struct Watch {
    pub(crate) reader: Reader,
    pub(crate) customer_id: String,
    pub(crate) listener: Listener,
    /// The last one that the client has.
    pub(crate) after: i64,
    pub(crate) read: VecDeque<Notification>,
}

impl Watch {
    /// All that come, until the client goes or the process stops. Nothing is read before it is
    /// asked for.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Notification, Status>> + Send {
        stream::try_unfold(self, |mut watch| async move {
            let next = watch.next().await?;
            Ok(next.map(|notification| (notification, watch)))
        })
    }

    async fn next(&mut self) -> Result<Option<Notification>, Error> {
        let bell = Arc::clone(&self.listener.bell);
        loop {
            if let Some(notification) = self.read.pop_front() {
                self.after = notification.sequence;
                return Ok(Some(notification));
            }
            let rung = bell.notified();
            tokio::pin!(rung);
            // Before it is read: what is committed after the read rings.
            rung.as_mut().enable();
            let page = sql::after(&self.reader, &self.customer_id, self.after, PAGE).await?;
            if !page.is_empty() {
                self.read = page.into();
                continue;
            }
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep(POLL) => {}
                () = self.listener.closed.cancelled() => return Ok(None),
            }
        }
    }
}
