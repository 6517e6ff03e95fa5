//! From registration to logout.

use harness::Engine;
use mesh::Code;
use tonic_types::StatusExt;
use tradewind::users::v1::{
    GetMeRequest, ListUsersRequest, LogOutRequest, StartGuestSessionRequest,
};

use crate::desk::{
    ADMIN, PASSWORD, bearing, log_in, me, of, open, refresh, refusal, refused, register,
    registration, start,
};

#[tokio::test]
async fn an_account_is_registered_logged_in_to_refreshed_and_logged_out_of() {
    for engine in Engine::ALL {
        let h = start(engine).await;

        let registered = register(&h, "ada@example.com").await;
        let user = me(&h.mesh, &registered.access_token).await.unwrap();
        assert_eq!(
            (user.id.as_str(), user.email.as_str()),
            (&*registered.subject, "ada@example.com")
        );
        assert_eq!(user.roles, ["customer"]);

        let tokens = log_in(&h, " Ada@Example.com ", PASSWORD).await.unwrap();
        let next = refresh(&h, &tokens.refresh_token).await.unwrap();
        assert_eq!(me(&h.mesh, &next.access_token).await.unwrap().id, user.id);

        let leave = bearing(LogOutRequest { everywhere: false }, &next.access_token);
        open(&h.mesh).log_out(leave).await.unwrap();
        for token in [&tokens.access_token, &next.access_token] {
            let refusal = refusal(me(&h.mesh, token).await);
            assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"), "{engine:?}");
        }
        let refusal = refusal(refresh(&h, &next.refresh_token).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN"));
        me(&h.mesh, &registered.access_token).await.unwrap();
    }
}

#[tokio::test]
async fn an_ended_session_is_told_to_processes_that_did_not_end_it() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let tokens = register(&h, "ada@example.com").await;
        let leave = bearing(LogOutRequest { everywhere: false }, &tokens.access_token);
        open(&h.mesh).log_out(leave).await.unwrap();

        // What was said at once is replaced by what users answer.
        h.mesh.trust().refresh().await.unwrap();

        let refusal = refusal(me(&h.mesh, &tokens.access_token).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"), "{engine:?}");
    }
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let here = register(&h, "ada@example.com").await;
        let there = log_in(&h, "ada@example.com", PASSWORD).await.unwrap();

        let leave = bearing(LogOutRequest { everywhere: true }, &here.access_token);
        open(&h.mesh).log_out(leave).await.unwrap();

        for tokens in [here, there] {
            assert_eq!(
                refusal(me(&h.mesh, &tokens.access_token).await),
                refused(Code::Unauthenticated, "INVALID_TOKEN")
            );
            assert_eq!(
                refusal(refresh(&h, &tokens.refresh_token).await),
                refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN")
            );
        }
    }
}

#[tokio::test]
async fn a_guest_has_a_session_without_an_account() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let mut nobody = of(&h, &h.nobody());

        let guest = nobody.start_guest_session(StartGuestSessionRequest {}).await.unwrap();
        let guest = guest.into_inner();
        assert!(guest.subject.starts_with("gst_"), "{}", guest.subject);
        assert_eq!(
            refusal(me(&h.mesh, &guest.access_token).await),
            refused(Code::NotFound, "NO_ACCOUNT")
        );
        let next = refresh(&h, &guest.refresh_token).await.unwrap();
        assert_eq!(next.subject, guest.subject);

        let leave = bearing(LogOutRequest { everywhere: false }, &next.access_token);
        open(&h.mesh).log_out(leave).await.unwrap();
        let refusal = refusal(me(&h.mesh, &next.access_token).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"), "{engine:?}");
    }
}

#[tokio::test]
async fn a_taken_address_is_refused_with_its_field_however_it_is_written() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;

        let again = of(&h, &h.nobody()).register(registration("ADA@example.com")).await;

        let status = again.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "email");
        assert_eq!(
            refusal::<()>(Err(status)),
            refused(Code::AlreadyExists, "EMAIL_TAKEN"),
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn only_who_may_reads_the_accounts_of_others() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let customer = register(&h, "ada@example.com").await;
        let admin = log_in(&h, ADMIN, PASSWORD).await.unwrap();
        let request = || ListUsersRequest {
            filter: "email = \"ada@example.com\"".into(),
            ..ListUsersRequest::default()
        };

        let list = open(&h.mesh).list_users(bearing(request(), &admin.access_token)).await;
        let denied = open(&h.mesh).list_users(bearing(request(), &customer.access_token)).await;

        let users = list.unwrap().into_inner().users;
        assert_eq!(users.iter().map(|user| &user.id).collect::<Vec<_>>(), [&customer.subject]);
        assert_eq!(refusal(denied), refused(Code::PermissionDenied, "PERMISSION_DENIED"));
        let nobody = of(&h, &h.nobody()).get_me(GetMeRequest {}).await;
        assert_eq!(refusal(nobody), refused(Code::Unauthenticated, "UNAUTHENTICATED"));
    }
}
