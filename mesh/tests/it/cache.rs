//! Kept answers: for whom they were made, until something changes.

use std::time::Duration;

use mesh::{Caller, Context};
use mesh_testing::parrot::v1::{Deed, Errand};
use tokio::time::advance;
use tracing::Span;

use crate::asking::{bearing, errand, metric, reason, saying, with};
use crate::shape::{Shape, World};

const HITS: &str = "mesh_response_cache_hits_total{grpc_method=\"parrot.v1.ParrotService/Recall\"}";

/// The number of the call that made an answer, asked for by whoever has a token.
async fn recall(world: &World, token: Option<&str>, text: &str) -> u32 {
    let request = match token {
        Some(token) => bearing(saying(text), token),
        None => with(saying(text), &[]),
    };
    world.outside().recall(request).await.unwrap().into_inner().calls
}

async fn recall_own(world: &World, token: &str) -> u32 {
    let request = bearing(saying(""), token);
    world.outside().recall_own(request).await.unwrap().into_inner().calls
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_answered_once() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let first = recall(&world, None, "one").await;
        let again = recall(&world, None, "one").await;
        let other = recall(&world, None, "two").await;

        assert_eq!((first, again, other), (1, 1, 2), "{shape:?}");
        assert_eq!(metric(&world.server, HITS), 1, "{shape:?}");
        let counted =
            |name| metric(&world.server, &format!("mesh_cache_{name}{{cache=\"responses\"}}"));
        assert_eq!((counted("hits_total"), counted("misses_total")), (1, 2), "{shape:?}");
        assert_eq!(counted("lookup_duration_seconds_count"), 3, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_its_time() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        recall(&world, None, "").await;

        advance(Duration::from_millis(59_000)).await;
        let within = recall(&world, None, "").await;
        advance(Duration::from_millis(1_001)).await;
        let after = recall(&world, None, "").await;

        assert_eq!((within, after), (1, 2), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_what_it_shows_ends_an_answer_and_other_changes_do_not() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        recall(&world, None, "").await;

        world.server.changes().note("parrot.v1.Report", "elsewhere");
        world.server.changes().note("parrot.v1.Errand", "default");
        let unchanged = recall(&world, None, "").await;
        world.server.changes().note("parrot.v1.Report", "default");
        let changed = recall(&world, None, "").await;

        assert_eq!((unchanged, changed), (1, 2), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_everyone_is_not_given_across_projects_nor_from_those_who_see_more() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let [one, other] = ["usr_1", "usr_2"].map(|id| world.signer.user(id, &[]));
        let teacher = world.signer.user("usr_3", &["teacher"]);

        let nobody = recall(&world, None, "").await;
        let privileged = recall(&world, Some(&teacher), "").await;
        let elsewhere = recall(&world, Some(&one), "").await;
        let everyone = recall(&world, Some(&other), "").await;
        let again = recall(&world, Some(&teacher), "").await;

        assert_eq!([nobody, privileged, elsewhere, everyone, again], [1, 2, 3, 3, 2], "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_its_owner_is_nobody_elses_and_not_of_another_role() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let [one, other] = ["usr_1", "usr_2"].map(|id| world.signer.user(id, &[]));
        let promoted = world.signer.user("usr_1", &["teacher"]);
        let service = Caller::service("caller", "harbour", Some("usr_1".into()));
        let mut service = world.of(&Context::new(service, "test", Span::none()));

        let first = recall_own(&world, &one).await;
        let theirs = recall_own(&world, &other).await;
        let as_teacher = recall_own(&world, &promoted).await;
        let on_behalf = service.recall_own(saying("")).await.unwrap().into_inner().calls;
        let again = recall_own(&world, &one).await;

        assert_eq!([first, theirs, as_teacher, on_behalf, again], [1, 2, 3, 4, 1], "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_kept() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        for _ in 0..2 {
            world.outside().recall(errand(Deed::Refuse)).await.unwrap_err();
        }

        assert_eq!(world.parrot.calls(), 2, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_asked_is_not_answered_from_memory() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let token = world.signer.user("usr_1", &[]);
        recall(&world, Some(&token), "").await;

        world.server.trust().end_session("ses_usr_1");
        let status = world.outside().recall(bearing(saying(""), &token)).await.unwrap_err();

        assert_eq!(reason(&status), "INVALID_TOKEN", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_the_contract_says_is_kept() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        for _ in 0..2 {
            world.outside().read(saying("")).await.unwrap();
            world.outside().act(saying("")).await.unwrap();
        }

        assert_eq!(world.parrot.calls(), 4, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_too_long_to_keep_is_answered_all_the_same() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let long = Errand { text: "x".repeat(100_000), ..Errand::default() };

        for expected in 1..=2 {
            let report = world.outside().recall(long.clone()).await.unwrap().into_inner();
            assert_eq!((report.calls, report.text.len()), (expected, 100_000), "{shape:?}");
        }
    }
}
