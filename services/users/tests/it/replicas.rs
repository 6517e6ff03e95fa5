//! Several replicas over one database.

use futures_util::future::join_all;
use harness::{BEGINNING, Engine};
use mesh::caller::DEFAULT_PROJECT;
use mesh::{Caller, CancellationToken, Clock, Code, Context, Ids, Mesh};
use store::Store;
use store_testing::TestDatabase;
use tokio_util::task::TaskTracker;
use tradewind::users::v1::GetTrustRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::desk::{
    ADMIN, PASSWORD, config, login, me, open, refusal, refused, registration, trust,
};

/// One process of several.
struct Replica {
    mesh: Mesh,
    stop: CancellationToken,
}

impl Replica {
    async fn start(database: &TestDatabase, clock: &Clock) -> Self {
        let mesh = Mesh::new(mesh::Config {
            roles: tradewind::roles::roles(),
            clock: clock.clone(),
            ..mesh::Config::new("test", vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS])
        })
        .unwrap();
        let (database, changes) = (database.open(), mesh.changes().clone());
        let store = Store::open(store::Config {
            clock: clock.clone(),
            ids: Ids::new(clock.clone()),
            ..store::Config::new(users::NAME, database, users::MIGRATIONS, mesh.bus(), changes)
        })
        .await
        .unwrap();
        let stop = CancellationToken::new();
        let services = vec![users::service(config(), store, &mesh)];
        mesh.run(services, &stop, &TaskTracker::new()).unwrap();
        trust(&mesh, service());
        Self { mesh, stop }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn service() -> Context {
    let caller = Caller::service("test", DEFAULT_PROJECT, None);
    Context::new(caller, "test", tracing::Span::none())
}

#[tokio::test]
async fn replicas_that_start_at_once_make_one_administrator_and_one_key() {
    for engine in Engine::ALL {
        let (database, clock) = (store_testing::database(engine).await, Clock::at(BEGINNING));
        let starts = (0..3).map(|_| Replica::start(&database, &clock));
        let replicas = join_all(starts).await;

        let mut kids = Vec::new();
        for replica in &replicas {
            let mut users =
                UsersServiceClient::new(replica.mesh.peer("test", users::NAME).of(&service()));
            let trust = users.get_trust(GetTrustRequest {}).await.unwrap().into_inner();
            kids.extend(trust.keys.into_iter().map(|key| key.kid));
        }
        let tokens = open(&replicas[0].mesh).log_in(login(ADMIN, PASSWORD)).await.unwrap();

        kids.dedup();
        assert_eq!(kids.len(), 1, "{engine:?}");
        for replica in &replicas {
            let user = me(&replica.mesh, &tokens.get_ref().access_token).await.unwrap();
            assert_eq!(user.roles, ["admin", "merchant", "superadmin"], "{engine:?}");
        }
    }
}

#[tokio::test]
async fn failures_count_whichever_replica_they_meet() {
    for engine in Engine::ALL {
        let (database, clock) = (store_testing::database(engine).await, Clock::at(BEGINNING));
        let one = Replica::start(&database, &clock).await;
        let other = Replica::start(&database, &clock).await;
        open(&one.mesh).register(registration("ada@example.com")).await.unwrap();

        for replica in [&one, &other, &one, &other, &one] {
            let wrong = login("ada@example.com", "not the password");
            assert_eq!(
                refusal(open(&replica.mesh).log_in(wrong).await),
                refused(Code::Unauthenticated, "INVALID_CREDENTIALS")
            );
        }

        let refusal = refusal(open(&other.mesh).log_in(login("ada@example.com", PASSWORD)).await);
        assert_eq!(refusal, refused(Code::ResourceExhausted, "TOO_MANY_FAILURES"), "{engine:?}");
    }
}
