//! Charts as a whole: whatever is drawn stays on the paper, keeps its labels apart and is markup
//! alone. With `CHARTS` set to a folder, all of them are written there for the eye.

use crate::analyst::{Input, Outcome, analyze};

/// A request and what it is a case of.
struct Case {
    name: &'static str,
    words: &'static str,
    table: String,
}

fn case(name: &'static str, words: &'static str, table: impl Into<String>) -> Case {
    Case { name, words, table: table.into() }
}

fn rows(header: &str, count: usize, row: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (0..count).map(row).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

/// A value that looks like chance and is not.
fn noise(n: usize) -> f64 {
    ((n as f64 * 12.9898).sin() * 43_758.547).rem_euclid(1.0)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn cases() -> Vec<Case> {
    let shops = rows("month,Berlin,Paris,New York", 12, |n| {
        let value = |base: f64, city: usize| (base + noise(n * 3 + city) * 400.0).round();
        format!("{},{},{},{}", MONTHS[n], value(900.0, 0), value(1200.0, 1), value(700.0, 2))
    });
    let days = rows("day,visits", 200, |n| {
        let day = format!("2024-{:02}-{:02}", n / 28 + 1, n % 28 + 1);
        format!("{day},{}", (n as f64 * 3.0 + noise(n) * 200.0).round())
    });
    let parties = "party,seats\nUnion of the Left,120\nCentre,96\nLiberals,61\nGreens,44\n\
                   Regional Lists,12\nOthers,3\n";
    let profit = "quarter,profit\nQ1,120\nQ2,-80\nQ3,45\nQ4,-10\n";
    let long = rows("product,units", 14, |n| {
        format!("Extraordinarily long product name no. {n},{}", 100 + n * 37 % 90)
    });
    let many = rows("shop,sales", 90, |n| format!("S{n},{}", (noise(n) * 1e5).round()));
    let cloud = rows("weight,length", 180, |n| {
        let weight = 2.0 + noise(n) * 6.0;
        format!("{weight:.2},{:.2}", 10.0 + weight * 4.0 + noise(n + 500) * 12.0)
    });
    let crowd = rows("a,b", 1_500, |n| format!("{},{}", noise(n), noise(n + 7) * noise(n)));
    let heights = rows("height", 800, |n| {
        format!("{:.1}", 150.0 + (noise(n) + noise(n + 1) + noise(n + 2)) * 20.0)
    });
    let huge = "year,debt\n2020,1.5e12\n2021,2.25e12\n2022,2.75e12\n2023,4.1e12\n";
    let beyond = "step,x\na,1e20\nb,5e20\nc,3e20\n";
    let gaps = "m,s\na,1\nb,\nc,3\nd,4\ne,\nf,2\n";
    let wild = "<b>&\"x\",n\n<script>alert(1)</script>,1\n]]>'\u{1}é中文字,2\n";
    let dense = rows("t,signal", 9_000, |n| {
        let spike = if n == 5_456 { 9.0 } else { 0.0 };
        format!("{n},{:.4}", (n as f64 / 700.0).sin() + noise(n) * 0.2 + spike)
    });
    vec![
        case("line", "line chart", shops.clone()),
        case("bars", "bar chart of Berlin, Paris and New York", shops),
        case("time", "line chart of visits", days.clone()),
        case("forecast", "forecast visits for the next 30 days and plot it", days),
        case("pie", "pie chart", parties),
        case("negative", "bar chart of profit", profit),
        case("long", "bar chart of units by product", long.clone()),
        case("long-pie", "pie chart of units", long),
        case("many", "bar chart of sales", many),
        case("scatter", "scatter plot of length against weight", cloud),
        case("crowd", "scatter plot of b against a", crowd),
        case("histogram", "histogram", heights),
        case("one", "line chart", "m,s\nJan,5\n"),
        case("one-bar", "bar chart", "m,s\nJan,5\n"),
        case("one-slice", "pie chart", "m,s\nJan,5\n"),
        case("huge", "bar chart of debt", huge),
        case("beyond", "line chart of x", beyond),
        case("gaps", "line chart", gaps),
        case("wild", "bar chart", wild),
        case("dense", "line chart of signal", dense),
        case("flat", "line chart", "m,s\na,5\nb,5\nc,5\n"),
    ]
}

const SIZES: [(u32, u32); 5] = [(320, 200), (480, 300), (800, 480), (1600, 900), (300, 600)];

/// Draws a case in a size by a request in data, whose plan is read from the words.
fn drawn(case: &Case, (width, height): (u32, u32)) -> String {
    let csv = Input::Csv { name: None, text: &case.table };
    let reading = crate::analyst::read::read(
        &[csv, Input::Text(case.words)],
        &crate::analyst::Watch::default(),
    );
    let material = reading.expect("a table");
    let mut plan = crate::analyst::plan::read(
        &material.instruction,
        &material.reading.frames,
        &crate::analyst::Watch::default(),
    )
    .expect("plain words");
    let drawing = plan.chart.as_mut().expect("a chart");
    (drawing.width, drawing.height) = (Some(width), Some(height));
    let outcome = crate::analyst::answer(material, Some(plan), &crate::analyst::Watch::default());
    let Outcome::Report(report) = outcome else { panic!("{}: {outcome:?}", case.name) };
    report.chart.expect("a chart").svg
}

/// A text as it stands in the drawing.
#[derive(Debug)]
#[expect(dead_code, reason = "the words are shown when a test fails")]
struct Placed {
    left: f64,
    right: f64,
    y: f64,
    size: f64,
    text: String,
}

fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let start = element.find(&format!(" {name}=\"")).map_or(0, |at| at + name.len() + 3);
    element[start..].split('"').next().unwrap_or_default()
}

/// The level texts of a drawing.
fn texts(svg: &str) -> Vec<Placed> {
    let level = svg.lines().filter(|line| line.starts_with("<text") && !line.contains("rotate"));
    let placed = level.map(|line| {
        let number = |name| attribute(line, name).parse::<f64>().expect("a number");
        let text = line.split('>').nth(1).unwrap_or_default().trim_end_matches("</text").to_owned();
        let plain = text.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
        let (x, y, size) = (number("x"), number("y"), number("font-size"));
        // The estimate errs on the wide side; real fonts are narrower.
        let wide = super::text::width(&plain.replace("&amp;", "&"), size) * 0.9;
        let left = match attribute(line, "text-anchor") {
            "start" => x,
            "middle" => x - wide / 2.0,
            _ => x - wide,
        };
        Placed { left, right: left + wide, y, size, text }
    });
    placed.collect()
}

#[test]
fn charts_of_every_size_are_sound() {
    let folder = std::env::var_os("CHARTS").map(std::path::PathBuf::from);
    for case in cases() {
        assert_eq!(drawn(&case, SIZES[0]), drawn(&case, SIZES[0]), "{}", case.name);
        for (width, height) in SIZES {
            let svg = drawn(&case, (width, height));
            let what = format!("{} {width}x{height}", case.name);
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{}-{width}.svg", case.name)), &svg).unwrap();
            }
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{what}: {svg}");
            assert!(!svg.contains("<script") && !svg.contains("href"), "{what}");
            assert!(svg.contains("<title id") && svg.contains("<desc id"), "{what}");
            assert!(svg.len() < 1 << 20, "{what}: {} bytes", svg.len());
            let texts = texts(&svg);
            for text in &texts {
                let on_paper = text.left >= -0.5 && text.right <= f64::from(width) + 0.5;
                assert!(on_paper && text.y <= f64::from(height), "{what}: off the paper: {text:?}");
            }
            for (at, one) in texts.iter().enumerate() {
                for other in &texts[at + 1..] {
                    let apart = one.right <= other.left
                        || other.right <= one.left
                        || (one.y - other.y).abs() >= one.size.min(other.size) * 0.8;
                    assert!(apart, "{what}: overlap: {one:?} {other:?}");
                }
            }
        }
    }
}

#[test]
fn strangers_text_is_text() {
    let wild = cases().into_iter().find(|case| case.name == "wild").unwrap();
    let svg = drawn(&wild, (800, 480));
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{svg}");
    assert!(svg.contains("n by &lt;b&gt;&amp;&quot;x&quot;</title>"), "{svg}");
    assert!(!svg.contains('\u{1}'));
}

#[test]
fn what_is_drawn_against_what_is_as_it_was_said() {
    let crowd = cases().into_iter().find(|case| case.name == "crowd").unwrap();
    assert!(drawn(&crowd, (800, 480)).contains(">b against a</title>"));
}

#[test]
fn a_drawing_is_described_in_words() {
    let outcome = analyze(&[Input::Text("bar chart of\nm,sales\nJan,1\nFeb,-2\n")]);
    let Outcome::Report(report) = outcome else { panic!("{outcome:?}") };
    let svg = report.chart.unwrap().svg;
    let expected = "<desc id=\"chart-desc\">Bar chart over 2 positions (Jan to Feb): sales from -2 \
                    to 1.</desc>";
    assert!(svg.contains(expected), "{svg}");
}
