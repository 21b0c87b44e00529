//! From plain words to a plan. Where the words fit more than one reading, the answer is a question.

use super::lexer::{Lexeme, lex};
use super::mentions::{Mention, mentions};
use super::order::order;
use super::tests_of_rows::tests;
use super::values::Values;
use super::{Drawing, Grouped, Kind, Plan};
use crate::analyst::figures::Aggregate;
use crate::analyst::frame::Frame;
use crate::analyst::request::{self, CHART, CORRELATE, FORECAST, Request};
use crate::analyst::series::index_column;
use crate::analyst::watch::Watch;

/// Words that ask for a figure of each group.
const AGGREGATES: [(Aggregate, &[&str]); 6] = [
    (Aggregate::Sum, &["sum*", "total*"]),
    (Aggregate::Mean, &["average*", "mean", "means"]),
    (Aggregate::Median, &["median*"]),
    (Aggregate::Count, &["count*", "number", "many", "often"]),
    (Aggregate::Min, &["min", "minimum", "least", "lowest", "smallest"]),
    (Aggregate::Max, &["max", "maximum", "greatest", "highest", "largest", "most"]),
];

/// Words for kinds of charts.
const KINDS: [(Kind, &[&str]); 5] = [
    (Kind::Histogram, &["histogram*", "distribution*"]),
    (Kind::Scatter, &["scatter*"]),
    (Kind::Pie, &["pie*"]),
    (Kind::Bar, &["bar*", "column chart"]),
    (Kind::Line, &["line*", "time series"]),
];

/// Steps ahead when no number is said.
const STEPS: usize = 3;

/// Reads an instruction that is about these tables. An error is the question to ask.
pub(crate) fn read(instruction: &str, frames: &[Frame], watch: &Watch) -> Result<Plan, String> {
    let lexemes = lex(instruction);
    let all = mentions(&lexemes, frames);
    let values = Values::said(&lexemes, frames, watch)?;
    let tests = tests(&lexemes, &all, frames, &values)?;
    let ordered = order(&lexemes, &all);
    let by = group(&lexemes, &all, frames)?;
    // "top 3 regions" is about groups, and "sorted by sales" is not.
    let counted = ordered.as_ref().and_then(|found| found.of);
    let counted = all.iter().find(|it| Some(it.start) == counted && it.column.words().is_some());
    let by = by.filter(|by| ordered.is_none() || by.column.words().is_some()).or(counted);
    let in_test = |mention: &&Mention<'_>| {
        !tests.iter().any(|test| (test.start..test.end).contains(&mention.start))
    };
    let named: Vec<&Mention<'_>> = all.iter().filter(in_test).collect();
    let mut measures: Vec<String> = Vec::new();
    for mention in &named {
        let is_key = by.as_ref().is_some_and(|by| by.start == mention.start);
        if mention.column.numbers().is_some()
            && !is_key
            && !measures.iter().any(|it| it == mention.name)
        {
            measures.push(mention.name.to_owned());
        }
    }
    let says = |patterns: &[&str]| request::mentions(instruction, patterns);
    let mut plan =
        Plan { filter: tests.into_iter().map(|found| found.test).collect(), ..Plan::default() };
    plan.forecast = says(FORECAST).then(|| steps(&lexemes));
    if says(CORRELATE) {
        plan.correlate = Some(pair(&measures, frames, &lexemes, "correlate")?);
    }
    if says(CHART) {
        plan.chart = Some(drawing(instruction, &lexemes, &measures, &named, frames)?);
    }
    let aggregates: Vec<Aggregate> = AGGREGATES
        .iter()
        .filter(|(_, words)| says(words))
        .map(|(aggregate, _)| *aggregate)
        .collect();
    // "a chart of sales by month" speaks of the axis.
    let is_axis =
        plan.chart.is_some() && aggregates.is_empty() && !says(&["group*"]) && ordered.is_none();
    if let (Some(chart), Some(by), true) = (&mut plan.chart, by, is_axis) {
        chart.x = Some(by.name.to_owned());
    }
    if let Some(by) = by.filter(|_| !is_axis) {
        let measures = measured(by, &measures, &aggregates, frames, &lexemes)?;
        plan.group = Some(Grouped { by: by.name.to_owned(), measures, aggregates });
    }
    plan.order = ordered.map(|found| found.order);
    let request = Request::read(instruction, !plan.says_nothing());
    plan.operations = request.operations;
    if plan.group.is_some() || plan.order.is_some() {
        // "average sales by region" asks for the averages of the groups, not for those of all.
        plan.operations.retain(|operation| *operation != request::Operation::Describe);
    }
    plan.beyond = request.beyond;
    plan.columns = measures;
    Ok(plan)
}

