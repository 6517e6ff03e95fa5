//! Statements, what they bind, and the rows they give.

use std::borrow::Cow;

use contract::{Column, Kind, Malformed, ReadRow, Resource, Value};
use mesh::clock::{micros, timestamp};
use prost_types::Timestamp;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Arguments, Row as _};

use crate::error::Error;

/// A statement ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) values: Vec<Value>,
    /// Whether it is worth keeping prepared.
    pub(crate) persistent: bool,
}

impl Statement {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new(), persistent: true }
    }

    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    pub(crate) fn binds(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }
}

/// A statement being written, whose text and values stay in step.
#[derive(Debug)]
pub(crate) struct Draft {
    sql: String,
    values: Vec<Value>,
}

impl Draft {
    pub(crate) fn new(sql: &str, values: Vec<Value>) -> Self {
        Self { sql: sql.to_owned(), values }
    }

    pub(crate) fn push(&mut self, sql: impl AsRef<str>) {
        self.sql.push_str(sql.as_ref());
    }

    /// Appends a value, by its placeholder.
    pub(crate) fn bind(&mut self, value: Value) {
        self.values.push(value);
        let place = self.values.len();
        self.push(format!("${place}"));
    }

    pub(crate) fn finish(self) -> Statement {
        Statement { sql: self.sql.into(), values: self.values, persistent: true }
    }

    #[cfg(test)]
    pub(crate) fn parts(self) -> (String, Vec<Value>) {
        (self.sql, self.values)
    }
}

/// Adds an argument; nothing keeps its kind, which PostgreSQL asks for.
pub(crate) fn add(arguments: &mut AnyArguments, value: Value) -> Result<(), Error> {
    let added = match value {
        Value::Text(Some(text)) if text.contains('\0') => return Err(Error::Nul),
        Value::Text(text) => match text {
            Some(text) => arguments.add(text),
            None => arguments.add(None::<String>),
        },
        Value::Integer(integer) => arguments.add(integer),
        Value::Timestamp(time) => arguments.add(time.as_ref().map(micros)),
        Value::Double(Some(double)) => arguments.add(double),
        // sqlx 0.9.0 takes a missing REAL for a missing DOUBLE, and the other way round.
        Value::Double(None) => arguments.add(None::<f32>),
        Value::Bytes(Some(bytes)) => arguments.add(bytes),
        Value::Bytes(None) => arguments.add(None::<Vec<u8>>),
    };
    added.map_err(|error| Error::from(sqlx::Error::Encode(error)))
}

/// What a statement can bind.
pub trait Bind {
    /// The value as columns hold it.
    fn value(self) -> Value;
}

macro_rules! bind {
    ($($type:ty => |$it:ident| $kind:ident($value:expr)),* $(,)?) => {$(
        impl Bind for $type {
            fn value(self) -> Value {
                let $it = self;
                Value::$kind(Some($value))
            }
        }

        impl Bind for Option<$type> {
            fn value(self) -> Value {
                Value::$kind(self.map(|$it| $value))
            }
        }
    )*};
}

bind! {
    &str => |it| Text(it.to_owned()),
    &String => |it| Text(it.clone()),
    String => |it| Text(it),
    i64 => |it| Integer(it),
    i32 => |it| Integer(i64::from(it)),
    u32 => |it| Integer(i64::from(it)),
    bool => |it| Integer(i64::from(it)),
    f64 => |it| Double(it),
    Vec<u8> => |it| Bytes(it),
    &[u8] => |it| Bytes(it.to_vec()),
    Timestamp => |it| Timestamp(it),
}

impl Bind for Value {
    fn value(self) -> Value {
        self
    }
}

/// A row of a query.
pub struct Row {
    row: AnyRow,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its columns, not its values: those may be secret.
        let columns = self.row.columns().iter().map(sqlx::Column::name);
        f.debug_list().entries(columns).finish()
    }
}

impl Row {
    pub(crate) fn new(row: AnyRow) -> Self {
        Self { row }
    }

    /// The value of a column by its name: a `String`, `i64`, `i32`, `u32`, `bool`, `f64`, `Vec<u8>`,
    /// `Timestamp`, or an `Option` of one.
    pub fn get<T: FromColumn>(&self, column: &str) -> Result<T, Error> {
        T::from_column(&self.row, column)?
            .ok_or_else(|| Error::Malformed(Malformed { column: column.to_owned() }))
    }

    /// The resource whose columns the row begins with.
    pub fn resource<R: Resource>(&self) -> Result<R, Error> {
        read(&self.row)
    }
}

/// What a column can be read as.
pub trait FromColumn: Sized {
    /// The value, or `None` when the column holds nothing and the type cannot.
    #[doc(hidden)]
    fn from_column(row: &AnyRow, column: &str) -> Result<Option<Self>, Error>;
}

macro_rules! from_column {
    ($($type:ty as $stored:ty => |$it:ident| $value:expr),* $(,)?) => {$(
        impl FromColumn for $type {
            fn from_column(row: &AnyRow, column: &str) -> Result<Option<Self>, Error> {
                let value: Option<$stored> = row.try_get(column)?;
                let Some($it) = value else { return Ok(None) };
                match $value {
                    Some(value) => Ok(Some(value)),
                    None => Err(Error::Malformed(Malformed { column: column.to_owned() })),
                }
            }
        }
    )*};
}

from_column! {
    String as String => |it| Some(it),
    i64 as i64 => |it| Some(it),
    i32 as i64 => |it| i32::try_from(it).ok(),
    u32 as i64 => |it| u32::try_from(it).ok(),
    bool as i64 => |it| Some(it != 0),
    f64 as f64 => |it| Some(it),
    Vec<u8> as Vec<u8> => |it| Some(it),
    Timestamp as i64 => |it| Some(timestamp(it)),
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(row: &AnyRow, column: &str) -> Result<Option<Self>, Error> {
        T::from_column(row, column).map(Some)
    }
}

/// The resource in a row that begins with its columns.
pub(crate) fn read<R: Resource>(row: &AnyRow) -> Result<R, Error> {
    Ok(R::read(&mut Cursor { row, next: 0, columns: R::COLUMNS })?)
}

struct Cursor<'r> {
    row: &'r AnyRow,
    next: usize,
    columns: &'static [Column],
}

impl ReadRow for Cursor<'_> {
    fn take(&mut self, kind: Kind) -> Result<Value, Malformed> {
        let at = self.next;
        self.next += 1;
        let value = match kind {
            Kind::Text => self.row.try_get(at).map(Value::Text),
            Kind::Integer => self.row.try_get(at).map(Value::Integer),
            Kind::Double => self.row.try_get(at).map(Value::Double),
            Kind::Bytes => self.row.try_get(at).map(Value::Bytes),
            Kind::Timestamp => self
                .row
                .try_get(at)
                .map(|micros: Option<i64>| Value::Timestamp(micros.map(timestamp))),
        };
        value.map_err(|_| self.malformed(""))
    }

    fn malformed(&self, _: &str) -> Malformed {
        let column = self.next.checked_sub(1).and_then(|at| self.columns.get(at));
        Malformed { column: column.map_or("", |column| column.name).to_owned() }
    }
}
