//! The engine as a whole: parts in, outcome out.

use serde_json::{Value, json};

use super::*;

fn csv<'a>(text: &'a str) -> Input<'a> {
    Input::Csv { name: Some("q1.csv"), text }
}

fn json_data(value: Value) -> Input<'static> {
    Input::Json { name: None, value }
}

/// Renders an outcome on one line: the series and what was done, the question, or the complaint.
fn show(inputs: &[Input<'_>]) -> String {
    match analyze(inputs) {
        Outcome::Report(report) => {
            let mut series: Vec<String> = report.series.iter().map(show_series).collect();
            series.extend(report.notes);
            series.join("; ")
        }
        Outcome::Question(question) => format!("? {question}"),
        Outcome::BadData(bad) => format!("! {bad}"),
    }
}

fn show_series(report: &SeriesReport) -> String {
    let done = [
        ("d", report.description.is_some()),
        ("t", report.trend.is_some()),
        ("o", report.outliers.is_some()),
    ];
    let done: String = done.iter().filter(|(_, done)| *done).map(|(letter, _)| *letter).collect();
    format!("{} {}/{} {done}", report.name, report.count, report.count + report.missing)
}

#[test]
fn parts_become_series_and_words_become_operations() {
    let table = "month,sales,costs\nJan,100,5\nFeb,,6\nMar,120,7\n";
    let cases: [(Vec<Input<'_>>, &str); 10] = [
        (vec![Input::Text("[1, 2, 3]")], "values 3/3 dto"),
        (vec![Input::Text("sales: 1, 2, 3; costs: 4, 5")], "sales 3/3 dto; costs 2/2 dto"),
        (vec![Input::Text("Trend?"), Input::Text("1, 2, 3")], "values 3/3 t"),
        (vec![csv(table)], "sales 2/3 dto; costs 3/3 dto"),
        (vec![Input::Text("any outliers in 2024?"), csv(table)], "sales 2/3 o; costs 3/3 o"),
        (vec![json_data(json!([1, null, 3])), Input::Text("average")], "values 2/3 d"),
        (vec![csv("5\n")], "values 1/1 dto"),
        (vec![json_data(json!([5]))], "values 1/1 dto"),
        (vec![csv("s\n1\n"), csv("s\n2\n")], "s 1/1 dto; s (2) 1/1 dto"),
        (
            vec![Input::Text("plot the trend of 1,200, 1,300")],
            "values 2/2 t; I read commas inside numbers as thousands.",
        ),
    ];
    for (inputs, expected) in cases {
        assert_eq!(show(&inputs), expected, "{inputs:?}");
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    let which = "? What shall I analyze? Send numbers as a list, for example \"sales: [100, \
                 120, 95, 140, 160]\", or attach a CSV table or JSON with lists of numbers.";
    let cannot = "? I do not translate. I can describe numbers (mean, median, spread, quartiles), \
                  find their trend and outliers, filter and group rows, correlate columns, \
                  forecast the next steps, and draw charts. ";
    let cases = [
        (vec![], which.to_owned()),
        (vec![Input::Text("")], which.to_owned()),
        (vec![Input::Text("Analyze my sales")], which.to_owned()),
        (vec![Input::Text("in 2024 we had 3 shops")], which.to_owned()),
        (vec![Input::Text("mean of [5]")], which.to_owned()),
        (
            vec![Input::Text("Translate this: [1, 2, 3]")],
            format!("{cannot}What shall I do with the data?"),
        ),
        (
            vec![Input::Text("translate this")],
            format!("{cannot}{}", which.trim_start_matches("? What shall I analyze? ")),
        ),
    ];
    for (inputs, expected) in cases {
        assert_eq!(show(&inputs), expected, "{inputs:?}");
    }
}

#[test]
fn bad_data_names_source_and_place() {
    let cases: [(Vec<Input<'_>>, &str); 3] = [
        (
            vec![csv("m,s\nJan,1\nFeb,2\nMar,abc\n")],
            "! I cannot use line 4, column `s` of `q1.csv`: `abc` is not a number. Put a number \
             there, or leave it empty.",
        ),
        (
            vec![json_data(json!([{"s": 1}, {"s": 2}, {"s": true}]))],
            "! I cannot use `$[2].s` in the JSON data: `true` is not a number. Put a number \
             there, or leave it empty.",
        ),
        (
            vec![json_data(json!({}))],
            "! I cannot use `$` in the JSON data: it holds no list of numbers in a fixed order. \
             Send an array of numbers, an array of records, or an object of arrays, for example \
             {\"sales\": [100, 120, 95]}.",
        ),
    ];
    for (inputs, expected) in cases {
        assert_eq!(show(&inputs), expected, "{inputs:?}");
    }
}

#[test]
fn too_much_is_refused_in_every_form() {
    let list = format!("[{}]", "1,".repeat(limits::MAX_VALUES + 1));
    let wide = format!("{}1\n", "1,".repeat(limits::MAX_SERIES));
    let cases = [
        vec![Input::Text(&list)],
        vec![json_data(Value::from(vec![1; limits::MAX_VALUES + 1]))],
        vec![json_data(Value::from(vec![json!({"s": 1}); limits::MAX_VALUES + 1]))],
        vec![csv(&list), csv(&wide)],
        (0..=limits::MAX_SERIES).map(|_| json_data(json!([1, 2]))).collect(),
        vec![json_data(Value::from_iter(
            (0..=limits::MAX_SERIES).map(|n| (n.to_string(), json!([1]))),
        ))],
    ];
    for inputs in cases {
        let shown = show(&inputs);
        assert!(shown.contains("at most"), "{}", &shown[..shown.len().min(200)]);
    }
}

#[test]
fn many_words_are_looked_at_up_to_a_bound() {
    let filler = "önly for abcde' \"xy ".repeat(10_000);
    let words = format!("trend {filler} outliers");
    let header: Vec<String> = (0..50).map(|n| format!("column {n}")).collect();
    let table = format!("{}\n{}0\n", header.join(","), "1,".repeat(49));
    let shown = show(&[Input::Text(&words), csv(&table)]);
    let expected = "1/1 t; I looked for what to do in the first 8 KiB of words.";
    assert!(shown.ends_with(expected), "{}", &shown[shown.len().saturating_sub(200)..]);
}

/// The smallest random generator that will do; a seed makes every failure repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

const FRAGMENTS: [&str; 52] = [
    "chart ",
    "pie ",
    "histogram ",
    "scatter ",
    "forecast ",
    "correlate ",
    " by ",
    " is ",
    " > ",
    " next ",
    "1",
    "-2.5",
    "1,200",
    "1e308",
    "-1e308",
    "1e999",
    "5e-324",
    "0",
    "NaN",
    "inf",
    "abc",
    "é",
    "٣",
    "\u{feff}",
    "\0",
    "[",
    "]",
    "{",
    "}",
    "(",
    ":",
    "=",
    ",",
    ";",
    "|",
    "\t",
    "\n",
    "\r\n",
    " ",
    "\"",
    "'",
    "```",
    "```csv\n",
    "```json\n",
    "|---|",
    "\"a\":",
    "and",
    "sales",
    "trend",
    "$",
    "%",
    ".",
];

#[test]
fn no_text_makes_it_panic_or_report_what_is_not_finite() {
    let mut random = Random(42);
    for round in 0..2_000 {
        let length = random.below(40);
        let text: String = (0..length).map(|_| FRAGMENTS[random.below(FRAGMENTS.len())]).collect();
        let mut inputs = vec![Input::Text(&text), csv(&text)];
        if let Ok(value) = serde_json::from_str(&text) {
            inputs.push(json_data(value));
        }
        for input in inputs {
            check(&input, round);
        }
    }
}

#[test]
fn no_numbers_make_it_report_what_is_not_finite() {
    let extremes =
        [0.0, 1.0, -1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e154, -1e-154, 1e16];
    let mut random = Random(7);
    for round in 0..5_000 {
        let length = 1 + random.below(8);
        let values: Vec<f64> =
            (0..length).map(|_| extremes[random.below(extremes.len())]).collect();
        check(&json_data(json!(values)), round);
    }
}

#[test]
fn no_numbers_make_it_draw_or_foresee_what_is_not_finite() {
    const WORDS: [&str; 6] = [
        "line chart",
        "bar chart",
        "pie chart of x",
        "histogram of x",
        "scatter chart of x against y",
        "forecast the next 3 and draw them",
    ];
    let extremes = [
        0.0,
        1.0,
        -1.0,
        1e-300,
        1e290,
        9e289,
        -9e289,
        1e-289,
        f64::MAX,
        f64::MIN,
        5e-324,
        1e16,
        1e16 + 2.0,
        0.1,
        1e9,
    ];
    let mut random = Random(11);
    for round in 0..1_500 {
        let length = 1 + random.below(6);
        let mut values = || -> Vec<f64> {
            (0..length).map(|_| extremes[random.below(extremes.len())]).collect()
        };
        let data = json_data(json!({"x": values(), "y": values()}));
        for words in WORDS {
            let outcome = analyze(&[data.clone(), Input::Text(words)]);
            let Outcome::Report(report) = outcome else { continue };
            check_nulls(&report.to_data(), round);
            let svg = report.chart.map(|chart| chart.svg).unwrap_or_default();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "round {round}: {svg}");
        }
    }
}

fn check(input: &Input<'_>, round: usize) {
    let Outcome::Report(report) = analyze(std::slice::from_ref(input)) else { return };
    assert!(!report.to_text().is_empty(), "round {round}");
    check_nulls(&report.to_data(), round);
}

/// Every null has its reason next to it, since serde_json writes NaN and infinity as null.
fn check_nulls(value: &Value, round: usize) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let has_reason = fields.contains_key(&format!("{key}Reason"));
                assert!(!field.is_null() || has_reason, "round {round}: {key} in {value}");
                check_nulls(field, round);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check_nulls(item, round)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_is_asked_for_in_order_is_listed_in_order() {
    let table =
        "city,region,sales\nBern,west,5\nChur,east,9\nThun,west,1\nBrig,south,\nWil,east,3\n";
    let cases: [(&str, &[&str]); 8] = [
        ("top 2 cities by sales", &["Chur 9", "Bern 5", "I listed 2 of 5 groups"]),
        ("the 2 highest sales", &["Chur 9", "Bern 5"]),
        ("bottom 3 sales", &["Thun 1", "Wil 3", "Bern 5"]),
        ("total sales by region, top 2", &["east 12", "west 6"]),
        ("total sales by region sorted by region", &["east 12", "south 0", "west 6"]),
        ("total sales by region, ascending", &["south 0", "west 6", "east 12"]),
        ("sort by sales, descending", &["Chur 9", "Bern 5", "Wil 3", "Thun 1"]),
        ("3 lowest sales where region is east", &["Wil 3", "Chur 9"]),
    ];
    for (words, expected) in cases {
        let Outcome::Report(report) = analyze(&[csv(table), Input::Text(words)]) else {
            panic!("{words}: no report");
        };
        let data = report.to_data();
        let groups = data["groups"][0]["groups"].as_array().cloned().unwrap_or_default();
        let groups = groups.iter().map(|it| {
            let figure = if it["sum"].is_null() { &it["count"] } else { &it["sum"] };
            format!("{} {figure}", it["group"].as_str().unwrap_or_default())
        });
        let rows = data["ranking"]["rows"].as_array().cloned().unwrap_or_default();
        let rows = rows
            .iter()
            .map(|it| format!("{} {}", it["label"].as_str().unwrap_or_default(), it["value"]));
        let notes = report.notes.iter().map(|note| note.split(", those").next().unwrap_or(note));
        let notes = notes.filter(|note| note.starts_with("I listed")).map(str::to_owned);
        let found: Vec<String> = groups.chain(rows).chain(notes).collect();
        let found: Vec<&str> = found.iter().map(|it| it.trim_end_matches(".0")).collect();
        assert_eq!(&found[..expected.len()], expected, "{words}: {found:?}");
        let text = report.to_text();
        assert!(!text.contains("I do not"), "{words}: {text}");
    }
    let two = "sales,costs\n1,2\n3,4\n";
    let question = show(&[csv(two), Input::Text("sort")]);
    assert_eq!(question, "? By which column of numbers shall I sort? There are `sales`, `costs`.");
}
