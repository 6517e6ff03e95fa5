//! Which protocol a request speaks, and what answers it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mesh::{Channel, Ids, Status};
use prost_reflect::DescriptorPool;
use tonic::body::Body;

use crate::binding::Binding;
use crate::call::Call;
use crate::coding::{self, Accepted, Coding};
use crate::cors::{self, Origins};
use crate::errors::{self, Refusal};
use crate::incoming::Incoming;
use crate::page::{self, Pages};
use crate::request_id::RequestId;
use crate::route::Routes;
use crate::rpc::{self, Rpc};
use crate::unread::{self, Whole};
use crate::{Error, Options, connect, grpc_web, headers, passthrough, rest};

/// Gives the way to a service by its full name.
pub(crate) type Channels = Box<dyn Fn(&str) -> Option<Channel> + Send + Sync>;

/// Contracts of others, which cannot carry the mesh's option; all else must, to be reachable.
const EXEMPT: [&str; 2] = ["grpc.health.v1.", "grpc.reflection."];

/// How long a body that is read whole may take to come: a trickle must not hold a connection for ever.
const LONGEST_BODY: Duration = Duration::from_secs(60);

/// All that the edge knows.
pub(crate) struct Edge {
    /// The HTTP mappings.
    pub(crate) routes: Routes,
    /// The RPCs by their path.
    rpcs: HashMap<String, Arc<Rpc>>,
    channels: Channels,
    /// The pages of the edge itself.
    pub(crate) pages: Pages,
    origins: Origins,
    ids: Ids,
    /// The most that a body read whole may hold, before and after it is unpacked.
    pub(crate) max_body_bytes: usize,
}

impl Edge {
    pub(crate) fn new(
        pool: &DescriptorPool,
        channels: Channels,
        options: Options,
    ) -> Result<Self, Error> {
        let exposed = rpc::exposed(pool)?;
        let mut bindings = Vec::new();
        for rpc in &exposed {
            bindings.extend(Binding::of(pool, rpc)?);
        }
        let pages = Pages::new(pool, &exposed, &bindings, options.ready);
        let mut routes = Routes::default();
        for binding in bindings {
            routes.insert(binding)?;
        }
        Ok(Self {
            routes,
            rpcs: exposed.into_iter().map(|rpc| (rpc.uri.path().to_owned(), rpc)).collect(),
            channels,
            pages,
            origins: Origins(options.allowed_origins),
            ids: options.ids,
            max_body_bytes: options.max_body_bytes,
        })
    }

    /// Answers any request, in the protocol that it speaks.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let origin = self.origins.allow(request.headers());
        let accepted = Accepted::read(request.headers(), &ACCEPT_ENCODING);
        let without_body = request.method() == Method::HEAD;
        let old = request.version() < Version::HTTP_2;
        let (request, whole) = linger(request, old);
        let response = if cors::is_preflight(&request) {
            cors::preflight(&request, origin.is_some())
        } else {
            self.dispatch(request, accepted).await
        };

