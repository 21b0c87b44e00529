//! A report as a short answer for people: the finding first, then a few lines of figures.

use super::figures::{
    Aggregate, Ahead, CONFIDENCE, Correlation, Description, Group, Grouping, Outliers, Point,
    Ranking,
};
use super::format::{number, share};
use super::report::{Report, SeriesReport};
use super::series::UNNAMED;
use super::trend_words::{details, movement, or_reason, sentence};

/// How many outliers the text lists.
const MOST_OUTLIERS: usize = 10;

/// Writes the whole report, without a line break at the end.
pub(crate) fn text(report: &Report) -> String {
    let mut blocks: Vec<String> = report.series.iter().map(series).collect();
    if report.series.len() > 1 {
        blocks.insert(0, overview(&report.series));
    }
    blocks.extend(report.groups.iter().map(groups));
    blocks.extend(report.ranking.iter().map(ranking));
    if !report.correlations.is_empty() {
        let lines: Vec<String> = report.correlations.iter().map(correlation).collect();
        blocks.push(lines.join("\n"));
    }
    blocks.extend(report.chart.iter().map(|chart| format!("Chart: {}.", chart.title)));
    blocks.extend(report.notes.iter().map(|note| format!("Note: {note}")));
    blocks.join("\n\n")
}

/// A line for each group.
fn groups(found: &Grouping) -> String {
    const MOST: usize = 50;
    let what = found.measure.as_ref().map_or("rows".to_owned(), String::clone);
    let extremes = extremes(found).unwrap_or_default();
    let mut lines =
        vec![format!("{what} by {}, {} groups{extremes}:", found.by, found.groups.len())];
    for group in found.groups.iter().take(MOST) {
        let figures = found.aggregates.iter().zip(&group.figures).map(|(aggregate, figure)| {
            format!("{} {}", aggregate.name(), or_reason(*figure, number))
        });
        let name = if group.name.is_empty() { "(none)" } else { &group.name };
        lines.push(format!("- {name}: {}", figures.collect::<Vec<_>>().join(", ")));
    }
    let more = found.groups.len().saturating_sub(MOST);
    lines.extend((more > 0).then(|| format!("- and {more} more groups, which the data part has")));
    lines.join("\n")
}

/// A line for each row.
fn ranking(found: &Ranking) -> String {
    const MOST: usize = 50;
    let first = if found.ascending { "least" } else { "greatest" };
    let mut lines =
        vec![format!("{}, the {first} first, {} of {}:", found.by, found.rows.len(), found.of)];
    for row in found.rows.iter().take(MOST) {
        let label = row.label.clone().unwrap_or_else(|| format!("row {}", row.position));
        lines.push(format!("- {label}: {}", number(row.value)));
    }
    let more = found.rows.len().saturating_sub(MOST);
    lines.extend((more > 0).then(|| format!("- and {more} more rows, which the data part has")));
    lines.join("\n")
}

/// Which groups stand out by what was asked for first.
fn extremes(found: &Grouping) -> Option<String> {
    let at = found.aggregates.iter().position(|it| *it != Aggregate::Count).unwrap_or(0);
    let values = found.groups.iter().filter_map(|group| Some((group, group.figures[at].ok()?)));
    let most = values.clone().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let least = values.reduce(|best, next| if next.1 < best.1 { next } else { best })?;
    let name = |(group, value): (&Group, f64)| match group.name.as_str() {
        "" => format!("(none) ({})", number(value)),
        name => format!("{name} ({})", number(value)),
    };
    let aggregate = found.aggregates[at].name();
    let words = || {
        format!("; the {aggregate} is highest for {} and lowest for {}", name(most), name(least))
    };
    (most.1 > least.1).then(words)
}

/// How two columns go together, in one sentence.
fn correlation(found: &Correlation) -> String {
    let (first, second) = (&found.first, &found.second);
    let r = match found.r {
        Ok(r) => r,
        Err(reason) => {
            return format!("{first} and {second}: no correlation can be told ({reason}).");
        }
    };
    let strength = match r.abs() {
        strong if strong >= 0.7 => "strongly",
        middling if middling >= 0.4 => "moderately",
        weak if weak >= 0.2 => "weakly",
        _ => {
            return format!(
                "{first} and {second} do not go together (r = {}, n = {}).",
                share(r),
                found.count
            );
        }
    };
    let way = if r > 0.0 { "rise together" } else { "go opposite ways" };
    format!("{first} and {second} {way} {strength} (r = {}, n = {}).", share(r), found.count)
}

