//! A query as it was understood when a typo was forgiven.

use std::collections::HashMap;

use tradewind::catalog::v1::Product;

use super::schema::{names, words_of};
use super::text;

/// How many letters of a word may be wrong: short words have too many neighbours.
pub(super) fn forgiven(word: &str) -> u8 {
    match word.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// The words of a query, each that no found product has replaced by its nearest neighbour in them.
pub(super) fn query(asked: &str, found: &[Product]) -> String {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for product in found {
        let mut texts = vec![product.title.as_str()];
        texts.extend(names(product));
        let description = text::plain(&product.description);
        texts.push(&description);
        for word in texts.into_iter().flat_map(words_of) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let asked = words_of(asked);
    let understood: Vec<_> = asked.iter().map(|word| nearest(word, &counts)).collect();
    understood.join(" ")
}

/// The word itself when it is there or begins one that is; else the nearest, most frequent one.
fn nearest<'w>(word: &'w str, counts: &'w HashMap<String, usize>) -> &'w str {
    if counts.contains_key(word) {
        return word;
    }
    let limit = usize::from(forgiven(word));
    let near = counts.iter().filter_map(|(known, count)| {
        let distance = distance(word, known);
        let rank = (std::cmp::Reverse(distance), *count, std::cmp::Reverse(known));
        (distance <= limit).then_some((rank, known))
    });
    near.max_by(|(one, _), (other, _)| one.cmp(other)).map_or(word, |(_, known)| known)
}

/// How many letters must be added, taken, changed or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let width = other.len() + 1;
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..width).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut line = vec![row + 1; width];
        for (column, known) in other.iter().enumerate() {
            let changed = above[column] + usize::from(letter != known);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *known;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            line[column + 1] = least;
        }
        before = std::mem::replace(&mut above, line);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_letters() {
        for (one, other, letters) in
            [("shirt", "shirt", 0), ("shrit", "shirt", 1), ("shrt", "shirt", 1), ("", "tea", 3)]
        {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }

    #[test]
    fn a_word_becomes_its_nearest_neighbour_in_what_was_found() {
        let found = Product {
            title: "Linen shirt".into(),
            description: "<p>Breathable</p>".into(),
            ..Product::default()
        };

        assert_eq!(query("Linnen shirt breatheble", &[found]), "linen shirt breathable");
    }
}
