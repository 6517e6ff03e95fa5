//! What every contract must say: the mesh option of an RPC, whole and consistent.

use anyhow::{Result, bail, ensure};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

/// Contracts that other parties wrote, which cannot carry the mesh's option.
const EXEMPT: [&str; 3] = ["grpc.channelz.v1", "grpc.health.v1", "grpc.reflection"];

pub(crate) fn check(pool: &DescriptorPool, owns: impl Fn(&str) -> bool) -> Result<()> {
    for service in pool.services() {
        let package = service.package_name().to_owned();
        if !owns(&package) || EXEMPT.iter().any(|exempt| package.starts_with(exempt)) {
            continue;
        }
        for method in service.methods() {
            check_method(pool, &method)?;
        }
    }
    Ok(())
}

fn check_method(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<()> {
    let name = method.full_name();
    let Some(extension) = pool.get_extension_by_name("tradewind.mesh.v1.rpc") else {
        bail!("{name}: tradewind/mesh/v1/rpc.proto is not imported");
    };
    let options = method.options();
    ensure!(
        options.has_extension(&extension),
        "{name} has no (tradewind.mesh.v1.rpc) option: say who may call it, for how long and how often"
    );
    let value = options.get_extension(&extension);
    let Some(rpc) = value.as_message() else { bail!("{name}: its option is not a message") };

    ensure!(number(rpc, "access") != 0, "{name}: rpc.access is not said");
    ensure!(number(rpc, "rate") != 0, "{name}: rpc.rate is not said");
    ensure!(number(rpc, "deadline_ms") != 0, "{name}: rpc.deadline_ms is not said");
    let permission = rpc.get_field_by_name("permission");
    let named =
        permission.as_ref().and_then(|value| value.as_str()).is_some_and(|it| !it.is_empty());
    let by_permission = number(rpc, "access") == 3;
    ensure!(
        named == by_permission,
        "{name}: rpc.permission goes with ACCESS_PERMISSION, and only with it"
    );
    let level = options.get_field_by_name("idempotency_level");
    let without_effect = level.and_then(|value| value.as_enum_number()) == Some(1);
    if rpc.has_field_by_name("cache") {
        ensure!(without_effect, "{name}: rpc.cache needs idempotency_level = NO_SIDE_EFFECTS");
    }
    if without_effect {
        ensure!(
            number(rpc, "idempotency") == 0,
            "{name}: NO_SIDE_EFFECTS needs no idempotency key"
        );
    }
    Ok(())
}

fn number(message: &DynamicMessage, field: &str) -> i64 {
    match message.get_field_by_name(field).as_deref() {
        Some(Value::EnumNumber(number)) => i64::from(*number),
        Some(Value::U32(number)) => i64::from(*number),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors;

    /// What the build says of a contract whose one RPC has these options.
    fn said(options: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let contract = format!(
            "syntax = \"proto3\"; package test.v1; import \"tradewind/mesh/v1/rpc.proto\";\
             message Empty {{}} service S {{ rpc Call(Empty) returns (Empty) {{ {options} }} }}"
        );
        std::fs::write(folder.path().join("test.proto"), contract)?;
        let set = descriptors::compile(folder.path(), &["test.proto".to_owned()])?;
        check(&set.pool, |package| package == "test.v1")
    }

    const KEPT: &str = "option (tradewind.mesh.v1.rpc) = {access: ACCESS_PUBLIC deadline_ms: 1 \
         rate: RATE_READ cache: {ttl_ms: 1 audience: AUDIENCE_PUBLIC}};";

    #[test]
    fn an_rpc_without_its_policy_does_not_build() {
        let wrong = [
            "",
            "option (tradewind.mesh.v1.rpc) = {deadline_ms: 1 rate: RATE_READ};",
            "option (tradewind.mesh.v1.rpc) = {access: ACCESS_PUBLIC rate: RATE_READ};",
            "option (tradewind.mesh.v1.rpc) = {access: ACCESS_PUBLIC deadline_ms: 1};",
            "option (tradewind.mesh.v1.rpc) = {access: ACCESS_PERMISSION deadline_ms: 1 rate: RATE_READ};",
        ];
        for options in wrong {
            assert!(said(options).unwrap_err().to_string().contains("test.v1.S.Call"), "{options}");
        }
    }

    #[test]
    fn only_an_answer_without_side_effects_may_be_kept() {
        said(&format!("option idempotency_level = NO_SIDE_EFFECTS; {KEPT}")).unwrap();
        for level in ["", "option idempotency_level = IDEMPOTENT;"] {
            let told = said(&format!("{level} {KEPT}")).unwrap_err().to_string();
            assert!(told.contains("NO_SIDE_EFFECTS"), "{told}");
        }
    }
}
