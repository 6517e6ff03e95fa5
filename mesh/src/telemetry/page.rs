//! A metrics page, read back into what OTLP has for it.
//!
//! The page is our own, so that this reads what `prometheus-client` writes and nothing else: families with their
//! types, one sample a line, histograms by their buckets from the lowest on.

use std::collections::BTreeMap;

use opentelemetry::TraceId;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, exemplar,
};

use crate::metrics::NAMES;

/// Labels of a page that OpenTelemetry spells with dots.
const LABELS: [&str; 3] = ["grpc_method", "grpc_target", "grpc_status"];

/// The metrics of a page that counts since `begun`, read at `now`, both in nanoseconds of Unix time.
pub(super) fn read(page: &str, begun: u64, now: u64) -> Vec<Metric> {
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("HELP"), Some(name), help) => {
                    let help = help.unwrap_or_default().trim_end_matches('.').to_owned();
                    families.push(Family { name: name.to_owned(), help, ..Family::default() });
                }
                (Some("TYPE"), Some(_), Some(kind)) => {
                    if let Some(family) = families.last_mut() {
                        kind.clone_into(&mut family.kind);
                    }
                }
                _ => {}
            }
        } else if let (Some(family), Some(sample)) = (families.last_mut(), Sample::read(line)) {
            family.samples.push(sample);
        }
    }
    families.into_iter().filter_map(|family| family.metric(begun, now)).collect()
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    help: String,
    kind: String,
    samples: Vec<Sample>,
}

/// One line.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
    /// A trace that the value leads to, with what was measured in it.
    exemplar: Option<(TraceId, f64)>,
}

impl Sample {
    fn read(line: &str) -> Option<Self> {
        let (line, exemplar) = match line.split_once(" # ") {
            Some((line, exemplar)) => (line, read_exemplar(exemplar)),
            None => (line, None),
        };
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, read_labels(labels.strip_suffix('}')?)?),
            None => (series, Vec::new()),
        };
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()?, exemplar })
    }
}

/// `{trace_id="…"} value`.
fn read_exemplar(text: &str) -> Option<(TraceId, f64)> {
    let (labels, value) = text.strip_prefix('{')?.split_once("} ")?;
    let labels = read_labels(labels)?;
    let (_, id) = labels.iter().find(|(name, _)| name == "trace_id")?;
    Some((TraceId::from_hex(id).ok()?, value.parse().ok()?))
}

/// `name="value",name="value"`, where values have quotes, backslashes and line ends behind a backslash.
fn read_labels(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (mut value, mut letters) = (String::new(), rest.char_indices());
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    letter => value.push(letter),
                },
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    Some(labels)
}

impl Family {
    fn metric(self, begun: u64, now: u64) -> Option<Metric> {
        let known = NAMES.iter().find(|known| known.page == self.name);
        let name = known.map_or_else(|| self.name.clone(), |known| known.otel.to_owned());
        let unit = known.map_or("", |known| known.unit).to_owned();
        let description = self.help.clone();
        let temporality = AggregationTemporality::Cumulative.into();
        let data = match self.kind.as_str() {
            "counter" => Data::Sum(Sum {
                data_points: self.numbers(begun, now),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            // That a gauge goes up and down by one at a time is what OpenTelemetry has a sum for.
            "gauge" if known.is_some() => Data::Sum(Sum {
                data_points: self.numbers(begun, now),
                aggregation_temporality: temporality,
                is_monotonic: false,
            }),
            "gauge" => Data::Gauge(Gauge { data_points: self.numbers(begun, now) }),
            "histogram" => Data::Histogram(Histogram {
                data_points: self.histograms(begun, now),
                aggregation_temporality: temporality,
            }),
            _ => return None,
        };
        Some(Metric { name, description, unit, data: Some(data), ..Metric::default() })
    }

    fn numbers(&self, begun: u64, now: u64) -> Vec<NumberDataPoint> {
        let point = |sample: &Sample| NumberDataPoint {
            attributes: attributes(&sample.labels),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            value: Some(Value::AsDouble(sample.value)),
            ..NumberDataPoint::default()
        };
        self.samples.iter().map(point).collect()
    }

    fn histograms(&self, begun: u64, now: u64) -> Vec<HistogramDataPoint> {
        let mut points: BTreeMap<Vec<(String, String)>, HistogramDataPoint> = BTreeMap::new();
        for Sample { name, labels, value, exemplar: leads } in &self.samples {
            let is_limit = |label: &&(String, String)| label.0 == "le";
            let limit = labels.iter().find(is_limit).map(|(_, limit)| limit.as_str());
            let labels: Vec<_> = labels.iter().filter(|label| !is_limit(label)).cloned().collect();
            let attributes = attributes(&labels);
            let point = points.entry(labels).or_insert_with(|| HistogramDataPoint {
                attributes,
                start_time_unix_nano: begun,
                time_unix_nano: now,
                ..HistogramDataPoint::default()
            });
            if name.ends_with("_sum") {
                point.sum = Some(*value);
            } else if name.ends_with("_count") {
                point.count = whole(*value);
            } else if let Some(limit) = limit {
                // A page adds buckets up; OTLP has each alone.
                let below: u64 = point.bucket_counts.iter().sum();
                point.bucket_counts.push(whole(*value).saturating_sub(below));
                point.explicit_bounds.extend(limit.parse::<f64>().ok().filter(|it| it.is_finite()));
                point.exemplars.extend(leads.map(|(id, measured)| Exemplar {
                    trace_id: id.to_bytes().to_vec(),
                    value: Some(exemplar::Value::AsDouble(measured)),
                    time_unix_nano: now,
                    ..Exemplar::default()
                }));
            }
        }
        points.into_values().collect()
    }
}

fn attributes(labels: &[(String, String)]) -> Vec<KeyValue> {
    let attribute = |(name, value): &(String, String)| {
        let is_dotted = LABELS.contains(&name.as_str());
        let key = if is_dotted { name.replacen('_', ".", 1) } else { name.clone() };
        let value = any_value::Value::StringValue(value.clone());
        KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    };
    labels.iter().map(attribute).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts something")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::metrics::Metrics;
    use crate::trace::Trace;

    fn find<'m>(metrics: &'m [Metric], name: &str) -> &'m Metric {
        metrics.iter().find(|metric| metric.name == name).unwrap()
    }

