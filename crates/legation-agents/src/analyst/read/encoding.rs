//! From the bytes of a file to text, whatever its encoding.

/// How a text was encoded, where that is worth a remark.
pub(crate) const LATIN: &str = "it is not UTF-8; I read it as Latin-1 (Windows-1252)";

/// What programs on Windows write for 0x80 to 0x9f, where Latin-1 has control characters.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// How many bytes are looked at to tell text from other files.
const SAMPLE: usize = 4096;

/// Reads bytes as UTF-8, UTF-16 with or without a mark, or else Latin-1; a remark comes with the
/// last. `None` when this is no text.
pub(crate) fn decode(bytes: Vec<u8>) -> Option<(String, Option<&'static str>)> {
    if let Some(read) = utf16_reader(&bytes) {
        let units = bytes.as_chunks().0.iter().map(|pair| read(*pair));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        return text.ok().map(|text| (text.trim_start_matches('\u{feff}').to_owned(), None));
    }
    if bytes.iter().take(SAMPLE).any(|byte| *byte == 0) {
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some((text, None)),
        Err(error) => {
            let latin = error.as_bytes().iter().map(|byte| match byte {
                0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
                _ => char::from(*byte),
            });
            Some((latin.collect(), Some(LATIN)))
        }
    }
}

/// How to read two bytes, when the file begins with a mark or as plain letters would.
fn utf16_reader(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match bytes {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        [(1..), 0, (1..), 0, ..] => Some(u16::from_le_bytes),
        [0, (1..), 0, (1..), ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_a_text_gives_that_text() {
        let units = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("{mark}ab€").encode_utf16().flat_map(bytes).collect()
        };
        let cases = [
            ("ab€".as_bytes().to_vec(), Some(("ab€", None))),
            ("\u{feff}ab€".as_bytes().to_vec(), Some(("\u{feff}ab€", None))),
            (units("\u{feff}", u16::to_le_bytes), Some(("ab€", None))),
            (units("\u{feff}", u16::to_be_bytes), Some(("ab€", None))),
            (units("", u16::to_le_bytes), Some(("ab€", None))),
            (units("", u16::to_be_bytes), Some(("ab€", None))),
            (b"K\xf6ln \x80".to_vec(), Some(("Köln €", Some(LATIN)))),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), None),
            (vec![0xff, 0xfe, 0x00, 0xd8], None),
            (Vec::new(), Some(("", None))),
        ];
        for (bytes, expected) in cases {
            let found = decode(bytes.clone());
            let found = found.as_ref().map(|(text, note)| (text.as_str(), *note));
            assert_eq!(found, expected, "{bytes:?}");
        }
    }
}
