//! Text of strangers made fit for a terminal and for a shell.

use std::borrow::Cow;

/// Makes characters visible that a terminal would act upon: escapes could repaint what was printed,
/// and direction marks could reorder it. Line breaks and tabs stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => {}
            acting if acts(acting) => clean.extend(acting.escape_unicode()),
            plain => clean.push(plain),
        }
    }
    Cow::Owned(clean)
}

/// The same for a JSON document, which stays the same document.
pub(crate) fn clean_json(json: &str) -> Cow<'_, str> {
    // Outside of texts JSON has none of these, and in texts an escape means the same.
    let hidden = |character: char| acts(character) && !character.is_ascii_whitespace();
    if !json.chars().any(hidden) {
        return Cow::Borrowed(json);
    }
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        if hidden(character) {
            clean.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// One line of at most this many characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A word as a shell reads it back.
pub(crate) fn quote(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@%+,=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

fn acts(character: char) -> bool {
    let control = character.is_control() && !matches!(character, '\n' | '\t');
    let direction = matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered_by_strangers() {
        let cases = [
            ("plain\n\tété 😀", "plain\n\tété 😀"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\r\nb\rc\x08", "a\nbc\\u{8}"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("\x7f\0", "\\u{7f}\\u{0}"),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn clean_json_is_the_same_document() {
        let cases = ["{\"a\": \"\u{9b}\u{202e}\x7f\"}", "[1,\t2]", "\"\\u001b é\""];
        for json in cases {
            let clean = clean_json(json);
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert_eq!(read(json), read(&clean), "{clean}");
            assert!(!clean.contains(['\u{9b}', '\u{202e}', '\x7f']), "{clean}");
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        let cases = [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("", "''"),
            ("two words", "'two words'"),
            ("$(rm -rf /)", "'$(rm -rf /)'"),
            ("it's", r"'it'\''s'"),
            ("http://a/?b&c", "'http://a/?b&c'"),
        ];
        for (word, expected) in cases {
            assert_eq!(quote(word), expected);
        }
    }

    #[test]
    fn lines_are_shortened() {
        assert_eq!(one_line("a\n b\t c", 9), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
