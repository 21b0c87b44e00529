//! How much room text takes. Fonts differ, so this errs on the wide side.

/// The width of a text as the wide fonts have it that stand in for Helvetica, such as DejaVu Sans.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(share).sum::<f64>() * size
}

/// The width of a letter as a share of the font's size.
fn share(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.33,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        'A'..='Z' => 0.74,
        // Scripts beyond the Latin, Greek and Cyrillic ones often have square letters.
        '\u{1100}'.. => 1.0,
        _ => 0.63,
    }
}

/// The text, or as much of its beginning as there is room for.
pub(crate) fn shortened(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = room - width("…", size);
    for letter in text.chars() {
        left -= share(letter) * size;
        if left < 0.0 {
            break;
        }
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

/// The text, or its beginning and its end: names that begin alike often differ there.
pub(crate) fn squeezed(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let half = (room - width("…", size)) / 2.0;
    let kept = |letters: &mut dyn Iterator<Item = char>| {
        let mut left = half;
        let fits = |letter: &char| {
            left -= share(*letter) * size;
            left >= 0.0
        };
        letters.take_while(fits).collect::<Vec<char>>()
    };
    let end: String = kept(&mut text.chars().rev()).into_iter().rev().collect();
    let start: String = kept(&mut text.chars()).into_iter().collect();
    format!("{}…{}", start.trim_end(), end.trim_start())
}

/// The text on as many lines as it takes, at most `most`; the last is shortened.
pub(crate) fn wrapped(text: &str, size: f64, room: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if full || width(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| shortened(&line, size, room)).collect()
}