/// A line for each step ahead.
fn forecast(steps: &[Ahead]) -> Vec<String> {
    let line = |step: &Ahead| {
        format!(
            "position {}: about {}, with {} % confidence between {} and {}",
            step.position,
            or_reason(step.value, number),
            CONFIDENCE * 100.0,
            or_reason(step.lower, number),
            or_reason(step.upper, number)
        )
    };
    steps.iter().map(line).collect()
}

/// One sentence over several series.
fn overview(all: &[SeriesReport]) -> String {
    let each = all.iter().map(|report| match &report.trend {
        Some(Ok(trend)) => format!("{} {}", report.name, movement(trend)),
        Some(Err(_)) | None => report.name.clone(),
    });
    format!("{} series: {}.", all.len(), each.collect::<Vec<_>>().join("; "))
}

fn series(report: &SeriesReport) -> String {
    let finding = finding(report);
    let mut lines = vec![if report.name == UNNAMED {
        capitalized(&finding)
    } else {
        format!("{}: {finding}", report.name)
    }];
    let mut add = |line: String| lines.push(format!("- {line}"));
    add(size(report));
    if let Some(found) = &report.description {
        description(found).into_iter().for_each(&mut add);
    }
    match &report.trend {
        Some(Ok(found)) => details(found).into_iter().for_each(&mut add),
        Some(Err(reason)) => add(format!("no trend: {reason}")),
        None => {}
    }
    match &report.outliers {
        Some(Ok(found)) => add(outliers(found)),
        Some(Err(reason)) => add(format!("outliers cannot be judged: {reason}")),
        None => {}
    }
    match &report.forecast {
        Some(Ok(found)) => forecast(found).into_iter().for_each(&mut add),
        Some(Err(reason)) => add(format!("no forecast: {reason}")),
        None => {}
    }
    lines.join("\n")
}

/// The most telling thing that was found out, as a sentence.
fn finding(report: &SeriesReport) -> String {
    if let Some(Ok(found)) = &report.trend {
        return sentence(found);
    }
    if let (1, Some(found)) = (report.count, &report.description) {
        return format!("the only value is {}.", number(found.mean));
    }
    if let Some(found) = &report.description {
        let (mean, least, greatest) = (found.mean, found.minimum.value, found.maximum.value);
        return format!(
            "the values average {} and lie between {} and {}.",
            number(mean),
            number(least),
            number(greatest)
        );
    }
    if let (None, Some(Ok(steps))) = (&report.outliers, &report.forecast) {
        let last = steps.last().map_or("unknown".to_owned(), |it| or_reason(it.value, number));
        let ahead =
            if steps.len() == 1 { "1 step".into() } else { format!("{} steps", steps.len()) };
        return format!("if the line continues, the value {ahead} ahead is about {last}.");
    }
    match &report.outliers {
        Some(Ok(found)) if found.count == 0 => "no value is an outlier.".to_owned(),
        Some(Ok(found)) if found.count == 1 => "one value is an outlier.".to_owned(),
        Some(Ok(found)) => format!("{} values are outliers.", found.count),
        Some(Err(_)) | None => "there are too few values to say anything.".to_owned(),
    }
}

fn size(report: &SeriesReport) -> String {
    let values = if report.count == 1 { "value" } else { "values" };
    match report.missing {
        0 => format!("{} {values}", report.count),
        missing => format!("{} {values}, {missing} missing", report.count),
    }
}

fn description(found: &Description) -> Vec<String> {
    let mut lines = vec![format!(
        "mean {}, median {}, standard deviation {}, sum {}",
        number(found.mean),
        number(found.median),
        or_reason(found.standard_deviation, number),
        or_reason(found.sum, number)
    )];
    if found.minimum.value < found.maximum.value {
        lines.push(format!("least {}, greatest {}", point(&found.minimum), point(&found.maximum)));
        lines.push(format!(
            "the middle half lies between {} and {}",
            number(found.lower_quartile),
            number(found.upper_quartile)
        ));
    }
    lines
}

fn outliers(found: &Outliers) -> String {
    let fences = format!(
        "outside {} to {}",
        or_reason(found.lower_fence, number),
        or_reason(found.upper_fence, number)
    );
    if found.count == 0 {
        return format!("no outliers ({fences})");
    }
    let listed: Vec<String> = found.points.iter().take(MOST_OUTLIERS).map(point).collect();
    let more = match found.count - listed.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{} ({fences}): {}{more}", counted(found.count), listed.join(", "))
}