        let mut response = coding::coded(response, accepted).await;
        let headers = response.headers_mut();
        self.origins.mark(origin, headers);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if old && !whole.is_read() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if without_body { headers_alone(response) } else { response }
    }

    async fn dispatch(&self, request: Request<Body>, accepted: Accepted) -> Response<Body> {
        let id = RequestId::of(request.headers(), &self.ids);
        let media_type = headers::media_type(request.headers());
        if media_type.starts_with("application/grpc-web") {
            return grpc_web::answer(self, request, &media_type, &id).await;
        }
        if media_type == "application/grpc" || media_type.starts_with("application/grpc+") {
            return passthrough::answer(self, request, &media_type, &id).await;
        }
        if let Some(rpc) = self.rpcs.get(request.uri().path()) {
            return connect::answer(self, rpc, request, &media_type, &id).await;
        }
        if connect::is_spoken(&media_type, request.headers()) {
            return connect::unknown(request.uri().path(), &media_type, &id);
        }
        if accepted == Accepted::Nothing {
            return errors::response(&id.on(Refusal::NotAcceptable.into()));
        }
        let (parts, body) = request.into_parts();
        match page::answer(self, &parts, accepted).await {
            Some(Ok(response)) => response,
            Some(Err(status)) => errors::response(&id.on(status)),
            None => rest::answer(self, Request::from_parts(parts, body), &id).await,
        }
    }

    /// The RPC at a path.
    pub(crate) fn rpc(&self, path: &str) -> Option<&Rpc> {
        self.rpcs.get(path).map(Arc::as_ref)
    }

    /// Whether there is a way to a service from here.
    pub(crate) fn has_way_to(&self, service: &str) -> bool {
        (self.channels)(service).is_some()
    }

    /// A call of an RPC for the caller whose request had these extensions.
    pub(crate) fn call(
        &self,
        rpc: &Rpc,
        metadata: HeaderMap,
        extensions: &Extensions,
    ) -> Result<Call, Status> {
        let channel = self.channel(&rpc.service())?;
        Ok(Call { channel, uri: rpc.uri.clone(), metadata, peer: peer(extensions) })
    }

    /// A call by its path: an RPC that exists at the edge, or health and reflection.
    pub(crate) fn call_by_path(
        &self,
        uri: &Uri,
        metadata: HeaderMap,
        extensions: &Extensions,
    ) -> Result<Call, Status> {
        let path = uri.path();
        if let Some(rpc) = self.rpcs.get(path) {
            return self.call(rpc, metadata, extensions);
        }
        let unknown = || Status::from(Refusal::UnknownRpc(path.to_owned()));
        let service = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
        let exempt = service.filter(|it| EXEMPT.iter().any(|exempt| it.starts_with(exempt)));
        let channel = exempt.and_then(|service| (self.channels)(service)).ok_or_else(unknown)?;
        let uri = Uri::try_from(path).map_err(|_| unknown())?;
        Ok(Call { channel, uri, metadata, peer: peer(extensions) })
    }

    fn channel(&self, service: &str) -> Result<Channel, Status> {
        (self.channels)(service).ok_or_else(|| Refusal::NoService(service.to_owned()).into())
    }

    /// The one message of a request, when it is not larger than it may be.
    pub(crate) async fn only(&self, incoming: Incoming) -> Result<Bytes, Status> {
        let only = tokio::time::timeout(LONGEST_BODY, incoming.only()).await;
        only.unwrap_or_else(|_| Err(Refusal::BodySlow(LONGEST_BODY).into()))
    }

    /// A request's body, whole and unpacked, when it is not larger than it may be.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Status> {
        let coding = Coding::of(headers, &CONTENT_ENCODING)?;
        coding.decode(self.collect(body).await?, self.max_body_bytes).await
    }

    /// A request's body, whole and as it came, when it is not larger than it may be.
    pub(crate) async fn collect(&self, body: Body) -> Result<Bytes, Status> {
        let limit = self.max_body_bytes;
        if usize::try_from(body.size_hint().lower()).is_ok_and(|length| length > limit) {
            return Err(Refusal::TooLarge(limit).into());
        }
        let whole = Limited::new(body, limit).collect();
        match tokio::time::timeout(LONGEST_BODY, whole).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(Refusal::TooLarge(limit).into())
            }
            Ok(Err(_)) => Err(Refusal::BodyCut.into()),
            Err(_) => Err(Refusal::BodySlow(LONGEST_BODY).into()),
        }
    }
}

/// A request over HTTP/1.1 whose rest is read when it is answered early; HTTP/2 ends a call by itself.
fn linger(request: Request<Body>, old: bool) -> (Request<Body>, Whole) {
    if !old {
        return (request, Whole::default());
    }
    let (parts, body) = request.into_parts();
    let (body, whole) = unread::lingering(body);
    (Request::from_parts(parts, body), whole)
}

fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get().copied()
}

/// A response to HEAD: what GET would answer, without the body but with its length.
fn headers_alone(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}
