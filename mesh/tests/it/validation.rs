//! No handler holds a request that breaks a rule of its contract.

use mesh::Code;
use mesh_testing::parrot::v1::Errand;
use tonic_types::StatusExt;

use crate::asking::{ACT, reason, send};
use crate::shape::Shape;

fn wordy() -> Errand {
    let words = ["yes", "far too long", "no", "longer still"];
    Errand { words: words.map(str::to_owned).to_vec(), ..Errand::default() }
}

#[tokio::test(start_paused = true)]
async fn every_field_at_fault_is_named_and_no_handler_sees_the_request() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let status = world.outside().act(wordy()).await.unwrap_err();

        assert_eq!(status.code(), Code::InvalidArgument, "{shape:?}");
        assert_eq!(reason(&status), "INVALID_REQUEST", "{shape:?}");
        let violations = status.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["words[1]", "words[3]"], "{shape:?}");
        assert!(violations.iter().all(|it| !it.description.is_empty()), "{shape:?}");
        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_message_in_a_stream_is_refused_as_one_alone_is() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let errands = futures_util::stream::iter([Errand::default(), wordy()]);

        let status = world.outside().gather(errands).await.unwrap_err();

        assert_eq!(status.code(), Code::InvalidArgument, "{shape:?}");
        assert_eq!(reason(&status), "INVALID_REQUEST", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let garbage = [0, 0, 0, 0, 3, 0xff, 0xff, 0xff];

        let told = send(world.stranger().await, ACT, &[], garbage.to_vec()).await;

        assert_eq!(told.status().code(), Code::InvalidArgument, "{shape:?}");
        assert_eq!(reason(&told.status()), "MALFORMED_MESSAGE", "{shape:?}");
        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}
