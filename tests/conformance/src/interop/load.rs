//! Load reports as ORCA has them: a message in the trailers of a call.

use std::collections::BTreeMap;

use prost::Message;

use crate::contracts::testing::TestOrcaReport;

/// The trailer that a load report of one call stands in.
pub(crate) const HEADER: &str = "endpoint-load-metrics-bin";

/// What `xds.data.orca.v3.OrcaLoadReport` has of what the tests set, with its published numbers.
#[derive(Clone, PartialEq, Message)]
struct OrcaLoadReport {
    #[prost(double, tag = "1")]
    cpu_utilization: f64,
    #[prost(double, tag = "2")]
    mem_utilization: f64,
    #[prost(btree_map = "string, double", tag = "4")]
    request_cost: BTreeMap<String, f64>,
    #[prost(btree_map = "string, double", tag = "5")]
    utilization: BTreeMap<String, f64>,
}

/// The report that a test asks for, encoded.
pub(crate) fn report(asked: &TestOrcaReport) -> Vec<u8> {
    let report = OrcaLoadReport {
        cpu_utilization: asked.cpu_utilization,
        mem_utilization: asked.memory_utilization,
        request_cost: asked.request_cost.clone(),
        utilization: asked.utilization.clone(),
    };
    report.encode_to_vec()
}
