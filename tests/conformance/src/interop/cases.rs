//! The cases of gRPC's interoperability tests, each as its description has it.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use mesh::{Channel, Code, Request, Status};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{BinaryMetadataValue, MetadataMap};

use super::{INITIAL, TRAILING};
use crate::contracts::testing::test_service_client::TestServiceClient;
use crate::contracts::testing::unimplemented_service_client::UnimplementedServiceClient;
use crate::contracts::testing::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingOutputCallRequest,
};

/// One case of the suite.
pub(super) struct Case {
    /// Its published name.
    pub(super) name: &'static str,
    /// What it does over a channel.
    pub(super) run: fn(Channel) -> BoxFuture<'static, Result<()>>,
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        [$(Case { name: stringify!($name), run: |channel| $name(channel).boxed() }),*]
    };
}

/// Every case that needs no credentials of a cloud.
pub(super) const CASES: [Case; 14] = cases![
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    timeout_on_sleeping_server,
    cancel_after_begin,
    cancel_after_first_response,
    status_code_and_message,
    special_status_message,
    custom_metadata,
    unimplemented_method,
    unimplemented_service,
];

const REQUESTS: [usize; 4] = [27182, 8, 1828, 45904];
const RESPONSES: [i32; 4] = [31415, 9, 2653, 58979];

fn client(channel: Channel) -> TestServiceClient<Channel> {
    TestServiceClient::new(channel)
}

fn payload(size: usize) -> Payload {
    Payload { body: vec![0; size], ..Payload::default() }
}

fn sized(sizes: &[i32]) -> Vec<ResponseParameters> {
    sizes.iter().map(|size| ResponseParameters { size: *size, ..Default::default() }).collect()
}

fn length(payload: Option<Payload>) -> i32 {
    payload.map_or(-1, |payload| i32::try_from(payload.body.len()).unwrap_or(i32::MAX))
}

/// Fails unless a call ended with this code.
fn ended<T>(outcome: Result<T, Status>, code: Code) -> Result<Status> {
    match outcome {
        Ok(_) => Err(anyhow::anyhow!("it ended well, not as {code:?}")),
        Err(status) => {
            ensure!(status.code() == code, "it ended as {status:?}, not as {code:?}");
            Ok(status)
        }
    }
}

async fn empty_unary(channel: Channel) -> Result<()> {
    client(channel).empty_call(Empty {}).await?;
    Ok(())
}

async fn large_unary(channel: Channel) -> Result<()> {
    let asked = SimpleRequest {
        response_size: 314_159,
        payload: Some(payload(271_828)),
        ..SimpleRequest::default()
    };
    let SimpleResponse { payload, .. } = client(channel).unary_call(asked).await?.into_inner();
    let got = length(payload);
    ensure!(got == 314_159, "the answer has {got} bytes");
    Ok(())
}

async fn client_streaming(channel: Channel) -> Result<()> {
    let inputs = REQUESTS.map(|size| StreamingInputCallRequest {
        payload: Some(payload(size)),
        ..Default::default()
    });
    let answer = client(channel).streaming_input_call(stream::iter(inputs)).await?.into_inner();
    let sum = answer.aggregated_payload_size;
    ensure!(sum == 74_922, "{sum} bytes have arrived");
    Ok(())
}

async fn server_streaming(channel: Channel) -> Result<()> {
    let asked = StreamingOutputCallRequest {
        response_parameters: sized(&RESPONSES),
        ..StreamingOutputCallRequest::default()
    };
    let mut outputs = client(channel).streaming_output_call(asked).await?.into_inner();
    let mut got = Vec::new();
    while let Some(output) = outputs.message().await? {
        got.push(length(output.payload));
    }
    ensure!(got == RESPONSES, "the answers have {got:?} bytes");
    Ok(())
}

async fn ping_pong(channel: Channel) -> Result<()> {
    let (input, inputs) = mpsc::channel(1);
    let mut client = client(channel);
    let call = client.full_duplex_call(ReceiverStream::new(inputs));
    let first = ask(&input, REQUESTS[0], RESPONSES[0]);
    // A server may wait for the first message before it begins to answer.
    let (call, first) = tokio::join!(call, first);
    first?;
    let mut outputs = call?.into_inner();
    for (turn, size) in RESPONSES.into_iter().enumerate() {
        if turn > 0 {
            ask(&input, REQUESTS[turn], size).await?;
        }
        let output = outputs.message().await?;
        let got = length(output.and_then(|output| output.payload));
        ensure!(got == size, "answer {turn} has {got} bytes");
    }
    drop(input);
    ensure!(outputs.message().await?.is_none(), "the stream goes on");
    Ok(())
}

async fn ask(
    input: &mpsc::Sender<StreamingOutputCallRequest>,
    request: usize,
    response: i32,
) -> Result<()> {
    let asked = StreamingOutputCallRequest {
        response_parameters: sized(&[response]),
        payload: Some(payload(request)),
        ..StreamingOutputCallRequest::default()
    };
    Ok(input.send(asked).await?)
}

async fn empty_stream(channel: Channel) -> Result<()> {
    let mut outputs = client(channel).full_duplex_call(stream::empty()).await?.into_inner();
    ensure!(outputs.message().await?.is_none(), "the stream has a message");
    Ok(())
}

