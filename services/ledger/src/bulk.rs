//! Many rows in few statements.
//!
//! Rows go in groups, and a group is filled up to a power of two by repeating its last row: databases
//! keep a statement prepared for each size, and few sizes stay prepared.

use std::fmt::Write;

/// The most rows that one statement writes; with 12 columns well within the bounds of both databases.
pub(crate) const WRITTEN: usize = 256;
/// The most rows that one statement looks up; PostgreSQL takes long to plan more.
pub(crate) const LOOKED_UP: usize = 64;

/// Rows of one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group<'r, T> {
    rows: &'r [T],
}

/// Rows in groups of at most so many, each for one statement.
pub(crate) fn groups<T>(rows: &[T], most: usize) -> impl Iterator<Item = Group<'_, T>> {
    rows.chunks(most).map(|rows| Group { rows })
}

impl<'r, T> Group<'r, T> {
    /// How many rows there are to write.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows to bind, the last one as often as it takes.
    pub(crate) fn filled(&self) -> impl Iterator<Item = &'r T> + use<'r, T> {
        let rest = self.size() - self.rows.len();
        self.rows.iter().chain(self.rows.last().into_iter().cycle().take(rest))
    }

    /// A lookup of each row by its key, the placeholder that the text ends before: `… id = $2 UNION ALL … id = $3`.
    ///
    /// A list of keys would be one condition, which PostgreSQL answers by reading all of a project for as
    /// long as the plan from when the tables were empty lives.
    pub(crate) fn lookups(&self, lookup: &str, first: usize) -> String {
        let mut text = String::with_capacity(self.size() * (lookup.len() + 16));
        for row in 0..self.size() {
            let separator = if row == 0 { "" } else { " UNION ALL " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{lookup}${}", first + row);
        }
        text
    }

    /// Placeholders for rows of columns: `($2, $3), ($4, $5)`.
    pub(crate) fn values(&self, first: usize, columns: usize) -> String {
        let mut text = String::with_capacity(self.size() * columns * 6);
        for row in 0..self.size() {
            let separator = if row == 0 { "" } else { ", " };
            let _ = write!(text, "{separator}({})", placeholders(first + row * columns, columns));
        }
        text
    }

    fn size(&self) -> usize {
        self.rows.len().next_power_of_two()
    }
}

fn placeholders(first: usize, count: usize) -> String {
    let mut text = String::with_capacity(count * 6);
    for at in first..first + count {
        let separator = if at == first { "" } else { ", " };
        let _ = write!(text, "{separator}${at}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_up_to_a_power_of_two() {
        let group = Group { rows: &["a", "b", "c"] };

        let lookups = "id = $2 UNION ALL id = $3 UNION ALL id = $4 UNION ALL id = $5";
        assert_eq!(group.lookups("id = ", 2), lookups);
        assert_eq!(group.values(2, 2), "($2, $3), ($4, $5), ($6, $7), ($8, $9)");
        assert_eq!(group.filled().copied().collect::<String>(), "abcc");
        assert_eq!(group.len(), 3);
    }

    #[test]
    fn many_rows_take_few_statements() {
        let sizes: Vec<_> =
            groups(&[0; 600], 256).map(|group| (group.len(), group.size())).collect();

        assert_eq!(sizes, [(256, 256), (256, 256), (88, 128)]);
    }
}
