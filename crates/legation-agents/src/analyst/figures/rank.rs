//! The rows of a table in the order of a column.

/// The rows with the greatest or the least values of a column, in that order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// The column whose values decide.
    pub by: String,
    /// Whether the least comes first.
    pub ascending: bool,
    /// How many rows have a value there.
    pub of: usize,
    /// The rows that are listed.
    pub rows: Vec<Ranked>,
}

/// A row in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Where the row stands in the table, from 1.
    pub position: usize,
    /// What the table calls the row.
    pub label: Option<String>,
    /// Its value.
    pub value: f64,
}

/// The rows that have a value, by it; of equal values the row that stands first comes first.
pub(crate) fn rank(
    values: impl Iterator<Item = Option<f64>>,
    ascending: bool,
) -> Vec<(usize, f64)> {
    let mut rows: Vec<(usize, f64)> =
        values.enumerate().filter_map(|(row, value)| Some((row, value?))).collect();
    rows.sort_by(|(_, a), (_, b)| if ascending { a.total_cmp(b) } else { b.total_cmp(a) });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_by_their_values_and_then_by_their_places() {
        let values = [Some(2.0), None, Some(5.0), Some(-1.0), Some(2.0)];
        let rows = |ascending| {
            rank(values.into_iter(), ascending).into_iter().map(|(row, _)| row).collect::<Vec<_>>()
        };
        assert_eq!(rows(false), [2, 0, 4, 3]);
        assert_eq!(rows(true), [3, 0, 4, 2]);
    }
}
