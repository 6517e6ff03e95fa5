//! gRPC as it comes.

use bytes::Bytes;
use gateway::Gateway;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use tonic::Code;
use tradewind::catalog::v1::GetProductRequest;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;

use crate::coding::packed;
use crate::support::{Answer, asking, framed, open, parrot, send, shop, unframed};

fn native(path: &str) -> http::request::Builder {
    asking("POST", path).version(Version::HTTP_2).header("content-type", "application/grpc")
}

async fn call(gateway: &Gateway, path: &str) -> Answer {
    let body: Full<Bytes> = framed(0, &[0x0a, 1, b'a']).into();
    send(gateway, native(path).body(body).unwrap()).await
}

#[tokio::test]
async fn a_generated_client_sees_the_service_itself() {
    let mut catalog = CatalogServiceClient::new(Http2(shop()));

    let product = catalog.get_product(GetProductRequest { id: "prd_1".into() }).await.unwrap();
    let status = catalog.get_product(GetProductRequest { id: "nope".into() }).await.unwrap_err();

    assert_eq!(product.into_inner().title, "A shirt");
    assert_eq!((status.code(), status.message()), (Code::NotFound, "product nope does not exist"));
}

/// The gateway behind a connection of HTTP/2, as tonic's clients leave the version to theirs.
#[derive(Clone)]
struct Http2(Gateway);

impl tower::Service<Request<tonic::body::Body>> for Http2 {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = <Gateway as tower::Service<Request<tonic::body::Body>>>::Future;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<tonic::body::Body>) -> Self::Future {
        *request.version_mut() = Version::HTTP_2;
        self.0.call(request)
    }
}

#[tokio::test]
async fn bodies_trailers_and_metadata_pass_untouched() {
    let body: Full<Bytes> = framed(0, &[0x0a, 1, b'a']).into();
    let request = native("/test.v1.EchoService/Gather")
        .header("x-custom", "c")
        .header("grpc-timeout", "1S")
        .header("tradewind-on-behalf", "usr_1");

    let answer = send(&parrot(), request.body(body).unwrap()).await;

    assert_eq!(answer.body.as_ref(), framed(0, &[0x0a, 1, b'a']));
    assert_eq!(answer.trailers["grpc-status"], "0");
    assert_eq!(answer.header("seen-x-custom"), "c");
    assert_eq!(answer.header("seen-grpc-timeout"), "1S");
    assert_eq!(answer.header("seen-tradewind-on-behalf"), "");
}

#[tokio::test]
async fn messages_leave_while_the_stream_is_open() {
    // Things { things: [Thing { name: "a" }], waits: true }
    let body: Full<Bytes> = framed(0, &[0x0a, 3, 0x0a, 1, b'a', 0x18, 1]).into();

    let mut response =
        open(&parrot(), native("/test.v1.EchoService/Follow").body(body).unwrap()).await;

    let first = response.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.as_ref(), framed(0, &[0x0a, 1, b'a']));
}

#[tokio::test]
async fn hidden_rpcs_do_not_exist() {
    for path in
        ["/test.v1.EchoService/Hidden", "/test.v1.EchoService/Unsaid", "/other.v1.S/M", "/x"]
    {
        let answer = call(&parrot(), path).await;
        assert_eq!(answer.header("grpc-status"), "12", "{path}");
    }
}

#[tokio::test]
async fn health_and_reflection_pass_without_a_policy() {
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        assert_eq!(call(&parrot(), path).await.trailers["grpc-status"], "0", "{path}");
    }
    assert_eq!(call(&shop(), "/grpc.health.v1.Health/Check").await.header("grpc-status"), "12");
}

#[tokio::test]
async fn http_1_is_told_what_to_use_instead() {
    let request =
        asking("POST", "/test.v1.EchoService/Echo").header("content-type", "application/grpc");

    let answer = send(&parrot(), request.body("".into()).unwrap()).await;

    assert_eq!(answer.failure(), (426, "HTTP2_REQUIRED".into()));
}

#[tokio::test]
async fn packed_messages_are_unpacked_for_services() {
    let message = [0x0a, 1, b'a'];
    let call = |coding: &str| {
        let request = native("/test.v1.EchoService/Gather").header("grpc-encoding", coding);
        request.body(framed(1, &packed(&message)).into()).unwrap()
    };

    let gzip = send(&parrot(), call("gzip")).await;
    let other = send(&parrot(), call("br")).await;

    assert_eq!(unframed(&gzip.body), [(0, message.to_vec())]);
    assert_eq!(gzip.header("seen-grpc-encoding"), "");
    assert_eq!(other.header("grpc-status"), "12");
    assert_eq!(other.header("grpc-accept-encoding"), "gzip, identity");
}

#[tokio::test]
async fn another_codec_or_method_is_refused() {
    let path = "/test.v1.EchoService/Gather";
    let call = |method: &str, media_type: &str| {
        let request = asking(method, path).version(Version::HTTP_2);
        request.header("content-type", media_type).body(Full::default()).unwrap()
    };

    let json = send(&parrot(), call("POST", "application/grpc+json")).await;
    let get = send(&parrot(), call("GET", "application/grpc")).await;

    assert_eq!((json.status, get.status), (415, 405));
}
