//! The tables fit their resources.

use harness::Engine;
use tradewind::users::v1::{Project, Session, User};

use crate::desk::start;

#[tokio::test]
async fn every_resource_has_its_columns() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let store = h.store(users::NAME);

        store.check::<User>().await.unwrap();
        store.check::<Session>().await.unwrap();
        store.check::<Project>().await.unwrap();
    }
}
