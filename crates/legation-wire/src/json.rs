//! The first look at a request body: refuses bombs before anything is built from them.

use legation_model::{A2aError, ErrorKind};
use memchr::memchr2;

/// The bounds of JSON that is worth parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonBounds {
    /// How deep objects and arrays may nest.
    pub depth: usize,
    /// How many members and elements there may be in all.
    pub items: usize,
    /// How many bytes of JSON a message of gRPC may become. A body of JSON is bounded by whoever
    /// takes it in.
    pub text: usize,
}

impl JsonBounds {
    /// The bounds of what an agent answers, which may be all that a task has ever said. An empty part
    /// takes ten times the room of its text, so that a bound of bytes alone is none.
    pub const ANSWER: Self = Self { depth: 128, items: 2_000_000, text: 32 << 20 };
}

impl Default for JsonBounds {
    fn default() -> Self {
        // A megabyte of small numbers in a data part is about half a million elements.
        Self { depth: 128, items: 600_000, text: 32 << 20 }
    }
}

impl JsonBounds {
    /// Takes a body as text when it is UTF-8 and within the bounds. One pass, no memory; whether
    /// it is JSON is for the parser to say.
    ///
    /// # Errors
    /// `Parse` with the bound that is exceeded.
    pub fn admit<'b>(&self, body: &'b [u8]) -> Result<&'b str, A2aError> {
        let text = str::from_utf8(body).map_err(|_| refusal("the body is not UTF-8"))?;
        let (mut depth, mut items) = (0_usize, 0_usize);
        let mut rest = body;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'"' => rest = behind_string(rest),
                b'{' | b'[' => (depth, items) = (depth + 1, items + 1),
                b'}' | b']' => depth = depth.saturating_sub(1),
                // A container holds one item more than it has commas; its opening counts for that.
                b',' => items += 1,
                _ => continue,
            }
            if depth > self.depth {
                let message = format!("the body nests deeper than {} levels", self.depth);
                return Err(refusal(message));
            }
            if items > self.items {
                let message = format!("the body has more than {} members and elements", self.items);
                return Err(refusal(message));
            }
        }
        Ok(text)
    }
}

fn refusal(message: impl Into<String>) -> A2aError {
    A2aError::new(ErrorKind::Parse, message)
}

/// What follows the string whose content begins here; nothing when it does not end.
pub(crate) fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let behind = &rest[at + 1..];
        if rest[at] == b'"' {
            return behind;
        }
        // What is escaped ends nothing.
        rest = behind.get(1..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_refused_and_strings_are_not_counted() {
        let bounds = JsonBounds { depth: 3, items: 5, ..JsonBounds::default() };
        let cases: [(&[u8], bool); 11] = [
            (b"[[[]]]", true),
            (b"[[[[]]]]", false),
            (b"[[],[],[]]", false),
            (b"[1,2,3,4,5]", true),
            (b"[1,2,3,4,5,6]", false),
            (br#"{"a":1,"b":{"c":[2]}}"#, true),
            (br#"["[[[[[[[[,,,,,,,,,,","\"[[[[[[[\\"]"#, true),
            (br#"["\\\\\\\\",[[[]]]]"#, false),
            (br#"["unfinished [[[[[[\"#, true),
            (b"]]]]{", true),
            (b"\"\xff\"", false),
        ];
        for (body, taken) in cases {
            assert_eq!(bounds.admit(body).is_ok(), taken, "{:?}", str::from_utf8(body));
        }
        let deep = "[".repeat(1_000_000);
        assert!(JsonBounds::default().admit(deep.as_bytes()).is_err());
    }

    #[test]
    fn quotes_are_found_at_every_offset() {
        let within = |depth| JsonBounds { depth, items: 99, ..JsonBounds::default() };
        for offset in 0..20 {
            let body = format!("[\"{}\",[[[[]]]]]", "x".repeat(offset));
            assert!(within(4).admit(body.as_bytes()).is_err());
            assert!(within(5).admit(body.as_bytes()).is_ok());
        }
    }
}
