//! What is registered, as the contract of channelz v1 asks for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use contract::grpc::channelz::v1 as pb;
use contract::grpc::channelz::v1::channelz_server::Channelz as Contract;
use tonic::{Code, Request, Response, Status};

use super::registry::{Ends, Node, Record, Registry, What};
use crate::failure::{DOMAIN, Detail, refuse};

/// How many a page holds at most, and where the caller has not said.
const PAGE: i64 = 100;

type Answer<T> = Result<Response<T>, Status>;

/// Answers from a registry.
#[derive(Debug, Clone)]
pub(crate) struct Channelz(pub(crate) Registry);

#[async_trait]
impl Contract for Channelz {
    async fn get_top_channels(
        &self,
        request: Request<pb::GetTopChannelsRequest>,
    ) -> Answer<pb::GetTopChannelsResponse> {
        let asked = request.into_inner();
        let most = size(asked.max_results)?;
        let (found, end) = self.0.page(asked.start_channel_id, most, |id, record| {
            match (&record.what, record.parent) {
                (What::Channel(node), None) => Some((id, Arc::clone(node))),
                _ => None,
            }
        });
        let channel = found.into_iter().map(|(id, node)| self.channel(id, &node)).collect();
        Ok(Response::new(pb::GetTopChannelsResponse { channel, end }))
    }

    async fn get_servers(
        &self,
        request: Request<pb::GetServersRequest>,
    ) -> Answer<pb::GetServersResponse> {
        let asked = request.into_inner();
        let most = size(asked.max_results)?;
        let (found, end) =
            self.0.page(asked.start_server_id, most, |id, record| match &record.what {
                What::Server(node) => Some((id, Arc::clone(node))),
                _ => None,
            });
        let server = found.into_iter().map(|(id, node)| self.server(id, &node)).collect();
        Ok(Response::new(pb::GetServersResponse { server, end }))
    }

    async fn get_server(
        &self,
        request: Request<pb::GetServerRequest>,
    ) -> Answer<pb::GetServerResponse> {
        let id = request.into_inner().server_id;
        match self.0.get(id).map(|record| record.what) {
            Some(What::Server(node)) => {
                let server = Some(self.server(id, &node));
                Ok(Response::new(pb::GetServerResponse { server }))
            }
            _ => Err(unknown("server", id)),
        }
    }

    async fn get_server_sockets(
        &self,
        request: Request<pb::GetServerSocketsRequest>,
    ) -> Answer<pb::GetServerSocketsResponse> {
        let asked = request.into_inner();
        let server = asked.server_id;
        if !matches!(self.0.get(server), Some(Record { what: What::Server(_), .. })) {
            return Err(unknown("server", server));
        }
        let most = size(asked.max_results)?;
        let (socket_ref, end) =
            self.0.page(asked.start_socket_id, most, |id, record| match &record.what {
                What::Socket(ends) if record.parent == Some(server) => Some(socket_ref(id, ends)),
                _ => None,
            });
        Ok(Response::new(pb::GetServerSocketsResponse { socket_ref, end }))
    }

    async fn get_channel(
        &self,
        request: Request<pb::GetChannelRequest>,
    ) -> Answer<pb::GetChannelResponse> {
        let id = request.into_inner().channel_id;
        match self.0.get(id).map(|record| record.what) {
            Some(What::Channel(node)) => {
                let channel = Some(self.channel(id, &node));
                Ok(Response::new(pb::GetChannelResponse { channel }))
            }
            _ => Err(unknown("channel", id)),
        }
    }

    async fn get_subchannel(
        &self,
        request: Request<pb::GetSubchannelRequest>,
    ) -> Answer<pb::GetSubchannelResponse> {
        let id = request.into_inner().subchannel_id;
        match self.0.get(id).map(|record| record.what) {
            Some(What::Subchannel(node)) => {
                let subchannel = Some(self.subchannel(id, &node));
                Ok(Response::new(pb::GetSubchannelResponse { subchannel }))
            }
            _ => Err(unknown("subchannel", id)),
        }
    }

    async fn get_socket(
        &self,
        request: Request<pb::GetSocketRequest>,
    ) -> Answer<pb::GetSocketResponse> {
        let id = request.into_inner().socket_id;
        match self.0.get(id).map(|record| record.what) {
            Some(What::Socket(ends) | What::Listener(ends)) => {
                let socket = Some(pb::Socket {
                    r#ref: Some(socket_ref(id, &ends)),
                    data: Some(ends.traffic.read()),
                    local: ends.local.map(address),
                    remote: ends.remote.map(address),
                    remote_name: String::new(),
                });
                Ok(Response::new(pb::GetSocketResponse { socket }))
            }
            _ => Err(unknown("socket", id)),
        }
    }
}

