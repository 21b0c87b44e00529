//! Lays JSON out for people. It works on the text, so that order and digits stay as they came.

/// The same JSON with a line per member.
pub(crate) fn pretty(json: &str) -> String {
    let mut pretty = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(character) = rest.next() {
        if in_string {
            pretty.push(character);
            (in_string, escaped) = (escaped || character != '"', !escaped && character == '\\');
            continue;
        }
        match character {
            '"' => {
                in_string = true;
                pretty.push('"');
            }
            '{' | '[' => {
                pretty.push(character);
                while rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(close) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    pretty.push(close);
                } else {
                    depth += 1;
                    break_line(&mut pretty, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut pretty, depth);
                pretty.push(character);
            }
            ',' => {
                pretty.push(',');
                break_line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => pretty.push(other),
        }
    }
    pretty
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_on_lines_and_values_stay_as_they_came() {
        let cases = [
            ("1e400", "1e400"),
            (r#"{"b":1,"a":[]}"#, "{\n  \"b\": 1,\n  \"a\": []\n}"),
            (r#"[ { } , "a,\"{b" ]"#, "[\n  {},\n  \"a,\\\"{b\"\n]"),
            (
                r#"{"a":{"b":[1,2]}}"#,
                "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  }\n}",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(pretty(json), expected);
        }
    }
}