async fn timeout_on_sleeping_server(channel: Channel) -> Result<()> {
    let (input, inputs) = mpsc::channel(1);
    let asked = StreamingOutputCallRequest {
        payload: Some(payload(27182)),
        ..StreamingOutputCallRequest::default()
    };
    input.send(asked).await?;
    let mut request = Request::new(ReceiverStream::new(inputs));
    request.set_timeout(Duration::from_millis(1));
    let outcome = match client(channel).full_duplex_call(request).await {
        Ok(answer) => answer.into_inner().message().await,
        Err(status) => Err(status),
    };
    ended(outcome, Code::DeadlineExceeded)?;
    Ok(())
}

/// Here a call is cancelled by dropping it. What can be seen of that from here is that the channel goes on.
async fn cancel_after_begin(channel: Channel) -> Result<()> {
    let mut cancelled = client(channel.clone());
    let mut request = Request::new(stream::pending());
    mark(request.metadata_mut())?;
    let call = cancelled.streaming_input_call(request);
    ensure!(
        tokio::time::timeout(Duration::from_millis(50), call).await.is_err(),
        "the call has ended before it was cancelled"
    );
    empty_unary(channel).await
}

async fn cancel_after_first_response(channel: Channel) -> Result<()> {
    let (input, inputs) = mpsc::channel(1);
    let mut cancelled = client(channel.clone());
    ask(&input, REQUESTS[0], RESPONSES[0]).await?;
    let answer = cancelled.full_duplex_call(ReceiverStream::new(inputs)).await?;
    let mut outputs = answer.into_inner();
    ensure!(outputs.message().await?.is_some(), "there is no first answer");
    drop(outputs);
    // The call has let go of what it reads from.
    tokio::time::timeout(Duration::from_secs(5), input.closed()).await?;
    empty_unary(channel).await
}

async fn status_code_and_message(channel: Channel) -> Result<()> {
    const TEXT: &str = "test status message";
    let status = EchoStatus { code: Code::Unknown.into(), message: TEXT.to_owned() };
    let asked = SimpleRequest { response_status: Some(status.clone()), ..SimpleRequest::default() };
    let unary = ended(client(channel.clone()).unary_call(asked).await, Code::Unknown)?;
    ensure!(unary.message() == TEXT, "a unary call said `{}`", unary.message());

    let asked = StreamingOutputCallRequest { response_status: Some(status), ..Default::default() };
    let outcome = match client(channel).full_duplex_call(stream::iter([asked])).await {
        Ok(answer) => answer.into_inner().message().await,
        Err(status) => Err(status),
    };
    let streamed = ended(outcome, Code::Unknown)?;
    ensure!(streamed.message() == TEXT, "a stream said `{}`", streamed.message());
    Ok(())
}

async fn special_status_message(channel: Channel) -> Result<()> {
    const TEXT: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    let status = EchoStatus { code: Code::Unknown.into(), message: TEXT.to_owned() };
    let asked = SimpleRequest { response_status: Some(status), ..SimpleRequest::default() };
    let status = ended(client(channel).unary_call(asked).await, Code::Unknown)?;
    ensure!(status.message() == TEXT, "it said {:?}", status.message());
    Ok(())
}

/// The value that comes back before the messages, and the one that comes back after them.
const BEFORE: &str = "test_initial_metadata_value";
const AFTER: [u8; 3] = [0xab; 3];

fn mark(metadata: &mut MetadataMap) -> Result<()> {
    metadata.insert(INITIAL, BEFORE.parse()?);
    metadata.insert_bin(TRAILING, BinaryMetadataValue::from_bytes(&AFTER));
    Ok(())
}

fn check_before(metadata: &MetadataMap) -> Result<()> {
    let got = metadata.get(INITIAL).and_then(|value| value.to_str().ok());
    ensure!(got == Some(BEFORE), "the metadata before the messages is {got:?}");
    Ok(())
}

fn check_after(metadata: &MetadataMap) -> Result<()> {
    let got = metadata.get_bin(TRAILING).and_then(|value| value.to_bytes().ok());
    ensure!(got.as_deref() == Some(&AFTER[..]), "the metadata after the messages is {got:?}");
    Ok(())
}

async fn custom_metadata(channel: Channel) -> Result<()> {
    let asked =
        SimpleRequest { response_size: 1, payload: Some(payload(1)), ..SimpleRequest::default() };
    let mut request = Request::new(asked);
    mark(request.metadata_mut())?;
    // Of a unary call, the generated client gives both as one.
    let answer = client(channel.clone()).unary_call(request).await?;
    check_before(answer.metadata())?;
    check_after(answer.metadata())?;

    let asked = StreamingOutputCallRequest {
        response_parameters: sized(&[1]),
        payload: Some(payload(1)),
        ..StreamingOutputCallRequest::default()
    };
    let mut request = Request::new(stream::iter([asked]));
    mark(request.metadata_mut())?;
    let answer = client(channel).full_duplex_call(request).await?;
    check_before(answer.metadata())?;
    let mut outputs = answer.into_inner();
    while outputs.message().await?.is_some() {}
    check_after(&outputs.trailers().await?.unwrap_or_default())
}

async fn unimplemented_method(channel: Channel) -> Result<()> {
    ended(client(channel).unimplemented_call(Empty {}).await, Code::Unimplemented)?;
    Ok(())
}

async fn unimplemented_service(channel: Channel) -> Result<()> {
    let mut client = UnimplementedServiceClient::new(channel);
    ended(client.unimplemented_call(Empty {}).await, Code::Unimplemented)?;
    Ok(())
}