fn counted(outliers: usize) -> String {
    if outliers == 1 { "1 outlier".to_owned() } else { format!("{outliers} outliers") }
}

fn point(point: &Point) -> String {
    let value = number(point.value);
    match &point.label {
        Some(label) => format!("{value} at position {} ({label})", point.position),
        None => format!("{value} at position {}", point.position),
    }
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use crate::analyst::{Input, Outcome, analyze};

    fn text(request: &str) -> String {
        let Outcome::Report(report) = analyze(&[Input::Text(request)]) else {
            panic!("no report: {request}")
        };
        report.to_text()
    }

    #[test]
    fn a_report_reads_like_an_answer() {
        let request = "Analyze this sales data and provide a trend analysis: \
                       [100, 120, 95, 140, 160]";
        let expected = "\
The values rise by 14 per step (a moderate fit, r² = 0.66), from 100 to 160: +60 (+60 %).
- 5 values
- mean 123, median 120, standard deviation 27.2947, sum 615
- least 95 at position 3, greatest 160 at position 5
- the middle half lies between 100 and 140
- greatest rise +45 from position 3 to 4, greatest fall -25 from position 2 to 3
- if the line continues, the next value is about 165
- no outliers (outside 40 to 200)";
        assert_eq!(text(request), expected);
    }

    #[test]
    fn several_series_have_an_overview() {
        let found = text("trend of\nmonth,sales,costs\nJan,1,5\nFeb,2,5\nMar,3,5");
        let expected = "\
2 series: sales rises; costs is flat.

sales: the values rise by 1 per step (a strong fit, r² = 1), from 1 to 3: +2 (+200 %).
- 3 values
- greatest rise +1 from position 1 to 2, greatest fall none
- if the line continues, the next value is about 4

costs: every value is 5, so there is no trend.
- 3 values";
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_sentence_fits_the_finding() {
        let cases = [
            ("trend [5, 5, 5]", "Every value is 5, so there is no trend."),
            (
                "trend [0, 5]",
                "Two values are too few to judge a trend; they go from 0 to 5: +5 (no percentage: \
                 the first value is 0).",
            ),
            (
                "trend [1, 5, 1, 5, 1]",
                "The values have no clear direction (a weak fit, r² = 0, 0 per step); they go \
                 from 1 to 1: 0 (0 %).",
            ),
            ("average of [1, 2, 6]", "The values average 3 and lie between 1 and 6."),
            ("outliers in [1, 2, 3, 4, 50]", "One value is an outlier."),
            ("outliers in [1, 2]", "There are too few values to say anything."),
            (
                "fall: [9, 6, 3]",
                "The values fall by 3 per step (a strong fit, r² = 1), from 9 to 3: -6 (-66.7 %).",
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(text(request).lines().next(), Some(expected), "{request}");
        }
    }

    #[test]
    fn groups_correlations_and_forecasts_read_like_answers() {
        let table = "region,sales,price\nnorth,1,9\nsouth,5,4\nnorth,2,7\n,4,5";
        let cases = [
            (
                "Which region has the highest average sales?",
                "sales by region, 3 groups; the mean is highest for south (5) and lowest for \
                 north (1.5):\n- north: mean 1.5, max 2\n- south: mean 5, max 5\n\
                 - (none): mean 4, max 4",
            ),
            (
                "correlate sales and price",
                "sales and price go opposite ways strongly (r = -0.99, n = 4).",
            ),
            (
                "predict the next value of sales",
                "sales: if the line continues, the value 1 step ahead is about 4.5.\n- 4 values\n\
                 - position 5: about 4.5, with 95 % confidence between -9.2752 and 18.2752",
            ),
        ];
        for (words, expected) in cases {
            assert_eq!(text(&format!("{words}\n\n{table}")), expected, "{words}");
        }
    }

    #[test]
    fn labels_and_outliers_are_named() {
        let found = text("m,s\nJan,1\nFeb,2\nMar,1\nApr,2\nMay,50");
        assert!(found.contains("greatest 50 at position 5 (May)"), "{found}");
        assert!(
            found.contains("1 outlier (outside -0.5 to 3.5): 50 at position 5 (May)"),
            "{found}"
        );
    }
}
