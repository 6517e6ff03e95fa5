//! What the contracts say of every RPC, read once from their descriptors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::mesh::v1::{Access, Idempotency, Rate, Rpc};
use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::admission::Baseline;
use crate::metrics::CallMetrics;

/// Contracts of other parties, which carry no option; they are public and cheap.
const EXEMPT: [&str; 3] = ["grpc.channelz.v1.", "grpc.health.v1.", "grpc.reflection."];

/// One RPC, as its contract has it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the contract on its own")]
#[derive(Debug)]
pub struct Method {
    /// Such as `/tradewind.catalog.v1.CatalogService/GetProduct`.
    pub path: Arc<str>,
    /// Such as `tradewind.catalog.v1.CatalogService`.
    pub service: String,
    /// The mesh's option.
    pub rpc: Rpc,
    /// Whether it changes nothing, so that it may be repeated and its answer kept.
    pub without_effect: bool,
    /// Whether a repeat of it has no effect beyond the first call's, so that it may be tried again.
    pub idempotent: bool,
    /// Whether it takes one message and answers one.
    pub unary: bool,
    /// What it takes, however much it answers.
    pub takes: Takes,
    /// Whether it is a contract of another party, such as health: no work, however long it lasts.
    pub(crate) exempt: bool,
    /// Its place among all RPCs, from 0 on.
    pub(crate) number: usize,
    pub(crate) metrics: CallMetrics,
    pub(crate) baseline: Mutex<Baseline>,
}

/// How many messages a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// One.
    One,
    /// Any number, as they come.
    Stream,
}

impl Method {
    /// Who may call it.
    #[must_use]
    pub fn access(&self) -> Access {
        self.rpc.access()
    }

    /// Such as `GetProduct`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether a repeat of a call has no effect beyond the call's: by its contract, or by the key that it has.
    #[must_use]
    pub fn is_safe_to_repeat(&self, has_key: bool) -> bool {
        self.idempotent || (has_key && self.takes_key())
    }

    /// Whether it takes an idempotency key.
    #[must_use]
    pub fn takes_key(&self) -> bool {
        match self.rpc.idempotency() {
            Idempotency::KeyOptional | Idempotency::KeyRequired => true,
            Idempotency::Unspecified => false,
        }
    }

    /// The longest a call may take; streams of other parties' contracts may stay open.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let ms = u64::from(self.rpc.deadline_ms);
        (ms > 0).then(|| Duration::from_millis(ms))
    }

    /// Whether its contract is of another party, as those of health and reflection: ours all have a deadline.
    pub(crate) fn is_foreign(&self) -> bool {
        self.rpc.deadline_ms == 0
    }
}

/// Every RPC that this process can be asked for, by its path.
#[derive(Debug, Default)]
pub struct Policies {
    methods: HashMap<Arc<str>, Arc<Method>>,
}

/// Contracts that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not descriptors.
    #[error("the contracts are not a descriptor set")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// An RPC without the mesh's option.
    #[error("{0} has no (tradewind.mesh.v1.rpc) option that can be read")]
    NoOption(String),
}

impl Policies {
    /// Reads encoded descriptor sets, each complete with its imports.
    pub fn read(sets: &[&[u8]]) -> Result<Self, PolicyError> {
        let mut methods = HashMap::new();
        for set in sets {
            let pool = DescriptorPool::decode(*set)?;
            for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>())
            {
                let mut read = read(&pool, &method)?;
                read.number = methods.len();
                methods.insert(Arc::clone(&read.path), Arc::new(read));
            }
        }
        for (path, unary) in foreign() {
            let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            let method = Method {
                path: path.into(),
                service: service.to_owned(),
                rpc: exempt(),
                without_effect: true,
                idempotent: true,
                unary,
                takes: if unary { Takes::One } else { Takes::Stream },
                exempt: true,
                number: methods.len(),
                metrics: CallMetrics::default(),
                baseline: Mutex::default(),
            };
            methods.entry(Arc::clone(&method.path)).or_insert_with(|| Arc::new(method));
        }
        Ok(Self { methods })
    }

    /// The RPC of a path.
    #[must_use]
    pub fn method(&self, path: &str) -> Option<&Arc<Method>> {
        self.methods.get(path)
    }

    /// How many RPCs there are.
    pub(crate) fn count(&self) -> usize {
        self.methods.len()
    }

    /// Every RPC, in no order.
    pub fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.methods.values()
    }
}

fn read(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Method, PolicyError> {
    let service = method.parent_service().full_name().to_owned();
    let options = method.options();
    let is_exempt = EXEMPT.iter().any(|exempt| service.starts_with(exempt));
    let rpc = if is_exempt {
        exempt()
    } else {
        pool.get_extension_by_name("tradewind.mesh.v1.rpc")
            .filter(|extension| options.has_extension(extension))
            .and_then(|extension| {
                options.get_extension(&extension).as_message()?.transcode_to::<Rpc>().ok()
            })
            .ok_or_else(|| PolicyError::NoOption(method.full_name().to_owned()))?
    };
    let level = options.get_field_by_name("idempotency_level");
    let level = level.and_then(|level| level.as_enum_number());
    Ok(Method {
        path: format!("/{service}/{}", method.name()).into(),
        // NO_SIDE_EFFECTS, and it or IDEMPOTENT, of google.protobuf.MethodOptions.
        without_effect: level == Some(1),
        idempotent: matches!(level, Some(1 | 2)),
        unary: !method.is_client_streaming() && !method.is_server_streaming(),
        takes: if method.is_client_streaming() { Takes::Stream } else { Takes::One },
        exempt: is_exempt,
        number: 0,
        service,
        rpc,
        metrics: CallMetrics::default(),
        baseline: Mutex::default(),
    })
}

fn exempt() -> Rpc {
    Rpc { access: Access::Public.into(), rate: Rate::Internal.into(), ..Rpc::default() }
}

/// RPCs that are answered here but whose contract no descriptor set of ours holds.
fn foreign() -> [(&'static str, bool); 2] {
    [
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", false),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", false),
    ]
}