/// The column after "by", "per", "for each" or "which".
fn group<'m, 'f>(
    lexemes: &[Lexeme],
    all: &'m [Mention<'f>],
    frames: &[Frame],
) -> Result<Option<&'m Mention<'f>>, String> {
    let word = |at: usize| lexemes.get(at).map_or("", |it| &*it.plain);
    for at in 0..lexemes.len() {
        if !matches!(word(at), "by" | "per" | "each" | "every" | "which" | "compare" | "across") {
            continue;
        }
        let mut next = at + 1 + usize::from(matches!(word(at + 1), "the" | "each"));
        // "the top regions by total sales" goes by the column.
        let is_figure = AGGREGATES.iter().any(|(_, words)| request::mentions(word(next), words));
        let named = |next: usize| all.iter().find(|mention| mention.start == next);
        next += usize::from(is_figure && named(next).is_none());
        let mention = named(next);
        // "products by revenue" is about groups of products, not of revenues.
        let kind = || all.iter().find(|mention| mention.column.words().is_some());
        if let Some(mention) = mention {
            let measured = word(at) == "by" && mention.column.numbers().is_some();
            return Ok(Some(kind().filter(|_| measured).unwrap_or(mention)));
        }
        if at > 0 && word(at - 1).starts_with("group") {
            let keys = frames.iter().flat_map(|frame| &frame.columns);
            let keys =
                keys.filter(|column| column.words().is_some_and(|it| !it.names().is_empty()));
            let choices = choices(keys.filter_map(|column| column.name.as_deref()));
            return Err(format!("By which column shall I group? {choices}"));
        }
    }
    Ok(None)
}

/// The columns to aggregate: those that are named, or the only one there is.
fn measured(
    by: &Mention<'_>,
    named: &[String],
    aggregates: &[Aggregate],
    frames: &[Frame],
    lexemes: &[Lexeme],
) -> Result<Vec<String>, String> {
    let only_counts = aggregates == [Aggregate::Count];
    let candidates: Vec<&str> = measurable(frames).filter(|name| *name != by.name).collect();
    if !named.is_empty() || only_counts {
        return Ok(named.to_vec());
    }
    if candidates.len() < 2 || lexemes.iter().any(|it| it.plain == "all") {
        return Ok(candidates.into_iter().map(str::to_owned).collect());
    }
    let what = choices(candidates.into_iter());
    Err(format!("Which column shall I add up by `{}`? {what} Or say: all.", by.name))
}

/// Two columns or more, for what needs them.
fn pair(
    named: &[String],
    frames: &[Frame],
    lexemes: &[Lexeme],
    verb: &str,
) -> Result<Vec<String>, String> {
    let candidates: Vec<&str> = measurable(frames).collect();
    if named.len() > 1 {
        return Ok(named.to_vec());
    }
    let all = lexemes.iter().any(|it| matches!(&*it.plain, "all" | "every" | "each" | "matrix"));
    if candidates.len() == 2 || (all && candidates.len() > 2) {
        return Ok(candidates.into_iter().map(str::to_owned).collect());
    }
    if candidates.len() < 2 {
        let need = "I need two named columns of numbers to";
        return Err(format!("{need} {verb}. Send a table that has them."));
    }
    let what = choices(candidates.into_iter());
    Err(format!("Which two columns shall I {verb}? {what}"))
}