    #[test]
    fn a_page_says_by_otlp_what_it_says_itself() {
        let metrics = Metrics::default();
        let call = metrics.channel("dns:///a \"b\"\\c:1", 0).of(None);
        call.begin();
        let took = std::time::Duration::from_millis(7);
        let kept = Trace::read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        call.attempt(Code::Ok, took, 2000, 10, kept);
        let _open = metrics.subchannels("dns:///a:1").connected();

        let page = metrics.page();
        let read = read(&page, 1, 2);

        assert!(page.contains("# {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} 0.007"), "{page}");
        let Some(Data::Sum(started)) = &find(&read, "grpc.client.attempt.started").data else {
            panic!("no counter")
        };
        let target = &started.data_points[0].attributes[1];
        assert_eq!(target.key, "grpc.target");
        let said = any_value::Value::StringValue("dns:///a \"b\"\\c:1".to_owned());
        assert_eq!(target.value.as_ref().unwrap().value, Some(said));
        assert!(started.is_monotonic);
        let duration = find(&read, "grpc.client.attempt.duration");
        assert_eq!(duration.unit, "s");
        let Some(Data::Histogram(duration)) = &duration.data else { panic!("no histogram") };
        let point = &duration.data_points[0];
        assert_eq!((point.count, point.sum), (1, Some(0.007)));
        let [leads] = &point.exemplars[..] else { panic!("{:?}", point.exemplars) };
        assert_eq!(leads.value, Some(exemplar::Value::AsDouble(0.007)));
        assert_eq!(leads.trace_id[..2], [0x0a, 0xf7]);
        assert_eq!((point.explicit_bounds.len(), point.bucket_counts.len()), (41, 42));
        let at = point.bucket_counts.iter().position(|count| *count == 1).unwrap();
        assert_eq!(point.explicit_bounds[at - 1..=at], [0.006, 0.008]);
        let Some(Data::Sum(open)) = &find(&read, "grpc.subchannel.open_connections").data else {
            panic!("no sum")
        };
        assert_eq!(
            (open.is_monotonic, &open.data_points[0].value),
            (false, &Some(Value::AsDouble(1.0)))
        );
    }

    #[test]
    fn every_sample_of_a_page_is_read() {
        let metrics = Metrics::default();
        metrics.unknown();

        let read = read(&metrics.page(), 1, 2);

        let count = |metric: &Metric| match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points.len(),
            Data::Gauge(gauge) => gauge.data_points.len(),
            Data::Histogram(histogram) => {
                let sizes = histogram.data_points.iter().map(|it| it.bucket_counts.len() + 2);
                sizes.sum()
            }
            other => panic!("{other:?}"),
        };
        let samples = metrics.page().lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(read.iter().map(count).sum::<usize>(), samples);
    }
}
