//! The projects of the mesh: made by who manages it, each with an administrator of its own.

use harness::{Engine, Harness};
use mesh::{Code, Status};
use tradewind::money::v1::Money;
use tradewind::users::v1::{
    ChangePasswordRequest, CreateProjectRequest, CreateProjectResponse, GetProjectRequest,
    ListProjectsRequest, ListUsersRequest, Project, Tokens,
};

use crate::desk::{
    ADMIN, PASSWORD, bearing, in_project, log_in, me, of, open, refusal, refused, register,
    registration, start,
};

const BAKER: &str = "baker@example.com";

fn bakery() -> CreateProjectRequest {
    CreateProjectRequest {
        project_id: "bakery".into(),
        project: Some(Project {
            display_name: "The Bakery".into(),
            currency_code: "CHF".into(),
            shipping_rate: Some(Money::new(700, "CHF")),
            ..Project::default()
        }),
        admin_email: BAKER.into(),
    }
}

async fn create(
    h: &Harness,
    token: &str,
    request: CreateProjectRequest,
) -> Result<CreateProjectResponse, Status> {
    Ok(open(&h.mesh).create_project(bearing(request, token)).await?.into_inner())
}

async fn superadmin(h: &Harness) -> String {
    log_in(h, ADMIN, PASSWORD).await.unwrap().access_token
}

/// The administrator of the bakery, with a password of their own.
async fn baker(h: &Harness, one_time: &str) -> Result<Tokens, Status> {
    let request = ChangePasswordRequest {
        email: BAKER.into(),
        current_password: one_time.into(),
        new_password: PASSWORD.into(),
    };
    Ok(open(&h.mesh).change_password(in_project(request, "bakery")).await?.into_inner())
}

#[tokio::test]
async fn a_new_project_has_an_administrator_and_customers_who_reach_nothing_of_another() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;

        let made = create(&h, &superadmin(&h).await, bakery()).await.unwrap();
        let baker = baker(&h, &made.one_time_password).await.unwrap();
        let ada = in_project(registration("ada@example.com"), "bakery");
        open(&h.mesh).register(ada).await.unwrap();

        assert_eq!(made.publishable_key, "tw_pub_bakery");
        let roles = me(&h.mesh, &baker.access_token).await.unwrap().roles;
        assert_eq!(roles, ["admin", "merchant"], "{engine:?}");
        let mut users = open(&h.mesh);
        let listed = bearing(ListUsersRequest::default(), &baker.access_token);
        let listed = users.list_users(listed).await.unwrap().into_inner().users;
        let mut emails: Vec<_> = listed.into_iter().map(|user| user.email).collect();
        emails.sort();
        assert_eq!(emails, ["ada@example.com", BAKER], "{engine:?}");
        let project = users.get_project(in_project(GetProjectRequest {}, "bakery")).await.unwrap();
        assert_eq!(project.get_ref().shipping_rate, Some(Money::new(700, "CHF")), "{engine:?}");
    }
}

#[tokio::test]
async fn the_administrator_of_a_project_makes_none() {
    let h = start(Engine::Sqlite).await;
    let made = create(&h, &superadmin(&h).await, bakery()).await.unwrap();
    let baker = baker(&h, &made.one_time_password).await.unwrap().access_token;
    let denied = refused(Code::PermissionDenied, "PERMISSION_DENIED");

    let another = CreateProjectRequest { project_id: "branch".into(), ..bakery() };
    let listed = open(&h.mesh).list_projects(bearing(ListProjectsRequest::default(), &baker)).await;

    assert_eq!(refusal(create(&h, &baker, another).await), denied);
    assert_eq!(refusal(listed), denied);
}

#[tokio::test]
async fn a_repeat_says_another_one_time_password_until_one_was_used() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let token = superadmin(&h).await;

        let first = create(&h, &token, bakery()).await.unwrap();
        let second = create(&h, &token, bakery()).await.unwrap();
        assert_eq!((&first.project, &first.admin), (&second.project, &second.admin), "{engine:?}");
        let replaced = baker(&h, &first.one_time_password).await;
        baker(&h, &second.one_time_password).await.unwrap();
        let used = create(&h, &token, bakery()).await;

        let wrong = refused(Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(refusal(replaced), wrong, "{engine:?}");
        let exists = refused(Code::AlreadyExists, "PROJECT_EXISTS");
        assert_eq!(refusal(used), exists, "{engine:?}");
    }
}

#[tokio::test]
async fn a_project_that_is_there_is_not_made_into_another() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let token = superadmin(&h).await;
        let made = create(&h, &token, bakery()).await.unwrap();
        let exists = refused(Code::AlreadyExists, "PROJECT_EXISTS");

        let settings = Project { display_name: "Another".into(), ..bakery().project.unwrap() };
        let named = CreateProjectRequest { project: Some(settings), ..bakery() };
        let owned = CreateProjectRequest { admin_email: "eve@example.com".into(), ..bakery() };
        let default = CreateProjectRequest { project_id: "default".into(), ..bakery() };

        for request in [named, owned, default] {
            assert_eq!(refusal(create(&h, &token, request).await), exists, "{engine:?}");
        }
        baker(&h, &made.one_time_password).await.unwrap();
    }
}

#[tokio::test]
async fn shipping_in_another_currency_makes_no_project() {
    let h = start(Engine::Sqlite).await;
    let token = superadmin(&h).await;

    let shipping_rate = Some(Money::new(1, "USD"));
    let foreign = Project { shipping_rate, ..bakery().project.unwrap() };
    let made = create(&h, &token, CreateProjectRequest { project: Some(foreign), ..bakery() });

    assert_eq!(refusal(made.await), refused(Code::InvalidArgument, "INVALID_PROJECT"));
    let gone = open(&h.mesh).get_project(in_project(GetProjectRequest {}, "bakery")).await;
    assert_eq!(refusal(gone), refused(Code::NotFound, "PROJECT_NOT_FOUND"));
}

#[tokio::test]
async fn the_projects_of_the_mesh_are_listed_page_by_page() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let token = superadmin(&h).await;
        for id in ["bakery", "abbey", "zoo"] {
            let request = CreateProjectRequest { project_id: id.into(), ..bakery() };
            create(&h, &token, request).await.unwrap();
        }

        let mut seen = Vec::new();
        let mut request = ListProjectsRequest { page_size: 3, ..ListProjectsRequest::default() };
        loop {
            let page = of(&h, &h.as_service("node", None)).list_projects(request).await.unwrap();
            let page = page.into_inner();
            seen.extend(page.projects.into_iter().map(|project| project.id));
            if page.next_page_token.is_empty() {
                break;
            }
            request = ListProjectsRequest { page_size: 3, page_token: page.next_page_token };
        }

        assert_eq!(seen, ["abbey", "bakery", "default", "zoo"], "{engine:?}");
    }
}
