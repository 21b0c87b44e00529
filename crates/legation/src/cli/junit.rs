//! JUnit's XML, which build servers show: a suite for each group of checks, a case for each check.

use std::fmt::Write as _;

use legation_client::doctor::{Checked, Group, Outcome, Report};

/// Writes the results. A warning is a case that passed and has something to say.
pub(crate) fn write(report: &Report) -> String {
    let all: Vec<&Checked> = report.checks.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put(&mut xml, format_args!("<testsuites name=\"legation doctor\"{}>\n", counts(&all)));
    for group in Group::ALL {
        let own: Vec<&Checked> = all.iter().copied().filter(|it| it.group == group).collect();
        if !own.is_empty() {
            let name = escaped(&format!("{} {}", report.address, group.words()));
            put(&mut xml, format_args!("  <testsuite name=\"{name}\"{}>\n", counts(&own)));
            own.iter().for_each(|checked| case(&mut xml, checked));
            xml.push_str("  </testsuite>\n");
        }
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn counts(checks: &[&Checked]) -> String {
    let count = |outcome| checks.iter().filter(|checked| checked.outcome == outcome).count();
    let (failed, skipped) = (count(Outcome::Fail), count(Outcome::Skipped));
    let time: f64 = checks.iter().map(|checked| checked.took.as_secs_f64()).sum();
    format!(
        " tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{time:.3}\"",
        checks.len()
    )
}

fn case(xml: &mut String, checked: &Checked) {
    let (group, id) = checked.id.split_once('.').expect("a check is named by its group");
    let at = checked.at.as_deref().map(|at| format!(" [{at}]")).unwrap_or_default();
    let (name, seen) = (escaped(&format!("{id}{at}")), escaped(&checked.seen));
    let remedy = escaped(checked.remedy.as_deref().unwrap_or_default());
    let time = checked.took.as_secs_f64();
    put(
        xml,
        format_args!(
            "    <testcase classname=\"doctor.{group}\" name=\"{name}\" time=\"{time:.3}\">"
        ),
    );
    match checked.outcome {
        Outcome::Pass => put(xml, format_args!("<system-out>{seen}</system-out>")),
        Outcome::Warn => {
            put(xml, format_args!("<system-out>warning: {seen}. To do: {remedy}</system-out>"));
        }
        Outcome::Fail => put(xml, format_args!("<failure message=\"{seen}\">{remedy}</failure>")),
        Outcome::Skipped => put(xml, format_args!("<skipped message=\"{seen}\"/>")),
    }
    xml.push_str("</testcase>\n");
}

fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    xml.write_fmt(text).expect("texts grow");
}

/// A text as it may stand in an attribute or between tags. What XML has no words for becomes a space.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_strangers_say_is_text_in_it() {
        let one = |outcome, seen: &str| Checked {
            id: "card.members",
            group: Group::Card,
            at: Some("skills[0].<\"x\">".into()),
            readers: Vec::new(),
            outcome,
            seen: seen.into(),
            remedy: Some("a & b".into()),
            took: Duration::from_millis(7),
            blocks: false,
        };
        let checks = vec![
            one(Outcome::Pass, "]]> fine"),
            one(Outcome::Warn, "\u{1b}[2J\u{ffff}"),
            one(Outcome::Fail, "'\"<&>"),
            one(Outcome::Skipped, "why"),
        ];
        let report =
            Report { address: "http://a/?b&c".into(), agent: None, readers: Vec::new(), checks };
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"legation doctor\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.028\">
  <testsuite name=\"http://a/?b&amp;c The card\" tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.028\">
    CASE<system-out>]]&gt; fine</system-out></testcase>
    CASE<system-out>warning:  [2J . To do: a &amp; b</system-out></testcase>
    CASE<failure message=\"'&quot;&lt;&amp;&gt;\">a &amp; b</failure></testcase>
    CASE<skipped message=\"why\"/></testcase>
  </testsuite>
</testsuites>
";
        let case = "<testcase classname=\"doctor.card\" \
            name=\"members [skills[0].&lt;&quot;x&quot;&gt;]\" time=\"0.007\">";
        assert_eq!(write(&report), expected.replace("CASE", case));
    }
}