impl Channelz {
    fn channel(&self, id: i64, node: &Node) -> pb::Channel {
        let below = self.below(id);
        pb::Channel {
            r#ref: Some(pb::ChannelRef { channel_id: id, name: node.name.clone() }),
            data: Some(data(node)),
            channel_ref: below.channels,
            subchannel_ref: below.subchannels,
            socket_ref: below.sockets,
        }
    }

    fn subchannel(&self, id: i64, node: &Node) -> pb::Subchannel {
        let below = self.below(id);
        pb::Subchannel {
            r#ref: Some(pb::SubchannelRef { subchannel_id: id, name: node.name.clone() }),
            data: Some(data(node)),
            channel_ref: below.channels,
            subchannel_ref: below.subchannels,
            socket_ref: below.sockets,
        }
    }

    fn server(&self, id: i64, node: &Node) -> pb::Server {
        let (calls_started, calls_succeeded, calls_failed, last) = node.calls.read();
        let listeners = self.0.children(id).into_iter().filter_map(|(id, record)| {
            let What::Listener(ends) = record.what else { return None };
            Some(socket_ref(id, &ends))
        });
        pb::Server {
            r#ref: Some(pb::ServerRef { server_id: id, name: node.name.clone() }),
            data: Some(pb::ServerData {
                trace: Some(node.trace.read()),
                calls_started,
                calls_succeeded,
                calls_failed,
                last_call_started_timestamp: last,
            }),
            listen_socket: listeners.collect(),
        }
    }

    fn below(&self, id: i64) -> Below {
        let mut below = Below::default();
        for (id, record) in self.0.children(id) {
            match record.what {
                What::Channel(node) => {
                    let name = node.name.clone();
                    below.channels.push(pb::ChannelRef { channel_id: id, name });
                }
                What::Subchannel(node) => {
                    let name = node.name.clone();
                    below.subchannels.push(pb::SubchannelRef { subchannel_id: id, name });
                }
                What::Socket(ends) | What::Listener(ends) => {
                    below.sockets.push(socket_ref(id, &ends));
                }
                What::Server(_) => {}
            }
        }
        below
    }
}

/// What a channel is made of.
#[derive(Default)]
struct Below {
    channels: Vec<pb::ChannelRef>,
    subchannels: Vec<pb::SubchannelRef>,
    sockets: Vec<pb::SocketRef>,
}

fn data(node: &Node) -> pb::ChannelData {
    let (calls_started, calls_succeeded, calls_failed, last) = node.calls.read();
    pb::ChannelData {
        state: Some(pb::ChannelConnectivityState { state: node.state().number() }),
        target: node.name.clone(),
        trace: Some(node.trace.read()),
        calls_started,
        calls_succeeded,
        calls_failed,
        last_call_started_timestamp: last,
    }
}

fn socket_ref(id: i64, ends: &Ends) -> pb::SocketRef {
    let name = match (ends.local, ends.remote) {
        (Some(local), Some(remote)) => format!("{local} - {remote}"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => String::new(),
    };
    pb::SocketRef { socket_id: id, name }
}

fn address(at: SocketAddr) -> pb::Address {
    use pb::address::{Address, TcpIpAddress};
    let ip_address = match at.ip() {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    let tcp = TcpIpAddress { ip_address, port: at.port().into() };
    pb::Address { address: Some(Address::TcpipAddress(tcp)) }
}

/// How many a page may hold.
fn size(asked: i64) -> Result<usize, Status> {
    let most = if asked == 0 { PAGE } else { asked.min(PAGE) };
    usize::try_from(most).map_err(|_| {
        let told = "max_results must not be negative";
        let detail =
            Detail { fields: vec![("max_results".into(), told.into())], ..Detail::default() };
        refuse(Code::InvalidArgument, DOMAIN, "INVALID_PAGE", told, detail)
    })
}

fn unknown(kind: &str, id: i64) -> Status {
    let told = format!("there is no {kind} {id} in this process");
    refuse(Code::NotFound, DOMAIN, "UNKNOWN_ENTITY", &told, Detail::default())
}
