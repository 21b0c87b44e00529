//! The table of losses in the documentation is the one in the code.

use std::path::Path;

use legation_wire::loss::TABLE;
use legation_wire::v0_3::Form;

const BEGIN: &str = "<!-- loss table: made by a test of legation-wire -->\n";
const END: &str = "<!-- end -->\n";

fn name(form: Form) -> &'static str {
    match form {
        Form::Json => "0.3 JSON",
        Form::JsonAnd0_1 => "0.3 and 0.1",
        Form::Json0_1 => "0.1",
        Form::Proto => "0.3 protobuf",
    }
}

/// Set `UPDATE_DOCS=1` to write the table.
#[test]
fn the_documentation_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/versions.md");
    let text = std::fs::read_to_string(&path).expect("the page on versions");
    let (before, rest) = text.split_once(BEGIN).expect("the place of the table");
    let (_, after) = rest.split_once(END).expect("the end of the table");
    let rows = TABLE.iter().map(|loss| {
        let forms: Vec<_> = loss.forms.iter().copied().map(name).collect();
        let forms =
            if loss.forms.len() == Form::ALL.len() { "all".into() } else { forms.join(", ") };
        format!("| {forms} | {} | {} |\n", loss.what, loss.becomes)
    });
    let table = format!("| in | what | becomes |\n|---|---|---|\n{}", rows.collect::<String>());
    let expected = [before, BEGIN, &table, END, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
        return;
    }
    assert_eq!(text, expected, "run this test with UPDATE_DOCS=1");
}
