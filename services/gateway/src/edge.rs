//! Which protocol a request speaks, and what answers it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mesh::{Channel, Status};
use prost_reflect::DescriptorPool;
use tonic::body::Body;

use crate::binding::Binding;
use crate::call::Call;
use crate::cors::{self, Origins};
use crate::errors::Refusal;
use crate::page::Pages;
use crate::route::Routes;
use crate::rpc::{self, Rpc};
use crate::{Error, Options, connect, grpc_web, headers, passthrough, rest};

/// Gives the way to a service by its full name.
pub(crate) type Channels = Box<dyn Fn(&str) -> Option<Channel> + Send + Sync>;

/// Contracts of others, which cannot carry the mesh's option; all else must, to be reachable.
const EXEMPT: [&str; 2] = ["grpc.health.v1.", "grpc.reflection."];

/// All that the edge knows.
pub(crate) struct Edge {
    /// The HTTP mappings.
    pub(crate) routes: Routes,
    /// The RPCs by their path.
    rpcs: HashMap<String, Arc<Rpc>>,
    channels: Channels,
    pages: Pages,
    origins: Origins,
    max_body_bytes: usize,
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
            max_body_bytes: options.max_body_bytes,
        })
    }

    /// Answers any request, in the protocol that it speaks.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let origin = self.origins.allow(request.headers());
        let without_body = request.method() == Method::HEAD;
        let mut response = if cors::is_preflight(&request) {
            cors::preflight(&request, origin.is_some())
        } else {
            self.dispatch(request).await
        };

        let headers = response.headers_mut();
        self.origins.mark(origin, headers);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if without_body { headers_alone(response) } else { response }
    }

    async fn dispatch(&self, request: Request<Body>) -> Response<Body> {
        let media_type = headers::media_type(request.headers());
        if media_type.starts_with("application/grpc-web") {
            return grpc_web::answer(self, request, &media_type).await;
        }
        if media_type == "application/grpc" || media_type.starts_with("application/grpc+") {
            return passthrough::answer(self, request).await;
        }
        if let Some(rpc) = self.rpcs.get(request.uri().path()) {
            return connect::answer(self, rpc, request, &media_type).await;
        }
        if media_type.starts_with("application/connect+") {
            return connect::unknown(request.uri().path(), &media_type);
        }
        match self.pages.answer(&request) {
            Some(response) => response,
            None => rest::answer(self, request).await,
        }
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

    /// A request's body, whole, when it is not larger than it may be.
    pub(crate) async fn collect(&self, body: Body) -> Result<Bytes, Status> {
        let limit = self.max_body_bytes;
        if usize::try_from(body.size_hint().lower()).is_ok_and(|length| length > limit) {
            return Err(Refusal::TooLarge(limit).into());
        }
        match Limited::new(body, limit).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge(limit).into()),
            Err(_) => Err(Refusal::BodyCut.into()),
        }
    }
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
