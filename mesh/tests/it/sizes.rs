//! How long messages may be: 4 MiB, either way, of every RPC alike.

use mesh::{Code, Status};
use mesh_testing::parrot::v1::Errand;

use crate::asking::{reason, saying};
use crate::shape::Shape;

/// Just what a message may be, with room for the fields around it.
const ALMOST: usize = (4 << 20) - 100;
const TOO_MUCH: usize = (4 << 20) + 1;

fn padded(padding: usize) -> Errand {
    Errand { padding: u32::try_from(padding).unwrap(), reports: 1, ..Errand::default() }
}

fn is_too_large(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted && reason(status) == "MESSAGE_TOO_LARGE"
}

#[tokio::test(start_paused = true)]
async fn a_request_may_be_as_long_as_a_message_and_no_longer() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let (fits, more) = ("x".repeat(ALMOST / 2), "x".repeat(TOO_MUCH));
        let mut client = world.outside();

        client.act(saying(&fits)).await.unwrap();
        client.recall(saying(&fits)).await.unwrap();
        let calls = world.parrot.calls();
        let act = client.act(saying(&more)).await.unwrap_err();
        let recall = client.recall(saying(&more)).await.unwrap_err();
        let gather = client.gather(futures_util::stream::iter([saying(&more)])).await.unwrap_err();

        for status in [act, recall, gather] {
            assert!(is_too_large(&status), "{shape:?}: {status:?}");
        }
        // The stream's handler runs before its messages come.
        assert_eq!(world.parrot.calls(), calls + 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_as_long_as_a_message_and_no_longer() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut client = world.outside();

        let fits = client.act(padded(ALMOST)).await.unwrap();
        let act = client.act(padded(TOO_MUCH)).await.unwrap_err();
        let recall = client.recall(padded(TOO_MUCH)).await.unwrap_err();
        let chatter = client.chatter(padded(TOO_MUCH)).await.unwrap().into_inner().message().await;

        assert_eq!(fits.into_inner().padding.len(), ALMOST, "{shape:?}");
        for status in [act, recall, chatter.unwrap_err()] {
            assert!(is_too_large(&status), "{shape:?}: {status:?}");
        }
    }
}
