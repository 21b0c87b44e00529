//! What is written of the configuration: documentation, example and schema.

use super::*;

/// Set `UPDATE_DOCS=1` to write the tables.
#[test]
fn the_documentation_has_every_key() {
    const BEGIN: &str = "<!-- keys: made by a test of legation -->\n";
    const END: &str = "<!-- end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&path).expect("the page on configuration");
    let (before, rest) = text.split_once(BEGIN).expect("the place of the tables");
    let (_, after) = rest.split_once(END).expect("the end of the tables");
    let expected = [before, BEGIN, "\n", &document::tables(), END, after].concat();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("a writable page");
        return;
    }
    assert!(text == expected, "run this test with UPDATE_DOCS=1");
}

/// A document of this repository.
fn document(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a schema's reader sees of a file: variables are plain text to it.
fn as_json(text: &str) -> serde_json::Value {
    let tree = yaml::parse(&text.replace("${", "$${"), &mut Vec::new()).expect("YAML");
    let mut members = serde_json::Map::new();
    setting::free(&mut members).read(&tree, &mut Reader::new(&|_| None, Vec::new()));
    members.into()
}

#[test]
fn the_example_is_good() {
    let text = document("examples/legation.yaml");
    let (_, resolved) = read("f", &text, &|_| None, &Overrides::default())
        .unwrap_or_else(|faults| panic!("{faults}"));
    let slugs: Vec<_> = resolved.agents.iter().map(|agent| &*agent.profile.slug).collect();
    assert_eq!(slugs, ["data-analyst", "researcher", "translator"]);
}

#[test]
fn the_documentation_shows_what_is_said() {
    let page = document("docs/configuration.md");
    let block = |fence: &str| {
        let (_, rest) = page.split_once(fence).expect("a block");
        rest.split_once("```\n").expect("its end").0.to_owned()
    };
    good(&block("```yaml\n"));
    let (_, shown) =
        page.split_once("$ legation check legation.yaml\nlegation.yaml:").expect("faults");
    let shown = format!("legation.yaml:{}", shown.split_once("\n```").expect("its end").0);
    let text = "agents:\n  Data Analyst:\n    rolle: Data Analyst\n    runtime: { type: anlyst }\n";
    let said = read("legation.yaml", text, &environment, &Overrides::default()).err();
    assert_eq!(said.map(|faults| faults.to_string()), Some(shown));
}

#[test]
fn the_schema_agrees_with_the_check() {
    let schema = jsonschema::validator_for(&schema()).expect("a good schema");
    let example = document("examples/legation.yaml");
    for text in [&*example, AGENT] {
        let errors: Vec<_> = schema.iter_errors(&as_json(text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let bad = [
        "sever: {}\n",
        "server: {listen: 7}\n",
        "limits: {runs: many}\n",
        "limits: {runs: 0}\n",
        "contexts: {keep: 30}\n",
        "auth: nobody\n",
        "auth: {schemes: [{type: oidc}]}\n",
        "store: postgres:x\n",
    ];
    for text in bad {
        let text = format!("{text}{AGENT}");
        assert!(!schema.is_valid(&as_json(&text)), "{text}");
        assert_ne!(faults(&text), "");
    }
    for keys in ["llm: x", "rolle: x", "card: 7", "a2a: {server: {auth: x}}"] {
        let text = format!("agents: {{a: {{runtime: {{type: analyst}}, {keys}}}}}");
        assert!(!schema.is_valid(&as_json(&text)), "{text}");
    }
}
