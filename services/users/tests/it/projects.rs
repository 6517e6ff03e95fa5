//! Projects: read by everyone, changed by who may.

use harness::{Engine, Harness};
use mesh::{Code, Status};
use tradewind::money::v1::Money;
use tradewind::users::v1::{GetProjectRequest, Project, UpdateProjectRequest};

use crate::desk::{in_project, of, open, refusal, refused, start};

async fn read(h: &Harness) -> Project {
    of(h, &h.nobody()).get_project(GetProjectRequest {}).await.unwrap().into_inner()
}

async fn update(h: &Harness, project: Project) -> Result<Project, Status> {
    let request = UpdateProjectRequest { project: Some(project) };
    Ok(of(h, &h.as_merchant()).update_project(request).await?.into_inner())
}

#[tokio::test]
async fn the_default_project_is_there_with_its_settings() {
    for engine in Engine::ALL {
        let h = start(engine).await;

        let project = read(&h).await;

        assert_eq!(project.id, "default", "{engine:?}");
        assert_eq!(project.shipping_rate, Some(Money::new(490, "EUR")));
        assert_eq!((project.tax_basis_points, project.tax_inclusive), (1900, true));
    }
}

#[tokio::test]
async fn a_project_that_is_not_there_is_not_found() {
    let h = start(Engine::Sqlite).await;

    let result = open(&h.mesh).get_project(in_project(GetProjectRequest {}, "nowhere")).await;

    assert_eq!(refusal(result), refused(Code::NotFound, "PROJECT_NOT_FOUND"));
}

#[tokio::test]
async fn a_merchant_changes_the_project_and_everyone_reads_it_at_once() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let was = read(&h).await;

        let named = Project { display_name: "Sheep & Sons".into(), ..was.clone() };
        let project = update(&h, named).await.unwrap();

        assert_ne!(project.etag, was.etag, "{engine:?}");
        assert_eq!(read(&h).await, project, "{engine:?}");
        let stale = update(&h, Project { display_name: "Late".into(), ..was }).await;
        assert_eq!(refusal(stale), refused(Code::Aborted, "STALE_ETAG"), "{engine:?}");
    }
}

#[tokio::test]
async fn shipping_in_another_currency_is_refused() {
    let h = start(Engine::Sqlite).await;
    let was = read(&h).await;

    let foreign = Project { shipping_rate: Some(Money::new(490, "USD")), ..was };

    let refusal = refusal(update(&h, foreign).await);
    assert_eq!(refusal, refused(Code::InvalidArgument, "INVALID_PROJECT"));
}
