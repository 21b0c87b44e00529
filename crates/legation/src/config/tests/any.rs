//! Whatever a file holds, reading it ends with an answer.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any text at all.
    #[test]
    fn no_text_makes_it_panic(text in "[ -~\n\u{e9}\u{85}]{0,200}") {
        let _ = load_text(&text);
    }

    /// Text made of what such files are made of.
    #[test]
    fn no_file_makes_it_panic(pieces in prop::collection::vec(piece(), 0..60)) {
        let _ = load_text(&pieces.concat());
    }

    /// Any value at any key.
    #[test]
    fn no_value_makes_it_panic(key in key(), value in value()) {
        if let Err(faults) = load_text(&format!("{key}: {value}\n{AGENT}")) {
            prop_assert!(faults.to_string().starts_with("f.yaml:"));
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "server", "agents", "a", "runtime", "type", "exec", "analyst", "card", "auth", "schemes",
        "store", ": ", ":\n", "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", ", ", "&x ", "*x",
        "${", "}", "${A:-1}", "$$", "'", "\"", "|\n", "#", "!t ", "---\n", "null", "1", "-", "?",
        "<<",
    ])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "server", "store", "auth", "contexts", "limits", "crew", "x", "'a.b'", "\"[0]\"", "1", "~",
    ])
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("sqlite:x".to_owned()),
        Just("99999999999999999999d".to_owned()),
        "[a-z0-9 ./:-]{1,12}".prop_map(|text| format!("'{text}'")),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    let keys = prop::sample::select(vec![
        "listen", "bounds", "idle", "schemes", "type", "token", "path", "card", "name", "keep",
    ]);
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::hash_map(keys.clone(), inner, 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}
