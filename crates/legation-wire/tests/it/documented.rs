//! The table of losses in the documentation is the one in the code.

use std::path::Path;

use legation_wire::grpc::Package;
use legation_wire::loss::{Medium, TABLE};
use legation_wire::v0_3::Form;

const BEGIN: &str = "<!-- loss table: made by a test of legation-wire -->\n";
const END: &str = "<!-- end -->\n";

fn name(medium: Medium) -> &'static str {
    match medium {
        Medium::Json(Form::Json) => "0.3 JSON",
        Medium::Json(Form::JsonAnd0_1) => "0.3 and 0.1",
        Medium::Json(Form::Json0_1) => "0.1",
        Medium::Json(Form::Proto) => "0.3 protobuf",
        Medium::Grpc(Package::V0_3) => "0.3 gRPC",
        Medium::Grpc(Package::V1_0) => "1.0 gRPC",
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
        let media: Vec<_> = loss.media.iter().copied().map(name).collect();
        let older = loss.media == &Medium::ALL[..5];
        let media = if older { "all before 1.0".into() } else { media.join(", ") };
        format!("| {media} | {} | {} |\n", loss.what, loss.becomes)
    });
    let table = format!("| in | what | becomes |\n|---|---|---|\n{}", rows.collect::<String>());
    let expected = [before, BEGIN, &table, END, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
        return;
    }
    assert_eq!(text, expected, "run this test with UPDATE_DOCS=1");
}
