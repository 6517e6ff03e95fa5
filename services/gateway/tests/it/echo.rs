//! A service without generated code: it answers what it is asked, byte for byte.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mesh::{Channel, Code, Detail, Status};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tonic::body::Body;
use tower::service_fn;

use crate::support::framed;

/// A channel to the service. It tells the metadata that it saw in headers that begin with `seen-`.
pub(crate) fn channel(pool: DescriptorPool) -> Channel {
    Channel::new(service_fn(move |request: Request<Body>| {
        let pool = pool.clone();
        async move { Ok::<_, Status>(answer(&pool, request).await) }
    }))
}

async fn answer(pool: &DescriptorPool, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let framed = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(status) => return status.into_http(),
    };
    let rpc = parts.uri.path().rsplit('/').next().unwrap();
    let input = match rpc {
        "Follow" | "Pour" => "test.v1.Things",
        "Fail" => "test.v1.Failure",
        "Mirror" => "test.v1.Everything",
        "Upload" => "test.v1.UploadRequest",
        _ => "test.v1.Thing",
    };
    let input = pool.get_message_by_name(input).unwrap();
    let message = framed.get(5..).and_then(|message| DynamicMessage::decode(input, message).ok());
    let Some(message) = message else { return Status::invalid_argument("").into_http() };
    let raw = pool.get_message_by_name("google.api.HttpBody").unwrap();
    let mut response = match rpc {
        "Follow" => follow(&message, DynamicMessage::encode_to_vec),
        "Pour" => follow(&message, move |thing| http_body(&raw, thing)),
        "Fail" => return fail(&message),
        "Download" => whole(&http_body(&raw, &message)),
        _ => frames(vec![framed.clone()], Some(0)),
    };
    let seen = response.headers_mut();
    for (name, value) in &parts.headers {
        seen.append(HeaderName::try_from(format!("seen-{name}")).unwrap(), value.clone());
    }
    if let Some(peer) = parts.extensions.get::<SocketAddr>() {
        seen.insert("seen-peer", HeaderValue::try_from(peer.to_string()).unwrap());
    }
    seen.insert("grpc-secret", HeaderValue::from_static("not for REST"));
    response
}

fn whole(message: &[u8]) -> Response<Body> {
    frames(vec![framed(0, message).into()], Some(0))
}

/// The messages, then the trailers with a code; without one, the stream stays open.
fn frames(messages: Vec<Bytes>, code: Option<i32>) -> Response<Body> {
    let data = stream::iter(messages).map(|bytes| Ok::<_, Status>(Frame::data(bytes)));
    let end = match code {
        Some(code) => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(code));
            trailers.insert("after", HeaderValue::from_static("all"));
            stream::iter([Ok(Frame::trailers(trailers))]).boxed()
        }
        None => stream::pending().boxed(),
    };
    let mut response = Response::new(Body::new(StreamBody::new(data.chain(end))));
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}

fn follow(things: &DynamicMessage, encode: impl Fn(&DynamicMessage) -> Vec<u8>) -> Response<Body> {
    let list = things.get_field_by_name("things").unwrap();
    let messages = list.as_list().unwrap().iter();
    let messages = messages.map(|it| framed(0, &encode(it.as_message().unwrap())).into()).collect();
    let waits = things.get_field_by_name("waits").unwrap().as_bool().unwrap();
    let code = things.get_field_by_name("code").unwrap().as_i32().unwrap();
    frames(messages, (!waits).then_some(code))
}

fn http_body(raw: &prost_reflect::MessageDescriptor, thing: &DynamicMessage) -> Vec<u8> {
    let name = thing.get_field_by_name("name").unwrap().as_str().unwrap().to_owned();
    let mut body = DynamicMessage::new(raw.clone());
    body.set_field_by_name("content_type", prost_reflect::Value::String("text/csv".into()));
    body.set_field_by_name("data", prost_reflect::Value::Bytes(name.into()));
    body.encode_to_vec()
}

fn fail(told: &DynamicMessage) -> Response<Body> {
    let text = |name: &str| told.get_field_by_name(name).unwrap().as_str().unwrap().to_owned();
    let number = |name: &str| told.get_field_by_name(name).unwrap().as_i32().unwrap();
    let code = Code::from_i32(number("code"));
    if told.get_field_by_name("plain").unwrap().as_bool().unwrap() {
        return Status::new(code, text("message")).into_http();
    }
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let millis = u64::try_from(number("retry_ms")).unwrap();
    let detail = Detail {
        metadata: vec![("key".into(), "value".into())],
        fields: given("field").map(|field| (field, "is wrong".into())).into_iter().collect(),
        retry_after: (millis > 0).then(|| std::time::Duration::from_millis(millis)),
        preconditions: given("precondition")
            .map(|subject| ("STOCK".into(), subject, "is gone".into()))
            .into_iter()
            .collect(),
    };
    let mut status =
        mesh::refuse(code, "test.tradewind", &text("reason"), &text("message"), detail);
    status.metadata_mut().insert("trace-id", "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap());
    status.into_http()
}
