//! Whether the first row of a table names the columns.

use super::cell::{Cell, Commas, read_cell};

/// Says whether `first` is a header: it holds words and no numbers, or words and a run of years.
pub(crate) fn is_header(first: &[&str], commas: Commas) -> bool {
    let cells: Vec<Cell> = first.iter().map(|cell| read_cell(cell, commas)).collect();
    let has_words = cells.contains(&Cell::Word);
    let numbers: Vec<f64> = cells
        .iter()
        .filter_map(|cell| match cell {
            Cell::Number(value) => Some(*value),
            Cell::Missing | Cell::NotFinite | Cell::Word => None,
        })
        .collect();
    has_words && (numbers.is_empty() || are_years(&numbers))
}

/// Two or more successive years, as in the header `region,2023,2024`. One year alone could as
/// well be a value.
fn are_years(numbers: &[f64]) -> bool {
    numbers.len() > 1
        && numbers.iter().all(|year| (1900.0..2100.0).contains(year))
        && numbers.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_words_and_no_values() {
        let cases: [(&[&str], bool); 8] = [
            (&["month", "sales"], true),
            (&["", "sales"], true),
            (&["region", "2023", "2024"], true),
            (&["Jan", "2000"], false),
            (&["region", "2024", "2021"], false),
            (&["Jan", "100"], false),
            (&["100", "120"], false),
            (&["", ""], false),
        ];
        for (first, expected) in cases {
            assert_eq!(is_header(first, Commas::Thousands), expected, "{first:?}");
        }
    }
}
