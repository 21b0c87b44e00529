//! A chart in words, for those who cannot see it.

use super::{Chart, Data, Labels, Line};
use crate::analyst::format::number;

/// How many slices are named.
const MOST: usize = 12;

/// Says what kind of chart it is, of what, and between which values it lies.
pub(crate) fn describe(chart: &Chart) -> String {
    match &chart.data {
        Data::Lines { labels, lines } => series("Line chart", labels, lines),
        Data::Bars { labels, lines } => series("Bar chart", labels, lines),
        Data::Slices(slices) => {
            let total: f64 = slices.iter().map(|(_, value)| value).sum();
            let share = |(name, value): &(String, f64)| {
                format!("{name} {} %", number((value / total * 1000.0).round() / 10.0))
            };
            let shares: Vec<String> = slices.iter().take(MOST).map(share).collect();
            format!("Pie chart of {} parts: {}.", slices.len(), shares.join(", "))
        }
        Data::Points(points) => {
            let xs = extent(points.iter().map(|point| point.0));
            let ys = extent(points.iter().map(|point| point.1));
            let (x, y) = (&chart.x, &chart.y);
            format!("Scatter chart of {} points: {x} {xs}, {y} {ys}.", points.len())
        }
        Data::Bins { edges, counts } => {
            let all: usize = counts.iter().sum();
            let range = extent(edges.iter().copied());
            format!("Histogram of {all} values in {} bins, {range}.", counts.len())
        }
    }
}

fn series(kind: &str, labels: &Labels, lines: &[Line]) -> String {
    let count = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let each = lines
        .iter()
        .map(|line| format!("{} {}", line.name, extent(line.values.iter().flatten().copied())));
    let each = each.collect::<Vec<_>>().join("; ");
    let ends = match count {
        0 => String::new(),
        1 => format!(" ({})", labels.get(0)),
        count => format!(" ({} to {})", labels.get(0), labels.get(count - 1)),
    };
    format!("{kind} over {count} positions{ends}: {each}.")
}

fn extent(values: impl Iterator<Item = f64>) -> String {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high { "empty".into() } else { format!("from {} to {}", number(low), number(high)) }
}
