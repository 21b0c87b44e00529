//! What the documentation says of security is shown by tests that exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The names of all functions below a directory.
fn functions(directory: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let after = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            found.extend(after.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut known = HashSet::new();
    functions(&root.join("crates"), &mut known);
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut count = 0;
    for row in rows {
        let shown = row.trim_end_matches('|').rsplit('|').next().expect("a cell");
        if shown.trim() == "Shown by" {
            continue;
        }
        let names: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing shows it: {row}");
        for name in names {
            assert!(known.contains(name), "there is no test `{name}`");
            count += 1;
        }
    }
    assert!(count > 80, "only {count} names were read");
}
