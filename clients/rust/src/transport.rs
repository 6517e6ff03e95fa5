//! Where calls go: through the gateway as a user, or to the services themselves as one of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::{Request, Response};
use mesh::service_token::ServiceKey;
use mesh::tls::Identities;
use mesh::{Caller, Channel, Context, Mesh, Refusal, Status};
use tonic::body::Body;
use tower::ServiceExt;

use crate::client::ConnectError;

/// A program that calls the mesh as a service: what it is called, and how it shows that.
pub struct Identity {
    /// Its noun, such as `pricing`: what audit records know it by.
    pub name: &'static str,
    /// How it shows that it is that one.
    pub shown: Shown,
    /// Where the services are that it calls: `("catalog", "http://10.0.0.7:7000")`.
    pub at: HashMap<&'static str, String>,
}

/// What shows a service to the others.
pub enum Shown {
    /// Its certificate and the mesh's authority, in a directory as `tradewind certs` writes it.
    Certificate(PathBuf),
    /// The file with the key that every process of the mesh holds; see `tradewind mesh-key`.
    Key(PathBuf),
}

/// Where calls go.
#[derive(Clone)]
pub(crate) enum Transport {
    /// To one address that answers for all.
    Edge(Channel),
    /// To each service, as a service.
    Inside(Box<Inside>),
}

/// The mesh as a service sees it.
#[derive(Clone)]
pub(crate) struct Inside {
    mesh: Mesh,
    name: &'static str,
    at: Arc<Vec<&'static str>>,
    caller: Caller,
}

impl Transport {
    /// To each service, as a service that works in the default project for nobody.
    pub(crate) fn inside(identity: Identity) -> Result<Self, ConnectError> {
        let at = identity.at.keys().copied().collect();
        let (identities, service_key) = match identity.shown {
            Shown::Certificate(directory) => {
                (Some(Identities::open(&directory, &[identity.name])?), None)
            }
            Shown::Key(file) => (None, Some(Arc::new(ServiceKey::open(&file)?))),
        };
        let mesh = Mesh::new(mesh::Config {
            elsewhere: identity.at,
            calls: mesh::Configs::fixed(mesh::ServiceConfig::once()),
            service_key,
            identities,
            ..mesh::Config::new(identity.name, vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS])
        })?;
        let caller = Caller::service(identity.name, mesh::caller::DEFAULT_PROJECT, None);
        Ok(Self::Inside(Box::new(Inside { mesh, name: identity.name, at: Arc::new(at), caller })))
    }

    /// The same way, for whom a request or a task is.
    pub(crate) fn working_for(&self, caller: &Caller) -> Self {
        match self {
            Self::Edge(_) => self.clone(),
            Self::Inside(inside) => {
                let subject = caller.subject().map(Arc::from);
                let caller = Caller::service(inside.name, caller.project(), subject);
                Self::Inside(Box::new(Inside { caller, ..(**inside).clone() }))
            }
        }
    }

    /// The same way, in a project.
    pub(crate) fn in_project(&self, project: &str) -> Self {
        self.working_for(&Caller::nobody(project))
    }

    /// Sends one try of a call.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        match self {
            Self::Edge(channel) => channel.clone().oneshot(request).await,
            Self::Inside(inside) => inside.send(request).await,
        }
    }
}

impl Inside {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let path = request.uri().path().to_owned();
        // Contracts are named `tradewind.<noun>.v1`, and the noun is the service's.
        let noun = path.split('.').nth(1).unwrap_or_default();
        let Some(service) = self.at.iter().find(|service| **service == noun) else {
            return Err(Refusal::Unplaced(noun.to_owned()).into());
        };
        // Whoever has a token speaks for its owner; the service only passes the call on.
        if request.headers().contains_key(http::header::AUTHORIZATION) {
            return self.mesh.channel(service).oneshot(request).await;
        }
        let context = Context::new(self.caller.clone(), path, mesh::Trace::current());
        self.mesh.peer(self.name, service).of(&context).oneshot(request).await
    }
}
