//! Answers of the suite that go on.

use http::HeaderMap;
use mesh::{Code, Response, Status};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::metadata::MetadataMap;

use super::definition::{any, failure, metadata, wait};
use crate::contracts::conformance::conformance_payload::RequestInfo;
use crate::contracts::conformance::{
    BidiStreamRequest, BidiStreamResponse, ConformancePayload, Error, StreamResponseDefinition,
};
use crate::streaming::{Answers, sent};

/// What is still to be sent.
struct Script {
    data: std::vec::IntoIter<Vec<u8>>,
    delay_ms: u32,
    error: Option<Error>,
    trailers: HeaderMap,
    /// What was seen of the request, until it has been told.
    info: Option<RequestInfo>,
}

impl Script {
    /// The next answer, after its time.
    async fn next(&mut self) -> Option<ConformancePayload> {
        let data = self.data.next()?;
        wait(self.delay_ms).await;
        Some(ConformancePayload { data, request_info: self.info.take() })
    }

    /// How the stream ends. One that ends well has its trailers in a status too.
    fn end(self) -> Status {
        match self.error {
            Some(error) => failure(error, self.info.as_ref(), self.trailers),
            None => Status::with_metadata(Code::Ok, "", MetadataMap::from_headers(self.trailers)),
        }
    }
}

fn script(
    definition: StreamResponseDefinition,
    info: RequestInfo,
) -> Result<(Script, MetadataMap), Status> {
    let headers = metadata(&definition.response_headers)?;
    let script = Script {
        data: definition.response_data.into_iter(),
        delay_ms: definition.response_delay_ms,
        error: definition.error,
        trailers: metadata(&definition.response_trailers)?,
        info: Some(info),
    };
    Ok((script, MetadataMap::from_headers(headers)))
}

/// All answers, one after the other.
pub(super) fn answers<T: Send + 'static>(
    definition: StreamResponseDefinition,
    info: RequestInfo,
    wrap: fn(Option<ConformancePayload>) -> T,
) -> Result<Response<Answers<T>>, Status> {
    let (mut script, headers) = script(definition, info)?;
    Ok(sending(headers, |answer| async move {
        while let Some(payload) = script.next().await {
            if answer.send(Ok(wrap(Some(payload)))).await.is_err() {
                return Ok(());
            }
        }
        Err(script.end())
    }))
}

/// An answer for each message, the first for one that has come already.
pub(super) fn turns(
    definition: StreamResponseDefinition,
    info: RequestInfo,
    mut asked: Streaming<BidiStreamRequest>,
) -> Result<Response<Answers<BidiStreamResponse>>, Status> {
    let (mut script, headers) = script(definition, info)?;
    Ok(sending(headers, |answer| async move {
        while let Some(payload) = script.next().await {
            if answer.send(Ok(BidiStreamResponse { payload: Some(payload) })).await.is_err() {
                return Ok(());
            }
            // When nothing more is asked, what is still to be said is said.
            if let Some(message) = asked.message().await? {
                let requests = vec![any(&message)];
                script.info = Some(RequestInfo { requests, ..RequestInfo::default() });
            }
        }
        Err(script.end())
    }))
}

/// A stream of what some work sends, and of how it ends.
fn sending<T, W, F>(headers: MetadataMap, work: W) -> Response<Answers<T>>
where
    T: Send + 'static,
    W: FnOnce(mpsc::Sender<Result<T, Status>>) -> F,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let mut response = Response::new(sent(work));
    *response.metadata_mut() = headers;
    response
}
