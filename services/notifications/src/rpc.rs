//! The contract answered.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::Stream;
use mesh::{HasContext, Request, Response, Status, async_trait};
use store::{List, Reader, Store};
use tradewind::notifications::v1::notifications_service_server::NotificationsService;
use tradewind::notifications::v1::{
    CountMailsRequest, CountMailsResponse, ListMailsRequest, ListMailsResponse, Notification,
    WatchNotificationsRequest,
};

use crate::bells::Bells;
use crate::error::Error;
use crate::store as sql;
use crate::watch::Watch;

/// Answers for mails and notifications.
pub(crate) struct Notifications {
    pub(crate) store: Store,
    pub(crate) bells: Bells,
}

#[async_trait]
impl NotificationsService for Notifications {
    async fn count_mails(
        &self,
        request: Request<CountMailsRequest>,
    ) -> Result<Response<CountMailsResponse>, Status> {
        let reader = self.store.read(&request);
        Ok(Response::new(sql::count_mails(&reader, request.get_ref()).await?))
    }

    async fn list_mails(
        &self,
        request: Request<ListMailsRequest>,
    ) -> Result<Response<ListMailsResponse>, Status> {
        let reader = self.store.read(&request);
        let ListMailsRequest { page_size, page_token, filter } = request.into_inner();
        let order_by = "create_time desc".into();
        let page = reader.list(&List { page_size, page_token, filter, order_by }).await?;
        let next_page_token = page.next_page_token;
        Ok(Response::new(ListMailsResponse { mails: page.items, next_page_token }))
    }

    type WatchNotificationsStream =
        Pin<Box<dyn Stream<Item = Result<Notification, Status>> + Send>>;

    async fn watch_notifications(
        &self,
        request: Request<WatchNotificationsRequest>,
    ) -> Result<Response<Self::WatchNotificationsStream>, Status> {
        let caller = &request.context().caller;
        let customer_id = caller.subject().ok_or(Error::NoCustomer)?.to_owned();
        let listener = self.bells.listen(caller.project(), &customer_id);
        let reader = self.store.read(&request);
        let after = place(&reader, &customer_id, request.into_inner().after_id).await?;
        let watch = Watch { reader, customer_id, listener, after, read: VecDeque::new() };
        Ok(Response::new(Box::pin(watch.stream())))
    }
}

/// The place of the last notification that a client has: the one it names, or the newest.
async fn place(reader: &Reader, customer_id: &str, after_id: String) -> Result<i64, Error> {
    if after_id.is_empty() {
        return Ok(sql::last_place(reader, customer_id).await?);
    }
    let seen = sql::of(reader, customer_id, &after_id).await?;
    Ok(seen.ok_or(Error::NotificationNotFound(after_id))?.sequence)
}
