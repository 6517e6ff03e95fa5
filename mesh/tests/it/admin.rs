//! The operators' port: what it tells, and that it does so whatever else the process does.

use std::io::{Read, Write};
use std::net::SocketAddr;

use contract::grpc::channelz::v1 as pb;
use contract::grpc::channelz::v1::channelz_client::ChannelzClient;
use contract::grpc::health::v1::HealthCheckRequest;
use contract::grpc::health::v1::health_client::HealthClient;
use mesh::admin::{NoProfile, Profiler, Serving};
use mesh::channelz::{Channel as Listed, Severity, State};
use mesh::{CancellationToken, Channel, Code};
use mesh_testing::parrot::v1::Deed;
use tokio::net::TcpListener;
use tonic_reflection::pb::v1;

use crate::asking::{errand, reason, saying};
use crate::shape::{Shape, World, connect, eventually};

/// A far parrot whose process has an operators' port.
struct Looked {
    world: World,
    address: SocketAddr,
    stop: CancellationToken,
    serving: Serving,
}

impl Looked {
    async fn start(profiler: Option<Box<dyn Profiler>>) -> Self {
        let world = Shape::Far.start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mesh = world.server.clone();
        let serving = mesh::admin::serve(listener, mesh, profiler, stop.clone()).unwrap();
        Self { world, address, stop, serving }
    }

    async fn channelz(&self) -> ChannelzClient<Channel> {
        ChannelzClient::new(connect(self.address).await)
    }

    /// A page, asked for by a thread that does nothing else meanwhile.
    fn page(&self, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }
}

async fn server(channelz: &mut ChannelzClient<Channel>, name: &str) -> pb::Server {
    let servers = channelz.get_servers(pb::GetServersRequest::default()).await.unwrap();
    let servers = servers.into_inner();
    assert!(servers.end);
    let named = |server: &pb::Server| server.r#ref.as_ref().unwrap().name == name;
    servers.server.into_iter().find(named).unwrap()
}

async fn sockets(channelz: &mut ChannelzClient<Channel>, server_id: i64) -> Vec<pb::SocketRef> {
    let asked = pb::GetServerSocketsRequest { server_id, ..Default::default() };
    channelz.get_server_sockets(asked).await.unwrap().into_inner().socket_ref
}

