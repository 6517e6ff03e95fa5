//! Where this process asks which tokens are good: the service that signs them, near or far.

use std::sync::Arc;

use mesh::trust::{Snapshot, TrustSource};
use mesh::{Caller, Context, Mesh, Peer, Status, async_trait};
use tradewind::users::v1::GetTrustRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

struct Users {
    users: Peer,
    process: &'static str,
}

/// Has a mesh ask its users service.
pub(crate) fn ask_users(mesh: &Mesh) {
    mesh.trust().ask(Arc::new(Users {
        users: mesh.peer(mesh.process(), users::NAME),
        process: mesh.process(),
    }));
}

#[async_trait]
impl TrustSource for Users {
    async fn fetch(&self) -> Result<Snapshot, Status> {
        let caller = Caller::service(self.process, mesh::caller::DEFAULT_PROJECT, None);
        let context = Context::new(caller, "trust", tracing::Span::none());
        let mut users = UsersServiceClient::new(self.users.of(&context));
        let trust = users.get_trust(GetTrustRequest {}).await?.into_inner();
        Ok(Snapshot {
            keys: trust.keys.into_iter().map(|key| (key.kid, key.x)).collect(),
            ended_sessions: trust.ended_session_ids,
        })
    }
}
