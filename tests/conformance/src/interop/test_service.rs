//! `grpc.testing.TestService`, as the description of the tests has it.

use std::time::Duration;

use mesh::{Code, Request, Response, Status, async_trait};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::metadata::{BinaryMetadataValue, MetadataMap};

use super::{INITIAL, TRAILING, load};
use crate::contracts::testing::test_service_server;
use crate::contracts::testing::{
    EchoStatus, Empty, Payload, PayloadType, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};
use crate::streaming::{Answers, sent};
use crate::trailing::Trailing;

type Outputs = Answers<StreamingOutputCallResponse>;
type Output = mpsc::Sender<Result<StreamingOutputCallResponse, Status>>;

/// The service; it keeps nothing between calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestService;

#[async_trait]
impl test_service_server::TestService for TestService {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let (initial, mut trailing) = echoed(request.metadata());
        let asked = request.into_inner();
        check(asked.response_status.as_ref(), &trailing)?;
        let mut response = Response::new(SimpleResponse {
            payload: Some(payload(asked.response_type(), asked.response_size)?),
            server_id: asked.fill_server_id.then(server_id).unwrap_or_default(),
            ..SimpleResponse::default()
        });
        if let Some(report) = &asked.orca_per_query_report {
            let report = BinaryMetadataValue::from_bytes(&load::report(report));
            trailing.insert_bin(load::HEADER, report);
        }
        *response.metadata_mut() = initial;
        response.extensions_mut().insert(Trailing(trailing.into_headers()));
        Ok(response)
    }

    async fn cacheable_unary_call(
        &self,
        request: Request<SimpleRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        self.unary_call(request).await
    }

    type StreamingOutputCallStream = Outputs;

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Outputs>, Status> {
        let asked = request.into_inner();
        Ok(Response::new(sent(|output| async move { send(&asked, &output).await })))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut inputs = request.into_inner();
        let mut sum = 0;
        while let Some(input) = inputs.message().await? {
            sum += input.payload.map_or(0, |payload| payload.body.len());
        }
        let sum = i32::try_from(sum).map_err(|_| Status::out_of_range("too much to count"))?;
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size: sum }))
    }

    type FullDuplexCallStream = Outputs;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Outputs>, Status> {
        let (initial, trailing) = echoed(request.metadata());
        let mut inputs = request.into_inner();
        let mut response = Response::new(sent(|output| async move {
            while let Some(asked) = inputs.message().await? {
                check(asked.response_status.as_ref(), &trailing)?;
                send(&asked, &output).await?;
            }
            // A stream that ends with this status ends well, with metadata after its messages.
            Err(Status::with_metadata(Code::Ok, "", trailing))
        }));
        *response.metadata_mut() = initial;
        Ok(response)
    }

    type HalfDuplexCallStream = Outputs;

    async fn half_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Outputs>, Status> {
        let mut inputs = request.into_inner();
        Ok(Response::new(sent(|output| async move {
            let mut asked = Vec::new();
            while let Some(input) = inputs.message().await? {
                asked.push(input);
            }
            for asked in asked {
                send(&asked, &output).await?;
            }
            Ok(())
        })))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("this RPC is there to be absent"))
    }
}

async fn send(asked: &StreamingOutputCallRequest, output: &Output) -> Result<(), Status> {
    for parameters in &asked.response_parameters {
        wait(parameters).await;
        let payload = Some(payload(asked.response_type(), parameters.size)?);
        let sent = output.send(Ok(StreamingOutputCallResponse { payload })).await;
        sent.map_err(|_| Status::cancelled("the caller has left"))?;
    }
    Ok(())
}

async fn wait(parameters: &ResponseParameters) {
    let micros = u64::try_from(parameters.interval_us).unwrap_or_default();
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

fn payload(kind: PayloadType, size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size)
        .map_err(|_| Status::invalid_argument("a payload has no negative size"))?;
    Ok(Payload { r#type: kind.into(), body: vec![0; size] })
}

/// One process is one server.
fn server_id() -> String {
    format!("process {}", std::process::id())
}

/// The failure that a request asks for.
fn check(asked: Option<&EchoStatus>, trailing: &MetadataMap) -> Result<(), Status> {
    match asked {
        Some(status) if status.code != 0 => Err(Status::with_metadata(
            Code::from(status.code),
            status.message.clone(),
            trailing.clone(),
        )),
        Some(_) | None => Ok(()),
    }
}

/// The metadata that is to be sent back: before the messages, and after them.
fn echoed(metadata: &MetadataMap) -> (MetadataMap, MetadataMap) {
    let (mut initial, mut trailing) = (MetadataMap::new(), MetadataMap::new());
    if let Some(value) = metadata.get(INITIAL) {
        initial.insert(INITIAL, value.clone());
    }
    if let Some(value) = metadata.get_bin(TRAILING) {
        trailing.insert_bin(TRAILING, value.clone());
    }
    (initial, trailing)
}
