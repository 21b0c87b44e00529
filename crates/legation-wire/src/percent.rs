//! Percent-encoding in paths and queries (RFC 3986 2.1), decoded exactly once.

use std::borrow::Cow;

/// Decodes a path segment; `None` when an escape is broken or the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (&[high, low], behind) = rest.split_first_chunk()?;
        bytes.push((digit(high)? << 4) | digit(low)?);
        rest = behind;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// The pairs of a query, decoded. `+` is a space there, as forms have it.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = Option<(Cow<'_, str>, Cow<'_, str>)>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode_form(name)?, decode_form(value)?))
    })
}

fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode(text);
    }
    decode(&text.replace('+', " ")).map(|text| Cow::Owned(text.into_owned()))
}

/// Encodes a path segment or a value of a query. All that could end either is encoded, the colon as
/// well because it begins an action.
pub(crate) fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn digit(byte: u8) -> Option<u8> {
    // The digit is below 16.
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        let cases = [
            ("a", Some("a")),
            ("%41%c3%a9", Some("Aé")),
            ("%2541", Some("%41")),
            ("a+b", Some("a+b")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%ff", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
        for text in ["", "a/b?c#d%e:f é", "%41", "+&="] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
            let pair = format!("k={}", encode(text));
            let read: Vec<_> = pairs(&pair).flatten().collect();
            assert_eq!(read, [("k".into(), text.into())]);
        }
    }

    #[test]
    fn queries_are_pairs() {
        let read = |query| pairs(query).map(|pair| pair.map(|(n, v)| format!("{n}={v}")));
        let got: Vec<_> = read("a=1&&b=x+y%2B&c").collect();
        let expected = ["a=1", "b=x y+", "c="].map(|pair| Some(pair.to_owned()));
        assert_eq!(got, expected);
        assert_eq!(read("a=%zz").collect::<Vec<_>>(), [None]);
    }
}