fn drawing(
    instruction: &str,
    lexemes: &[Lexeme],
    measures: &[String],
    named: &[&Mention<'_>],
    frames: &[Frame],
) -> Result<Drawing, String> {
    let kind = KINDS.iter().find(|(_, words)| request::mentions(instruction, words));
    let kind = kind.map(|(kind, _)| *kind);
    let key = named.iter().find(|mention| mention.column.words().is_some());
    let mut drawing = Drawing {
        kind,
        x: key.map(|mention| mention.name.to_owned()),
        y: measures.to_vec(),
        ..Drawing::default()
    };
    if kind == Some(Kind::Scatter) {
        let mut two = pair(measures, frames, lexemes, "draw against each other")?;
        // "sales against price" and "sales vs price" put the second along the bottom.
        let turned = ["against", "vs", "versus", "over", "by"];
        let is_turned = lexemes.iter().any(|it| turned.contains(&&*it.plain));
        two.truncate(2);
        if is_turned {
            two.reverse();
        }
        drawing.x = two.first().cloned();
        drawing.y = two.drain(..).skip(1).collect();
        return Ok(drawing);
    }
    let single = matches!(kind, Some(Kind::Pie | Kind::Histogram));
    let candidates: Vec<&str> = measurable(frames).collect();
    let is_counted = request::mentions(instruction, AGGREGATES[3].1);
    if single && measures.len() != 1 && candidates.len() > 1 && !is_counted {
        let what = choices(candidates.into_iter());
        return Err(format!("Of which column shall I draw the chart? {what}"));
    }
    Ok(drawing)
}

/// The number after "next", before "steps", or near the word; one for "the next value".
fn steps(lexemes: &[Lexeme]) -> usize {
    let number = |at: usize| {
        let value = lexemes.get(at)?.number?;
        (value >= 1.0 && value.fract() == 0.0 && value < 1e6).then_some(value as usize)
    };
    let next = lexemes.iter().position(|it| it.plain == "next");
    if let Some(at) = next {
        let one = lexemes.get(at + 1).is_some_and(|it| !it.plain.ends_with('s'));
        return number(at + 1).unwrap_or(if one { 1 } else { STEPS });
    }
    let before_steps = |at: &usize| {
        const UNITS: [&str; 8] =
            ["step", "value", "month", "year", "day", "week", "quarter", "period"];
        lexemes.get(at + 1).is_some_and(|it| UNITS.contains(&it.plain.trim_end_matches('s')))
    };
    (0..lexemes.len()).filter(before_steps).find_map(number).unwrap_or(STEPS)
}

/// The named columns that measure something.
pub(crate) fn measurable(frames: &[Frame]) -> impl Iterator<Item = &str> {
    frames.iter().flat_map(|frame| {
        let index = index_column(frame);
        let columns = frame.columns.iter().enumerate();
        let columns = columns.filter(move |(at, it)| it.numbers().is_some() && Some(*at) != index);
        columns.filter_map(|(_, column)| column.name.as_deref())
    })
}

/// Names to choose from, as many as one likes to read.
pub(crate) fn choices<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let names: Vec<String> =
        names.map(|name| format!("`{}`", super::super::bad_data::excerpt(name))).collect();
    let more = names.len().saturating_sub(MOST);
    let shown = names[..names.len() - more].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if shown.is_empty() { "There is none.".into() } else { format!("There are {shown}{more}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::read::read_table;

    /// What is understood of an instruction about a table of shops, in short.
    fn plan(instruction: &str) -> String {
        let table = "month,region,sales,costs,Net Price\nJan,north,1,2,3\nFeb,south east,4,5,6\n";
        let reading = read_table("t", table, &Watch::default()).unwrap();
        let plan = match read(instruction, &reading.frames, &Watch::default()) {
            Ok(plan) => plan,
            Err(question) => return format!("? {question}"),
        };
        let mut said: Vec<String> = plan.operations.iter().map(|it| format!("{it:?}")).collect();
        let bound = |name: &str, value: &Option<serde_json::Value>| {
            value.as_ref().map_or(String::new(), |value| format!(" {name} {value}"))
        };
        said.extend(plan.filter.iter().map(|test| {
            let bounds = [
                ("is", &test.is),
                ("not", &test.not),
                ("from", &test.from),
                ("to", &test.to),
                ("above", &test.above),
                ("below", &test.below),
            ];
            let bounds: String = bounds.iter().map(|(name, value)| bound(name, value)).collect();
            format!("[{}{bounds}]", test.column)
        }));
        said.extend(plan.group.map(|it| {
            let figures: Vec<&str> = it.aggregates.iter().map(|it| it.name()).collect();
            format!("{} of {} by {}", figures.join("+"), it.measures.join("+"), it.by)
        }));
        said.extend(plan.order.map(|it| {
            let most = it.most.map_or("all".into(), |most| most.to_string());
            let first = if it.ascending { "least" } else { "greatest" };
            format!("{first} {most} by {}", it.by.as_deref().unwrap_or("_"))
        }));
        said.extend(plan.correlate.map(|it| format!("correlate {}", it.join("+"))));
        said.extend(plan.forecast.map(|it| format!("forecast {it}")));
        said.extend(plan.chart.map(|it| {
            let kind = it.kind.map_or("chart".into(), |kind| format!("{kind:?}"));
            format!("{kind} {} over {}", it.y.join("+"), it.x.unwrap_or_default())
        }));
        if !plan.columns.is_empty() {
            said.push(format!("({})", plan.columns.join("+")));
        }
        said.join(" ")
    }

    #[test]
    fn plain_words_make_a_plan() {
        let cases = [
            ("", "Describe Trend Outliers"),
            ("Analyze this sales data", "Describe Trend Outliers"),
            ("trend of sales", "Trend (sales)"),
            ("trend of sales where region is north", "Trend [region is \"north\"] (sales)"),
            ("mean of net price for South East", "Describe [region is \"south east\"] (Net Price)"),
            ("describe sales above 100", "Describe [sales above 100.0]"),
            (
                "mean costs where sales >= 7.5 and region is not north",
                "Describe [sales from 7.5] [region not \"north\"] (costs)",
            ),
            ("describe rows with sales between 1 and 3", "Describe [sales from 1.0 to 3.0]"),
            ("what is the sales trend", "Trend (sales)"),
            ("region is not north: outliers", "Outliers [region not \"north\"]"),
            ("total sales by region", "sum of sales by region (sales)"),
            ("average sales and costs per region", "mean of sales+costs by region (sales+costs)"),
            ("how many per region", "count of  by region"),
            ("Which region has the highest costs?", "max of costs by region (costs)"),
            ("top regions by price", " of Net Price by region greatest all by _ (Net Price)"),
            ("top 3 regions by sales", " of sales by region greatest 3 by _ (sales)"),
            ("bottom two regions by average costs", "mean of costs by region least 2 by _ (costs)"),
            ("the 5 highest sales", "greatest 5 by _ (sales)"),
            ("lowest 2 costs where region is north", "[region is \"north\"] least 2 by _ (costs)"),
            ("sort by sales", "least all by sales (sales)"),
            ("top 2 rows sorted by costs", "greatest 2 by costs (costs)"),
            ("rank the regions by sales", " of sales by region greatest all by sales (sales)"),
            (
                "total sales by region sorted by region, descending",
                "sum of sales by region greatest all by region (sales)",
            ),
            ("sales in descending order", "greatest all by _ (sales)"),
            ("correlation between sales and costs", "correlate sales+costs (sales+costs)"),
            ("forecast sales for the next 6 months", "forecast 6 (sales)"),
            ("predict the next value of costs", "forecast 1 (costs)"),
            ("forecast costs", "forecast 3 (costs)"),
            ("line chart of sales by month", "Line sales over month (sales)"),
            ("scatter plot of sales against costs", "Scatter sales over costs (sales+costs)"),
            ("histogram of costs", "Histogram costs over  (costs)"),
            ("trend and chart of sales", "Trend chart sales over  (sales)"),
        ];
        for (instruction, expected) in cases {
            assert_eq!(plan(instruction), expected, "{instruction:?}");
        }
    }

    #[test]
    fn a_time_needs_no_column_where_there_is_one_of_dates() {
        let table = "day,visits\n2024-01-05,1\n2024-02-01,2\n";
        let frames = read_table("t", table, &Watch::default()).unwrap().frames;
        let bounds = |words: &str| {
            let plan = read(words, &frames, &Watch::default())?;
            let texts = plan.filter.into_iter().map(|it| [it.from, it.to, it.above, it.below]);
            let texts = texts.map(|it| it.map(|it| it.map_or("_".into(), |it| it.to_string())));
            Ok::<_, String>(texts.map(|it| it.join(" ").replace('"', "")).collect::<String>())
        };
        let cases = [
            ("visits since 2024-02", "2024-02 _ _ _"),
            ("visits between 2024-01-01 and 2024-02", "2024-01-01 2024-02 _ _"),
            ("mean before 2024-02-01", "_ _ _ 2024-02-01"),
            ("trend in 2024", "2024 2024 _ _"),
            ("trend in detail", ""),
        ];
        for (words, expected) in cases {
            assert_eq!(bounds(words).as_deref(), Ok(expected), "{words}");
        }
        let question = bounds("visits since January").unwrap_err();
        assert!(question.contains("such as 2024-01-05"), "{question}");
    }

    #[test]
    fn what_could_mean_several_things_is_asked_back() {
        let cases = [
            (
                "correlate",
                "? Which two columns shall I correlate? There are `sales`, `costs`, `Net Price`.",
            ),
            (
                "total by region",
                "? Which column shall I add up by `region`? There are `sales`, `costs`, `Net \
                 Price`. Or say: all.",
            ),
            ("group by colour", "? By which column shall I group? There are `month`, `region`."),
            (
                "pie chart",
                "? Of which column shall I draw the chart? There are `sales`, `costs`, `Net \
                 Price`.",
            ),
        ];
        for (instruction, expected) in cases {
            assert_eq!(plan(instruction), expected, "{instruction:?}");
        }
    }

    #[test]
    fn a_text_that_repeats_itself_costs_no_more_for_a_large_table() {
        let names = (0..100_000).map(|at| format!("name{at},{at}\n"));
        let table = format!("name,n\n{}", names.collect::<String>());
        let frames = read_table("t", &table, &Watch::default()).expect("a table").frames;
        let began = std::time::Instant::now();
        for word in ["for ", "for name is ", "in 2024 only ", "name is for a b c "] {
            let text = word.repeat(8_192 / word.len());
            let _ = read(&text, &frames, &Watch::default());
        }
        // A look at every value for every word took minutes.
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    #[test]
    fn nobody_plans_what_nobody_waits_for() {
        let frames = read_table("t", "name,n\na,1\n", &Watch::default()).expect("a table").frames;
        let (watch, notes) = Watch::new();
        drop(notes);
        let stopped = read("mean for a", &frames, &watch).unwrap_err();
        assert!(stopped.contains("stopped"), "{stopped}");
    }
}