#[tokio::test(start_paused = true)]
async fn it_answers_while_everything_else_stands_still() {
    let looked = Looked::start(None).await;

    // This thread is all that the mesh runs on, and it waits here.
    let metrics = looked.page("/metrics");
    let health = looked.page("/healthz");
    let ready = looked.page("/readyz");
    let service = looked.page("/readyz/parrot.v1.ParrotService");
    let elsewhere = looked.page("/readyz/parrot.v1.OwlService");
    looked.world.server.health().stop();
    let stopped = looked.page("/readyz");
    let service_stopped = looked.page("/readyz/parrot.v1.ParrotService");
    let unknown = looked.page("/");

    assert!(metrics.contains("grpc_server_calls_in_flight"), "{metrics}");
    assert!(health.ends_with("alive\n"), "{health}");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(stopped.starts_with("HTTP/1.1 503"), "{stopped}");
    assert!(service.starts_with("HTTP/1.1 200"), "{service}");
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
    assert!(service_stopped.starts_with("HTTP/1.1 503"), "{service_stopped}");
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("/metrics"), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_told_to() {
    let looked = Looked::start(None).await;

    looked.stop.cancel();

    assert_eq!(looked.serving.ended().await, mesh::serve::Ended::Clean);
}

#[tokio::test(start_paused = true)]
async fn health_and_reflection_are_there_by_grpc() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let looked = Looked::start(None).await;
    let channel = connect(looked.address).await;

    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    let ask = MessageRequest::ListServices(String::new());
    let ask = v1::ServerReflectionRequest { message_request: Some(ask), ..Default::default() };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();

    assert_eq!(health.unwrap().into_inner().status, 1);
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    let told = ["channelz.v1.Channelz", "health.v1.Health"];
    let reflection = ["reflection.v1.ServerReflection", "reflection.v1alpha.ServerReflection"];
    let expected = told.into_iter().chain(reflection).map(|name| format!("grpc.{name}"));
    assert_eq!(names, expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_server_is_listed_with_what_it_has_done() {
    let looked = Looked::start(None).await;
    let mut channelz = looked.channelz().await;
    let mut parrot = looked.world.outside();
    parrot.act(saying("")).await.unwrap();
    parrot.act(saying("")).await.unwrap();
    parrot.act(errand(Deed::Refuse)).await.unwrap_err();

    let server = server(&mut channelz, "mesh").await;
    let id = server.r#ref.as_ref().unwrap().server_id;
    let alone = channelz.get_server(pb::GetServerRequest { server_id: id }).await.unwrap();
    let connections = sockets(&mut channelz, id).await;
    let ask = pb::GetSocketRequest { socket_id: connections[0].socket_id, summary: false };
    let socket = channelz.get_socket(ask).await.unwrap().into_inner().socket.unwrap();

    let data = server.data.clone().unwrap();
    // The caller's channel watches the process's health besides.
    assert_eq!((data.calls_started, data.calls_succeeded, data.calls_failed), (4, 2, 1));
    assert!(data.last_call_started_timestamp.is_some());
    assert_eq!(alone.into_inner().server.unwrap().r#ref, server.r#ref);
    let served = looked.world.served.as_ref().unwrap().address;
    assert_eq!(server.listen_socket[0].name, served.to_string());
    let data = socket.data.unwrap();
    assert_eq!((data.streams_started, data.streams_succeeded, data.streams_failed), (4, 3, 0));
    assert_eq!((data.messages_received, data.messages_sent), (4, 3));
    let Some(pb::address::Address::TcpipAddress(local)) = socket.local.unwrap().address else {
        panic!("not over TCP");
    };
    assert_eq!((local.ip_address, local.port), (vec![127, 0, 0, 1], i32::from(served.port())));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_listed_while_it_lasts() {
    let looked = Looked::start(None).await;
    let mut channelz = looked.channelz().await;
    let id = server(&mut channelz, "mesh").await.r#ref.unwrap().server_id;
    let raw = crate::frames::Raw::connect(looked.world.served.as_ref().unwrap().address).await;

    let mut during = Vec::new();
    while during.is_empty() {
        during = sockets(&mut channelz, id).await;
    }
    drop(raw);
    while !sockets(&mut channelz, id).await.is_empty() {}

    let ask = pb::GetSocketRequest { socket_id: during[0].socket_id, summary: false };
    let status = channelz.get_socket(ask).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::NotFound, "UNKNOWN_ENTITY".to_owned()));
}

/// A channel with a subchannel, as a client would list them.
fn channel(looked: &Looked) -> (Listed, Listed) {
    let channel = looked.world.server.channelz().channel("dns:///parrot:7000");
    let subchannel = channel.subchannel("10.0.0.7:7000");
    subchannel.is(State::Connecting);
    subchannel.is(State::Ready);
    subchannel.is(State::Ready);
    channel.is(State::TransientFailure);
    channel.note(Severity::Warning, "one address is gone");
    channel.calls().start();
    channel.calls().end(false);
    (channel, subchannel)
}

#[tokio::test(start_paused = true)]
async fn channels_are_listed_with_what_is_below_them_until_they_are_dropped() {
    let looked = Looked::start(None).await;
    let mut channelz = looked.channelz().await;
    let (made, below) = channel(&looked);
    let address: SocketAddr = "10.0.0.7:7000".parse().unwrap();
    let socket = below.socket(None, Some(address));
    socket.traffic().open();

    let all = pb::GetTopChannelsRequest::default();
    let top = channelz.get_top_channels(all).await.unwrap().into_inner();
    let channel_id = top.channel[0].r#ref.as_ref().unwrap().channel_id;
    let subchannel_id = top.channel[0].subchannel_ref[0].subchannel_id;
    let again = channelz.get_channel(pb::GetChannelRequest { channel_id }).await.unwrap();
    let sub = channelz.get_subchannel(pb::GetSubchannelRequest { subchannel_id }).await.unwrap();
    let sub = sub.into_inner().subchannel.unwrap();
    drop((made, below, socket));
    let after = channelz.get_top_channels(all).await.unwrap().into_inner();

    assert!(top.end && top.channel.len() == 1 && after.channel.is_empty() && after.end);
    assert_eq!(again.into_inner().channel.unwrap(), top.channel[0]);
    let data = top.channel[0].data.clone().unwrap();
    assert_eq!(data.state.unwrap().state, 4);
    assert_eq!((data.calls_started, data.calls_succeeded, data.calls_failed), (1, 0, 1));
    assert_eq!(data.target, "dns:///parrot:7000");
    let trace = data.trace.unwrap();
    let told: Vec<_> = trace.events.iter().map(|event| event.description.as_str()).collect();
    assert_eq!(
        told,
        ["subchannel to 10.0.0.7:7000 made", "TransientFailure", "one address is gone"]
    );
    let data = sub.data.unwrap();
    let told: Vec<_> =
        data.trace.unwrap().events.into_iter().map(|event| event.description).collect();
    assert_eq!((data.state.unwrap().state, told), (3, vec!["Connecting".into(), "Ready".into()]));
    assert_eq!(sub.socket_ref[0].name, "10.0.0.7:7000");
}

#[tokio::test(start_paused = true)]
async fn many_are_told_page_by_page_in_their_order() {
    let looked = Looked::start(None).await;
    let mut channelz = looked.channelz().await;
    let registry = looked.world.server.channelz();
    let made: Vec<_> = (0..250).map(|number| registry.channel(number.to_string())).collect();

    let (mut told, mut start, mut sizes) = (Vec::new(), 0, Vec::new());
    loop {
        let asked = pb::GetTopChannelsRequest { start_channel_id: start, max_results: 0 };
        let page = channelz.get_top_channels(asked).await.unwrap().into_inner();
        sizes.push(page.channel.len());
        told.extend(page.channel.into_iter().map(|channel| channel.r#ref.unwrap()));
        start = told.last().unwrap().channel_id + 1;
        if page.end {
            break;
        }
    }
    let asked = pb::GetTopChannelsRequest { start_channel_id: 0, max_results: 2 };
    let two = channelz.get_top_channels(asked).await.unwrap().into_inner();
    let wrong = pb::GetTopChannelsRequest { start_channel_id: 0, max_results: -1 };
    let status = channelz.get_top_channels(wrong).await.unwrap_err();

    assert_eq!(sizes, [100, 100, 50]);
    let names: Vec<_> = told.into_iter().map(|channel| channel.name).collect();
    assert_eq!(names, (0..250).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((two.channel.len(), two.end), (2, false));
    assert_eq!(status.code(), Code::InvalidArgument);
    drop(made);
}

#[tokio::test(start_paused = true)]
async fn events_of_long_ago_are_forgotten_and_counted() {
    let looked = Looked::start(None).await;
    let mut channelz = looked.channelz().await;
    let made = looked.world.server.channelz().channel("parrot");
    for number in 0..1000 {
        made.note(Severity::Info, number.to_string());
    }

    let all = pb::GetTopChannelsRequest::default();
    let top = channelz.get_top_channels(all).await.unwrap().into_inner();

    let trace = top.channel[0].data.clone().unwrap().trace.unwrap();
    assert_eq!(trace.num_events_logged, 1000);
    let told: Vec<_> = trace.events.into_iter().map(|event| event.description).collect();
    assert_eq!(told, (968..1000).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn channelz_is_on_no_other_port() {
    let world = Shape::Far.start().await;
    let mut channelz = ChannelzClient::new(world.stranger().await);

    let status = channelz.get_servers(pb::GetServersRequest::default()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unimplemented);
    eventually(|| world.parrot.calls() == 0).await;
}

/// Takes profiles that say what was asked.
struct Sketch;

#[mesh::async_trait]
impl Profiler for Sketch {
    async fn cpu(&self, time: std::time::Duration) -> Result<Vec<u8>, NoProfile> {
        Ok(format!("{time:?} of work").into_bytes())
    }

    async fn heap(&self) -> Result<Vec<u8>, NoProfile> {
        Err(NoProfile::Off("start the process otherwise"))
    }
}

#[tokio::test(start_paused = true)]
async fn profiles_are_taken_as_asked_and_what_cannot_be_says_why() {
    let (with, without) = (Looked::start(Some(Box::new(Sketch))).await, Looked::start(None).await);

    let default = with.page("/debug/pprof/profile");
    let asked = with.page("/debug/pprof/profile?seconds=3");
    let long = with.page("/debug/pprof/profile?seconds=100000");
    let heap = with.page("/debug/pprof/heap");
    let none = without.page("/debug/pprof/profile");

    assert!(default.ends_with("10s of work"), "{default}");
    assert!(asked.ends_with("3s of work") && asked.contains("cpu.pb.gz"), "{asked}");
    assert!(long.starts_with("HTTP/1.1 400") && long.contains("1 to 120"), "{long}");
    assert!(heap.starts_with("HTTP/1.1 501") && heap.contains("start the process"), "{heap}");
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
}

#[tokio::test(start_paused = true)]
async fn the_channel_of_a_caller_is_listed_with_its_calls_and_connections() {
    let world = Shape::Far.start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let _serving = mesh::admin::serve(listener, world.caller.clone(), None, stop.clone()).unwrap();
    world.outside().act(saying("")).await.unwrap();
    world.outside().act(errand(Deed::Refuse)).await.unwrap_err();
    let mut channelz = ChannelzClient::new(connect(address).await);

    let all = pb::GetTopChannelsRequest::default();
    let top = channelz.get_top_channels(all).await.unwrap().into_inner().channel.remove(0);
    let subchannel_id = top.subchannel_ref[0].subchannel_id;
    let sub = channelz.get_subchannel(pb::GetSubchannelRequest { subchannel_id }).await.unwrap();

    let served = world.served.as_ref().unwrap().address;
    let data = top.data.unwrap();
    assert_eq!(data.target, format!("dns:///{served}"));
    assert_eq!((data.calls_started, data.calls_succeeded, data.calls_failed), (2, 1, 1));
    let sub = sub.into_inner().subchannel.unwrap();
    assert_eq!(sub.data.unwrap().calls_started, 2);
    assert_eq!(sub.socket_ref.len(), 1);
    stop.cancel();
}
