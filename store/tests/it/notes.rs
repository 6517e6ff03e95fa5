//! Resources, an event and tasks to test with, as contracts would give them.

use contract::money::v1::Money;
use contract::{Column, Kind, Malformed, ReadRow, Resource, Stamp, Value, WriteRow};
use prost::Message;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use store::Task;

/// A message with a column of every kind.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Note {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) title: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) subtitle: Option<String>,
    #[prost(int64, tag = "4")]
    pub(crate) rank: i64,
    #[prost(int64, optional, tag = "5")]
    pub(crate) votes: Option<i64>,
    #[prost(double, tag = "6")]
    pub(crate) weight: f64,
    #[prost(double, optional, tag = "7")]
    pub(crate) score: Option<f64>,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) data: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(crate) digest: Option<Vec<u8>>,
    #[prost(string, repeated, tag = "10")]
    pub(crate) tags: Vec<String>,
    #[prost(bool, tag = "11")]
    pub(crate) opened: bool,
    #[prost(message, optional, tag = "12")]
    pub(crate) price: Option<Money>,
    #[prost(message, optional, tag = "13")]
    pub(crate) due: Option<Timestamp>,
    #[prost(string, tag = "14")]
    pub(crate) owner: String,
    #[prost(message, optional, tag = "15")]
    pub(crate) create_time: Option<Timestamp>,
    #[prost(message, optional, tag = "16")]
    pub(crate) update_time: Option<Timestamp>,
    #[prost(string, tag = "17")]
    pub(crate) etag: String,
}

const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, path: name, kind, nullable }
}

impl Resource for Note {
    const NAME: &'static str = "notes.v1.Note";
    const TABLE: &'static str = "notes";
    const ID_PREFIX: &'static str = "note";
    const OWNER: Option<&'static str> = Some("owner");
    const READ_ANY: Option<&'static str> = Some("notes.read_any");
    const COLUMNS: &'static [Column] = &[
        column("id", Kind::Text, false),
        column("title", Kind::Text, false),
        column("subtitle", Kind::Text, true),
        column("rank", Kind::Integer, false),
        column("votes", Kind::Integer, true),
        column("weight", Kind::Double, false),
        column("score", Kind::Double, true),
        column("data", Kind::Bytes, false),
        column("digest", Kind::Bytes, true),
        column("tags", Kind::Bytes, false),
        column("opened", Kind::Integer, false),
        Column { name: "price_minor", path: "price.minor", kind: Kind::Integer, nullable: true },
        Column {
            name: "price_currency",
            path: "price.currency_code",
            kind: Kind::Text,
            nullable: true,
        },
        column("due", Kind::Timestamp, true),
        column("owner", Kind::Text, false),
        column("create_time", Kind::Timestamp, false),
        column("update_time", Kind::Timestamp, false),
        column("etag", Kind::Text, false),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn etag(&self) -> &str {
        &self.etag
    }

    fn stamp(&mut self, stamp: Stamp) {
        stamp_all(
            stamp,
            &mut self.id,
            &mut self.create_time,
            &mut self.update_time,
            &mut self.etag,
        );
    }

    fn write(&self, row: &mut impl WriteRow) {
        row.put(Value::Text(Some(self.id.clone())));
        row.put(Value::Text(Some(self.title.clone())));
        row.put(Value::Text(self.subtitle.clone()));
        row.put(Value::Integer(Some(self.rank)));
        row.put(Value::Integer(self.votes));
        row.put(Value::Double(Some(self.weight)));
        row.put(Value::Double(self.score));
        row.put(Value::Bytes(Some(self.data.clone())));
        row.put(Value::Bytes(self.digest.clone()));
        let tags = Self { tags: self.tags.clone(), ..Self::default() };
        row.put(Value::Bytes(Some(tags.encode_to_vec())));
        row.put(Value::Integer(Some(self.opened.into())));
        row.put(Value::Integer(self.price.as_ref().map(|price| price.minor)));
        row.put(Value::Text(self.price.as_ref().map(|price| price.currency_code.clone())));
        row.put(Value::Timestamp(self.due));
        row.put(Value::Text(Some(self.owner.clone())));
        row.put(Value::Timestamp(self.create_time));
        row.put(Value::Timestamp(self.update_time));
        row.put(Value::Text(Some(self.etag.clone())));
    }

    fn read(row: &mut impl ReadRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: row.text()?,
            title: row.text()?,
            subtitle: row.optional_text()?,
            rank: row.integer()?,
            votes: row.optional_integer()?,
            weight: row.double()?,
            score: row.optional_double()?,
            data: row.bytes()?,
            digest: row.optional_bytes()?,
            tags: row.message::<Self>()?.tags,
            opened: row.integer()? != 0,
            price: {
                let minor = row.optional_integer()?;
                row.money(minor)?
            },
            due: row.optional_timestamp()?,
            owner: row.text()?,
            create_time: row.optional_timestamp()?,
            update_time: row.optional_timestamp()?,
            etag: row.text()?,
        })
    }
}

/// A message without an owner.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) create_time: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub(crate) update_time: Option<Timestamp>,
    #[prost(string, tag = "5")]
    pub(crate) etag: String,
}

impl Resource for Label {
    const NAME: &'static str = "notes.v1.Label";
    const TABLE: &'static str = "labels";
    const ID_PREFIX: &'static str = "lbl";
    const OWNER: Option<&'static str> = None;
    const READ_ANY: Option<&'static str> = None;
    const COLUMNS: &'static [Column] = &[
        column("id", Kind::Text, false),
        column("name", Kind::Text, false),
        column("create_time", Kind::Timestamp, false),
        column("update_time", Kind::Timestamp, false),
        column("etag", Kind::Text, false),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn etag(&self) -> &str {
        &self.etag
    }

    fn stamp(&mut self, stamp: Stamp) {
        stamp_all(
            stamp,
            &mut self.id,
            &mut self.create_time,
            &mut self.update_time,
            &mut self.etag,
        );
    }

    fn write(&self, row: &mut impl WriteRow) {
        row.put(Value::Text(Some(self.id.clone())));
        row.put(Value::Text(Some(self.name.clone())));
        row.put(Value::Timestamp(self.create_time));
        row.put(Value::Timestamp(self.update_time));
        row.put(Value::Text(Some(self.etag.clone())));
    }

    fn read(row: &mut impl ReadRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: row.text()?,
            name: row.text()?,
            create_time: row.optional_timestamp()?,
            update_time: row.optional_timestamp()?,
            etag: row.text()?,
        })
    }
}

fn stamp_all(
    stamp: Stamp,
    id: &mut String,
    create_time: &mut Option<Timestamp>,
    update_time: &mut Option<Timestamp>,
    etag: &mut String,
) {
    if let Some(new) = stamp.id {
        *id = new;
    }
    *create_time = stamp.create_time.or(*create_time);
    *update_time = Some(stamp.update_time);
    *etag = stamp.etag;
}

pub(crate) fn label(name: impl Into<String>) -> Label {
    Label { name: name.into(), ..Label::default() }
}

/// An event.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Labelled {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

impl prost::Name for Labelled {
    const NAME: &'static str = "Labelled";
    const PACKAGE: &'static str = "notes.v1";
}

/// A task.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AddLabel {
    pub(crate) name: String,
}

impl Task for AddLabel {
    const KIND: &'static str = "add-label";
}
