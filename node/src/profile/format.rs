//! The format of pprof (`profile.proto`), as much of it as a profile of time needs, with its published numbers.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

/// What ran, and how often it was seen.
#[derive(Debug)]
pub(super) struct Stack {
    /// The innermost first.
    pub(super) frames: Vec<Frame>,
    pub(super) count: i64,
}

/// A place in the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: i64,
}

/// A whole profile. Texts are numbers in its table of texts, whose first is empty.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

impl Profile {
    /// A profile of time: what was seen at each look, and how much time each look stands for.
    pub(super) fn of_time(
        stacks: impl Iterator<Item = Stack>,
        period: Duration,
        time: Duration,
    ) -> Self {
        let mut tables = Tables::default();
        tables.texts.number(String::new());
        let mut text = |text: &str| tables.texts.number(text.to_owned());
        let looks = ValueType { kind: text("samples"), unit: text("count") };
        let cpu = ValueType { kind: text("cpu"), unit: text("nanoseconds") };
        let period = nanos(period);
        let sample = stacks.map(|stack| tables.sample(stack, period)).collect();
        Self {
            sample_type: vec![looks, cpu],
            sample,
            location: tables.locations,
            function: tables.functions,
            string_table: tables.texts.all,
            duration_nanos: nanos(time),
            period_type: Some(cpu),
            period,
        }
    }

    /// As it is written.
    pub(super) fn gzipped(&self) -> std::io::Result<Vec<u8>> {
        let mut written = GzEncoder::new(Vec::new(), Compression::fast());
        written.write_all(&self.encode_to_vec())?;
        written.finish()
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What is said once and named by its number.
#[derive(Default)]
struct Tables {
    texts: Texts,
    functions: Vec<Function>,
    function_ids: HashMap<(i64, i64), u64>,
    locations: Vec<Location>,
    location_ids: HashMap<Frame, u64>,
}

impl Tables {
    fn sample(&mut self, stack: Stack, period: i64) -> Sample {
        let value = vec![stack.count, stack.count.saturating_mul(period)];
        let location_id = stack.frames.into_iter().map(|frame| self.location(frame)).collect();
        Sample { location_id, value }
    }

    fn location(&mut self, frame: Frame) -> u64 {
        if let Some(id) = self.location_ids.get(&frame) {
            return *id;
        }
        let name = self.texts.number(frame.name.clone());
        let filename = self.texts.number(frame.file.clone());
        let functions = &mut self.functions;
        let function_id = *self.function_ids.entry((name, filename)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function { id, name, system_name: name, filename });
            id
        });
        let id = self.locations.len() as u64 + 1;
        let line = Line { function_id, line: frame.line };
        self.locations.push(Location { id, line: vec![line] });
        self.location_ids.insert(frame, id);
        id
    }
}

#[derive(Default)]
struct Texts {
    all: Vec<String>,
    numbers: HashMap<String, i64>,
}

impl Texts {
    fn number(&mut self, text: String) -> i64 {
        let all = &mut self.all;
        *self.numbers.entry(text).or_insert_with_key(|text| {
            all.push(text.clone());
            i64::try_from(all.len() - 1).unwrap_or_default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, line: i64) -> Frame {
        Frame { name: name.to_owned(), file: "a.rs".to_owned(), line }
    }

    #[test]
    fn each_text_function_and_place_is_said_once() {
        let stacks = [
            Stack { frames: vec![frame("leaf", 7), frame("root", 1)], count: 3 },
            Stack { frames: vec![frame("leaf", 8), frame("root", 1)], count: 1 },
        ];
        let ms = Duration::from_millis(10);

        let profile = Profile::of_time(stacks.into_iter(), ms, Duration::from_secs(1));

        let texts = ["", "samples", "count", "cpu", "nanoseconds", "leaf", "a.rs", "root"];
        assert_eq!(profile.string_table, texts);
        assert_eq!((profile.function.len(), profile.location.len()), (2, 3));
        assert_eq!(profile.sample[0].location_id, [1, 2]);
        assert_eq!(profile.sample[1].location_id, [3, 2]);
        assert_eq!(profile.sample[0].value, [3, 30_000_000]);
        assert_eq!(Profile::decode(profile.encode_to_vec().as_slice()).unwrap(), profile);
        assert!(profile.gzipped().unwrap().starts_with(&[0x1f, 0x8b]));
    }
}
