//! Types, clients and servers.

use std::path::Path;

use anyhow::Result;
use prost_build::{Config, Service, ServiceGenerator};

use crate::{Contracts, descriptors::Set};

/// Clients read answers as they come; servers hand only checked requests to their handlers.
/// One generator cannot name two codecs, so each side has its own.
struct BothSides {
    client: Box<dyn ServiceGenerator>,
    server: Box<dyn ServiceGenerator>,
}

impl ServiceGenerator for BothSides {
    fn generate(&mut self, service: Service, code: &mut String) {
        self.client.generate(service.clone(), code);
        self.server.generate(service, code);
    }
}

pub(crate) fn generate(contracts: &Contracts, set: &Set, out: &Path) -> Result<()> {
    let sides = BothSides {
        client: tonic_prost_build::configure()
            .build_server(false)
            .build_transport(false)
            .service_generator(),
        server: tonic_prost_build::configure()
            .build_client(false)
            .build_transport(false)
            .codec_path(format!("{}::codec::Validated", contracts.contract))
            .service_generator(),
    };
    let mut config = Config::new();
    config
        .out_dir(out)
        .include_file("contracts.rs")
        .btree_map(["."])
        .enable_type_names()
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .service_generator(Box::new(sides));
    for (package, path) in &contracts.elsewhere {
        config.extern_path(format!(".{package}"), *path);
    }
    Ok(config.compile_fds(set.files.clone())?)
}
