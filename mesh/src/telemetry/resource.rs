//! What a process says it is, by OpenTelemetry's semantic conventions.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

/// The resource of a process of this name; `OTEL_RESOURCE_ATTRIBUTES` adds to it.
pub(super) fn of(name: &str) -> Resource {
    // Two replicas of one name are two instances.
    let instance = uuid::Uuid::from_u128(rand::random()).to_string();
    let mut attributes = vec![
        KeyValue::new("service.namespace", "tradewind"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    // Where a machine does not say what it is called, nothing is said.
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        attributes.push(KeyValue::new("host.name", host.trim().to_owned()));
    }
    Resource::builder().with_service_name(name.to_owned()).with_attributes(attributes).build()
}
