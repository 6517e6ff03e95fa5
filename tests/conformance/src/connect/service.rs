//! `connectrpc.conformance.v1.ConformanceService`, as its contract describes it.

use mesh::{Request, Response, Status, async_trait};
use prost_types::Any;
use tonic::Streaming;
use tonic::metadata::MetadataMap;

use super::definition::{any, failure, metadata, request_info, wait};
use super::streams;
use crate::contracts::conformance::conformance_service_server::ConformanceService;
use crate::contracts::conformance::unary_response_definition::Response as Wanted;
use crate::contracts::conformance::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, ClientStreamResponse,
    ConformancePayload, IdempotentUnaryRequest, IdempotentUnaryResponse, ServerStreamRequest,
    ServerStreamResponse, StreamResponseDefinition, UnaryRequest, UnaryResponse,
    UnaryResponseDefinition, UnimplementedRequest, UnimplementedResponse,
};
use crate::streaming::Answers;
use crate::trailing::Trailing;

/// The service; it keeps nothing between calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conformance;

#[async_trait]
impl ConformanceService for Conformance {
    async fn unary(
        &self,
        request: Request<UnaryRequest>,
    ) -> Result<Response<UnaryResponse>, Status> {
        let (seen, _, asked) = request.into_parts();
        let told = vec![any(&asked)];
        answer(asked.response_definition, &seen, told, |payload| UnaryResponse { payload }).await
    }

    type ServerStreamStream = Answers<ServerStreamResponse>;

    async fn server_stream(
        &self,
        request: Request<ServerStreamRequest>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        let (seen, _, asked) = request.into_parts();
        let info = request_info(&seen, vec![any(&asked)]);
        streams::answers(asked.response_definition.unwrap_or_default(), info, |payload| {
            ServerStreamResponse { payload }
        })
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<ClientStreamRequest>>,
    ) -> Result<Response<ClientStreamResponse>, Status> {
        let (seen, _, mut asked) = request.into_parts();
        let (mut definition, mut told) = (None, Vec::new());
        while let Some(message) = asked.message().await? {
            told.push(any(&message));
            if told.len() == 1 {
                definition = message.response_definition;
            }
        }
        answer(definition, &seen, told, |payload| ClientStreamResponse { payload }).await
    }

    type BidiStreamStream = Answers<BidiStreamResponse>;

    async fn bidi_stream(
        &self,
        request: Request<Streaming<BidiStreamRequest>>,
    ) -> Result<Response<Self::BidiStreamStream>, Status> {
        let (seen, _, mut asked) = request.into_parts();
        let wrap = |payload| BidiStreamResponse { payload };
        let Some(first) = asked.message().await? else {
            let info = request_info(&seen, Vec::new());
            return streams::answers(StreamResponseDefinition::default(), info, wrap);
        };
        let mut told = vec![any(&first)];
        let definition = first.response_definition.unwrap_or_default();
        if first.full_duplex {
            return streams::turns(definition, request_info(&seen, told), asked);
        }
        while let Some(message) = asked.message().await? {
            told.push(any(&message));
        }
        streams::answers(definition, request_info(&seen, told), wrap)
    }

    async fn unimplemented(
        &self,
        _: Request<UnimplementedRequest>,
    ) -> Result<Response<UnimplementedResponse>, Status> {
        Err(Status::unimplemented("this RPC is there to be absent"))
    }

    async fn idempotent_unary(
        &self,
        request: Request<IdempotentUnaryRequest>,
    ) -> Result<Response<IdempotentUnaryResponse>, Status> {
        let (seen, _, asked) = request.into_parts();
        let told = vec![any(&asked)];
        let wrap = |payload| IdempotentUnaryResponse { payload };
        answer(asked.response_definition, &seen, told, wrap).await
    }
}

/// The one answer that a definition asks for.
async fn answer<T>(
    definition: Option<UnaryResponseDefinition>,
    seen: &MetadataMap,
    requests: Vec<Any>,
    wrap: impl FnOnce(Option<ConformancePayload>) -> T,
) -> Result<Response<T>, Status> {
    let info = request_info(seen, requests);
    let definition = definition.unwrap_or_default();
    let mut headers = metadata(&definition.response_headers)?;
    let trailers = metadata(&definition.response_trailers)?;
    wait(definition.response_delay_ms).await;
    let data = match definition.response {
        Some(Wanted::Error(error)) => {
            // A call that fails before its message has one block of metadata.
            headers.extend(trailers);
            return Err(failure(error, Some(&info), headers));
        }
        Some(Wanted::ResponseData(data)) => data,
        None => Vec::new(),
    };
    let payload = ConformancePayload { data, request_info: Some(info) };
    let mut response = Response::new(wrap(Some(payload)));
    *response.metadata_mut() = MetadataMap::from_headers(headers);
    response.extensions_mut().insert(Trailing(trailers));
    Ok(response)
}
