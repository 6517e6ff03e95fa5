//! The SQL of each resource, written once for its type.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use contract::Resource;

use crate::error::Error;

/// What the store says of a resource, in SQL and in words.
#[derive(Debug)]
pub(crate) struct Table {
    /// Such as `order`.
    pub(crate) noun: String,
    not_found: String,
    already_exists: String,
    /// `"id", "state", …`
    pub(crate) columns: String,
    /// Up to its condition: `SELECT … FROM "orders" WHERE project = $1`.
    pub(crate) select: String,
    /// The row `$2`.
    pub(crate) get: String,
    /// The row `$2` of the owner `$3`.
    pub(crate) get_owned: String,
    /// Up to its rows: `INSERT INTO "orders" (project, …) VALUES `.
    pub(crate) insert: String,
    /// One row.
    pub(crate) insert_one: String,
    /// The row `$2` with the etag `$3`.
    pub(crate) delete: String,
}

/// The table of a resource.
pub(crate) fn of<R: Resource + 'static>() -> &'static Table {
    static TABLES: LazyLock<RwLock<HashMap<TypeId, &'static Table>>> =
        LazyLock::new(RwLock::default);
    let key = TypeId::of::<R>();
    let known = TABLES.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
    known.unwrap_or_else(|| {
        let mut tables = TABLES.write().unwrap_or_else(PoisonError::into_inner);
        // Leaked: one small value for each resource that the program knows.
        tables.entry(key).or_insert_with(|| Box::leak(Box::new(Table::new::<R>())))
    })
}

/// The columns of a resource, as a SELECT names them whose rows are read by [`crate::Row::resource`].
#[must_use]
pub fn columns<R: Resource + 'static>() -> &'static str {
    &of::<R>().columns
}

impl Table {
    fn new<R: Resource>() -> Self {
        let words = words(R::NAME);
        let constant = words.join("_").to_uppercase();
        let columns: Vec<_> =
            R::COLUMNS.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let columns = columns.join(", ");
        let table = R::TABLE;
        let select = format!("SELECT {columns} FROM \"{table}\" WHERE project = $1");
        let get = format!("{select} AND id = $2");
        let owned = R::OWNER.map(|owner| format!(" AND \"{owner}\" = $3")).unwrap_or_default();
        let insert = format!("INSERT INTO \"{table}\" (project, {columns}) VALUES ");
        Self {
            noun: words.join(" ").to_lowercase(),
            not_found: format!("{constant}_NOT_FOUND"),
            already_exists: format!("{constant}_ALREADY_EXISTS"),
            get_owned: format!("{get}{owned}"),
            get,
            select,
            insert_one: insert.clone() + &placeholders(1, R::COLUMNS.len() + 1),
            insert,
            delete: format!("DELETE FROM \"{table}\" WHERE project = $1 AND id = $2 AND etag = $3"),
            columns,
        }
    }

    pub(crate) fn not_found(&'static self, id: &str) -> Error {
        Error::NotFound { reason: &self.not_found, noun: &self.noun, id: id.to_owned() }
    }

    pub(crate) fn stale(&'static self, id: &str) -> Error {
        Error::StaleEtag { noun: &self.noun, id: id.to_owned() }
    }

    /// A unique violation in words; other errors as they are.
    pub(crate) fn or_already_exists(&'static self, error: Error) -> Error {
        let Some(mut columns) = crate::error::repeated_columns(&error) else { return error };
        if columns.is_empty() {
            columns.push("key".into());
        }
        let article = if self.noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let noun = format!("{article} {}", self.noun);
        Error::AlreadyExists { reason: &self.already_exists, noun, columns }
    }
}

/// `($1, $2), ($1, $3)`: rows that share the project as `$1`.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let own = columns - 1;
    let rows = (0..rows).map(|row| {
        let row = (0..own).map(|column| format!(", ${}", row * own + column + 2));
        format!("($1{})", row.collect::<String>())
    });
    rows.collect::<Vec<_>>().join(", ")
}

/// The words of a message's name: `tradewind.orders.v1.ReturnRequest` is `Return`, `Request`.
fn words(name: &str) -> Vec<String> {
    let name = name.rsplit('.').next().unwrap_or(name);
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_uppercase() => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_name_becomes_words() {
        assert_eq!(words("tradewind.orders.v1.ReturnRequest"), ["Return", "Request"]);
    }

    #[test]
    fn rows_share_the_project() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($1, $4, $5)");
    }
}
