//! What is counted, by the names of gRFC A66, A94 and A96, in OpenTelemetry's spelling and in Prometheus's.

/// Latency buckets of gRFC A66, in seconds.
pub(super) const LATENCY: &[f64] = &[
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005,
    0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16,
    0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// Size buckets of gRFC A66, in bytes.
pub(super) const SIZE: &[f64] = &[
    0.0,
    1_024.0,
    2_048.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
/// How often a call was tried again: never more than five times, but for tries that never left.
pub(super) const RETRIES: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0];
/// The same for tries that never left, which nothing bounds but the deadline.
pub(super) const TRANSPARENT: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 10.0];

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// As OpenTelemetry has it.
    pub(crate) otel: &'static str,
    /// As a Prometheus page has it, without what the library appends to counters.
    pub(crate) page: &'static str,
    /// As OpenTelemetry has it.
    pub(crate) unit: &'static str,
    pub(super) help: &'static str,
}

macro_rules! names {
    ($($constant:ident: $otel:literal, $page:literal, $unit:literal, $help:literal;)*) => {
        $(pub(super) const $constant: Name =
            Name { otel: $otel, page: $page, unit: $unit, help: $help };)*
        /// Every metric whose two spellings differ by more than a rule tells.
        pub(crate) const NAMES: &[Name] = &[$($constant),*];
    };
}

names! {
    CACHE_HITS: "mesh.cache.hits", "mesh_cache_hits", "{lookup}",
        "Lookups of a cache that found what was kept";
    CACHE_MISSES: "mesh.cache.misses", "mesh_cache_misses", "{lookup}",
        "Lookups of a cache that found nothing";
    CACHE_EVICTIONS: "mesh.cache.evictions", "mesh_cache_evictions", "{entry}",
        "What a cache kept and had to let go, for room or for its age";
    CACHE_LOOKUPS: "mesh.cache.lookup.duration", "mesh_cache_lookup_duration_seconds", "s",
        "Time of a lookup, what it waits for included";
    SERVER_STARTED: "grpc.server.call.started", "grpc_server_call_started", "{call}",
        "Calls that arrived";
    SERVER_DURATION: "grpc.server.call.duration", "grpc_server_call_duration_seconds", "s",
        "Time from a call's arrival to the end of its answer";
    SERVER_SENT: "grpc.server.call.sent_total_compressed_message_size",
        "grpc_server_call_sent_total_compressed_message_size_bytes", "By",
        "Bytes of the messages that answered a call";
    SERVER_RECEIVED: "grpc.server.call.rcvd_total_compressed_message_size",
        "grpc_server_call_rcvd_total_compressed_message_size_bytes", "By",
        "Bytes of the messages that a call asked with";
    ATTEMPT_STARTED: "grpc.client.attempt.started", "grpc_client_attempt_started", "{attempt}",
        "Tries of calls to other processes";
    ATTEMPT_DURATION: "grpc.client.attempt.duration", "grpc_client_attempt_duration_seconds", "s",
        "Time from the start of a try to its end, the choice of an endpoint included";
    ATTEMPT_SENT: "grpc.client.attempt.sent_total_compressed_message_size",
        "grpc_client_attempt_sent_total_compressed_message_size_bytes", "By",
        "Bytes of the messages that a try sent";
    ATTEMPT_RECEIVED: "grpc.client.attempt.rcvd_total_compressed_message_size",
        "grpc_client_attempt_rcvd_total_compressed_message_size_bytes", "By",
        "Bytes of the messages that a try received";
    CALL_DURATION: "grpc.client.call.duration", "grpc_client_call_duration_seconds", "s",
        "Time from the start of a call to another process to its end, with all its tries";
    CALL_RETRIES: "grpc.client.call.retries", "grpc_client_call_retries", "{retry}",
        "How often a call was tried again, of calls that were";
    CALL_TRANSPARENT: "grpc.client.call.transparent_retries",
        "grpc_client_call_transparent_retries", "{transparent_retry}",
        "How often a call was tried again that nobody had begun, of calls that were";
    CALL_HEDGES: "grpc.client.call.hedges", "grpc_client_call_hedges", "{hedge}",
        "How often a call was sent beside itself, of calls that were";
    CALL_DELAY: "grpc.client.call.retry_delay", "grpc_client_call_retry_delay_seconds", "s",
        "Time between the tries of a call, of calls that were tried again";
    CONNECTED: "grpc.subchannel.connection_attempts_succeeded",
        "grpc_subchannel_connection_attempts_succeeded", "{attempt}",
        "Connections to endpoints that were made";
    NOT_CONNECTED: "grpc.subchannel.connection_attempts_failed",
        "grpc_subchannel_connection_attempts_failed", "{attempt}",
        "Connections to endpoints that could not be made";
    DISCONNECTED: "grpc.subchannel.disconnections", "grpc_subchannel_disconnections",
        "{disconnection}", "Connections to endpoints that have ended";
    OPEN: "grpc.subchannel.open_connections", "grpc_subchannel_open_connections", "{connection}",
        "Connections to endpoints that are open";
}
