//! Roles: who grants them, and what a change of them ends.

use harness::{Engine, Harness};
use mesh::{Code, Status};
use tradewind::users::v1::{SetUserRolesRequest, User};

use crate::desk::{
    ADMIN, PASSWORD, bearing, log_in, me, of, open, refresh, refusal, refused, register, start,
};

fn request(id: &str, roles: &[&str]) -> SetUserRolesRequest {
    let roles = roles.iter().map(|role| (*role).into()).collect();
    SetUserRolesRequest { id: id.into(), roles }
}

async fn set_roles(h: &Harness, by: &str, id: &str, roles: &[&str]) -> Result<User, Status> {
    Ok(open(&h.mesh).set_user_roles(bearing(request(id, roles), by)).await?.into_inner())
}

#[tokio::test]
async fn other_roles_end_the_sessions_of_the_user_and_hold_from_the_next_login() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let admin = log_in(&h, ADMIN, PASSWORD).await.unwrap().access_token;
        let tokens = register(&h, "ada@example.com").await;

        let user =
            set_roles(&h, &admin, &tokens.subject, &["support", "customer", "support"]).await;

        assert_eq!(user.unwrap().roles, ["customer", "support"], "{engine:?}");
        assert_eq!(
            refusal(me(&h.mesh, &tokens.access_token).await),
            refused(Code::Unauthenticated, "INVALID_TOKEN")
        );
        assert_eq!(
            refusal(refresh(&h, &tokens.refresh_token).await),
            refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN")
        );
        let again = log_in(&h, "ada@example.com", PASSWORD).await.unwrap().access_token;
        set_roles(&h, &admin, &tokens.subject, &["customer", "support"]).await.unwrap();
        me(&h.mesh, &again).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_grants_or_takes_a_role_above_their_own() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let admin = log_in(&h, ADMIN, PASSWORD).await.unwrap().access_token;
        let ada = register(&h, "ada@example.com").await;
        let eve = register(&h, "eve@example.com").await;
        set_roles(&h, &admin, &eve.subject, &["admin"]).await.unwrap();
        let admin = log_in(&h, "eve@example.com", PASSWORD).await.unwrap().access_token;
        let above = refused(Code::PermissionDenied, "ROLE_ABOVE_OWN");

        let granted = set_roles(&h, &admin, &ada.subject, &["superadmin"]).await;
        assert_eq!(refusal(granted), above, "{engine:?}");

        let service = h.as_service("node", None);
        let raised = of(&h, &service).set_user_roles(request(&ada.subject, &["superadmin"])).await;
        assert_eq!(raised.unwrap().into_inner().roles, ["superadmin"]);
        let taken = set_roles(&h, &admin, &ada.subject, &["customer"]).await;
        assert_eq!(refusal(taken), above, "{engine:?}");
    }
}

#[tokio::test]
async fn a_customer_grants_nothing() {
    let h = start(Engine::Sqlite).await;
    let ada = register(&h, "ada@example.com").await;

    let granted = set_roles(&h, &ada.access_token, &ada.subject, &["admin"]).await;

    assert_eq!(refusal(granted), refused(Code::PermissionDenied, "PERMISSION_DENIED"));
}
