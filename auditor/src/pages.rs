//! A list that comes in pages, read one item after another.

use std::collections::VecDeque;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::Status;

type Fetched<T> = BoxFuture<'static, Result<(Vec<T>, String), Status>>;

/// A list of a service.
pub(crate) struct Pages<T> {
    fetch: Box<dyn Fn(String) -> Fetched<T> + Send>,
    items: VecDeque<T>,
    /// Of the next page; none after the last.
    token: Option<String>,
}

impl<T> Pages<T> {
    /// A list whose pages a function fetches by their token, with the token of the next one.
    pub(crate) fn new<F>(fetch: impl Fn(String) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(Vec<T>, String), Status>> + Send + 'static,
    {
        let fetch = Box::new(move |token| fetch(token).boxed());
        Self { fetch, items: VecDeque::new(), token: Some(String::new()) }
    }

    /// The next item, left where it is.
    pub(crate) async fn peek(&mut self) -> Result<Option<&T>, Status> {
        while self.items.is_empty() {
            let Some(token) = self.token.take() else { break };
            let (items, next) = (self.fetch)(token).await?;
            self.items.extend(items);
            self.token = Some(next).filter(|next| !next.is_empty());
        }
        Ok(self.items.front())
    }

    /// The next item.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, Status> {
        self.peek().await?;
        Ok(self.items.pop_front())
    }

    /// The next item, when it fits.
    pub(crate) async fn next_if(
        &mut self,
        fits: impl Fn(&T) -> bool + Send,
    ) -> Result<Option<T>, Status> {
        let found = self.peek().await?.is_some_and(fits);
        Ok(if found { self.items.pop_front() } else { None })
    }
}
