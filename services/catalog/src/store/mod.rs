//! The SQL of the catalog that resources do not give.
//!
//! Invariant: rows are held in one order by all: reservations or products, variants, stock levels by id,
//! and the revision last; so no two transactions wait for each other.

pub(crate) mod audit;
pub(crate) mod categories;
pub(crate) mod changes;
pub(crate) mod products;
pub(crate) mod stock;

use std::sync::LazyLock;

/// The most rows that one statement writes: SQLite looks for each placeholder among all before it.
const ROWS: usize = 100;
/// The most values that one `IN` list holds.
const LONGEST_LIST: usize = 1024;

/// So many placeholders from `$from` on.
fn places(from: usize, count: usize) -> String {
    let places: Vec<_> = (from..from + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

/// Rows of so many own columns each, after `$1` to `$shared` that all rows have, for between
/// `VALUES ($1, ` and `)`: `$2, $3), ($1, $4, $5`.
fn rows(count: usize, shared: usize, own: usize) -> String {
    let shared_places = places(1, shared);
    let rows: Vec<_> = (0..count).map(|row| places(shared + 1 + row * own, own)).collect();
    rows.join(&format!("), ({shared_places}, "))
}

/// Values for an `IN` list, the last one repeated up to a power of two: few texts, which stay prepared.
fn padded<'v>(values: &[&'v str]) -> Vec<&'v str> {
    let mut padded = values.to_vec();
    let last = values.last().copied().unwrap_or_default();
    padded.resize(values.len().next_power_of_two(), last);
    padded
}

/// `id IN ($2, …)` for so many values, a power of two.
fn ids_in(count: usize) -> &'static str {
    static CONDITIONS: LazyLock<Vec<String>> = LazyLock::new(|| conditions("id"));
    &CONDITIONS[power(count)]
}

/// `handle IN ($2, …)` for so many values, a power of two.
fn handles_in(count: usize) -> &'static str {
    static CONDITIONS: LazyLock<Vec<String>> = LazyLock::new(|| conditions("handle"));
    &CONDITIONS[power(count)]
}

fn conditions(column: &str) -> Vec<String> {
    let powers = 0..=power(LONGEST_LIST);
    powers.map(|power| format!("{column} IN ({})", places(2, 1 << power))).collect()
}

fn power(count: usize) -> usize {
    count.next_power_of_two().trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_share_their_first_columns() {
        assert_eq!(rows(2, 1, 2), "$2, $3), ($1, $4, $5");
        assert_eq!(rows(2, 2, 1), "$3), ($1, $2, $4");
    }

    #[test]
    fn a_list_is_padded_with_its_last_value() {
        assert_eq!(padded(&["a", "b", "c"]), ["a", "b", "c", "c"]);
        assert_eq!(ids_in(4), "id IN ($2, $3, $4, $5)");
    }
}
