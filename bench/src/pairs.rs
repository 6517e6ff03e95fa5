//! Pairs in turns: what is measured, then its peer, again and again.

/// The middle of some figures, and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one figure; of none, all are zero.
    pub(crate) fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            return Self { median: 0.0, least: 0.0, most: 0.0 };
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Self { median, least: *least, most: *most }
    }

    /// As a table has it: the median, then the least and the most.
    pub(crate) fn told(&self, unit: &str) -> String {
        let Self { median, least, most } = self;
        format!("{}{unit} ({}–{})", figure(*median), figure(*least), figure(*most))
    }
}

/// Figures of one thing and of what stands beside it, each pair measured in turn.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) subject: Vec<f64>,
    pub(crate) beside: Vec<f64>,
}

impl Pairs {
    pub(crate) fn push(&mut self, subject: f64, beside: f64) {
        self.subject.push(subject);
        self.beside.push(beside);
    }

    /// The subject's share of its peer, pair by pair.
    pub(crate) fn ratio(&self) -> Spread {
        self.each(|subject, beside| subject / beside)
    }

    /// What the subject has more than its peer, pair by pair.
    pub(crate) fn difference(&self) -> Spread {
        self.each(|subject, beside| subject - beside)
    }

    fn each(&self, of: impl Fn(f64, f64) -> f64) -> Spread {
        let pairs = self.subject.iter().zip(&self.beside);
        Spread::of(&pairs.map(|(subject, beside)| of(*subject, *beside)).collect::<Vec<_>>())
    }
}

/// A number with three digits that matter.
pub(crate) fn figure(number: f64) -> String {
    let size = number.abs();
    if size >= 1000.0 {
        let digits = format!("{size:.0}");
        let mut told = String::new();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                told.push(',');
            }
            told.push(digit);
        }
        return if number < 0.0 { format!("-{told}") } else { told };
    }
    match size {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}
