//! The order of a list, and where a page begins in it.

use contract::{Column, Kind, Value};

use crate::error::Error;
use crate::statement::Draft;

/// The most columns of an order.
const MOST_KEYS: usize = 5;

/// A column that a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Its place among the resource's columns.
    pub(super) column: usize,
    pub(super) descending: bool,
}

/// The keys of an `order_by`, with the id last.
pub(super) fn parse(order_by: &str, columns: &[Column]) -> Result<Vec<Key>, Error> {
    let mut keys: Vec<Key> = Vec::new();
    for part in order_by.split(',').filter(|_| !order_by.trim().is_empty()) {
        let key = parse_key(part, columns)?;
        if keys.iter().any(|known| known.column == key.column) {
            return Err(invalid(format!("`{}` is named twice", columns[key.column].path)));
        }
        keys.push(key);
    }
    if keys.len() > MOST_KEYS {
        return Err(invalid(format!("it names more than {MOST_KEYS} fields")));
    }
    let id = columns.iter().position(|column| column.name == "id").unwrap_or_default();
    if !keys.iter().any(|key| key.column == id) {
        let descending = keys.last().is_some_and(|key| key.descending);
        keys.push(Key { column: id, descending });
    }
    Ok(keys)
}

fn parse_key(part: &str, columns: &[Column]) -> Result<Key, Error> {
    let words: Vec<_> = part.split_whitespace().collect();
    let (path, descending) = match words[..] {
        [path] | [path, "asc"] => (path, false),
        [path, "desc"] => (path, true),
        _ => return Err(invalid(format!("`{}` is not a field and asc or desc", part.trim()))),
    };
    let Some(at) = columns.iter().position(|column| column.path == path) else {
        return Err(invalid(format!("there is no field `{path}`")));
    };
    // Rows without a value have no place that both databases agree on.
    if columns[at].nullable || columns[at].kind == Kind::Bytes {
        return Err(invalid(format!("a list cannot be ordered by `{path}`")));
    }
    Ok(Key { column: at, descending })
}

fn invalid(problem: String) -> Error {
    Error::InvalidList { field: "order_by", reason: "INVALID_ORDER", problem }
}

/// ` ORDER BY "create_time" DESC, "id" DESC`
pub(super) fn render(keys: &[Key], columns: &[Column], sql: &mut Draft) {
    let keys = keys.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        format!("\"{}\"{direction}", columns[key.column].name)
    });
    sql.push(format!(" ORDER BY {}", keys.collect::<Vec<_>>().join(", ")));
}

/// The condition of rows that come after a row with these values.
pub(super) fn render_after(keys: &[Key], columns: &[Column], after: &[Value], sql: &mut Draft) {
    let name = |at: usize| format!("\"{}\"", columns[keys[at].column].name);
    let past = |at: usize| if keys[at].descending { "<" } else { ">" };
    // One comparison of rows can follow an index; mixed directions cannot be one.
    if keys.iter().all(|key| key.descending == keys[0].descending) {
        let names = (0..keys.len()).map(name).collect::<Vec<_>>().join(", ");
        sql.push(format!("({names}) {} (", past(0)));
        for (at, value) in after.iter().enumerate() {
            sql.push(if at > 0 { ", " } else { "" });
            sql.bind(value.clone());
        }
        sql.push(")");
        return;
    }
    sql.push("(");
    for last in 0..keys.len() {
        sql.push(if last > 0 { " OR (" } else { "(" });
        for (at, value) in after.iter().enumerate().take(last) {
            sql.push(format!("{} = ", name(at)));
            sql.bind(value.clone());
            sql.push(" AND ");
        }
        sql.push(format!("{} {} ", name(last), past(last)));
        sql.bind(after[last].clone());
        sql.push(")");
    }
    sql.push(")");
}
