//! The report that pytest writes for machines, as far as we need it.
//!
//! It is XML in the form that JUnit made common. Only elements and attributes are read,
//! and no text between them; the writer escapes every `<`, `>` and `"` that is not markup.

use anyhow::{Context, ensure};

/// What became of one test.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) outcome: Outcome,
    /// What the test said, on one line.
    pub(super) message: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// Not run, or a recommendation that was not followed.
    Skipped,
}

/// The elements inside a test that say how it ended; none of them is there when it passed.
const OUTCOMES: &[(&str, Outcome)] =
    &[("<failure", Outcome::Failed), ("<error", Outcome::Failed), ("<skipped", Outcome::Skipped)];

/// Returns the tests of a report in its order.
///
/// # Errors
/// When a test has no name, or fewer were found than the report announces.
pub(super) fn read(xml: &str) -> anyhow::Result<Vec<Case>> {
    let mut elements = xml.split("<testcase");
    let head = elements.next().unwrap_or_default();
    let cases = elements.map(case).collect::<anyhow::Result<Vec<_>>>()?;
    let announced = attribute(head, "tests").context("not a report: it has no `tests`")?;
    // There may be more: a test whose clean-up fails as well is there twice.
    ensure!(announced.parse::<usize>()? <= cases.len(), "{announced} tests, {} read", cases.len());
    Ok(cases)
}

fn case(element: &str) -> anyhow::Result<Case> {
    let class = attribute(element, "classname").context("a test has no class")?;
    let name = attribute(element, "name").context("a test has no name")?;
    // Every test sits in a module of one of these packages, which says nothing.
    let packages = ["tests.compatibility.", "tests."];
    let class = packages.iter().find_map(|package| class.strip_prefix(package)).unwrap_or(&class);
    let ended = OUTCOMES.iter().find_map(|(tag, outcome)| {
        let (_, inside) = element.split_once(tag)?;
        Some((*outcome, attribute(inside, "message").unwrap_or_default()))
    });
    let (outcome, message) = ended.unwrap_or((Outcome::Passed, String::new()));
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Case { id: format!("{class}::{name}"), outcome, message })
}

/// Returns the first attribute of that name in the text.
fn attribute(text: &str, name: &str) -> Option<String> {
    // The space tells `name` from `classname`.
    let value = text.split_once(&format!(" {name}=\""))?.1;
    Some(unescape(&value[..value.find('"')?]))
}

fn unescape(text: &str) -> String {
    const ENTITIES: &[(&str, &str)] = &[
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#10;", " "),
        ("&#13;", " "),
        ("&#9;", " "),
        // Last, so that what it yields is not taken for another entity.
        ("&amp;", "&"),
    ];
    let replace = |text: String, (entity, word): &(&str, &str)| text.replace(entity, word);
    ENTITIES.iter().fold(text.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<testsuites><testsuite name="pytest" errors="0" tests="3">
        <testcase classname="tests.compatibility.core.test_a.TestB" name="test_c[X-jsonrpc]" time="0.1" />
        <testcase classname="tests.compatibility.core.test_a" name="test_d" time="0.1"><failure
        message="want &lt;1&gt;&#10;got &amp;lt;">text name="no"</failure></testcase>
        <testcase classname="tests.compatibility.core.test_a" name="test_e" time="0.1"><skipped
        type="pytest.skip" message="not here">why</skipped></testcase></testsuite></testsuites>"#;

    #[test]
    fn tests_are_read_with_their_ends() {
        let case = |id: &str, outcome, message: &str| Case {
            id: id.into(),
            outcome,
            message: message.into(),
        };
        let wanted = [
            case("core.test_a.TestB::test_c[X-jsonrpc]", Outcome::Passed, ""),
            case("core.test_a::test_d", Outcome::Failed, "want <1> got &lt;"),
            case("core.test_a::test_e", Outcome::Skipped, "not here"),
        ];
        assert_eq!(read(REPORT).unwrap(), wanted);
    }

    #[test]
    fn a_report_cut_short_is_an_error() {
        let cut = REPORT.rfind("<testcase").unwrap();
        assert!(read(&REPORT[..cut]).is_err());
        assert!(read("").is_err());
    }
}
