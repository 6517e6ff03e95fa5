//! Many rows in few statements.
//!
//! Rows go in groups, and a group is filled up to a power of two by repeating its last row: databases
//! keep a statement prepared for each size, and few sizes stay prepared.

use std::fmt::Write;

/// The most rows of one statement; with 12 columns well within the bounds of both databases.
const LARGEST: usize = 256;

/// Rows of one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group<'r, T> {
    rows: &'r [T],
}

/// Rows in groups, each for one statement.
pub(crate) fn groups<T>(rows: &[T]) -> impl Iterator<Item = Group<'_, T>> {
    rows.chunks(LARGEST).map(|rows| Group { rows })
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

    /// Placeholders for one value of each row: `$2, $3, $4, $5`.
    pub(crate) fn list(&self, first: usize) -> String {
        placeholders(first, self.size())
    }

    /// Placeholders for rows of columns: `($2, $3), ($4, $5)`.
    pub(crate) fn values(&self, first: usize, columns: usize) -> String {
        let mut text = String::with_capacity(self.size() * columns * 6);
        for row in 0..self.size() {
            let separator = if row == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
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

        assert_eq!(group.list(2), "$2, $3, $4, $5");
        assert_eq!(group.values(2, 2), "($2, $3), ($4, $5), ($6, $7), ($8, $9)");
        assert_eq!(group.filled().copied().collect::<String>(), "abcc");
        assert_eq!(group.len(), 3);
    }

    #[test]
    fn many_rows_take_few_statements() {
        let sizes: Vec<_> = groups(&[0; 600]).map(|group| (group.len(), group.size())).collect();

        assert_eq!(sizes, [(256, 256), (256, 256), (88, 128)]);
    }
}
