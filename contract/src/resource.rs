//! Messages as rows, free of any database.

use prost_types::Timestamp;

use crate::money::v1::Money;

/// A message that is a row: its table, its columns, and how it goes in and out.
///
/// `contract-build` implements it for messages with the `tradewind.mesh.v1.resource` option; the
/// store is its only user. The `project` column of every table is the store's, not the message's.
pub trait Resource: prost::Message + Default + Clone {
    /// The message's full name.
    const NAME: &'static str;
    /// The table in its service's database.
    const TABLE: &'static str;
    /// What its ids begin with, before the underscore.
    const ID_PREFIX: &'static str;
    /// The column that says who owns a row; `None` when the project does.
    const OWNER: Option<&'static str>;
    /// The permission that reaches the rows of every owner.
    const READ_ANY: Option<&'static str>;
    /// Its columns, in the order of `write` and `read`.
    const COLUMNS: &'static [Column];

    /// Its id, empty before it is first kept.
    fn id(&self) -> &str;
    /// What it was when it was read.
    fn etag(&self) -> &str;
    /// Sets what the store decides.
    fn stamp(&mut self, stamp: Stamp);
    /// Puts a value for each column, in their order.
    fn write(&self, row: &mut impl WriteRow);
    /// Takes a value for each column, in their order.
    fn read(row: &mut impl ReadRow) -> Result<Self, Malformed>;
}

/// What the store decides of a row.
#[derive(Debug, Clone, Default)]
pub struct Stamp {
    /// A new id; `None` keeps the one it has.
    pub id: Option<String>,
    /// When it was made; `None` keeps what it says.
    pub create_time: Option<Timestamp>,
    /// When it is written.
    pub update_time: Timestamp,
    /// The new etag.
    pub etag: String,
}

/// One column of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its name in filters and orders, such as `price.minor`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may hold nothing.
    pub nullable: bool,
}

/// What a column holds, in the types that SQLite and PostgreSQL both keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `TEXT`; an enum is the name of its value without the prefix.
    Text,
    /// `BIGINT`; a bool is 0 or 1.
    Integer,
    /// `DOUBLE PRECISION`.
    Double,
    /// `BYTEA`.
    Bytes,
    /// `BIGINT`: microseconds since 1970, UTC.
    Timestamp,
}

/// A column's value; `None` is NULL and keeps its kind, which PostgreSQL asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// See [`Kind::Text`].
    Text(Option<String>),
    /// See [`Kind::Integer`].
    Integer(Option<i64>),
    /// See [`Kind::Double`].
    Double(Option<f64>),
    /// See [`Kind::Bytes`].
    Bytes(Option<Vec<u8>>),
    /// See [`Kind::Timestamp`].
    Timestamp(Option<Timestamp>),
}

/// A row being written.
pub trait WriteRow {
    /// Sets the next column.
    fn put(&mut self, value: Value);
}

impl WriteRow for Vec<Value> {
    fn put(&mut self, value: Value) {
        self.push(value);
    }
}

/// A stored row does not hold what its contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} does not hold what its contract says")]
pub struct Malformed {
    /// The column at fault.
    pub column: String,
}

/// A row being read, column by column.
pub trait ReadRow {
    /// The value of the next column, read as a kind.
    fn take(&mut self, kind: Kind) -> Result<Value, Malformed>;

    /// An error at a column.
    fn malformed(&self, column: &str) -> Malformed {
        Malformed { column: column.to_owned() }
    }

    /// The next column, a text.
    fn text(&mut self) -> Result<String, Malformed> {
        self.optional_text()?.ok_or_else(|| self.malformed("of text"))
    }

    /// The next column, a text or nothing.
    fn optional_text(&mut self) -> Result<Option<String>, Malformed> {
        match self.take(Kind::Text)? {
            Value::Text(value) => Ok(value),
            _ => Err(self.malformed("of text")),
        }
    }

    /// The next column, an integer.
    fn integer(&mut self) -> Result<i64, Malformed> {
        self.optional_integer()?.ok_or_else(|| self.malformed("of an integer"))
    }

    /// The next column, an integer or nothing.
    fn optional_integer(&mut self) -> Result<Option<i64>, Malformed> {
        match self.take(Kind::Integer)? {
            Value::Integer(value) => Ok(value),
            _ => Err(self.malformed("of an integer")),
        }
    }

    /// The next column, a double.
    fn double(&mut self) -> Result<f64, Malformed> {
        self.optional_double()?.ok_or_else(|| self.malformed("of a double"))
    }

    /// The next column, a double or nothing.
    fn optional_double(&mut self) -> Result<Option<f64>, Malformed> {
        match self.take(Kind::Double)? {
            Value::Double(value) => Ok(value),
            _ => Err(self.malformed("of a double")),
        }
    }

    /// The next column, bytes.
    fn bytes(&mut self) -> Result<Vec<u8>, Malformed> {
        self.optional_bytes()?.ok_or_else(|| self.malformed("of bytes"))
    }

    /// The next column, bytes or nothing.
    fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        match self.take(Kind::Bytes)? {
            Value::Bytes(value) => Ok(value),
            _ => Err(self.malformed("of bytes")),
        }
    }

    /// The next column, a time or nothing.
    fn optional_timestamp(&mut self) -> Result<Option<Timestamp>, Malformed> {
        match self.take(Kind::Timestamp)? {
            Value::Timestamp(value) => Ok(value),
            _ => Err(self.malformed("of a time")),
        }
    }

    /// The next column, the protobuf of a message.
    fn message<M: prost::Message + Default>(&mut self) -> Result<M, Malformed> {
        M::decode(self.bytes()?.as_slice()).map_err(|_| self.malformed("of a message"))
    }

    /// The next column, the currency of an amount whose minor units were read before it.
    fn money(&mut self, minor: Option<i64>) -> Result<Option<Money>, Malformed> {
        match (minor, self.optional_text()?) {
            (Some(minor), Some(currency_code)) => Ok(Some(Money { currency_code, minor })),
            (None, None) => Ok(None),
            _ => Err(self.malformed("of an amount")),
        }
    }
}
