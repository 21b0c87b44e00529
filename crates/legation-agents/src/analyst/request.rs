//! What the sender wants, from the words of the instruction.

/// Something the analyst can do with a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    Describe,
    Trend,
    Outliers,
}

pub(crate) const ALL: [Operation; 3] = [Operation::Describe, Operation::Trend, Operation::Outliers];

/// What the analyst can do, for the questions it asks back.
pub(crate) const ABILITIES: &str = "I can describe numbers (mean, median, spread, quartiles), find their trend and outliers, \
     filter and group rows, correlate columns, forecast the next steps, and draw charts";

/// Words that ask for an operation; a star at the end stands for any ending.
const OPERATIONS: [(Operation, &[&str]); 3] = [
    (
        Operation::Describe,
        &[
            "describe",
            "description",
            "descriptive",
            "summar*",
            "statistic*",
            "stats",
            "average*",
            "mean",
            "means",
            "median*",
            "deviation",
            "variance",
            "spread",
            "distribution",
            "quartile*",
            "percentile*",
            "minimum",
            "maximum",
            "min",
            "max",
            "sum",
            "total*",
            "highest",
            "lowest",
            "range",
        ],
    ),
    (
        Operation::Trend,
        &[
            "trend*",
            "grow*",
            "grew",
            "slope*",
            "direction*",
            "regression",
            "increas*",
            "decreas*",
            "rise",
            "rising",
            "rose",
            "fall",
            "falling",
            "decline*",
            "declining",
            "change*",
            "develop*",
        ],
    ),
    (
        Operation::Outliers,
        &["outlier*", "anomal*", "unusual*", "spike*", "abnormal*", "suspicious", "extreme*"],
    ),
];

/// Words that ask for a look ahead.
pub(crate) const FORECAST: &[&str] = &["forecast*", "predict*", "extrapolat*", "projection*"];

/// Words that ask for a chart.
pub(crate) const CHART: &[&str] = &[
    "plot*",
    "chart*",
    "graph*",
    "draw*",
    "visuali*",
    "diagram*",
    "histogram*",
    "scatter*",
    "piechart*",
];

/// Words that ask for a correlation.
pub(crate) const CORRELATE: &[&str] =
    &["correlat*", "covar*", "relationship*", "relate", "related"];

/// Words that ask for everything.
const EVERYTHING: &[&str] =
    &["analyze*", "analyse", "analysed", "analyzing", "analysing", "everything", "insight*"];

/// Words that ask for what the analyst does not do, and how to call that.
const BEYOND: [(&str, &[&str]); 7] = [
    ("translate", &["translat*"]),
    ("make pictures, sound or video", &["image*", "picture*", "video*", "music", "song*"]),
    (
        "write stories, poems or letters",
        &["poem*", "story", "stories", "essay*", "letter*", "joke*"],
    ),
    ("write or run code", &["python", "javascript", "sql", "script*", "execute", "code"]),
    ("send messages or files", &["send", "email*", "mail*", "upload*", "download*"]),
    (
        "say what causes what, or find groups that no column names",
        &["causal*", "cluster*", "classif*", "segment*"],
    ),
    ("convert or change the data", &["convert*", "delete*", "clean*"]),
];

/// What an instruction asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The operations to carry out; empty when only other things are asked for.
    pub(crate) operations: Vec<Operation>,
    /// What is asked for that we cannot do, in our words.
    pub(crate) beyond: Vec<&'static str>,
}

impl Request {
    /// Reads the instruction. One that names nothing we know asks for everything.
    /// With something else asked for, it asks for that alone.
    pub(crate) fn read(instruction: &str, for_more: bool) -> Self {
        let asks_for = |patterns: &[&str]| mentions(instruction, patterns);
        let beyond: Vec<&str> =
            BEYOND.iter().filter(|(_, words)| asks_for(words)).map(|(what, _)| *what).collect();
        let named: Vec<Operation> =
            OPERATIONS.iter().filter(|(_, words)| asks_for(words)).map(|(op, _)| *op).collect();
        // "analysis" alone asks for everything, but "trend analysis" asks for the trend.
        let everything = asks_for(EVERYTHING)
            || (named.is_empty() && !for_more && (beyond.is_empty() || asks_for(&["analysis"])));
        let operations = if everything { ALL.to_vec() } else { named };
        Self { operations, beyond }
    }
}

/// Whether a text has a word of one of these patterns.
pub(crate) fn mentions(text: &str, patterns: &[&str]) -> bool {
    words(text).any(|word| patterns.iter().any(|pattern| matches(&word, pattern)))
}

/// Whether a text has a word that asks for a chart.
pub(crate) fn asks_for_chart(text: &str) -> bool {
    mentions(text, CHART)
}

/// Whether a text is nothing but names of operations, such as "Trend and outliers".
pub(crate) fn names_only_operations(text: &str) -> bool {
    const GLUE: [&str; 6] = ["and", "or", "the", "a", "an", "of"];
    let is_operation = |word: &str| {
        let patterns = OPERATIONS.iter().flat_map(|(_, patterns)| *patterns);
        patterns.chain(FORECAST).chain(CHART).any(|pattern| matches(word, pattern))
    };
    words(text).all(|word| GLUE.contains(&word.as_str()) || is_operation(&word))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn matches(word: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::Operation::{Describe, Outliers, Trend};
    use super::*;

    #[test]
    fn words_decide_the_operations() {
        let cases: [(&str, &[Operation]); 11] = [
            ("", &ALL),
            ("please", &ALL),
            ("Analyze this", &ALL),
            ("Analyze this sales data and provide a trend analysis", &ALL),
            ("Trend analysis", &[Trend]),
            ("what is the AVERAGE?", &[Describe]),
            ("any anomalies or spikes", &[Outliers]),
            ("growth and summary", &[Describe, Trend]),
            ("translate this", &[]),
            ("an analysis and a joke", &ALL),
            ("plot the trend", &[Trend]),
        ];
        for (instruction, operations) in cases {
            assert_eq!(Request::read(instruction, false).operations, operations, "{instruction:?}");
        }
    }

    #[test]
    fn what_we_cannot_do_is_said() {
        assert_eq!(Request::read("Translate this, please", false).beyond, ["translate"]);
        assert!(Request::read("summer sales", false).beyond.is_empty());
    }

    #[test]
    fn an_operation_is_no_label() {
        assert!(names_only_operations("Growth and trend"));
        assert!(!names_only_operations("Average price"));
    }
}
